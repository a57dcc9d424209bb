//! Durable journal of accepted work: de-duplicate, claim, complete, park.
//!
//! A row is committed before its delivery is acknowledged, and its key stays for a day: whatever DingTalk repeats is
//! seen once. Workers *pull*: [`Inbox::claim`] hands out the oldest row of each lane that has none running, so a lane
//! runs in order, a slow lane holds up no other, and a person with a thousand waiting messages delays nobody.
//!
//! A claim is committed before the row is handed out: with the message itself where its lane is free and the worker has
//! room, for one fsync instead of two. So a row that is `running` when the host starts was cut short:
//! [`Inbox::interrupted`] marks it, and nothing is silently run a second time.
//!
//! Knows nothing of handlers, nor of how the work came in.

mod desk;
mod history;
mod key;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod trials;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::message::Inbound;
use crate::message::Message;
use crate::store::Error;
use crate::store::Lanes;
use crate::store::Store;
use crate::store::now_ms;

/// How long the key of a finished row stays: DingTalk's redeliveries come within minutes, a day covers an outage.
const KEEP_MS: i64 = 24 * 60 * 60 * 1000;

const QUEUED: &str = "queued";
const RUNNING: &str = "running";

/// How long the end of the host waits for commits that are under way.
const SETTLE: Duration = Duration::from_secs(2);

/// Rows handed out by one claim: enough to fill a commit, few enough to be fair.
const CLAIM: usize = 256;

use desk::{ANSWER, Desk, LATE, Place, Shared};
pub use history::{Past, complaints, last, of_run, since, taken_since};

/// Handle to the journal; cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox {
    store: Store,
    bypass: fn(&str) -> bool,
    shared: Arc<Shared>,
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

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Done,
    Failed,
    Cancelled,
    Interrupted,
    /// Could not even be tried (unreadable); kept for the owner to look at.
    Parked,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Parked => "parked",
        }
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
        let waiting = store
            .read(move |c| {
                c.prepare(
                    "SELECT id, CASE WHEN received_at_ms < ?1 AND lane NOT LIKE ?2 || '%' THEN ?2 ELSE '' END || lane
                     FROM inbox WHERE state = 'queued' ORDER BY id",
                )?
                .query_map(params![oldest, LATE], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        let mut lanes = Lanes::with_urgent(key::is_urgent);
        for (id, lane) in waiting {
            lanes.push(lane, id);
        }
        let desk = Mutex::new(Desk { lanes, ..Desk::default() });
        Ok(Self { store, bypass, shared: Arc::new(Shared { desk, ..Shared::default() }) })
    }

    /// Lets messages that `answers` takes, asked once for each with its lane, go past the lane. To be said once.
    pub fn answers(&self, answers: impl Fn(&str) -> bool + Send + Sync + 'static) {
        let _ = self.shared.answers.set(Box::new(answers));
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
        let key = key::of(&inbound);
        let mut lane = key::lane(&inbound, self.bypass);
        if late {
            lane.insert_str(0, LATE);
        }
        let payload = serde_json::to_string(&inbound).expect("our own types have string keys only");
        let shared = Arc::clone(&self.shared);
        let may_answer = match &inbound {
            Inbound::Message(message) => !late && !(self.bypass)(&message.text),
            Inbound::CardAction(_) | Inbound::Event(_) => false,
        };
        let insert = move |c: &Connection| {
            let now = now_ms();
            let place = Place::reserve(shared, lane);
            let id: i64 = c
                .prepare_cached("SELECT ifnull(max(id), 0) + 1 FROM inbox")?
                .query_row([], |row| row.get(0))?;
            let (state, started_at, run) = if place.starts {
                (RUNNING, Some(now), Some(short_id(id)))
            } else {
                (QUEUED, None, None)
            };
            let inserted = c
                .prepare_cached(
                    "INSERT INTO inbox (id, key, lane, state, payload, received_at_ms, started_at_ms, run)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (key) DO NOTHING",
                )?
                .execute(params![id, key, place.lane, state, payload, now, started_at, run])?;
            if inserted == 0 {
                c.prepare_cached("UPDATE inbox SET deliveries = deliveries + 1 WHERE key = ?1")?
                    .execute([key])?;
                return Ok(None);
            }
            Ok(Some((place, id, now)))
        };
        // With the commit, not with the answer: a committed row that no lane knows would wait for the next start.
        let settle = move |kept: Option<(Place, i64, i64)>| {
            let Some((place, id, now)) = kept else { return Accepted::Duplicate };
            place.settle(id, now, inbound, may_answer);
            Accepted::New
        };
        self.store.write_one(insert, settle).await
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
                    "UPDATE inbox SET state = 'running', started_at_ms = ?2, run = ?3 WHERE id = ?1
                     RETURNING payload, received_at_ms",
                )?;
                let now = now_ms();
                ids.iter()
                    .map(|id| {
                        let run = short_id(*id);
                        claim.query_row(params![id, now, run], |row| {
                            Ok((run.clone(), row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
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
        for ((lane, id), (run, payload, received_at_ms)) in taken.into_iter().zip(claimed) {
            match serde_json::from_str(&payload) {
                Ok(inbound) => rows.push(Row { id, run, lane, received_at_ms, inbound }),
                Err(cause) => self.park(id, &run, &lane, cause.to_string()).await,
            }
        }
        Ok(rows)
    }

    /// Keeps a row that cannot be read for the owner to look at. The rows claimed with it go on in any case.
    async fn park(&self, id: i64, run: &str, lane: &str, why: String) {
        tracing::error!(run, why, "an inbox row cannot be read; it is parked");
        let parked =
            self.store.write(move |c| complete(c, id, State::Parked, None, Some(&why))).await;
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

    /// Marks what was running when the host died, and returns it, so that people can be told.
    ///
    /// Call it once, before the first claim. `tell` runs in the same transaction for each row: what it writes (a
    /// notice) is there if and only if the row is marked.
    pub async fn interrupted<F>(&self, tell: F) -> Result<Vec<Row>, Error>
    where
        F: Fn(&Connection, &Row) -> rusqlite::Result<()> + Send + 'static,
    {
        self.store
            .write(move |c| {
                let cut: Vec<(i64, String, String, String, i64)> = c
                    .prepare("SELECT id, run, lane, payload, received_at_ms FROM inbox WHERE state = 'running' ORDER BY id")?
                    .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))?
                    .collect::<rusqlite::Result<_>>()?;
                let mut rows = Vec::with_capacity(cut.len());
                for (id, run, lane, payload, received_at_ms) in cut {
                    complete(c, id, State::Interrupted, None, Some("the host stopped while this ran"))?;
                    if let Ok(inbound) = serde_json::from_str(&payload) {
                        let row = Row { id, run, lane, received_at_ms, inbound };
                        tell(c, &row)?;
                        rows.push(row);
                    }
                }
                Ok(rows)
            })
            .await
    }

    /// Forgets rows that ended more than a day ago.
    pub async fn sweep(&self) -> Result<usize, Error> {
        self.store
            .write(|c| {
                c.prepare_cached("DELETE FROM inbox WHERE ended_at_ms < ?1")?
                    .execute(params![now_ms() - KEEP_MS])
            })
            .await
    }
}

/// Marks a row as ended, inside the caller's transaction, so that its replies commit with it.
pub fn complete(
    c: &Connection,
    id: i64,
    state: State,
    handler: Option<&str>,
    error: Option<&str>,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE inbox SET state = ?2, ended_at_ms = ?3, handler = ?4, error = ?5 WHERE id = ?1",
    )?
    .execute(params![id, state.as_str(), now_ms(), handler, error])?;
    Ok(())
}

/// A run's name for people: short enough to type on a phone, without letters that look alike.
fn short_id(id: i64) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    // Every step permutes the 2^25 names of five letters, so a name comes back only after 33 million runs.
    let mut n = id.unsigned_abs().wrapping_mul(0x009e_3779) & ((1 << 25) - 1);
    n ^= n >> 13;
    n = n.wrapping_mul(0x0085_ebcb) & ((1 << 25) - 1);
    n ^= n >> 12;
    (0..5)
        .map(|_| {
            let letter = ALPHABET[usize::try_from(n % 32).expect("below 32")];
            n /= 32;
            char::from(letter)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Event;

    fn event(id: &str) -> Inbound {
        Inbound::Event(Event {
            id: id.into(),
            kind: "test".into(),
            born_at_ms: 0,
            data: serde_json::Value::Null,
        })
    }

    async fn open(dir: &tempfile::TempDir) -> Inbox {
        Inbox::open(Store::open(dir.path()).unwrap(), |_| false).await.unwrap()
    }

    async fn finish(inbox: &Inbox, row: &Row) {
        let id = row.id;
        inbox.store.write(move |c| complete(c, id, State::Done, None, None)).await.unwrap();
        inbox.release(&row.lane);
    }

    #[tokio::test]
    async fn a_repeated_delivery_is_taken_once_even_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        assert_eq!(inbox.accept(event("a")).await.unwrap(), Accepted::New);
        assert_eq!(inbox.accept(event("a")).await.unwrap(), Accepted::Duplicate);
        drop(inbox);
        let inbox = open(&dir).await;
        assert_eq!(inbox.accept(event("a")).await.unwrap(), Accepted::Duplicate);
        assert_eq!(inbox.claim(10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_finished_row_is_still_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        inbox.accept(event("a")).await.unwrap();
        let row = inbox.claim(1).await.unwrap().remove(0);
        finish(&inbox, &row).await;
        inbox.sweep().await.unwrap();
        assert_eq!(inbox.accept(event("a")).await.unwrap(), Accepted::Duplicate);
    }

    #[tokio::test]
    async fn what_was_running_at_the_crash_is_interrupted_and_what_waited_still_waits() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        inbox.accept(event("a")).await.unwrap();
        inbox.accept(event("b")).await.unwrap();
        let running = inbox.claim(1).await.unwrap().remove(0);
        drop(inbox);
        let inbox = open(&dir).await;
        let cut = inbox.interrupted(|_, _| Ok(())).await.unwrap();
        assert_eq!(cut.iter().map(|r| &r.run).collect::<Vec<_>>(), [&running.run]);
        let rest = inbox.claim(10).await.unwrap();
        assert!(matches!(&rest[..], [Row { inbound: Inbound::Event(e), .. }] if e.id == "b"));
        assert!(
            inbox.interrupted(|_, _| Ok(())).await.unwrap().iter().all(|r| r.run == rest[0].run)
        );
    }

    #[tokio::test]
    async fn a_delivery_that_nobody_waits_for_any_more_is_taken_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        {
            let accept = inbox.accept(event("a"));
            tokio::pin!(accept);
            assert!(futures_util::poll!(&mut accept).is_pending());
        }
        inbox.ready().await;
        assert_eq!(inbox.claim(10).await.unwrap().len(), 1);
        assert_eq!(inbox.accept(event("a")).await.unwrap(), Accepted::Duplicate);
    }

    #[tokio::test]
    async fn a_message_that_finds_room_and_its_lane_free_is_claimed_with_its_commit() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        assert!(inbox.claim(2).await.unwrap().is_empty());
        for id in ["a", "a", "b", "c"] {
            inbox.accept(event(id)).await.unwrap();
        }
        let states = async || {
            let query = "SELECT group_concat(state || ' ' || ifnull(run, '-'), ', ') FROM inbox";
            let states =
                move |c: &Connection| c.query_row(query, [], |row| row.get::<_, String>(0));
            inbox.store.read(states).await.unwrap()
        };
        let (a, b, c) = (short_id(1), short_id(2), short_id(3));
        assert_eq!(states().await, format!("running {a}, running {b}, queued -"));
        let started = inbox.claim(2).await.unwrap();
        assert_eq!(started.iter().map(|row| &row.run).collect::<Vec<_>>(), [&a, &b]);
        assert!(inbox.claim(0).await.unwrap().is_empty());
        for row in &started {
            finish(&inbox, row).await;
        }
        assert_eq!(inbox.claim(2).await.unwrap()[0].run, c);
        // Nobody takes it any more: it waits for the next start.
        assert!(inbox.close().await.is_empty());
        inbox.accept(event("d")).await.unwrap();
        assert!(states().await.ends_with("queued -"));
    }

    #[tokio::test]
    async fn a_claim_that_could_not_be_committed_leaves_its_lane_free() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        assert!(inbox.claim(1).await.unwrap().is_empty());
        let query_only =
            |on: bool| inbox.store.write(move |c| c.pragma_update(None, "query_only", on));
        query_only(true).await.unwrap();
        assert!(inbox.accept(event("a")).await.is_err());
        query_only(false).await.unwrap();
        assert_eq!(inbox.accept(event("a")).await.unwrap(), Accepted::New);
        assert_eq!(inbox.claim(1).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_burst_is_taken_in_the_order_in_which_it_came() {
        use futures_util::StreamExt as _;
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        let accepting: futures_util::stream::FuturesUnordered<_> =
            (0..1_000).map(|n| inbox.accept(event(&format!("{n:03}")))).collect();
        accepting
            .for_each(|accepted| async move { assert_eq!(accepted.unwrap(), Accepted::New) })
            .await;
        let keys: Vec<String> = inbox
            .store
            .read(|c| {
                c.prepare("SELECT key FROM inbox ORDER BY id")?
                    .query_map([], |row| row.get(0))?
                    .collect()
            })
            .await
            .unwrap();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[tokio::test]
    async fn an_unreadable_row_is_parked_and_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = open(&dir).await;
        for id in ["a", "b", "c"] {
            inbox.accept(event(id)).await.unwrap();
        }
        inbox
            .store
            .write(|c| c.execute("UPDATE inbox SET payload = '{' WHERE key LIKE '%b'", []))
            .await
            .unwrap();
        assert_eq!(inbox.claim(10).await.unwrap().len(), 2);
        assert_eq!(inbox.waiting(), 0);
        let state: String = inbox
            .store
            .read(|c| {
                c.query_row("SELECT state FROM inbox WHERE payload = '{'", [], |row| row.get(0))
            })
            .await
            .unwrap();
        assert_eq!(state, "parked");
    }

    #[test]
    fn run_ids_do_not_repeat_and_neighbours_look_different() {
        let ids: std::collections::HashSet<_> = (0..100_000).map(short_id).collect();
        assert_eq!(ids.len(), 100_000);
        assert_ne!(short_id(1)[..2], short_id(2)[..2]);
    }
}
