//! The journal over several lives of a host that is killed at any moment: between commits, and in the middle of one.
//!
//! A worker of the strictest kind claims, ends with a reply, and fails to; people say things once and again. Whatever the
//! order: what was acknowledged ends once, with its reply or with word that it was cut short, and is handed out once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::pin;
use std::sync::mpsc;

use futures_util::future::join_all;
use futures_util::poll;

use super::trials::{Dice, message, spoil};
use super::*;

/// Rows that the worker has at a time.
const ROOM: usize = 5;

/// What the stages around the journal write with it, and what makes a commit fail.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS replies (row INTEGER);
    CREATE TABLE IF NOT EXISTS told (row INTEGER);
    CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";

/// What is known outside the host, over all its lives.
#[derive(Debug, Default)]
struct Known {
    /// Messages that were said, and those that were acknowledged.
    said: u64,
    acknowledged: BTreeSet<u64>,
    /// Rows that were handed out, and those whose end was committed for certain.
    handed_out: BTreeSet<i64>,
    ended: BTreeSet<i64>,
    kills: usize,
}

struct Host {
    dir: tempfile::TempDir,
    inbox: Inbox,
    held: Vec<Row>,
    newest: BTreeMap<String, i64>,
}

impl Host {
    /// Starts on what is in `dir`; rows in `cut` were claimed by the last life and not ended.
    async fn start(dir: tempfile::TempDir, cut: &BTreeSet<i64>) -> Self {
        let store = Store::open_scratch(dir.path()).unwrap();
        store.write(move |c| c.execute_batch(TABLES)).await.unwrap();
        let inbox = Inbox::open(store, |text| text == "stop").await.unwrap();
        let tell = |c: &Connection, cut: &Cut| {
            c.execute("INSERT INTO told VALUES (?1)", [cut.row.id])?;
            Ok(Fate::Interrupted)
        };
        let interrupted = inbox.recover(tell).await.unwrap().interrupted;
        let interrupted: BTreeSet<i64> = interrupted.iter().map(|row| row.id).collect();
        assert_eq!(interrupted, *cut, "cut short is what was claimed and had not ended");
        assert!(inbox.recover(tell).await.unwrap().interrupted.is_empty(), "told twice");
        Self { dir, inbox, held: Vec::new(), newest: BTreeMap::new() }
    }

    fn store(&self) -> &Store {
        &self.inbox.store
    }

    async fn claim(&mut self, known: &mut Known) -> bool {
        let rows = self.inbox.claim(ROOM - self.held.len()).await.unwrap();
        let some = !rows.is_empty();
        for row in rows {
            assert!(known.handed_out.insert(row.id), "row {} is handed out twice", row.id);
            assert!(self.held.iter().all(|held| held.lane != row.lane), "two of one lane: {row:?}");
            let newest = self.newest.insert(row.lane.clone(), row.id);
            assert!(newest.is_none_or(|newest| newest < row.id), "out of order: {row:?}");
            self.held.push(row);
        }
        some
    }

    /// Ends a row with its reply, in one transaction.
    fn end(&self, id: i64) -> impl Future<Output = Result<(), Error>> + use<> {
        let store = self.store().clone();
        async move {
            store
                .write(move |c| {
                    c.execute("INSERT INTO replies VALUES (?1)", [id])?;
                    complete(c, id, &End::new(State::Done))
                })
                .await
        }
    }

    async fn finish(&mut self, index: usize, known: &mut Known) {
        let row = self.held.swap_remove(index);
        while self.end(row.id).await.is_err() {}
        assert!(known.ended.insert(row.id), "row {} ended twice", row.id);
        self.inbox.release(&row.lane);
    }

    /// What a start after a kill at this moment has to call cut short.
    fn claimed(&self) -> BTreeSet<i64> {
        let desk = self.inbox.shared.desk();
        assert_eq!(desk.reserved, 0);
        self.held.iter().chain(&desk.started).map(|row| row.id).collect()
    }

    async fn count(&self, query: &'static str) -> i64 {
        self.store().read(move |c| c.query_row(query, [], |row| row.get(0))).await.unwrap()
    }

    /// What holds at every moment at which nothing is on its way to disk.
    async fn check(&self) {
        for (law, query) in [
            (
                "a reply and the end of its row are one commit",
                "SELECT count(*) FROM inbox LEFT JOIN replies ON row = id WHERE (state = 'done') <> (row IS NOT NULL)",
            ),
            (
                "who was cut short is told, and nobody else",
                "SELECT count(*) FROM inbox LEFT JOIN told ON row = id WHERE (state = 'interrupted') <> (row IS NOT NULL)",
            ),
            ("everybody has one reply", "SELECT count(*) - count(DISTINCT row) FROM replies"),
            ("everybody is told once", "SELECT count(*) - count(DISTINCT row) FROM told"),
        ] {
            assert_eq!(self.count(query).await, 0, "{law}");
        }
        let queued = self.count("SELECT count(*) FROM inbox WHERE state = 'queued'").await;
        assert_eq!(usize::try_from(queued).unwrap(), self.inbox.shared.desk().lanes.waiting());
    }
}

/// The state folder as a kill at this moment leaves it. The writer must not be about to empty the log.
fn left_behind(dir: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for name in ["moonbell.db", "moonbell.db-wal"] {
        std::fs::copy(dir.join(name), left.path().join(name)).unwrap();
    }
    left
}

/// A batch of messages: new ones, and some that were said before.
fn batch(dice: &Dice, known: &mut Known) -> Vec<u64> {
    (0..=dice.roll(6))
        .map(|_| {
            if known.said > 0 && dice.roll(4) == 0 {
                return dice.roll(known.said);
            }
            known.said += 1;
            known.said - 1
        })
        .collect()
}

/// Kills the host while the writer is inside a transaction, behind which everything else waits; starts the next one.
async fn kill_inside_a_commit(mut host: Host, dice: &Dice, known: &mut Known) -> Host {
    // What was claimed with its commit, and is not handed out yet, is cut short too.
    let cut = host.claimed();
    let (inside, within) = mpsc::channel();
    let (open, opened) = mpsc::channel::<()>();
    let numbers = batch(dice, known);
    let store = host.store().clone();
    let mut writing = pin!(store.write(move |c| {
        // Work of its own, so that the transaction has changed something.
        c.execute("INSERT INTO parent DEFAULT VALUES", [])?;
        let _ = inside.send(());
        let _ = opened.recv();
        Ok(())
    }));
    assert!(poll!(writing.as_mut()).is_pending());
    tokio::task::spawn_blocking(move || within.recv().unwrap()).await.unwrap();
    let mut accepting = pin!(join_all(
        numbers.iter().map(|number| host.inbox.accept(message(*number, *number % 5)))
    ));
    assert!(poll!(accepting.as_mut()).is_pending());
    if let Some(row) = host.held.first() {
        assert!(poll!(pin!(host.end(row.id))).is_pending());
    }
    // Claimed in memory, and only there; or handed out, where it had started with its commit.
    let inbox = host.inbox.clone();
    let room = ROOM - host.held.len();
    let mut claiming = pin!(inbox.claim(room));
    if let std::task::Poll::Ready(rows) = poll!(claiming.as_mut()) {
        for row in rows.unwrap() {
            assert!(known.handed_out.insert(row.id), "row {} is handed out twice", row.id);
        }
    }
    let left = left_behind(host.dir.path());
    // Whatever this life still does is done to what nobody reads any more.
    drop(open);
    let _ = writing.await;
    let _ = accepting.await;
    host.held.clear();
    known.kills += 1;
    Host::start(left, &cut).await
}

async fn trial(seed: u64) -> usize {
    let dice = Dice::new(seed);
    let mut known = Known::default();
    let mut host = Host::start(tempfile::tempdir().unwrap(), &BTreeSet::new()).await;
    for _ in 0..150 {
        match dice.roll(12) {
            0..=3 => {
                let numbers = batch(&dice, &mut known);
                let spoilt = dice.roll(5) == 0;
                let store = host.store().clone();
                let accepting = join_all(
                    numbers.iter().map(|number| host.inbox.accept(message(*number, *number % 5))),
                );
                let spoiling = async {
                    if spoilt {
                        spoil(&store).await;
                    }
                };
                let (accepted, ()) = tokio::join!(accepting, spoiling);
                for (number, accepted) in numbers.into_iter().zip(accepted) {
                    let before = known.acknowledged.contains(&number);
                    match accepted {
                        Ok(Accepted::New) => assert!(!before, "{number} is new once more"),
                        // Its commit may have outlived a kill that its acknowledgement did not.
                        Ok(Accepted::Duplicate) => {}
                        Err(_) => {
                            assert!(spoilt, "{number} failed by itself");
                            continue;
                        }
                    }
                    known.acknowledged.insert(number);
                }
            }
            4..=6 => drop(host.claim(&mut known).await),
            7..=8 if !host.held.is_empty() => {
                let last = u64::try_from(host.held.len()).unwrap();
                host.finish(usize::try_from(dice.roll(last)).unwrap(), &mut known).await;
            }
            // Its end fails, and is tried again.
            9 if !host.held.is_empty() => {
                let store = host.store().clone();
                let id = host.held[0].id;
                let (ended, ()) = tokio::join!(host.end(id), spoil(&store));
                if ended.is_ok() {
                    let row = host.held.swap_remove(0);
                    assert!(known.ended.insert(row.id));
                    host.inbox.release(&row.lane);
                }
            }
            10 => {
                let (cut, left) = (host.claimed(), left_behind(host.dir.path()));
                known.kills += 1;
                host = Host::start(left, &cut).await;
            }
            11 => host = kill_inside_a_commit(host, &dice, &mut known).await,
            _ => {}
        }
        host.check().await;
    }
    loop {
        while host.claim(&mut known).await {}
        if host.held.is_empty() {
            break;
        }
        host.finish(0, &mut known).await;
    }
    host.check().await;
    assert_eq!(
        host.count("SELECT count(*) FROM inbox WHERE state IN ('queued', 'running')").await,
        0
    );
    let there = host
        .store()
        .read(|c| {
            c.prepare("SELECT json_extract(payload, '$.id') FROM inbox")?
                .query_map([], |row| row.get::<_, Option<String>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .await
        .unwrap();
    let there: BTreeSet<u64> = there.iter().flatten().map(|id| id.parse().unwrap()).collect();
    assert!(
        known.acknowledged.is_subset(&there),
        "lost: {:?}",
        known.acknowledged.difference(&there)
    );
    known.kills
}

#[tokio::test]
async fn however_often_the_host_is_killed_each_message_ends_once_and_is_handed_out_once() {
    let mut kills = 0;
    for seed in 0..30 {
        kills += trial(seed).await;
    }
    assert!(kills > 250, "only {kills} kills");
}
