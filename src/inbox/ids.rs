//! Ids of runs: in the order of their commits, none twice, whatever is swept out of the table.
//!
//! The next one is known in memory. On disk stands how far they are reserved, in blocks: after a crash counting goes on
//! behind the block, so that ids which were given out and never written down do not come again either.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;

/// Ids that are reserved at once: a crash skips as many at most.
const BLOCK: i64 = 1_024;

/// The source of ids; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Ids(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    next: AtomicI64,
    /// The last id that is reserved on disk.
    reserved: AtomicI64,
}

impl Ids {
    /// Goes on behind what is used or reserved. Nothing is reserved yet.
    pub(super) fn open(c: &Connection) -> rusqlite::Result<Self> {
        let used: i64 = c.query_row(
            "SELECT max(ifnull((SELECT max(id) FROM inbox), 0), ifnull((SELECT max(reserved) FROM run_ids), 0))",
            [],
            |row| row.get(0),
        )?;
        Ok(Self(Arc::new(Inner { next: AtomicI64::new(used + 1), reserved: AtomicI64::new(used) })))
    }

    /// The next id. [`Ids::reserve`] follows before it is relied upon.
    pub(super) fn next(&self) -> i64 {
        self.0.next.fetch_add(1, Ordering::SeqCst)
    }

    /// Whether fewer than half a block are reserved ahead.
    pub(super) fn are_short(&self) -> bool {
        self.0.next.load(Ordering::SeqCst) + BLOCK / 2 > self.0.reserved.load(Ordering::SeqCst)
    }

    /// Reserves ahead, in the caller's transaction. `true`: call [`Ids::reserved`] once that is committed.
    pub(super) fn reserve(&self, c: &Connection) -> rusqlite::Result<Option<i64>> {
        if !self.are_short() {
            return Ok(None);
        }
        let until = self.0.next.load(Ordering::SeqCst) + BLOCK;
        c.prepare_cached("UPDATE run_ids SET reserved = ?1 WHERE reserved < ?1")?
            .execute([until])?;
        Ok(Some(until))
    }

    /// What was reserved is on disk.
    pub(super) fn reserved(&self, until: Option<i64>) {
        if let Some(until) = until {
            self.0.reserved.fetch_max(until, Ordering::SeqCst);
        }
    }
}

/// A run's name for people: short enough to type on a phone, without letters that look alike.
pub(super) fn short_id(id: i64) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    // Every step permutes the 2^25 names of five letters, so a name comes back only after 33 million runs.
    let mut n = id.unsigned_abs().wrapping_mul(0x009e_3779) & ((1 << 25) - 1);
    n ^= n >> 13;
    n = n.wrapping_mul(0x0085_ebcb) & ((1 << 25) - 1);
    n ^= n >> 12;
    (0..5)
        .map(|_| {
            let letter = ALPHABET[usize::try_from(n % 32).expect("below 32")];
            n /= 32;
            char::from(letter)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_do_not_repeat_and_neighbours_look_different() {
        let ids: std::collections::HashSet<_> = (0..100_000).map(short_id).collect();
        assert_eq!(ids.len(), 100_000);
        assert_ne!(short_id(1)[..2], short_id(2)[..2]);
    }
}
