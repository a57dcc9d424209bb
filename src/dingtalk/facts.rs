//! What an event says, by one set of names: DingTalk's kinds of events spell the same things differently.

use serde_json::{Map, Value};

use super::lenient::{self, field, integer};
use crate::message::Event;

/// Kinds of events whose contents are documented for apps of one organisation.
pub const EVENTS: &[&str] = &[
    "chat_add_member",
    "chat_disband",
    "chat_quit",
    "chat_remove_member",
    "chat_update_owner",
    "chat_update_title",
    "robot_msg_read",
    "robot_msg_recall",
    "user_add_org",
    "user_leave_org",
];

/// What is common to several kinds of events; each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When it happened, Unix time in milliseconds.
    pub at_ms: Option<i64>,
    /// The group, or the chat of the message.
    pub chat_id: Option<String>,
    /// Staff ids of those whom it happened to: who joined, left, or read.
    pub users: Vec<String>,
    /// Staff id of who did it.
    pub operator: Option<String>,
    /// Staff id of the new owner of a group.
    pub owner: Option<String>,
    /// The new title of a group.
    pub title: Option<String>,
    /// Which sending was read or recalled.
    pub message_key: Option<String>,
}

impl Facts {
    pub fn of(event: &Event) -> Self {
        let Some(data) = event.data.as_object() else { return Self::default() };
        let users = match data.get("userId") {
            Some(users) => lenient::list(users)
                .map(|list| list.iter().filter_map(lenient::text).collect())
                .or_else(|| lenient::text(users).map(|one| vec![one]))
                .unwrap_or_default(),
            None => Vec::new(),
        };
        Self {
            at_ms: ["timeStamp", "operatTime"].iter().find_map(|name| integer(data.get(*name)?)),
            chat_id: field(data, "openConversationId"),
            users: users.into_iter().filter(|id| !id.is_empty()).collect(),
            operator: field(data, "operator"),
            owner: field(data, "owner"),
            title: field(data, "title"),
            message_key: field(data, "processQueryKey"),
        }
    }
}

/// All that an event carries: the same values under `snake_case` names, times as numbers (of milliseconds) throughout.
pub fn plain(data: &Value) -> Value {
    match data {
        Value::Object(object) => {
            let plain = object.iter().map(|(name, value)| {
                let value = match name.as_str() {
                    "timeStamp" | "operatTime" => {
                        integer(value).map_or_else(|| plain(value), Value::from)
                    }
                    _ => plain(value),
                };
                (snake(name), value)
            });
            Value::Object(plain.collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(data: Value) -> Event {
        Event { id: "e".into(), kind: "k".into(), born_at_ms: 0, data }
    }

    #[test]
    fn times_come_as_text_and_as_numbers_and_users_alone_and_in_lists() {
        for data in [
            json!({ "timeStamp": "1767852000000", "userId": ["u1"] }),
            json!({ "operatTime": 1_767_852_000_000_i64, "userId": "u1" }),
        ] {
            let facts = Facts::of(&event(data.clone()));
            assert_eq!(facts.at_ms, Some(1_767_852_000_000), "{data}");
            assert_eq!(facts.users, ["u1"], "{data}");
            let plain = plain(&data);
            let time = plain.get("time_stamp").or_else(|| plain.get("operat_time"));
            assert_eq!(time, Some(&json!(1_767_852_000_000_i64)), "{data}");
        }
    }

    #[test]
    fn an_event_of_any_shape_is_no_mistake() {
        for data in [json!(null), json!([1]), json!("x"), json!({ "userId": {}, "timeStamp": [] })]
        {
            let facts = Facts::of(&event(data));
            assert_eq!(facts, Facts::default());
        }
        assert_eq!(
            plain(&json!({ "openConversationId": "c", "A": { "bC": [{ "dE": null }] } })),
            json!({ "open_conversation_id": "c", "a": { "b_c": [{ "d_e": null }] } })
        );
    }
}
