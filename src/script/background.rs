//! How runs end that nobody's message started: there is no chat to say it in, so whoever looks after them listens here.

use std::sync::Arc;

use tokio::sync::broadcast;

/// Ends that a slow listener may lag behind: of many short timers.
const ENDS: usize = 256;

/// The end of one run.
#[derive(Clone, Debug)]
pub struct Background {
    /// The script, as its path below the scripts folder.
    pub script: Arc<str>,
    /// What was run: `every 10s`, `on start`.
    pub what: String,
    /// Id of the run, as in the log.
    pub run: String,
    /// Why it failed, if it did: one line, with its place.
    pub failed: Option<String>,
}

/// Where those ends are told; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Ends(broadcast::Sender<Arc<Background>>);

impl Default for Ends {
    fn default() -> Self {
        Self(broadcast::channel(ENDS).0)
    }
}

impl Ends {
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Background>> {
        self.0.subscribe()
    }

    pub(super) fn tell(&self, end: Background) {
        // Nobody listening is nobody's mistake.
        let _ = self.0.send(Arc::new(end));
    }
}
