//! Group L: what a stranger may cost.

use super::super::access::push;
use super::super::stage::{ALICE, LINA, OWNER, STRANGER, Setup};
use super::{count, records};

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_flood_of_a_stranger_costs_one_reply_over_restarts_and_few_lines() {
    let host = Setup::new().spawn().await;
    for n in 0..150 {
        host.say(STRANGER, &format!("trace {n}"));
    }
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    host.until_true("all are refused", || host.journal(denied) == 150).await;
    let host = host.stop().await.spawn().await;
    for n in 0..50 {
        host.say(STRANGER, &format!("trace {n}"));
        host.say_in(0, STRANGER, &format!("trace {n}"));
    }
    host.until_true("these too", || host.journal(denied) == 250).await;
    host.say(ALICE, "echo hi");
    host.until("others are served", |seen| seen.to(ALICE) == ["hi"]).await;
    let stage = host.stop().await;
    stage.look(|seen| assert_eq!(seen.to(STRANGER).len() + seen.in_group(0).len(), 1));
    assert!(stage.lines("ran").is_empty());
    let written = count(&stage, &[("who", STRANGER), ("verdict", "deny")]);
    assert!((1..=20).contains(&written), "{written} records");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_handler_serves_each_person_no_more_often_than_it_says() {
    let script = r#"
        bot.command("rare", { rate = "2/1h", run = function(ctx) ctx:reply("did it") end })
        bot.command("often", function(ctx) ctx:reply("did it often") end)
    "#;
    let host = Setup::new().script("rare.luau", script).spawn().await;
    for _ in 0..4 {
        host.say(LINA, "rare");
        host.say_in(0, OWNER, "rare");
    }
    let told = "You have used `rare` too often; try again later.";
    host.until("two each, the owner too", |seen| {
        [seen.to(LINA), seen.in_group(0)].iter().all(|said| {
            let count = |text| said.iter().filter(|&&one| one == text).count();
            count("did it") == 2 && count(told) == 2
        })
    })
    .await;
    // Another chat is the same person, another handler another matter.
    host.say_in(1, LINA, "rare");
    host.until("she is told there too", |seen| seen.in_group(1) == [told]).await;
    host.say(LINA, "often");
    host.until("others are free", |seen| seen.to(LINA).last() == Some(&"did it often")).await;
    let stage = host.stop().await;
    assert!(
        records(&stage)
            .iter()
            .any(|one| one["reason"].as_str().is_some_and(|why| why.starts_with("rate: ")))
    );
}

const CHATTY: &str = r#"
bot.command("endless", { role = "guest", run = function(ctx) for n = 1, 10000 do ctx:reply("message " .. n) end end })
bot.command("cards", { role = "guest", run = function(ctx) for n = 1, 10000 do ctx:card{ title = "card " .. n }:finish("x") end end })
bot.every("100ms", { name = "beat" }, function()
    if fs.exists("{home}/go") then for n = 1, 3 do bot.send({ user = "015412345601" }, "beat") end end
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn l2_a_handler_that_does_not_stop_talking_is_stopped_and_the_owner_is_told_once() {
    let host =
        Setup::new().toml("[limits]\nreplies = 20").script("chatty.luau", CHATTY).spawn().await;
    for _ in 0..3 {
        host.say(LINA, "endless");
    }
    let limit = "the limit of 20 replies in one run was reached";
    host.until("each run is stopped", |seen| {
        seen.to(LINA).iter().filter(|text| text.contains(limit)).count() == 3
    })
    .await;
    host.until("the owner is told", |seen| seen.to(OWNER).iter().any(|text| text.contains(limit)))
        .await;
    host.say(ALICE, "echo others are served");
    host.until("they are", |seen| seen.to(ALICE) == ["others are served"]).await;
    let stage = host.stop().await;
    stage.look(|seen| {
        assert_eq!(seen.to(LINA).iter().filter(|text| text.starts_with("message ")).count(), 60);
        assert_eq!(seen.to(OWNER).len(), 1, "{:?}", seen.to(OWNER));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn l2_a_timer_that_talks_all_the_time_is_stopped_in_each_minute() {
    let host =
        Setup::new().toml("[limits]\nper_minute = 10").script("chatty.luau", CHATTY).spawn().await;
    std::fs::write(host.path("go"), "").unwrap();
    let limit = "the limit of 10 messages in a minute";
    host.until("the owner is told", |seen| seen.to(OWNER).iter().any(|text| text.contains(limit)))
        .await;
    // Whoever asks is answered all the same.
    host.say(ALICE, "echo hi");
    host.until("Alice is answered", |seen| seen.to(ALICE).contains(&"hi")).await;
    let stage = host.stop().await;
    stage.look(|seen| {
        assert_eq!(seen.to(ALICE).iter().filter(|&&text| text == "beat").count(), 10);
        assert_eq!(seen.to(OWNER).len(), 1, "{:?}", seen.to(OWNER));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_a_loop_with_a_machine_is_cut_after_three_rounds_and_people_are_heard() {
    let host = Setup::new().spawn().await;
    // What answers by itself: it says the same to whatever it is told.
    let mut answered = 0;
    host.say(LINA, "I am out of office.");
    loop {
        host.until("the bot answers or is silent", |seen| {
            seen.to(LINA).len() > answered
                || seen.state.counters.acks > u64::try_from(answered).unwrap()
        })
        .await;
        let rows = "SELECT count(*) FROM inbox WHERE ended_at_ms IS NOT NULL";
        let asked = i64::try_from(answered).unwrap() + 1;
        host.until_true("it is decided", || host.journal(rows) == asked).await;
        answered += 1;
        if answered == 8 {
            break;
        }
        host.say(LINA, "I am out of office.");
    }
    // Three answers, one sentence that it is over, and silence.
    host.until("the owner is told", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("answers like a machine"))
    })
    .await;
    host.look(|seen| {
        let said = seen.to(LINA);
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[3].contains("as from a machine"), "{said:?}");
    });
    assert_eq!(
        host.journal("SELECT count(*) FROM inbox WHERE error LIKE 'denied: it repeats itself%'"),
        5
    );
    // The same person with something to say, and others, at once.
    host.say(LINA, "echo I am here");
    host.say(ALICE, "echo me too");
    host.until("they are heard", |seen| {
        seen.to(LINA).last() == Some(&"I am here") && seen.to(ALICE) == ["me too"]
    })
    .await;
    let stage = host.stop().await;
    stage.look(|seen| assert_eq!(seen.to(OWNER).len(), 1, "{:?}", seen.to(OWNER)));
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_the_bot_does_not_hear_itself() {
    let host = Setup::new().spawn().await;
    host.say(OWNER, "trace mine");
    host.until("it is answered", |seen| seen.to(OWNER) == ["did mine"]).await;
    push(&host, "m1", "trace looped", |data| {
        data["senderId"] = data["chatbotUserId"].clone();
    });
    host.say(ALICE, "echo after it");
    host.until("the next is heard", |seen| seen.to(ALICE) == ["after it"]).await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("ran"), ["mine"]);
}

const CLOCKED: &str = r#"
bot.cron("* * * * *", { name = "minutely" }, function() kv.incr("minutes") end)
bot.every("10m", { name = "beat" }, function() kv.incr("beats") end)
bot.command("counts", { rate = "2/1m", run = function(ctx) ctx:reply(`{kv.get("minutes") or 0} {kv.get("beats") or 0}`) end })
"#;

const JUMPS: &str = r#"
test("forwards and back by a day", function(t)
	local ann = t:user("ann")
	t:set_time("2026-03-10 12:00:30")
	t:start()
	t:advance("3m")
	ann:says("counts")
	t:expect_reply("3 0")
	-- What was missed is one run, not one thousand four hundred and forty.
	t:set_time("2026-03-11 12:03:40")
	t:advance("25s")
	ann:says("counts")
	t:expect_reply({ matches = "^[45] [0-9]+$" })
	-- Back by two days: nothing is done again, and nobody is shut out.
	t:set_time("2026-03-09 12:03:40")
	t:advance("30s")
	ann:says("counts")
	t:expect_reply({ matches = "^[456] [0-9]+$" })
	t:advance("2d")
	ann:says("counts")
	t:expect_reply({ matches = "^[0-9]+ [0-9]+$" })
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn l5_a_clock_that_jumps_by_a_day_makes_no_burst_and_shuts_nobody_out() {
    let stage = Setup::new().script("clocked.luau", CLOCKED).stage().await;
    stage.write("clocked.test.luau", JUMPS);
    super::super::process::settings(&stage);
    let output = super::moonbell(&stage, &["test"]);
    assert!(output.status.success(), "{}", super::text(&output));
}
