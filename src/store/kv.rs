//! What scripts keep between runs: key to JSON text, each script for itself.
//!
//! Single operations are atomic; `incr` and `cas` make counters and locks possible without a transaction in Lua.

use rusqlite::{OptionalExtension as _, params};

use super::{Error, Store};
use crate::clock::Clock;

/// Access to the `kv` table; cheap to clone.
#[derive(Clone, Debug)]
pub struct Kv {
    store: Store,
    /// How old values are is told by it.
    clock: Clock,
    /// Bytes of keys and values that one script may have.
    limit_bytes: u64,
}

/// One key of a listing, with its JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: String,
}

impl Kv {
    pub fn new(store: Store) -> Self {
        Self { store, clock: Clock::default(), limit_bytes: u64::MAX }
    }

    /// The same, where values expire by `clock`.
    #[must_use]
    pub fn on_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same, where each script has so many bytes of keys and values at most.
    #[must_use]
    pub fn within(self, limit_bytes: u64) -> Self {
        Self { limit_bytes, ..self }
    }

    /// The store that it is in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub async fn get(&self, script: &str, key: &str) -> Result<Option<String>, Error> {
        let (script, key, now) = (script.to_owned(), key.to_owned(), self.clock.now_ms());
        self.store.read(move |c| live(c, &script, &key, now)).await
    }

    /// Sets `key` to `value` (JSON text), for `ttl_ms` milliseconds or for good.
    pub async fn set(
        &self,
        script: &str,
        key: &str,
        value: &str,
        ttl_ms: Option<i64>,
    ) -> Result<(), Error> {
        let (script, key, value) = (script.to_owned(), key.to_owned(), value.to_owned());
        let (now, limit) = (self.clock.now_ms(), self.limit_bytes);
        let put = self.store.write(move |c| put(c, &script, &key, &value, ttl_ms, (now, limit)));
        self.took(put.await?)
    }

    /// What did not fit was not written.
    fn took(&self, fitted: bool) -> Result<(), Error> {
        if fitted { Ok(()) } else { Err(Error::KvFull { limit_bytes: self.limit_bytes }) }
    }

    pub async fn delete(&self, script: &str, key: &str) -> Result<bool, Error> {
        let (script, key) = (script.to_owned(), key.to_owned());
        self.store
            .write(move |c| {
                let gone = c
                    .prepare_cached("DELETE FROM kv WHERE script = ?1 AND key = ?2")?
                    .execute(params![script, key])?;
                Ok(gone > 0)
            })
            .await
    }

    /// Adds `by` to a number (missing: 0) and returns the sum, or `None` when the value is not a number.
    pub async fn incr(&self, script: &str, key: &str, by: f64) -> Result<Option<f64>, Error> {
        let (script, key, now) = (script.to_owned(), key.to_owned(), self.clock.now_ms());
        let limit = self.limit_bytes;
        let (sum, fitted) = self
            .store
            .write(move |c| {
                let old = match live(c, &script, &key, now)? {
                    None => 0.0,
                    Some(text) => match text.parse::<f64>() {
                        Ok(number) => number,
                        Err(_) => return Ok((None, true)),
                    },
                };
                let sum = old + by;
                let text = serde_json::Number::from_f64(sum).map(|n| {
                    // 3.0 is stored as 3, so that what Lua wrote as a whole number reads back as one.
                    if sum.fract() == 0.0 && sum.abs() < 9e15 { format!("{sum:.0}") } else { n.to_string() }
                });
                let Some(text) = text else { return Ok((None, true)) };
                if !fits(c, &script, &key, &text, limit)? {
                    return Ok((None, false));
                }
                c.prepare_cached(
                    "INSERT INTO kv (script, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (script, key) DO UPDATE SET value = ?3,
                     expires_at_ms = CASE WHEN expires_at_ms <= ?4 THEN NULL ELSE expires_at_ms END",
                )?
                .execute(params![script, key, text, now])?;
                Ok((Some(sum), true))
            })
            .await?;
        self.took(fitted)?;
        Ok(sum)
    }

    /// Sets `key` to `new` if it holds `old` (`None`: if it is not there); returns whether it did.
    pub async fn cas(
        &self,
        script: &str,
        key: &str,
        old: Option<&str>,
        new: &str,
    ) -> Result<bool, Error> {
        let (script, key, old, new) =
            (script.to_owned(), key.to_owned(), old.map(str::to_owned), new.to_owned());
        let (now, limit) = (self.clock.now_ms(), self.limit_bytes);
        let (swapped, fitted) = self
            .store
            .write(move |c| {
                if live(c, &script, &key, now)? != old {
                    return Ok((false, true));
                }
                Ok((true, put(c, &script, &key, &new, None, (now, limit))?))
            })
            .await?;
        self.took(fitted)?;
        Ok(swapped)
    }

    /// Keys that start with `prefix`, in order, `limit` at most.
    pub async fn list(&self, script: &str, prefix: &str, limit: u32) -> Result<Vec<Entry>, Error> {
        let (script, prefix, now) = (script.to_owned(), prefix.to_owned(), self.clock.now_ms());
        self.store
            .read(move |c| {
                c.prepare_cached(
                    "SELECT key, value FROM kv WHERE script = ?1 AND substr(key, 1, length(?2)) = ?2
                     AND (expires_at_ms IS NULL OR expires_at_ms > ?3) ORDER BY key LIMIT ?4",
                )?
                .query_map(params![script, prefix, now, limit], |row| {
                    Ok(Entry { key: row.get(0)?, value: row.get(1)? })
                })?
                .collect()
            })
            .await
    }
}

fn live(
    c: &rusqlite::Connection,
    script: &str,
    key: &str,
    now_ms: i64,
) -> rusqlite::Result<Option<String>> {
    c.prepare_cached(
        "SELECT value FROM kv WHERE script = ?1 AND key = ?2 AND (expires_at_ms IS NULL OR expires_at_ms > ?3)",
    )?
    .query_row(params![script, key, now_ms], |row| row.get(0))
    .optional()
}

/// Whether the script may have `value` there, too; what gets smaller always fits. How much it has is counted by triggers.
fn fits(
    c: &rusqlite::Connection,
    script: &str,
    key: &str,
    value: &str,
    limit_bytes: u64,
) -> rusqlite::Result<bool> {
    let has = "SELECT bytes FROM kv_sizes WHERE script = ?1";
    let has: i64 =
        c.prepare_cached(has)?.query_row([script], |row| row.get(0)).optional()?.unwrap_or(0);
    let there = "SELECT length(CAST(key AS BLOB)) + length(CAST(value AS BLOB)) FROM kv WHERE script = ?1 AND key = ?2";
    let there: i64 = c
        .prepare_cached(there)?
        .query_row([script, key], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let new = i64::try_from(key.len() + value.len()).unwrap_or(i64::MAX);
    let most = i64::try_from(limit_bytes).unwrap_or(i64::MAX);
    Ok(new <= there || has.saturating_sub(there).saturating_add(new) <= most)
}

/// `false`: it does not fit, and nothing was changed.
fn put(
    c: &rusqlite::Connection,
    script: &str,
    key: &str,
    value: &str,
    ttl_ms: Option<i64>,
    (now, limit_bytes): (i64, u64),
) -> rusqlite::Result<bool> {
    // Whoever writes sweeps: what has expired goes, so the table holds only what is alive.
    c.prepare_cached("DELETE FROM kv WHERE expires_at_ms <= ?1")?.execute(params![now])?;
    if !fits(c, script, key, value, limit_bytes)? {
        return Ok(false);
    }
    c.prepare_cached(
        "INSERT INTO kv (script, key, value, expires_at_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (script, key) DO UPDATE SET value = ?3, expires_at_ms = ?4",
    )?
    .execute(params![script, key, value, ttl_ms.map(|ttl| now.saturating_add(ttl))])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Kv) {
        let dir = tempfile::tempdir().unwrap();
        let kv = Kv::new(Store::open(dir.path()).unwrap());
        (dir, kv)
    }

    #[tokio::test]
    async fn a_script_has_so_much_and_no_more_and_makes_room_by_what_it_removes() {
        let (_dir, kv) = open();
        let kv = kv.within(1_000);
        let full =
            |result: Result<(), Error>| matches!(result, Err(Error::KvFull { limit_bytes: 1_000 }));
        let value = "x".repeat(399);
        kv.set("a", "1", &value, None).await.unwrap();
        kv.set("a", "2", &value, None).await.unwrap();
        assert!(full(kv.set("a", "3", &value, None).await));
        assert!(full(kv.cas("a", "3", None, &value).await.map(drop)));
        assert_eq!(kv.get("a", "3").await.unwrap(), None);
        // Another script has as much; what is there may be written again, and smaller.
        kv.set("b", "3", &value, None).await.unwrap();
        kv.set("a", "2", &value, None).await.unwrap();
        kv.set("a", "2", "x", None).await.unwrap();
        kv.set("a", "3", &value, None).await.unwrap();
        assert!(full(kv.set("a", "4", &value, None).await));
        assert!(kv.delete("a", "1").await.unwrap());
        kv.set("a", "4", &value, Some(0)).await.unwrap();
        // What has expired takes no room.
        kv.set("a", "5", &value, None).await.unwrap();
        assert!(full(kv.set("a", "6", &"y".repeat(300), None).await));
        assert_eq!(kv.incr("a", "n", 1.0).await.unwrap(), Some(1.0));
    }

    #[tokio::test]
    async fn a_thousand_increments_at_once_add_up_to_a_thousand() {
        let (_dir, kv) = open();
        futures_util::future::join_all((0..1000).map(|_| kv.incr("a", "n", 1.0))).await;
        assert_eq!(kv.get("a", "n").await.unwrap().as_deref(), Some("1000"));
    }

    #[tokio::test]
    async fn a_script_does_not_see_the_keys_of_another() {
        let (_dir, kv) = open();
        kv.set("a", "secret", "1", None).await.unwrap();
        assert_eq!(kv.get("b", "secret").await.unwrap(), None);
        assert!(kv.list("b", "", 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_has_expired_is_gone() {
        let (_dir, kv) = open();
        kv.set("a", "k", "1", Some(-1)).await.unwrap();
        assert_eq!(kv.get("a", "k").await.unwrap(), None);
        assert_eq!(kv.incr("a", "k", 5.0).await.unwrap(), Some(5.0));
        assert_eq!(kv.get("a", "k").await.unwrap().as_deref(), Some("5"));
    }

    #[tokio::test]
    async fn only_one_of_many_wins_a_compare_and_set() {
        let (_dir, kv) = open();
        let tries =
            futures_util::future::join_all((0..50).map(|_| kv.cas("a", "lock", None, "true")))
                .await;
        assert_eq!(tries.into_iter().filter(|t| *t.as_ref().unwrap()).count(), 1);
    }

    #[tokio::test]
    async fn adding_to_a_text_is_refused() {
        let (_dir, kv) = open();
        kv.set("a", "k", "\"text\"", None).await.unwrap();
        assert_eq!(kv.incr("a", "k", 1.0).await.unwrap(), None);
    }
}
