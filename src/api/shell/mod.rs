//! `shell`: programs on this computer. See `shell.d.luau`.
//!
//! This file converts between Luau and [`process`], which holds the logic: a command is made exact by [`command`], its
//! output made text by [`output`]. Every process belongs to the run that started it.

pub mod command;
mod environment;
mod kin;
pub mod output;
mod play;
pub mod process;
mod pump;
mod strays;
mod template;
mod tree;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use mlua::{Function, Lua, MultiValue, Result as LuaResult, Table, Value, Variadic};
use tokio::sync::Mutex;

use crate::access::Need;
use crate::api::ctx::Owned;
use crate::api::dialog::Approval;
use crate::api::failure::{Failure, Outcome, misuse, suggestion, type_name};
use crate::api::module::{Class, Module, behind};
use crate::api::options::{Options, text_of};
use crate::api::secret::expose;
use crate::api::shell::command::{Command, SpawnError, Stdin};
use crate::api::shell::output::{Decoder, Lines, Tail};
use crate::api::shell::process::{Process, Stream};
use crate::api::{Call, Host};

/// Kept of each of `out` and `err`: more than anybody reads in a chat, little beside the memory of a VM.
pub const KEPT_BYTES: usize = 1 << 20;

/// Signals by the names that `process:kill` takes.
const SIGNALS: &[&str] = &["TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT"];

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    let lines = Class::new(lua, "lines")?.async_method("next", &[], next_line)?.build()?;
    let next: Function = lines.methods().raw_get("next")?;
    let process = Class::new(lua, "process")?
        .method("lines", &["options"], move |lua, _, process: Arc<Open>, options: Options| {
            // `for line in next, object`: each turn calls `next(object, …)`.
            let from = from_option(options)?;
            let object =
                lines.instance(lua, lua.create_table()?, &[], LinesOf { process, from })?;
            Ok((next.clone(), object))
        })?
        .async_method("read", &[], read)?
        .async_method("write", &["text"], write)?
        .async_method("close_stdin", &[], async |_, process: Arc<Open>, ()| {
            process.process.close_stdin().await;
            Ok(())
        })?
        .async_method("kill", &["signal"], kill)?
        .async_method("wait", &[], async |call, process: Arc<Open>, ()| {
            process.finish(&call).await
        })?
        .build()?;
    Module::new(lua, "shell")?
        .async_function("run", &["command"], run)?
        .async_function("spawn", &["command"], move |call, options| {
            spawn(call, options, process.clone())
        })?
        .async_function("sh", &["script"], sh)?
        .build()
}

/// `shell.run`. Cancel safe: dropped with the run, and the program with it.
async fn run(call: Call, options: Options) -> LuaResult<Outcome<Table>> {
    run_to_end(call, command(options)?).await
}

/// `shell.sh`. Cancel safe, as `shell.run`.
async fn sh(
    call: Call,
    (script, mut args): (String, Variadic<Value>),
) -> LuaResult<Outcome<Table>> {
    // What a shell runs is any program.
    call.need(&Need::Shell(None))?;
    let options = match args.last() {
        Some(Value::Table(options)) => {
            let options = options.clone();
            args.pop();
            Some(options)
        }
        _ => None,
    };
    // The word after the script is `$0`: the name in the shell's own messages.
    let mut argv = vec![
        b"/bin/sh".to_vec(),
        b"-c".to_vec(),
        template::quoted(&script).into_bytes(),
        b"sh".to_vec(),
    ];
    argv.extend(arguments(&args, "argument after `script`, number")?);
    run_to_end(call, read_command(argv, Options::from(options))?).await
}

async fn run_to_end(call: Call, command: Command) -> LuaResult<Outcome<Table>> {
    match Open::start(&call, command).await? {
        Ok(open) => Ok(Outcome::Value(open.finish(&call).await?)),
        Err(error) => Ok(Failure::from(error).into()),
    }
}

/// `shell.spawn`. The process lives until its run ends.
async fn spawn(call: Call, options: Options, class: Class) -> LuaResult<Outcome<Table>> {
    let mut command = command(options)?;
    if matches!(command.stdin, Stdin::Null) {
        command.stdin = Stdin::Pipe;
    }
    match Open::start(&call, command).await? {
        Ok(open) => {
            let fields = call.lua.create_table()?;
            fields.raw_set("pid", open.process.pid())?;
            Ok(Outcome::Value(class.instance(&call.lua, fields, &[], Arc::new(open))?))
        }
        Err(error) => Ok(Failure::from(error).into()),
    }
}

/// What `process:lines` goes through.
#[derive(Clone)]
struct LinesOf {
    process: Arc<Open>,
    from: Option<Stream>,
}

async fn next_line(call: Call, lines: LinesOf, _: MultiValue) -> LuaResult<Option<String>> {
    lines.process.line(&call, lines.from).await
}

async fn read(call: Call, process: Arc<Open>, (): ()) -> LuaResult<Option<String>> {
    process.text(&call).await
}

async fn write(_: Call, process: Arc<Open>, text: Value) -> LuaResult<Outcome<bool>> {
    let bytes = match &text {
        Value::String(text) => text.as_bytes().to_vec(),
        other => {
            expose(other).or_else(|| text_of(other)).map(String::into_bytes).ok_or_else(|| {
                misuse(format!(
                    "argument #1 (`text`): expected text or a secret, got {}",
                    type_name(other)
                ))
            })?
        }
    };
    Ok(match process.process.write(&bytes).await {
        Ok(()) => Outcome::Value(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Failure::new("closed", "the program's standard input is closed").into()
        }
        Err(error) => {
            Failure::new("system", format!("cannot write to the program: {error}")).into()
        }
    })
}

async fn kill(_: Call, process: Arc<Open>, signal: Option<String>) -> LuaResult<()> {
    let asked = signal.unwrap_or_else(|| "TERM".to_owned());
    let name = asked.strip_prefix("SIG").unwrap_or(&asked);
    if !SIGNALS.contains(&name) {
        let hint = suggestion(name, SIGNALS).replace("it takes", "there are");
        return Err(misuse(format!("argument #1 (`signal`): unknown signal `{asked}`{hint}")));
    }
    if name == "TERM" {
        process.process.kill();
    } else {
        process.process.signal(signal_number(name)).await;
    }
    Ok(())
}

fn signal_number(name: &str) -> i32 {
    #[cfg(unix)]
    {
        format!("SIG{name}")
            .parse::<nix::sys::signal::Signal>()
            .map_or(process::SIGTERM, |signal| signal as i32)
    }
    #[cfg(not(unix))]
    {
        let _ = name;
        process::SIGTERM
    }
}

pub(crate) fn signal_name(signal: i32) -> String {
    #[cfg(unix)]
    if let Ok(signal) = nix::sys::signal::Signal::try_from(signal) {
        return signal.as_str().to_owned();
    }
    signal.to_string()
}

impl From<SpawnError> for Failure {
    fn from(error: SpawnError) -> Self {
        let failure = Self::new(error.kind(), error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// Strings and numbers as the bytes of arguments; anything else is the script's mistake.
fn arguments(values: &[Value], what: &str) -> LuaResult<Vec<Vec<u8>>> {
    let bytes = |(index, value): (usize, &Value)| match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => Ok(text_of(value).unwrap_or_default().into_bytes()),
        other => {
            let got = type_name(other);
            Err(misuse(format!("{what} {}: expected a string or a number, got {got}", index + 1)))
        }
    };
    values.iter().enumerate().map(bytes).collect()
}

/// The command of `{ "git", "pull", cwd = … }`; every option of it must have been taken.
pub(super) fn command(mut options: Options) -> LuaResult<Command> {
    let argv = arguments(&options.items()?, "item")?;
    read_command(argv, options)
}

/// Raises when the script was not granted the program: that is not even asked for.
pub(super) fn may_start(call: &Call, command: &Command) -> LuaResult<()> {
    let program = command.argv.first().map(|program| String::from_utf8_lossy(program).into_owned());
    call.need(&Need::Shell(program))
}

/// Starts it for the run of `call`. Raises when the run may not open any more.
pub(super) async fn start(call: &Call, command: Command) -> LuaResult<Result<Process, SpawnError>> {
    may_start(call, &command)?;
    let slot = call.run.open_process()?;
    if let Some(approval) = &command.approved
        && let Err(error) = approval.spend(call, &command)?
    {
        return Ok(Err(error));
    }
    let played = match call.host.world() {
        Some(world) => world.program(call, &command)?,
        None => None,
    };
    let processes = call.host.processes();
    Ok(match played {
        Some(program) => {
            processes.play(program, &command, call.host.clock(), call.run.over(), slot)
        }
        None => processes.spawn(command, call.run.over(), (slot, call.host.wait())).await,
    })
}

fn read_command(argv: Vec<Vec<u8>>, mut options: Options) -> LuaResult<Command> {
    let cwd = options.string("cwd")?;
    let timeout = options.duration("timeout")?;
    let stdin = options.bytes_or_secret("stdin")?.map_or(Stdin::Null, Stdin::Bytes);
    let env = env_option(options.table("env")?)?;
    let approved = approved(&options.value("approved")?)?;
    options.finish()?;
    if argv.first().is_none_or(Vec::is_empty) {
        return Err(misuse(
            "expected a program as first item, such as { \"git\", \"pull\" }, got none",
        ));
    }
    Ok(Command { argv, cwd, env, stdin, timeout, approved })
}

fn approved(value: &Value) -> LuaResult<Option<Approval>> {
    if value.is_nil() {
        return Ok(None);
    }
    let approval = behind::<Owned<Approval>>(value).map(|owned| owned.value);
    approval.map(Some).ok_or_else(|| {
        let got = type_name(value);
        misuse(format!("option `approved`: expected what `ctx:approve` gave, got {got}"))
    })
}

fn env_option(table: Option<Table>) -> LuaResult<BTreeMap<String, Option<String>>> {
    let mut env = BTreeMap::new();
    let Some(table) = table else { return Ok(env) };
    for pair in table.pairs::<Value, Value>() {
        let (name, value) = pair?;
        let Some(name) = name.as_string().map(mlua::LuaString::to_string_lossy) else {
            return Err(misuse(format!(
                "option `env`: expected names as keys, got a {}",
                type_name(&name)
            )));
        };
        let value = match &value {
            Value::Boolean(false) => None,
            Value::Boolean(true) => return Err(wrong_env(&name, &value)),
            other => {
                let text = expose(other).or_else(|| text_of(other));
                Some(text.ok_or_else(|| wrong_env(&name, other))?)
            }
        };
        env.insert(name, value);
    }
    Ok(env)
}

fn wrong_env(name: &str, value: &Value) -> mlua::Error {
    misuse(format!(
        "option `env`: `{name}`: expected a string (UTF-8), a number or false, got {}",
        type_name(value)
    ))
}

fn from_option(mut options: Options) -> LuaResult<Option<Stream>> {
    let from = options.string("from")?;
    options.finish()?;
    match from.as_deref() {
        None => Ok(None),
        Some("out") => Ok(Some(Stream::Out)),
        Some("err") => Ok(Some(Stream::Err)),
        Some(other) => {
            Err(misuse(format!("option `from`: expected \"out\" or \"err\", got {other:?}")))
        }
    }
}

/// A process with what was read of it and not yet handed to the script.
struct Open {
    process: Process,
    // An asynchronous lock: whoever reads keeps the turn while waiting.
    reader: Mutex<Reader>,
}

struct Reader {
    lines: [Lines; 2],
    ready: VecDeque<String>,
    decoders: [Decoder; 2],
    /// Output that nobody reads.
    tails: [Tail; 2],
    at_end: bool,
}

impl Open {
    async fn start(call: &Call, command: Command) -> LuaResult<Result<Self, SpawnError>> {
        Ok(start(call, command).await?.map(|process| Self {
            process,
            reader: Mutex::new(Reader {
                lines: Default::default(),
                ready: VecDeque::new(),
                decoders: Default::default(),
                tails: [Tail::new(KEPT_BYTES), Tail::new(KEPT_BYTES)],
                at_end: false,
            }),
        }))
    }

    async fn line(&self, call: &Call, from: Option<Stream>) -> LuaResult<Option<String>> {
        let mut guard = self.reader.lock().await;
        let reader = &mut *guard;
        loop {
            if let Some(line) = reader.ready.pop_front() {
                return Ok(Some(line));
            }
            if reader.at_end {
                return Ok(None);
            }
            let Some(chunk) = self.process.chunk().await else {
                reader.at_end = true;
                for lines in &mut reader.lines {
                    lines.finish(&mut reader.ready);
                }
                continue;
            };
            call.run.count_output(chunk.bytes.len() as u64)?;
            call.run.note_output(&chunk.bytes);
            let index = chunk.stream as usize;
            if from.is_none_or(|from| from == chunk.stream) {
                reader.lines[index].push(&chunk.bytes, &mut reader.ready);
            } else {
                reader.tails[index].push(&chunk.bytes);
            }
        }
    }

    async fn text(&self, call: &Call) -> LuaResult<Option<String>> {
        let mut guard = self.reader.lock().await;
        let reader = &mut *guard;
        // Lines that were split already, after `lines` was left early.
        if !reader.ready.is_empty() {
            let lines: Vec<String> = reader.ready.drain(..).collect();
            return Ok(Some(lines.join("\n") + "\n"));
        }
        loop {
            let Some(chunk) = self.process.chunk().await else {
                reader.at_end = true;
                let rest: String = reader.decoders.iter_mut().map(Decoder::finish).collect();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            };
            call.run.count_output(chunk.bytes.len() as u64)?;
            call.run.note_output(&chunk.bytes);
            let text = reader.decoders[chunk.stream as usize].push(&chunk.bytes);
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
    }

    /// Waits for the end; the output that nobody has read goes into the result.
    async fn finish(&self, call: &Call) -> LuaResult<Table> {
        let mut reader = self.reader.lock().await;
        while let Some(chunk) = self.process.chunk().await {
            call.run.count_output(chunk.bytes.len() as u64)?;
            call.run.note_output(&chunk.bytes);
            reader.tails[chunk.stream as usize].push(&chunk.bytes);
        }
        let exit = self.process.exit().await;
        call.run.note_exit(&exit);
        let dropped: u64 = reader.tails.iter().map(Tail::dropped).sum();
        let result = call.lua.create_table()?;
        result.raw_set("ok", exit.ok())?;
        result.raw_set("code", exit.code)?;
        result.raw_set("signal", exit.signal.map(signal_name))?;
        result.raw_set("out", reader.tails[0].text())?;
        result.raw_set("err", reader.tails[1].text())?;
        result.raw_set("truncated", dropped > 0)?;
        result.raw_set("dropped", dropped)?;
        result.raw_set("timed_out", exit.timed_out)?;
        result.raw_set("took", exit.took.as_secs_f64())?;
        Ok(result)
    }
}

#[cfg(all(test, unix))]
mod tests;
