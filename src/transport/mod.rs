//! Ways in: whatever DingTalk sends becomes a committed inbox row first and is acknowledged second.
//!
//! A transport never waits for a handler and never drops what it cannot store: a delivery that is not committed is not
//! acknowledged, so DingTalk sends it again.

mod backoff;
mod socket;
mod stream;

pub use socket::{Counters, Totals};
pub use stream::{State, Stream, Timing};

/// Why a transport cannot go on at all.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("messages cannot be stored any more: {0}")]
    Journal(String),
}
