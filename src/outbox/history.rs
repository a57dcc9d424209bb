//! What a run said, and whether it arrived, for those who ask later.

use rusqlite::{Connection, OptionalExtension as _};

use super::Item;
use crate::message::{Body, Reply};

/// One reply or card of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `text`, `markdown`, `file`, `image` or `card`.
    pub kind: &'static str,
    /// The text, the name of a file, the title of a card.
    pub text: String,
    /// `queued`, `sent`, `parked` or `dropped`; of a card that was shown, `open` until its last frame was accepted.
    pub state: String,
    pub at_ms: i64,
    /// Why it was parked.
    pub error: Option<String>,
}

/// What the run `run` said, in order.
pub fn of_run(c: &Connection, run: &str) -> rusqlite::Result<Vec<Said>> {
    let select = "SELECT payload, state, created_at_ms, sent_at_ms, error FROM outbox WHERE run = ?1 ORDER BY id";
    let mut statement = c.prepare(select)?;
    let mut rows = statement.query([run])?;
    let mut said = Vec::new();
    while let Some(row) = rows.next()? {
        let (payload, state): (String, String) = (row.get(0)?, row.get(1)?);
        let (created_at_ms, sent_at_ms): (i64, Option<i64>) = (row.get(2)?, row.get(3)?);
        let error: Option<String> = row.get(4)?;
        let at_ms = sent_at_ms.unwrap_or(created_at_ms);
        let one =
            |kind, text| Said { kind, text, state: state.clone(), at_ms, error: error.clone() };
        said.push(match serde_json::from_str(&payload) {
            Ok(Item::Reply(reply)) => match reply.body {
                Body::Text { text } => one("text", text),
                Body::Markdown { text, .. } => one("markdown", text),
                Body::File { name, .. } => one("file", name),
                Body::Image { .. } => one("image", String::new()),
            },
            Ok(Item::Card { id }) => {
                let card: Option<(String, String)> = c
                    .query_row("SELECT title, state FROM cards WHERE id = ?1", [id], |r| {
                        Ok((r.get(0)?, r.get(1)?))
                    })
                    .optional()?;
                let (title, shown) = card.unwrap_or_default();
                let said = one("card", title);
                if said.state == "sent" && shown == "open" {
                    Said { state: shown, ..said }
                } else {
                    said
                }
            }
            Ok(Item::Attachment(attachment)) => one("file", attachment.file_name()),
            Ok(Item::Parts { parts }) => {
                let text = |reply: Reply| match reply.body {
                    Body::Text { text } | Body::Markdown { text, .. } => text,
                    Body::File { name, .. } => name,
                    Body::Image { .. } => String::new(),
                };
                one("text", parts.into_iter().map(text).collect())
            }
            // Written by another version.
            Err(_) => one("text", String::new()),
        });
    }
    Ok(said)
}

/// Calls that may have been made since then (Unix milliseconds), rather too many: whatever was sent, and two frames of each
/// card that is still open. For a count that was cut off.
pub fn sent_since(c: &Connection, since_ms: i64) -> rusqlite::Result<u64> {
    let count = "SELECT (SELECT count(*) FROM outbox WHERE sent_at_ms > ?1)
                      + (SELECT 2 * count(*) FROM cards WHERE state <> 'closed')";
    let count: i64 = c.query_row(count, [since_ms], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
