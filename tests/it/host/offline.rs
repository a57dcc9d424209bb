//! What could not come in time: not run unasked, and told to its sender and to the owner.

use std::time::Duration;

use moonbell::sim::{FaultOrder, HttpFaultKind, Say};
use rusqlite::Connection;

use super::stage::{ALICE, LINA, OWNER, STRANGER, Setup, Stage, TestHost};

const HOUR_MS: i64 = 3_600_000;

/// Changes the journal while no host has it.
#[track_caller]
fn change(stage: &Stage, statement: &str) {
    let journal = Connection::open(stage.state_dir().join("moonbell.db")).unwrap();
    assert!(journal.execute(statement, []).unwrap() > 0, "{statement}");
}

/// As if the host that just ended had done so two hours ago.
fn two_hours_pass(stage: &Stage) {
    change(stage, &format!("UPDATE contact SET heard_at_ms = heard_at_ms - {}", 2 * HOUR_MS));
}

fn late(person: &str, text: &str, hours: u64) -> Say {
    Say::direct(person, text).sent_ago(Duration::from_hours(hours))
}

/// Long enough for what the simulator delivers when a host connects.
fn collecting() -> Setup {
    Setup::new().settings(|config, _| config.connection.collect = Duration::from_secs(2))
}

async fn noted(host: &TestHost) {
    host.until_true("that frames flow is noted", || {
        host.journal("SELECT count(*) FROM contact") == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_hours_late_is_not_run_and_its_sender_is_told() {
    let host = Setup::new().start().await;
    host.sim.say(&late(ALICE, "trace deploy", 3)).unwrap();
    host.sim.say(&late(LINA, "trace 发布", 3)).unwrap();
    host.sim.say(&late(STRANGER, "trace deploy", 3)).unwrap();
    host.until("alice is told", |seen| {
        seen.to(ALICE).iter().any(|text| {
            text.starts_with("⏰ `trace deploy` came 3 h late")
                && text.contains("send it again, or again ")
        })
    })
    .await;
    host.until("lina is told in her language", |seen| {
        seen.to(LINA).iter().any(|text| text.starts_with("⏰ `trace 发布` 晚到了 3 小时"))
    })
    .await;
    host.until("a stranger learns nothing of it", |seen| {
        seen.to(STRANGER) == ["Sorry, I only work for people whom my owner has let in."]
    })
    .await;
    // What comes a minute late is an ordinary redelivery.
    host.sim.say(&Say::direct(ALICE, "trace soon").sent_ago(Duration::from_mins(1))).unwrap();
    host.until("that one is run", |seen| seen.to(ALICE).last() == Some(&"did soon")).await;
    assert_eq!(host.lines("ran"), ["soon"]);
    assert_eq!(host.journal("SELECT count(*) FROM inbox WHERE state = 'cancelled'"), 2);
    // A redelivery of what was told is told no second time.
    host.look(|seen| assert_eq!(seen.to(ALICE).len(), 2, "{:?}", seen.to(ALICE)));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_yes_answers_no_question() {
    let host = Setup::new()
        .script(
            "ask.luau",
            r#"bot.command("wipe", function(ctx)
                local sure = ctx:confirm("sure?")
                ctx:reply(if sure then "wiped" else "kept")
            end)"#,
        )
        .start()
        .await;
    host.say(ALICE, "wipe");
    host.until("it asks", |seen| seen.all().iter().any(|text| text.contains("sure?"))).await;
    host.sim.say(&late(ALICE, "yes", 2)).unwrap();
    host.until("it is told", |seen| seen.to(ALICE).iter().any(|t| t.starts_with("⏰ `yes`"))).await;
    host.look(|seen| assert!(!seen.to(ALICE).contains(&"wiped")));
    host.say(ALICE, "yes");
    host.until("the answer of now counts", |seen| seen.to(ALICE).contains(&"wiped")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waited_while_no_host_was_there_is_not_run() {
    let host = Setup::new().spawn().await;
    let gate = host.hold("first");
    host.say(ALICE, "hold first");
    host.entered(&["first"]).await;
    host.say(ALICE, "trace second");
    host.until_true("it waits", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'queued'") == 1
    })
    .await;
    // It is left in the journal, as a host that dies leaves it.
    let stage = host.kill().await;
    drop(gate);
    change(&stage, &format!("UPDATE inbox SET received_at_ms = received_at_ms - {}", 2 * HOUR_MS));
    let host = stage.start().await;
    host.until("its sender is told", |seen| {
        seen.to(ALICE).iter().any(|text| text.starts_with("⏰ `trace second`"))
    })
    .await;
    assert_eq!(host.lines("ran"), Vec::<String>::new());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_the_owner_reads_when_it_was_and_what_came_late() {
    let host = collecting().start().await;
    host.say(OWNER, "echo hi");
    noted(&host).await;
    let stage = host.stop().await;
    two_hours_pass(&stage);
    // Sent while nobody was there; DingTalk delivers it to the next connection.
    stage.sim.say(&late(ALICE, "trace deploy", 1)).unwrap();
    let host = stage.start().await;
    let told = |text: &&str| {
        text.starts_with("📴 I was offline ")
            && text.contains("(2 h")
            && text.contains(": moonbell was stopped.\nOne message came late:\n• ")
            && text.contains(": trace deploy (not run, ")
            && text.ends_with("whoever waits for an answer should send it again.")
    };
    host.until("the owner is told", |seen| seen.to(OWNER).iter().any(told)).await;

    // Once, and not again by the next host.
    let stage = host.stop().await;
    let host = stage.start().await;
    host.say(ALICE, "echo on");
    host.until("it goes on", |seen| seen.to(ALICE).last() == Some(&"on")).await;
    let stage = host.stop().await;
    assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE run = 'connection'"), 1);
    assert_eq!(stage.journal("SELECT count(*) FROM outages WHERE told_at_ms IS NULL"), 0);

    // A crash is called by its name, here in the owner's other language.
    change(&stage, "UPDATE contact SET stopped = 0");
    two_hours_pass(&stage);
    let host = stage.start().await;
    host.say(OWNER, "echo 你好");
    host.until("the owner is told", |seen| {
        seen.to(OWNER).iter().any(|text| {
            text.starts_with("📴 我在 ")
                && text.contains("moonbell 意外终止（崩溃或断电）。")
                && text.contains("没有一条补送到")
        })
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_network_is_told_with_its_reason_and_a_blip_is_not() {
    let host = Setup::new()
        .settings(|config, _| {
            config.connection.tell_after = Duration::from_secs(5);
            config.connection.collect = Duration::ZERO;
        })
        .sim(|options| options.clocks.ping = Duration::from_millis(50))
        .start()
        .await;
    noted(&host).await;
    let outages = "SELECT count(*) FROM outages";
    host.sim.faults(&FaultOrder { close: true, ..FaultOrder::default() });
    host.until("it is back", |seen| {
        seen.state.bot.connected && seen.state.counters.connections_opened >= 2
    })
    .await;
    host.say(ALICE, "echo blip");
    host.until("it serves", |seen| seen.to(ALICE) == ["blip"]).await;
    assert_eq!(host.journal(outages), 0);

    // As long as it takes: refused by nobody, reached by nobody.
    host.fail("/v1.0/gateway", HttpFaultKind::Reset, u32::MAX);
    host.sim.faults(&FaultOrder { close: true, ..FaultOrder::default() });
    let began = std::time::Instant::now();
    host.until_true("the outage is long enough", || began.elapsed() > Duration::from_secs(8)).await;
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    host.until("the owner is told", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains(": DingTalk could not be reached ("))
    })
    .await;
    assert_eq!(host.journal(outages), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_elsewhere_is_suspected_when_connections_are_closed_again_and_again() {
    let stage = Setup::new().sim(|options| options.evict_older_connections = true).stage().await;
    // The same app on "another computer": its own state, and locks that this one does not see.
    let mut other = stage.config();
    other.state.dir = stage.path("elsewhere");
    other.state.locks = stage.path("elsewhere/locks");
    other.access.owner = None;
    let app = moonbell::app::App::open(other, "run", None).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(Box::pin(app.timing(super::stage::quick()).run(stop.clone())));
    let host = stage.start().await;
    host.until("the owner is told", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("with the same client id"))
    })
    .await;
    stop.cancel();
    running.join_next().await.unwrap().unwrap().unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dingtalk_refuses_is_told_to_the_owner_while_sending_still_works() {
    let host = Setup::new().start().await;
    host.fail("/v1.0/gateway", HttpFaultKind::Status { status: 400 }, u32::MAX);
    host.sim.faults(&FaultOrder { close: true, ..FaultOrder::default() });
    host.until("the owner is told", |seen| {
        seen.to(OWNER).iter().any(|text| {
            text.starts_with("⛔ DingTalk refuses my connection") && text.contains("Stream mode")
        })
    })
    .await;
    host.stop().await;
}
