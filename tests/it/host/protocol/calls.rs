//! Calls: one token for all, each kind of refusal answered in its own way, the cheapest path that is open.

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind};
use serde_json::Value;

use super::super::stage::{ALICE, BOB, LINA, OWNER, Setup};
use super::{TO_GROUP, TO_PERSON, WEBHOOK, asked, calls, without_webhooks};

#[tokio::test(flavor = "multi_thread")]
async fn h06_a_token_that_is_forgotten_is_fetched_once_for_everybody() {
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
async fn h07_a_refusal_that_passes_delays_an_answer_and_neither_loses_nor_repeats_it() {
    let kinds = [
        HttpFaultKind::Throttle,
        HttpFaultKind::Busy,
        HttpFaultKind::Status { status: 429 },
        HttpFaultKind::Status { status: 500 },
        HttpFaultKind::Status { status: 502 },
        HttpFaultKind::Status { status: 504 },
        HttpFaultKind::Html,
        HttpFaultKind::Reset,
    ];
    for kind in kinds {
        let name = format!("{kind:?}");
        // The robot's way has no other to change to.
        let host = without_webhooks().start().await;
        host.fail("/v1.0/robot", kind.clone(), 1);
        host.say(ALICE, "echo one");
        host.say(ALICE, "echo two");
        host.until(&name, |seen| seen.to(ALICE) == ["one", "two"]).await;
        assert_eq!(calls(&host, TO_PERSON), 3, "{name}");
        host.stop().await;

        let host = Setup::new().start().await;
        host.fail(WEBHOOK, kind, 1);
        host.say(BOB, "echo three");
        host.until(&name, |seen| seen.to(BOB) == ["three"]).await;
        let stage = host.stop().await;
        assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'"), 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h07_what_dingtalk_will_never_take_is_tried_once_and_holds_up_nothing() {
    let host = without_webhooks().start().await;
    host.fail(TO_PERSON, HttpFaultKind::ContentUnsafe, 1);
    host.say(ALICE, "echo one");
    host.say(ALICE, "echo two");
    host.until("the next one arrives", |seen| seen.to(ALICE).contains(&"two")).await;
    host.until_true("the first is kept for the owner", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'parked'") == 1
    })
    .await;
    let tried = asked(&host, TO_PERSON);
    let tries = |param: &str| tried.iter().filter(|body| body["msgParam"] == param).count();
    let both = (tries(r#"{"content":"one"}"#), tries(r#"{"content":"two"}"#));
    assert_eq!(both, (1, 1), "{tried:#?}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h08_a_missing_permission_is_named_and_not_asked_for_again_with_each_message() {
    const CREATE: &str = "/v1.0/card/instances/createAndDeliver";
    let host = Setup::new().spawn().await;
    let scope = HttpFaultKind::MissingScope { scope: "Card.Instance.Write".to_owned() };
    let fault = HttpFault::new(scope).on("/v1.0/card");
    host.sim.faults(&FaultOrder { http: vec![fault], ..FaultOrder::default() });
    for name in ["one", "two", "three"] {
        let gate = host.hold(name);
        host.say(ALICE, &format!("card {name}"));
        host.entered(&[name]).await;
        gate.open();
        let end = format!("half way through {name}, all of it");
        host.until("the text all the same", |seen| {
            seen.to(ALICE).iter().any(|text| text.ends_with(&end))
        })
        .await;
    }
    assert_eq!(calls(&host, CREATE), 1);
    let (_, stage) = host.terminate().await;
    let log = stage.lines("err").join("\n");
    assert!(log.contains("Card.Instance.Write"), "{log}");
    assert!(log.contains("open-dev.dingtalk.com"), "where to enable it:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_a_200_that_reached_nobody_is_no_success() {
    let host = without_webhooks().start().await;
    host.sim.faults(&FaultOrder { fail_delivery: Some(1), ..FaultOrder::default() });
    host.say(ALICE, "echo one");
    // It says that she gets too much: the chat rests a while, and the reply waits.
    let waits = "SELECT count(*) FROM outbox WHERE state = 'queued' AND error IS NOT NULL";
    host.until_true("it is not taken for said", || host.journal(waits) == 1).await;
    assert_eq!(calls(&host, TO_PERSON), 1);
    // A card that is nowhere: what it says arrives in some other way, once.
    host.sim.faults(&FaultOrder { fail_delivery: Some(1), ..FaultOrder::default() });
    let gate = host.hold("one");
    host.say(BOB, "card one");
    host.entered(&["one"]).await;
    gate.open();
    host.until("the whole text", |seen| {
        seen.to(BOB).first().is_some_and(|text| text.ends_with("half way through one, all of it"))
    })
    .await;
    host.look(|seen| assert_eq!(seen.to(BOB).len(), 1, "{:?}", seen.to(BOB)));
    host.stop().await;
    // A webhook says no with 200 and a number.
    let host = Setup::new().start().await;
    host.fail(WEBHOOK, HttpFaultKind::Quota, 1);
    host.say(LINA, "echo three");
    host.until("it arrives", |seen| seen.to(LINA) == ["three"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h10_when_the_webhook_is_gone_the_robot_answers() {
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
    assert_eq!((calls(&host, TO_PERSON), calls(&host, TO_GROUP)), (1, 1));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h10_the_webhook_is_the_way_until_it_is_about_to_end() {
    for (setup, by_webhook) in [(Setup::new(), 2), (without_webhooks(), 0)] {
        let host = setup.start().await;
        host.say(ALICE, "echo direct");
        host.say_in(1, BOB, "echo group");
        host.until("both answers", |seen| {
            seen.to(ALICE) == ["direct"] && seen.in_group(1) == ["group"]
        })
        .await;
        assert_eq!(calls(&host, WEBHOOK), by_webhook);
        assert_eq!(calls(&host, TO_PERSON) + calls(&host, TO_GROUP), 2 - by_webhook);
        host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h11_nobody_is_written_to_by_an_id_that_is_no_staff_id() {
    // Before an app is published, messages come without a staff id.
    let host = Setup::new().sim(|options| options.published = false).start().await;
    host.say(ALICE, "echo one");
    host.until("the webhook tells her", |seen| seen.to(ALICE).len() == 1).await;
    let refused = HttpFault::new(HttpFaultKind::Status { status: 400 }).on(WEBHOOK);
    host.sim.faults(&FaultOrder { http: vec![refused], ..FaultOrder::default() });
    host.say(BOB, "echo two");
    host.until_true("there is no other way to him", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'parked'") >= 1
    })
    .await;
    for body in asked(&host, TO_PERSON) {
        let people = body["userIds"].as_array().unwrap();
        // The owner may be told of it.
        assert!(people.iter().all(|person| *person == OWNER), "{body}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h27_a_reaction_is_best_effort_and_can_be_taken_back() {
    let script = r#"
        bot.command("look", function(ctx)
            local ok, err = ctx:react("👀")
            ctx:reply(if ok then "seen" else err.kind)
        end)
        bot.command("unlook", function(ctx)
            assert(ctx:react("👀") and ctx:react("👀", { remove = true }))
            ctx:reply("not seen")
        end)
    "#;
    let host = Setup::new().script("react.luau", script).start().await;
    let reactions = |id: &str| {
        let state = host.sim.state();
        state.messages.iter().find(|message| message.id == id).unwrap().reactions.clone()
    };
    let id = host.say(ALICE, "look");
    host.until("it was seen", |seen| seen.to(ALICE) == ["seen"]).await;
    assert_eq!(reactions(&id), ["👀"]);
    let id = host.say(ALICE, "unlook");
    host.until("and not", |seen| seen.to(ALICE).last() == Some(&"not seen")).await;
    assert!(reactions(&id).is_empty());
    host.fail("/v1.0/robot/emotion", HttpFaultKind::Busy, 1);
    host.say(ALICE, "look");
    host.until("the run goes on", |seen| seen.to(ALICE).len() == 3).await;
    host.look(|seen| assert_eq!(seen.to(ALICE)[2], "network"));
    let calls: Vec<Value> = asked(&host, "/v1.0/robot/emotion/reply");
    assert_eq!(calls.len(), 3, "it is not tried again: {calls:#?}");
    host.stop().await;
}

/// Between a call that DingTalk carried out and an answer that never came nobody can know: the reply is said once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_whose_answer_was_lost_is_said_at_most_once_more() {
    let host = without_webhooks().start().await;
    host.fail(TO_PERSON, HttpFaultKind::Lost, 1);
    host.say(ALICE, "echo one");
    host.say(ALICE, "echo two");
    host.say(BOB, "echo three");
    host.until("all are told", |seen| {
        seen.to(ALICE).last() == Some(&"two") && seen.to(BOB).contains(&"three")
    })
    .await;
    let stage = host.stop().await;
    let said = stage.look(|seen| seen.all().len());
    assert!(said <= 4, "one answer was lost, {said} replies were said");
    assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_holds_up_its_own_conversation_only() {
    let host = Setup::new().start().await;
    host.fail(WEBHOOK, HttpFaultKind::Hang, 1);
    host.say(ALICE, "echo one");
    host.until("it hangs", |_| calls(&host, WEBHOOK) == 1).await;
    host.say(ALICE, "echo two");
    for n in 0..20 {
        host.say([BOB, LINA, OWNER][n % 3], &format!("echo {n}"));
    }
    host.until("the others are answered", |seen| seen.all().len() >= 21).await;
    host.look(|seen| assert!(!seen.to(ALICE).contains(&"two"), "out of order"));
    host.until("in the end she is too", |seen| seen.to(ALICE).last() == Some(&"two")).await;
    host.look(|seen| assert!(seen.to(ALICE).len() <= 3, "{:?}", seen.to(ALICE)));
    host.stop().await;
}
