//! What happened to a message that came, as the journal has it.

use serde::Serialize;

use crate::inbox;
use crate::message::{ChatKind, Inbound};
use crate::outbox::Said;
use crate::words::Lang;
use crate::words::explain::show as w;

/// The journal's account of one run. Times are Unix milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Past {
    pub(super) run: Option<String>,
    pub(super) state: String,
    pub(super) received_at_ms: i64,
    pub(super) started_at_ms: Option<i64>,
    pub(super) ended_at_ms: Option<i64>,
    pub(super) deliveries: u32,
    /// What it was, when it was no message.
    pub(super) what: Option<&'static str>,
    pub(super) sender: Option<Sender>,
    /// Why it was refused.
    pub(super) refused: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) error: Option<String>,
    pub(super) replies: Vec<Reply>,
}

#[derive(Debug, Serialize)]
pub(super) struct Sender {
    pub(super) staff_id: Option<String>,
    pub(super) name: String,
    pub(super) chat: &'static str,
    pub(super) title: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    pub(super) kind: &'static str,
    pub(super) text: String,
    /// `queued`, `sent`, `parked`, and `open` of a card that is still written to.
    pub(super) state: String,
    pub(super) at_ms: i64,
    pub(super) error: Option<String>,
}

impl Past {
    pub(super) fn new(past: inbox::Past, said: Vec<Said>, lang: Lang) -> Self {
        let (sender, what) = match &past.inbound {
            Some(Inbound::Message(message)) => {
                let sender = Sender {
                    staff_id: message.sender.staff_id.as_ref().map(ToString::to_string),
                    name: message.sender.nick.clone(),
                    chat: match message.chat.kind {
                        ChatKind::Direct => "direct",
                        ChatKind::Group => "group",
                    },
                    title: message.chat.title.clone(),
                };
                (Some(sender), None)
            }
            Some(Inbound::CardAction(_)) => (None, Some(w::click(lang))),
            Some(Inbound::Event(_)) => (None, Some(w::event(lang))),
            None => (None, Some(w::unreadable(lang))),
        };
        let refused = past.error.clone().filter(|_| past.refused);
        let refused = refused.map(|error| error.trim_start_matches("denied: ").to_owned());
        Self {
            run: past.run,
            state: past.state,
            received_at_ms: past.received_at_ms,
            started_at_ms: past.started_at_ms,
            ended_at_ms: past.ended_at_ms,
            deliveries: past.deliveries,
            what,
            sender,
            handler: past.handler,
            error: past.error.filter(|_| refused.is_none()),
            refused,
            replies: said.into_iter().map(Reply::from).collect(),
        }
    }
}

impl From<Said> for Reply {
    fn from(Said { kind, text, state, at_ms, error }: Said) -> Self {
        Self { kind, text, state, at_ms, error }
    }
}
