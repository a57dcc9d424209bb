//! Moments that nobody's message started: what `bot.on` may name, and what its handlers are given.

use mlua::{Lua, MultiValue, Result as LuaResult, Value};
use serde_json::{Value as Json, json};

use crate::api::bot::Declared;
use crate::api::failure::{misuse, suggestion};
use crate::api::json::{Null, to_lua};
use crate::api::strict;
use crate::dingtalk::EVENTS;
use crate::dingtalk::Facts;
use crate::dingtalk::plain;
use crate::message::CardAction;
use crate::message::ConversationId;
use crate::message::Event;

/// Fields of what `bot.on("event", …)` is given.
const EVENT: &[&str] = &[
    "kind",
    "id",
    "born_at",
    "at",
    "chat_id",
    "users",
    "operator",
    "owner",
    "title",
    "message_key",
    "data",
];

/// Fields of what `bot.on("card", …)` is given.
const ACTION: &[&str] = &["card_id", "action_ids", "params", "user", "chat"];

/// Reads the first argument of `bot.on`.
pub(super) fn declared(name: &str) -> LuaResult<Declared> {
    Ok(match name {
        "start" => Declared::Start,
        "stop" => Declared::Stop,
        "card" => Declared::Card,
        "event" => Declared::Event { kind: None },
        kind if EVENTS.contains(&kind) => Declared::Event { kind: Some(kind.to_owned()) },
        other => {
            let names = [&["start", "stop", "card", "event"], EVENTS].concat();
            let hint = suggestion(other, &names).replace("it takes", "there are");
            return Err(misuse(format!(
                "argument #1 (`event`): there is no event `{other}`{hint}; of any other kind `\"event\"` hears, and `event.kind` says which"
            )));
        }
    })
}

/// What a handler of an event is given, times in seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit the 53 bits of a number"
)]
pub fn event(event: &Event) -> Json {
    let facts = Facts::of(event);
    json!({
        "kind": event.kind,
        "id": event.id,
        "born_at": event.born_at_ms as f64 / 1000.0,
        "at": facts.at_ms.unwrap_or(event.born_at_ms) as f64 / 1000.0,
        "chat_id": facts.chat_id,
        "users": facts.users,
        "operator": facts.operator,
        "owner": facts.owner,
        "title": facts.title,
        "message_key": facts.message_key,
        "data": plain(&event.data),
    })
}

/// What a handler of clicks is given. DingTalk names who clicked by the id alone.
pub fn action(action: &CardAction, role: &str) -> Json {
    json!({
        "card_id": action.card_id,
        "action_ids": action.action_ids,
        "params": action.params,
        "user": { "id": action.staff_id, "role": role },
        "chat": { "id": action.conversation_id.as_ref().map(ConversationId::as_str) },
    })
}

/// The arguments of a handler that no message started.
pub(crate) fn arguments(lua: &Lua, declared: &Declared, given: &Json) -> LuaResult<MultiValue> {
    if let Declared::Watch { .. } = declared {
        let changes = to_lua(lua, &given["changes"], Null::Nil)?;
        if let Value::Table(list) = &changes {
            for change in list.sequence_values::<mlua::Table>() {
                strict(lua, "change", &["path", "kind"], &change?)?;
            }
        }
        return Ok(MultiValue::from_iter([changes, to_lua(lua, &given["more"], Null::Nil)?]));
    }
    let value = to_lua(lua, given, Null::Nil)?;
    if *declared == Declared::Restore {
        return Ok(MultiValue::from_iter([value]));
    }
    let Value::Table(table) = &value else { return Ok(MultiValue::new()) };
    match declared {
        Declared::Event { .. } => strict(lua, "event", EVENT, table)?,
        Declared::Card => {
            let (user, chat) = (table.raw_get("user")?, table.raw_get("chat")?);
            strict(lua, "action.user", &["id", "name", "role"], &user)?;
            strict(lua, "action.chat", &["id"], &chat)?;
            strict(lua, "action", ACTION, table)?;
        }
        _ => {}
    }
    Ok(MultiValue::from_iter([value]))
}
