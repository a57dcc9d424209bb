//! Runs that only wait for a person, for a moment or for their turn hold no place among those that run side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts the runs that rest; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Resting(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: AtomicUsize,
    grew: Notify,
}

/// While it lives, one more run rests.
#[derive(Debug)]
pub struct Rest(Resting);

impl Resting {
    #[must_use = "the rest ends when this is dropped"]
    pub fn rest(&self) -> Rest {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        self.0.grew.notify_one();
        Rest(self.clone())
    }

    pub fn count(&self) -> usize {
        self.0.count.load(Ordering::SeqCst)
    }

    /// Waits until one more run rests.
    ///
    /// # Cancel safety
    /// Cancel safe: a rest that nobody took note of is kept for the next call.
    pub async fn grew(&self) {
        self.0.grew.notified().await;
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.0.count.fetch_sub(1, Ordering::SeqCst);
    }
}
