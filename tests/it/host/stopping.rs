//! Ending in order.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::console::{client, contact};
use super::process::{HostProcess, bare, settings};
use super::stage::{ALICE, BOB, LINA, Setup, count};

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_runs_finish_cards_end_answers_leave_and_nothing_stays_behind() {
    let host = Setup::new().spawn().await;
    let (hold, card) = (host.hold("one"), host.hold("two"));
    host.say(ALICE, "hold one");
    host.say(BOB, "card two");
    host.entered(&["one", "two"]).await;
    host.say(ALICE, "echo not any more");
    host.until("all are acknowledged", |seen| seen.state.counters.acks >= 3).await;
    assert!(host.state_dir().join("status.json").exists());
    host.signal(Signal::SIGTERM);
    host.until("it takes nothing more", |seen| !seen.state.bot.connected).await;
    host.until_true("and says so", || {
        let status = std::fs::read_to_string(host.state_dir().join("status.json"));
        status.is_ok_and(|status| status.contains("\"stopping\""))
    })
    .await;
    let (url, _) = contact(&host).await;
    let health = client().get(format!("{url}/health")).send().await.unwrap();
    assert_eq!(health.status().as_u16(), 503);
    let health: serde_json::Value = health.json().await.unwrap();
    assert_eq!(health["state"], "stopping");
    // What comes now was not taken, so it is not acknowledged either: it comes again.
    host.say(LINA, "echo too late");
    hold.open();
    card.open();
    let (status, stage) = host.ended().await;
    assert_eq!(status.code(), Some(0), "{}", stage.lines("err").join("\n"));
    {
        let state = stage.sim.state();
        assert_eq!(state.replies(&stage.sim.direct_chat(ALICE)), ["released one"]);
        assert!(state.replies(&stage.sim.direct_chat(BOB))[0].ends_with("two, all of it"));
    }
    assert!(stage.sim.stuck_cards().is_empty());
    assert!(!stage.state_dir().join("status.json").exists());
    assert!(moonbell::store::Instance::holder(&stage.state_dir()).is_none());
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'queued'"), 1);
    assert_eq!(stage.sim.unacknowledged(), 1);
    let log = stage.state_dir().join("moonbell.db-wal");
    assert!(!log.exists() || log.metadata().unwrap().len() == 0, "the journal was not closed");

    // What waited is answered by the next one.
    let host = stage.start().await;
    host.until("the next start serves what waited", |seen| {
        seen.to(ALICE) == ["released one", "not any more"] && seen.to(LINA) == ["too late"]
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_will_not_end_is_cut_off_and_its_person_is_told() {
    let host = Setup::new().start().await;
    let gates = [host.hold("one"), host.hold("two")];
    host.say(ALICE, "hold one");
    host.say(BOB, "card two");
    host.entered(&["one", "two"]).await;
    let asked = Instant::now();
    let stage = host.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(30));
    {
        let state = stage.sim.state();
        let alice = state.replies(&stage.sim.direct_chat(ALICE));
        assert!(alice.len() == 1 && alice[0].contains("`hold one` was done (run "), "{alice:?}");
        let bob = state.replies(&stage.sim.direct_chat(BOB));
        assert!(bob.len() == 2 && bob[0].contains("half way through two"), "{bob:?}");
    }
    assert!(stage.sim.stuck_cards().is_empty());
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'interrupted'"), 2);
    drop(gates);
    // Told once: not again by the next start.
    let host = stage.start().await;
    host.say(LINA, "echo hi");
    host.until("somebody else", |seen| seen.to(LINA) == ["hi"]).await;
    host.look(|seen| assert_eq!(seen.to(ALICE).len(), 1));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_dingtalk_does_not_take_leave_after_the_next_start() {
    use moonbell::sim::{FaultOrder, HttpFaultKind};
    let host = Setup::new().start().await;
    host.fail("/robot", HttpFaultKind::Throttle, 100_000);
    host.fail("/v1.0/robot", HttpFaultKind::Throttle, 100_000);
    for n in 0..3 {
        host.say(ALICE, &format!("echo {n}"));
    }
    let state = host.state_dir();
    host.until_true("all are done", || {
        count(&state, "SELECT count(*) FROM inbox WHERE state = 'done'") == 3
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state = 'queued'"), 3);
    stage.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    let host = stage.start().await;
    host.until("all are said, in order", |seen| seen.to(ALICE) == ["0", "1", "2"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_end_is_told_for_what_and_a_second_signal_ends_it_at_once() {
    let host = Setup::new().spawn().await;
    let gates = [host.hold("one"), host.hold("two")];
    host.say(ALICE, "hold one");
    host.say(BOB, "hold two");
    host.entered(&["one", "two"]).await;
    host.signal(Signal::SIGINT);
    host.until_true("it says what it waits for", || {
        host.lines("err")
            .iter()
            .any(|line| line == "waiting for 2 runs; press Ctrl-C again to end at once")
    })
    .await;
    let asked = Instant::now();
    host.signal(Signal::SIGINT);
    let (status, stage) = host.ended().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(1), "{}", stage.lines("err").join("\n"));
    drop(gates);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_runs_may_go_on_is_a_setting() {
    let setup = Setup::new().settings(|config, _| config.shutdown.deadline = Duration::ZERO);
    let host = setup.start().await;
    let _gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    let asked = Instant::now();
    let stage = host.stop().await;
    // Ten seconds are what it would be given otherwise.
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'interrupted'"), 1);
    stage.until("she is told", |seen| seen.to(ALICE).len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_goes_away_ends_the_host_in_order() {
    let host = Setup::new().spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    host.signal(Signal::SIGHUP);
    host.until("it takes nothing more", |seen| !seen.state.bot.connected).await;
    gate.open();
    let (status, stage) = host.ended().await;
    assert_eq!(status.code(), Some(0), "{}", stage.lines("err").join("\n"));
    stage.until("she is answered", |seen| seen.to(ALICE) == ["released one"]).await;
}

/// Only where the system tells whether a signal is ignored.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_to_outlive_its_terminal_does() {
    let stage = Setup::new().stage().await;
    let mut nohup = bare(&stage, "sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" run --config \"$1\""]);
    nohup.arg(env!("CARGO_BIN_EXE_moonbell")).arg(settings(&stage));
    let host = HostProcess::started(nohup.spawn().unwrap(), stage).await;
    host.signal(Signal::SIGHUP);
    host.say(ALICE, "echo still here");
    host.until("it serves on", |seen| seen.to(ALICE) == ["still here"]).await;
    let (status, _) = host.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_deleted_under_the_host_is_told_loudly() {
    let host = Setup::new().spawn().await;
    // Moved rather than removed: the host writes into it all the while.
    std::fs::rename(host.state_dir(), host.path("bin")).unwrap();
    host.until_true("the terminal says so", || {
        host.lines("err").iter().any(|line| {
            line.contains(" error ")
                && line.contains("the journal was deleted while this host runs")
        })
    })
    .await;
    assert!(
        host.lines("err").iter().any(|line| line.contains("connected to a simulated DingTalk"))
    );
    host.kill().await;
}
