//! The tables of contact and of outages.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::now_ms;

/// Outages that are kept.
const KEEP: i64 = 1_000;

/// What the last host left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    pub(super) heard_at_ms: i64,
    pub(super) stopped: bool,
}

/// Why nothing came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Slept,
    /// The host was stopped, and started again later.
    Stopped,
    /// The host ended without saying so.
    Died,
    Network,
    Refused,
    Deaf,
}

impl Cause {
    const ALL: [Self; 6] =
        [Self::Slept, Self::Stopped, Self::Died, Self::Network, Self::Refused, Self::Deaf];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Slept => "slept",
            Self::Stopped => "stopped",
            Self::Died => "died",
            Self::Network => "network",
            Self::Refused => "refused",
            Self::Deaf => "deaf",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Outage {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) cause: Cause,
    pub(super) detail: Option<String>,
}

pub(super) fn contact(c: &Connection) -> rusqlite::Result<Option<Contact>> {
    c.query_row("SELECT heard_at_ms, stopped FROM contact", [], |row| {
        Ok(Contact { heard_at_ms: row.get(0)?, stopped: row.get(1)? })
    })
    .optional()
}

/// Notes that frames flowed at `at_ms`.
pub(super) fn heard(c: &Connection, at_ms: i64, stopped: bool) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO contact (id, heard_at_ms, stopped) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET heard_at_ms = excluded.heard_at_ms, stopped = excluded.stopped",
    )?
    .execute(params![at_ms, stopped])?;
    Ok(())
}

/// Notes an outage together with its end, so that it is noted once.
pub(super) fn note(c: &Connection, outage: &Outage, heard_at_ms: i64) -> rusqlite::Result<()> {
    c.execute(
        "INSERT INTO outages (from_ms, to_ms, cause, detail) VALUES (?1, ?2, ?3, ?4)",
        params![outage.from_ms, outage.to_ms, outage.cause.word(), outage.detail],
    )?;
    c.execute("DELETE FROM outages WHERE id <= (SELECT max(id) FROM outages) - ?1", [KEEP])?;
    heard(c, heard_at_ms, false)
}

/// Outages of which the owner does not know, with their ids, oldest first.
pub(super) fn untold(c: &Connection) -> rusqlite::Result<Vec<(i64, Outage)>> {
    c.prepare("SELECT id, from_ms, to_ms, cause, detail FROM outages WHERE told_at_ms IS NULL ORDER BY id")?
        .query_map([], |row| {
            let word: String = row.get(3)?;
            let cause = Cause::ALL.into_iter().find(|cause| cause.word() == word);
            let cause = cause.unwrap_or(Cause::Network);
            let (from_ms, to_ms, detail) = (row.get(1)?, row.get(2)?, row.get(4)?);
            Ok((row.get(0)?, Outage { from_ms, to_ms, cause, detail }))
        })?
        .collect()
}

/// The owner knows of all up to the one with the id `last`.
pub(super) fn told(c: &Connection, last: i64) -> rusqlite::Result<()> {
    c.execute(
        "UPDATE outages SET told_at_ms = ?2 WHERE id <= ?1 AND told_at_ms IS NULL",
        params![last, now_ms()],
    )?;
    Ok(())
}
