//! Cards: few calls, one at a time, an end in any case, and variables as the wire wants them.

use std::time::Duration;

use moonbell::sim::{CardState, FaultOrder, HttpFault, HttpFaultKind};
use serde_json::Value;

use super::super::stage::{ALICE, BOB, Setup, Stage};
use super::{CARD, STREAMING, answered, asked, calls};

/// A public template whose state is a variable of the card, not the last frame.
const FLOW_STATUS: &str = "382e4302-551d-4880-bf29-a30acfab2e71.schema";

fn finals(stage: &Stage) -> Vec<(Value, u16)> {
    answered(stage, STREAMING)
        .into_iter()
        .filter(|(frame, _)| frame["isFinalize"] == true)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn h12_updates_of_a_card_are_merged_and_come_one_at_a_time() {
    const PARTS: usize = 400;
    let script = r#"
        bot.command("chatty", function(ctx)
            local card = ctx:card({ title = "chatty" })
            for n = 1, 400 do
                card:append(`{n} `)
                time.sleep("5ms")
            end
            card:finish()
        end)
    "#;
    let host = Setup::new().script("chatty.luau", script).start().await;
    // Slower than the pace of a card: an impatient host would have two on their way.
    let slow = HttpFault::new(HttpFaultKind::Slow { delay_ms: 1_200 }).on(STREAMING);
    host.sim.faults(&FaultOrder { http: vec![slow], ..FaultOrder::default() });
    host.say(ALICE, "chatty");
    host.until("it has ended", |seen| {
        seen.state.cards.iter().any(|card| card.state == CardState::Finished)
    })
    .await;
    let frames = answered(&host, STREAMING);
    assert!(frames.len() < PARTS / 4, "{} calls for {PARTS} parts", frames.len());
    assert_eq!(finals(&host).len(), 1);
    let all: String = (1..=PARTS).map(|n| format!("{n} ")).collect::<Vec<_>>().concat();
    host.look(|seen| {
        assert!(seen.to(ALICE)[0].trim_end().ends_with(all.trim_end()), "{:?}", seen.to(ALICE));
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h13_a_card_ends_exactly_once_and_with_its_whole_text() {
    let host = Setup::new().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it shows something", |seen| {
        seen.to(ALICE).first().is_some_and(|text| text.contains("half way"))
    })
    .await;
    host.fail(STREAMING, HttpFaultKind::Busy, 2);
    gate.open();
    host.until("it has ended", |seen| seen.state.cards[0].state == CardState::Finished).await;
    host.until_true("and that is noted", || {
        host.journal("SELECT count(*) FROM cards WHERE state <> 'closed'") == 0
    })
    .await;
    let taken: Vec<u16> = finals(&host).into_iter().map(|(_, status)| status).collect();
    assert_eq!(taken.iter().filter(|status| **status == 200).count(), 1, "{taken:?}");
    let (frames, updates) = (calls(&host, STREAMING), calls(&host, CARD));
    // Nor is it ended again by the next start.
    let host = host.stop().await.start().await;
    host.say(ALICE, "echo later");
    host.until("the host is at work", |seen| seen.to(ALICE).len() == 2).await;
    assert_eq!((calls(&host, STREAMING), calls(&host, CARD)), (frames, updates));
    host.look(|seen| {
        assert!(seen.to(ALICE)[0].ends_with("half way through one, all of it"));
        assert_eq!(seen.state.cards.len(), 1);
    });
    assert!(host.stop().await.sim.stuck_cards().is_empty());
}

/// Runs a card on a template whose state is a variable.
async fn flow_status_card() -> Stage {
    let settings = |config: &mut moonbell::config::Config, _: &std::path::Path| {
        "msgContent".clone_into(&mut config.dingtalk.card_key);
    };
    let mut stage = Setup::new().settings(settings).stage().await;
    stage.template = Some(FLOW_STATUS.to_owned());
    let host = stage.start().await;
    let gate = host.hold("one");
    host.say(BOB, "card one");
    host.entered(&["one"]).await;
    host.until("it is there", |seen| seen.state.cards.len() == 1).await;
    gate.open();
    host.until("it has ended", |seen| seen.state.cards[0].state == CardState::Finished).await;
    host.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn h15_variables_of_cards_are_strings() {
    let stage = flow_status_card().await;
    let mut bodies = asked(&stage, CARD);
    bodies.extend(asked(&stage, &format!("{CARD}/createAndDeliver")));
    let mut seen = 0;
    for body in &bodies {
        for (name, value) in body["cardData"]["cardParamMap"].as_object().unwrap() {
            assert!(value.is_string(), "{name} = {value}");
            seen += 1;
        }
    }
    assert!(bodies.len() >= 2 && seen >= 3, "{bodies:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h16_an_update_leaves_the_other_variables_of_the_card_alone() {
    let stage = flow_status_card().await;
    let updates = asked(&stage, CARD);
    assert!(!updates.is_empty());
    for update in &updates {
        assert_eq!(update["cardUpdateOptions"]["updateCardDataByKey"], true, "{update}");
    }
    let text = &stage.sim.state().cards[0].text;
    assert!(text.ends_with("half way through one, all of it"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_in_the_middle_of_a_stream_costs_no_text() {
    let host = Setup::new().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it shows something", |seen| {
        seen.to(ALICE).first().is_some_and(|text| text.contains("half way"))
    })
    .await;
    let before = host.look(|seen| seen.state.counters.tokens_issued);
    host.sim.faults(&FaultOrder { expire_tokens: true, ..FaultOrder::default() });
    gate.open();
    host.until("it has ended", |seen| seen.state.cards[0].state == CardState::Finished).await;
    host.look(|seen| {
        assert_eq!(seen.state.counters.tokens_issued - before, 1);
        assert_eq!(seen.to(ALICE).len(), 1);
        assert!(seen.to(ALICE)[0].ends_with("half way through one, all of it"));
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_seconds_of_throttling_on_every_card_call_delay_cards_and_lose_no_word() {
    let host = Setup::new().start().await;
    let (open, late) = (host.hold("open"), host.hold("late"));
    host.say(ALICE, "card open");
    host.entered(&["open"]).await;
    host.until("it shows something", |seen| {
        seen.to(ALICE).first().is_some_and(|text| text.contains("half way"))
    })
    .await;
    let throttle = HttpFault::new(HttpFaultKind::Throttle).on("/v1.0/card");
    let throttle = throttle.lasting(Duration::from_secs(5));
    host.sim.faults(&FaultOrder { http: vec![throttle], ..FaultOrder::default() });
    // One card is open already, another one is to be created.
    host.say(BOB, "card late");
    host.entered(&["late"]).await;
    host.until("the throttling is felt", |seen| seen.state.counters.throttled > 0).await;
    open.open();
    late.open();
    // As a card, or as a message where no card came to be: whole, and once.
    let whole = |texts: &[&str], name: &str| {
        let end = format!("half way through {name}, all of it");
        texts.len() == 1 && texts[0].ends_with(&end)
    };
    host.until("both are told to their ends", |seen| {
        whole(&seen.to(ALICE), "open") && whole(&seen.to(BOB), "late")
    })
    .await;
    let stage = host.stop().await;
    assert!(stage.sim.stuck_cards().is_empty());
    assert_eq!(stage.journal("SELECT count(*) FROM cards WHERE state <> 'closed'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_card_calls_that_are_lost_make_no_second_card() {
    let host = Setup::new().start().await;
    host.fail("/v1.0/card/instances/createAndDeliver", HttpFaultKind::Lost, 1);
    host.fail(STREAMING, HttpFaultKind::Lost, 2);
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it is there", |seen| seen.state.cards.len() == 1).await;
    gate.open();
    host.until("it has ended", |seen| seen.state.cards[0].state == CardState::Finished).await;
    let stage = host.stop().await;
    let state = stage.sim.state();
    assert_eq!(state.replies(&stage.sim.direct_chat(ALICE)).len(), 1);
    assert!(state.cards[0].text.ends_with("half way through one, all of it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_whose_creation_was_never_answered_ends_and_is_not_said_twice() {
    let host = Setup::new().start().await;
    // As often as it is tried.
    host.fail("/v1.0/card/instances/createAndDeliver", HttpFaultKind::Lost, 4);
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it was tried to the end", |seen| {
        let calls = &seen.state.counters.calls;
        calls.get("POST /v1.0/card/instances/createAndDeliver") == Some(&4)
    })
    .await;
    gate.open();
    host.until("it has ended", |seen| seen.state.cards[0].state == CardState::Finished).await;
    let stage = host.stop().await;
    assert!(stage.sim.stuck_cards().is_empty());
    let state = stage.sim.state();
    let said = state.replies(&stage.sim.direct_chat(ALICE));
    assert!(said.len() == 1 && said[0].ends_with("half way through one, all of it"), "{said:?}");
}
