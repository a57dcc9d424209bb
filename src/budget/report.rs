//! What a month's budgets were used for.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

use super::month::Month;
use super::tally::{Budget, STREAMING_ENDS};
use crate::config::Budget as Limits;

/// One month, by our count. DingTalk's own figures are in its console; other apps of the organisation are only there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub month: Month,
    /// The day on which the next month begins, by the calendar of China.
    pub turns: chrono::NaiveDate,
    pub api_calls: Spent,
    pub pushes: Spent,
    /// API calls that showed cards, moved and ended them.
    pub streaming: u64,
    /// Whether cards stream, as far as the budget goes.
    pub may_stream: bool,
    /// What it was for: `send`, `frame`, `message`…
    pub uses: BTreeMap<String, u64>,
    /// Most API calls first.
    pub handlers: Vec<Spender>,
    pub people: Vec<Spender>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    pub used: u64,
    /// `None`: no limit.
    pub limit: Option<u64>,
    /// Whether DingTalk itself said this month that nothing is left.
    pub refused: bool,
}

impl Spent {
    /// Per cent of the limit, rounded down.
    pub fn percent(&self) -> Option<u64> {
        let limit = self.limit.filter(|limit| *limit > 0)?;
        Some(self.used.saturating_mul(100) / limit)
    }
}

/// A handler or a person, and what was used for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spender {
    /// Title of a handler, staff id of a person. Empty: moonbell's own words, nobody in particular.
    pub id: String,
    /// What a person goes by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub api_calls: u64,
    pub pushes: u64,
    /// Of the API calls, those for cards.
    pub streaming: u64,
}

impl Report {
    /// What the table has of `month`.
    pub fn of(c: &Connection, month: Month, limits: &Limits) -> rusqlite::Result<Self> {
        let mut used = [0_i64; 2];
        let mut uses: BTreeMap<String, i64> = BTreeMap::new();
        let mut handlers: BTreeMap<String, [i64; 3]> = BTreeMap::new();
        let mut people: BTreeMap<String, [i64; 3]> = BTreeMap::new();
        let mut select = c.prepare_cached(
            "SELECT budget, kind, handler, person, count FROM budget_uses WHERE month = ?1",
        )?;
        let mut rows = select.query([month.to_string()])?;
        while let Some(row) = rows.next()? {
            let (budget, kind): (String, String) = (row.get(0)?, row.get(1)?);
            let (handler, person, count): (String, String, i64) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            let budget = usize::from(budget != Budget::ApiCalls.as_str());
            used[budget] += count;
            for spender in [handlers.entry(handler).or_default(), people.entry(person).or_default()]
            {
                spender[budget] += count;
                if matches!(kind.as_str(), "card" | "frame") {
                    spender[2] += count;
                }
            }
            *uses.entry(kind).or_default() += count;
        }
        let spent = |budget: Budget, limit: Option<u64>| -> rusqlite::Result<Spent> {
            let refused = c
                .prepare_cached(
                    "SELECT 1 FROM budget_told WHERE month = ?1 AND budget = ?2 AND level = 0",
                )?
                .query_row([month.to_string().as_str(), budget.as_str()], |_| Ok(()))
                .optional()?
                .is_some();
            Ok(Spent { used: positive(used[budget.index()]), limit, refused })
        };
        let api_calls = spent(Budget::ApiCalls, limits.api_calls)?;
        let pushes = spent(Budget::Pushes, limits.pushes)?;
        let mut name = c.prepare_cached("SELECT name FROM budget_people WHERE person = ?1")?;
        let mut people = ranked(people);
        for person in &mut people {
            person.name = name.query_row([&person.id], |row| row.get(0)).optional()?;
        }
        let streaming = ["card", "frame"].map(|kind| uses.get(kind).copied().unwrap_or(0));
        Ok(Self {
            month,
            turns: month.turns(),
            may_stream: api_calls.percent().is_none_or(|share| share < STREAMING_ENDS),
            api_calls,
            pushes,
            streaming: positive(streaming.iter().sum()),
            uses: uses
                .into_iter()
                .map(|(kind, n)| (kind, positive(n)))
                .filter(|(_, n)| *n > 0)
                .collect(),
            handlers: ranked(handlers),
            people,
        })
    }

    /// What one person used.
    pub fn of_person(&self, id: &str) -> Spender {
        let found = self.people.iter().find(|person| person.id == id).cloned();
        found.unwrap_or_else(|| Spender { id: id.to_owned(), ..Spender::default() })
    }
}

fn ranked(spenders: BTreeMap<String, [i64; 3]>) -> Vec<Spender> {
    let mut ranked: Vec<Spender> = spenders
        .into_iter()
        .map(|(id, [api_calls, pushes, streaming])| Spender {
            id,
            name: None,
            api_calls: positive(api_calls),
            pushes: positive(pushes),
            streaming: positive(streaming),
        })
        .filter(|spender| spender.api_calls + spender.pushes > 0)
        .collect();
    ranked.sort_by_key(|spender| std::cmp::Reverse((spender.api_calls, spender.pushes)));
    ranked
}

/// What is moved from one to another over the turn of a month leaves a negative rest.
fn positive(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
/// What a person called themselves last, if it is known.
pub fn name_of(c: &Connection, person: &str) -> rusqlite::Result<Option<String>> {
    c.prepare_cached("SELECT name FROM budget_people WHERE person = ?1")?
        .query_row([person], |row| row.get(0))
        .optional()
}
