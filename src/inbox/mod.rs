//! Durable journal of accepted work: de-duplicate, claim, complete, park.
//!
//! A row is committed before its delivery is acknowledged, and its key stays for a day: whatever DingTalk repeats is
//! seen once. Workers *pull*: [`Inbox::claim`] hands out the oldest row of each lane that has none running, so a lane
//! runs in order, a slow lane holds up no other, and a person with a thousand waiting messages delays nobody.
//!
//! A claim is committed before the row is handed out: with the message itself where its lane is free and the worker has
//! room, for one fsync instead of two. So a row that is `running` when the host starts was cut short, and
//! [`Inbox::recover`] settles it: one whose handler never began ([`Inbox::begin`]) waits again, the others are marked
//! interrupted, unless the worker knows better. Nothing is silently run a second time.
//!
//! A row stays as the account of its run ([`history`]), and is swept by age and size ([`sweep`]). Runs that no message
//! started get a row with their end.
//!
//! Knows nothing of handlers, nor of how the work came in.

mod begun;
mod desk;
mod end;
mod history;
mod ids;
mod key;
#[cfg(test)]
mod lives;
mod recover;
mod sweep;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trials;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::message::CardAction;
use crate::message::Inbound;
use crate::message::Message;
use crate::store::Error;
use crate::store::Lanes;
use crate::store::Store;
use crate::store::now_ms;

const QUEUED: &str = "queued";
const RUNNING: &str = "running";

/// How long the end of the host waits for commits that are under way.
const SETTLE: Duration = Duration::from_secs(2);

/// Rows handed out by one claim: enough to fill a commit, few enough to be fair.
const CLAIM: usize = 256;

use begun::Begun;
use desk::{ANSWER, Desk, LATE, Place, Shared};
use ids::{Ids, short_id};

pub use end::{Account, End, Own, OwnEnd, State, complete, note, requeue};
pub use history::{
    Filter, Past, complaints, has_ended, last, list, of_run, since, taken_since, unfinished,
};
pub use recover::{Cut, Fate, OwnCut, Recovered};
pub use sweep::{Keep, Sweep};

/// Handle to the journal; cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox {
    store: Store,
    bypass: fn(&str) -> bool,
    shared: Arc<Shared>,
    ids: Ids,
    begun: Arc<Begun>,
    /// What the host before left, until it is settled.
    left: Arc<begun::Left>,
    /// What came before this and has not begun is late; Unix milliseconds.
    oldest_ms: i64,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    New,
    /// Seen before: acknowledge it, do nothing.
    Duplicate,
}

/// A claimed piece of work.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: i64,
    /// Short id of this run, as people see it.
    pub run: String,
    pub lane: String,
    pub received_at_ms: i64,
    /// Which try this is: more than 1 after a crash.
    pub attempt: u32,
    pub inbound: Inbound,
}

impl Row {
    /// Whether it took so long to come that nothing is to be run for it.
    pub fn is_late(&self) -> bool {
        self.lane.starts_with(LATE)
    }

    /// Whether it came as the answer to a question.
    pub fn is_answer(&self) -> bool {
        self.lane.starts_with(ANSWER)
    }

    /// Whether it is heard whatever runs: a control word, or an answer.
    pub fn is_urgent(&self) -> bool {
        key::is_urgent(&self.lane)
    }
}

impl Inbox {
    /// Opens the journal on `store` and finds the rows that still wait.
    ///
    /// Messages whose text `bypass` accepts wait for nobody: `stop` must be heard while what it stops is running.
    pub async fn open(store: Store, bypass: fn(&str) -> bool) -> Result<Self, Error> {
        Self::open_after(store, bypass, None).await
    }

    /// Opens the journal as [`Inbox::open`] does. What has waited longer than `late` until now, because no host was
    /// there, is handed out as late: nobody expects it to be run any more.
    pub async fn open_after(
        store: Store,
        bypass: fn(&str) -> bool,
        late: Option<Duration>,
    ) -> Result<Self, Error> {
        let limit_ms = late.and_then(|late| i64::try_from(late.as_millis()).ok());
        let oldest = limit_ms.map_or(i64::MIN, |limit| now_ms() - limit);
        let opened = store
            .write(move |c| {
                // Rows of an older version have no name before they start.
                let nameless: Vec<i64> = c
                    .prepare("SELECT id FROM inbox WHERE state = 'queued' AND run IS NULL")?
                    .query_map([], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                for id in nameless {
                    c.execute(
                        "UPDATE inbox SET run = ?2 WHERE id = ?1",
                        params![id, short_id(id)],
                    )?;
                }
                let waiting = c
                    // What is tried once more was expected all the while.
                    .prepare(
                        "SELECT id, CASE WHEN received_at_ms < ?1 AND attempt = 1 AND lane NOT LIKE ?2 || '%' THEN ?2
                         ELSE '' END || lane FROM inbox WHERE state = 'queued' ORDER BY id",
                    )?
                    .query_map(params![oldest, LATE], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                let ids = Ids::open(c)?;
                let reserved = ids.reserve(c)?;
                Ok((waiting, ids, reserved))
            })
            .await?;
        let (waiting, ids, reserved) = opened;
        ids.reserved(reserved);
        let mut lanes = Lanes::with_urgent(key::is_urgent);
        for (id, lane) in waiting {
            lanes.push(lane, id);
        }
        let desk = Mutex::new(Desk { lanes, ..Desk::default() });
        let dir = store.path().parent().map(std::path::Path::to_owned).unwrap_or_default();
        let (begun, left) = Begun::open(&dir);
        Ok(Self {
            store,
            bypass,
            shared: Arc::new(Shared { desk, ..Shared::default() }),
            ids,
            begun: Arc::new(begun),
            left: Arc::new(left),
            oldest_ms: oldest,
        })
    }

    /// Lets messages that `answers` takes, asked once for each with its lane, go past the lane. To be said once.
    pub fn answers(&self, answers: impl Fn(&str) -> bool + Send + Sync + 'static) {
        let _ = self.shared.answers.set(Box::new(answers));
    }

    /// Lets clicks that `urgent` names wait for no other click on their card. To be said once.
    pub fn urgent(&self, urgent: impl Fn(&CardAction) -> bool + Send + Sync + 'static) {
        let _ = self.shared.urgent.set(Box::new(urgent));
    }

    /// Takes work in; returns once it is on disk, and only then may the delivery be acknowledged.
    ///
    /// # Cancel safety
    /// Once polled, the work is taken in even if the future is dropped: whoever delivers it again meets a duplicate.
    pub async fn accept(&self, inbound: Inbound) -> Result<Accepted, Error> {
        self.accept_as(inbound, false).await
    }

    /// Takes work in as [`Inbox::accept`] does. One that is `late` waits in a lane of its own and answers no question:
    /// its sender is told, and nothing is run.
    pub async fn accept_as(&self, inbound: Inbound, late: bool) -> Result<Accepted, Error> {
        let taken = self.take_in(inbound, None, late).await?;
        Ok(if taken.is_some() { Accepted::New } else { Accepted::Duplicate })
    }

    /// Takes work in that repeats the run `of`, because somebody said so; returns the name of the new run. `None`: the
    /// same was taken in before.
    ///
    /// # Cancel safety
    /// As [`Inbox::accept`].
    pub async fn accept_again(
        &self,
        inbound: Inbound,
        of: String,
    ) -> Result<Option<String>, Error> {
        Ok(self.take_in(inbound, Some(of), false).await?.map(short_id))
    }

    async fn take_in(
        &self,
        inbound: Inbound,
        again: Option<String>,
        late: bool,
    ) -> Result<Option<i64>, Error> {
        let key = key::of(&inbound);
        let urgent = |action| self.shared.urgent.get().is_some_and(|urgent| urgent(action));
        let mut lane = match &inbound {
            Inbound::CardAction(action) if urgent(action) => format!("control\u{1f}{}", action.id),
            _ => key::lane(&inbound, self.bypass),
        };
        if late {
            lane.insert_str(0, LATE);
        }
        let payload = serde_json::to_string(&inbound).expect("our own types have string keys only");
        let (shared, ids) = (Arc::clone(&self.shared), self.ids.clone());
        // What is repeated was said before any question that is open now.
        let may_answer = !late
            && again.is_none()
            && match &inbound {
                Inbound::Message(message) => !(self.bypass)(&message.text),
                Inbound::CardAction(_) | Inbound::Event(_) => false,
            };
        let insert = move |c: &Connection| {
            let now = now_ms();
            // If what follows fails, a reservation that stands alone harms nobody.
            let reserved = ids.reserve(c)?;
            let place = Place::reserve(shared, lane);
            let id = ids.next();
            let (state, started_at) =
                if place.starts { (RUNNING, Some(now)) } else { (QUEUED, None) };
            let inserted = c
                .prepare_cached(
                    "INSERT INTO inbox (id, key, lane, state, payload, received_at_ms, started_at_ms, run, again)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (key) DO NOTHING",
                )?
                .execute(params![
                    id,
                    key,
                    place.lane,
                    state,
                    payload,
                    now,
                    started_at,
                    short_id(id),
                    again
                ])?;
            if inserted == 0 {
                c.prepare_cached("UPDATE inbox SET deliveries = deliveries + 1 WHERE key = ?1")?
                    .execute([key])?;
                return Ok((None, ids, reserved));
            }
            Ok((Some((place, id, now)), ids, reserved))
        };
        // With the commit, not with the answer: a committed row that no lane knows would wait for the next start.
        let settle = move |(kept, ids, reserved): (Option<(Place, i64, i64)>, Ids, Option<i64>)| {
            ids.reserved(reserved);
            let (place, id, now) = kept?;
            place.settle(id, now, inbound, may_answer);
            Some(id)
        };
        self.store.write_one(insert, settle).await
    }

    /// Marks that the handler of this row begins. To be said before it does anything: after a crash, a row without its
    /// mark is run as if nothing had happened.
    pub fn begin(&self, id: i64) {
        self.begun.mark(id);
    }

    /// The name of a run that no message started. It gets a row once it takes long, or with its end: [`Own`].
    pub fn name_run(&self) -> String {
        short_id(self.ids.next())
    }

    /// Whether names run short that are reserved on disk: [`Inbox::keep_own`] reserves more.
    pub fn names_are_short(&self) -> bool {
        self.ids.are_short()
    }

    /// Cancels a row that waits for its turn. `false`: it does not wait (any more).
    ///
    /// # Errors
    /// When the journal cannot be written: then it waits on.
    pub async fn cancel(&self, id: i64) -> Result<bool, Error> {
        let lane: Option<String> = self
            .store
            .read(move |c| {
                let ask = "SELECT lane FROM inbox WHERE id = ?1 AND state = 'queued'";
                c.query_row(ask, [id], |row| row.get(0)).optional()
            })
            .await?;
        let Some(lane) = lane else { return Ok(false) };
        // An answer that goes past its lane has one of its own.
        let past = format!("{ANSWER}{id}");
        let late = format!("{LATE}{lane}");
        let lane = {
            let lanes = &mut self.shared.desk().lanes;
            let found = [lane, past, late].into_iter().find(|lane| lanes.remove(lane, id));
            let Some(lane) = found else { return Ok(false) };
            lane
        };
        let end = End::new(State::Cancelled);
        let written = self.store.write(move |c| complete(c, id, &end)).await;
        if let Err(error) = written {
            self.shared.desk().lanes.push(lane, id);
            self.shared.ready.notify_one();
            return Err(error);
        }
        Ok(true)
    }

    /// Cancels what waits in this lane, in one commit. Returns the runs that it would have been.
    ///
    /// # Errors
    /// When the journal cannot be written: then it waits on.
    pub async fn cancel_lane(&self, lane: &str) -> Result<Vec<String>, Error> {
        let mut taken: Vec<(String, Vec<i64>)> = Vec::new();
        {
            let desk = &mut *self.shared.desk();
            for lane in [lane.to_owned(), format!("{LATE}{lane}")] {
                let rows = desk.lanes.remove_all(&lane);
                desk.thin_out(&lane);
                taken.push((lane, rows));
            }
        }
        let ids: Vec<i64> = taken.iter().flat_map(|(_, rows)| rows).copied().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let cancel = move |c: &Connection| {
            let mut name = c.prepare_cached("SELECT run FROM inbox WHERE id = ?1")?;
            let cancelled = ids.iter().map(|id| {
                complete(c, *id, &End::new(State::Cancelled))?;
                name.query_row([id], |row| row.get(0))
            });
            cancelled.collect()
        };
        let cancelled: Result<Vec<String>, Error> = self.store.write(cancel).await;
        if cancelled.is_err() {
            let mut desk = self.shared.desk();
            for (lane, rows) in taken {
                for id in rows {
                    desk.lanes.push(lane.clone(), id);
                }
            }
            drop(desk);
            self.shared.ready.notify_one();
        }
        cancelled
    }

    /// Waits until there may be something to claim.
    ///
    /// # Cancel safety
    /// Cancel safe: a wake-up that nobody took is kept for the next call.
    pub async fn ready(&self) {
        self.shared.ready.notified().await;
    }

    /// Hands out up to `room` rows, the oldest of each free lane, marked `running` on disk before this returns.
    ///
    /// What is left of `room` is taken by messages that come until the next call: they start with their commit.
    /// On an error nothing is claimed, and the same rows come again.
    pub async fn claim(&self, room: usize) -> Result<Vec<Row>, Error> {
        self.claim_with(room, 0).await
    }

    /// As [`Inbox::claim`], with `spare` places beside the room for what is [urgent](Row::is_urgent) alone.
    pub async fn claim_with(&self, room: usize, spare: usize) -> Result<Vec<Row>, Error> {
        let taken = {
            let mut desk = self.shared.desk();
            // What the last call left room for, less what has come since.
            let started = std::mem::take(&mut desk.started);
            let room = room.saturating_sub(started.len() + desk.reserved);
            let mut taken = Vec::new();
            if started.is_empty() {
                taken = desk.lanes.take_urgent((room + spare).min(CLAIM));
                let left = room.min(CLAIM).saturating_sub(taken.len());
                taken.extend(desk.lanes.take(left));
            }
            desk.room = room.saturating_sub(taken.len());
            for (lane, _) in &taken {
                desk.thin_out(lane);
            }
            if taken.is_empty() {
                return Ok(started);
            }
            taken
        };
        let ids: Vec<i64> = taken.iter().map(|(_, id)| *id).collect();
        let claimed = self
            .store
            .write(move |c| {
                let mut claim = c.prepare_cached(
                    "UPDATE inbox SET state = 'running', started_at_ms = ?2 WHERE id = ?1
                     RETURNING payload, received_at_ms, attempt",
                )?;
                let now = now_ms();
                ids.iter()
                    .map(|id| {
                        claim.query_row(params![id, now], |row| {
                            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
                        })
                    })
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                let mut desk = self.shared.desk();
                for (lane, id) in taken {
                    desk.lanes.put_back(lane, id);
                }
                return Err(error);
            }
        };
        let mut rows = Vec::with_capacity(taken.len());
        for ((lane, id), (payload, received_at_ms, attempt)) in taken.into_iter().zip(claimed) {
            let run = short_id(id);
            match serde_json::from_str(&payload) {
                Ok(inbound) => rows.push(Row { id, run, lane, received_at_ms, attempt, inbound }),
                Err(cause) => self.park(id, &run, &lane, cause.to_string()).await,
            }
        }
        Ok(rows)
    }

    /// Keeps a row that cannot be read for the owner to look at. The rows claimed with it go on in any case.
    async fn park(&self, id: i64, run: &str, lane: &str, why: String) {
        tracing::error!(run, why, "an inbox row cannot be read; it is parked");
        let parked = self
            .store
            .write(move |c| complete(c, id, &End { error: Some(&why), ..End::new(State::Parked) }))
            .await;
        if let Err(error) = parked {
            tracing::error!(run, %error, "that could not be noted; it counts as interrupted after the next start");
        }
        self.release(lane);
    }

    /// Lets the next row of `lane` be claimed. Call it after the running one was completed on disk.
    pub fn release(&self, lane: &str) {
        self.shared.desk().lanes.release(lane);
        self.shared.ready.notify_one();
    }

    /// Rows waiting for their turn.
    pub fn waiting(&self) -> usize {
        let desk = self.shared.desk();
        desk.lanes.waiting() + desk.started.len()
    }

    /// Rows that wait in this lane.
    pub fn waiting_in(&self, lane: &str) -> usize {
        self.shared.desk().lanes.waiting_in(lane)
    }

    /// Hands out, once each, the messages behind which so many of their person's wait that the person should know, with
    /// the number of those that do.
    pub fn crowded(&self) -> Vec<(Message, usize)> {
        let mut desk = self.shared.desk();
        let crowded = std::mem::take(&mut desk.crowded);
        let with_count = |message: Message| {
            let waiting = desk.lanes.waiting_in(&message.lane());
            (message, waiting)
        };
        crowded.into_iter().map(with_count).collect()
    }

    /// The worker claims no more: whatever comes from now on waits for the next start. Returns what had been claimed for
    /// it and was not handed out yet.
    ///
    /// Claims whose commit is under way are among them: left behind they would count as cut short, and never have begun.
    pub async fn close(&self) -> Vec<Row> {
        self.shared.desk().room = 0;
        let settled = async {
            while self.shared.desk().reserved > 0 {
                self.ready().await;
            }
        };
        // A disk that answers no more must not hold up the end.
        let _ = tokio::time::timeout(SETTLE, settled).await;
        std::mem::take(&mut self.shared.desk().started)
    }
}
