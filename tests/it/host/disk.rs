//! A disk that is full loses nothing, is named, and serves again once there is room.
//!
//! The disk is a small file system of its own, in a mount namespace that only the host process sees: it needs no rights
//! on this computer and is gone with the process.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::process::{HostProcess, bare, settings};
use super::stage::{ALICE, BOB, LINA, Setup, Stage, count};

/// `moonbell run` whose state folder is a disk of three megabytes; `None` where the system gives no namespaces.
async fn on_a_small_disk(stage: Stage) -> Option<HostProcess> {
    let allowed =
        Command::new("unshare").args(["-Urm", "true"]).output().is_ok_and(|o| o.status.success());
    if !allowed {
        return None;
    }
    fs::create_dir(stage.state_dir()).unwrap();
    let mut run = bare(&stage, "unshare");
    run.args([
        "-Urm",
        "sh",
        "-c",
        "mount -t tmpfs -o size=3m,mode=700 none \"$1\" && exec \"$2\" run --config \"$3\"",
        "sh",
    ])
    .arg(stage.state_dir())
    .arg(env!("CARGO_BIN_EXE_moonbell"))
    .arg(settings(&stage));
    Some(HostProcess::started(run.spawn().unwrap(), stage).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_delays_messages_and_loses_none() {
    let stage = Setup::new().stage().await;
    let Some(host) = on_a_small_disk(stage).await else {
        // Said, not skipped quietly; the journal's own part is tested in `store`, on every system.
        eprintln!(
            "no user namespaces here (`unshare -Urm`): a full disk was not tried on the whole host"
        );
        return;
    };
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
    // Whatever was acknowledged is there: the counter first, so that what comes in between does not matter.
    let acknowledged = host.look(|seen| seen.state.counters.acks);
    let kept = count(&inside, "SELECT sum(deliveries) FROM inbox");
    assert!(
        i64::try_from(acknowledged).unwrap() <= kept,
        "{acknowledged} acknowledged, {kept} kept"
    );
    host.look(|seen| {
        for person in [BOB, LINA] {
            for text in seen.to(person) {
                let question = format!(
                    "SELECT count(*) FROM inbox WHERE payload LIKE '%trace {}\"%'",
                    &text[4..]
                );
                assert_eq!(count(&inside, &question), 1, "answered, but not kept: {text}");
            }
        }
    });
    fs::remove_file(&filler).unwrap();

    host.until("with room again, all are answered", |seen| seen.all().len() >= 21).await;
    host.say(ALICE, "echo after");
    host.until("and what comes next", |seen| seen.to(ALICE).last() == Some(&"after")).await;
    // Each of them failed many times, and came again as often: that is one piece of news, not thousands of lines.
    for news in ["cannot be stored yet", "is left unacknowledged"] {
        let lines = host.lines("err").iter().filter(|line| line.contains(news)).count();
        assert!(lines <= 2, "{lines} lines say `{news}`");
    }
    let ran = host.lines("ran");
    assert_eq!(ran.len(), 21, "{ran:?}");
    host.look(|seen| assert_eq!(seen.all().len(), 22, "{:?}", seen.all()));
    let (status, _) = host.terminate().await;
    assert!(status.success());
}
