//! What keeps a host from starting is said in words that help.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::{HostProcess, bare, command};
use super::stage::{ALICE, PATIENCE, Setup, Stage};

/// An ordinary user, for tests that run as root: nothing is forbidden to root.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Runs it to its end; returns its exit code and what it said.
#[track_caller]
fn said(stage: &Stage, mut command: Command) -> (Option<i32>, String) {
    let before = stage.lines("err").len();
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    (code, stage.lines("err").split_off(before).join("\n"))
}

/// `command` as a user for whom permissions count, to whom the folder of the test belongs.
fn as_ordinary_user(stage: &Stage, mut command: Command) -> Command {
    if is_root() {
        fn give(path: &Path) {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            if path.is_dir() && !path.is_symlink() {
                for entry in std::fs::read_dir(path).unwrap() {
                    give(&entry.unwrap().path());
                }
            }
        }
        give(stage.home.path());
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_on_the_same_folder_names_the_first_and_does_no_harm() {
    let host = Setup::new().spawn().await;
    let (code, text) = said(&host, command(&host));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("another moonbell (process {})", host.pid())), "{text}");
    assert!(text.contains("`: `moonbell run` since "), "{text}");
    assert!(text.contains("hint: stop the other one"), "{text}");
    host.say(ALICE, "echo still here");
    host.until("the first serves on", |seen| seen.to(ALICE) == ["still here"]).await;
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    // And now there is room.
    let host = HostProcess::spawn(stage).await;
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_of_the_same_app_names_the_first_whatever_its_folder() {
    let host = Setup::new().spawn().await;
    let mut second = command(&host);
    second.env("MOONBELL_STATE_DIR", host.path("other-state"));
    let (code, text) = said(&host, second);
    assert_eq!(code, Some(1), "{text}");
    let first = format!("another moonbell (process {}) already answers for the app", host.pid());
    let folder = format!("on `{}`", host.state_dir().display());
    assert!(text.contains(&first) && text.contains(&folder), "{text}");
    assert!(text.contains("hint: two hosts of one app each get some of its messages"), "{text}");
    host.say(ALICE, "echo still here");
    host.until("the first serves on", |seen| seen.to(ALICE) == ["still here"]).await;
    // Killed, it is in nobody's way.
    let stage = host.kill().await;
    let mut next = command(&stage);
    next.env("MOONBELL_STATE_DIR", stage.path("other-state"));
    let next = HostProcess::started(next.spawn().unwrap(), stage).await;
    next.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let stage = Setup::new().stage().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut dev = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
    dev.args(["dev", "--port", &port]);
    let (code, text) = said(&stage, dev);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&port) && text.contains("--port"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_written_is_named() {
    let stage = Setup::new().stage().await;
    let state = stage.state_dir();
    std::fs::create_dir(&state).unwrap();
    let run = as_ordinary_user(&stage, command(&stage));
    set_mode(&state, 0o500);
    let (code, text) = said(&stage, run);
    set_mode(&state, 0o700);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(state.to_str().unwrap()), "{text}");
    assert!(text.contains("hint: check the permissions"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_written_is_named() {
    let stage = Setup::new().start().await.stop().await;
    let run = as_ordinary_user(&stage, command(&stage));
    let journal = stage.state_dir().join("moonbell.db");
    set_mode(&journal, 0o400);
    let (code, text) = said(&stage, run);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(journal.to_str().unwrap()) && text.contains("hint: "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scripts_folder_that_cannot_be_read_is_named() {
    let stage = Setup::new().stage().await;
    let scripts = stage.path("scripts");
    let run = as_ordinary_user(&stage, command(&stage));
    set_mode(&scripts, 0o000);
    let (code, text) = said(&stage, run);
    set_mode(&scripts, 0o700);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(scripts.to_str().unwrap()) && text.contains("hint: "), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scripts_folder_that_is_missing_is_made_and_filled_with_the_starters() {
    let stage = Setup::new().stage().await;
    std::fs::remove_dir_all(stage.path("scripts")).unwrap();
    let host = HostProcess::spawn(stage).await;
    host.say(ALICE, "ping");
    host.until("a starter answers", |seen| seen.to(ALICE) == ["pong"]).await;
    let said = host.lines("err").join("\n");
    assert!(said.contains("created with the starter handlers"), "{said}");
    host.terminate().await;
}
