//! Answers arrive, whatever DingTalk says to the first try.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use moonbell::config::Config;
use moonbell::dingtalk::Client;
use moonbell::message::{Address, Body, ChatKind, ConversationId, Reply};
use moonbell::outbox::{Outbox, Post, Timing};
use moonbell::sim::{CardState, FaultOrder, HttpFaultKind, MessageKind};
use moonbell::store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::stage::{ALICE, BOB, LINA, OWNER, PATIENCE, Setup, count};

const WEBHOOK: &str = "/robot/sendBySession";
const TO_PERSON: &str = "POST /v1.0/robot/oToMessages/batchSend";
const TO_GROUP: &str = "POST /v1.0/robot/groupMessages/send";

/// A DingTalk that never says what became of a message: counts how often it is told.
async fn silent_dingtalk() -> (url::Url, Arc<AtomicU32>, JoinSet<()>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let answer = move |uri: axum::http::Uri| {
        let counted = Arc::clone(&counted);
        async move {
            if uri.path().ends_with("accessToken") {
                return (StatusCode::OK, r#"{"accessToken":"token","expireIn":7200}"#);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"code":"ServiceTimeout","message":"no answer inside"}"#,
            )
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap();
    });
    (base, calls, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_whose_fate_nobody_tells_is_repeated_five_times_and_not_for_a_day() {
    let (base, calls, _server) = silent_dingtalk().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let quick = Timing { backoff: Duration::from_millis(10), asked: 0.01, ..Timing::default() };
    let outbox = Outbox::open(store.clone()).await.unwrap().timing(quick);
    let mut config = Config::new(dir.path(), dir.path()).dingtalk;
    (config.client_id, config.api_base, config.oapi_base) = ("ding".to_owned(), base.clone(), base);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(outbox.clone().run(Client::new(&config).unwrap(), None, stop.clone()));
    let to = Address {
        conversation_id: ConversationId::new("cid"),
        kind: ChatKind::Group,
        staff_id: None,
        robot_code: None,
        webhook: None,
    };
    let body = Body::Text { text: "hello".to_owned() };
    outbox.post("run", vec![Post::Reply(Reply { to, body, at: Vec::new() })]).await.unwrap();
    let parked =
        "SELECT count(*) FROM outbox WHERE state = 'parked' AND error LIKE '%may have been said%'";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while count(dir.path(), parked) == 0 {
        assert!(tokio::time::Instant::now() < deadline, "{} calls", calls.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 5);
    stop.cancel();
    running.join_next().await.unwrap().unwrap();
}

/// Webhooks that the host does not use, because they end within a minute.
fn without_webhooks() -> Setup {
    Setup::new().sim(|options| options.clocks.webhook = Duration::from_secs(30))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_forgotten_is_fetched_once_more_and_the_answer_arrives() {
    let host = without_webhooks().start().await;
    host.say(ALICE, "echo one");
    host.until("the first answer", |seen| seen.to(ALICE) == ["one"]).await;
    let before = host.look(|seen| seen.state.counters.tokens_issued);
    host.sim.faults(&FaultOrder { expire_tokens: true, ..FaultOrder::default() });
    // Together: one of them asks, the others wait for its answer.
    for person in [ALICE, BOB, LINA, OWNER] {
        host.say(person, "echo two");
    }
    host.until("every answer", |seen| {
        seen.all().iter().filter(|text| **text == "two").count() == 4
    })
    .await;
    let after = host.look(|seen| seen.state.counters.tokens_issued);
    assert_eq!(after - before, 1, "one token for everybody");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_webhook_is_gone_the_robot_answers() {
    let host = Setup::new().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    let group_gate = host.hold("two");
    host.say_in(0, BOB, "hold two");
    host.entered(&["two"]).await;
    host.sim.faults(&FaultOrder { expire_webhooks: true, ..FaultOrder::default() });
    gate.open();
    group_gate.open();
    host.until("both answers", |seen| {
        seen.to(ALICE) == ["released one"] && seen.in_group(0) == ["released two"]
    })
    .await;
    host.look(|seen| {
        let calls = &seen.state.counters.calls;
        assert_eq!((calls.get(TO_PERSON), calls.get(TO_GROUP)), (Some(&1), Some(&1)), "{calls:?}");
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_about_to_end_is_not_tried() {
    let host = without_webhooks().start().await;
    host.say(ALICE, "echo direct");
    host.say_in(1, BOB, "echo group");
    host.until("both answers", |seen| {
        seen.to(ALICE) == ["direct"] && seen.in_group(1) == ["group"]
    })
    .await;
    host.look(|seen| {
        let calls = &seen.state.counters.calls;
        assert!(calls.keys().all(|call| !call.contains(WEBHOOK)), "{calls:?}");
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_passes_delays_an_answer_and_neither_loses_nor_repeats_it() {
    let kinds = [
        ("throttled", HttpFaultKind::Throttle),
        ("busy", HttpFaultKind::Busy),
        ("a gateway's 502", HttpFaultKind::Status { status: 502 }),
        ("a page of HTML", HttpFaultKind::Html),
        ("a reset", HttpFaultKind::Reset),
    ];
    for (name, kind) in kinds {
        // The robot's way has no other to change to.
        let host = without_webhooks().start().await;
        host.fail("/v1.0/robot", kind.clone(), 2);
        host.say(ALICE, "echo one");
        host.say(ALICE, "echo two");
        host.until(name, |seen| seen.to(ALICE) == ["one", "two"]).await;
        host.stop().await;

        let host = Setup::new().start().await;
        host.fail(WEBHOOK, kind, 1);
        host.say(BOB, "echo three");
        host.until(name, |seen| seen.to(BOB) == ["three"]).await;
        let stage = host.stop().await;
        assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'"), 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_over_the_limits_arrives_in_pieces_and_whole() {
    let long = r#"
        bot.command("long", function(ctx)
            local lines = {}
            for n = 1, 4000 do lines[n] = `line {n} 一二三` end
            ctx:reply(table.concat(lines, "\n"))
        end)
    "#;
    let expected: Vec<String> = (1..=4000).map(|n| format!("line {n} 一二三")).collect();
    for setup in [Setup::new(), without_webhooks()] {
        let host = setup.script("long.luau", long).start().await;
        host.say(ALICE, "long");
        host.until("every line, in order", |seen| {
            let lines: Vec<&str> = seen.to(ALICE).iter().flat_map(|text| text.lines()).collect();
            lines == expected
        })
        .await;
        host.look(|seen| assert!(seen.to(ALICE).len() > 1));
        host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_comes_to_its_end_under_throttling_and_after_an_error() {
    let fail = r#"
        bot.command("broken", function(ctx)
            local card = ctx:card({ title = "broken" })
            card:append("this far")
            time.sleep("1s")
            error("boom")
        end)
    "#;
    let host = Setup::new().script("broken.luau", fail).start().await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.say(OWNER, "broken");
    host.until("both cards are there", |seen| seen.state.cards.len() == 2).await;
    host.entered(&["one"]).await;
    host.fail("/v1.0/card/streaming", HttpFaultKind::Throttle, 3);
    gate.open();
    host.until("both have ended", |seen| {
        seen.state.cards.iter().all(|card| card.state.is_terminal())
    })
    .await;
    host.look(|seen| {
        let card = |state| seen.state.cards.iter().find(|card| card.state == state).unwrap();
        let text = &card(CardState::Finished).text;
        assert!(text.ends_with("half way through one, all of it"), "{text}");
        let text = &card(CardState::Failed).text;
        assert!(text.contains("this far") && text.contains("boom"), "{text}");
    });
    let stage = host.stop().await;
    assert!(stage.sim.stuck_cards().is_empty());
    assert_eq!(stage.journal("SELECT count(*) FROM cards WHERE state <> 'closed'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_template_the_end_of_a_card_arrives_as_markdown() {
    let host = Setup::new().without_template().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.look(|seen| assert!(seen.all().is_empty(), "nothing before its end"));
    gate.open();
    host.until("the whole text", |seen| {
        seen.to(ALICE).len() == 1 && seen.to(ALICE)[0].ends_with("half way through one, all of it")
    })
    .await;
    host.look(|seen| {
        let answer = seen.state.messages.iter().find(|m| m.from == "bot").unwrap();
        assert_eq!(answer.kind, MessageKind::Markdown);
        assert!(seen.state.cards.is_empty());
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_dingtalk_refuses_becomes_markdown() {
    let host = Setup::new().start().await;
    let scope = HttpFaultKind::MissingScope { scope: "Card.Instance.Write".to_owned() };
    host.fail("/v1.0/card", scope, 1_000);
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    gate.open();
    host.until("the whole text", |seen| {
        seen.to(ALICE).len() == 1 && seen.to(ALICE)[0].ends_with("half way through one, all of it")
    })
    .await;
    host.stop().await;
}
