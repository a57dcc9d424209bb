//! The connection: one at a time, back after anything, never silently dead.

use std::time::Duration;

use moonbell::app::App;
use moonbell::sim::{Direction, FaultOrder, HttpFault, HttpFaultKind, WireKind};

use super::super::stage::{ALICE, BOB, Setup, Stage};
use super::{OPEN, answered, calls};

/// Cuts the connection; the next so many attempts at another one fail so.
fn cut(stage: &Stage, kind: HttpFaultKind, attempts: Option<u32>) {
    let fault = HttpFault::new(kind).on(OPEN);
    let fault = match attempts {
        Some(attempts) => fault.calls(attempts),
        None => fault,
    };
    stage.sim.faults(&FaultOrder {
        clear: true,
        close: true,
        http: vec![fault],
        ..FaultOrder::default()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn h19_a_second_host_on_the_same_folder_does_not_start() {
    let host = Setup::new().start().await;
    let error = App::open(host.config(), "run", None).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("another moonbell"), "{error}");
    host.say(ALICE, "echo still here");
    host.until("the first serves on", |seen| seen.to(ALICE) == ["still here"]).await;
    host.look(|seen| assert_eq!(seen.state.counters.connections_opened, 1));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_on_disconnect_the_next_connection_is_open_before_the_old_one_ends() {
    // The old one would be there for longer than this test.
    let setup = Setup::new().sim(|options| options.clocks.disconnect = Duration::from_mins(10));
    let host = setup.start().await;
    for opened in 2..=3 {
        let reason = Some("connection is expired".to_owned());
        host.sim.faults(&FaultOrder { disconnect: reason, ..FaultOrder::default() });
        let text = format!("echo {opened}");
        host.say(ALICE, &text);
        host.until("it is answered", |seen| seen.to(ALICE).len() == opened - 1).await;
        host.look(|seen| assert_eq!(seen.state.counters.connections_opened, opened as u64));
        let ended = host.sim.wire(0).iter().filter(|line| line.summary == "disconnected").count();
        assert_eq!(ended, 0, "an old connection was given up");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_attempts_come_one_after_another_until_one_succeeds() {
    let host = Setup::new().timing(|timing| timing.open = Duration::from_secs(4)).start().await;
    let faults = [
        HttpFaultKind::Status { status: 503 },
        HttpFaultKind::Html,
        HttpFaultKind::Busy,
        HttpFaultKind::Reset,
        HttpFaultKind::Throttle,
        // Answers that never come to an end.
        HttpFaultKind::Hang,
        HttpFaultKind::Drip,
    ];
    for (n, kind) in faults.into_iter().enumerate() {
        let before = calls(&host, OPEN);
        let attempts = if kind == HttpFaultKind::Throttle { 1 } else { 3 };
        cut(&host, kind.clone(), Some(attempts));
        host.say(BOB, &format!("trace {n}"));
        host.until(&format!("answered after {kind:?}"), |seen| seen.to(BOB).len() == n + 1).await;
        assert_eq!(calls(&host, OPEN) - before, u64::from(attempts) + 1, "after {kind:?}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_an_endpoint_that_refuses_is_asked_for_anew_each_time() {
    let host = Setup::new().start().await;
    // A port that was free a moment ago, on the host that the settings name.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = Some(format!("ws://{closed}/connect"));
    host.sim.faults(&FaultOrder { endpoint, close: true, ..FaultOrder::default() });
    host.say(ALICE, "trace one");
    host.until("it asks again and again", |_| calls(&host, OPEN) >= 5).await;
    let endpoint = Some(String::new());
    host.sim.faults(&FaultOrder { endpoint, ..FaultOrder::default() });
    host.until("it is answered", |seen| seen.to(ALICE) == ["did one"]).await;
    // One after another: each was answered before the next.
    answered(&host, OPEN);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_refused_credentials_are_not_tried_in_a_loop() {
    let setup = Setup::new().timing(|timing| {
        // Everything else would come back after this.
        (timing.backoff, timing.backoff_cap) = (Duration::ZERO, Duration::ZERO);
        timing.refused = Duration::from_hours(1);
    });
    let host = setup.start().await;
    cut(&host, HttpFaultKind::AuthFailed, None);
    host.until("it was refused", |_| calls(&host, OPEN) == 2).await;
    host.say(ALICE, "echo one");
    host.until_true("time goes by", || host.sim.state().counters.redelivered >= 2).await;
    assert_eq!(calls(&host, OPEN), 2, "tried in a loop");
    // What was said meanwhile waits for the next start with the right secret.
    let stage = host.stop().await;
    stage.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    let host = stage.start().await;
    host.until("it is answered", |seen| seen.to(ALICE) == ["one"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_silence_while_the_socket_stays_open_is_noticed_and_loses_nothing() {
    let setup = Setup::new()
        .sim(|options| options.clocks.ping = Duration::from_millis(200))
        .timing(|timing| {
            timing.ping = Duration::from_millis(200);
            timing.silence = Duration::from_secs(2);
        });
    let host = setup.start().await;
    host.say(ALICE, "echo one");
    host.until("one", |seen| seen.to(ALICE) == ["one"]).await;
    // Pings of the WebSocket are still answered: only frames tell the truth.
    host.sim.faults(&FaultOrder { zombie: Some(true), ..FaultOrder::default() });
    host.say(ALICE, "echo two");
    host.until("another connection is opened", |seen| seen.state.counters.connections_opened >= 2)
        .await;
    host.sim.faults(&FaultOrder { zombie: Some(false), ..FaultOrder::default() });
    host.until("what was said meanwhile is answered", |seen| seen.to(ALICE) == ["one", "two"])
        .await;
    let swallowed = host.sim.wire(0).into_iter().any(|line| {
        line.kind == WireKind::Frame
            && line.dir == Direction::Out
            && line.summary.contains("(swallowed)")
    });
    assert!(swallowed, "the frame had come to a deaf socket");
    host.stop().await;
}
