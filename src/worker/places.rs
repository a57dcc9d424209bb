//! How much may be under way at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many rows may be under way; past these, work stays in the inbox.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Runs at the same time. Those that only wait, for a person or a time, do not count: who asks two thousand people
    /// something still serves the next.
    pub side_by_side: usize,
    /// Runs with those that wait: each is a coroutine and its message, some ten kilobytes.
    pub under_way: usize,
    /// Beside these, for what must be heard whatever runs: `stop`, and the answer that a run waits for.
    pub always: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { side_by_side: 2048, under_way: 8192, always: 64 }
    }
}

/// One more, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
