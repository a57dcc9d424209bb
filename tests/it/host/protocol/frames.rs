//! Frames: acknowledged, taken once, in order, whatever they look like.

use std::time::Duration;

use moonbell::sim::{FaultOrder, RawFrame, Say};
use serde_json::{Value, json};

use super::super::moments::known;
use super::super::stage::{ALICE, BOB, LINA, OWNER, Seen, Setup};
use super::{ROBOT, acked, data, frame_with, set_data, without_webhooks};

const CARD_TOPIC: &str = "/v1.0/card/instances/callback";

/// Notes events and clicks on disk.
const NOTES: &str = r#"
bot.on("event", function(event) shell.sh("echo $1 >> $2/ran", event.kind, "{home}") end)
bot.on("card", function(click) shell.sh("echo $1 >> $2/ran", click.action_ids[1], "{home}") end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn h01_every_frame_is_acked_at_once_and_after_the_write() {
    let host = Setup::new().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    host.say(ALICE, "echo two");
    host.sim.event("user_add_org", &json!({ "userId": ["1"] }));
    host.until("all are acknowledged while the handler works", |_| {
        acked(&host, ROBOT) == 2 && acked(&host, "*") == 1
    })
    .await;

    // The disk takes nothing: neither may the host say that it has the message.
    let journal = rusqlite::Connection::open(host.state_dir().join("moonbell.db")).unwrap();
    journal.execute_batch("BEGIN IMMEDIATE").unwrap();
    host.say(BOB, "trace later");
    host.until("it came again", |seen| seen.state.counters.redelivered >= 2).await;
    assert_eq!(acked(&host, ROBOT), 2, "acknowledged, and on no disk");
    journal.execute_batch("ROLLBACK").unwrap();
    host.until("it is done", |seen| seen.to(BOB) == ["did later"]).await;
    gate.open();
    host.until("the first too", |seen| seen.to(ALICE) == ["released one", "two"]).await;
    assert_eq!(host.lines("ran"), ["later"]);
    host.look(|seen| assert_eq!(seen.state.counters.bad_acks, 0));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h02_a_message_that_comes_twice_is_answered_once() {
    let host = Setup::new().start().await;
    host.sim.faults(&FaultOrder { duplicate: Some(20), ..FaultOrder::default() });
    for n in 0..20 {
        host.say([ALICE, BOB, LINA][n % 3], &format!("trace {n}"));
    }
    // All forty deliveries were taken; what they asked for happened twenty times.
    host.until("forty acknowledgements", |_| acked(&host, ROBOT) >= 40).await;
    host.until("every message is answered", |seen| seen.all().len() >= 20).await;
    host.say(OWNER, "echo last");
    host.until("a later message", |seen| seen.to(OWNER) == ["last"]).await;
    host.look(|seen| assert_eq!(seen.all().len(), 21));
    assert_eq!(host.lines("ran").len(), 20);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h02_a_message_that_comes_again_after_a_restart_is_not_run_again() {
    let host = Setup::new().start().await;
    host.say(ALICE, "trace once");
    host.until("the answer", |seen| seen.to(ALICE) == ["did once"]).await;
    let pushed = data(&frame_with(&host, "trace once"));
    let host = host.stop().await.start().await;
    let acks = acked(&host, ROBOT);
    // Under another messageId, as DingTalk repeats.
    host.sim.callback(ROBOT, &pushed);
    host.until("it is acknowledged", |_| acked(&host, ROBOT) > acks).await;
    host.say(BOB, "echo later");
    host.until("a later message", |seen| seen.to(BOB) == ["later"]).await;
    host.look(|seen| assert_eq!(seen.to(ALICE), ["did once"]));
    assert_eq!(host.lines("ran"), ["once"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h03_an_event_or_a_click_that_comes_twice_is_handled_once() {
    let host = Setup::new().script("notes.luau", NOTES).start().await;
    known(&host).await;
    // The same eventId under two messageIds.
    host.sim.faults(&FaultOrder { duplicate: Some(1), ..FaultOrder::default() });
    host.sim.event("user_add_org", &json!({ "userId": ["1"] }));
    host.until("both are acknowledged", |_| acked(&host, "*") == 2).await;
    // Clicks have no id of their own: the same one is the same delivery.
    let payload = json!({ "cardPrivateData": { "actionIds": ["yes"], "params": {} } }).to_string();
    let click = json!({
        "type": "actionCallback", "outTrackId": "card-1", "userId": OWNER, "spaceType": "im",
        "corpId": host.sim.corp_id(), "spaceId": host.sim.group(0), "content": payload, "value": payload,
    });
    let headers =
        json!({ "topic": CARD_TOPIC, "messageId": "m1", "contentType": "application/json" });
    let mut frame = json!({ "specVersion": "1.0", "type": "CALLBACK", "headers": headers });
    set_data(&mut frame, &click);
    for _ in 0..2 {
        host.sim.raw(RawFrame::Text(frame.to_string())).unwrap();
    }
    // Another click of the same person on the same button is another delivery.
    host.sim.callback(CARD_TOPIC, &click);
    host.until_true("all are handled", || host.lines("ran").len() >= 3).await;
    host.until_true("and nothing waits", || {
        host.journal("SELECT count(*) FROM inbox WHERE state IN ('queued', 'running')") == 0
    })
    .await;
    let mut ran = host.lines("ran");
    ran.sort_unstable();
    assert_eq!(ran, ["user_add_org", "yes", "yes"]);
    host.stop().await;
}

/// Others drop what is older than their start, and with it what was said a moment before. Here the journal knows what
/// was answered, and only what comes very late is not run.
#[tokio::test(flavor = "multi_thread")]
async fn h04_what_was_said_just_before_the_start_is_answered_and_nothing_older_is_run() {
    let host = Setup::new().start().await;
    host.say(ALICE, "trace before");
    host.until("the answer", |seen| seen.to(ALICE) == ["did before"]).await;
    let before = data(&frame_with(&host, "trace before"));
    let stage = host.stop().await;
    stage.say(ALICE, "trace meanwhile");
    stage.sim.callback(ROBOT, &before);
    let old = Say::direct(BOB, "trace this morning").sent_ago(Duration::from_hours(3));
    stage.sim.say(&old).unwrap();
    let host = stage.start().await;
    host.until("the answer", |seen| seen.to(ALICE) == ["did before", "did meanwhile"]).await;
    host.until("he is told", |seen| {
        seen.to(BOB).first().is_some_and(|text| text.contains("`trace this morning` came"))
    })
    .await;
    host.until("all are acknowledged", |_| acked(&host, ROBOT) >= 4).await;
    assert_eq!(host.lines("ran"), ["before", "meanwhile"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h05_spaces_of_all_kinds_are_one_and_a_bare_mention_gets_help() {
    let host = Setup::new().start().await;
    host.say(ALICE, "\u{3000}\u{a0} echo\u{a0}hello\u{2003}\u{200b}\n");
    host.until("the command is found", |seen| seen.to(ALICE) == ["hello"]).await;
    host.say_in(0, BOB, "");
    host.until("help", |seen| seen.in_group(0).len() == 1 && seen.in_group(0)[0].contains("echo"))
        .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h14_ids_stay_as_they_came() {
    let script =
        r#"bot.command("ids", function(ctx) ctx:reply(`{ctx.chat.id} {ctx.user.id}`) end)"#;
    let host = without_webhooks().script("ids.luau", script).start().await;
    let group = host.sim.group(0);
    assert_ne!(group, group.to_lowercase(), "an id that shows a change of case");
    host.say_in(0, ALICE, "ids");
    let expected = format!("{group} {ALICE}");
    host.until("the ids", |seen| seen.in_group(0) == [expected.as_str()]).await;
    let sent = super::asked(&host, super::TO_GROUP);
    assert_eq!(sent[0]["openConversationId"], group);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h22_a_conversation_is_served_in_order_and_the_socket_never_waits_for_it() {
    const WAITING: usize = 300;
    let setup = Setup::new().sim(|options| options.clocks.ping = Duration::from_millis(50));
    let host = setup.start().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    for n in 0..WAITING {
        host.say(ALICE, &format!("echo {n}"));
    }
    host.until("all are acknowledged", |_| acked(&host, ROBOT) >= WAITING).await;
    let pings = acked(&host, "ping");
    host.until("pings are answered", |_| acked(&host, "ping") > pings).await;
    host.say(BOB, "echo me");
    host.until("others are answered", |seen| seen.to(BOB) == ["me"]).await;
    // She may be told that much waits; that is no answer.
    let answers = |seen: &Seen<'_>| {
        let texts = seen.to(ALICE).into_iter().filter(|text| !text.contains("messages wait"));
        texts.map(str::to_owned).collect::<Vec<_>>()
    };
    host.look(|seen| assert!(answers(seen).is_empty()));
    gate.open();
    host.until("everything is", |seen| answers(seen).len() == WAITING + 1).await;
    let expected = (0..WAITING).map(|n| n.to_string());
    host.look(|seen| assert!(answers(seen).into_iter().skip(1).eq(expected)));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h25_frames_are_read_leniently() {
    let host = Setup::new().start().await;
    host.say(ALICE, "echo first");
    host.until("the answer", |seen| seen.to(ALICE) == ["first"]).await;
    let frame = frame_with(&host, "echo first");
    let change = |id: &str, change: &dyn Fn(&mut Value, &mut Value)| {
        let (mut frame, mut message) = (frame.clone(), data(&frame));
        frame["headers"]["messageId"] = json!(format!("m-{id}"));
        message["msgId"] = json!(format!("msg-{id}"));
        message["text"] = json!({ "content": format!("echo {id}") });
        change(&mut frame, &mut message);
        set_data(&mut frame, &message);
        host.sim.raw(RawFrame::Text(frame.to_string())).unwrap();
    };
    change("no version", &|frame, _| drop(frame.as_object_mut().unwrap().remove("specVersion")));
    change("no id", &|frame, _| {
        frame["headers"].as_object_mut().unwrap().remove("messageId");
    });
    change("texts for numbers", &|_, message| {
        for name in ["createAt", "sessionWebhookExpiredTime"] {
            message[name] = json!(message[name].to_string());
        }
        message["conversationType"] = json!(1);
    });
    change("unknown fields", &|frame, message| {
        frame["headers"]["later"] = json!({ "deep": [1, 2] });
        message["later"] = json!([{ "deep": null }]);
        message["text"]["later"] = json!(7);
    });
    change("odd fields", &|_, message| {
        message["senderNick"] = json!(["a"]);
        message["atUsers"] = json!("nobody");
        message["createAt"] = json!("yesterday");
    });
    let expected = ["no version", "no id", "texts for numbers", "unknown fields", "odd fields"];
    for text in expected {
        host.until(text, |seen| seen.to(ALICE).contains(&text)).await;
    }
    // Content that is text of JSON, and elements of a rich text that nobody has heard of.
    host.sim.faults(&FaultOrder { content_as_text: Some(true), ..FaultOrder::default() });
    let elements = vec![json!({ "type": "hologram", "x": {} }), json!({ "text": "echo rich" })];
    host.sim.say(&Say { rich: Some(elements), ..Say::direct(BOB, "") }).unwrap();
    host.until("the rich one", |seen| seen.to(BOB) == ["rich"]).await;
    let content = &data(&frame_with(&host, "hologram"))["content"];
    assert!(content.is_string(), "{content}");
    host.look(|seen| assert_eq!(seen.to(ALICE).len(), 1 + expected.len()));
    host.stop().await;
}
