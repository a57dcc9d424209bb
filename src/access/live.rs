//! The runs that were allowed and have not ended: each is stopped when it would not be allowed any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::actor::{Actor, Who};
use super::audit::{Audit, Record, told};
use super::denied::Denied;
use super::terms::Terms;
use crate::message::Chat;

/// Runs by a number of their own: one row of the inbox may have several under similar names.
#[derive(Clone, Debug, Default)]
pub(super) struct Live(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    next: u64,
    runs: BTreeMap<u64, Arc<Allowed>>,
}

/// A run and what it was allowed by.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) who: Who,
    actor: Actor,
    pub(super) chat: Option<Chat>,
    pub(super) handler: String,
    pub(super) terms: Option<Terms>,
    run: String,
    cancel: CancellationToken,
    taken: OnceLock<Denied>,
}

/// Leave to run, until it is dropped. How the run ended is recorded with it.
#[derive(Debug)]
pub struct Permit {
    live: Live,
    number: u64,
    allowed: Arc<Allowed>,
    audit: Audit,
    ended: bool,
}

impl Permit {
    /// Why the run was stopped, if leave was taken from it.
    pub fn taken(&self) -> Option<&Denied> {
        self.allowed.taken.get()
    }

    /// The run has ended so: `done`, `failed`, `cancelled`, `interrupted`, or `passed` on.
    pub fn ended(mut self, how: &str) {
        self.record(how);
    }

    fn record(&mut self, how: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.audit.record(Record {
            chat: self.allowed.chat.as_ref().map(|chat| chat.id.to_string()).unwrap_or_default(),
            handler: self.allowed.handler.clone(),
            run: self.allowed.run.clone(),
            reason: self.taken().map(told).unwrap_or_default(),
            ..Record::of("end", how, &self.allowed.actor)
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.live.held().runs.remove(&self.number);
        self.record("interrupted");
    }
}

impl Allowed {
    pub(super) fn new(
        actor: &Actor,
        chat: Option<&Chat>,
        handler: &str,
        terms: Option<&Terms>,
        run: &str,
        cancel: &CancellationToken,
    ) -> Self {
        Self {
            who: actor.who.clone(),
            actor: actor.clone(),
            chat: chat.cloned(),
            handler: handler.to_owned(),
            terms: terms.cloned(),
            run: run.to_owned(),
            cancel: cancel.clone(),
            taken: OnceLock::new(),
        }
    }
}

impl Live {
    pub(super) fn add(&self, allowed: Allowed, audit: &Audit) -> Permit {
        let allowed = Arc::new(allowed);
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.runs.insert(number, Arc::clone(&allowed));
        Permit { live: self.clone(), number, allowed, audit: audit.clone(), ended: false }
    }

    /// Takes leave from the runs for which `still` finds a reason; returns how many those are.
    pub(super) fn sweep(
        &self,
        audit: &Audit,
        still: impl Fn(&Allowed) -> Result<(), Denied>,
    ) -> usize {
        let runs: Vec<Arc<Allowed>> = self.held().runs.values().map(Arc::clone).collect();
        let mut stopped = 0;
        for run in runs {
            let Err(why) = still(&run) else { continue };
            let reason = told(&why);
            if run.taken.set(why).is_ok() {
                stopped += 1;
                audit.record(Record {
                    handler: run.handler.clone(),
                    run: run.run.clone(),
                    reason,
                    ..Record::of("stopped", "deny", &run.actor)
                });
                run.cancel.cancel();
            }
        }
        stopped
    }

    /// How many runs are under way of this person, and of this handler.
    pub(super) fn count(&self, who: &Who, handler: &str) -> (u64, u64) {
        let held = self.held();
        let count = |fits: &dyn Fn(&Allowed) -> bool| {
            held.runs.values().filter(|run| fits(run)).count() as u64
        };
        (count(&|run| run.who == *who), count(&|run| run.handler == handler))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Forgets that it was asked for: the run never began, and the denial was recorded.
    pub(super) fn never(mut self) {
        self.ended = true;
    }
}
