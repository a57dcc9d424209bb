//! Calls that a command makes beside the host, or without one: counted in memory, and added to the ledger's table at the end.
//!
//! A host that runs sees them with the next count that it writes. Nothing is refused here: who looks for what is wrong has to
//! ask DingTalk even when the month is used up.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;

use super::table;
use super::tally::Tally;
use crate::config::Budget as Limits;
use crate::dingtalk::{Call, Meter, Push};
use crate::store::{Error, Look, note};

/// A meter for such calls; clones count together.
#[derive(Clone, Debug)]
pub struct Aside {
    tally: Arc<Mutex<Tally>>,
}

impl Default for Aside {
    fn default() -> Self {
        Self { tally: Arc::new(Mutex::new(Tally::new(Limits::unlimited(), Utc::now()))) }
    }
}

impl Aside {
    /// Adds what was counted to the journal in `state`. Where there is none, nobody keeps count yet.
    ///
    /// # Errors
    /// [`Error`] when the journal is of another version, or cannot be written.
    pub fn write(&self, state: &Path) -> Result<(), Error> {
        let fresh = self.tally().take();
        if fresh.is_empty() || Look::open(state)?.is_none() {
            return Ok(());
        }
        note(state, |c| table::add_all(c, &fresh, |_, _| Ok(None)))
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter for Aside {
    fn begin(&self, call: &Call<'_>) -> Result<(), String> {
        self.tally().begin(call, Utc::now())
    }

    fn take_back(&self, call: &Call<'_>) {
        self.tally().take_back(call, Utc::now());
    }

    fn accepted(&self, _: &Call<'_>) {}

    fn used_up(&self, _: &Call<'_>) {}

    fn ask_again(&self) {}

    fn pushed(&self, _: Push, _: Option<(&str, &str)>) {}

    fn pushes_used_up(&self) {}
}
