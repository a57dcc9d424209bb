//! Runs that nobody's message started: which are under way, and how they end. There is no chat to say it in, so whoever
//! looks after them listens here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::api::Noted;
use crate::api::Run;

/// Ends that a slow listener may lag behind: of many short timers.
const ENDS: usize = 1_024;

/// How such a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    Done,
    /// With the error in full.
    Failed(String),
    /// Somebody stopped it: neither well nor ill.
    Cancelled,
    /// The host stopped while it ran.
    Interrupted,
}

/// The end of one run.
#[derive(Clone, Debug)]
pub struct Background {
    /// The script, as its path below the scripts folder.
    pub script: Arc<str>,
    /// Counts the versions of the script.
    pub version: u64,
    /// What was run: `every 10s`, `on start`.
    pub what: String,
    /// Id of the run, as in the log.
    pub run: String,
    /// Why it failed, if it did: one line, with its place.
    pub failed: Option<String>,
    pub finish: Finish,
    /// A row of the inbox started it, an event or a click, and tells of it.
    pub has_row: bool,
    pub started_at_ms: i64,
    pub ended_at_ms: i64,
    /// Replies and cards.
    pub said: usize,
    pub noted: Noted,
}

/// A run that is under way.
#[derive(Clone, Debug)]
pub struct UnderWay {
    pub run: Arc<Run>,
    pub script: Arc<str>,
    /// Counts the versions of the script.
    pub version: u64,
    pub what: String,
    pub started_at_ms: i64,
}

/// Those that are under way, by their ids; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<Mutex<BTreeMap<String, UnderWay>>>);

impl Live {
    /// Oldest first.
    pub fn list(&self) -> Vec<UnderWay> {
        let mut list: Vec<UnderWay> = self.lock().values().cloned().collect();
        list.sort_by_key(|one| one.started_at_ms);
        list
    }

    /// Cancels the run `id`. Returns whether it is under way.
    pub fn stop(&self, id: &str) -> bool {
        let run = self.lock().get(id).map(|one| Arc::clone(&one.run));
        run.is_some_and(|run| {
            run.cancel().cancel();
            true
        })
    }

    pub(super) fn enter(&self, one: UnderWay) -> Entered {
        let id = one.run.id().to_owned();
        self.lock().insert(id.clone(), one);
        Entered { live: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, UnderWay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a run in the list until it is dropped.
#[derive(Debug)]
pub(super) struct Entered {
    live: Live,
    id: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.live.lock().remove(&self.id);
    }
}

/// Where those ends are told; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    told: broadcast::Sender<Arc<Background>>,
    pub(super) live: Live,
}

impl Default for Ends {
    fn default() -> Self {
        Self { told: broadcast::channel(ENDS).0, live: Live::default() }
    }
}

impl Ends {
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Background>> {
        self.told.subscribe()
    }

    pub(super) fn tell(&self, end: Background) {
        // Nobody listening is nobody's mistake.
        let _ = self.told.send(Arc::new(end));
    }
}
