//! What the journal remembers of work that was taken in, for those who ask later.

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::message::Inbound;

/// Rows looked at for the last message, or for the last runs of one person: what lies between is others'.
const LOOK_BACK: usize = 10_000;

/// One piece of work and what became of it. Kept for as long as the settings say.
#[derive(Clone, Debug)]
pub struct Past {
    pub id: i64,
    /// Unset only in rows of older versions.
    pub run: Option<String>,
    /// `queued`, `running`, `waiting`, or how it ended.
    pub state: String,
    pub received_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub ended_at_ms: Option<i64>,
    /// How often it was delivered; all but the first were answered and dropped.
    pub deliveries: u32,
    pub script: Option<String>,
    /// Counts the versions of the script since the start of its host.
    pub version: Option<u64>,
    pub handler: Option<String>,
    /// As JSON.
    pub args: Option<String>,
    /// Of the last program that it ran.
    pub exit: Option<String>,
    /// Replies and cards.
    pub replies: Option<u32>,
    pub error: Option<String>,
    /// Somebody's rights were not enough.
    pub refused: bool,
    /// What it logged, a line each: time in Unix milliseconds, level, text. The newest only.
    pub log: Option<String>,
    /// The end of what its programs wrote.
    pub output: Option<String>,
    /// More than 1 after a crash.
    pub attempt: u32,
    /// The run that it repeats.
    pub again: Option<String>,
    /// No message started it: a timer, a hook, a watcher.
    pub own: bool,
    /// `None`: its own, forgotten to make room, or written by another version and not readable by this one.
    pub inbound: Option<Inbound>,
}

impl Past {
    pub const REFUSED: &str = "refused";

    /// How it stands, for people: what was refused is not `done`, though nothing is left to do about it.
    pub fn shown_state(&self) -> &str {
        if self.refused && self.state == "done" { Self::REFUSED } else { &self.state }
    }

    pub fn is_over(&self) -> bool {
        self.ended_at_ms.is_some()
    }

    /// The staff id of whoever started it.
    pub fn person(&self) -> Option<&str> {
        match self.inbound.as_ref()? {
            Inbound::Message(message) => Some(message.sender.key()),
            Inbound::CardAction(action) => {
                action.staff_id.as_ref().map(crate::message::StaffId::as_str)
            }
            Inbound::Event(_) => None,
        }
    }
}

/// Which runs are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of whoever has this staff id.
    pub person: Option<String>,
    /// As [`Past::shown_state`] has it.
    pub state: Option<String>,
    /// Taken in since then; Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Only those that a handler served.
    pub handled: bool,
    /// Only those that a message started.
    pub said: bool,
    /// The newest so many.
    pub limit: usize,
}

const COLUMNS: &str = "id, run, state, received_at_ms, started_at_ms, ended_at_ms, deliveries, script, version, handler, \
     args, exit, replies, error, log, output, attempt, again, lane = '', payload, refused";

/// Served by a handler of a script: an answer to a question, a claim and a click on Stop are the host's own business.
const SERVED: &str = "AND handler IS NOT NULL AND (script IS NOT NULL OR handler NOT IN ('answer', 'claim', 'stop'))";

/// The work that was the run `run`.
pub fn of_run(c: &Connection, run: &str) -> rusqlite::Result<Option<Past>> {
    let select = format!("SELECT {COLUMNS} FROM inbox WHERE run = ?1 ORDER BY id DESC LIMIT 1");
    c.query_row(&select, [run], past).optional()
}

/// Work that was taken in since `since_ms`, oldest first.
pub fn since(c: &Connection, since_ms: i64) -> rusqlite::Result<Vec<Past>> {
    let filter = Filter { since_ms: Some(since_ms), limit: usize::MAX, ..Filter::default() };
    let mut found = list(c, &filter)?;
    found.retain(|past| !past.own);
    found.reverse();
    Ok(found)
}

/// The runs that `filter` wants, newest first.
pub fn list(c: &Connection, filter: &Filter) -> rusqlite::Result<Vec<Past>> {
    let state = match filter.state.as_deref() {
        None => "WHERE ?1 IS NULL",
        Some(Past::REFUSED) => "WHERE state = 'done' AND refused AND ?1 <> ''",
        Some("done") => "WHERE state = ?1 AND NOT refused",
        Some(_) => "WHERE state = ?1",
    };
    let handled = if filter.handled { SERVED } else { "" };
    // By id, not by time: nothing has to be sorted, and looking ends with the limit.
    let select = format!("SELECT {COLUMNS} FROM inbox {state} {handled} ORDER BY id DESC");
    let mut statement = c.prepare(&select)?;
    let mut rows = statement.query([&filter.state])?;
    let mut found = Vec::new();
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        let past = past(row)?;
        looked += 1;
        let old = filter.since_ms.is_some_and(|since| past.received_at_ms < since);
        // A row that no message started is written with its end, behind younger ones.
        if (old && !past.own) || (filter.person.is_some() && looked > LOOK_BACK) {
            break;
        }
        let wanted = filter.person.as_deref().is_none_or(|person| past.person() == Some(person))
            && (!filter.said || matches!(past.inbound, Some(Inbound::Message(_))))
            && !old;
        if wanted {
            found.push(past);
        }
        if found.len() >= filter.limit {
            break;
        }
    }
    Ok(found)
}

/// Whether any run has ended, as far as the journal goes back.
///
/// # Errors
/// When the journal cannot be read.
pub fn has_ended(c: &Connection) -> rusqlite::Result<bool> {
    let some = "SELECT EXISTS (SELECT 1 FROM inbox WHERE ended_at_ms IS NOT NULL)";
    c.query_row(some, [], |row| row.get(0))
}

/// What waits or runs, oldest first, `limit` at most.
pub fn unfinished(c: &Connection, limit: usize) -> rusqlite::Result<Vec<Past>> {
    let select = format!(
        "SELECT {COLUMNS} FROM inbox WHERE state IN ('queued', 'running', 'waiting') ORDER BY id LIMIT ?1"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    c.prepare(&select)?.query_map([limit], past)?.collect()
}

/// Deliveries since then (Unix milliseconds), as far as the journal tells.
pub fn taken_since(c: &Connection, since_ms: i64) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM inbox WHERE received_at_ms > ?1 AND lane <> ''";
    let count: i64 = c.query_row(count, [since_ms], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Runs that ended with an error or were refused, and why, oldest first.
pub fn complaints(c: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    c.prepare_cached(
        "SELECT coalesce(run, ''), error FROM inbox WHERE error IS NOT NULL AND lane <> '' ORDER BY id",
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
        id: row.get(0)?,
        run: row.get(1)?,
        state: row.get(2)?,
        received_at_ms: row.get(3)?,
        started_at_ms: row.get(4)?,
        ended_at_ms: row.get(5)?,
        deliveries: row.get(6)?,
        script: row.get(7)?,
        version: row.get::<_, Option<i64>>(8)?.and_then(|version| u64::try_from(version).ok()),
        handler: row.get(9)?,
        args: row.get(10)?,
        exit: row.get(11)?,
        replies: row.get(12)?,
        error: row.get(13)?,
        log: row.get(14)?,
        output: row.get(15)?,
        attempt: row.get(16)?,
        again: row.get(17)?,
        own: row.get(18)?,
        inbound: serde_json::from_str(&row.get::<_, String>(19)?).ok(),
        refused: row.get(20)?,
    })
}
