//! Every message once, in its order, and nobody waits for somebody else.

use std::collections::HashSet;

use super::stage::{ALICE, BOB, LINA, OWNER, Seen, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_where_it_was_said() {
    let host = Setup::new().start().await;
    host.say(ALICE, "echo 你好 from a direct chat");
    host.say_in(0, BOB, "echo from a group");
    host.until("both answers", |seen| {
        seen.to(ALICE) == ["你好 from a direct chat"] && seen.in_group(0) == ["from a group"]
    })
    .await;
    host.look(|seen| assert_eq!(seen.all().len(), 2));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_lane_keeps_its_order_and_holds_up_nobody() {
    let host = Setup::new().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    for n in 1..=5 {
        host.say(ALICE, &format!("echo {n}"));
    }
    // The same person elsewhere and other people are other lanes.
    host.say_in(0, ALICE, "echo in a group");
    host.say_in(0, BOB, "echo bob");
    host.say(BOB, "echo hi");
    host.until("the other lanes are answered", |seen| {
        seen.to(BOB) == ["hi"]
            && seen.in_group(0).iter().copied().collect::<HashSet<_>>()
                == HashSet::from(["in a group", "bob"])
    })
    .await;
    host.look(|seen| assert!(seen.to(ALICE).is_empty(), "{:?}", seen.to(ALICE)));
    gate.open();
    host.until("the lane goes on in order", |seen| {
        seen.to(ALICE) == ["released one", "1", "2", "3", "4", "5"]
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_acknowledged_before_its_handler_ends() {
    let host = Setup::new().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    host.say(ALICE, "echo behind it");
    host.until("both are acknowledged", |seen| seen.state.counters.acks >= 2).await;
    host.look(|seen| assert!(seen.all().is_empty()));
    gate.open();
    host.until("both are answered", |seen| seen.to(ALICE) == ["released one", "behind it"]).await;
    host.look(|seen| assert_eq!(seen.state.counters.bad_acks, 0));
    host.stop().await;
}

fn hers<'a>(seen: &'a Seen<'_>) -> Vec<&'a str> {
    seen.to(ALICE).into_iter().filter(|text| !text.contains("of your messages wait")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_person_lets_another_be_answered_long_before_its_end() {
    const FLOOD: usize = 2_000;
    let host = Setup::new().start().await;
    let gate = host.hold("first");
    host.say(ALICE, "hold first");
    host.entered(&["first"]).await;
    for n in 0..FLOOD {
        host.say(ALICE, &format!("echo {n}"));
    }
    gate.open();
    host.say(BOB, "echo me too");
    let mut when_bob_was_answered = None;
    host.until("everybody is answered", |seen| {
        // One more tells her how many of hers wait.
        let alice = hers(seen).len();
        if seen.to(BOB) == ["me too"] {
            when_bob_was_answered.get_or_insert(alice);
        }
        alice == FLOOD + 1
    })
    .await;
    let before = host.look(|seen| {
        let chats: Vec<_> = seen
            .state
            .messages
            .iter()
            .filter(|m| m.from == "bot")
            .map(|m| m.text.as_str())
            .collect();
        chats.iter().position(|text| *text == "me too").unwrap()
    });
    assert!(before < FLOOD / 4, "{before} of the flood were answered first");
    let expected: Vec<String> = std::iter::once("released first".to_owned())
        .chain((0..FLOOD).map(|n| n.to_string()))
        .collect();
    host.look(|seen| {
        let alice = hers(seen);
        assert_eq!(alice.len() + 1, seen.to(ALICE).len(), "she is told once");
        let wrong = (0..=FLOOD).find(|&n| alice[n] != expected[n]);
        assert_eq!(wrong, None, "not in order: {:?}", &alice[wrong.unwrap_or(0)..][..10]);
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_spin_or_fail_do_not_stop_the_others() {
    let spin = r#"
        bot.command("spin", function() while true do end end)
        bot.command("deep", function() local function f() return 1 + f() end f() end)
        bot.command("fail", function() error("boom") end)
    "#;
    let host = Setup::new().script("spin.luau", spin).start().await;
    host.say(OWNER, "spin");
    host.say_in(0, OWNER, "spin");
    host.say(LINA, "fail");
    host.say_in(0, LINA, "deep");
    for n in 0..20 {
        host.say(BOB, &format!("echo {n}"));
    }
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    host.until("the others are answered", |seen| seen.to(BOB) == expected).await;
    host.until("failures are told", |seen| seen.to(LINA).len() == 1 && seen.in_group(0).len() == 1)
        .await;
    host.say(OWNER, "stop");
    host.say_in(0, OWNER, "stop");
    host.until("spinning handlers stop when told to", |seen| {
        seen.to(OWNER).iter().any(|text| text.starts_with("Stopped")) && seen.in_group(0).len() == 2
    })
    .await;
    host.say(OWNER, "echo after");
    host.until("the lane goes on", |seen| seen.to(OWNER).last() == Some(&"after")).await;
    host.stop().await;
}
