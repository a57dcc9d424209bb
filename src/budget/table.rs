//! The tables of the ledger.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::month::Month;
use super::tally::{Budget, Fresh, Level, Warning, Who};
use super::{Journal, Spending};
use crate::config::Budget as Limits;

/// Months that are kept: a year to compare with, and the current one.
const KEPT: u32 = 13;

/// What was found in the journals after a crash, by what it was for.
pub(super) const RECOVERED: &str = "recovered";

/// What the table has of a month.
pub(super) struct Kept {
    pub(super) used: [u64; 2],
    pub(super) told: [BTreeSet<u64>; 2],
}

/// Reads the current month; what a crash kept from being counted is counted first.
pub(super) fn open(
    c: &Connection,
    month: Month,
    limits: &Limits,
    journal: &Journal,
    now_ms: i64,
) -> rusqlite::Result<Kept> {
    let counted: Option<i64> =
        c.query_row("SELECT counted_at_ms FROM budget_counted", [], |row| row.get(0)).optional()?;
    if let Some(since_ms) = counted {
        let missed = (journal.since)(c, since_ms)?;
        for budget in Budget::ALL {
            let n = missed[budget.index()];
            if n > 0 {
                add(c, month, budget, RECOVERED, ("", ""), i64::try_from(n).unwrap_or(i64::MAX))?;
            }
        }
    }
    counted_until(c, now_ms)?;
    let oldest = month.before(KEPT - 1).to_string();
    c.execute("DELETE FROM budget_uses WHERE month < ?1", [&oldest])?;
    c.execute("DELETE FROM budget_told WHERE month < ?1", [&oldest])?;
    let mut kept = Kept { used: used(c, month)?, told: [const { BTreeSet::new() }; 2] };
    for budget in Budget::ALL {
        let limit = limit_of(limits, budget);
        kept.told[budget.index()] = c
            .prepare(
                "SELECT level FROM budget_told WHERE month = ?1 AND budget = ?2
                 AND (limit_at = ?3 OR level = 0)",
            )?
            .query_map(params![month.to_string(), budget.as_str(), limit], |row| {
                row.get::<_, i64>(0)
            })?
            .map(|level| level.map(|level| u64::try_from(level).unwrap_or(0)))
            .collect::<rusqlite::Result<_>>()?;
    }
    Ok(kept)
}

/// How much of each budget the table has for `month`.
pub(super) fn used(c: &Connection, month: Month) -> rusqlite::Result<[u64; 2]> {
    let mut used = [0; 2];
    for budget in Budget::ALL {
        let sum: i64 = c
            .prepare_cached(
                "SELECT ifnull(sum(count), 0) FROM budget_uses WHERE month = ?1 AND budget = ?2",
            )?
            .query_row(params![month.to_string(), budget.as_str()], |row| row.get(0))?;
        used[budget.index()] = u64::try_from(sum).unwrap_or(0);
    }
    Ok(used)
}

fn limit_of(limits: &Limits, budget: Budget) -> i64 {
    let limit = match budget {
        Budget::ApiCalls => limits.api_calls,
        Budget::Pushes => limits.pushes,
    };
    limit.map_or(0, whole)
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Adds what a host used; of runs that are not known any more the journal says whose they were.
pub(super) fn write(
    c: &Connection,
    fresh: &Fresh,
    journal: &Journal,
    counted_at_ms: i64,
) -> rusqlite::Result<()> {
    add_all(c, fresh, journal.whose)?;
    let mut name = c.prepare_cached(
        "INSERT INTO budget_people (person, name) VALUES (?1, ?2)
         ON CONFLICT (person) DO UPDATE SET name = excluded.name WHERE name <> excluded.name",
    )?;
    for (person, known_as) in &fresh.names {
        name.execute(params![&**person, &**known_as])?;
    }
    counted_until(c, counted_at_ms)
}

/// Adds each use; `whose` says to whom a run is charged.
pub(super) fn add_all(
    c: &Connection,
    fresh: &Fresh,
    whose: fn(&Connection, &str) -> rusqlite::Result<Option<Spending>>,
) -> rusqlite::Result<()> {
    for (key, n) in &fresh.uses {
        let (handler, person) = match &key.who {
            Who::Known { handler, person } => (handler.to_string(), person.to_string()),
            Who::Run(run) => {
                let Spending { handler, person } = whose(c, run)?.unwrap_or_default();
                (handler, person)
            }
        };
        add(c, key.month, key.budget, key.kind, (&handler, &person), *n)?;
    }
    Ok(())
}

fn add(
    c: &Connection,
    month: Month,
    budget: Budget,
    kind: &str,
    (handler, person): (&str, &str),
    n: i64,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO budget_uses (month, budget, kind, handler, person, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (month, budget, kind, handler, person) DO UPDATE SET count = count + excluded.count",
    )?
    .execute(params![month.to_string(), budget.as_str(), kind, handler, person, n])?;
    Ok(())
}

fn counted_until(c: &Connection, at_ms: i64) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO budget_counted (one, counted_at_ms) VALUES (1, ?1)
         ON CONFLICT (one) DO UPDATE SET counted_at_ms = max(counted_at_ms, excluded.counted_at_ms)",
    )?
    .execute([at_ms])?;
    Ok(())
}

/// Notes that the owner is told of `warning`, inside the caller's transaction; false: somebody told it before.
pub fn tell(c: &Connection, warning: &Warning, now_ms: i64) -> rusqlite::Result<bool> {
    let mut insert = c.prepare_cached(
        "INSERT INTO budget_told (month, budget, limit_at, level, told_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?;
    let mut note = |level: u64| {
        insert.execute(params![
            warning.month.to_string(),
            warning.budget.as_str(),
            whole(warning.limit),
            whole(level),
            now_ms
        ])
    };
    let news = note(warning.level.as_number())? == 1;
    if let Level::Share(share) = warning.level {
        // What was jumped over is not told later.
        for lower in super::tally::LEVELS.into_iter().filter(|level| *level < share) {
            note(lower)?;
        }
    }
    Ok(news)
}
