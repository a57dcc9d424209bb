//! Cards that always end: whatever DingTalk, the program, people and the computer do meanwhile.

use std::io::{Cursor, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use moonbell::config::Attach;
use moonbell::sim::{
    CARD_TEMPLATE, Card, CardState, Click, Clicked, FaultOrder, HttpFaultKind, Message, MessageKind,
};

use super::process::HostProcess;
use super::stage::{ALICE, BOB, OWNER, STRANGER, Setup, Stage};

/// Public templates that follow `flowStatus`: with a Stop button, and without.
const FAMILY_B: [&str; 2] =
    ["675cde2f-f526-40cb-b828-f5b2b57b8b77.schema", "02fcf2f4-5e02-4a85-b672-46d1f715543e.schema"];

const STREAMS: &str = r#"
bot.command("flood", function(ctx)
    -- A hundred lines each twentieth of a second.
    local r = ctx:stream({ "sh", "-c", "i=0; while [ $i -lt 100 ]; do seq -f 'line %.0f' $((i*100+1)) $((i*100+100)); sleep 0.05; i=$((i+1)); done" })
    ctx:reply(`{r.lines} lines`)
end)
bot.command("print <lines:int> [attach]", function(ctx)
    local attach = ({ no = false, failure = "failure" } :: any)[ctx.args.attach or ""]
    ctx:stream({ "seq", "1", tostring(ctx.args.lines), title = "numbers", attach = attach })
end)
bot.command("fails", function(ctx)
    ctx:stream({ "sh", "-c", "seq 1 5000; exit 3", attach = "failure" })
end)
bot.command("hang", function(ctx)
    ctx:stream({ "sh", "-c", "echo begun; sleep 999 & echo $! >> {home}/pids; echo $$ >> {home}/pids; sleep 999", title = "hang" })
    ctx:reply("not reached")
end)
bot.command("挂起", function(ctx)
    ctx:stream({ "sh", "-c", "echo begun; sleep 999", title = "挂起" })
end)
bot.command("limited", { timeout = "1s", run = function(ctx)
    ctx:stream({ "sh", "-c", "echo begun; sleep 999" })
end })
bot.command("late", function(ctx)
    ctx:stream({ "sh", "-c", "echo begun; sleep 999", timeout = "1s" })
end)
bot.command("throws", function(ctx)
    local card = ctx:card({ title = "throws" })
    card:append("this far")
    time.sleep("1s")
    error("boom")
end)
bot.command("poem <lines:int>", function(ctx)
    local card = ctx:card({ title = "poem" })
    for n = 1, ctx.args.lines do card:append(`verse {n}\n`) end
    card:finish()
end)
bot.command("many", function(ctx)
    local cards = {}
    for n = 1, 50 do cards[n] = ctx:card({ title = `card {n}` }) end
    for step = 1, 20 do
        for n = 1, 50 do cards[n]:set(`{n} at {step}`) end
        time.sleep("100ms")
    end
    for n = 1, 50 do cards[n]:finish(`{n} is done`) end
end)
bot.command("watch <name>", function(ctx)
    ctx:stream({ "sh", "-c", "echo before; echo $1 >> $2/entered; cat $2/$1.gate; echo after", "sh", ctx.args.name, "{home}", title = "watch" })
end)
"#;

fn setup() -> Setup {
    Setup::new().script("streams.luau", STREAMS)
}

/// The only card there is.
fn card(host: &Stage) -> Card {
    host.look(|seen| {
        assert_eq!(seen.state.cards.len(), 1);
        seen.state.cards[0].clone()
    })
}

async fn ended(host: &Stage) -> Card {
    host.until("all cards have ended", |seen| {
        // The button goes with a call of its own.
        !seen.state.cards.is_empty()
            && seen
                .state
                .cards
                .iter()
                .all(|card| card.state.is_terminal() && card.buttons.is_empty())
    })
    .await;
    host.look(|seen| seen.state.cards[0].clone())
}

async fn showing(host: &Stage, text: &str) -> Card {
    host.until("the card shows it", |seen| {
        seen.state.cards.iter().any(|card| card.text.contains(text))
    })
    .await;
    host.look(|seen| seen.state.cards.last().unwrap().clone())
}

fn files(host: &Stage) -> Vec<Message> {
    host.look(|seen| {
        let files = seen.state.messages.iter().filter(|m| m.kind == MessageKind::File);
        files.cloned().collect()
    })
}

/// Waits for the zip in the chat; its name, the name of what is in it, and that.
async fn attached(host: &Stage) -> (String, String, String) {
    host.until("the file is there", |seen| {
        seen.state.messages.iter().any(|m| m.kind == MessageKind::File)
    })
    .await;
    let file = files(host)[0].files[0].clone();
    let url = format!("{}{}", host.sim.url(), file.url);
    let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut inside = archive.by_index(0).unwrap();
    let inner = inside.name().unwrap().into_owned();
    let mut text = String::new();
    inside.read_to_string(&mut text).unwrap();
    (file.name, inner, text)
}

/// Nothing of outputs stays on the disk.
async fn nothing_is_left(host: &Stage) {
    let dir = host.state_dir().join("spool");
    host.until_true("the spool is empty", || {
        std::fs::read_dir(&dir).is_ok_and(|entries| entries.count() == 0)
    })
    .await;
}

async fn click(host: &Stage, card: &str, from: &str, action: &str) {
    let click = Click {
        card: card.to_owned(),
        from: from.to_owned(),
        action_id: action.to_owned(),
        ..Click::default()
    };
    let clicked = host.sim.click(&click).await.unwrap();
    assert!(matches!(clicked, Clicked::Answered { .. }), "answered in time: {clicked:?}");
}

fn is_alive(pid: &str) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_lines_cost_a_few_calls_end_with_the_real_tail_and_come_as_a_file() {
    let host = setup().start().await;
    let begun = Instant::now();
    host.say(ALICE, "flood");
    let card = ended(&host).await;
    let seconds = begun.elapsed().as_secs_f64();
    // Creating, ending, the button; and frames at least 800 ms apart.
    let calls = f64::from(u32::try_from(card.calls).unwrap());
    assert!(calls <= 3.0 + seconds / 0.8, "{} calls in {seconds} s", card.calls);
    let lines: Vec<&str> = card.text.lines().filter(|line| line.starts_with("line ")).collect();
    let first = 10_001 - lines.len();
    let expected: Vec<String> = (first..=10_000).map(|n| format!("line {n}")).collect();
    assert_eq!(lines, expected);
    let above = first - 1;
    let above = format!("… {},{:03} lines above", above / 1_000, above % 1_000);
    assert!(card.text.contains(&above), "{}", card.text);
    assert!(card.text.chars().count() <= 3_000 && card.text.contains("exit 0 · "));

    let (name, inner, text) = attached(&host).await;
    assert_eq!(Path::new(&name).extension().unwrap(), "zip", "{name}");
    assert!(name.starts_with("sh-c-i-0-while"), "{name}");
    assert_eq!(inner, name.replace(".zip", ".log"));
    let whole: String = (1..=10_000).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
    assert!(text == whole, "the file is the output");
    nothing_is_left(&host).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_on_every_card_call_for_five_seconds_costs_few_calls_and_the_end_arrives() {
    let host = setup().start().await;
    host.say(ALICE, "flood");
    showing(&host, "line").await;
    host.fail("/v1.0/card", HttpFaultKind::Throttle, 100_000);
    // The outage itself, not a wait for something.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let throttled = host.look(|seen| seen.state.counters.throttled);
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    let card = ended(&host).await;
    assert!((1..=5).contains(&throttled), "{throttled} calls were refused");
    assert_eq!(card.state, CardState::Finished);
    assert!(card.text.contains("line 10000\n"), "{}", card.text);
    let stage = host.stop().await;
    assert!(stage.sim.stuck_cards().is_empty());
    assert_eq!(stage.journal("SELECT count(*) FROM cards WHERE state <> 'closed'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_in_the_middle_of_a_stream_is_renewed_once() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "watch one");
    showing(&host, "before").await;
    let before = host.look(|seen| seen.state.counters.tokens_issued);
    host.sim.faults(&FaultOrder { expire_tokens: true, ..FaultOrder::default() });
    gate.open();
    let card = ended(&host).await;
    assert!(card.state == CardState::Finished && card.text.contains("after"), "{}", card.text);
    assert_eq!(host.look(|seen| seen.state.counters.tokens_issued), before + 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_cards_keep_to_the_limit_of_dingtalk_and_every_one_ends() {
    let host = setup().sim(|options| options.limits.calls_per_second = Some(20)).start().await;
    host.say(ALICE, "many");
    host.until("fifty ends", |seen| {
        seen.state.cards.len() == 50
            && seen.state.cards.iter().all(|card| card.state == CardState::Finished)
    })
    .await;
    host.look(|seen| {
        for card in &seen.state.cards {
            let n =
                card.text.lines().next().unwrap().trim_matches('*').strip_prefix("card ").unwrap();
            assert!(card.text.ends_with(&format!("{n} is done")), "{}", card.text);
        }
        assert_eq!(seen.state.counters.throttled, 0);
    });
    let stage = host.stop().await;
    assert!(stage.sim.state().cards.iter().all(|card| card.buttons.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_says_why_it_ended_in_the_language_of_the_person() {
    for (person, said, words) in [
        (ALICE, "throws", "⚠️ that failed (run "),
        (OWNER, "throws", "boom"),
        (ALICE, "limited", "⚠️ stopped: the time limit of 1s was reached"),
        (ALICE, "late", "timed out after 1"),
    ] {
        let host = setup().start().await;
        host.say(person, said);
        let card = ended(&host).await;
        assert_eq!(card.state, CardState::Failed, "{said}");
        assert!(card.text.contains(words), "{said}: {}", card.text);
        assert!(person == OWNER || !card.text.contains("boom"), "{}", card.text);
        let stage = host.stop().await;
        assert!(stage.sim.stuck_cards().is_empty());
    }
    for (said, stopped, words) in [("hang", "stop", "⏹ stopped"), ("挂起", "停止", "⏹ 已停止")]
    {
        let host = setup().start().await;
        host.say(ALICE, said);
        showing(&host, "begun").await;
        host.say(ALICE, stopped);
        let card = ended(&host).await;
        assert!(card.state == CardState::Failed && card.text.ends_with(words), "{}", card.text);
        host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_leaves_a_card_to_its_run_and_the_end_of_the_host_ends_it() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "watch one");
    showing(&host, "before").await;
    host.write("streams.luau", "bot.command(\"new\", function(ctx) ctx:reply('new') end)");
    host.until_true("the new version answers", || {
        host.say(BOB, "new");
        std::thread::sleep(Duration::from_millis(100));
        host.look(|seen| seen.to(BOB).contains(&"new"))
    })
    .await;
    gate.open();
    let card = ended(&host).await;
    assert!(card.state == CardState::Finished && card.text.contains("after"), "{}", card.text);
    host.write("streams.luau", STREAMS);
    host.until_true("the old version is back", || {
        host.say(BOB, "poem 1");
        std::thread::sleep(Duration::from_millis(100));
        host.look(|seen| seen.to(BOB).iter().any(|text| text.contains("verse 1")))
    })
    .await;
    host.say(ALICE, "挂起");
    showing(&host, "begun").await;
    let stage = host.stop().await;
    let state = stage.sim.state();
    let card = state.cards.iter().find(|card| card.text.contains("begun")).unwrap();
    assert_eq!(card.state, CardState::Failed);
    assert!(card.text.contains("已中断") && card.text.contains("again "), "{}", card.text);
    assert!(stage.sim.stuck_cards().is_empty());
}

/// A handler that may be run again.
const SAFE: &str = r#"
bot.command("safe", { on_crash = "retry", run = function(ctx)
    ctx:stream({ "sh", "-c", "echo begun; cat {home}/gate.gate", title = `try {ctx.attempt}` })
end })
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_a_run_that_the_next_host_repeats_says_so_when_the_host_stops() {
    let setup = setup().script("safe.luau", SAFE);
    let host = setup.settings(|config, _| config.shutdown.deadline = Duration::ZERO).start().await;
    let gate = host.hold("gate");
    host.say(ALICE, "safe");
    host.until("it shows something", |seen| {
        seen.state.cards.iter().any(|card| card.text.contains("begun"))
    })
    .await;
    let stage = host.stop().await;
    let first = card(&stage);
    assert_eq!(first.state, CardState::Failed);
    assert!(
        first.text.ends_with("moonbell stopped, and runs it again when it starts."),
        "{first:?}"
    );
    drop(gate);
    let host = stage.start().await;
    host.until("it is run again", |seen| {
        seen.state.cards.iter().any(|card| card.text.contains("try 2") && card.state.is_terminal())
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_a_run_that_is_repeated_by_itself_asks_nobody_to_repeat_it() {
    let host = setup().script("safe.luau", SAFE).spawn().await;
    let gate = host.hold("gate");
    host.say(ALICE, "safe");
    host.until_true("what it shows is kept", || {
        host.journal("SELECT count(*) FROM cards WHERE shown LIKE '%begun%'") == 1
    })
    .await;
    let host = HostProcess::spawn(host.kill().await).await;
    host.until("it runs again", |seen| {
        seen.state.cards.iter().any(|card| card.text.contains("try 2"))
    })
    .await;
    drop(gate);
    ended(&host).await;
    host.look(|seen| {
        let text = |title: &str| {
            let card = seen.state.cards.iter().find(|card| card.text.contains(title)).unwrap();
            card.text.clone()
        };
        let first = text("try 1");
        assert!(first.contains("begun"), "{first}");
        assert!(first.ends_with("⚠️ interrupted: moonbell was restarted, and runs it again."));
        assert!(text("try 2").contains("exit 0"), "{}", text("try 2"));
    });
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_a_card_says_that_it_was_interrupted_and_how_to_run_it_again() {
    let host = setup().spawn().await;
    host.say(ALICE, "hang");
    host.say(BOB, "挂起");
    host.until("both show something", |seen| {
        seen.state.cards.iter().filter(|card| card.text.contains("begun")).count() == 2
    })
    .await;
    let stage = host.kill().await;
    assert_eq!(stage.sim.stuck_cards().len(), 2);
    let host = HostProcess::spawn(stage).await;
    ended(&host).await;
    host.look(|seen| {
        for (person, words) in [
            (ALICE, "⚠️ interrupted: moonbell was restarted"),
            (BOB, "⚠️ 已中断：moonbell 重新启动了"),
        ] {
            let chat = host.sim.direct_chat(person);
            let card = seen.state.cards.iter().find(|card| card.chat == chat).unwrap();
            assert!(card.state == CardState::Failed && card.buttons.is_empty());
            assert!(card.text.contains("begun") && card.text.contains(words), "{}", card.text);
            let again = card.text.rsplit("again ").next().unwrap();
            assert_eq!(again.len(), 5, "{}", card.text);
        }
    });
    // What ran on is gone with nobody to own it: end it here.
    for pid in host.lines("pids") {
        let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
    // A click on what is left of the button in somebody's client.
    let old = host.look(|seen| {
        let chat = host.sim.direct_chat(ALICE);
        seen.state.cards.iter().find(|card| card.chat == chat).unwrap().id.clone()
    });
    host.until("she knows of the interruption", |seen| seen.to(ALICE).len() == 2).await;
    click(&host, &old, ALICE, "stop").await;
    click(&host, &old, ALICE, "stop").await;
    host.until("she is answered", |seen| {
        seen.to(ALICE).iter().any(|text| text.starts_with("That has ended already (run "))
    })
    .await;
    host.look(|seen| assert_eq!(seen.to(ALICE).len(), 3));
    let (status, _) = host.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_on_a_card_kills_the_whole_tree_for_who_started_it_and_nobody_else() {
    let host = setup().start().await;
    host.say_in(0, ALICE, "hang");
    let card = showing(&host, "begun").await;
    assert_eq!(card.buttons.len(), 1);
    host.until_true("both programs run", || host.lines("pids").len() == 2).await;
    // Somebody else of the group, somebody without a role.
    for person in [BOB, STRANGER] {
        click(&host, &card.id, person, "stop").await;
        click(&host, &card.id, person, "stop").await;
    }
    host.until("he is refused, politely and in private", |seen| {
        seen.to(BOB) == ["Only whoever started this, or an admin, may stop it."]
    })
    .await;
    host.until_true("it is on record", || {
        host.journal("SELECT count(*) FROM inbox WHERE error LIKE 'denied:%'") == 4
    })
    .await;
    assert!(host.lines("pids").iter().all(|pid| is_alive(pid)));

    // With the number that the card builder puts behind an id; and DingTalk delivers it twice.
    host.sim.faults(&FaultOrder { duplicate_clicks: Some(true), ..FaultOrder::default() });
    click(&host, &card.id, ALICE, "stop_1767852000000").await;
    let card = ended(&host).await;
    assert!(card.state == CardState::Failed && card.text.ends_with("⏹ stopped"), "{}", card.text);
    host.until("the button is gone", |seen| seen.state.cards[0].buttons.is_empty()).await;
    host.until_true("nothing of it runs", || !host.lines("pids").iter().any(|pid| is_alive(pid)))
        .await;
    host.until_true("its run is cancelled", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'cancelled'") == 1
    })
    .await;
    click(&host, &card.id, ALICE, "stop").await;
    host.until_true("the clicks are served", || {
        host.journal("SELECT count(*) FROM inbox WHERE key LIKE 'card%' AND state = 'done'") == 8
    })
    .await;
    host.look(|seen| assert!(seen.to(ALICE).is_empty(), "{:?}", seen.to(ALICE)));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_stops_what_others_started_also_while_a_handler_of_clicks_is_busy() {
    let busy = r#"
        bot.on("card", function(action) shell.sh("echo busy >> $1/entered; cat $1/busy.gate", "{home}") end)
    "#;
    let host = setup().script("clicks.luau", busy).start().await;
    let gate = host.hold("busy");
    host.say(ALICE, "hang");
    let card = showing(&host, "begun").await;
    click(&host, &card.id, ALICE, "something else").await;
    host.entered(&["busy"]).await;
    click(&host, &card.id, OWNER, "stop").await;
    let card = ended(&host).await;
    assert!(card.text.ends_with("⏹ stopped"), "{}", card.text);
    gate.open();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_that_follow_flow_status_stream_end_and_lose_their_button() {
    for template in FAMILY_B {
        let host = setup().template(template);
        let host = if template == FAMILY_B[0] {
            host
        } else {
            host.settings(|config, _| "msgContent".clone_into(&mut config.dingtalk.card_key))
        };
        let host = host.start().await;
        let gate = host.hold("one");
        host.say(ALICE, "watch one");
        host.until("it streams", |seen| {
            let card = seen.state.cards.first();
            card.is_some_and(|c| c.state == CardState::Inputing && c.text.contains("before"))
        })
        .await;
        let card = card(&host);
        assert_eq!(card.buttons.len(), usize::from(template == FAMILY_B[0]));
        gate.open();
        let card = ended(&host).await;
        assert!(card.state == CardState::Finished && card.text.contains("after"), "{}", card.text);
        assert!(card.buttons.is_empty());
        let stage = host.stop().await;
        assert!(stage.sim.stuck_cards().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_told_to_the_owner_once_and_cards_are_left_alone() {
    let host = setup().start().await;
    let scope = HttpFaultKind::MissingScope { scope: "Card.Instance.Write".to_owned() };
    host.fail("/v1.0/card", scope, 1_000);
    for n in 1..=3 {
        host.say(ALICE, "poem 2");
        host.until("it comes as Markdown", |seen| {
            seen.to(ALICE).iter().filter(|text| text.ends_with("verse 2\n")).count() == n
        })
        .await;
    }
    host.until("the owner knows", |seen| !seen.to(OWNER).is_empty()).await;
    host.look(|seen| {
        let told = seen.to(OWNER);
        assert!(told.len() == 1 && told[0].contains("Card.Instance.Write"), "{told:?}");
        let calls = &seen.state.counters.calls;
        assert_eq!(calls.get("POST /v1.0/card/instances/createAndDeliver"), Some(&1), "{calls:?}");
    });
    // The permission is granted, and the owner says so.
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    host.say(OWNER, "parked retry all");
    host.until("the owner is answered", |seen| seen.to(OWNER).len() == 2).await;
    // Not the same for the fourth time: that would be a machine.
    host.say(ALICE, "poem 3");
    host.until("it is a card again", |seen| !seen.state.cards.is_empty()).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_dingtalk_finds_too_large_is_made_smaller_and_never_blank() {
    let host = setup().sim(|options| options.limits.card_value_bytes = 600).start().await;
    host.say(ALICE, "print 5000");
    let card = ended(&host).await;
    assert_eq!(card.state, CardState::Finished);
    assert!(card.text.contains("lines above\n\n```\n"), "{}", card.text);
    assert!(card.text.contains("4999\n5000\n```\n\nexit 0"), "{}", card.text);
    let (_, _, text) = attached(&host).await;
    assert_eq!(text.lines().count(), 5_000);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_review_refuses_does_not_leave_the_card_spinning() {
    let host = setup().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "watch one");
    showing(&host, "before").await;
    host.fail("/v1.0/card/streaming", HttpFaultKind::ContentUnsafe, 1);
    gate.open();
    let card = ended(&host).await;
    assert!(card.text.contains("DingTalk refused to show"), "{}", card.text);
    host.until("a message says it", |seen| {
        seen.to(ALICE).len() == 2 && seen.to(ALICE)[1].contains("after")
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_attached_when_asked_for_and_only_of_what_did_not_fit() {
    let host = setup().start().await;
    for said in ["print 3", "print 5000 no", "print 5000 failure"] {
        host.say(ALICE, said);
        host.until_true("it has ended", || {
            host.journal("SELECT count(*) FROM inbox WHERE state = 'done'")
                == host.look(|seen| i64::try_from(seen.state.cards.len()).unwrap())
        })
        .await;
    }
    host.say(ALICE, "fails");
    let (name, _, text) = attached(&host).await;
    assert!(name.starts_with("sh-c-seq-1-5000-exit-3"), "{name}");
    assert_eq!(text.lines().count(), 5_000);
    host.say(ALICE, "poem 4000");
    host.until("a card of the handler's own has a file, too", |seen| {
        seen.state
            .messages
            .iter()
            .any(|m| m.kind == MessageKind::File && m.text.starts_with("poem"))
    })
    .await;
    assert_eq!(files(&host).len(), 2);
    nothing_is_left(&host).await;
    host.stop().await;

    let never = setup().settings(|config, _| config.cards.attach = Attach::Never).start().await;
    never.say(ALICE, "poem 4000");
    ended(&never).await;
    never.say(ALICE, "echo after");
    never.until("the next answer", |seen| seen.to(ALICE).contains(&"after")).await;
    assert!(files(&never).is_empty());
    never.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_template_the_file_comes_all_the_same_and_says_where_it_was_cut() {
    let host = setup()
        .without_template()
        .settings(|config, _| config.cards.attach_bytes = 1_000)
        .start()
        .await;
    host.say(ALICE, "poem 4000");
    let (name, _, text) = attached(&host).await;
    assert!(name.starts_with("poem-"), "{name}");
    assert!(text.starts_with("verse 1\nverse 2\n"), "{text}");
    assert!(text.contains("[moonbell: cut here after "), "{}", &text[text.len() - 300..]);
    host.look(|seen| {
        assert!(seen.to(ALICE)[0].contains("lines above"), "{:?}", seen.to(ALICE));
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_could_not_be_sent_is_sent_after_the_next_start() {
    let host = setup().spawn().await;
    host.fail("/media/upload", HttpFaultKind::Busy, 100_000);
    host.say(ALICE, "poem 4000");
    ended(&host).await;
    host.until_true("its file waits in the journal", || {
        host.journal(
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND payload LIKE '%attachment%'",
        ) == 1
    })
    .await;
    let stage = host.kill().await;
    {
        use std::os::unix::fs::PermissionsExt as _;
        let kept: Vec<_> =
            std::fs::read_dir(stage.state_dir().join("spool")).unwrap().flatten().collect();
        let log = kept.iter().find(|file| file.path().extension().unwrap() == "log").unwrap();
        assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(stage.state_dir().join("spool/stray.log"), "nobody's").unwrap();
    }
    stage.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    let host = HostProcess::spawn(stage).await;
    let (_, _, text) = attached(&host).await;
    assert_eq!(text.lines().count(), 4_000);
    nothing_is_left(&host).await;
    assert_eq!(card(&host).template, CARD_TEMPLATE);
    let (status, _) = host.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_reply_is_parked_is_kept_as_long_as_the_reply() {
    let host = setup().start().await;
    let scope = HttpFaultKind::MissingScope { scope: "qyapi_media".to_owned() };
    host.fail("/media/upload", scope, 1_000);
    host.say(ALICE, "poem 4000");
    ended(&host).await;
    let parked =
        "SELECT count(*) FROM outbox WHERE state = 'parked' AND payload LIKE '%attachment%'";
    host.until_true("its file is parked", || host.journal(parked) == 1).await;
    let stage = host.stop().await;
    let spool = stage.state_dir().join("spool");
    let file = std::fs::read_dir(&spool).unwrap().next().unwrap().unwrap().path();
    let month = std::time::SystemTime::now() - Duration::from_hours(31 * 24);
    std::fs::File::options().append(true).open(&file).unwrap().set_modified(month).unwrap();
    stage.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });

    let host = stage.start().await;
    host.say(OWNER, "parked retry all");
    let (_, _, text) = attached(&host).await;
    assert_eq!(text.lines().count(), 4_000);
    nothing_is_left(&host).await;
    host.stop().await;
}
