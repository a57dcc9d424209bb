//! Makes room, now and then: files from chats that are old, and accounts of runs past what the settings keep.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::fs::inbox as received;
use crate::asks::Asks;
use crate::config::History;
use crate::inbox::Inbox;
use crate::inbox::Keep;
use crate::outbox::Outbox;
use crate::store;

/// How often files from chats are swept.
const FILES_EVERY: Duration = Duration::from_hours(1);

/// How often accounts are: of a busy bot the journal grows by some hundred megabytes in an hour.
const HISTORY_EVERY: Duration = Duration::from_mins(5);

/// Between two batches: messages go first.
const PAUSE: Duration = Duration::from_millis(20);

/// What is swept.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) asks: Asks,
    /// Followed: the settings may say otherwise later.
    pub(super) history: watch::Receiver<History>,
    pub(super) files: PathBuf,
}

impl Sweep {
    /// Sweeps at once, and then again and again until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut files_due = Instant::now();
        loop {
            if Instant::now() >= files_due {
                files_due = Instant::now() + FILES_EVERY;
                let (files, today) = (self.files.clone(), chrono::Local::now().date_naive());
                let swept =
                    tokio::task::spawn_blocking(move || received::sweep(&files, today)).await;
                if let Ok(Err(error)) = swept {
                    tracing::warn!(%error, "old files from chats were not swept out");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                swept = self.history() => if let Err(error) = swept {
                    tracing::warn!(%error, "old accounts of runs were not swept out");
                },
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(HISTORY_EVERY) => {}
            }
        }
    }

    async fn history(&self) -> Result<(), store::Error> {
        let history = *self.history.borrow();
        let keep = Keep { age: history.keep, bytes: history.max_bytes.unwrap_or(u64::MAX) };
        let mut sweep = self.inbox.sweep(keep);
        while let Some(before_ms) = sweep.step().await? {
            self.outbox.sweep(before_ms).await?;
            self.asks.sweep(before_ms).await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}
