//! The journal by itself: what is taken in, handed out, ended, forgotten.

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
    inbox.store.write(move |c| complete(c, id, &End::new(State::Done))).await.unwrap();
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
    let keep = Keep { age: Duration::ZERO, bytes: 0 };
    while inbox.sweep(keep).step().await.unwrap().is_some() {}
    assert_eq!(inbox.accept(event("a")).await.unwrap(), Accepted::Duplicate);
}

#[tokio::test]
async fn what_was_running_at_the_crash_is_interrupted_and_what_waited_still_waits() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = open(&dir).await;
    inbox.accept(event("a")).await.unwrap();
    inbox.accept(event("b")).await.unwrap();
    let running = inbox.claim(1).await.unwrap().remove(0);
    inbox.begin(running.id);
    drop(inbox);
    let inbox = open(&dir).await;
    let recovered = inbox.recover(|_, cut| Ok(tell_what_began(cut))).await.unwrap();
    let cut: Vec<_> = recovered.interrupted.iter().map(|row| &row.run).collect();
    assert_eq!((cut, recovered.again), (vec![&running.run], 0));
    let rest = inbox.claim(10).await.unwrap();
    assert!(matches!(&rest[..], [Row { inbound: Inbound::Event(e), .. }] if e.id == "b"));
}

fn tell_what_began(cut: &Cut) -> Fate {
    if cut.began { Fate::Interrupted } else { Fate::Again }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_was_taken_up_and_had_not_begun_is_handed_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = open(&dir).await;
    for id in ["a", "b"] {
        inbox.accept(event(id)).await.unwrap();
    }
    let first = inbox.claim(1).await.unwrap().remove(0);
    drop(inbox);
    let inbox = open(&dir).await;
    let recovered = inbox.recover(|_, cut| Ok(tell_what_began(cut))).await.unwrap();
    assert_eq!((recovered.interrupted.len(), recovered.again), (0, 1));
    let rows = inbox.claim(10).await.unwrap();
    let mut attempts: Vec<_> = rows.iter().map(|row| (row.id, row.attempt)).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [(first.id, 2), (first.id + 1, 1)]);
}

#[tokio::test]
async fn names_of_runs_do_not_come_again_after_a_sweep_and_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = open(&dir).await;
    inbox.accept(event("a")).await.unwrap();
    let row = inbox.claim(1).await.unwrap().remove(0);
    finish(&inbox, &row).await;
    let given = inbox.name_run();
    // As if a day had passed.
    let old = "UPDATE inbox SET ended_at_ms = 1, received_at_ms = 1";
    inbox.store.write(move |c| c.execute(old, [])).await.unwrap();
    let mut sweep = inbox.sweep(Keep { age: Duration::from_secs(1), bytes: u64::MAX });
    while sweep.step().await.unwrap().is_some() {}
    let rows = "SELECT count(*) FROM inbox";
    let rows = move |c: &Connection| c.query_row(rows, [], |row| row.get::<_, i64>(0));
    assert_eq!(inbox.store.read(rows).await.unwrap(), 0);
    drop((inbox, sweep));
    let inbox = open(&dir).await;
    inbox.accept(event("b")).await.unwrap();
    let next = inbox.claim(1).await.unwrap().remove(0);
    assert!(next.run != row.run && next.run != given && next.id > row.id);
}

#[tokio::test]
async fn the_room_is_kept_by_forgetting_the_oldest_but_not_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_scratch(dir.path()).unwrap();
    let inbox = Inbox::open(store.clone(), |_| false).await.unwrap();
    let large = |id: usize| {
        Inbound::Event(Event {
            id: format!("{id:04}"),
            kind: "test".into(),
            born_at_ms: 0,
            data: serde_json::Value::String("x".repeat(8_000)),
        })
    };
    for id in 0..1_000 {
        inbox.accept(large(id)).await.unwrap();
    }
    loop {
        let rows = inbox.claim(256).await.unwrap();
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            finish(&inbox, row).await;
        }
    }
    let keep = Keep { age: Duration::from_hours(1), bytes: 6 << 20 };
    let mut sweep = inbox.sweep(keep);
    while sweep.step().await.unwrap().is_some() {}
    let ask =
        "SELECT count(*), sum(payload <> ''), min(id) FILTER (WHERE payload <> '') FROM inbox";
    let ask = move |c: &Connection| {
        c.query_row(ask, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
    };
    let (rows, kept, oldest) = inbox.store.read(ask).await.unwrap();
    assert_eq!(rows, 1_000, "their keys stay");
    assert!((500..800).contains(&kept), "{kept}");
    assert_eq!(oldest, 1_001 - kept, "the newest are kept");
    assert_eq!(inbox.accept(large(0)).await.unwrap(), Accepted::Duplicate);
}

#[tokio::test]
async fn one_that_waits_can_be_cancelled_and_the_next_of_its_lane_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = open(&dir).await;
    for id in ["a", "b"] {
        inbox.accept(event(id)).await.unwrap();
    }
    assert!(inbox.cancel(1).await.unwrap());
    assert!(!inbox.cancel(1).await.unwrap());
    let rows = inbox.claim(10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
    assert!(!inbox.cancel(2).await.unwrap(), "it runs");
    assert_eq!(inbox.waiting(), 0);
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
        let states = move |c: &Connection| c.query_row(query, [], |row| row.get::<_, String>(0));
        inbox.store.read(states).await.unwrap()
    };
    // A repeated delivery takes a number, too.
    let (a, b, c) = (short_id(1), short_id(3), short_id(4));
    assert_eq!(states().await, format!("running {a}, running {b}, queued {c}"));
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
    assert!(states().await.ends_with(&format!("queued {}", short_id(5))));
}

#[tokio::test]
async fn a_claim_that_could_not_be_committed_leaves_its_lane_free() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = open(&dir).await;
    assert!(inbox.claim(1).await.unwrap().is_empty());
    let query_only = |on: bool| inbox.store.write(move |c| c.pragma_update(None, "query_only", on));
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
        .read(|c| c.query_row("SELECT state FROM inbox WHERE payload = '{'", [], |row| row.get(0)))
        .await
        .unwrap();
    assert_eq!(state, "parked");
}
