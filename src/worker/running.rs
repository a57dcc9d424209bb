//! The runs of this moment: to list them, and to stop them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::served::Served;
use crate::api::Resting;
use crate::api::Run;
use crate::api::Stop;
use crate::message::ConversationId;
use crate::message::StaffId;

/// Runs by their ids; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Running {
    runs: Arc<Mutex<BTreeMap<String, Entry>>>,
    resting: Resting,
    totals: Arc<Mutex<Totals>>,
}

/// Runs that ended since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub done: u64,
    /// Failed, cancelled or interrupted.
    pub failed: u64,
}

/// One run, as `runs` and `status` show it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub run: Arc<Run>,
    /// Its row, if it is the first run of it.
    pub row: Option<i64>,
    pub person: StaffId,
    pub chat: ConversationId,
    /// What it is; what it wrote is with the run.
    pub served: Served,
    pub started_at_ms: i64,
}

/// Keeps a run in the list until it is dropped.
#[derive(Debug)]
pub(super) struct Listed {
    running: Running,
    id: String,
}

impl Listed {
    /// Takes the run off the list and counts it.
    pub(super) fn ended(self, well: bool) {
        let mut totals = self.running.totals.lock().expect("nobody panics holding this");
        if well {
            totals.done += 1;
        } else {
            totals.failed += 1;
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}

impl Entry {
    /// Name of the handler.
    pub fn handler(&self) -> &str {
        self.served.handler.as_deref().unwrap_or_default()
    }
}

impl Running {
    pub(super) fn add(&self, entry: Entry) -> Listed {
        let id = entry.run.id().to_owned();
        self.lock().insert(id.clone(), entry);
        Listed { running: self.clone(), id }
    }

    /// Those that hold no place, because they only wait.
    pub(super) fn resting(&self) -> &Resting {
        &self.resting
    }

    pub fn totals(&self) -> Totals {
        *self.totals.lock().expect("nobody panics holding this")
    }

    pub fn list(&self) -> Vec<Entry> {
        let mut list: Vec<Entry> = self.lock().values().cloned().collect();
        list.sort_by_key(|entry| entry.started_at_ms);
        list
    }

    /// Cancels the runs that `chosen` picks; returns their ids.
    pub(super) fn stop(&self, chosen: impl Fn(&Entry) -> bool) -> Vec<String> {
        let picked: Vec<Entry> = self.list().into_iter().filter(chosen).collect();
        picked
            .into_iter()
            .map(|entry| {
                entry.run.stop(Stop::Person);
                entry.run.id().to_owned()
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.runs.lock().expect("nobody panics holding this")
    }
}
