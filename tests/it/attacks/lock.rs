//! The panic lock: everything stops, nobody is served, and only the computer lifts it.

use std::fs;

use super::super::moments::click;
use super::super::process::{HostProcess, settings};
use super::super::stage::{ALICE, BOB, OWNER, STRANGER, Setup};
use super::{count, moonbell, run, text};

/// Rows that were refused because of the lock.
const LOCKED: &str = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: moonbell is locked%'";

/// Everything that starts by itself or by others leaves a trace.
const ALIVE: &str = r#"
bot.every("100ms", function() shell.sh("echo beat >> {home}/beats") end)
bot.watch("{home}/watched/*", function() shell.sh("echo seen >> {home}/acted") end)
bot.on("card", function() shell.sh("echo clicked >> {home}/acted") end)
bot.on("user_add_org", function() shell.sh("echo event >> {home}/acted") end)
bot.on("start", function() shell.sh("echo started >> {home}/starts") end)
bot.command("tree", function(ctx)
    shell.sh("echo $$ >> $1/pids; sleep 600 & echo $! >> $1/pids; echo tree >> $1/entered; wait", "{home}")
end)
"#;

async fn alive() -> HostProcess {
    let stage = Setup::new().script("alive.luau", ALIVE).stage().await;
    fs::create_dir(stage.path("watched")).unwrap();
    let host = HostProcess::spawn(stage).await;
    host.until_true("it beats", || !host.lines("beats").is_empty()).await;
    host.say(ALICE, "tree");
    host.entered(&["tree"]).await;
    host
}

fn is_alive(pid: &str) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// The runs are gone with their programs, and nothing starts again, whoever or whatever asks.
async fn holds(host: &HostProcess) {
    let pids = host.lines("pids");
    host.until_true("the processes are gone", || pids.iter().all(|pid| !is_alive(pid))).await;
    let before =
        host.journal("SELECT count(*) FROM inbox WHERE error LIKE 'denied: moonbell is locked%'");
    host.say(OWNER, "trace owner");
    host.say(ALICE, "trace alice");
    host.say(OWNER, "trigger anything");
    click(host, OWNER, "agree");
    host.sim.event(
        "user_add_org",
        &serde_json::json!({ "userId": ["u1"], "timeStamp": "1767852000000" }),
    );
    fs::write(host.path("watched/new"), "x").unwrap();
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: moonbell is locked%'";
    host.until_true("all five are refused", || host.journal(denied) >= before + 5).await;
    host.until_true("timers are", || {
        count(host, &[("door", "schedule"), ("verdict", "deny"), ("reason", "locked")]) > 0
    })
    .await;
    host.until_true("files are", || {
        count(host, &[("door", "file"), ("verdict", "deny"), ("reason", "locked")]) > 0
    })
    .await;
    assert!(host.lines("ran").is_empty() && host.lines("acted").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_a_lock_from_a_chat_stops_all_and_outlives_a_restart() {
    let host = alive().await;
    for person in [ALICE, STRANGER] {
        host.say(person, "lock");
    }
    host.until("neither may", |seen| {
        seen.to(ALICE) == ["Sorry, you may not use `lock`."] && seen.to(STRANGER).len() == 1
    })
    .await;
    assert!(!host.state_dir().join("locked").exists());
    host.say_in(0, OWNER, "lock");
    host.until("the owner is told", |seen| {
        seen.in_group(0).last().is_some_and(|text| text.starts_with("🔒 Locked"))
    })
    .await;
    host.until("whoever was served is told", |seen| {
        seen.to(ALICE).iter().any(|text| text.contains("I was locked."))
    })
    .await;
    holds(&host).await;
    for text in ["unlock", "解锁", "lock", "yes 1234"] {
        host.say(OWNER, text);
    }
    // Seen to the end: what is delivered again after the unlock would be a new lock.
    host.until_true("all four are refused", || host.journal(LOCKED) == 10).await;
    let stage = host.kill().await;
    let starts = stage.lines("starts").len();
    let host = run(stage).await;
    holds(&host).await;
    assert_eq!(host.lines("starts").len(), starts, "its hooks did not run");
    let unlocked = moonbell(&host, &["unlock"]);
    assert!(unlocked.status.success(), "{}", text(&unlocked));
    let beats = host.lines("beats").len();
    host.until_true("it beats again", || host.lines("beats").len() > beats).await;
    host.say(BOB, "trace free");
    host.until("people are served again", |seen| seen.to(BOB).last() == Some(&"did free")).await;
    assert!(!moonbell(&host, &["unlock"]).status.success());
    let (_, stage) = host.terminate().await;
    assert_eq!(count(&stage, &[("event", "lock")]), 1);
    assert_eq!(count(&stage, &[("event", "unlock")]), 1);
    let verified = moonbell(&stage, &["audit", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_a_lock_from_the_terminal_or_by_a_file_does_the_same() {
    let host = alive().await;
    let locked = moonbell(&host, &["lock"]);
    assert!(
        locked.status.success() && text(&locked).contains("locked: process"),
        "{}",
        text(&locked)
    );
    host.until_true("it is stopped", || count(&host, &[("event", "stopped"), ("who", ALICE)]) == 1)
        .await;
    holds(&host).await;
    let status = text(&moonbell(&host, &["status"]));
    let says = "locked (by `moonbell lock` on this computer), nobody is served";
    assert!(status.contains(says), "{status}");
    assert!(text(&moonbell(&host, &["status", "--json"])).contains("\"locked\": true"));
    let explained = text(&moonbell(&host, &["explain", "tree"]));
    assert!(explained.contains("✗ refused: locked, nobody is served"), "{explained}");
    assert!(moonbell(&host, &["unlock"]).status.success());
    assert!(text(&moonbell(&host, &["status", "--json"])).contains("\"locked\": false"));
    host.say(ALICE, "tree");
    host.until_true("it runs again", || host.lines("entered").len() == 2).await;
    fs::write(host.state_dir().join("locked"), "").unwrap();
    host.until_true("it is stopped", || count(&host, &[("event", "stopped"), ("who", ALICE)]) == 2)
        .await;
    holds(&host).await;
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_a_lock_works_before_any_host_has_run() {
    let stage = Setup::new().stage().await;
    settings(&stage);
    let locked = moonbell(&stage, &["lock"]);
    assert!(locked.status.success() && text(&locked).contains("no host runs"), "{}", text(&locked));
    assert!(text(&moonbell(&stage, &["lock"])).contains("locked already"));
    let host = run(stage).await;
    host.say(OWNER, "trace one");
    host.say(OWNER, "trace two");
    host.until("the owner is told, once", |seen| seen.to(OWNER).len() == 1).await;
    host.look(|seen| {
        assert!(seen.to(OWNER)[0].contains("moonbell unlock"), "{:?}", seen.to(OWNER));
    });
    let (_, stage) = host.terminate().await;
    assert!(moonbell(&stage, &["unlock"]).status.success());
    let host = run(stage).await;
    host.say(OWNER, "trace three");
    host.until("served", |seen| seen.to(OWNER).last() == Some(&"did three")).await;
    assert_eq!(host.lines("ran"), ["three"]);
    host.terminate().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn panic_where_the_lock_cannot_be_looked_at_nobody_is_told_that_it_holds() {
    let stage = Setup::new().stage().await;
    let path = settings(&stage);
    let here = fs::read_to_string(&path).unwrap();
    // A folder that leads to itself: whoever asks learns nothing, whatever their rights are.
    let circle = stage.path("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let state = |dir: &std::path::Path| format!("[state]\ndir = {:?}", dir.to_str().unwrap());
    let there = here.replace(&state(&stage.state_dir()), &state(&circle.join("state")));
    assert_ne!(there, here);
    fs::write(&path, there).unwrap();
    for word in ["lock", "unlock"] {
        let told = moonbell(&stage, &[word]);
        let said = text(&told);
        assert_eq!(told.status.code(), Some(1), "{word}: {said}");
        assert!(said.contains("cannot") && said.contains("circle"), "{word}: {said}");
        assert!(!said.contains("locked already") && !said.contains("no host runs"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_a_mistake_in_the_settings_keeps_nobody_from_locking_and_looking() {
    let stage = Setup::new().stage().await;
    settings(&stage);
    let host = run(stage).await;
    host.say(OWNER, "echo before");
    host.until("it serves", |seen| seen.to(OWNER) == ["before"]).await;
    let path = host.path("bot.toml");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("language = \"fr\"\n{good}")).unwrap();
    for args in [&["status"][..], &["outbox"], &["audit"], &["logs"], &["usage"], &["lock"]] {
        let output = moonbell(&host, args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        assert!(text(&output).contains("`language` cannot be `fr`"), "{}", text(&output));
    }
    host.say(OWNER, "echo after");
    host.until_true("it is locked", || host.journal(LOCKED) > 0).await;
    host.terminate().await;
}
