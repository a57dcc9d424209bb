//! `kill -9` at any moment: nothing is lost, nothing runs twice, and people are told.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use moonbell::sim::CardState;

use super::process::HostProcess;
use super::stage::{ALICE, BOB, LINA, OWNER, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_crash_cut_short_is_told_once_and_never_repeated() {
    let host = Setup::new().spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    // Behind it in the lane, and accepted: it must survive.
    host.say(ALICE, "trace waited");
    host.until("both are acknowledged", |seen| seen.state.counters.acks >= 2).await;
    let stage = host.kill().await;
    gate.open();
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'running'"), 1);

    let host = HostProcess::spawn(stage).await;
    host.until("she is told, and what waited is run", |seen| seen.to(ALICE).len() == 2).await;
    // An answer that is said but not noted as said would be repeated: that is another test's.
    host.until_true("both are noted as said", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'sent'") == 2
    })
    .await;
    let host = HostProcess::spawn(host.kill().await).await;
    host.say(ALICE, "echo later");
    host.until("a later message", |seen| seen.to(ALICE).contains(&"later")).await;
    let told =
        host.look(|seen| seen.to(ALICE).iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let notices: Vec<_> = told.iter().filter(|text| text.contains("`hold one` was done")).collect();
    assert_eq!(notices.len(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|text| *text == "did waited").count(), 1, "{told:?}");
    let run = notices[0].split("(run ").nth(1).unwrap().split(')').next().unwrap();
    assert_eq!(run.len(), 5, "{run}");
    assert_eq!(host.lines("entered"), ["one"]);
    assert_eq!(host.lines("ran"), ["waited"]);
    let (status, _) = host.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_a_crash_left_open_is_failed_and_keeps_its_text() {
    let host = Setup::new().spawn().await;
    let gate = host.hold("one");
    host.say(BOB, "card one");
    host.entered(&["one"]).await;
    host.until("it shows something", |seen| {
        seen.to(BOB).first().is_some_and(|text| text.contains("half way through one"))
    })
    .await;
    let stage = host.kill().await;
    gate.open();
    assert_eq!(stage.sim.stuck_cards().len(), 1);
    let host = HostProcess::spawn(stage).await;
    host.until("it has ended", |seen| seen.state.cards.iter().all(|card| card.state.is_terminal()))
        .await;
    host.until("he is told", |seen| seen.to(BOB).len() == 2).await;
    host.look(|seen| {
        let card = &seen.state.cards[0];
        assert_eq!(card.state, CardState::Failed);
        assert!(card.text.contains("half way through one"), "{}", card.text);
        assert!(card.text.contains("interrupted"), "{}", card.text);
    });
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    assert_eq!(stage.journal("SELECT count(*) FROM cards WHERE state <> 'closed'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_text_of_a_card_survives_a_crash_before_its_final_frame() {
    use moonbell::sim::HttpFaultKind;
    for template in [true, false] {
        let setup = if template { Setup::new() } else { Setup::new().without_template() };
        let host = setup.spawn().await;
        let gate = host.hold("one");
        host.say(BOB, "card one");
        host.entered(&["one"]).await;
        if template {
            host.until("it is there", |seen| seen.state.cards.len() == 1).await;
        }
        // From here nothing that it says gets through.
        host.fail("/v1.0/card", HttpFaultKind::Throttle, 100_000);
        host.fail("/robot", HttpFaultKind::Throttle, 100_000);
        host.fail("/v1.0/robot", HttpFaultKind::Throttle, 100_000);
        gate.open();
        host.until_true("its run has ended", || {
            host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 1
        })
        .await;
        let stage = host.kill().await;
        stage.sim.faults(&moonbell::sim::FaultOrder { clear: true, ..Default::default() });
        let host = HostProcess::spawn(stage).await;
        host.until("all of it", |seen| {
            seen.to(BOB)
                .first()
                .is_some_and(|text| text.ends_with("half way through one, all of it"))
                && seen.state.cards.iter().all(|card| card.state == CardState::Finished)
        })
        .await;
        host.look(|seen| assert_eq!(seen.to(BOB).len(), 1, "{:?}", seen.to(BOB)));
        let (status, _) = host.terminate().await;
        assert!(status.success());
    }
}

/// A reply that was on its way when the host died is said again: at most one for each chat and crash. A reply that was
/// said before its run ended may be followed by the notice that the run was interrupted. See
/// `docs/decisions/0001-replies-at-least-once.md`.
#[tokio::test(flavor = "multi_thread")]
async fn fifteen_crashes_at_random_moments_lose_nothing_and_run_nothing_twice() {
    const ROUNDS: usize = 15;
    let people = [ALICE, BOB, LINA, OWNER];
    let mut host = Setup::new().spawn().await;
    let mut said: BTreeMap<String, &str> = BTreeMap::new();
    for round in 0..ROUNDS {
        for n in 0..3 {
            for person in people {
                let text = format!("r{round}n{n}p{}", &person[person.len() - 2..]);
                host.say(person, &format!("trace {text}"));
                said.insert(text, person);
            }
        }
        // Somewhere between the first frame and the last answer.
        let wait = rand::random_range(0..150);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        host = HostProcess::spawn(host.kill().await).await;
    }
    let answers = |texts: &[&str], said: &str| {
        let answered = texts.iter().filter(|text| **text == format!("did {said}")).count();
        let told =
            texts.iter().filter(|text| text.contains(&format!("`trace {said}` was done"))).count();
        (answered, told)
    };
    host.until("every message is answered or reported", |seen| {
        said.iter().all(|(text, person)| answers(&seen.to(person), text) != (0, 0))
    })
    .await;
    let (status, stage) = host.terminate().await;
    assert!(status.success());

    let ran = stage.lines("ran");
    assert_eq!(ran.len(), ran.iter().collect::<HashSet<_>>().len(), "something ran twice: {ran:?}");
    let state = stage.sim.state();
    let (mut again, mut interrupted) = (0, 0);
    for (text, person) in &said {
        let (answered, told) = answers(&state.replies(&stage.sim.direct_chat(person)), text);
        again += answered.saturating_sub(1) + told.saturating_sub(1);
        interrupted += usize::from(told > 0);
    }
    assert!(again <= ROUNDS * people.len(), "{again} answers came again");
    assert!(interrupted <= ROUNDS * people.len(), "{interrupted} were interrupted");
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state IN ('queued', 'running')"), 0);
    assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'"), 0);
}
