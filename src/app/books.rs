//! What others ask the journals: the ledger of budgets, and who knows the language of people.

use crate::budget::Journal;
use crate::budget::Spending;
use crate::inbox;
use crate::message::Inbound;
use crate::message::Message;
use crate::outbox;

pub(super) const JOURNAL: Journal = Journal { whose, since };

/// In which language people write is noted a moment later: a host that died may not have noted the last of them.
const NOT_YET_NOTED_MS: i64 = 5_000;

/// The messages that came last, oldest first.
pub(super) fn last_heard(c: &rusqlite::Connection) -> rusqlite::Result<Vec<Message>> {
    let Some(last) = inbox::last(c)? else { return Ok(Vec::new()) };
    let past = inbox::since(c, last.received_at_ms - NOT_YET_NOTED_MS)?;
    Ok(past
        .into_iter()
        .filter_map(|past| match past.inbound {
            Some(Inbound::Message(message)) => Some(message),
            _ => None,
        })
        .collect())
}

/// Handler and person of a run that the ledger does not know any more.
fn whose(c: &rusqlite::Connection, run: &str) -> rusqlite::Result<Option<Spending>> {
    let Some(past) = inbox::of_run(c, run)? else { return Ok(None) };
    let person = match &past.inbound {
        Some(Inbound::Message(message)) => message.sender.key().to_owned(),
        Some(Inbound::CardAction(action)) => {
            action.staff_id.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        Some(Inbound::Event(_)) | None => String::new(),
    };
    Ok(Some(Spending { handler: past.handler.unwrap_or_default(), person }))
}

/// What the journals know of a time that was not counted. A reply has used the one or the other budget: both are charged.
fn since(c: &rusqlite::Connection, since_ms: i64) -> rusqlite::Result<[u64; 2]> {
    let sent = outbox::sent_since(c, since_ms)?;
    Ok([sent, sent + inbox::taken_since(c, since_ms)?])
}
