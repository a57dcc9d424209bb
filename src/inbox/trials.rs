//! The journal under random traffic: deliveries, repetitions, answers, commits that fail, claims, ends, and a close.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use futures_util::future::join_all;

use super::*;
use crate::message::{Chat, ChatKind, ConversationId, Kind, Message, MessageId, Person, StaffId};

/// Rows that the worker of these trials has at a time.
const ROOM: usize = 6;

/// A sequence of numbers that a seed gives again.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// A number below `sides`.
    pub(super) fn roll(&self, sides: u64) -> u64 {
        let mut n = self.0.load(Ordering::SeqCst);
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
        self.0.store(n, Ordering::SeqCst);
        (n >> 11) % sides
    }
}

pub(super) fn message(number: u64, person: u64) -> Inbound {
    let person = format!("p{person}");
    Inbound::Message(Message {
        id: MessageId::new(number.to_string()),
        chat: Chat { id: ConversationId::new("chat"), kind: ChatKind::Group, title: None },
        sender: Person {
            staff_id: Some(StaffId::new(&person)),
            opaque_id: String::new(),
            nick: person,
            same_org: true,
            corp_id: None,
        },
        kind: Kind::Text,
        // A few are control words: they wait for nobody.
        text: if number.is_multiple_of(11) { "stop" } else { "text" }.to_owned(),
        files: Vec::new(),
        mentions: Vec::new(),
        quoted: None,
        robot_code: None,
        sent_at_ms: 0,
        webhook: None,
    })
}

/// The worker, as strict as can be: it notes what it was handed.
struct Worker {
    inbox: Inbox,
    held: Vec<Row>,
    seen: HashSet<i64>,
    /// Their handlers began.
    begun: HashSet<i64>,
    newest: HashMap<String, i64>,
}

impl Worker {
    async fn claim(&mut self) -> bool {
        let Ok(rows) = self.inbox.claim(ROOM - self.held.len()).await else { return false };
        let some = !rows.is_empty();
        for row in rows {
            self.take(row);
        }
        some
    }

    fn take(&mut self, row: Row) {
        assert!(self.seen.insert(row.id), "row {} is handed out twice", row.id);
        assert!(self.held.iter().all(|held| held.lane != row.lane), "two of one lane: {row:?}");
        let newest = self.newest.insert(row.lane.clone(), row.id);
        assert!(newest.is_none_or(|newest| newest < row.id), "out of order: {row:?}");
        self.held.push(row);
        assert!(self.held.len() <= ROOM, "more than there is room for");
    }

    async fn finish(&mut self, index: usize) {
        let row = self.held.swap_remove(index);
        let id = row.id;
        self.inbox.store.write(move |c| complete(c, id, &End::new(State::Done))).await.unwrap();
        self.inbox.release(&row.lane);
    }

    async fn count(&self, what: &'static str) -> usize {
        let query = format!("SELECT count(*) FROM inbox WHERE {what}");
        let count = move |c: &Connection| c.query_row(&query, [], |row| row.get::<_, i64>(0));
        usize::try_from(self.inbox.store.read(count).await.unwrap()).unwrap()
    }

    /// The host dies, and another one settles what it left.
    async fn crash(&mut self, store: &Store) {
        let claimed: HashSet<i64> = {
            let desk = self.inbox.shared.desk();
            self.held.iter().chain(&desk.started).map(|row| row.id).collect()
        };
        self.held.clear();
        self.newest.clear();
        self.inbox = Inbox::open(store.clone(), |_| false).await.unwrap();
        let tell = |cut: &Cut| if cut.began { Fate::Interrupted } else { Fate::Again };
        let recovered = self.inbox.recover(move |_, cut| Ok(tell(cut))).await.unwrap();
        let told: HashSet<i64> = recovered.interrupted.iter().map(|row| row.id).collect();
        assert!(
            claimed.intersection(&self.begun).all(|id| told.contains(id)),
            "one that began runs again"
        );
        assert!(told.is_subset(&claimed), "one that waited is told as interrupted");
        assert_eq!(told.len() + recovered.again, claimed.len());
        if cfg!(target_os = "linux") {
            assert!(told.is_subset(&self.begun), "one that had not begun is told as interrupted");
        }
        // What runs again may be handed out again.
        self.seen.retain(|id| told.contains(id) || !claimed.contains(id));
    }

    /// Nothing is on its way to disk: what is in memory says what the table says.
    async fn check(&self) {
        let running = self.count("state = 'running'").await;
        let queued = self.count("state = 'queued'").await;
        let desk = self.inbox.shared.desk();
        assert_eq!(desk.reserved, 0, "{desk:?}");
        assert_eq!(running, self.held.len() + desk.started.len(), "{desk:?}");
        assert_eq!(queued, desk.lanes.waiting(), "{desk:?}");
        assert!(running + desk.room <= ROOM, "{running} run: {desk:?}");
    }

    /// Serves all that is left, woken only by the journal.
    async fn drain(&mut self) {
        loop {
            while self.claim().await {}
            if !self.held.is_empty() {
                self.finish(0).await;
            } else if self.count("state IN ('queued', 'running')").await == 0 {
                return;
            } else {
                let woken = tokio::time::timeout(Duration::from_secs(10), self.inbox.ready()).await;
                assert!(woken.is_ok(), "a wake-up is lost: {:?}", self.inbox.shared.desk());
            }
        }
    }
}

/// Holds the writer until the returned end is dropped, so that what is asked meanwhile is one commit.
fn hold(store: &Store) -> (impl Future<Output = ()> + use<>, mpsc::Sender<()>) {
    let (open, opened) = mpsc::channel::<()>();
    let store = store.clone();
    let held = async move {
        let wait = move |_: &Connection| {
            let _ = opened.recv();
            Ok(())
        };
        // It may share its commit with work that spoils it.
        let _ = store.write(wait).await;
    };
    (held, open)
}

/// Work that lets the whole commit fail: a child without its parent.
pub(super) async fn spoil(store: &Store) {
    let spoilt = store.write(|c| c.execute("INSERT INTO child VALUES (404)", [])).await;
    assert!(spoilt.is_err());
}

async fn trial(seed: u64) {
    let dice = Arc::new(Dice::new(seed));
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_scratch(dir.path()).unwrap();
    let tables = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";
    store.write(move |c| c.execute_batch(tables)).await.unwrap();
    let inbox = Inbox::open(store.clone(), |text| text == "stop").await.unwrap();
    let answers = Arc::clone(&dice);
    inbox.answers(move |_| answers.roll(5) == 0);
    let mut worker = Worker {
        inbox: inbox.clone(),
        held: Vec::new(),
        seen: HashSet::new(),
        begun: HashSet::new(),
        newest: HashMap::new(),
    };
    let mut next = 0;
    let mut taken_in: HashSet<u64> = HashSet::new();
    for _ in 0..120 {
        match dice.roll(8) {
            // A burst in one commit, some of it repeated, that may fail as a whole; the worker may claim beside it.
            0..=2 => {
                let mut numbers = Vec::new();
                for _ in 0..=dice.roll(8) {
                    if next > 0 && dice.roll(4) == 0 {
                        numbers.push(dice.roll(next));
                    } else {
                        numbers.push(next);
                        next += 1;
                    }
                }
                let (held, open) = hold(&store);
                let spoilt = dice.roll(3) == 0;
                let panics = dice.roll(6) == 0;
                let accepting = join_all(numbers.iter().map(|n| inbox.accept(message(*n, *n % 5))));
                let spoiling = async {
                    if spoilt {
                        spoil(&store).await;
                    }
                };
                let panicking = async {
                    if panics {
                        let work =
                            |_: &Connection| -> rusqlite::Result<()> { panic!("on purpose") };
                        assert!(store.write(work).await.is_err());
                    }
                };
                let claiming = async {
                    if dice.roll(2) == 0 {
                        worker.claim().await;
                    }
                };
                let opening = async move {
                    tokio::task::yield_now().await;
                    drop(open);
                };
                let ((), accepted, (), (), (), ()) =
                    tokio::join!(held, accepting, spoiling, panicking, claiming, opening);
                for (number, accepted) in numbers.into_iter().zip(accepted) {
                    match accepted {
                        Ok(Accepted::New) => {
                            assert!(taken_in.insert(number), "{number} is new twice");
                        }
                        // Of a burst that is repeated within itself, either may be the first.
                        Ok(Accepted::Duplicate) => {}
                        Err(_) => assert!(spoilt, "{number} failed by itself"),
                    }
                }
            }
            3 => {
                let query_only =
                    |on: bool| store.write(move |c| c.pragma_update(None, "query_only", on));
                query_only(true).await.unwrap();
                assert!(inbox.accept(message(next, next % 5)).await.is_err());
                worker.claim().await;
                query_only(false).await.unwrap();
            }
            4 | 5 => {
                worker.claim().await;
                for row in &worker.held {
                    if dice.roll(2) == 0 {
                        inbox.begin(row.id);
                        worker.begun.insert(row.id);
                    }
                }
            }
            _ if !worker.held.is_empty() => {
                let last = u64::try_from(worker.held.len()).unwrap();
                worker.finish(usize::try_from(dice.roll(last)).unwrap()).await;
            }
            _ => {}
        }
        worker.check().await;
    }
    if dice.roll(2) == 0 {
        worker.drain().await;
        assert_eq!(worker.seen.len(), taken_in.len(), "each row that was taken in is handed out");
        worker.check().await;
        let desk = inbox.shared.desk();
        assert!(format!("{:?}", desk.lanes).contains("by_name: {}"), "{desk:?}");
        return;
    }
    if dice.roll(2) == 0 {
        worker.crash(&store).await;
        worker.drain().await;
        assert_eq!(worker.seen.len(), taken_in.len());
        return;
    }
    // The host ends in the middle of a burst, and starts again.
    let accepting = join_all((0..20).map(|n| inbox.accept(message(next + n, n))));
    let (accepted, left) = tokio::join!(accepting, inbox.close());
    for row in left {
        worker.take(row);
    }
    assert!(accepted.iter().all(Result::is_ok));
    worker.check().await;
    while !worker.held.is_empty() {
        worker.finish(0).await;
    }
    assert_eq!(worker.count("state = 'running'").await, 0, "claimed, and left behind by the end");
    worker.inbox = Inbox::open(store.clone(), |_| false).await.unwrap();
    worker.newest.clear();
    worker.drain().await;
    assert_eq!(worker.seen.len(), taken_in.len() + 20);
}

#[tokio::test]
async fn under_random_traffic_each_row_is_handed_out_once_in_order_and_within_the_room() {
    for seed in 0..40 {
        trial(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_on_several_threads() {
    for seed in 100..120 {
        trial(seed).await;
    }
}

#[tokio::test]
async fn what_is_claimed_by_a_commit_under_way_when_the_host_ends_is_still_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let inbox = Inbox::open(store.clone(), |_| false).await.unwrap();
    assert!(inbox.claim(2).await.unwrap().is_empty());
    // The message has its place, and its commit waits behind work of the same batch.
    let (held, open) = hold(&store);
    let (inside, within) = mpsc::channel();
    let (wait, waited) = mpsc::channel::<()>();
    let slow = store.write(move |_| {
        inside.send(()).unwrap();
        let _ = waited.recv();
        Ok(())
    });
    let begun = tokio::task::spawn_blocking(move || within.recv().unwrap());
    let closing = async {
        drop(open);
        begun.await.unwrap();
        assert_eq!(inbox.shared.desk().reserved, 1);
        let close = inbox.close();
        tokio::pin!(close);
        assert!(futures_util::poll!(&mut close).is_pending());
        drop(wait);
        close.await
    };
    let ((), accepted, slow, left) = tokio::join!(held, inbox.accept(message(1, 1)), slow, closing);
    assert_eq!(accepted.unwrap(), Accepted::New);
    slow.unwrap();
    assert_eq!(left.len(), 1);
}
