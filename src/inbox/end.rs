//! What is written down of a run: while it is under way, and when it ends.

use rusqlite::{Connection, params};

use super::{Inbox, RUNNING};
use crate::store::Error;
use crate::store::now_ms;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Done,
    Failed,
    Cancelled,
    Interrupted,
    /// Could not even be tried (unreadable); kept for the owner to look at.
    Parked,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Parked => "parked",
        }
    }
}

/// What served, with what, and what it wrote. What is not known is left out. Without secrets: the caller has blanked them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account<'a> {
    /// Path below the scripts folder.
    pub script: Option<&'a str>,
    /// Counts the versions of the script since the start of the host.
    pub version: Option<u64>,
    pub handler: Option<&'a str>,
    /// As JSON.
    pub args: Option<&'a str>,
    /// Of the last program that it ran: `exit 1`.
    pub exit: Option<&'a str>,
    pub replies: usize,
    /// What the script logged, a line each.
    pub log: Option<&'a str>,
    /// The end of what its programs wrote.
    pub output: Option<&'a str>,
}

/// The end of a run.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub state: State,
    pub account: Account<'a>,
    pub error: Option<&'a str>,
    /// Somebody's rights were not enough: `error` says for what.
    pub refused: bool,
}

impl End<'_> {
    /// Of which no more is known.
    pub fn new(state: State) -> Self {
        Self { state, account: Account::default(), error: None, refused: false }
    }
}

/// Marks a row as ended, inside the caller's transaction, so that its replies commit with it.
pub fn complete(c: &Connection, id: i64, end: &End<'_>) -> rusqlite::Result<()> {
    let account = &end.account;
    c.prepare_cached(
        "UPDATE inbox SET state = ?2, ended_at_ms = ?3, handler = ?4, error = ?5, script = ?6, version = ?7, args = ?8,
         exit = ?9, replies = ?10, log = ?11, output = ?12, refused = ?13 WHERE id = ?1",
    )?
    .execute(params![
        id,
        end.state.as_str(),
        now_ms(),
        account.handler,
        end.error,
        account.script,
        number(account.version),
        account.args,
        account.exit,
        count(account.replies),
        account.log,
        account.output,
        end.refused,
    ])?;
    Ok(())
}

/// Notes how far a run is that takes long: a crash leaves that much. One that has ended stays as it is.
pub fn note(c: &Connection, id: i64, waits: bool, account: &Account<'_>) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE inbox SET state = ?2, handler = ?3, script = ?4, version = ?5, args = ?6, exit = ?7, replies = ?8,
         log = ?9, output = ?10 WHERE id = ?1 AND state IN ('running', 'waiting')",
    )?
    .execute(params![
        id,
        if waits { "waiting" } else { "running" },
        account.handler,
        account.script,
        number(account.version),
        account.args,
        account.exit,
        count(account.replies),
        account.log,
        account.output,
    ])?;
    Ok(())
}

/// Lets a row that was cut short wait for its turn again. `counts`: as another attempt, since its handler had begun.
///
/// The host that does this claims no more, or has not begun to: the next [`Inbox::open`] finds the row.
pub fn requeue(c: &Connection, id: i64, counts: bool) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE inbox SET state = 'queued', started_at_ms = NULL, attempt = attempt + ?2 WHERE id = ?1",
    )?
    .execute(params![id, counts])?;
    Ok(())
}

/// A run that no message started (a timer, a hook, a watcher): written down with its end, or while it takes long.
#[derive(Clone, Debug)]
pub struct Own {
    /// From [`Inbox::name_run`].
    pub run: String,
    pub script: String,
    pub version: u64,
    /// `every 10s`, `on start`.
    pub handler: String,
    pub started_at_ms: i64,
    pub exit: Option<String>,
    pub replies: usize,
    pub log: Option<String>,
    pub output: Option<String>,
    /// `None`: it is under way.
    pub end: Option<OwnEnd>,
}

/// The end of such a run.
#[derive(Clone, Debug)]
pub struct OwnEnd {
    pub state: State,
    pub at_ms: i64,
    pub error: Option<String>,
}

impl Inbox {
    /// Writes down runs that no message started, and forgets the accounts of the runs `instead_of`. One commit.
    ///
    /// Of each run there is one row: its end replaces what was noted on the way, and nothing is noted after its end.
    pub async fn keep_own(&self, runs: Vec<Own>, instead_of: Vec<String>) -> Result<(), Error> {
        let ids = self.ids.clone();
        let reserved = self
            .store
            .write(move |c| {
                let mut forget =
                    c.prepare_cached("DELETE FROM inbox WHERE run = ?1 AND lane = ''")?;
                for run in instead_of {
                    forget.execute([run])?;
                }
                for own in &runs {
                    if !go_on(c, own)? {
                        begin(c, ids.next(), own)?;
                    }
                }
                Ok((ids.reserve(c)?, ids))
            })
            .await?;
        let (reserved, ids) = reserved;
        ids.reserved(reserved);
        Ok(())
    }
}

/// Brings the row of a run that is under way up to date. `false`: there is none.
fn go_on(c: &Connection, own: &Own) -> rusqlite::Result<bool> {
    let end = own.end.as_ref();
    let changed = c
        .prepare_cached(
            "UPDATE inbox SET state = ?2, ended_at_ms = ?3, error = ?4, exit = ?5, replies = ?6, log = ?7, output = ?8
             WHERE run = ?1 AND lane = '' AND state = 'running'",
        )?
        .execute(params![
            own.run,
            end.map_or(RUNNING, |end| end.state.as_str()),
            end.map(|end| end.at_ms),
            end.and_then(|end| end.error.as_deref()),
            own.exit,
            count(own.replies),
            own.log,
            own.output,
        ])?;
    Ok(changed > 0)
}

/// Gives a run its row, unless it has one with its end: names come again, but not within the life of a run.
fn begin(c: &Connection, id: i64, own: &Own) -> rusqlite::Result<()> {
    let end = own.end.as_ref();
    c.prepare_cached(
        "INSERT INTO inbox (id, key, lane, state, payload, received_at_ms, started_at_ms, ended_at_ms, run, handler,
         error, script, version, exit, replies, log, output)
         SELECT ?1, ?2, '', ?3, '', ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14 WHERE ?5 IS NOT NULL
         OR NOT EXISTS (SELECT 1 FROM inbox WHERE run = ?6 AND lane = '' AND ended_at_ms >= ?4)",
    )?
    .execute(params![
        id,
        format!("own\u{1f}{}\u{1f}{id}", own.run),
        end.map_or(RUNNING, |end| end.state.as_str()),
        own.started_at_ms,
        end.map(|end| end.at_ms),
        own.run,
        own.handler,
        end.and_then(|end| end.error.as_deref()),
        own.script,
        number(Some(own.version)),
        own.exit,
        count(own.replies),
        own.log,
        own.output,
    ])?;
    Ok(())
}

fn number(version: Option<u64>) -> Option<i64> {
    version.and_then(|version| i64::try_from(version).ok())
}

fn count(replies: usize) -> i64 {
    i64::try_from(replies).unwrap_or(i64::MAX)
}
