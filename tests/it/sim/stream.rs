//! Tokens, tickets, frames, acknowledgements, redelivery, and the faults of a socket.

use std::time::Duration;

use moonbell::sim::BOT;
use moonbell::sim::FaultOrder;
use moonbell::sim::HttpFault;
use moonbell::sim::HttpFaultKind;
use moonbell::sim::Options;
use moonbell::sim::RawFrame;
use moonbell::sim::Say;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::bot::OWNER;
use super::bot::Socket;
use super::bot::data;
use super::bot::start;
use super::bot::start_with;

fn quick() -> Options {
    let mut options = Options::default();
    options.clocks.redelivery = Some(Duration::from_millis(50));
    options.clocks.disconnect = Duration::from_millis(50);
    options.clocks.ping = Duration::from_millis(30);
    options
}

#[tokio::test]
async fn a_message_reaches_the_bot_and_its_webhook_answers_into_the_chat() {
    let (sim, bot) = start().await;
    let mut socket = bot.connect().await;
    let id = sim.say(&Say::direct(OWNER, "ping")).unwrap();
    let frame = socket.frame().await;
    socket.ack(&frame, &json!({ "response": null })).await;
    let message = data(&frame);
    assert_eq!(frame["headers"]["topic"], "/v1.0/im/bot/messages/get");
    assert_eq!(message["msgId"], id);
    assert_eq!(message["senderStaffId"], OWNER);
    assert_eq!(message["conversationType"], "1");
    assert_eq!(message["text"]["content"], "ping");
    assert_eq!(message["robotCode"], sim.client_id());
    let webhook = message["sessionWebhook"].as_str().unwrap();
    let answer =
        bot.post(webhook, &json!({ "msgtype": "text", "text": { "content": "pong" } })).await;
    answer.errcode(0);
    let chat = sim.direct_chat(OWNER);
    let state = sim
        .until(|state| state.counters.acks == 1 && state.replies(&chat) == ["pong"])
        .await
        .unwrap();
    assert_eq!(state.messages.last().unwrap().from, BOT);
    assert_eq!(state.counters.bad_acks, 0);
    sim.stop().await;
}

#[tokio::test]
async fn in_a_group_only_a_mention_reaches_the_bot_and_mentions_are_cut_out() {
    let (sim, bot) = start().await;
    let mut socket = bot.connect().await;
    let group = sim.group(0);
    sim.say(&Say::in_chat(&group, OWNER, "nobody asked").without_mention()).unwrap();
    sim.say(&Say::in_chat(&group, OWNER, "@moonbell look at this with @Alice Chen please"))
        .unwrap();
    let message = data(&socket.frame().await);
    assert_eq!(message["conversationType"], "2");
    assert_eq!(message["isInAtList"], true);
    assert_eq!(message["text"]["content"], " look at this with  please");
    assert_eq!(message["atUsers"][0]["dingtalkId"], message["chatbotUserId"]);
    assert_eq!(message["atUsers"][1]["staffId"], "015412345601");
}

#[tokio::test]
async fn a_quote_carries_the_message_it_answers() {
    let (sim, bot) = start().await;
    let mut socket = bot.connect().await;
    let first = sim.say(&Say::direct(OWNER, "the build failed")).unwrap();
    socket.frame().await;
    sim.say(&Say::direct(OWNER, "why?").quoting(&first)).unwrap();
    let message = data(&socket.frame().await);
    assert_eq!(message["originalMsgId"], first);
    assert_eq!(message["text"]["repliedMsg"]["content"]["text"], "the build failed");
}

#[tokio::test]
async fn a_picture_is_downloaded_by_its_code_and_a_content_type_breaks_the_link() {
    let (sim, bot) = start().await;
    let mut socket = bot.connect().await;
    let upload = sim.upload("chart.png", &b"\x89PNG pretend"[..]);
    sim.say(&Say::direct(OWNER, "").with_file(&upload)).unwrap();
    let message = data(&socket.frame().await);
    assert_eq!(message["msgtype"], "picture");
    let code = &message["content"]["downloadCode"];
    let path = "/v1.0/robot/messageFiles/download";
    bot.post(path, &json!({ "downloadCode": code, "robotCode": "other" }))
        .await
        .is(400, "invalidParameter.robotCode.auth");
    bot.post(path, &json!({ "downloadCode": "no", "robotCode": bot.robot_code() }))
        .await
        .is(400, "invalidParameter.robotCode.downloadCode");
    let link =
        bot.post(path, &json!({ "downloadCode": code, "robotCode": bot.robot_code() })).await;
    let url = link.body["downloadUrl"].as_str().unwrap();
    assert_eq!(
        bot.http.get(url).send().await.unwrap().bytes().await.unwrap(),
        &b"\x89PNG pretend"[..]
    );
    let typed = bot.http.get(url).header("Content-Type", "application/json").send().await.unwrap();
    assert_eq!(typed.status(), 403);
}

#[tokio::test]
async fn an_unanswered_message_comes_again_under_another_message_id() {
    let (sim, bot) = start_with(quick()).await;
    let mut socket = bot.connect().await;
    sim.say(&Say::direct(OWNER, "hello")).unwrap();
    let first = socket.frame().await;
    let second = socket.frame().await;
    assert_ne!(first["headers"]["messageId"], second["headers"]["messageId"]);
    assert_eq!(first["data"], second["data"]);
    socket.ack(&second, &json!({ "response": null })).await;
    sim.until(|state| state.counters.acks == 1).await.unwrap();
    sim.say(&Say::direct(OWNER, "next")).unwrap();
    assert_eq!(
        data(&socket.frame().await)["text"]["content"],
        "next",
        "an answered one is not repeated"
    );
}

#[tokio::test]
async fn an_event_that_is_put_off_comes_again() {
    let (sim, bot) = start_with(quick()).await;
    let mut socket = bot.connect().await;
    sim.event("user_add_org", &json!({ "userId": ["1"] }));
    let first = socket.frame().await;
    assert_eq!(first["type"], "EVENT");
    assert_eq!(first["headers"]["eventType"], "user_add_org");
    socket.ack(&first, &json!({ "status": "LATER", "message": "busy" })).await;
    let second = socket.frame().await;
    assert_eq!(first["headers"]["eventId"], second["headers"]["eventId"]);
    socket.ack(&second, &json!({ "status": "SUCCESS" })).await;
    sim.until(|state| state.counters.acks == 2).await.unwrap();
}

#[tokio::test]
async fn answers_that_dingtalk_would_not_understand_are_counted_with_the_reason() {
    let (sim, bot) = start().await;
    let mut socket = bot.connect().await;
    sim.say(&Say::direct(OWNER, "hello")).unwrap();
    let id = socket.frame().await["headers"]["messageId"].clone();
    let bad = [
        ("{", "not JSON"),
        (
            &*json!({ "code": "200", "headers": { "messageId": id }, "data": "" }).to_string(),
            "`code` is not a number",
        ),
        (
            &*json!({ "code": 200, "headers": {}, "data": "" }).to_string(),
            "`headers.messageId` is missing",
        ),
        (
            &*json!({ "code": 200, "headers": { "messageId": id }, "data": {} }).to_string(),
            "`data` is not a string",
        ),
        (
            &*json!({ "code": 200, "headers": { "messageId": "x" }, "data": "" }).to_string(),
            "no frame has",
        ),
    ];
    for (text, _) in bad {
        socket.send(text.to_owned()).await;
    }
    let state = sim.until(|state| state.counters.bad_acks == 5).await.unwrap();
    assert_eq!(state.counters.acks, 0);
    let reasons: Vec<String> = sim.wire(0).into_iter().map(|line| line.summary).collect();
    for (text, why) in bad {
        assert!(
            reasons.iter().any(|line| line.contains(why)),
            "{text}: no `{why}` in {reasons:#?}"
        );
    }
}

#[tokio::test]
async fn a_ping_is_answered_with_its_own_data() {
    let (sim, bot) = start_with(quick()).await;
    let mut socket = bot.connect().await;
    let ping = loop {
        let frame = socket.any().await.unwrap();
        if frame["headers"]["topic"] == "ping" {
            break frame;
        }
    };
    socket.ack(&ping, &json!({ "opaque": "something else" })).await;
    sim.until(|state| state.counters.bad_acks == 1).await.unwrap();
    socket.ack(&ping, &data(&ping)).await;
    sim.until(|state| state.counters.acks == 1).await.unwrap();
}

#[tokio::test]
async fn a_ticket_opens_one_connection_and_not_for_long() {
    let mut options = Options::default();
    options.clocks.ticket = Duration::ZERO;
    let (_sim, bot) = start_with(options).await;
    let late = bot.open(bot.registration()).await;
    let url = |opened: &Value| {
        format!(
            "{}?ticket={}",
            opened["endpoint"].as_str().unwrap(),
            opened["ticket"].as_str().unwrap()
        )
    };
    assert_eq!(Socket::open(&url(&late.body)).await.err(), Some(401), "expired");

    let (_sim, bot) = start().await;
    let opened = bot.open(bot.registration()).await;
    let _first = Socket::open(&url(&opened.body)).await.unwrap();
    assert_eq!(Socket::open(&url(&opened.body)).await.err(), Some(401), "used");
}

#[tokio::test]
async fn opening_a_connection_refuses_what_dingtalk_refuses() {
    let (_sim, bot) = start().await;
    let with = |key: &str, value: Value| {
        let mut body = bot.registration();
        body[key] = value;
        body
    };
    bot.open(with("clientSecret", json!("simulator-secret-9999"))).await.is(401, "authFailed");
    bot.open(with("ua", json!("two words"))).await.is(400, "invalidParameter");
    bot.open(with("subscriptions", json!([]))).await.is(400, "invalidParameter");
    let event = json!([{ "type": "EVENT", "topic": "user_add_org" }]);
    bot.open(with("subscriptions", event)).await.is(400, "invalidParameter");
    let plain = bot
        .call_as(None, Method::POST, "/v1.0/gateway/connections/open", &bot.registration())
        .await;
    assert!(
        plain.body.as_str().is_some_and(|text| text.starts_with("<?xml")),
        "without Accept: {plain:?}"
    );
}

#[tokio::test]
async fn after_a_disconnect_frame_the_socket_is_silent_and_then_ends() {
    let (sim, bot) = start_with(quick()).await;
    let mut old = bot.connect().await;
    sim.until(|state| state.bot.connected).await.unwrap();
    sim.faults(&FaultOrder {
        disconnect: Some("connection is expired".to_owned()),
        ..FaultOrder::default()
    });
    let reason = loop {
        let frame = old.any().await.unwrap();
        if frame["headers"]["topic"] == "disconnect" {
            break data(&frame)["reason"].clone();
        }
    };
    assert_eq!(reason, "connection is expired");
    assert!(!sim.state().bot.connected);
    let mut new = bot.connect().await;
    sim.say(&Say::direct(OWNER, "to the new one")).unwrap();
    assert_eq!(data(&new.frame().await)["text"]["content"], "to the new one");
    assert_eq!(old.any().await, None, "nothing more, then the end");
}

#[tokio::test]
async fn socket_faults_do_what_they_say() {
    let mut options = Options::default();
    options.clocks.redelivery = None;
    let (sim, bot) = start_with(options).await;
    let mut socket = bot.connect().await;
    let order = FaultOrder::default;
    let say = |text: &str| sim.say(&Say::direct(OWNER, text)).unwrap();
    let texts = async |socket: &mut Socket, count: usize| {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(data(&socket.frame().await)["text"]["content"].as_str().unwrap().to_owned());
        }
        texts
    };

    sim.faults(&FaultOrder { duplicate: Some(1), ..order() });
    say("twice");
    say("once");
    assert_eq!(texts(&mut socket, 3).await, ["twice", "twice", "once"]);

    sim.faults(&FaultOrder { drop: Some(1), ..order() });
    say("lost");
    say("kept");
    assert_eq!(texts(&mut socket, 1).await, ["kept"]);

    sim.faults(&FaultOrder { reorder: Some(3), ..order() });
    say("1");
    say("2");
    say("3");
    assert_eq!(texts(&mut socket, 3).await, ["3", "2", "1"]);

    sim.faults(&FaultOrder { zombie: Some(true), ..order() });
    say("swallowed");
    sim.faults(&FaultOrder { zombie: Some(false), ..order() });
    say("heard");
    assert_eq!(texts(&mut socket, 1).await, ["heard"]);

    sim.faults(&FaultOrder { close: true, ..order() });
    assert_eq!(socket.any().await, None);
    sim.until(|state| !state.bot.connected).await.unwrap();
}

#[tokio::test]
async fn any_frame_at_all_can_be_sent() {
    let (sim, bot) = start().await;
    assert!(sim.raw(RawFrame::Text("{".to_owned())).is_err(), "there is no connection yet");
    let mut socket = bot.connect().await;
    sim.until(|state| state.bot.connected).await.unwrap();
    sim.raw(RawFrame::Text("not json".to_owned())).unwrap();
    sim.raw(RawFrame::Binary(vec![0xff, 0xfe])).unwrap();
    sim.raw(RawFrame::Padded(16 * 1024 * 1024)).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        match socket.message().await.unwrap() {
            Message::Text(text) if text.starts_with('{') && text.len() < 1024 => {}
            Message::Text(text) => seen.push(text.len()),
            Message::Binary(bytes) => seen.push(bytes.len()),
            _ => {}
        }
    }
    assert_eq!(seen, ["not json".len(), 2, 16 * 1024 * 1024]);
}

#[tokio::test]
async fn a_connection_can_be_refused_and_led_elsewhere() {
    let (sim, bot) = start().await;
    let refuse = HttpFault::new(HttpFaultKind::Status { status: 503 }).on("/v1.0/gateway").calls(1);
    sim.faults(&FaultOrder { http: vec![refuse], ..FaultOrder::default() });
    let refused = bot.open(bot.registration()).await;
    assert_eq!(refused.status, 503);
    assert!(refused.body.as_str().is_some_and(|text| text.contains("<html>")));
    sim.faults(&FaultOrder {
        endpoint: Some("wss://evil.example/connect".to_owned()),
        ..FaultOrder::default()
    });
    assert_eq!(bot.open(bot.registration()).await.body["endpoint"], "wss://evil.example/connect");
}

#[tokio::test]
async fn past_the_monthly_pushes_the_message_is_an_error_20001() {
    let mut options = Options::default();
    options.limits.monthly_pushes = Some(0);
    let (sim, bot) = start_with(options).await;
    let mut socket = bot.connect().await;
    sim.say(&Say::direct(OWNER, "hello")).unwrap();
    let message = data(&socket.frame().await);
    assert_eq!(message["errorCode"], "20001");
    assert!(message.get("text").is_none());
}

#[tokio::test]
async fn before_publishing_messages_come_without_a_staff_id() {
    let (sim, bot) = start_with(Options { published: false, ..Options::default() }).await;
    let mut socket = bot.connect().await;
    sim.say(&Say::direct(OWNER, "hello")).unwrap();
    assert!(data(&socket.frame().await).get("senderStaffId").is_none());
}
