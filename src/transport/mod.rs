//! Ways in: whatever DingTalk sends becomes a committed inbox row first and is acknowledged second.
//!
//! A transport never waits for a handler and never drops what it cannot store: a delivery that is not committed is not
//! acknowledged, so DingTalk sends it again.

mod backoff;
mod link;
mod probe;
mod quiet;
mod rivals;
mod socket;
mod stream;
mod wake;

use std::time::SystemTime;

pub use link::{Link, Phase, State};
pub use probe::{Heard, look};
pub use socket::{Counters, Totals};
pub use stream::{OpenError, Stream, Timing};

/// Unix time in milliseconds.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Why a transport cannot go on at all.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("messages cannot be stored any more: {0}")]
    Journal(String),
}
