//! When schedules of scripts were last due.
//!
//! A schedule that is not declared any more keeps its row: it is a few bytes, and the script may come back.

use rusqlite::{OptionalExtension as _, params};

use super::{Error, Store};

/// Access to the `schedules` table; cheap to clone.
#[derive(Clone, Debug)]
pub struct Schedules {
    store: Store,
}

impl Schedules {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// When `name` was last due, in Unix milliseconds. One that was never seen is noted as due at `now_ms`: what came
    /// before it was declared was not missed.
    pub async fn last(&self, script: &str, name: &str, now_ms: i64) -> Result<i64, Error> {
        let (script, name) = (script.to_owned(), name.to_owned());
        self.store
            .write(move |c| {
                let found = c
                    .prepare_cached(
                        "SELECT due_at_ms FROM schedules WHERE script = ?1 AND name = ?2",
                    )?
                    .query_row(params![script, name], |row| row.get(0))
                    .optional()?;
                match found {
                    Some(due) => Ok(due),
                    None => put(c, &script, &name, now_ms).map(|()| now_ms),
                }
            })
            .await
    }

    /// Notes that `name` was due at `due_at_ms`.
    pub async fn note(&self, script: &str, name: &str, due_at_ms: i64) -> Result<(), Error> {
        let (script, name) = (script.to_owned(), name.to_owned());
        self.store.write(move |c| put(c, &script, &name, due_at_ms)).await
    }
}

fn put(c: &rusqlite::Connection, script: &str, name: &str, due: i64) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO schedules (script, name, due_at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (script, name) DO UPDATE SET due_at_ms = max(due_at_ms, excluded.due_at_ms)",
    )?
    .execute(params![script, name, due])?;
    Ok(())
}
