//! A disk that is full loses nothing, is named, and serves again once there is room.
//!
//! The disk is a small file system of its own, in a mount namespace that only the host process sees: it needs no rights
//! on this computer and is gone with the process.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::process::{HostProcess, mounted};
use super::stage::{ALICE, BOB, LINA, Setup, Stage, Way};

/// `moonbell run` whose state folder is a disk of three megabytes; `None` where the system gives no namespaces.
async fn on_a_small_disk(stage: Stage) -> Option<HostProcess> {
    let disk = stage.state_dir();
    fs::create_dir(&disk).unwrap();
    mounted(stage, "mount -t tmpfs -o size=3m,mode=700 none \"$1\"", &disk).await.ok()
}

/// Asks a copy of the journal in `state`: SQLite does not follow the way into the namespace of another process. `None`
/// where the copy was made while something moved.
fn copied(state: &Path, question: &str) -> Option<i64> {
    let copy = tempfile::tempdir().unwrap();
    // The log first: what goes from it into the file meanwhile is then in both.
    for name in ["moonbell.db-wal", "moonbell.db"] {
        fs::copy(state.join(name), copy.path().join(name)).ok()?;
    }
    let journal = rusqlite::Connection::open(copy.path().join("moonbell.db")).ok()?;
    journal.query_row(question, [], |row| row.get(0)).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_delays_messages_and_loses_none() {
    a_full_disk(Way::Stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_a_full_disk_cannot_take_are_answered_with_an_error_and_none_is_lost() {
    a_full_disk(Way::Http).await;
}

async fn a_full_disk(way: Way) {
    let stage = Setup::new().over(way).stage().await;
    // The journal's own part is tested in `store`, on every system.
    let Some(host) = on_a_small_disk(stage).await else { return };
    host.say(ALICE, "trace before");
    host.until("the answer", |seen| seen.to(ALICE) == ["did before"]).await;

    // The folder as the process sees it.
    let inside = PathBuf::from(format!("/proc/{}/root", host.pid()))
        .join(host.state_dir().strip_prefix("/").unwrap());
    let filler = inside.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    drop(file);

    for n in 0..20 {
        host.say([BOB, LINA][n % 2], &format!("trace {n}"));
    }
    host.until_true("it says so", || {
        host.lines("err")
            .iter()
            .any(|line| line.contains("the disk with") && line.contains("is full"))
    })
    .await;
    let hint = "free some space";
    host.until_true("and what to do", || host.lines("err").iter().any(|line| line.contains(hint)))
        .await;
    // Whatever was acknowledged is there.
    host.until_true("nothing is acknowledged that is not kept", || {
        // The counter first, so that what comes in between does not matter.
        let acknowledged = host.look(|seen| seen.state.counters.acks);
        copied(&inside, "SELECT ifnull(sum(deliveries), 0) FROM inbox")
            .is_some_and(|kept| i64::try_from(acknowledged).unwrap() <= kept)
    })
    .await;
    fs::remove_file(&filler).unwrap();

    host.until("with room again, all are answered", |seen| seen.all().len() >= 21).await;
    host.say(ALICE, "echo after");
    host.until("and what comes next", |seen| seen.to(ALICE).last() == Some(&"after")).await;
    // Each of them failed many times, and came again as often: that is one piece of news, not thousands of lines.
    for news in ["cannot be stored yet", "is left unacknowledged", "is answered with an error"] {
        let lines = host.lines("err").iter().filter(|line| line.contains(news)).count();
        assert!(lines <= 2, "{lines} lines say `{news}`");
    }
    if way == Way::Http {
        let refused = host.sim.wire(0).iter().filter(|line| line.status == Some(503)).count();
        assert!(refused >= 1, "{}", host.sim.transcript());
    }
    let ran = host.lines("ran");
    assert_eq!(ran.len(), 21, "{ran:?}");
    host.look(|seen| assert_eq!(seen.all().len(), 22, "{:?}", seen.all()));
    let (status, _) = host.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_a_script_that_fills_the_disk_is_told_and_leaves_no_half_file() {
    let script = r#"
        bot.command("fill", function(ctx)
            assert(fs.write("note", "whole"))
            local ok, err = fs.write("note", ("x"):rep(6e6))
            local names = {}
            for _, entry in assert(fs.list(".")) do table.insert(names, entry.name) end
            ctx:reply((ok and "wrote" or err.kind) .. " " .. table.concat(names, ",") .. " " .. fs.read("note"))
        end)
    "#;
    let stage = Setup::new().script("fill.luau", script).stage().await;
    let Some(host) = on_a_small_disk(stage).await else { return };
    host.say(ALICE, "fill");
    host.until("the old one is whole", |seen| seen.to(ALICE) == ["full note whole"]).await;
}
