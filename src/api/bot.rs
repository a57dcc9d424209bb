//! `bot`: what a script declares at its top level. See `bot.d.luau`.
//!
//! Nothing happens here: declarations are collected while the script loads, and serve once its generation does.

use std::time::Duration;

use mlua::{Function, Lua, Result as LuaResult, Table, Value};

use crate::access::needs::Owner;
use crate::access::{Need, Use};
use crate::api::cron::{self, Missed, Schedule};
use crate::api::ctx;
use crate::api::failure::{misuse, type_name};
use crate::api::fs::{check_pattern, watched_base};
use crate::api::handler::{clicks_of, handler_of, read_options};
use crate::api::manifest;
use crate::api::module::Module;
use crate::api::moment;
use crate::api::options::{Options, duration};
use crate::api::{Call, Host};
use crate::message::Address;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::StaffId;

pub use crate::api::handler::{HandlerOptions, OnCrash, Queue};

/// What kind of messages, or moments, a handler is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Declared {
    /// The declaration as written; the router parses it.
    Command {
        declaration: String,
    },
    Match {
        patterns: Vec<String>,
    },
    Fallback,
    Start,
    Stop,
    /// Something happened in the organisation; of one kind, or of any.
    Event {
        kind: Option<String>,
    },
    /// A click on a card.
    Card,
    Every {
        interval: Duration,
    },
    Cron {
        schedule: Schedule,
    },
    /// Files that change.
    Watch {
        patterns: Vec<String>,
        /// How long they must be quiet.
        debounce: Duration,
    },
    /// What a version leaves to the next.
    Save,
    Restore,
}

/// One declaration as collected.
#[derive(Clone, Debug)]
pub(crate) struct Collected {
    pub(crate) declared: Declared,
    pub(crate) options: HandlerOptions,
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) function: Function,
}

/// Present in the VM while its script loads.
#[derive(Debug, Default)]
pub(crate) struct Collector(pub(crate) Vec<Collected>);

/// Starts the message of a declaration that makes no sense; a load error of that kind is recognised by it.
pub(crate) const DECLARATION: &str = "`bot.";

/// More than anybody writes, less than a loop that forgot to stop.
const MAX_DECLARATIONS: usize = 10_000;

/// Long enough for a program that writes several files, short enough to feel at once.
const DEBOUNCE: Duration = Duration::from_millis(200);
const LONGEST_DEBOUNCE: Duration = Duration::from_mins(10);

/// Of one `bot.watch`: each folder takes a watcher of the system, which has few.
const MAX_WATCHED: usize = 32;

/// Shorter than this is a spin, not a timer.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    Module::new(lua, "bot")?
        .function("command", &["declaration", "handler"], |lua, _, (declaration, handler): (String, Value)| {
            let (options, function) = handler_of(handler, &[])?;
            if declaration.trim().is_empty() {
                return Err(misuse("argument #1 (`declaration`): expected a command such as \"deploy <env>\", got \"\""));
            }
            collect(lua, Declared::Command { declaration }, options, function)
        })?
        .function(
            "match",
            &["patterns", "options", "handler"],
            |lua, _, (patterns, second, third): (Value, Value, Value)| {
                let patterns = patterns_of(&patterns)?;
                let (options, function) = match (second, third) {
                    (Value::Table(options), Value::Function(function)) => {
                        let mut options = Options::from(Some(options));
                        let read = read_options(&mut options, true)?;
                        options.finish()?;
                        (read, function)
                    }
                    (second, Value::Nil) => handler_of(second, &["priority"])?,
                    (_, third) => {
                        return Err(misuse(format!("argument #3 (`handler`): expected function, got {}", type_name(&third))));
                    }
                };
                collect(lua, Declared::Match { patterns }, options, function)
            },
        )?
        .function("fallback", &["handler"], |lua, _, handler: Value| {
            let (options, function) = handler_of(handler, &[])?;
            collect(lua, Declared::Fallback, options, function)
        })?
        .function("on", &["event", "handler"], |lua, _, (event, handler): (String, Value)| {
            let declared = moment::declared(&event)?;
            // Only a click is somebody's: of the rest there is nobody to ask who they are.
            let (options, function) = match (&declared, handler) {
                (Declared::Card, handler) => clicks_of(handler)?,
                (_, Value::Function(function)) => (HandlerOptions::default(), function),
                (_, other) => {
                    return Err(misuse(format!("argument #2 (`handler`): expected function, got {}", type_name(&other))));
                }
            };
            collect(lua, declared, options, function)
        })?
        .function("save", &["handler"], |lua, _, function: Function| {
            collect(lua, Declared::Save, HandlerOptions::default(), function)
        })?
        .function("restore", &["handler"], |lua, _, function: Function| {
            collect(lua, Declared::Restore, HandlerOptions::default(), function)
        })?
        .function(
            "watch",
            &["patterns", "options", "handler"],
            |lua, _, (patterns, second, third): (Value, Value, Value)| {
                let patterns = watched_of(&patterns)?;
                let (mut options, function) = timer_of(second, third)?;
                let debounce = options.duration("debounce")?.unwrap_or(DEBOUNCE);
                options.finish()?;
                if debounce > LONGEST_DEBOUNCE {
                    return Err(misuse(format!("option `debounce`: expected {LONGEST_DEBOUNCE:?} or less, got {debounce:?}")));
                }
                collect(lua, Declared::Watch { patterns, debounce }, HandlerOptions::default(), function)
            },
        )?
        .function("every", &["interval", "options", "handler"], |lua, _, (interval, second, third): (Value, Value, Value)| {
            let (mut options, function) = timer_of(second, third)?;
            let name = name_of(&mut options)?;
            options.finish()?;
            let interval = duration(&interval).map_err(|why| misuse(format!("argument #1 (`interval`): {why}")))?;
            if interval < SHORTEST_INTERVAL {
                return Err(misuse("argument #1 (`interval`): expected 100ms or more"));
            }
            collect(lua, Declared::Every { interval }, HandlerOptions { name, ..HandlerOptions::default() }, function)
        })?
        .function(
            "cron",
            &["schedule", "options", "handler"],
            |lua, _, (expression, second, third): (String, Value, Value)| {
                let (mut options, function) = timer_of(second, third)?;
                let name = name_of(&mut options)?;
                let schedule = schedule_of(&expression, options)?;
                collect(lua, Declared::Cron { schedule }, HandlerOptions { name, ..HandlerOptions::default() }, function)
            },
        )?
        .function("script", &["manifest"], |lua, scope, manifest: Options| {
            manifest::script(lua, scope, manifest)
        })?
        .run_function("send", &["to", "message"], |_, call, (to, message): (Value, Value)| {
            let to = recipient(call, &to)?;
            ctx::say(call, to, message)
        })?
        .value("pass", pass(lua)?)?
        .build()
}

/// Options and function of what has no message: `(options?, handler)`.
fn timer_of(second: Value, third: Value) -> LuaResult<(Options, Function)> {
    match (second, third) {
        (Value::Function(function), Value::Nil) => Ok((Options::from(None), function)),
        (Value::Table(options), Value::Function(function)) => {
            Ok((Options::from(Some(options)), function))
        }
        (Value::Table(_), third) => Err(misuse(format!(
            "argument #3 (`handler`): expected function, got {}",
            type_name(&third)
        ))),
        (second, _) => Err(misuse(format!(
            "argument #2 (`options`): expected a table of options or a function, got {}",
            type_name(&second)
        ))),
    }
}

/// A name that can be typed on a phone, and is one word.
fn name_of(options: &mut Options) -> LuaResult<Option<String>> {
    let Some(name) = options.string("name")? else { return Ok(None) };
    let fits = (1..=40).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !fits {
        return Err(misuse(format!(
            "option `name`: expected one word of 40 letters, digits, `-`, `_` or `.` at most, got {name:?}"
        )));
    }
    Ok(Some(name))
}

fn watched_of(value: &Value) -> LuaResult<Vec<String>> {
    let wrong = |got: &str| {
        misuse(format!(
            "argument #1 (`patterns`): expected a path or pattern, or a list of them, got {got}"
        ))
    };
    let patterns: Vec<Value> = match value {
        Value::String(_) => vec![value.clone()],
        Value::Table(list) => list.sequence_values().collect::<LuaResult<_>>()?,
        other => return Err(wrong(type_name(other))),
    };
    if patterns.is_empty() || patterns.len() > MAX_WATCHED {
        return Err(wrong(&format!(
            "{} (1 to {MAX_WATCHED} can be watched at once)",
            patterns.len()
        )));
    }
    patterns
        .iter()
        .map(|pattern| {
            let text = pattern.as_string().and_then(|text| text.to_str().ok());
            let text =
                text.ok_or_else(|| wrong(&format!("a list with a {}", type_name(pattern))))?;
            check_pattern(&text)
                .map_err(|why| misuse(format!("argument #1 (`patterns`): {why}")))?;
            Ok(text.to_owned())
        })
        .collect()
}

fn schedule_of(expression: &str, mut options: Options) -> LuaResult<Schedule> {
    let zone = options
        .string("tz")?
        .map(|name| cron::zone(&name).map_err(|why| misuse(format!("option `tz`: {why}"))))
        .transpose()?;
    let missed = match options.string("missed")?.as_deref() {
        None | Some("skip") => Missed::Skip,
        Some("once") => Missed::Once,
        Some(other) => {
            return Err(misuse(format!(
                "option `missed`: expected \"skip\" or \"once\", got {other:?}"
            )));
        }
    };
    options.finish()?;
    Schedule::parse(expression, zone, missed)
        .map_err(|why| misuse(format!("argument #1 (`schedule`): {why}")))
}

/// Whom a message goes to that answers nobody: the owner, a person or a group.
fn recipient(call: &Call, to: &Value) -> LuaResult<Address> {
    const EXPECTED: &str = "argument #1 (`to`): expected \"owner\", { user = \"staff id\" } or { chat = \"group id\" }";
    let person = |id: StaffId| Address {
        // Messages to one person keep their order; sending goes by the staff id.
        conversation_id: ConversationId::new(format!("to:{id}")),
        kind: ChatKind::Direct,
        staff_id: Some(id),
        robot_code: None,
        webhook: None,
    };
    match to {
        Value::String(name) if &*name.as_bytes() == b"owner" => {
            call.need(&Need::Send(Some(Owner)))?;
            call.host.owner().map(person).ok_or_else(|| {
                misuse("nobody owns this bot yet: `moonbell claim` prints a code for it, or set `access.owner`")
            })
        }
        Value::Table(table) => {
            let mut options = Options::from(Some(table.clone()));
            let (user, chat) = (options.string("user")?, options.string("chat")?);
            options.finish()?;
            call.need(&Need::Send(None))?;
            match (user.filter(|id| !id.is_empty()), chat.filter(|id| !id.is_empty())) {
                (Some(user), None) => Ok(person(StaffId::new(user))),
                (None, Some(chat)) => Ok(Address {
                    conversation_id: ConversationId::new(chat),
                    kind: ChatKind::Group,
                    staff_id: None,
                    robot_code: None,
                    webhook: None,
                }),
                _ => Err(misuse(EXPECTED)),
            }
        }
        Value::String(name) => Err(misuse(format!("{EXPECTED}, got {:?}", name.to_string_lossy()))),
        other => Err(misuse(format!("{EXPECTED}, got {}", type_name(other)))),
    }
}

/// What `return bot.pass` returns: the message goes on to the next handler.
fn pass(lua: &Lua) -> LuaResult<Table> {
    let pass = lua.create_table()?;
    let metatable = lua.create_table()?;
    metatable.raw_set("__tostring", lua.create_function(|_, _: Value| Ok("bot.pass"))?)?;
    metatable.raw_set("__metatable", "locked")?;
    metatable.set_readonly(true);
    pass.set_metatable(Some(metatable))?;
    pass.set_readonly(true);
    lua.set_named_registry_value(PASS, &pass)?;
    Ok(pass)
}

const PASS: &str = "moonbell.pass";

/// Whether a handler returned `bot.pass`.
pub(crate) fn is_pass(lua: &Lua, value: Option<&Value>) -> bool {
    match value {
        Some(Value::Table(table)) => {
            lua.named_registry_value::<Table>(PASS).is_ok_and(|pass| pass == *table)
        }
        _ => false,
    }
}

fn patterns_of(value: &Value) -> LuaResult<Vec<String>> {
    let patterns: Vec<Value> = match value {
        Value::String(_) => vec![value.clone()],
        Value::Table(list) => list.sequence_values().collect::<LuaResult<_>>()?,
        other => {
            return Err(misuse(format!(
                "argument #1 (`patterns`): expected a pattern or a list of patterns, got {}",
                type_name(other)
            )));
        }
    };
    if patterns.is_empty() {
        return Err(misuse("argument #1 (`patterns`): expected at least one pattern"));
    }
    patterns
        .iter()
        .map(|pattern| {
            let text = pattern
                .as_string()
                .and_then(|text| text.to_str().ok().map(|text| text.to_owned()))
                .ok_or_else(|| misuse("argument #1 (`patterns`): expected strings (UTF-8)"))?;
            regex::Regex::new(&text).map_err(|error| {
                let why = error.to_string();
                let why =
                    why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                misuse(format!(
                    "argument #1 (`patterns`): `{text}` is no regular expression: {why}"
                ))
            })?;
            Ok(text)
        })
        .collect()
}

/// Raises when the script did not ask for what it declares.
fn allowed(lua: &Lua, declared: &Declared) -> LuaResult<()> {
    let need = match declared {
        Declared::Match { .. } | Declared::Fallback => Need::Messages,
        Declared::Every { .. } | Declared::Cron { .. } => Need::Schedule,
        Declared::Event { .. } | Declared::Card => Need::Events,
        Declared::Watch { .. } => Need::Watch,
        Declared::Command { .. }
        | Declared::Start
        | Declared::Stop
        | Declared::Save
        | Declared::Restore => return Ok(()),
    };
    let scope = crate::api::Scope::of(lua)?;
    scope.need(&need)?;
    if let Declared::Watch { patterns, .. } = declared {
        for base in patterns.iter().filter_map(|pattern| watched_base(pattern)) {
            scope.need(&Need::Fs(Some(Use::Read), Some(base)))?;
        }
    }
    Ok(())
}

fn collect(
    lua: &Lua,
    declared: Declared,
    options: HandlerOptions,
    function: Function,
) -> LuaResult<()> {
    // 0 is this function, 1 the wrapper that raises, 2 the script.
    let (path, line) = lua
        .inspect_stack(2, |frame| {
            let source = frame.source();
            let path = source
                .source
                .as_deref()
                .unwrap_or_default()
                .trim_start_matches(['@', '='])
                .to_owned();
            (path, frame.current_line().unwrap_or(0))
        })
        .unwrap_or_default();
    let Some(mut collector) = lua.app_data_mut::<Collector>() else {
        return Err(misuse(
            "declares something, so it works only at the top level of a script, while it loads",
        ));
    };
    allowed(lua, &declared)?;
    // Two would each get, or leave, all of it; two timers of one name could not be told apart.
    let twin = collector.0.iter().find(|one| match (&declared, &one.declared) {
        (Declared::Save, Declared::Save) | (Declared::Restore, Declared::Restore) => true,
        _ => options.name.is_some() && options.name == one.options.name,
    });
    if let Some(twin) = twin {
        let what =
            options.name.as_ref().map_or_else(|| "it".to_owned(), |name| format!("`{name}`"));
        return Err(misuse(format!("{what} is declared already, at {}:{}", twin.path, twin.line)));
    }
    if collector.0.len() >= MAX_DECLARATIONS {
        return Err(misuse(format!("more than {MAX_DECLARATIONS} declarations in one script")));
    }
    collector.0.push(Collected { declared, options, path, line, function });
    Ok(())
}
