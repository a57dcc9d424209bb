//! DingTalk's monthly budgets: counted, warned of, kept to; and opened again.

use chrono::{DateTime, Utc};
use moonbell::clock::Clock;
use moonbell::config::Budget;
use moonbell::sim::{FaultOrder, HttpFaultKind, MessageKind};

use super::process::HostProcess;
use super::stage::{ALICE, BOB, OWNER, Setup, Stage};

const WEBHOOK: &str = "POST /robot/sendBySession";
const STREAM: &str = "PUT /v1.0/card/streaming";
const TO_PERSON: &str = "POST /v1.0/robot/oToMessages/batchSend";
const CREATE: &str = "POST /v1.0/card/instances/createAndDeliver";

fn november() -> DateTime<Utc> {
    "2026-11-20T04:00:00Z".parse().unwrap()
}

/// Webhooks that are never used, so that every reply is an API call.
fn calls_only() -> Setup {
    Setup::new().sim(|options| options.clocks.webhook = std::time::Duration::from_secs(30))
}

/// What was told to the owner of shares that are used, without the sign.
fn warnings<'a>(seen: &[&'a str]) -> Vec<&'a str> {
    let shares = seen.iter().filter(|text| text.contains(" of 2026-11 are used ("));
    shares.filter_map(|text| Some(text.split_once(' ')?.1)).collect()
}

fn parked(stage: &Stage) -> i64 {
    stage.journal("SELECT count(*) FROM outbox WHERE state = 'parked' AND error LIKE 'budget: %'")
}

fn calls(stage: &Stage, call: &str) -> u64 {
    stage.look(|seen| seen.state.counters.calls.get(call).copied().unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_hears_of_each_share_once_also_over_restarts_and_at_the_limit_alone() {
    let clock = Clock::standing(november());
    let mut stage = calls_only()
        .settings(|config, _| {
            config.budget = Budget { api_calls: Some(100), pushes: None, webhooks_count: true };
        })
        .stage()
        .await;
    // The owner's notices are API calls, too: with three of them, 97 answers make a hundred.
    let mut sent = 0;
    for (until, told) in [(30, 0), (60, 1), (90, 2), (97, 3)] {
        let host = stage.start_at(clock.clone()).await;
        while sent < until {
            sent += 1;
            host.say(ALICE, &format!("echo {sent}"));
        }
        host.until("the answers, and what the owner hears", |seen| {
            seen.to(ALICE).len() == until && warnings(&seen.to(OWNER)).len() >= told
        })
        .await;
        stage = host.stop().await;
    }
    let host = stage.start_at(clock.clone()).await;
    host.say(ALICE, "echo over the limit");
    host.say(BOB, "echo over it, too");
    host.until("three shares and the limit", |seen| warnings(&seen.to(OWNER)).len() == 4).await;
    host.until_true("the rest waits", || parked(&host) == 2).await;
    let stage = host.stop().await;
    // Another start tells nothing again, and lets nothing out.
    let host = stage.start_at(clock.clone()).await;
    host.say(ALICE, "echo still");
    host.until_true("it waits as well", || parked(&host) == 3).await;
    host.look(|seen| {
        let told = seen.to(OWNER);
        let told = warnings(&told);
        assert_eq!(told.len(), 4, "{told:?}");
        for (line, share) in told.iter().zip(["50 %", "80 %", "95 %", "100 %"]) {
            assert!(line.starts_with(share), "{told:?}");
        }
        assert!(!seen.to(ALICE).contains(&"over the limit"), "{:?}", seen.to(ALICE));
        assert!(!seen.all().contains(&"over it, too"));
    });
    // The month turns: everything that waited goes out, each once and in its order.
    clock.set("2026-11-30T16:00:01Z".parse().unwrap());
    host.until("what waited", |seen| {
        seen.to(ALICE).ends_with(&["over the limit", "still"]) && seen.to(BOB) == ["over it, too"]
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_limit_lets_out_what_waits() {
    let stage = calls_only()
        .settings(|config, home| {
            let calls = if home.join("raised").exists() { 100 } else { 2 };
            config.budget = Budget { api_calls: Some(calls), pushes: None, webhooks_count: true };
        })
        .stage()
        .await;
    let host = stage.start().await;
    for n in 1..=5 {
        host.say(ALICE, &format!("echo {n}"));
    }
    host.until_true("some wait", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'parked'") >= 3
    })
    .await;
    let stage = host.stop().await;
    std::fs::write(stage.path("raised"), "").unwrap();
    let host = stage.start().await;
    host.until("all answers", |seen| {
        let mut answers = seen.to(ALICE);
        answers.sort_unstable();
        answers == ["1", "2", "3", "4", "5"]
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn near_the_limit_a_card_comes_as_one_message_and_the_open_one_is_ended() {
    let host = Setup::new()
        .settings(|config, _| {
            config.budget = Budget { api_calls: Some(20), pushes: None, webhooks_count: true };
        })
        .script(
            "busy.luau",
            r#"
            bot.command("busy", function(ctx)
                local card = ctx:card({ title = "busy" })
                for n = 1, 400 do card:append(`line {n}\n`) time.sleep("50ms") end
                card:finish()
            end)
            bot.command("react", function(ctx) for n = 1, 30 do ctx:react("👀") end end)
            "#,
        )
        .start()
        .await;
    let gate = host.hold("open");
    host.say(ALICE, "card open");
    host.entered(&["open"]).await;
    host.until("the card is there", |seen| seen.state.cards.len() == 1).await;
    // Spend what is left, up to the limit itself.
    host.say(BOB, "react");
    host.until("the owner hears that streaming is off", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("Streaming is off"))
    })
    .await;
    let streamed = calls(&host, STREAM);
    gate.open();
    host.until("the open card has its end", |seen| {
        seen.to(ALICE) == ["**work**\n\nhalf way through open, all of it"]
            && seen.state.cards.iter().all(|card| card.state == moonbell::sim::CardState::Finished)
    })
    .await;
    assert!(calls(&host, STREAM) <= streamed + 1, "only its last frame");
    let created = calls(&host, CREATE);
    host.say(BOB, "card second");
    host.until("the next one is a message", |seen| {
        seen.to(BOB).last() == Some(&"**work**\n\nhalf way through second, all of it")
    })
    .await;
    host.look(|seen| {
        let last = seen.state.messages.last().unwrap();
        assert_eq!(last.kind, MessageKind::Markdown);
    });
    assert_eq!(calls(&host, CREATE), created);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_calls_a_webhook_still_answers_and_says_what_it_cannot_carry() {
    let host = Setup::new()
        .settings(|config, _| {
            config.budget = Budget { api_calls: Some(1), pushes: None, webhooks_count: true };
        })
        .script(
            "file.luau",
            r#"bot.command("file", function(ctx)
                assert(fs.write("a.txt", "hello"))
                for n = 1, 3 do
                    local ok, err = ctx:send_file("a.txt")
                    if not ok then ctx:reply(err.kind) end
                end
            end)"#,
        )
        .start()
        .await;
    host.say(ALICE, "file");
    // One upload; no call is left to send it, nor for the others.
    host.until("she hears that a file waits, and why the others failed", |seen| {
        let mut said = seen.to(ALICE);
        said.sort_unstable();
        matches!(said[..], ["throttled", "throttled", waits] if waits.contains("waits and is sent from"))
    })
    .await;
    host.say(ALICE, "echo words go their way");
    host.until("words arrive", |seen| seen.to(ALICE).last() == Some(&"words go their way")).await;
    assert_eq!(parked(&host), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_webhook_messages_replies_are_sent_with_calls() {
    let host = Setup::new()
        .settings(|config, _| {
            config.budget = Budget { api_calls: None, pushes: Some(4), webhooks_count: true };
        })
        .start()
        .await;
    for n in 1..=4 {
        host.say(ALICE, &format!("echo {n}"));
        host.until("it is answered", |seen| seen.to(ALICE).len() == n).await;
    }
    // Two messages and two webhooks are four; what comes later is answered by the robot.
    assert_eq!(calls(&host, WEBHOOK), 2);
    host.until("the owner knows", |seen| warnings_of_pushes(&seen.to(OWNER)) >= 1).await;
    host.stop().await;
}

fn warnings_of_pushes(said: &[&str]) -> usize {
    said.iter().filter(|text| text.contains("100 % of the Webhook & Stream messages")).count()
}

/// Sends to Bob as the robot: no webhook leads there.
const TELL: &str = r#"
    bot.command("tell <text>", function(ctx) bot.send({ user = "015412345603" }, ctx.args.text) end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn dingtalks_own_word_closes_the_budget_until_it_takes_a_call_again() {
    let clock = Clock::standing(november());
    let host = Setup::new().script("tell.luau", TELL).stage().await.start_at(clock.clone()).await;
    host.say(OWNER, "echo here I am");
    host.until("the owner is there", |seen| seen.to(OWNER) == ["here I am"]).await;
    host.fail("/v1.0/robot", HttpFaultKind::Quota, 1);
    for (n, text) in ["one", "two"].into_iter().enumerate() {
        host.say(ALICE, &format!("tell {text}"));
        host.until_true("it waits", || parked(&host) == i64::try_from(n + 1).unwrap()).await;
    }
    host.until("the owner hears it", |seen| {
        seen.to(OWNER).iter().filter(|text| text.contains("DingTalk refuses")).count() == 1
    })
    .await;
    assert_eq!(calls(&host, TO_PERSON), 1, "the second was not tried, and the owner has a webhook");
    // What the settings allow does not matter to it.
    let advice =
        "SELECT count(*) FROM outbox WHERE state = 'parked' AND error NOT LIKE '%api_calls%'
                  AND error LIKE '%a package was bought' AND hint LIKE '%buy a package%'";
    assert_eq!(host.journal(advice), 2);
    // Half an hour later it is tried again, and a package was bought.
    clock.set(november() + chrono::TimeDelta::minutes(31));
    host.until("both arrive", |seen| {
        let mut both = seen.to(BOB);
        both.sort_unstable();
        both == ["one", "two"]
    })
    .await;
    host.look(|seen| assert_eq!(seen.to(OWNER).len(), 2, "{:?}", seen.to(OWNER)));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_for_whose_end_dingtalk_has_no_calls_ends_when_it_has_and_its_text_is_said_meanwhile()
 {
    let clock = Clock::standing(november());
    let host = Setup::new().stage().await.start_at(clock.clone()).await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it shows something", |seen| {
        seen.to(ALICE).first().is_some_and(|text| text.contains("half way through one"))
    })
    .await;
    host.fail("/v1.0/card", HttpFaultKind::Quota, 1);
    gate.open();
    host.until("a message says it", |seen| {
        seen.to(ALICE).len() == 2 && seen.to(ALICE)[1].ends_with(", all of it")
    })
    .await;
    assert_eq!(host.sim.stuck_cards().len(), 1);
    assert_eq!(host.journal("SELECT count(*) FROM cards WHERE state = 'open'"), 1);
    clock.set(november() + chrono::TimeDelta::minutes(31));
    host.until("the card ends", |seen| seen.state.cards.iter().all(|c| c.state.is_terminal()))
        .await;
    let stage = host.stop().await;
    assert_eq!(stage.journal("SELECT count(*) FROM cards WHERE state <> 'closed'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_an_owner_whom_no_call_reaches_hears_it_upon_writing() {
    let host = Setup::new().script("tell.luau", TELL).spawn().await;
    host.fail("/v1.0/robot", HttpFaultKind::Quota, 2);
    host.say(ALICE, "tell hello");
    host.until_true("the message and the notice wait", || parked(&host) == 2).await;
    host.say(OWNER, "echo how are you");
    host.until("both", |seen| {
        let said = seen.to(OWNER);
        said.len() == 2 && said.iter().any(|text| text.contains("DingTalk refuses"))
    })
    .await;
    assert_eq!(parked(&host), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_without_content_are_told_to_the_owner_once() {
    let host = Setup::new().sim(|options| options.limits.monthly_pushes = Some(1)).start().await;
    host.say(ALICE, "echo one");
    host.until("the last one with content", |seen| seen.to(ALICE) == ["one"]).await;
    for _ in 0..3 {
        host.say(ALICE, "echo lost");
    }
    host.until("the owner hears it", |seen| {
        seen.to(OWNER).iter().filter(|text| text.contains("I hear nothing")).count() == 1
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_lists_the_top_spenders_for_the_owner_and_for_others_their_own() {
    let host = calls_only()
        .settings(|config, _| config.budget = Budget::default())
        .script(
            "say.luau",
            r#"bot.command("say <n:int>", function(ctx) for n = 1, ctx.args.n do ctx:reply(`{n}`) end end)
               bot.every("100ms", { name = "tick" }, function()
                   if not kv.get("sent") then kv.set("sent", true) bot.send("owner", "tick") end
               end)"#,
        )
        .start()
        .await;
    host.until("the timer", |seen| seen.to(OWNER) == ["tick"]).await;
    host.say(ALICE, "say 7");
    host.until("seven", |seen| seen.to(ALICE).len() == 7).await;
    host.say(BOB, "echo hello");
    host.until("one", |seen| seen.to(BOB) == ["hello"]).await;
    host.say(BOB, "用量");
    host.until("his own", |seen| seen.to(BOB).len() == 2).await;
    host.look(|seen| {
        let his = seen.to(BOB)[1].to_owned();
        assert!(his.contains("：1 次 API 调用（其中流式卡片 0 次），2 条消息。"), "{his}");
    });
    host.say(OWNER, "usage");
    host.until("everything", |seen| seen.to(OWNER).len() == 2).await;
    host.look(|seen| {
        let all = seen.to(OWNER)[1].to_owned();
        let lines: Vec<&str> = all.lines().collect();
        for expected in [
            "API calls: 10 of 5,000 (0 %)",
            "Webhook & Stream messages: 4 of 3,000 (0 %)",
            "say  7 · 1",
            "echo  1 · 1",
            "moonbell itself  1 · 2",
            "say.luau: tick  1 · 0",
            "Alice Chen  7 · 1",
            "Bob Miller  2 · 2",
        ] {
            assert!(lines.contains(&expected), "`{expected}` is not in\n{all}");
        }
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_counts_through_a_kill_and_shows_it() {
    let host = calls_only().spawn().await;
    for n in 1..=10 {
        host.say(ALICE, &format!("echo {n}"));
    }
    host.until("ten answers", |seen| seen.to(ALICE).len() == 10).await;
    let stage = host.kill().await;
    let host = HostProcess::spawn(stage).await;
    host.say(BOB, "echo hello");
    host.until("one more", |seen| seen.to(BOB) == ["hello"]).await;
    let status = host.until_says(&["status"], |text| text.contains("API calls 1")).await;
    assert!(status.contains("budget   2"), "{status}");
    let (_, stage) = host.terminate().await;
    let usage: serde_json::Value = serde_json::from_str(&stage.says(&["usage", "--json"])).unwrap();
    // Eleven, and what the kill kept from being written once more at most: rather too much than too little.
    let used = usage["api_calls"]["used"].as_u64().unwrap();
    assert!((11..=21).contains(&used), "{usage}");
    assert!(usage["pushes"]["used"].as_u64().unwrap() >= 11, "{usage}");
    assert_eq!(usage["api_calls"]["limit"], serde_json::Value::Null);
    let text = stage.says(&["usage"]);
    assert!(
        text.contains("starts anew on") && text.contains("Bob Miller (015412345603)"),
        "{text}"
    );
    assert!(stage.says(&["usage", "--month", "2020-01"]).contains("API calls         0, no limit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_a_throttled_call_cost_nothing() {
    let host = calls_only().start().await;
    host.fail("/v1.0/robot", HttpFaultKind::Throttle, 1);
    host.say(ALICE, "echo one");
    host.until("it arrives", |seen| seen.to(ALICE) == ["one"]).await;
    host.sim.faults(&FaultOrder { expire_tokens: true, ..FaultOrder::default() });
    host.say(ALICE, "echo two");
    host.until("it arrives, too", |seen| seen.to(ALICE) == ["one", "two"]).await;
    let stage = host.stop().await;
    // The one with the forgotten token was a call; DingTalk does not say whether it counts.
    let used = stage.journal("SELECT sum(count) FROM budget_uses WHERE budget = 'api_calls'");
    assert_eq!(used, 3);
}
