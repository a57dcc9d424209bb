//! Ways in: whatever DingTalk sends becomes a committed inbox row first and is acknowledged second.
//!
//! A transport never waits for a handler and never drops what it cannot store: a delivery that is not committed is not
//! acknowledged, so DingTalk sends it again.

mod backoff;
mod counters;
mod link;
mod probe;
mod quiet;
mod rivals;
mod socket;
mod stream;
mod wake;
mod webhook;

use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

pub use counters::{Counters, Totals};
pub use link::{Link, Phase, State};
pub use probe::{Heard, look};
pub use stream::{Stream, StreamError, Timing, advice};
pub use webhook::{Addresses, Fit, OpenError, Rules, Unfit, Webhook, look_at_certificate};

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

/// The way in of one host.
#[derive(Debug)]
pub enum Transport {
    /// moonbell dials out.
    Stream(Box<Stream>),
    /// DingTalk calls.
    Webhook(Box<Webhook>),
}

impl Transport {
    /// Returns a view of it, for those who tell how it is.
    pub fn link(&self) -> Link {
        match self {
            Self::Stream(stream) => stream.link(),
            Self::Webhook(webhook) => webhook.link(),
        }
    }

    /// Where DingTalk calls, if it does.
    pub fn addresses(&self) -> Option<&Addresses> {
        match self {
            Self::Stream(_) => None,
            Self::Webhook(webhook) => Some(webhook.addresses()),
        }
    }

    /// What calls have to show, to be changed.
    pub fn rules(&self) -> Option<Rules> {
        match self {
            Self::Stream(_) => None,
            Self::Webhook(webhook) => Some(webhook.rules()),
        }
    }

    /// Replaces the times, for tests.
    #[must_use]
    pub fn timing(self, timing: Timing) -> Self {
        match self {
            Self::Stream(stream) => Self::Stream(Box::new(stream.timing(timing))),
            Self::Webhook(webhook) => Self::Webhook(Box::new(webhook.timing(timing))),
        }
    }

    /// Takes in what comes until `stop`, then finishes the commits under way.
    ///
    /// # Errors
    /// [`Fatal`] only when nothing can be stored any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Fatal> {
        match self {
            Self::Stream(stream) => Box::pin(stream.run(stop)).await,
            Self::Webhook(webhook) => Box::pin(webhook.run(stop)).await,
        }
    }
}
