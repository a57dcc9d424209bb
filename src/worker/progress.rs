//! Notes how far runs are that take long, so that a crash leaves an account of them, and other processes see them.
//!
//! On a slow timer, all in one commit, and only what has changed: a run of a moment is written with its end alone.

use std::collections::HashMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::own;
use super::served::{Blanked, Served};
use crate::inbox;
use crate::store::now_ms;

/// How often; and how old a run is before it is noted at all.
const EVERY: Duration = Duration::from_secs(1);

/// Rows of one commit: with more under way, each comes a little later.
const AT_ONCE: usize = 256;

/// One row as it is to be noted.
struct Note {
    row: i64,
    waits: bool,
    account: Blanked,
}

impl Dispatch {
    /// Notes until `stop`.
    pub async fn note_progress(self, stop: CancellationToken) {
        // What was noted of each row: whether it waits, its replies, and its changes.
        let mut known: HashMap<i64, (bool, usize, u64)> = HashMap::new();
        // The same of each run that no message started.
        let mut known_own: HashMap<String, (usize, u64)> = HashMap::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            self.note_own(&mut known_own).await;
            let mut seen = HashMap::new();
            let mut notes = Vec::new();
            let old = now_ms() - i64::try_from(EVERY.as_millis()).unwrap_or(0);
            for entry in self.running.list() {
                let Some(row) = entry.row.filter(|_| entry.started_at_ms <= old) else { continue };
                let state = (entry.run.is_waiting(), entry.run.said(), entry.run.changes());
                let changed = known.get(&row) != Some(&state);
                if changed && notes.len() >= AT_ONCE {
                    // It keeps what it had, and is noted another time.
                    seen.extend(known.get(&row).map(|before| (row, *before)));
                    continue;
                }
                seen.insert(row, state);
                if changed {
                    let mut served = entry.served.clone();
                    served.wrote(&entry.run);
                    notes.push(Note { row, waits: state.0, account: served.blanked(None) });
                }
            }
            for (row, handler) in self.turns.rows_waiting() {
                let state = (true, 0, 0);
                let changed = known.get(&row) != Some(&state);
                if changed && notes.len() >= AT_ONCE {
                    continue;
                }
                seen.insert(row, state);
                if changed {
                    let served = Served { handler: Some(handler), ..Served::default() };
                    notes.push(Note { row, waits: true, account: served.blanked(None) });
                }
            }
            known = seen;
            if notes.is_empty() {
                continue;
            }
            let written = self.store.write(move |c| {
                let mut notes = notes.iter();
                notes.try_for_each(|note| {
                    inbox::note(c, note.row, note.waits, &note.account.account())
                })
            });
            if let Err(error) = written.await {
                tracing::debug!(%error, "how far runs are cannot be noted");
                known.clear();
            }
        }
    }

    /// Gives runs that no message started a row once they take long, and notes how far they are.
    async fn note_own(&self, known: &mut HashMap<String, (usize, u64)>) {
        let mut seen = HashMap::new();
        let mut notes = Vec::new();
        for one in self.live.list() {
            let id = one.run.id().to_owned();
            let state = (one.run.said(), one.run.changes());
            // By the clock that tells how long it took in the end: a row that was begun is then ended, too.
            if one.run.age() < own::A_WHILE || notes.len() >= AT_ONCE {
                seen.extend(known.get(&id).map(|before| (id, *before)));
                continue;
            }
            if known.get(&id) != Some(&state) {
                notes.push(own::so_far(&one));
            }
            seen.insert(id, state);
        }
        *known = seen;
        if !notes.is_empty()
            && let Err(error) = self.inbox.keep_own(notes, Vec::new()).await
        {
            tracing::debug!(%error, "how far runs of timers are cannot be noted");
            known.clear();
        }
    }
}
