//! `queue = …`: who waits for whom, in which order, and that nobody waits for ever.

use super::stage::{ALICE, BOB, LINA, OWNER, Setup};

/// Handlers that wait at a gate of the test, one for each kind of queue. `trace`-like: what ran is on disk, in its order.
const QUEUES: &str = r#"
local function wait(ctx)
    shell.sh("echo $1 >> $2/entered; cat $2/$1.gate 2>/dev/null", ctx.args.name, "{home}")
    ctx:reply("released " .. ctx.args.name)
end
for _, queue in { "conversation", "person", "none", "replace" } do
    bot.command(queue .. " <name>", { queue = queue, run = wait })
end
bot.match("^pass (.+)$", { queue = "none", priority = 1 }, function(ctx) return bot.pass end)
bot.match("^pass (?<name>.+)$", { queue = "conversation" }, wait)
"#;

fn setup() -> Setup {
    Setup::new().script("queues.luau", QUEUES)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_served_in_the_order_of_arrival_whoever_speaks() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say_in(0, ALICE, "conversation one");
    host.entered(&["one"]).await;
    for (n, person) in [ALICE, BOB, LINA, ALICE, BOB, ALICE].into_iter().enumerate() {
        host.say_in(0, person, &format!("conversation n{n}"));
    }
    // Another chat, and other handlers of people who do not wait in this one, go on.
    host.say_in(1, OWNER, "conversation elsewhere");
    host.say_in(0, OWNER, "echo not in that queue");
    host.until("the others go on", |seen| {
        seen.in_group(1) == ["released elsewhere"] && seen.in_group(0) == ["not in that queue"]
    })
    .await;
    gate.open();
    host.until("all in order", |seen| {
        seen.in_group(0)
            == [
                "not in that queue",
                "released one",
                "released n0",
                "released n1",
                "released n2",
                "released n3",
                "released n4",
                "released n5",
            ]
    })
    .await;
    assert_eq!(host.lines("entered"), ["one", "elsewhere", "n0", "n1", "n2", "n3", "n4", "n5"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_served_in_order_in_whatever_chat_and_holds_up_nobody() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say_in(0, ALICE, "person one");
    host.entered(&["one"]).await;
    host.say(ALICE, "person two");
    host.say_in(0, ALICE, "person three");
    host.say_in(0, BOB, "person bob");
    host.until("he does not wait for her", |seen| seen.in_group(0) == ["released bob"]).await;
    assert_eq!(host.lines("entered"), ["one", "bob"]);
    gate.open();
    host.until("hers in order", |seen| seen.in_group(0).last() == Some(&"released three")).await;
    assert_eq!(host.lines("entered"), ["one", "bob", "two", "three"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_queue_the_next_message_waits_for_nothing() {
    let host = setup().start().await;
    let gates = [host.hold("one"), host.hold("two")];
    host.say(ALICE, "none one");
    host.say(ALICE, "none two");
    host.say(ALICE, "echo at once");
    host.entered(&["one", "two"]).await;
    host.until("she is answered meanwhile", |seen| seen.to(ALICE) == ["at once"]).await;
    let [one, two] = gates;
    two.open();
    host.until("in the order of their ends", |seen| seen.to(ALICE).last() == Some(&"released two"))
        .await;
    one.open();
    host.until("both", |seen| seen.to(ALICE) == ["at once", "released two", "released one"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_message_replaces_the_one_that_runs_after_its_end() {
    let host = setup().start().await;
    let _gates = [host.hold("one"), host.hold("two")];
    host.say(ALICE, "replace one");
    host.say(BOB, "replace two");
    host.entered(&["one", "two"]).await;
    host.say(ALICE, "replace three");
    host.until("the first was cancelled and says so", |seen| {
        let hers = seen.to(ALICE);
        hers.len() == 2
            && hers[0].starts_with("Stopped `replace one`: your newer message replaces it (run ")
            && hers[1] == "released three"
    })
    .await;
    host.look(|seen| assert!(seen.to(BOB).is_empty(), "his is another lane"));
    assert_eq!(host.journal("SELECT count(*) FROM inbox WHERE state = 'cancelled'"), 1);
    host.say(BOB, "stop");
    host.until("his stops by the word", |seen| {
        seen.to(BOB).iter().any(|text| text.starts_with("Stopped (run "))
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_its_turn_is_listed_and_can_be_stopped() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say_in(0, ALICE, "conversation one");
    host.entered(&["one"]).await;
    host.say_in(0, BOB, "conversation two");
    host.say_in(0, LINA, "conversation three");
    host.until_true("both wait", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'running'") == 3
    })
    .await;
    host.say_in(0, BOB, "runs");
    host.until("his is listed", |seen| {
        seen.in_group(0).last().is_some_and(|text| text.contains(" · waiting for its turn · "))
    })
    .await;
    host.say_in(0, BOB, "stop");
    host.until("it is stopped", |seen| {
        seen.in_group(0).last().is_some_and(|text| text.starts_with("Stopped (run "))
    })
    .await;
    gate.open();
    host.until("the rest goes on", |seen| seen.in_group(0).last() == Some(&"released three")).await;
    assert_eq!(host.lines("entered"), ["one", "three"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_passed_on_takes_its_place_in_the_next_queue() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say_in(0, ALICE, "pass one");
    host.entered(&["one"]).await;
    host.say_in(0, BOB, "pass two");
    host.say_in(0, BOB, "echo behind it");
    gate.open();
    host.until("in order", |seen| {
        seen.in_group(0) == ["released one", "released two", "behind it"]
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_person_leaves_room_for_the_others() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "conversation one");
    host.entered(&["one"]).await;
    for n in 0..200 {
        host.say(ALICE, &format!("conversation f{n}"));
    }
    host.say(BOB, "conversation bob");
    host.until("he is served", |seen| seen.to(BOB) == ["released bob"]).await;
    host.until_true("not all of hers are under way", || {
        let under_way =
            host.journal("SELECT count(*) FROM inbox WHERE state IN ('running', 'waiting')");
        (60..=66).contains(&under_way)
    })
    .await;
    gate.open();
    host.until("all of hers in the end", |seen| seen.to(ALICE).len() == 201).await;
    let expected = ["one", "bob"].map(str::to_owned).into_iter();
    let expected: Vec<String> = expected.chain((0..200).map(|n| format!("f{n}"))).collect();
    assert_eq!(host.lines("entered"), expected);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_leaves_nobody_waiting_in_the_dark() {
    let host = setup().start().await;
    let _gate = host.hold("one");
    host.say_in(0, ALICE, "conversation one");
    host.entered(&["one"]).await;
    host.say_in(0, BOB, "conversation two");
    host.until_true("both are under way", || {
        host.journal("SELECT count(*) FROM inbox WHERE state IN ('running', 'waiting')") == 2
    })
    .await;
    let stage = host.stop().await;
    // Who ran is told; who waited has lost nothing, and is served by the next host.
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'interrupted'"), 1);
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'queued'"), 1);
    stage
        .until("the one that ran is told", |seen| {
            let told = seen.in_group(0);
            told.len() == 1 && told[0].contains("It was not repeated")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_says_how_much_waits_and_stop_all_drops_it_for_that_person_in_that_chat_alone() {
    let host = setup().start().await;
    let gates = [host.hold("one"), host.hold("two"), host.hold("three"), host.hold("bob")];
    host.say(ALICE, "hold one");
    host.say(ALICE, "hold two");
    for n in 0..20 {
        host.say(ALICE, &format!("trace {n}"));
    }
    host.entered(&["one"]).await;
    host.say(BOB, "hold bob");
    host.say(BOB, "echo his");
    host.say_in(0, ALICE, "hold three");
    host.say_in(0, ALICE, "echo elsewhere");
    host.entered(&["bob", "three"]).await;
    let queued = "SELECT count(*) FROM inbox WHERE state = 'queued'";
    host.until_true("all the others wait", || host.journal(queued) == 23).await;

    host.say(ALICE, "stop");
    host.until("she is told", |seen| {
        seen.to(ALICE).iter().any(|text| {
            text.starts_with("Stopped (run ")
                && text.ends_with(
                    "21 of your messages wait and are served next. To drop them, send: stop all",
                )
        })
    })
    .await;
    host.entered(&["two"]).await;
    host.say(ALICE, "取消 全部");
    host.until("all of it", |seen| {
        seen.to(ALICE).contains(&"已停止：正在运行 1 个，排队的 20 条已取消。")
    })
    .await;
    let cancelled = "SELECT count(*) FROM inbox WHERE state = 'cancelled'";
    host.until_true("that is written", || host.journal(cancelled) == 22).await;
    drop(gates);
    host.until("the others go on", |seen| {
        seen.to(BOB) == ["released bob", "his"]
            && seen.in_group(0) == ["released three", "elsewhere"]
    })
    .await;
    host.say(ALICE, "echo after");
    host.until("her lane is free", |seen| seen.to(ALICE).last() == Some(&"after")).await;
    assert!(host.lines("ran").is_empty(), "{:?}", host.lines("ran"));
    host.stop().await;
}
