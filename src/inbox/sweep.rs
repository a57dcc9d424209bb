//! How long accounts of runs are kept: by age, and by the room that the journal takes.
//!
//! In small batches that are chosen on a read connection, so that the writer is held for a moment only. What made a
//! delivery one of its kind stays for a day in any case: where an account has to go before that, its key stays behind.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::Inbox;
use crate::store::Error;
use crate::store::now_ms;

/// How long the key of a finished row stays: DingTalk's redeliveries come within minutes, a day covers an outage.
const KEY_MS: i64 = 24 * 60 * 60 * 1000;

/// Rows of one commit: some milliseconds of the writer.
const BATCH: usize = 200;

/// The newest so many stay, whatever room they take: something else fills the journal then.
const NEWEST: i64 = 500;

/// Rows that are looked at for one batch.
const LOOK: i64 = 2_000;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    pub age: Duration,
    /// Of the journal's file, without its free room.
    pub bytes: u64,
}

/// One sweep through the rows, oldest first.
#[derive(Debug)]
pub struct Sweep {
    inbox: Inbox,
    keep: Keep,
    /// Rows up to this id were looked at.
    cursor: i64,
}

/// What a batch does.
#[derive(Debug, Default)]
struct Batch {
    remove: Vec<i64>,
    /// Everything but the key goes.
    strip: Vec<i64>,
    /// The last id that was looked at; `None`: there are no more.
    looked: Option<i64>,
}

impl Inbox {
    /// Begins a sweep; it goes on with each [`Sweep::step`].
    pub fn sweep(&self, keep: Keep) -> Sweep {
        Sweep { inbox: self.clone(), keep, cursor: 0 }
    }
}

impl Sweep {
    /// Does one batch. Returns the time before which nothing is kept any more that came in, or `None` at the end.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn step(&mut self) -> Result<Option<i64>, Error> {
        loop {
            let (keep, cursor) = (self.keep, self.cursor);
            let batch = self.inbox.store.read(move |c| choose(c, keep, cursor)).await?;
            let Some(looked) = batch.looked else { return Ok(None) };
            self.cursor = looked;
            if batch.remove.is_empty() && batch.strip.is_empty() {
                continue;
            }
            self.inbox.store.write(move |c| batch.carry_out(c)).await?;
            return self.inbox.kept_since().await.map(Some);
        }
    }
}

impl Inbox {
    /// The time before which nothing is kept that came in: replies of before belong to no run any more.
    pub async fn kept_since(&self) -> Result<i64, Error> {
        self.store
            .read(|c| {
                c.query_row(
                    "SELECT received_at_ms FROM inbox WHERE payload <> '' OR lane = '' ORDER BY id LIMIT 1",
                    [],
                    |row| row.get(0),
                )
                .or_else(|error| match error {
                    rusqlite::Error::QueryReturnedNoRows => Ok(now_ms()),
                    other => Err(other),
                })
            })
            .await
    }
}

fn choose(c: &Connection, keep: Keep, cursor: i64) -> rusqlite::Result<Batch> {
    let now = now_ms();
    let aged = now - i64::try_from(keep.age.as_millis()).unwrap_or(i64::MAX / 2);
    let too_large = bytes(c)? > keep.bytes;
    let newest: i64 = c.query_row("SELECT ifnull(max(id), 0) FROM inbox", [], |row| row.get(0))?;
    let mut batch = Batch::default();
    let mut select = c.prepare(
        "SELECT id, received_at_ms, ended_at_ms, lane = '', payload = '' FROM inbox WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = select.query(params![cursor, LOOK])?;
    while let Some(row) = rows.next()? {
        let (id, received, ended): (i64, i64, Option<i64>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        if !too_large && received >= aged {
            // Whatever comes after it is younger.
            batch.looked = batch.looked.filter(|_| !batch.is_empty());
            return Ok(batch);
        }
        batch.looked = Some(id);
        let large = too_large && id <= newest - NEWEST;
        let Some(ended) = ended.filter(|ended| large || *ended < aged) else { continue };
        let (own, stripped): (bool, bool) = (row.get(3)?, row.get(4)?);
        if own || ended < now - KEY_MS {
            batch.remove.push(id);
        } else if !stripped {
            batch.strip.push(id);
        }
        if batch.remove.len() + batch.strip.len() == BATCH {
            break;
        }
    }
    Ok(batch)
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.strip.is_empty()
    }

    fn carry_out(&self, c: &Connection) -> rusqlite::Result<()> {
        let mut remove = c.prepare_cached("DELETE FROM inbox WHERE id = ?1")?;
        for id in &self.remove {
            remove.execute([id])?;
        }
        let mut strip = c.prepare_cached(
            "UPDATE inbox SET payload = '', args = NULL, log = NULL, output = NULL, error = NULL, exit = NULL WHERE id = ?1",
        )?;
        for id in &self.strip {
            strip.execute([id])?;
        }
        Ok(())
    }
}

/// What is in use of the journal's file.
fn bytes(c: &Connection) -> rusqlite::Result<u64> {
    let ask = |what: &str| c.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0));
    let used = (ask("page_count")? - ask("freelist_count")?) * ask("page_size")?;
    Ok(u64::try_from(used).unwrap_or(0))
}
