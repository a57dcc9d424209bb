//! One body for each signature.
//!
//! DingTalk's signature covers the time alone: whoever saw one could say anything under it, as anybody, until it is too
//! old. So the first body that comes under a signature is the only one, also for the next host: it is in the journal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ring::digest;
use rusqlite::params;

use crate::store::Error;
use crate::store::Store;

/// Signatures remembered at once: more than come honestly in the longest window at 50 calls a second, and they are only
/// made with the secret.
const REMEMBERED: usize = 200_000;

/// Between two sweeps of what is too old.
const SWEEP_MS: i64 = 10_000;

/// Owner of the table `signatures`.
#[derive(Debug)]
pub(super) struct Seen {
    table: Mutex<Table>,
    store: Store,
}

#[derive(Debug, Default)]
struct Table {
    proofs: HashMap<Digest, Kept>,
    swept_at_ms: i64,
}

type Digest = [u8; 32];

#[derive(Clone, Copy, Debug)]
struct Kept {
    body: Digest,
    until_ms: i64,
    /// What the call brought is in the journal.
    stored: bool,
}

/// What is known of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// It comes for the first time, and is bound to this body.
    New(Mark),
    /// It came with this body before, and perhaps that could not be stored.
    Again,
    /// It came with this body before, and all of that is in the journal.
    Stored,
    /// It came with another one.
    Another,
    /// There is no room for more signatures.
    Unknown,
}

/// A signature and its body, to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    proof: Digest,
    body: Digest,
    until_ms: i64,
    /// What is too old goes with it.
    swept_ms: Option<i64>,
}

impl Seen {
    /// With what the last host has seen.
    pub(super) async fn open(store: Store) -> Result<Self, Error> {
        let proofs = store
            .read(|c| {
                c.prepare("SELECT proof, body, until_ms FROM signatures")?
                    .query_map([], |row| {
                        Ok((
                            row.get(0)?,
                            Kept { body: row.get(1)?, until_ms: row.get(2)?, stored: false },
                        ))
                    })?
                    .collect::<rusqlite::Result<HashMap<Digest, Kept>>>()
            })
            .await?;
        Ok(Self { table: Mutex::new(Table { proofs, swept_at_ms: 0 }), store })
    }

    /// Binds `proof` to `body` until `until_ms`, unless it is bound already.
    pub(super) fn bind(&self, proof: &str, body: &[u8], until_ms: i64, now_ms: i64) -> Body {
        let (proof, body) = (digest_of(proof.as_bytes()), digest_of(body));
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let sweeps = now_ms.saturating_sub(table.swept_at_ms).abs() >= SWEEP_MS;
        if sweeps {
            table.swept_at_ms = now_ms;
            table.proofs.retain(|_, kept| kept.until_ms >= now_ms);
        }
        if let Some(kept) = table.proofs.get(&proof) {
            return match kept {
                kept if kept.body != body => Body::Another,
                Kept { stored: true, .. } => Body::Stored,
                Kept { .. } => Body::Again,
            };
        }
        if table.proofs.len() >= REMEMBERED {
            return Body::Unknown;
        }
        table.proofs.insert(proof, Kept { body, until_ms, stored: false });
        Body::New(Mark { proof, body, until_ms, swept_ms: sweeps.then_some(now_ms) })
    }

    /// From now on the same call is answered without asking the journal: who repeats it a thousand times costs nothing.
    pub(super) fn stored(&self, mark: &Mark) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = table.proofs.get_mut(&mark.proof) {
            kept.stored = true;
        }
    }

    /// Stores it for the next host.
    pub(super) async fn keep(&self, mark: Option<Mark>) -> Result<(), Error> {
        let Some(mark) = mark else { return Ok(()) };
        self.store
            .write(move |c| {
                if let Some(now_ms) = mark.swept_ms {
                    c.prepare_cached("DELETE FROM signatures WHERE until_ms < ?1")?
                        .execute([now_ms])?;
                }
                c.prepare_cached(
                    "INSERT OR IGNORE INTO signatures (proof, body, until_ms) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![mark.proof, mark.body, mark.until_ms])
                .map(drop)
            })
            .await
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the body was taken.
    fn takes(seen: &Seen, proof: &str, body: &[u8], until_ms: i64, now_ms: i64) -> bool {
        !matches!(seen.bind(proof, body, until_ms, now_ms), Body::Another | Body::Unknown)
    }

    #[tokio::test]
    async fn the_first_body_under_a_signature_is_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::open(Store::open(folder.path()).unwrap()).await.unwrap();
        assert!(takes(&seen, "a", b"one", 1_000, 0));
        assert!(takes(&seen, "a", b"one", 1_000, 500));
        assert!(!takes(&seen, "a", b"two", 1_000, 600));
        assert!(takes(&seen, "b", b"two", 1_000, 600));
        // Its time is over: the door refuses it anyway.
        assert!(takes(&seen, "c", b"three", 90_000, 60_000));
        assert!(takes(&seen, "a", b"two", 99_000, 60_001));
        // A clock that is put back forgets nothing.
        assert!(takes(&seen, "d", b"one", 1_000_000, 0));
        assert!(!takes(&seen, "a", b"three", 99_000, 70_000));
    }

    #[tokio::test]
    async fn what_was_stored_is_known_to_the_next_host_until_it_is_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let seen = Seen::open(store.clone()).await.unwrap();
        let keep = async |proof: &str, until_ms: i64, now_ms: i64| {
            let Body::New(mark) = seen.bind(proof, b"one", until_ms, now_ms) else {
                panic!("{proof}")
            };
            seen.keep(Some(mark)).await.unwrap();
            assert_eq!(seen.bind(proof, b"one", until_ms, now_ms), Body::Again);
            seen.stored(&mark);
            assert_eq!(seen.bind(proof, b"one", until_ms, now_ms), Body::Stored);
        };
        keep("old", 1_000, 0).await;
        keep("kept", 90_000, 500).await;
        keep("swept", 95_000, 50_000).await;
        let next = Seen::open(store).await.unwrap();
        assert!(!takes(&next, "kept", b"two", 90_000, 50_001));
        assert!(takes(&next, "kept", b"one", 90_000, 50_001));
        assert!(takes(&next, "old", b"two", 90_000, 50_001));
    }
}
