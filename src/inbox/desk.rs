//! What the journal keeps in memory beside its table: who waits in which lane, and who may start without waiting.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::Notify;

use super::{Row, short_id};
use crate::message::CardAction;
use crate::message::Inbound;
use crate::message::Message;
use crate::store::Lanes;

#[derive(Default)]
pub(super) struct Shared {
    pub(super) desk: Mutex<Desk>,
    pub(super) answers: OnceLock<Answers>,
    pub(super) urgent: OnceLock<Urgent>,
    pub(super) ready: Notify,
}

/// Whether a message that has just come in a lane answers a question that was asked there.
pub(super) type Answers = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Whether a click waits for no other.
pub(super) type Urgent = Box<dyn Fn(&CardAction) -> bool + Send + Sync>;

/// Begins the lane of a message that answers a question: it goes past the run that waits for it.
pub(super) const ANSWER: &str = "answer\u{1f}";

/// Begins the lane of a message that came too late to be acted on.
pub(super) const LATE: &str = "late\u{1f}";

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("desk", &self.desk).finish_non_exhaustive()
    }
}

/// Rows of one lane that wait before its person is told that they do. Nothing is refused: they are on disk.
const CROWD: usize = 500;

/// What waits, and what may start without waiting.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// Ids of the rows that wait or run, by lane; agrees with the table after each commit.
    pub(super) lanes: Lanes,
    /// Rows that the worker can still take beside those it has: set by each claim, none before the first and after
    /// [`Inbox::close`].
    pub(super) room: usize,
    /// Of it, taken by rows that are claimed with a commit under way.
    pub(super) reserved: usize,
    /// Rows that were claimed with their commit, for the next claim to hand out.
    pub(super) started: Vec<Row>,
    /// Lanes whose persons know that much of theirs waits, until half of it is done.
    pub(super) told: HashSet<String>,
    /// Of those, the messages that made it so much, for the worker to tell.
    pub(super) crowded: Vec<Message>,
}

impl Desk {
    /// A message came to wait behind others of its lane.
    fn crowd(&mut self, lane: &str, inbound: Inbound) {
        if self.lanes.waiting_in(lane) >= CROWD
            && !self.told.contains(lane)
            && let Inbound::Message(message) = inbound
        {
            self.told.insert(lane.to_owned());
            self.crowded.push(message);
        }
    }

    /// A row of this lane was handed out.
    pub(super) fn thin_out(&mut self, lane: &str) {
        if !self.told.is_empty() && self.lanes.waiting_in(lane) <= CROWD / 2 {
            self.told.remove(lane);
        }
    }
}

/// The place of a message that is being written. Dropped before the commit is known to have worked, it is given back.
pub(super) struct Place {
    shared: Arc<Shared>,
    pub(super) lane: String,
    /// Claimed already; else it will wait in its lane.
    pub(super) starts: bool,
    settled: bool,
}

impl Place {
    pub(super) fn reserve(shared: Arc<Shared>, lane: String) -> Self {
        let mut desk = shared.desk();
        let starts = desk.room > 0 && desk.lanes.start(&lane);
        if starts {
            desk.room -= 1;
            desk.reserved += 1;
        } else {
            desk.lanes.announce(&lane);
        }
        drop(desk);
        Self { shared, lane, starts, settled: false }
    }

    /// The row is on disk. `may_answer`: it is a message that a question may have waited for.
    pub(super) fn settle(
        mut self,
        id: i64,
        received_at_ms: i64,
        inbound: Inbound,
        may_answer: bool,
    ) {
        self.settled = true;
        let lane = std::mem::take(&mut self.lane);
        let answers = may_answer && self.shared.answers.get().is_some_and(|answers| answers(&lane));
        let past = || format!("{ANSWER}{id}");
        let mut desk = self.shared.desk();
        if self.starts {
            let lane = if answers {
                desk.lanes.release(&lane);
                past()
            } else {
                lane
            };
            desk.reserved -= 1;
            let run = short_id(id);
            desk.started.push(Row { id, run, lane, received_at_ms, attempt: 1, inbound });
        } else if answers {
            desk.lanes.forget(&lane);
            desk.lanes.push(past(), id);
        } else {
            desk.lanes.arrive(lane.clone(), id);
            desk.crowd(&lane, inbound);
        }
        drop(desk);
        self.shared.ready.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut desk = self.shared.desk();
        if self.starts {
            // The claim that this wakes finds the room again.
            desk.reserved -= 1;
            desk.lanes.release(&self.lane);
        } else {
            desk.lanes.forget(&self.lane);
        }
        drop(desk);
        self.shared.ready.notify_one();
    }
}

impl Shared {
    pub(super) fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().expect("nobody panics holding this")
    }
}
