//! `bot.cron` and `bot.send`: on time, never doubled, made up for once, and said to whom it was meant.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::sync::Arc;
use std::time::Duration;

use moonbell::access::Access;
use moonbell::api::Host;
use moonbell::config;
use moonbell::message::StaffId;
use moonbell::script::LoadErrorKind;
use moonbell::store::kv::Kv;
use moonbell::store::schedules::Schedules;
use serde_json::{Value, json};

use crate::engine::Bench;

const PATIENCE: Duration = Duration::from_secs(30);

async fn until(kv: &Kv, key: &str, wanted: impl Fn(i64) -> bool) -> i64 {
    let seen = async {
        loop {
            let value = kv.get("test.luau", key).await.unwrap();
            let value = value.and_then(|text| text.parse().ok()).unwrap_or(0);
            if wanted(value) {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await; // polls a condition
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("`{key}` never came"))
}

#[tokio::test]
async fn a_schedule_is_due_each_second_once_over_a_reload() {
    let bench = Bench::new().await;
    let kv = Kv::new(bench.store.clone());
    let text = "bot.cron('* * * * * *', function() kv.incr('n'); kv.incr('at' .. math.floor(time.now())) end)";
    let first = bench.load(text);
    first.activate().await;
    until(&kv, "n", |n| n >= 2).await;
    let second = bench.load(text);
    first.retire().await;
    second.activate().await;
    let before = until(&kv, "n", |_| true).await;
    until(&kv, "n", |n| n >= before + 2).await;
    second.retire().await;
    for entry in kv.list("test.luau", "at", 100).await.unwrap() {
        assert_eq!(entry.value, "1", "twice in one second: {}", entry.key);
    }
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once_if_that_was_asked_for() {
    let bench = Bench::new().await;
    let kv = Kv::new(bench.store.clone());
    let schedules = Schedules::new(bench.store.clone());
    // Both were last due a year before 2001: many yearly times were missed since.
    for name in ["0 0 1 1 * Asia/Shanghai 1", "0 0 1 1 * Asia/Shanghai 2"] {
        assert!(schedules.last("test.luau", name, 0).await.unwrap() == 0);
    }
    let text = "bot.cron('0 0 1 1 *', { tz = 'Asia/Shanghai', missed = 'once' }, function() kv.incr('once') end)
        bot.cron('0 0 1 1 *', { tz = 'Asia/Shanghai' }, function() kv.incr('skip') end)
        bot.on('start', function() kv.incr('start') end)";
    for turn in 1..=2 {
        let generation = bench.load(text);
        generation.activate().await;
        until(&kv, "start", |n| n == turn).await;
        until(&kv, "once", |n| n == 1).await;
        generation.retire().await;
        generation.stopped().cancelled().await;
    }
    assert_eq!(until(&kv, "once", |_| true).await, 1);
    assert_eq!(until(&kv, "skip", |_| true).await, 0);
}

#[tokio::test]
async fn a_wrong_schedule_does_not_load() {
    let bench = Bench::new().await;
    for (declaration, expected) in [
        (
            "bot.cron('nonsense', print)",
            "`bot.cron`: argument #1 (`schedule`): `nonsense` is no schedule",
        ),
        ("bot.cron('0 0 30 2 *', print)", "never due"),
        (
            "bot.cron('* * * * *', { tz = 'Mars' }, print)",
            "option `tz`: there is no time zone `Mars`",
        ),
        (
            "bot.cron('* * * * *', { missed = 'all' }, print)",
            "option `missed`: expected \"skip\" or \"once\"",
        ),
        ("bot.cron('* * * * *', { zone = 'UTC' }, print)", "unknown option `zone`"),
        ("bot.cron('* * * * *', {})", "argument #3 (`handler`): expected function, got nil"),
        ("bot.cron('* * * * *')", "argument #2 (`options`)"),
    ] {
        let error = bench.vm("a.luau", declaration).unwrap_err();
        assert_eq!(error.kind, LoadErrorKind::Declaration, "{declaration}");
        assert!(error.message.contains(expected), "{declaration}: {}", error.message);
    }
}

/// The same, with an owner.
fn owned(host: &Host) -> Host {
    let owner = Some(StaffId::new("boss"));
    let lists = config::Access { owner, ..config::Access::default() };
    host.with_access(Arc::new(Access::new(lists)))
}

#[tokio::test]
async fn a_message_goes_to_whom_it_is_meant_for() {
    let mut bench = Bench::new().await;
    bench.host = owned(&bench.host);
    let generation = bench.handler(
        r#"bot.send("owner", "a") bot.send({ user = "u7" }, { markdown = "**b**" }) bot.send({ chat = "cidX" }, 3)"#,
    );
    let run = bench.run("r");
    bench.start(&generation, &run).await;
    // Under load part of it is in the journal already: preemption counts as a wait.
    bench.host.outbox().unwrap().post("r", run.take_pending()).await.unwrap();
    let rows = bench.store.read(|c| {
        let mut rows = c.prepare("SELECT payload FROM outbox ORDER BY id")?;
        rows.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()
    });
    let said: Vec<_> = rows
        .await
        .unwrap()
        .iter()
        .map(|row| {
            let row: Value = serde_json::from_str(row).unwrap();
            json!([
                row["to"]["kind"],
                row["to"]["staff_id"],
                row["to"]["conversation_id"],
                row["body"]["text"]
            ])
        })
        .collect();
    assert_eq!(
        said,
        [
            json!(["direct", "boss", "to:boss", "a"]),
            json!(["direct", "u7", "to:u7", "**b**"]),
            json!(["group", null, "cidX", "3"]),
        ]
    );
    for (call, expected) in [
        ("bot.send('boss', 'x')", "`bot.send`: argument #1 (`to`): expected \"owner\""),
        ("bot.send({}, 'x')", "expected \"owner\""),
        ("bot.send({ usr = 'x' }, 'x')", "did you mean `user`?"),
        ("bot.send('owner')", "expected text, got nil"),
    ] {
        let raised = bench.raises(call).await;
        assert!(raised.contains(expected), "{call}: {raised}");
    }
}

#[tokio::test]
async fn what_a_hook_says_is_sent() {
    let mut bench = Bench::new().await;
    bench.host = owned(&bench.host);
    let generation = bench.load("bot.on('start', function() bot.send('owner', 'up') end)");
    generation.activate().await;
    let outbox = bench.host.outbox().unwrap().clone();
    let seen = async {
        while outbox.waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await; // polls a condition
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the message is journaled");
}
