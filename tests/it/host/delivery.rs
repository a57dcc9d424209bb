//! Answers arrive, whatever DingTalk says to the first try.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use moonbell::config::Config;
use moonbell::dingtalk::Client;
use moonbell::message::{Address, Body, ChatKind, ConversationId, Reply};
use moonbell::outbox::{Outbox, Post, Timing};
use moonbell::sim::{CardState, HttpFaultKind, MessageKind};
use moonbell::store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::stage::{ALICE, OWNER, PATIENCE, Setup, count};

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
