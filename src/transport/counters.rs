//! What came in since the start, counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::quiet::Quiet;

/// What came in since the start, for `status`.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) frames: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) uncommitted: AtomicU64,
    connections: AtomicU64,
    pub(super) refused: AtomicU64,
    /// Unix time of the last frame in milliseconds; 0: none came yet.
    heard_at_ms: AtomicU64,
    /// Whether the server ever sent a frame by itself.
    keeps_alive: AtomicBool,
    pub(super) waiting: Quiet,
    pub(super) given_up: Quiet,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub frames: u64,
    /// New work, committed.
    pub accepted: u64,
    /// Redeliveries, acknowledged and dropped.
    pub duplicates: u64,
    /// Frames or data that could not be read.
    pub malformed: u64,
    /// Frames of types and topics that nobody subscribed to.
    pub unknown: u64,
    /// Deliveries that could not be stored and were left unacknowledged.
    pub uncommitted: u64,
    pub connections: u64,
    /// Calls that nothing proved to be DingTalk's, or that came too late.
    pub refused: u64,
}

impl Counters {
    pub fn totals(&self) -> Totals {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            frames: get(&self.frames),
            accepted: get(&self.accepted),
            duplicates: get(&self.duplicates),
            malformed: get(&self.malformed),
            unknown: get(&self.unknown),
            uncommitted: get(&self.uncommitted),
            connections: get(&self.connections),
            refused: get(&self.refused),
        }
    }

    pub(super) fn connected(&self) {
        add(&self.connections);
    }

    pub(super) fn heard(&self) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let ms = u64::try_from(since.as_millis()).unwrap_or_default();
        self.heard_at_ms.store(ms, Ordering::Relaxed);
    }

    pub(super) fn heard_at(&self) -> Option<SystemTime> {
        let ms = self.heard_at_ms.load(Ordering::Relaxed);
        (ms > 0).then(|| SystemTime::UNIX_EPOCH + Duration::from_millis(ms))
    }

    pub(super) fn kept_alive(&self) {
        self.keeps_alive.store(true, Ordering::Relaxed);
    }

    pub(super) fn keeps_alive(&self) -> bool {
        self.keeps_alive.load(Ordering::Relaxed)
    }
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
