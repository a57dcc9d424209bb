//! What a handler says about itself, as its script writes it: a function, or a table of options with the function as `run`.

use std::collections::BTreeMap;
use std::time::Duration;

use mlua::{Function, Result as LuaResult, Value};

use crate::access::{Place, Rate, Scope, Terms};
use crate::api::failure::{misuse, suggestion, type_name};
use crate::api::options::Options;
use crate::api::terms::{confirm_of, scope_of};
use crate::api::time::parse_duration;

/// What a handler says about itself, besides what it does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HandlerOptions {
    /// Language to text; a plain string is under `""`.
    pub help: BTreeMap<String, String>,
    /// For whom it is, and where.
    pub terms: Terms,
    /// A line that shows how it is used.
    pub example: Option<String>,
    pub queue: Queue,
    /// Of matches: the higher goes first.
    pub priority: i32,
    /// Wall-clock limit of a run, instead of the host's.
    pub timeout: Option<Duration>,
    /// Of timers: what people call it by.
    pub name: Option<String>,
    pub on_crash: OnCrash,
}

/// What becomes of a run that the end of the host cut short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCrash {
    /// Its person is told, and may say `again`.
    #[default]
    Tell,
    /// It is run again by the next host, a few times at most.
    Retry,
}

/// What waits for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queue {
    /// One person's messages in one conversation, one after another.
    #[default]
    Lane,
    /// All of a conversation, one after another.
    Conversation,
    /// All of a person, one after another.
    Person,
    /// Side by side.
    None,
    /// A new one cancels the one that runs.
    Replace,
}

/// A handler is a function, or a table of options with the function as `run`.
pub(super) fn handler_of(handler: Value, more: &[&str]) -> LuaResult<(HandlerOptions, Function)> {
    match handler {
        Value::Function(function) => Ok((HandlerOptions::default(), function)),
        Value::Table(table) => {
            let mut options = Options::from(Some(table));
            let run = options.function("run")?;
            let read = read_options(&mut options, more.contains(&"priority"))?;
            options.finish()?;
            let run = run.ok_or_else(|| misuse("option `run`: expected a function, got nil"))?;
            Ok((read, run))
        }
        other => Err(misuse(format!(
            "argument #2 (`handler`): expected a function or a table with `run = function`, got {}",
            type_name(&other)
        ))),
    }
}

pub(super) fn read_options(options: &mut Options, matches: bool) -> LuaResult<HandlerOptions> {
    let help = match options.value("help")? {
        Value::Nil => BTreeMap::new(),
        Value::String(text) => BTreeMap::from([(String::new(), text.to_string_lossy())]),
        Value::Table(_) => options.strings("help")?.unwrap_or_default(),
        other => {
            return Err(misuse(format!(
                "option `help`: expected a string or {{ en = …, zh = … }}, got {}",
                type_name(&other)
            )));
        }
    };
    let (role, scope, rate) = who_of(options)?;
    let quiet = options.bool("quiet")?.unwrap_or_default();
    let confirm = confirm_of(&options.value("confirm")?)?;
    let terms = Terms { role, scope, rate, quiet, confirm };
    let example = options.string("example")?.filter(|line| !line.trim().is_empty());
    let queue = match options.string("queue")?.as_deref() {
        None => Queue::Lane,
        Some("conversation") => Queue::Conversation,
        Some("person") => Queue::Person,
        Some("none") => Queue::None,
        Some("replace") => Queue::Replace,
        Some(other) => {
            let hint = suggestion(other, &["conversation", "person", "none", "replace"]);
            return Err(misuse(format!("option `queue`: unknown value `{other}`{hint}")));
        }
    };
    let timeout = options.duration("timeout")?;
    let on_crash = match options.string("on_crash")?.as_deref() {
        None | Some("tell") => OnCrash::Tell,
        Some("retry") => OnCrash::Retry,
        Some(other) => {
            let hint = suggestion(other, &["retry", "tell"]);
            return Err(misuse(format!("option `on_crash`: unknown value `{other}`{hint}")));
        }
    };
    let mut priority = 0;
    if matches {
        let number = options.number("priority")?.unwrap_or(0.0);
        if number.fract() != 0.0 || number.abs() > 1e6 {
            return Err(misuse(format!(
                "option `priority`: expected a whole number up to a million, got {number}"
            )));
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        {
            priority = number as i32;
        }
    }
    Ok(HandlerOptions { help, terms, example, queue, priority, timeout, name: None, on_crash })
}

/// For whom a handler is, where, and how often.
fn who_of(options: &mut Options) -> LuaResult<(Option<String>, Scope, Option<Rate>)> {
    let role = options.string("role")?;
    if role.as_deref().is_some_and(|role| role.trim().is_empty()) {
        return Err(misuse(
            "option `role`: expected the name of a role, got \"\"; leave it out to serve anyone who has one",
        ));
    }
    let scope = scope_of(&options.value("scope")?)?;
    let rate = options
        .string("rate")?
        .map(|text| Rate::parse(&text, |text| parse_duration(text).ok()))
        .transpose()
        .map_err(|why| misuse(format!("option `rate`: {why}")))?;
    Ok((role, scope, rate))
}

/// A handler of clicks: no message is there to be queued, answered in private, or asked about.
pub(super) fn clicks_of(handler: Value) -> LuaResult<(HandlerOptions, Function)> {
    let table = match handler {
        Value::Function(function) => return Ok((HandlerOptions::default(), function)),
        Value::Table(table) => table,
        other => {
            return Err(misuse(format!(
                "argument #2 (`handler`): expected a function or a table with `run = function`, got {}",
                type_name(&other)
            )));
        }
    };
    let mut options = Options::from(Some(table));
    let run = options.function("run")?;
    let (role, scope, rate) = who_of(&mut options)?;
    options.finish()?;
    if let Scope::Only(places) = &scope
        && !places.iter().all(|place| matches!(place, Place::Chat(_)))
    {
        return Err(misuse(
            "option `scope`: a click does not tell whether its chat is a group; name groups by their ids",
        ));
    }
    let run = run.ok_or_else(|| misuse("option `run`: expected a function, got nil"))?;
    let terms = Terms { role, scope, rate, ..Terms::default() };
    Ok((HandlerOptions { terms, ..HandlerOptions::default() }, run))
}
