//! Several things at once, as they come in life: a busy line that is cut, a quota that ends.

use std::time::Duration;

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind};

use super::super::stage::{ALICE, BOB, LINA, OWNER, Setup};
use super::{ROBOT, TO_PERSON, acked, without_webhooks};

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_moved_while_a_hundred_messages_arrive_loses_and_repeats_nothing() {
    const MESSAGES: usize = 100;
    let host = Setup::new().start().await;
    let people = [ALICE, BOB, LINA, OWNER];
    let mut rate = tokio::time::interval(Duration::from_millis(100));
    for n in 0..MESSAGES {
        rate.tick().await;
        // Each fault finds a line that stands.
        if let Some(opened) = [20, 40, 60, 80].iter().position(|fault| *fault == n) {
            let opened = opened as u64 + 1;
            host.until("the line stands", |seen| {
                seen.state.bot.connected && seen.state.counters.connections_opened >= opened
            })
            .await;
        }
        let order = match n {
            20 | 60 => FaultOrder {
                disconnect: Some("connection is expired".to_owned()),
                ..FaultOrder::default()
            },
            40 => FaultOrder { close: true, ..FaultOrder::default() },
            80 => FaultOrder {
                disconnect_minimal: Some("persistent connection is timeout".to_owned()),
                ..FaultOrder::default()
            },
            _ => FaultOrder::default(),
        };
        host.sim.faults(&order);
        host.say(people[n % people.len()], &format!("trace {n}"));
    }
    host.until("every message is answered", |seen| seen.all().len() >= MESSAGES).await;
    host.look(|seen| {
        for (index, person) in people.iter().enumerate() {
            let expected: Vec<String> =
                (index..MESSAGES).step_by(people.len()).map(|n| format!("did {n}")).collect();
            let mut answers: Vec<&str> = seen.to(person);
            // What a cut delayed comes after what was said later; that is DingTalk's order, not ours.
            answers.sort_unstable_by_key(|text| text[4..].parse::<usize>().unwrap());
            assert_eq!(answers, expected);
        }
    });
    assert_eq!(host.lines("ran").len(), MESSAGES);
    host.look(|seen| assert!(seen.state.counters.connections_opened >= 5));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_pushes_that_ends_is_survived_and_told() {
    let host = Setup::new().sim(|options| options.limits.monthly_pushes = Some(1)).spawn().await;
    host.say(ALICE, "echo one");
    host.until("the answer", |seen| seen.to(ALICE) == ["one"]).await;
    for n in 0..3 {
        host.say(ALICE, &format!("trace {n}"));
    }
    host.sim.event("user_add_org", &serde_json::json!({ "userId": ["1"] }));
    host.until("the empty envelopes are acknowledged", |_| {
        acked(&host, ROBOT) == 4 && acked(&host, "*") == 1
    })
    .await;
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    assert!(stage.lines("ran").is_empty());
    let log = stage.lines("err").join("\n");
    assert!(log.contains("quota"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_a_quota_of_calls_that_ends_parks_what_cannot_be_said_and_stops_nothing() {
    let host = without_webhooks().spawn().await;
    let gone = HttpFault::new(HttpFaultKind::Quota).on("/v1.0/robot");
    host.sim.faults(&FaultOrder { http: vec![gone], ..FaultOrder::default() });
    host.say(ALICE, "trace one");
    host.say(BOB, "trace two");
    host.until_true("the handlers ran", || host.lines("ran").len() == 2).await;
    host.until_true("what they said is kept for the owner", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'parked'") >= 2
    })
    .await;
    assert!(super::calls(&host, TO_PERSON) <= 4, "called in a loop");
    // A new month, and the owner says so.
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    host.say(OWNER, "parked retry all");
    host.until("everything is said", |seen| {
        seen.to(ALICE).contains(&"did one") && seen.to(BOB).contains(&"did two")
    })
    .await;
    host.say(LINA, "echo three");
    host.until("and what comes", |seen| seen.to(LINA) == ["three"]).await;
    host.stop().await;
}
