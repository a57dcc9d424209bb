//! Forgets what was said so long ago that no account of its run is kept any more.
//!
//! In small batches that are chosen on a read connection: the writer is held for a moment only. What still waits to be
//! sent stays, however old, and so do cards that are open. What is parked stays for two months at least: it may wait for
//! the next one.

use rusqlite::{Connection, OptionalExtension as _};

use super::Outbox;
use crate::store::{Error, now_ms};

/// Rows of one commit: some milliseconds of the writer.
const BATCH: usize = 200;

/// How long a parked reply stays, whatever is kept of runs.
const PARKED_MS: i64 = 62 * 24 * 60 * 60 * 1000;

impl Outbox {
    /// Forgets replies and cards of before `before_ms` (Unix milliseconds). Returns how many.
    ///
    /// # Errors
    /// When the journal cannot be read or written; what was forgotten until then is.
    pub async fn sweep(&self, before_ms: i64) -> Result<usize, Error> {
        let mut total = 0;
        loop {
            let parked_ms = before_ms.min(now_ms() - PARKED_MS);
            let (replies, cards) =
                self.store.read(move |c| choose(c, before_ms, parked_ms)).await?;
            let count = replies.len() + cards.len();
            if count == 0 {
                return Ok(total);
            }
            let outbox = self.clone();
            let forgotten = self
                .store
                .write_then(
                    move |c| {
                    let mut parked = 0;
                    let mut reply = c.prepare_cached(
                        "DELETE FROM outbox WHERE id = ?1 AND state <> 'queued' RETURNING state = 'parked'",
                    )?;
                    for id in replies {
                        let was: Option<bool> = reply.query_row([id], |row| row.get(0)).optional()?;
                        parked += usize::from(was == Some(true));
                    }
                    let mut card =
                        c.prepare_cached("DELETE FROM cards WHERE id = ?1 AND state = 'closed'")?;
                    for id in cards {
                        card.execute([id])?;
                    }
                    Ok(parked)
                    },
                    move |parked| {
                        outbox.fewer_parked(parked);
                        parked
                    },
                )
                .await?;
            if forgotten > 0 {
                tracing::warn!(
                    replies = forgotten,
                    "replies that were parked for two months are given up"
                );
            }
            total += count;
        }
    }
}

fn choose(
    c: &Connection,
    before_ms: i64,
    parked_ms: i64,
) -> rusqlite::Result<(Vec<i64>, Vec<String>)> {
    // Rows are in the order of their times: those that can go are at the beginning.
    let mut replies = Vec::new();
    let mut select = c.prepare("SELECT id, created_at_ms, state FROM outbox ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let created: i64 = row.get(1)?;
        if created >= before_ms || replies.len() >= BATCH {
            break;
        }
        let may_go = match row.get_ref(2)?.as_str() {
            Ok("queued") => false,
            Ok("parked") => created < parked_ms,
            _ => true,
        };
        if may_go {
            replies.push(row.get(0)?);
        }
    }
    let cards = c
        .prepare("SELECT id FROM cards WHERE state = 'closed' AND created_at_ms < ?1 LIMIT 200")?
        .query_map([before_ms], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((replies, cards))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn what_is_parked_waits_for_the_next_month_whatever_is_kept_of_runs() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_scratch(dir.path()).unwrap();
        let now = now_ms();
        let day = 24 * 60 * 60 * 1000;
        store
            .write(move |c| {
                for (state, age) in
                    [("parked", 70), ("sent", 40), ("parked", 40), ("queued", 70), ("sent", 0)]
                {
                    c.execute(
                        "INSERT INTO outbox (conversation, state, payload, run, created_at_ms) VALUES ('c', ?1, '{}', 'r', ?2)",
                        rusqlite::params![state, now - age * day],
                    )?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let outbox = Outbox::open(store.clone()).await.unwrap();
        assert_eq!((outbox.sweep(now - day).await.unwrap(), outbox.parked()), (2, 1));
        let left = store
            .read(|c| {
                c.query_row(
                    "SELECT group_concat(state) FROM (SELECT state FROM outbox ORDER BY id)",
                    [],
                    |row| row.get::<_, String>(0),
                )
            })
            .await;
        assert_eq!(left.unwrap(), "parked,queued,sent");
    }
}
