//! What nobody's message starts: events of the organisation, clicks on cards, timers and hooks that fail.

use moonbell::sim::{CARD_TEMPLATE, Click};
use serde_json::{Value, json};

use super::stage::{ALICE, BOB, OWNER, STRANGER, Setup, Stage};

fn fixture(kind: &str) -> Value {
    let text = match kind {
        "chat_add_member" => include_str!("../../fixtures/event_chat_add_member.json"),
        other => panic!("no fixture for {other}"),
    };
    let frame: Value = serde_json::from_str(text).unwrap();
    serde_json::from_str(frame["data"].as_str().unwrap()).unwrap()
}
