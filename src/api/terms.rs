//! What a handler says of itself beside what it does, as its script writes it: where it may be used, what it asks first.

use std::time::Duration;

use mlua::{Result as LuaResult, Value};

use crate::access::{Confirm, Place, Scope};
use crate::api::failure::{misuse, type_name};
use crate::api::options::Options;

/// What a person may be given to decide.
const SHORTEST_CONFIRM: Duration = Duration::from_secs(1);
const LONGEST_CONFIRM: Duration = Duration::from_hours(24);

/// A question, or `{ "Deploy {env}?", approvers = "admin", timeout = "10m" }`.
pub(super) fn confirm_of(value: &Value) -> LuaResult<Option<Confirm>> {
    let expected =
        "option `confirm`: expected a question such as \"Deploy {env}?\", or a table with one";
    let (mut options, question) = match value {
        Value::Nil => return Ok(None),
        Value::String(text) => (Options::from(None), Some(text.to_string_lossy())),
        Value::Table(table) => {
            let mut options = Options::from(Some(table.clone()));
            let items = options.items()?;
            let text = match items.as_slice() {
                [Value::String(text)] => Some(text.to_string_lossy()),
                _ => None,
            };
            (options, text)
        }
        other => return Err(misuse(format!("{expected}, got {}", type_name(other)))),
    };
    let approvers = options.string("approvers")?;
    let timeout = options.duration("timeout")?.unwrap_or(Confirm::TIMEOUT);
    options.finish()?;
    let question = question.filter(|text| !text.trim().is_empty());
    let question = question.ok_or_else(|| misuse(format!("{expected}, got none")))?;
    if approvers.as_deref().is_some_and(|role| role.trim().is_empty()) {
        return Err(misuse(
            "option `confirm`: option `approvers`: expected the name of a role, got \"\"",
        ));
    }
    if timeout > LONGEST_CONFIRM || timeout < SHORTEST_CONFIRM {
        return Err(misuse("option `confirm`: option `timeout`: expected 1s to 24h"));
    }
    Ok(Some(Confirm { question, approvers, timeout }))
}

/// `"dm"`, `"group"`, the id of a group, or a list of them.
pub(super) fn scope_of(value: &Value) -> LuaResult<Scope> {
    let wrong = |why: String| misuse(format!("option `scope`: {why}"));
    let places: Vec<Value> = match value {
        Value::Nil => return Ok(Scope::Anywhere),
        Value::String(_) => vec![value.clone()],
        Value::Table(list) => list.sequence_values().collect::<LuaResult<_>>()?,
        other => {
            let got = type_name(other);
            return Err(wrong(format!("expected a place or a list of places, got {got}")));
        }
    };
    if places.is_empty() {
        return Err(wrong("an empty list is nowhere; leave it out for anywhere".to_owned()));
    }
    let place = |place: &Value| {
        let text = place.as_string().map(mlua::LuaString::to_string_lossy);
        let text = text.ok_or_else(|| {
            wrong(format!("expected a list of texts, with a {}", type_name(place)))
        })?;
        Place::parse(&text).map_err(wrong)
    };
    places.iter().map(place).collect::<LuaResult<_>>().map(Scope::Only)
}
