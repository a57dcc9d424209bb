//! The tables `asks` and `ask_actions`: what was asked, and how it was decided.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Ended, Waiting};
use crate::words::Lang;

/// A question that waits no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub run: String,
    pub question: String,
    pub lang: Lang,
    pub digest: String,
    pub card: Option<String>,
    /// `None`: its run ended while it was open, or the host did.
    pub ended: Option<Ended>,
    /// Staff id.
    pub decided_by: Option<String>,
    pub ended_at_ms: Option<i64>,
    pub until_ms: i64,
}

const COLUMNS: &str =
    "asks.run, question, lang, digest, card, state, decided_by, ended_at_ms, until_ms";

fn past(row: &Row<'_>) -> rusqlite::Result<Past> {
    let (lang, state): (String, String) = (row.get(2)?, row.get(5)?);
    Ok(Past {
        run: row.get(0)?,
        question: row.get(1)?,
        lang: Lang::from_code(&lang).unwrap_or_default(),
        digest: row.get(3)?,
        card: row.get(4)?,
        ended: match state.as_str() {
            "answered" => Some(Ended::Answered),
            "allowed" => Some(Ended::Allowed),
            "refused" => Some(Ended::Refused),
            "expired" => Some(Ended::Expired),
            "withdrawn" => Some(Ended::Withdrawn),
            "lost" => Some(Ended::Lost),
            _ => None,
        },
        decided_by: row.get(6)?,
        ended_at_ms: row.get(7)?,
        until_ms: row.get(8)?,
    })
}

pub(super) fn insert(
    c: &Connection,
    waiting: &Waiting,
    actions: &[String],
    now_ms: i64,
) -> rusqlite::Result<()> {
    let ask = &waiting.ask;
    c.prepare_cached(
        "INSERT INTO asks (id, run, kind, question, lang, asker, digest, code, card, created_at_ms, until_ms, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'open')",
    )?
    .execute(params![
        waiting.id,
        ask.run,
        ask.kind.as_str(),
        crate::sink::redact(&ask.question),
        ask.lang.code(),
        ask.asker.as_str(),
        ask.digest,
        waiting.code,
        waiting.card,
        now_ms,
        ask.until_ms
    ])?;
    let mut insert =
        c.prepare_cached("INSERT INTO ask_actions (action, ask, choice) VALUES (?1, ?2, ?3)")?;
    for (choice, action) in (0_i64..).zip(actions) {
        insert.execute(params![action, waiting.id, choice])?;
    }
    Ok(())
}

pub(super) fn end(
    c: &Connection,
    id: &str,
    ended: Ended,
    by: Option<&str>,
    now_ms: i64,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE asks SET state = ?2, decided_by = ?3, ended_at_ms = ?4 WHERE id = ?1",
    )?
    .execute(params![id, ended.as_str(), by, now_ms])?;
    Ok(())
}

pub(super) fn by_action(c: &Connection, action: &str) -> rusqlite::Result<Option<Past>> {
    let select = format!(
        "SELECT {COLUMNS} FROM ask_actions JOIN asks ON asks.id = ask_actions.ask WHERE action = ?1"
    );
    c.prepare_cached(&select)?.query_row([action], past).optional()
}

pub(super) fn by_card(c: &Connection, card: &str) -> rusqlite::Result<Option<Past>> {
    let select =
        format!("SELECT {COLUMNS} FROM asks WHERE card = ?1 ORDER BY created_at_ms DESC LIMIT 1");
    c.prepare_cached(&select)?.query_row([card], past).optional()
}

/// The newest approval of this number that `person` asked for or decided: others have nothing to do with it.
pub(super) fn by_code(c: &Connection, code: &str, person: &str) -> rusqlite::Result<Option<Past>> {
    let select = format!(
        "SELECT {COLUMNS} FROM asks WHERE kind = 'approve' AND code = ?1 AND (asker = ?2 OR decided_by = ?2)
         ORDER BY created_at_ms DESC LIMIT 1"
    );
    c.prepare_cached(&select)?.query_row([code, person], past).optional()
}

/// The question that the run `run` waited with when its host died, and marks it so; in the transaction that settles the run.
pub fn lost(c: &Connection, run: &str, now_ms: i64) -> rusqlite::Result<Option<String>> {
    let question = c
        .prepare_cached(
            "SELECT question FROM asks WHERE run = ?1 AND state = 'open' ORDER BY created_at_ms DESC LIMIT 1",
        )?
        .query_row([run], |row| row.get(0))
        .optional()?;
    if question.is_some() {
        c.execute(
            "UPDATE asks SET state = 'lost', ended_at_ms = ?2 WHERE run = ?1 AND state = 'open'",
            params![run, now_ms],
        )?;
    }
    Ok(question)
}

pub(super) fn sweep(c: &Connection, before_ms: i64) -> rusqlite::Result<()> {
    c.execute(
        "DELETE FROM ask_actions WHERE ask IN (SELECT id FROM asks WHERE until_ms < ?1)",
        [before_ms],
    )?;
    c.execute("DELETE FROM asks WHERE until_ms < ?1", [before_ms])?;
    Ok(())
}
