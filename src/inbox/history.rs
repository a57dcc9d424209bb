//! What the journal remembers of work that was taken in, for those who ask later.

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::message::Inbound;

/// Rows looked at for the last message: what lies between are events and clicks.
const LOOK_BACK: usize = 10_000;

/// One piece of work and what became of it. Kept for a day after its end.
#[derive(Clone, Debug)]
pub struct Past {
    /// Unset while it waits for its turn.
    pub run: Option<String>,
    /// `queued`, `running`, or how it ended.
    pub state: String,
    pub received_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub ended_at_ms: Option<i64>,
    /// How often it was delivered; all but the first were answered and dropped.
    pub deliveries: u32,
    pub handler: Option<String>,
    pub error: Option<String>,
    /// `None`: written by another version, and not readable by this one.
    pub inbound: Option<Inbound>,
}

const COLUMNS: &str =
    "run, state, received_at_ms, started_at_ms, ended_at_ms, deliveries, handler, error, payload";

/// The work that was the run `run`.
pub fn of_run(c: &Connection, run: &str) -> rusqlite::Result<Option<Past>> {
    let select = format!("SELECT {COLUMNS} FROM inbox WHERE run = ?1");
    c.query_row(&select, [run], past).optional()
}

/// Work that was taken in since `since_ms`, oldest first.
pub fn since(c: &Connection, since_ms: i64) -> rusqlite::Result<Vec<Past>> {
    let select = format!("SELECT {COLUMNS} FROM inbox WHERE received_at_ms >= ?1 ORDER BY id");
    c.prepare(&select)?.query_map([since_ms], past)?.collect()
}

/// Deliveries since then (Unix milliseconds), as far as the journal tells.
pub fn taken_since(c: &Connection, since_ms: i64) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM inbox WHERE received_at_ms > ?1";
    let count: i64 = c.query_row(count, [since_ms], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Runs that ended with an error or were refused, and why, oldest first.
pub fn complaints(c: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    c.prepare_cached(
        "SELECT coalesce(run, ''), error FROM inbox WHERE error IS NOT NULL ORDER BY id",
    )?
    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

/// The last message that came.
pub fn last(c: &Connection) -> rusqlite::Result<Option<Past>> {
    let select = format!("SELECT {COLUMNS} FROM inbox ORDER BY id DESC");
    let mut statement = c.prepare(&select)?;
    for row in statement.query_map([], past)?.take(LOOK_BACK) {
        let row = row?;
        if matches!(row.inbound, Some(Inbound::Message(_))) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn past(row: &Row<'_>) -> rusqlite::Result<Past> {
    Ok(Past {
        run: row.get(0)?,
        state: row.get(1)?,
        received_at_ms: row.get(2)?,
        started_at_ms: row.get(3)?,
        ended_at_ms: row.get(4)?,
        deliveries: row.get(5)?,
        handler: row.get(6)?,
        error: row.get(7)?,
        inbound: serde_json::from_str(&row.get::<_, String>(8)?).ok(),
    })
}
