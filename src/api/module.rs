//! Builds the tables that scripts see: modules of functions, and objects with methods.
//!
//! The builder does once what every host function needs: it converts arguments and says which one was wrong, refuses
//! calls outside a run, catches panics, drops the future when the run ends, and turns errors into Lua strings that
//! start with the script's own line.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;

use mlua::chunk::ChunkMode;
use mlua::{
    AnyUserData, Error, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, MultiValue,
    Result as LuaResult, Table, Value,
};

use crate::api::failure::{misuse, suggestion};
use crate::api::limit::Limit;
use crate::api::run::Run;
use crate::api::{Call, Scope};

/// Luau cannot be left by a Rust error that is a string: errors cross as `false, message` and are raised here, at the
/// level of the script's own line (1 is `check`, 2 the function below, 3 the script).
const WRAP: &str = r"
local error = error
local function check(ok, ...)
	if ok then return ... end
	error((...), 3)
end
return function(raw)
	return function(...) return check(raw(...)) end
end
";

/// The chunk name of glue written in Luau: tracebacks leave it out.
pub const GLUE: &str = "=moonbell";

/// A module under construction: `Module::new(lua, "kv")?.async_function("get", &["key"], get)?.build()`.
#[derive(Debug)]
pub struct Module<'lua> {
    lua: &'lua Lua,
    /// `kv.` or, for methods, `ctx:`.
    prefix: String,
    table: Table,
}

impl<'lua> Module<'lua> {
    pub fn new(lua: &'lua Lua, name: &str) -> LuaResult<Self> {
        Ok(Self { lua, prefix: format!("{name}."), table: lua.create_table()? })
    }

    /// Functions that are globals themselves: their names stand alone in errors.
    pub fn globals(lua: &'lua Lua) -> LuaResult<Self> {
        Ok(Self { lua, prefix: String::new(), table: lua.create_table()? })
    }

    /// A function that needs no run: it may be called at the top level too. No I/O here.
    pub fn function<A, R>(
        self,
        name: &'static str,
        params: &'static [&'static str],
        function: impl Fn(&Lua, &Scope, A) -> LuaResult<R> + Send + 'static,
    ) -> LuaResult<Self>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let full = format!("{}{name}", self.prefix);
        let raw = self.lua.create_function(move |lua, args: MultiValue| {
            let scope = Scope::of(lua)?;
            let result = guarded(&scope, || {
                let args = arguments::<A>(lua, &full, params, args)?;
                function(lua, &scope, args)?.into_lua_multi(lua)
            });
            crossed(lua, &full, result)
        })?;
        self.put(name, raw)
    }

    /// A function of a run that does not wait.
    pub fn run_function<A, R>(
        self,
        name: &'static str,
        params: &'static [&'static str],
        function: impl Fn(&Lua, &Call, A) -> LuaResult<R> + Send + 'static,
    ) -> LuaResult<Self>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let full = format!("{}{name}", self.prefix);
        let raw = self.lua.create_function(move |lua, args: MultiValue| {
            let scope = Scope::of(lua)?;
            let result = guarded(&scope, || {
                let call = scope.call(lua)?;
                let args = arguments::<A>(lua, &full, params, args)?;
                function(lua, &call, args)?.into_lua_multi(lua)
            });
            crossed(lua, &full, result)
        })?;
        self.put(name, raw)
    }

    /// A function of a run that waits. Its future is dropped when the run ends, whatever the script does.
    pub fn async_function<A, R, F, Fut>(
        self,
        name: &'static str,
        params: &'static [&'static str],
        function: F,
    ) -> LuaResult<Self>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti + 'static,
        F: Fn(Call, A) -> Fut + Send + 'static,
        Fut: Future<Output = LuaResult<R>> + Send + 'static,
    {
        let full: Arc<str> = format!("{}{name}", self.prefix).into();
        let raw = self.lua.create_async_function(move |lua, args: MultiValue| {
            let full = Arc::clone(&full);
            // Started here, not at the first poll: arguments and run are those of the call.
            let started = Scope::of(&lua).and_then(|scope| {
                guarded(&scope, || {
                    let call = scope.call(&lua)?;
                    let args = arguments::<A>(&lua, &full, params, args)?;
                    let run = Arc::clone(&call.run);
                    let future = function(call, args);
                    Ok((Leashed::new(run, future), scope.clone()))
                })
            });
            async move {
                let result = match started {
                    Ok((future, _)) => future.await.and_then(|value| value.into_lua_multi(&lua)),
                    Err(error) => Err(error),
                };
                crossed(&lua, &full, result)
            }
        })?;
        self.put(name, raw)
    }

    /// A constant.
    pub fn value(self, name: &'static str, value: impl IntoLua) -> LuaResult<Self> {
        self.table.raw_set(name, value)?;
        Ok(self)
    }

    fn put(self, name: &str, raw: Function) -> LuaResult<Self> {
        let wrapped: Function = wrapper(self.lua)?.call(raw)?;
        self.table.raw_set(name, wrapped)?;
        Ok(self)
    }

    /// The finished table. A name that it lacks raises with the nearest one it has.
    pub fn build(self) -> LuaResult<Table> {
        let name = self.prefix.trim_end_matches(['.', ':']).to_owned();
        let names = names_of(&self.table)?;
        let metatable = strict_metatable(self.lua, &name, names)?;
        self.table.set_metatable(Some(metatable))?;
        self.table.set_readonly(true);
        Ok(self.table)
    }
}

/// Methods of one kind of object (`ctx`, a card, a process): `Class::new(lua, "card")?.method(…)?.build()?`, then
/// [`Class::instance`] for each object. Objects are tables; what is behind them hides in their metatable.
#[derive(Debug)]
pub struct ClassBuilder<'lua>(Module<'lua>);

impl ClassBuilder<'_> {
    pub fn method<T, A, R>(
        self,
        name: &'static str,
        params: &'static [&'static str],
        method: impl Fn(&Lua, &Call, T, A) -> LuaResult<R> + Send + 'static,
    ) -> LuaResult<Self>
    where
        T: Any + Clone + Send + Sync,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti,
    {
        let prefix = self.0.prefix.clone();
        let build = self.0.run_function(name, params, move |lua, call, mut args: MultiValue| {
            let this = this::<T>(&prefix, name, args.pop_front().as_ref())?;
            let args = arguments::<A>(lua, "", params, args)?;
            method(lua, call, this, args)
        })?;
        Ok(Self(build))
    }

    pub fn async_method<T, A, R, F, Fut>(
        self,
        name: &'static str,
        params: &'static [&'static str],
        method: F,
    ) -> LuaResult<Self>
    where
        T: Any + Clone + Send + Sync,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
        F: Fn(Call, T, A) -> Fut + Send + 'static,
        Fut: Future<Output = LuaResult<R>> + Send + 'static,
    {
        let prefix = self.0.prefix.clone();
        let build = self.0.async_function(name, params, move |call, mut args: MultiValue| {
            let started = this::<T>(&prefix, name, args.pop_front().as_ref()).and_then(|this| {
                let args = arguments::<A>(&call.lua, "", params, args)?;
                Ok(method(call, this, args))
            });
            async move { started?.await }
        })?;
        Ok(Self(build))
    }

    pub fn build(self) -> LuaResult<Class> {
        let name = self.0.prefix.trim_end_matches(':').to_owned();
        let methods = self.0.table;
        methods.set_readonly(true);
        Ok(Class { name, methods, index: Arc::default() })
    }
}

/// The finished methods of a kind of object.
#[derive(Clone, Debug)]
pub struct Class {
    name: String,
    methods: Table,
    /// `__index` of all instances, made with the first.
    index: Arc<OnceLock<Function>>,
}

/// Where an object's metatable keeps what is behind it.
const BEHIND: &str = "moonbell.behind";

impl Class {
    #[expect(clippy::new_ret_no_self, reason = "a class is built by its builder")]
    pub fn new<'lua>(lua: &'lua Lua, name: &str) -> LuaResult<ClassBuilder<'lua>> {
        Ok(ClassBuilder(Module { lua, prefix: format!("{name}:"), table: lua.create_table()? }))
    }

    /// The table of methods, for the test that compares it with the definitions.
    pub fn methods(&self) -> &Table {
        &self.methods
    }

    /// An object: `fields` with the methods behind them. `optional` fields read as `nil`; any other unknown name raises.
    pub fn instance<T>(
        &self,
        lua: &Lua,
        fields: Table,
        optional: &'static [&'static str],
        behind: T,
    ) -> LuaResult<Table>
    where
        T: Any + Clone + Send + Sync,
    {
        let index = if let Some(index) = self.index.get() {
            index.clone()
        } else {
            let index = self.index(lua, &fields, optional)?;
            self.index.get_or_init(|| index).clone()
        };
        let metatable = lua.create_table_with_capacity(0, 3)?;
        metatable.raw_set("__index", index)?;
        metatable.raw_set("__metatable", "locked")?;
        metatable.raw_set(BEHIND, lua.create_any_userdata(behind)?)?;
        metatable.set_readonly(true);
        fields.set_metatable(Some(metatable))?;
        Ok(fields)
    }

    fn index(
        &self,
        lua: &Lua,
        fields: &Table,
        optional: &'static [&'static str],
    ) -> LuaResult<Function> {
        let mut names = names_of(&self.methods)?;
        names.extend(names_of(fields)?);
        names.extend(optional.iter().map(|name| (*name).to_owned()));
        let raise = raise_unknown(lua, self.name.clone(), names)?;
        let known = lua.create_table()?;
        for pair in self.methods.pairs::<Value, Value>() {
            let (name, method) = pair?;
            known.raw_set(name, method)?;
        }
        // Luau, not Rust: a method call costs no crossing.
        lua.load(INDEX).set_name(GLUE).set_mode(ChunkMode::Text).call((
            known,
            optional.to_vec(),
            raise,
        ))
    }
}

const INDEX: &str = r"
local methods, optional, raise = ...
local rawget, error = rawget, error
local fields = {}
for _, name in optional do fields[name] = true end
return function(_, name)
	local method = rawget(methods, name)
	if method ~= nil then return method end
	if rawget(fields, name) then return nil end
	error(raise(name), 2)
end
";

/// `__index` of a table that must not be read by a wrong name.
const STRICT: &str = r"
local names, raise = ...
local rawget, error = rawget, error
local fields = {}
for _, name in names do fields[name] = true end
return function(_, name)
	if rawget(fields, name) then return nil end
	error(raise(name), 2)
end
";

/// The metatable of strict tables that have (at most) `names`.
pub(crate) fn strict_metatable(lua: &Lua, kind: &str, names: Vec<String>) -> LuaResult<Table> {
    let raise = raise_unknown(lua, kind.to_owned(), names.clone())?;
    let index: Function =
        lua.load(STRICT).set_name(GLUE).set_mode(ChunkMode::Text).call((names, raise))?;
    let metatable = lua.create_table()?;
    metatable.raw_set("__index", index)?;
    metatable.raw_set("__metatable", "locked")?;
    metatable.set_readonly(true);
    Ok(metatable)
}

/// What is behind an object, if it is one of that kind.
pub(crate) fn behind<T: Any + Clone>(value: &Value) -> Option<T> {
    let metatable = value.as_table()?.metatable()?;
    let behind = metatable.raw_get::<AnyUserData>(BEHIND).ok()?;
    behind.borrow::<T>().ok().map(|behind| behind.clone())
}

fn this<T: Any + Clone>(prefix: &str, method: &str, value: Option<&Value>) -> LuaResult<T> {
    value
        .and_then(behind)
        .ok_or_else(|| misuse(format!("is a method: write `{prefix}{method}(…)` with a colon")))
}

fn wrapper(lua: &Lua) -> LuaResult<Function> {
    const NAME: &str = "moonbell.wrap";
    if let Some(wrap) = lua.named_registry_value::<Option<Function>>(NAME)? {
        return Ok(wrap);
    }
    let wrap: Function = lua.load(WRAP).set_name(GLUE).set_mode(ChunkMode::Text).eval()?;
    lua.set_named_registry_value(NAME, &wrap)?;
    Ok(wrap)
}

fn names_of(table: &Table) -> LuaResult<Vec<String>> {
    table
        .pairs::<Value, Value>()
        .filter_map(|pair| pair.map(|(key, _)| key.to_string().ok()).transpose())
        .collect()
}

/// A function from a wrong name to the message about it.
fn raise_unknown(lua: &Lua, owner: String, names: Vec<String>) -> LuaResult<Function> {
    lua.create_function(move |_, key: Value| {
        let key = key.to_string()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = suggestion(&key, &names).replace("it takes", "it has");
        Ok(format!("`{owner}` has no `{key}`{hint}"))
    })
}

/// Runs a host function; a panic ends the run that called it, and nothing else.
fn guarded<T>(scope: &Scope, function: impl FnOnce() -> LuaResult<T>) -> LuaResult<T> {
    catch_unwind(AssertUnwindSafe(function))
        .unwrap_or_else(|panic| Err(panicked(scope.run().as_deref(), &*panic)))
}

fn panicked(run: Option<&Run>, panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(run.id = run.map(Run::id), panic = text, "a host function panicked");
    if let Some(run) = run {
        run.hit(Limit::Panic);
    }
    misuse(Limit::Panic.to_string())
}

/// Converts the arguments; a wrong one is named.
fn arguments<A: FromLuaMulti>(
    lua: &Lua,
    full: &str,
    params: &[&str],
    args: MultiValue,
) -> LuaResult<A> {
    let got: Vec<&'static str> = args.iter().map(crate::api::failure::type_name).collect();
    A::from_lua_args(args, 1, Some(full), lua).map_err(|error| match &error {
        Error::BadArgument { pos, cause, .. } => {
            let index = pos.saturating_sub(1);
            let name = params.get(index).map(|name| format!(" (`{name}`)")).unwrap_or_default();
            let got = got.get(index).copied().unwrap_or("nothing");
            misuse(match cause.as_ref() {
                Error::FromLuaConversionError { to, message, .. } => {
                    let why = message
                        .as_deref()
                        .filter(|why| why.contains("utf-8") || why.contains("range"));
                    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                    format!("argument #{pos}{name}: expected {}, got {got}{why}", luau_type(to))
                }
                Error::RuntimeError(why) => format!("argument #{pos}{name}: {why}"),
                other => format!("argument #{pos}{name}: {other}"),
            })
        }
        Error::FromLuaConversionError { to, .. } => misuse(format!("expected {}", luau_type(to))),
        _ => error,
    })
}

fn luau_type(rust: &str) -> String {
    let lower = rust.to_lowercase();
    match lower.as_str() {
        "string" | "&str" | "luastring" | "bstring" => "string".to_owned(),
        "bool" => "boolean".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => {
            "whole number".to_owned()
        }
        "f32" | "f64" => "number".to_owned(),
        _ => lower,
    }
}

/// Errors quote what the script gave: of ten megabytes, the beginning and the end are enough.
fn shortened(text: &str) -> String {
    const BEGIN: usize = 1_500;
    const END: usize = 300;
    if text.len() <= BEGIN + END {
        return text.to_owned();
    }
    format!(
        "{} … {}",
        &text[..text.floor_char_boundary(BEGIN)],
        &text[text.ceil_char_boundary(text.len() - END)..]
    )
}

/// How a result crosses into Luau: `true, …` or `false, message`.
fn crossed(lua: &Lua, full: &str, result: LuaResult<MultiValue>) -> LuaResult<MultiValue> {
    match result {
        Ok(mut values) => {
            values.push_front(Value::Boolean(true));
            Ok(values)
        }
        // Memory is the VM's business: as it was raised, so that the driver knows it.
        Err(error @ Error::MemoryError(_)) => Err(error),
        Err(error) => {
            let text = match &error {
                Error::RuntimeError(text) => shortened(text),
                other => other.to_string(),
            };
            let text = if text.starts_with("is a method") {
                format!("`{full}` {text}")
            } else {
                format!("`{full}`: {text}")
            };
            (false, text).into_lua_multi(lua)
        }
    }
}

type Held<R> = Arc<Mutex<Option<Pin<Box<dyn Future<Output = R> + Send>>>>>;

/// A host future on the run's leash. Luau keeps the coroutine, and so the future, until its garbage is collected:
/// the run drops it the moment it ends.
struct Leashed<R> {
    run: Arc<Run>,
    held: Held<R>,
    key: u64,
}

struct Leash<R>(Held<R>);

impl<R> Drop for Leash<R> {
    fn drop(&mut self) {
        let future = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(future);
    }
}

impl<R: 'static> Leashed<LuaResult<R>> {
    fn new(run: Arc<Run>, future: impl Future<Output = LuaResult<R>> + Send + 'static) -> Self {
        let held: Held<LuaResult<R>> = Arc::new(Mutex::new(Some(Box::pin(future))));
        let key = run.track(Leash(Arc::clone(&held)));
        Self { run, held, key }
    }
}

impl<R> Future for Leashed<LuaResult<R>> {
    type Output = LuaResult<R>;

    fn poll(self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(future) = held.as_mut() else {
            return Poll::Ready(Err(self
                .run
                .check()
                .err()
                .unwrap_or_else(|| misuse("this run has ended"))));
        };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked(Some(&self.run), &*panic))));
        if polled.is_ready() {
            *held = None;
            drop(held);
            self.run.untrack(self.key);
        } else {
            self.run.note_waiting();
        }
        polled
    }
}

impl<R> Drop for Leashed<R> {
    fn drop(&mut self) {
        self.run.untrack(self.key);
    }
}
