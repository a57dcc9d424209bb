//! Who was told "no" lately: a stranger costs one reply an hour, over restarts too.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::params;

use crate::store::Error;
use crate::store::Store;

/// A stranger costs one reply per hour: each counts against the organisation's monthly budget.
const EVERY_MS: i64 = 60 * 60 * 1000;

/// People remembered at once. Past that, strangers are refused in silence: a flood must not cost memory or replies.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Refusals {
    told: Mutex<HashMap<String, i64>>,
    store: Option<Store>,
}

impl Refusals {
    pub(super) async fn open(store: &Store, now_ms: i64) -> Result<Self, Error> {
        let told = store
            .write(move |c| {
                c.execute("DELETE FROM refusals WHERE told_at_ms <= ?1", [now_ms - EVERY_MS])?;
                c.prepare("SELECT person, told_at_ms FROM refusals")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<rusqlite::Result<_>>()
            })
            .await?;
        Ok(Self { told: Mutex::new(told), store: Some(store.clone()) })
    }

    /// Whether `person` is told this time; then it is on disk that they were.
    pub(super) async fn may_tell(&self, person: &str, now_ms: i64) -> bool {
        if !self.may_tell_at(person, now_ms) {
            return false;
        }
        let Some(store) = &self.store else { return true };
        let key = person.to_owned();
        let noted = store
            .write(move |c| {
                c.prepare_cached(
                    "INSERT INTO refusals (person, told_at_ms) VALUES (?1, ?2)
                     ON CONFLICT (person) DO UPDATE SET told_at_ms = excluded.told_at_ms",
                )?
                .execute(params![key, now_ms])?;
                c.prepare_cached("DELETE FROM refusals WHERE told_at_ms <= ?1")?
                    .execute([now_ms - EVERY_MS])
            })
            .await;
        if let Err(error) = &noted {
            tracing::warn!(%error, "a refusal was not noted, so it is not said");
        }
        noted.is_ok()
    }

    fn may_tell_at(&self, person: &str, now_ms: i64) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // Times ahead of us are of a clock that was set back: forgotten, or somebody would never hear anything.
        told.retain(|_, at| (0..EVERY_MS).contains(&(now_ms - *at)));
        if told.contains_key(person) || told.len() >= REMEMBERED {
            return false;
        }
        told.insert(person.to_owned(), now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[tokio::test]
    async fn a_stranger_is_told_once_an_hour_over_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let refusals = Refusals::open(&store, 0).await.unwrap();
        assert!(refusals.may_tell("a", 0).await);
        assert!(!refusals.may_tell("a", 59 * MINUTE).await);
        assert!(refusals.may_tell("b", 59 * MINUTE).await);
        let refusals = Refusals::open(&store, 59 * MINUTE).await.unwrap();
        assert!(!refusals.may_tell("a", 59 * MINUTE).await);
        assert!(refusals.may_tell("a", 60 * MINUTE).await);
        assert!(!refusals.may_tell("b", 60 * MINUTE).await);
    }

    #[test]
    fn a_crowd_of_strangers_is_refused_in_silence() {
        let refusals = Refusals::default();
        let told = (0..REMEMBERED + 50).filter(|n| refusals.may_tell_at(&n.to_string(), 0)).count();
        assert_eq!(told, REMEMBERED);
    }
}
