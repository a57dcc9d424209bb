//! The timer of one `bot.cron` of a generation: waits for the clock on the wall, and makes up for what was missed.
//!
//! When a schedule was due is noted in the store before its run begins, so that a reload or a restart in the same moment
//! doubles nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::api::cron::{Missed, Schedule, Schedules};
use crate::clock::Clock;
use crate::script::generation::Event;
use crate::script::registration::Declared;
use crate::script::vm::Vm;

/// The clock is looked at this often at least: it may be set, and computers sleep.
const LOOK: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub(super) struct Timetable {
    index: usize,
    schedule: Schedule,
    script: Arc<str>,
    /// The row in the store: equal schedules of a script are told apart by their order.
    name: String,
    /// `None`: nothing is kept here.
    store: Option<Schedules>,
    clock: Clock,
}

impl Timetable {
    /// Those of a VM, each at the index of its handler.
    pub(super) fn all(vm: &Vm) -> Vec<Option<Self>> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let store = vm.scope.host().schedules();
        let mut all = vec![None; vm.registrations().len()];
        for registration in vm.registrations() {
            let Declared::Cron { schedule } = &registration.declared else { continue };
            let name = schedule.name();
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            all[registration.handler.0] = Some(Self {
                index: registration.handler.0,
                schedule: schedule.clone(),
                script: Arc::clone(vm.path()),
                name: format!("{name} {count}"),
                store: store.clone(),
                clock: vm.scope.host().clock().clone(),
            });
        }
        all
    }

    /// When the generation begins to serve: due at once if a time was missed that counts, else at the next.
    pub(super) fn first(&self, timers: CancellationToken) -> BoxFuture<'static, Event> {
        let this = self.clone();
        Box::pin(async move {
            let now = this.clock.now();
            let last = this.last(now).await;
            // Also with `skip` nothing that was done is done again, should the clock have been set back.
            match this.schedule.next(last) {
                Some(missed) if missed <= now && this.schedule.missed == Missed::Once => {
                    Event::Due(this.index, now)
                }
                _ => this.wait(last.max(now), timers).await,
            }
        })
    }

    /// The next time after `at`. Times that passed since then are one, or none.
    pub(super) fn after(
        &self,
        at: DateTime<Utc>,
        timers: CancellationToken,
    ) -> BoxFuture<'static, Event> {
        let this = self.clone();
        Box::pin(async move { this.wait(at, timers).await })
    }

    async fn wait(&self, after: DateTime<Utc>, timers: CancellationToken) -> Event {
        let mut after = after;
        loop {
            let Some(due) = self.schedule.next(after) else { return Event::Off };
            loop {
                let left = (due - self.clock.now()).to_std().unwrap_or_default();
                if left.is_zero() {
                    break;
                }
                let nap = if self.clock.stands() { left } else { left.min(LOOK) };
                tokio::select! {
                    () = timers.cancelled() => return Event::Off,
                    () = self.clock.sleep(nap) => {}
                }
            }
            let now = self.clock.now();
            // Woken long after: the computer slept through it.
            let slept = (now - due).to_std().unwrap_or_default() > LOOK * 2;
            if slept && self.schedule.missed == Missed::Skip {
                after = now;
                continue;
            }
            return Event::Due(self.index, if slept { now } else { due });
        }
    }

    /// Writes down that it was due at `at`.
    pub(super) fn note(&self, at: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let this = self.clone();
        Box::pin(async move {
            let Some(store) = &this.store else { return };
            if let Err(error) = store.note(&this.script, &this.name, at.timestamp_millis()).await {
                tracing::error!(script = %this.script, "a schedule was not noted: {error}");
            }
        })
    }

    async fn last(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let Some(store) = &self.store else { return now };
        match store.last(&self.script, &self.name, now.timestamp_millis()).await {
            Ok(ms) => DateTime::from_timestamp_millis(ms).unwrap_or(now),
            Err(error) => {
                tracing::error!(script = %self.script, "what a schedule missed is not known: {error}");
                now
            }
        }
    }
}
