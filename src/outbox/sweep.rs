//! Forgets what was said so long ago that no account of its run is kept any more.
//!
//! In small batches that are chosen on a read connection: the writer is held for a moment only. What still waits to be
//! sent stays, however old, and so do cards that are open.

use rusqlite::Connection;

use super::Outbox;
use crate::store::Error;

/// Rows of one commit: some milliseconds of the writer.
const BATCH: usize = 200;

impl Outbox {
    /// Forgets replies and cards of before `before_ms` (Unix milliseconds). Returns how many.
    ///
    /// # Errors
    /// When the journal cannot be read or written; what was forgotten until then is.
    pub async fn sweep(&self, before_ms: i64) -> Result<usize, Error> {
        let mut total = 0;
        loop {
            let (replies, cards) = self.store.read(move |c| choose(c, before_ms)).await?;
            let count = replies.len() + cards.len();
            if count == 0 {
                return Ok(total);
            }
            self.store
                .write(move |c| {
                    let mut reply =
                        c.prepare_cached("DELETE FROM outbox WHERE id = ?1 AND state <> 'queued'")?;
                    for id in replies {
                        reply.execute([id])?;
                    }
                    let mut card =
                        c.prepare_cached("DELETE FROM cards WHERE id = ?1 AND state = 'closed'")?;
                    for id in cards {
                        card.execute([id])?;
                    }
                    Ok(())
                })
                .await?;
            total += count;
        }
    }
}

fn choose(c: &Connection, before_ms: i64) -> rusqlite::Result<(Vec<i64>, Vec<String>)> {
    // Rows are in the order of their times: those that can go are at the beginning.
    let mut replies = Vec::new();
    let mut select = c.prepare("SELECT id, created_at_ms, state FROM outbox ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before_ms || replies.len() >= BATCH {
            break;
        }
        if row.get_ref(2)?.as_str() != Ok("queued") {
            replies.push(row.get(0)?);
        }
    }
    let cards = c
        .prepare("SELECT id FROM cards WHERE state = 'closed' AND created_at_ms < ?1 LIMIT 200")?
        .query_map([before_ms], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((replies, cards))
}
