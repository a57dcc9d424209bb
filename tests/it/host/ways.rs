//! The same conversations over both ways in: whoever writes to the bot must not notice which one its owner chose.

use moonbell::sim::{CardState, Click, Clicked, FaultOrder, Options, Say};
use serde_json::json;

use super::process::HostProcess;
use super::stage::{ALICE, BOB, OWNER, STRANGER, Setup, Way};

/// Each of these functions is a test over the Stream, and one over HTTP.
macro_rules! over_both_ways {
    ($($name:ident)*) => {
        mod over_the_stream {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Way::Stream).await;
            })*
        }

        mod over_http {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Way::Http).await;
            })*
        }
    };
}

over_both_ways! {
    commands_are_answered_in_the_order_of_each_person
    in_a_group_the_bot_answers_whoever_mentions_it
    a_question_is_answered_by_the_next_message
    a_card_streams_and_ends
    stop_on_a_card_ends_its_run_for_who_started_it_and_nobody_else
    a_click_reaches_its_handler
    files_and_quotes_come_along
    what_comes_twice_is_done_once
    events_reach_their_handlers
    strangers_are_refused_politely_and_once
    what_comes_hours_late_is_not_run
    what_is_said_between_two_starts_is_answered_by_the_next_one
    a_kill_loses_nothing_and_repeats_nothing
    ending_in_order_answers_what_was_taken
}

async fn commands_are_answered_in_the_order_of_each_person(way: Way) {
    // One that is pushed twice is acknowledged twice.
    let once = |options: &mut Options| options.clocks.redelivery = None;
    let host = Setup::new().over(way).sim(once).start().await;
    for n in 0..20 {
        host.say(ALICE, &format!("echo {n}"));
        // The next one is another call: what is on its way at the same moment has no order.
        host.until("it is taken", |seen| seen.state.counters.acks > 2 * n).await;
        host.say(BOB, &format!("trace {n}"));
        host.until("and his", |seen| seen.state.counters.acks > 2 * n + 1).await;
    }
    let numbers: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    host.until("all are answered", |seen| seen.to(ALICE).len() + seen.to(BOB).len() == 40).await;
    host.look(|seen| assert_eq!(seen.to(ALICE), numbers));
    assert_eq!(host.lines("ran"), numbers);
    host.say(ALICE, "ecko oops");
    host.until("a mistake is explained", |seen| {
        seen.to(ALICE).last().is_some_and(|said| said.contains("echo"))
    })
    .await;
    host.stop().await;
}

async fn in_a_group_the_bot_answers_whoever_mentions_it(way: Way) {
    let host = Setup::new().over(way).start().await;
    host.say_in(0, ALICE, "@moonbell echo hello");
    host.until("it answers", |seen| seen.in_group(0) == ["hello"]).await;
    host.sim
        .say(&Say::in_chat(host.sim.group(0), BOB, "not for the bot").without_mention())
        .unwrap();
    host.say_in(1, OWNER, "echo over here");
    host.until("each in its group", |seen| {
        seen.in_group(1) == ["over here"] && seen.in_group(0) == ["hello"]
    })
    .await;
    host.stop().await;
}

async fn a_question_is_answered_by_the_next_message(way: Way) {
    let script = r#"
        bot.command("greet", function(ctx) ctx:reply("Hello " .. ctx:ask("What is your name?")) end)
    "#;
    let host = Setup::new().over(way).script("greet.luau", script).start().await;
    host.say(ALICE, "greet");
    host.until("she is asked", |seen| seen.asked(ALICE) == ["What is your name?"]).await;
    host.say(BOB, "echo mine");
    host.until("others are served", |seen| seen.to(BOB) == ["mine"]).await;
    host.say(ALICE, "echo");
    host.until("her answer counts", |seen| seen.to(ALICE).last() == Some(&"Hello echo")).await;
    host.stop().await;
}

async fn a_card_streams_and_ends(way: Way) {
    let host = Setup::new().over(way).start().await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.until("it shows the first half", |seen| {
        seen.state.cards.iter().any(|card| card.text.contains("half way through one"))
    })
    .await;
    gate.open();
    host.until("it ends", |seen| {
        seen.state
            .cards
            .iter()
            .any(|card| card.state == CardState::Finished && card.text.ends_with("one, all of it"))
    })
    .await;
    assert!(host.stop().await.sim.stuck_cards().is_empty());
}

async fn click(host: &super::stage::Stage, person: &str, action: &str) -> Clicked {
    let card = host.look(|seen| seen.state.cards[0].id.clone());
    let click =
        Click { card, from: person.to_owned(), action_id: action.to_owned(), ..Click::default() };
    host.sim.click(&click).await.unwrap()
}

/// Waits until clicks on new cards have a way: in HTTP mode DingTalk is told after the start.
async fn clicks_have_a_way(host: &super::stage::Stage, way: Way) {
    if way == Way::Http {
        host.until("the way of clicks is told", |seen| {
            seen.state
                .counters
                .calls
                .keys()
                .any(|call| call.ends_with("/v1.0/card/callbacks/register"))
        })
        .await;
    }
}

async fn stop_on_a_card_ends_its_run_for_who_started_it_and_nobody_else(way: Way) {
    let host = Setup::new().over(way).start().await;
    clicks_have_a_way(&host, way).await;
    let _gate = host.hold("one");
    host.say_in(0, ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("the button is there", |seen| {
        seen.state.cards.iter().any(|card| card.buttons.len() == 1)
    })
    .await;
    let answered = Clicked::Answered { response: json!({}) };
    assert_eq!(click(&host, BOB, "stop").await, answered);
    host.until("he is refused", |seen| {
        seen.to(BOB) == ["Only whoever started this, or an admin, may stop it."]
    })
    .await;
    assert_eq!(click(&host, ALICE, "stop_1767852000000").await, answered);
    host.until("it is stopped", |seen| {
        seen.state.cards[0].text.ends_with("⏹ stopped") && seen.state.cards[0].buttons.is_empty()
    })
    .await;
    host.stop().await;
}

async fn a_click_reaches_its_handler(way: Way) {
    let script = r#"
        bot.on("card", function(action)
            shell.sh("echo $1 $2 >> {home}/clicks", action.user.id, action.params.choice)
        end)
    "#;
    let host = Setup::new().over(way).script("clicks.luau", script).start().await;
    clicks_have_a_way(&host, way).await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it is there", |seen| seen.state.cards.len() == 1).await;
    let card = host.look(|seen| seen.state.cards[0].id.clone());
    let params = json!({ "choice": "yes" }).as_object().unwrap().clone();
    let click = Click { card, from: ALICE.to_owned(), action_id: "choose".to_owned(), params };
    assert_eq!(host.sim.click(&click).await.unwrap(), Clicked::Answered { response: json!({}) });
    host.until_true("it is handled", || host.lines("clicks") == [format!("{ALICE} yes")]).await;
    gate.open();
    host.stop().await;
}

async fn files_and_quotes_come_along(way: Way) {
    let script = r#"
        bot.fallback(function(ctx)
            for _, file in ctx.message.files do ctx:reply("a file: " .. assert(file:save()).name) end
            if ctx.message.quoted then ctx:reply("about: " .. ctx.message.quoted.text) end
        end)
    "#;
    let host = Setup::new().over(way).script("files.luau", script).start().await;
    let upload = host.sim.upload("季度报告.pdf", b"%PDF-1.4".to_vec());
    host.sim.say(&Say::direct(ALICE, "").with_file(upload)).unwrap();
    host.until("the file is fetched", |seen| seen.to(ALICE) == ["a file: 季度报告.pdf"]).await;
    let said = host.say(BOB, "echo something");
    host.until("answered", |seen| seen.to(BOB) == ["something"]).await;
    host.sim.say(&Say::direct(BOB, "what?").quoting(said)).unwrap();
    host.until("what is quoted is known", |seen| {
        seen.to(BOB).last() == Some(&"about: echo something")
    })
    .await;
    host.stop().await;
}

async fn what_comes_twice_is_done_once(way: Way) {
    let host = Setup::new().over(way).start().await;
    host.sim.faults(&FaultOrder { duplicate: Some(10), ..FaultOrder::default() });
    for n in 0..10 {
        host.say([ALICE, BOB][n % 2], &format!("trace {n}"));
        // One after another: in HTTP mode a second message of the same millisecond would have to come again.
        let acks = 2 * (n as u64 + 1);
        host.until("both deliveries are acknowledged", |seen| seen.state.counters.acks >= acks)
            .await;
    }
    host.until("all are answered", |seen| seen.all().len() >= 10).await;
    host.say(OWNER, "echo last");
    host.until("a later one", |seen| seen.to(OWNER) == ["last"]).await;
    host.look(|seen| assert_eq!(seen.all().len(), 11));
    assert_eq!(host.lines("ran").len(), 10);
    host.stop().await;
}

async fn events_reach_their_handlers(way: Way) {
    let script = r#"
        bot.on("robot_msg_read", function(event)
            shell.sh("echo $1 $2 >> {home}/events", event.kind, table.concat(event.users, "+"))
        end)
    "#;
    let host = Setup::new().over(way).script("events.luau", script).start().await;
    host.sim.faults(&FaultOrder { duplicate: Some(1), ..FaultOrder::default() });
    let data = json!({ "userId": ALICE, "operatTime": "1767852000000", "robotCode": "r" });
    host.sim.event("robot_msg_read", &data);
    host.until("both deliveries are acknowledged", |seen| seen.state.counters.acks >= 2).await;
    host.until_true("it is handled once", || {
        host.lines("events") == [format!("robot_msg_read {ALICE}")]
    })
    .await;
    host.stop().await;
}

async fn strangers_are_refused_politely_and_once(way: Way) {
    let host = Setup::new().over(way).start().await;
    host.say(STRANGER, "trace one");
    host.until("a polite sentence", |seen| seen.to(STRANGER).len() == 1).await;
    host.say(STRANGER, "trace two");
    host.say(OWNER, "echo last");
    host.until("a later one", |seen| seen.to(OWNER) == ["last"]).await;
    host.look(|seen| assert_eq!(seen.to(STRANGER).len(), 1));
    assert!(host.lines("ran").is_empty());
    host.stop().await;
}

async fn what_comes_hours_late_is_not_run(way: Way) {
    let host = Setup::new().over(way).start().await;
    let hours = std::time::Duration::from_hours(3);
    host.sim.say(&Say::direct(ALICE, "trace late").sent_ago(hours)).unwrap();
    host.until("she is told", |seen| seen.to(ALICE).len() == 1).await;
    host.say(ALICE, "trace now");
    host.until("what is new runs", |seen| seen.to(ALICE).last() == Some(&"did now")).await;
    assert_eq!(host.lines("ran"), ["now"]);
    host.stop().await;
}

async fn what_is_said_between_two_starts_is_answered_by_the_next_one(way: Way) {
    let host = Setup::new().over(way).start().await;
    host.say(ALICE, "trace one");
    host.until("answered", |seen| seen.to(ALICE) == ["did one"]).await;
    let stage = host.stop().await;
    stage.say(ALICE, "trace two");
    let host = stage.start().await;
    host.until("answered by the next", |seen| seen.to(ALICE) == ["did one", "did two"]).await;
    assert_eq!(host.lines("ran"), ["one", "two"]);
    host.stop().await;
}

async fn a_kill_loses_nothing_and_repeats_nothing(way: Way) {
    let host = HostProcess::spawn(Setup::new().over(way).stage().await).await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    // Taken in, and waiting behind the first.
    host.say(ALICE, "trace waiting");
    host.until("both are taken", |seen| seen.state.counters.acks >= 2).await;
    let stage = host.kill().await;
    drop(gate);
    stage.say(BOB, "trace meanwhile");
    let host = HostProcess::spawn(stage).await;
    host.until("what waited and what came meanwhile is answered", |seen| {
        seen.to(ALICE).last() == Some(&"did waiting") && seen.to(BOB) == ["did meanwhile"]
    })
    .await;
    host.look(|seen| assert!(seen.to(ALICE)[0].contains("again"), "{:?}", seen.to(ALICE)));
    assert_eq!(host.lines("entered"), ["one"]);
    let mut ran = host.lines("ran");
    ran.sort_unstable();
    assert_eq!(ran, ["meanwhile", "waiting"]);
    host.terminate().await;
}

async fn ending_in_order_answers_what_was_taken(way: Way) {
    let host = Setup::new().over(way).spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    host.signal(nix::sys::signal::Signal::SIGTERM);
    host.until_true("it says so", || {
        let status = std::fs::read_to_string(host.state_dir().join("status.json"));
        status.is_ok_and(|status| status.contains("\"stopping\""))
    })
    .await;
    host.say(BOB, "trace too late");
    gate.open();
    let (status, stage) = host.ended().await;
    assert_eq!(status.code(), Some(0), "{}", stage.lines("err").join("\n"));
    assert!(stage.lines("ran").is_empty());
    let host = stage.start().await;
    host.until("the next one serves what was not taken", |seen| {
        seen.to(ALICE) == ["released one"] && seen.to(BOB) == ["did too late"]
    })
    .await;
    host.stop().await;
}
