//! One VM per script file: made, closed off, filled with the API, and run through its top level.
//!
//! The top level only declares: what it registers is collected here and means nothing until its generation serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mlua::chunk::ChunkMode;
use mlua::{
    FromLuaMulti, Function, IntoLuaMulti, Lua, LuaOptions, Result as LuaResult, StdLib, Table,
    Value,
};

use crate::access::{Needs, ReachCell};
use crate::api::Host;
use crate::api::Run;
use crate::api::Scope;
use crate::api::bot::{Collector, DECLARATION};
use crate::api::misuse;
use crate::api::{TOP_LEVEL, install};
use crate::script::diagnostic::{LoadError, LoadErrorKind, Raised};
use crate::script::drive::{Ended, drive_with};
use crate::script::preempt::{LOAD_TIME, Slice, THEIR_LOAD_TIME};
use crate::script::registration::{HandlerKey, Registration};
use crate::script::require::{Resolver, candidates};

/// The longest script. Handlers are written by people.
pub const MAX_BYTES: usize = 1 << 20;

/// Globals of Luau that a script keeps. Everything else goes: compilers of text and bytecode, environments of other
/// functions, the garbage collector, proxies.
pub(super) const GLOBALS: &[&str] = &[
    "_G",
    "_VERSION",
    "assert",
    "bit32",
    "buffer",
    "coroutine",
    "debug",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "os",
    "pairs",
    "pcall",
    "print",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "unpack",
    "utf8",
    "vector",
    "xpcall",
];

/// What is left of `debug` and `os`: nothing that reaches into frames, the environment or the process.
const DEBUG: &[&str] = &["traceback"];
const OS: &[&str] = &["clock", "date", "difftime", "time"];

/// Builds a global of a VM.
pub type Build<'a> = dyn Fn(&Lua) -> LuaResult<Value> + 'a;

/// A script to load.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path below the scripts folder, with `/`.
    pub path: String,
    /// The file as read; whether it is text is checked here.
    pub bytes: Vec<u8>,
}

/// A loaded script: its VM, and what it declared.
#[derive(Debug)]
pub struct Vm {
    pub(super) lua: Lua,
    pub(super) scope: Scope,
    pub(super) slice: Arc<Slice>,
    pub(super) functions: Vec<Function>,
    /// Counts the versions of this script that have served, from 1; 0 until it serves.
    pub(super) number: u64,
    path: Arc<str>,
    registrations: Vec<Registration>,
    dependencies: Vec<String>,
}

impl Vm {
    /// Compiles `source` and runs its top level. Blocks for as long as that takes, two seconds at most.
    ///
    /// # Errors
    ///
    /// With path, line and source line of what is wrong; nothing of the script is left then.
    pub fn load(
        source: &Source,
        host: &Host,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, LoadError> {
        Self::load_with(source, host, resolver, &[])
    }

    /// As [`Vm::load`], with more globals: what each of `more` builds, under its name.
    ///
    /// # Errors
    ///
    /// As [`Vm::load`].
    pub fn load_with(
        source: &Source,
        host: &Host,
        resolver: Arc<dyn Resolver>,
        more: &[(&str, &Build<'_>)],
    ) -> Result<Self, LoadError> {
        let text = checked_text(&source.path, &source.bytes)?;
        let sources =
            Arc::new(Mutex::new(BTreeMap::from([(source.path.clone(), text.to_owned())])));
        let fail = |error: &mlua::Error| load_error(error, &source.path, &sources);

        let (lua, scope, slice) = new_vm(&source.path, host).map_err(|error| fail(&error))?;
        let root = host.asked_folder(&source.path).unwrap_or_default();
        let loaded = install_require(&lua, root, &source.path, resolver, &sources)
            .map_err(|error| fail(&error))?;
        for (name, build) in more {
            let set = build(&lua).and_then(|value| lua.globals().raw_set(*name, value));
            set.map_err(|error| fail(&error))?;
        }
        lua.sandbox(true).map_err(|error| fail(&error))?;
        lua.set_app_data(Collector::default());

        let (result, _, _) = slice.run(|| compile(&lua, &source.path, text)?.call::<()>(()));
        result.map_err(|error| fail(&error))?;

        // What a handler writes into a global, every run of the script would read.
        lua.globals().set_readonly(true);

        let collected = lua.remove_app_data::<Collector>().unwrap_or_default().0;
        let mut registrations = Vec::with_capacity(collected.len());
        let mut functions = Vec::with_capacity(collected.len());
        for (index, one) in collected.into_iter().enumerate() {
            functions.push(one.function);
            registrations.push(Registration {
                declared: one.declared,
                options: one.options,
                path: one.path,
                line: one.line,
                handler: HandlerKey(index),
            });
        }
        let dependencies = loaded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Self {
            lua,
            scope,
            slice,
            functions,
            number: 0,
            path: source.path.as_str().into(),
            registrations,
            dependencies,
        })
    }

    /// Runs a function of this VM as a coroutine to its end, whatever that is, and ends `run` with it.
    pub async fn run(&self, run: &Arc<Run>, function: &Function, argument: Value) -> Ended {
        drive_with(self, run, function, argument).await
    }

    /// Calls a function of this VM that may not wait, for two seconds at most; not from inside the VM.
    ///
    /// # Errors
    ///
    /// What it raised.
    pub fn call<R: FromLuaMulti>(
        &self,
        function: &Function,
        arguments: impl IntoLuaMulti,
    ) -> LuaResult<R> {
        let outer = self.scope.enter(None);
        let (result, _, _) = self.slice.run(|| function.call(arguments));
        self.scope.enter(outer);
        result
    }

    /// The VM itself: to build what [`Vm::run`] is given.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Path below the scripts folder.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub fn registrations(&self) -> &[Registration] {
        &self.registrations
    }

    /// What it asks for: nothing but to answer, unless it says so.
    pub fn needs(&self) -> Needs {
        self.scope.needs().unwrap_or_default()
    }

    /// What it may reach.
    pub fn reach(&self) -> &ReachCell {
        self.scope.reach_cell()
    }

    /// The files that it required, as paths below the scripts folder: a change of one reloads it.
    pub fn dependencies(&self) -> &[String] {
        &self.dependencies
    }

    /// Bytes that the VM has allocated.
    pub fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }
}

/// Compiles a file that is not run.
pub(super) fn compiles(source: &Source) -> Result<(), LoadError> {
    let text = checked_text(&source.path, &source.bytes)?;
    let sources = Mutex::new(BTreeMap::from([(source.path.clone(), text.to_owned())]));
    compile(&Lua::new(), &source.path, text)
        .map(drop)
        .map_err(|error| load_error(&error, &source.path, &sources))
}

fn checked_text<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, LoadError> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; a script has 1 MiB at most", bytes.len());
        return Err(LoadError::new(LoadErrorKind::TooLarge, path, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        let mut failed = LoadError::new(
            LoadErrorKind::NotUtf8,
            path,
            format!("byte {} is not UTF-8; save the file as UTF-8 text", error.valid_up_to()),
        );
        failed.line = Some(line);
        failed
    })?;
    // Some editors put a byte order mark in front; Luau does not know it.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Text only: whatever the bytes are, they are never taken for bytecode.
fn compile(lua: &Lua, path: &str, text: &str) -> LuaResult<Function> {
    lua.load(text).set_name(format!("@{path}")).set_mode(ChunkMode::Text).into_function()
}

fn new_vm(path: &str, host: &Host) -> LuaResult<(Lua, Scope, Arc<Slice>)> {
    let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::default())?;
    lua.set_memory_limit(host.memory_bytes())?;
    let scope = Scope::new(host.clone(), path);
    lua.set_app_data(scope.clone());
    let is_theirs = host.asked_folder(path).is_some();
    let slice = Slice::install(&lua, &scope, if is_theirs { THEIR_LOAD_TIME } else { LOAD_TIME });

    let globals = lua.globals();
    // The API first: mlua's glue compiles itself with the coroutine library as Luau has it.
    install(&lua, host)?;
    shim_coroutines(&lua)?;
    shim_assert(&lua)?;
    let api: Vec<&str> = crate::api::MODULES.iter().map(|module| module.name).collect();
    keep(&globals, &[GLOBALS, &api].concat())?;
    keep(&globals.raw_get("debug")?, DEBUG)?;
    keep(&globals.raw_get("os")?, OS)?;
    if host.clock().stands() {
        stand_still(&lua, host)?;
    }
    Ok((lua, scope, slice))
}

fn keep(table: &Table, names: &[&str]) -> LuaResult<()> {
    let mut extra = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        if !matches!(&key, Value::String(name) if names.iter().any(|kept| name == *kept)) {
            extra.push(key);
        }
    }
    extra.into_iter().try_for_each(|key| table.raw_set(key, Value::Nil))
}

fn shim_coroutines(lua: &Lua) -> LuaResult<()> {
    let shims: Table = lua
        .load(include_str!("coroutines.luau"))
        .set_name(crate::api::module::GLUE)
        .set_mode(ChunkMode::Text)
        .call(Value::LightUserData(Lua::poll_pending()))?;
    let coroutine: Table = lua.globals().raw_get("coroutine")?;
    for name in ["resume", "wrap"] {
        coroutine.raw_set(name, shims.raw_get::<Function>(name)?)?;
    }
    Ok(())
}

/// `assert(fs.read(path))` raises what `fs.read` says: Luau's own takes nothing but text for a message.
fn shim_assert(lua: &Lua) -> LuaResult<()> {
    let assert: Function = lua
        .load(
            "local error, type, select, tostring = error, type, select, tostring
             return function(...)
                 local value, message = ...
                 if value then return ... end
                 if select('#', ...) == 0 then error(\"missing argument #1 to 'assert'\", 2) end
                 if message == nil then error('assertion failed!', 2) end
                 error(if type(message) == 'table' then message else tostring(message), 2)
             end",
        )
        .set_name(crate::api::module::GLUE)
        .set_mode(ChunkMode::Text)
        .call(())?;
    lua.globals().raw_set("assert", assert)
}

/// Luau's own clock shows what the host's does.
fn stand_still(lua: &Lua, host: &Host) -> LuaResult<()> {
    let clock = host.clock().clone();
    let now = lua.create_function(move |_, ()| Ok(clock.now().timestamp()))?;
    lua.load(
        "local now, os = ...
         local time, date = os.time, os.date
         os.time = function(when) return if when == nil then now() else time(when) end
         os.date = function(format, when) return date(format, if when == nil then now() else when) end",
    )
    .set_name(crate::api::module::GLUE)
    .set_mode(ChunkMode::Text)
    .call((now, lua.globals().raw_get::<Table>("os")?))
}

type Sources = Arc<Mutex<BTreeMap<String, String>>>;
type Loaded = Arc<Mutex<Vec<String>>>;

/// `require(name)`: the file runs once in this VM; its result is kept, so it also works in handlers afterwards.
fn install_require(
    lua: &Lua,
    root: &str,
    script: &str,
    resolver: Arc<dyn Resolver>,
    sources: &Sources,
) -> LuaResult<Loaded> {
    let loaded: Loaded = Arc::default();
    let (dependencies, sources) = (Arc::clone(&loaded), Arc::clone(sources));
    let (root, script) = (root.to_owned(), script.to_owned());
    let modules: Mutex<BTreeMap<String, Module>> = Mutex::default();
    let raw = lua.create_function(move |lua, name: Value| {
        let result = (|| {
            let name = name
                .as_string()
                .map(mlua::LuaString::to_string_lossy)
                .ok_or_else(|| misuse(format!("argument #1 (`name`): expected string, got {}", name.type_name())))?;
            // 0 is this function, 1 the wrapper that raises, 2 the file that asks.
            let from = lua
                .inspect_stack(2, |frame| {
                    frame.source().source.as_deref().unwrap_or_default().trim_start_matches('@').to_owned()
                })
                .unwrap_or_else(|| script.clone());
            let paths = candidates(&root, &from, &name).map_err(misuse)?;
            let modules_now = || modules.lock().unwrap_or_else(PoisonError::into_inner);
            for path in &paths {
                match modules_now().get(path) {
                    Some(Module::Ready(value)) => return Ok(value.clone()),
                    Some(Module::Loading) => {
                        return Err(misuse(format!("`{path}` requires itself, by way of `{from}`")));
                    }
                    None => {}
                }
            }
            if lua.app_data_ref::<Collector>().is_none() {
                return Err(misuse(format!(
                    "`{name}` is not loaded yet: write `local x = require(\"{name}\")` at the top of the file"
                )));
            }
            let (path, bytes) = read_first(&*resolver, &paths, &name)?;
            dependencies.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
            let text = checked_text(&path, &bytes).map_err(mlua::Error::external)?;
            sources.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), text.to_owned());
            modules_now().insert(path.clone(), Module::Loading);
            let value = compile(lua, &path, text).and_then(|file| file.call::<Value>(()));
            match value {
                Ok(value) => {
                    modules_now().insert(path, Module::Ready(value.clone()));
                    Ok(value)
                }
                Err(error) => {
                    modules_now().remove(&path);
                    Err(error)
                }
            }
        })();
        match result {
            Ok(value) => Ok((true, value)),
            // An error of the required file itself: it says where it happened.
            Err(mlua::Error::RuntimeError(text)) if !text.contains("stack traceback:") => {
                Ok((false, Value::String(lua.create_string(format!("`require`: {text}"))?)))
            }
            Err(error) => Err(error),
        }
    })?;
    let require: Function = lua
        .load(
            "local raw = ...
             local error = error
             local function check(ok, value) if ok then return value end error(value, 3) end
             return function(name) return check(raw(name)) end",
        )
        .set_name(crate::api::module::GLUE)
        .set_mode(ChunkMode::Text)
        .call(raw)?;
    lua.globals().raw_set("require", require)?;
    Ok(loaded)
}

enum Module {
    Loading,
    Ready(Value),
}

fn read_first(
    resolver: &dyn Resolver,
    paths: &[String],
    name: &str,
) -> LuaResult<(String, Vec<u8>)> {
    for path in paths {
        match resolver.read(path) {
            Ok(bytes) => return Ok((path.clone(), bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(misuse(format!("`{path}` cannot be read: {error}"))),
        }
    }
    let tried: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    Err(misuse(format!(
        "there is no `{name}` in the scripts folder; looked for {}",
        tried.join(", ")
    )))
}

fn load_error(
    error: &mlua::Error,
    path: &str,
    sources: &Mutex<BTreeMap<String, String>>,
) -> LoadError {
    if let Some(failed) = error.downcast_ref::<LoadError>() {
        return failed.clone();
    }
    let raised = Raised::from_error(error);
    let mut message = raised.message.clone();
    if message.starts_with("attempt to yield") {
        "the top level cannot wait or yield: it may only declare handlers".clone_into(&mut message);
    }
    let kind = if is_syntax(error) {
        LoadErrorKind::Syntax
    } else if message.contains(TOP_LEVEL) {
        LoadErrorKind::TopLevelIo
    } else if message.starts_with(DECLARATION) {
        LoadErrorKind::Declaration
    } else if message.starts_with("`require`: ") && message.contains("cannot be read") {
        LoadErrorKind::Unreadable
    } else {
        LoadErrorKind::Runtime
    };
    let sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
    match raised.at {
        Some((at, line)) => {
            let text = sources.get(&at).map(String::as_str);
            LoadError::new(kind, at, message).at(line, text)
        }
        None => LoadError::new(kind, path, message),
    }
}

fn is_syntax(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::SyntaxError { .. } => true,
        mlua::Error::CallbackError { cause, .. } => is_syntax(cause),
        _ => false,
    }
}
