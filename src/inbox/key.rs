//! What makes two deliveries the same one, and which deliveries wait for each other.

use super::ANSWER;
use crate::message::Inbound;

/// The key of de-duplication. The robot is part of it: two bots mentioned in one message get the same `msgId`.
pub(super) fn of(inbound: &Inbound) -> String {
    match inbound {
        Inbound::Message(message) => {
            format!(
                "message\u{1f}{}\u{1f}{}",
                message.robot_code.as_deref().unwrap_or_default(),
                message.id
            )
        }
        Inbound::CardAction(action) => format!("card\u{1f}{}", action.id),
        Inbound::Event(event) => format!("event\u{1f}{}", event.id),
    }
}

/// Begins the lane of a message that is the host's own business.
const CONTROL: &str = "control\u{1f}";

/// Whether a lane holds what must be heard whatever runs: control words, and answers to questions.
pub(super) fn is_urgent(lane: &str) -> bool {
    lane.starts_with(CONTROL) || lane.starts_with(ANSWER)
}

/// The lane: one person in one conversation; clicks on a card wait for each other; events, and messages that `bypass`
/// names by their text, wait for nothing. (Nor do the clicks that [`super::Inbox::urgent`] names.)
pub(super) fn lane(inbound: &Inbound, bypass: fn(&str) -> bool) -> String {
    match inbound {
        Inbound::Message(message) if bypass(&message.text) => {
            format!("{CONTROL}{}", message.id)
        }
        Inbound::Message(message) => message.lane(),
        Inbound::CardAction(action) => format!("card\u{1f}{}", action.card_id),
        Inbound::Event(event) => format!("event\u{1f}{}", event.id),
    }
}
