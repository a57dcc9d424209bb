//! What came in lately and what became of it, for those who look back.

use rusqlite::params;

use super::Inbox;
use crate::message::Inbound;
use crate::store::Error;

/// A row of the journal as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: i64,
    /// Short id of its run; empty while it waits.
    pub run: String,
    /// `queued`, `running`, `done`, `failed`, `cancelled`, `interrupted` or `parked`.
    pub state: String,
    /// Name of the handler that took it.
    pub handler: Option<String>,
    /// Why it failed, or was refused.
    pub error: Option<String>,
    pub received_at_ms: i64,
    pub inbound: Inbound,
}

impl Inbox {
    /// Runs that ended with an error or were refused, and why, oldest first.
    pub async fn complaints(&self) -> Result<Vec<(String, String)>, Error> {
        self.store
            .read(|c| {
                c.prepare_cached(
                    "SELECT coalesce(run, ''), error FROM inbox WHERE error IS NOT NULL ORDER BY id",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
            })
            .await
    }

    /// Rows received since `since_ms`, oldest first; `run` leaves only the one with this short id. Rows that cannot be
    /// read are left out.
    pub async fn records(&self, since_ms: i64, run: Option<&str>) -> Result<Vec<Record>, Error> {
        let run = run.map(str::to_owned);
        self.store
            .read(move |c| {
                c.prepare(
                    "SELECT id, coalesce(run, ''), state, handler, error, received_at_ms, payload FROM inbox
                     WHERE received_at_ms >= ?1 AND (?2 IS NULL OR run = ?2) ORDER BY id",
                )?
                .query_map(params![since_ms, run], |row| {
                    let payload: String = row.get(6)?;
                    let Ok(inbound) = serde_json::from_str(&payload) else { return Ok(None) };
                    Ok(Some(Record {
                        id: row.get(0)?,
                        run: row.get(1)?,
                        state: row.get(2)?,
                        handler: row.get(3)?,
                        error: row.get(4)?,
                        received_at_ms: row.get(5)?,
                        inbound,
                    }))
                })?
                .filter_map(Result::transpose)
                .collect()
            })
            .await
    }
}
