//! What the ledger of budgets asks the journals.

use crate::budget::Journal;
use crate::budget::Spending;
use crate::inbox;
use crate::message::Inbound;
use crate::outbox;

pub(super) const JOURNAL: Journal = Journal { whose, since };

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
