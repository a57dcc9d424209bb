//! Whatever the connection does and brings, the host goes on.

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind, RawFrame};

use super::stage::{ALICE, BOB, LINA, OWNER, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_connection_lose_nothing_and_repeat_nothing() {
    let faults = [
        ("close", FaultOrder { close: true, ..FaultOrder::default() }),
        (
            "disconnect",
            FaultOrder {
                disconnect: Some("connection is expired".to_owned()),
                ..FaultOrder::default()
            },
        ),
        (
            "disconnect without an id",
            FaultOrder {
                disconnect_minimal: Some("connection is expired".to_owned()),
                ..FaultOrder::default()
            },
        ),
        ("reorder", FaultOrder { reorder: Some(4), ..FaultOrder::default() }),
        ("duplicate", FaultOrder { duplicate: Some(4), ..FaultOrder::default() }),
        (
            "no ticket at first",
            FaultOrder {
                close: true,
                http: vec![
                    HttpFault::new(HttpFaultKind::Html).on("/v1.0/gateway").calls(2),
                    HttpFault::new(HttpFaultKind::Reset).on("/v1.0/gateway").calls(1),
                ],
                ..FaultOrder::default()
            },
        ),
    ];
    let host = Setup::new().start().await;
    let people = [ALICE, BOB, LINA, OWNER];
    let mut expected: Vec<String> = Vec::new();
    for (round, (_, order)) in faults.iter().enumerate() {
        for n in 0..10 {
            if n == 5 {
                host.sim.faults(order);
            }
            let text = format!("{round}-{n}");
            host.say(people[n % people.len()], &format!("trace {text}"));
            expected.push(format!("did {text}"));
        }
        host.until("every message so far is answered", |seen| seen.all().len() >= expected.len())
            .await;
    }
    expected.sort();
    host.look(|seen| {
        let mut all = seen.all();
        all.sort_unstable();
        assert_eq!(all, expected);
    });
    assert_eq!(host.lines("ran").len(), expected.len());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_nothing_that_a_frame_can_hold_keeps_the_host_from_answering() {
    let host = Setup::new().spawn().await;
    let robot = |data: &str| {
        let headers = r#"{"topic":"/v1.0/im/bot/messages/get","messageId":"x","contentType":"application/json"}"#;
        RawFrame::Text(format!(
            r#"{{"specVersion":"1.0","type":"CALLBACK","headers":{headers},"data":{data}}}"#
        ))
    };
    let text = |text: &str| RawFrame::Text(text.to_owned());
    let frames = [
        text(""),
        text("null"),
        text("{"),
        text(&"[".repeat(100_000)),
        text(&r#"{"a":"#.repeat(10_000)),
        text(
            r#"{"type":"CALLBACK","headers":{"topic":"/v1.0/other","messageId":"u"},"data":"{}"}"#,
        ),
        text(r#"{"type":7,"headers":[],"data":{}}"#),
        robot("7"),
        robot("null"),
        robot(r#""not json""#),
        robot(r#""{\"msgtype\":7,\"text\":[],\"msgId\":{}}""#),
        robot(
            r#""{\"msgtype\":\"text\",\"msgId\":\"m\",\"text\":{\"content\":7},\"conversationType\":9}""#,
        ),
        RawFrame::Binary(vec![0xff; 1000]),
        RawFrame::Padded(900 * 1024),
        // These end the connection; the host opens the next one.
        RawFrame::Padded(16 * 1024 * 1024),
        RawFrame::Padded(2 * 1024 * 1024),
    ];
    for (n, frame) in frames.into_iter().enumerate() {
        host.until("connected", |seen| seen.state.bot.connected).await;
        // Between two looks it may have gone again.
        while host.sim.raw(frame.clone()).is_err() {
            tokio::task::yield_now().await;
        }
        host.say(ALICE, &format!("echo {n}"));
        host.until("answered after it", |seen| seen.to(ALICE).len() == n + 1).await;
    }
    host.look(|seen| {
        let expected: Vec<String> = (0..seen.to(ALICE).len()).map(|n| n.to_string()).collect();
        assert_eq!(seen.to(ALICE), expected);
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_an_endpoint_on_a_foreign_host_is_not_followed() {
    let host = Setup::new().spawn().await;
    // Somebody listens there, on another address of this computer.
    let elsewhere = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let foreign = format!("ws://{}/connect", elsewhere.local_addr().unwrap());
    host.sim.faults(&FaultOrder { endpoint: Some(foreign), close: true, ..FaultOrder::default() });
    host.until_true("it refuses it", || {
        host.lines("err").iter().any(|line| line.contains("refused the endpoint"))
    })
    .await;
    host.say(ALICE, "echo one");
    host.look(|seen| assert!(!seen.state.bot.connected));
    assert!(elsewhere.accept().is_err(), "it was followed");
    let stage = host.stop().await;
    stage.sim.faults(&FaultOrder { endpoint: Some(String::new()), ..FaultOrder::default() });
    let host = stage.spawn().await;
    host.until("it is answered once the endpoint is right", |seen| seen.to(ALICE) == ["one"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f5_no_refusal_of_the_gateway_is_answered_with_a_storm_of_calls() {
    const OPEN: &str = "/v1.0/gateway";
    let host = Setup::new().spawn().await;
    let opened = || {
        let calls = host.sim.state().counters.calls;
        calls.iter().filter(|(path, _)| path.contains(OPEN)).map(|(_, calls)| calls).sum::<u64>()
    };
    // The line is cut, and the tickets that it asks for are refused, in one way after another: each is one call.
    let before = opened();
    let kinds = [HttpFaultKind::Status { status: 429 }, HttpFaultKind::Html];
    let http = kinds.map(|kind| HttpFault::new(kind).on(OPEN).calls(1)).to_vec();
    host.sim.faults(&FaultOrder { close: true, http, ..FaultOrder::default() });
    host.say(ALICE, "echo after all");
    host.until("it is back and answers", |seen| seen.to(ALICE) == ["after all"]).await;
    assert_eq!(opened() - before, 3, "{}", host.lines("err").join("\n"));
    // Sent away, it comes back each time, and asks no more often than that.
    let before = opened();
    for n in 0..2 {
        let away = Some("connection is expired".to_owned());
        host.sim.faults(&FaultOrder { disconnect: away, ..FaultOrder::default() });
        host.until_true("it asks for the next one", || opened() > before + n).await;
        host.until("it is there", |seen| seen.state.bot.connected).await;
    }
    host.say(BOB, "echo still here");
    host.until("it answers", |seen| seen.to(BOB) == ["still here"]).await;
    assert!(opened() - before <= 4, "{} tickets", opened() - before);
    host.stop().await;
}
