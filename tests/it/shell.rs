//! Processes that scripts start: real programs, watched from outside by process id.
#![cfg(target_os = "linux")] // looks into `/proc`
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use moonbell::api::shell::command::{Command, SpawnError, Stdin};
use moonbell::api::shell::output::Tail;
use moonbell::api::shell::process::{Exit, GRACE, LINGER, Process, Processes, Stream};
use moonbell::script::{Ended, Limits};
use tokio_util::sync::CancellationToken;

use crate::engine::Bench;

/// Far more than a busy machine needs.
const DEADLINE: Duration = Duration::from_secs(20);
/// Ignores every signal that can be ignored, and says when it does.
const DEAF: &str = "trap '' TERM INT HUP; echo deaf; while :; do sleep 0.05; done";

fn command(argv: &[&str]) -> Command {
    Command { argv: argv.iter().map(|arg| arg.as_bytes().to_vec()).collect(), ..Command::default() }
}

fn sh(script: &str) -> Command {
    command(&["sh", "-c", script])
}

async fn start(command: Command) -> Process {
    let over = CancellationToken::new();
    Processes::new().spawn(command, &over, ()).await.unwrap()
}

struct Finished {
    out: String,
    err: String,
    exit: Exit,
}

async fn finish(process: &Process) -> Finished {
    let read = async {
        let (mut out, mut err) = (Tail::new(1 << 20), Tail::new(1 << 20));
        while let Some(chunk) = process.chunk().await {
            match chunk.stream {
                Stream::Out => out.push(&chunk.bytes),
                Stream::Err => err.push(&chunk.bytes),
            }
        }
        Finished { out: out.text(), err: err.text(), exit: process.exit().await }
    };
    tokio::time::timeout(DEADLINE, read).await.expect("the process ends in time")
}

async fn run(command: Command) -> Finished {
    finish(&start(command).await).await
}

/// Reads output until `lines` lines are there.
async fn first_lines(process: &Process, lines: usize) -> Vec<String> {
    let mut text = String::new();
    while text.lines().count() < lines || !text.ends_with('\n') {
        let chunk = tokio::time::timeout(DEADLINE, process.chunk()).await.expect("output in time");
        text.push_str(&String::from_utf8(chunk.expect("more output").bytes).unwrap());
    }
    text.lines().map(str::to_owned).collect()
}

/// Whether a process runs; one that nobody has waited for yet does not.
fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with(['Z', 'X'])
    })
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_gone(pids: &[String]) {
    until(&format!("{pids:?} gone"), || !pids.iter().any(|pid| alive(pid))).await;
}

/// A shell, a child that it waits for and one in the background: their process ids.
const FAMILY: &str =
    "sleep 999 & echo $!; sh -c 'sleep 998 & echo $!; echo $$; wait' & echo $$; wait";

async fn family() -> (Process, Vec<String>) {
    let process = start(sh(FAMILY)).await;
    let pids = first_lines(&process, 4).await;
    assert!(pids.iter().all(|pid| alive(pid)), "{pids:?}");
    (process, pids)
}

fn hostile() -> Vec<Vec<u8>> {
    let mut strings: Vec<Vec<u8>> = [
        "; id",
        "&& id",
        "| id",
        "`id`",
        "$(id)",
        "${IFS}",
        "a\nid",
        "a\rid",
        "%PATH%",
        "^",
        "!",
        "'",
        "\"",
        "'\"'\"'",
        "\\",
        "\\'",
        "-rf",
        "--output=/x",
        "@file",
        "*",
        "?",
        "[a-z]*",
        "~root",
        "~",
        "-",
        "--",
        "-n",
        "",
        " ",
        "a  b",
        "\t",
        "🦀👨‍👩‍👧",
        "；ｉｄ",
        "\u{202e}txt.exe",
        "$1",
        "$@",
        "%s%n",
        "{a,b}",
        "> /tmp/x",
        "#",
        "\u{1b}[31m",
        "a\u{7}b",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    strings.push(b"\xff\xfe\x80 not utf-8".to_vec());
    strings.push(vec![b'x'; 100 << 10]);
    strings
}

#[tokio::test]
async fn b1_arguments_arrive_as_they_are() {
    for text in hostile() {
        let mut printf = command(&["printf", "%s"]);
        printf.argv.push(text.clone());
        let process = start(printf).await;
        let mut out = Vec::new();
        while let Some(chunk) = process.chunk().await {
            out.extend(chunk.bytes);
        }
        assert_eq!(out, text, "{}", String::from_utf8_lossy(&text));
        assert!(process.exit().await.ok());
    }
}

#[tokio::test]
async fn a_child_gets_a_clean_environment_and_what_the_script_adds() {
    let mut env = command(&["env"]);
    env.env = BTreeMap::from([
        ("GREETING".to_owned(), Some("你好 = x".to_owned())),
        ("LANG".to_owned(), None),
    ]);
    let ended = run(env).await;
    let names: Vec<_> = ended.out.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert!(names.contains(&"PATH") && names.contains(&"HOME"), "{names:?}");
    let places = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TMPDIR",
        "TZ",
        "LANGUAGE",
        "TERM",
        "GREETING",
        "MOONBELL_PROCESS",
    ];
    let session =
        ["SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"];
    for name in &names {
        let prefixed = name.starts_with("LC_")
            || name.starts_with("XDG_")
            || name.to_uppercase().ends_with("_PROXY");
        assert!(places.contains(name) || session.contains(name) || prefixed, "{name} of {names:?}");
    }
    assert!(ended.out.lines().any(|line| line == "GREETING=你好 = x"), "{}", ended.out);
    assert!(ended.out.lines().any(|line| line == "TERM=dumb"), "{}", ended.out);
}

#[tokio::test]
async fn codes_signals_and_both_outputs_are_reported() {
    let ended = run(sh("echo out; echo err >&2; exit 3")).await;
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("out\n", "err\n"));
    assert_eq!((ended.exit.code, ended.exit.signal, ended.exit.ok()), (Some(3), None, false));
    let ended = run(sh("kill -9 $$")).await;
    assert_eq!((ended.exit.code, ended.exit.signal, ended.exit.ok()), (None, Some(9), false));
}

#[tokio::test]
async fn what_cannot_start_fails_with_a_kind() {
    let home = tempfile::tempdir().unwrap();
    let plain = home.path().join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    let over = CancellationToken::new();
    let processes = Processes::new();
    let mut huge = command(&["true"]);
    huge.argv.push(vec![b'x'; 200 << 10]);
    for (command, kind) in [
        (command(&["no-such-program-x"]), "not_found"),
        (command(&[plain.to_str().unwrap()]), "denied"),
        (command(&["true", "a\0b"]), "invalid"),
        (huge, "too_large"),
        (Command { cwd: Some("/nowhere".to_owned()), ..command(&["true"]) }, "cwd"),
    ] {
        let error = processes.spawn(command, &over, ()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    until("no place is kept", || processes.open() == 0).await;
}

#[tokio::test]
async fn the_working_folder_is_the_home_folder_or_the_one_given() {
    let home = tempfile::tempdir().unwrap();
    let real = home.path().canonicalize().unwrap();
    let pwd =
        |cwd: Option<&str>| Command { cwd: cwd.map(str::to_owned), ..command(&["pwd", "-P"]) };
    assert_eq!(run(pwd(real.to_str())).await.out.trim_end(), real.to_str().unwrap());
    let user = directories::BaseDirs::new().unwrap().home_dir().canonicalize().unwrap();
    for cwd in [None, Some("~"), Some("~/.")] {
        assert_eq!(Path::new(run(pwd(cwd)).await.out.trim_end()), user, "{cwd:?}");
    }
    fs::write(home.path().join("hello"), "#!/bin/sh\necho hello from $PWD\n").unwrap();
    std::os::unix::fs::symlink("/bin/sh", home.path().join("mysh")).unwrap();
    let relative =
        Command { cwd: real.to_str().map(str::to_owned), ..command(&["./mysh", "hello"]) };
    assert_eq!(run(relative).await.out, format!("hello from {}\n", real.display()));
}

#[tokio::test]
async fn input_is_written_while_output_is_read() {
    let text = "0123456789abcde\n".repeat(64 << 10); // 1 MiB: many times what the pipes hold
    let cat = Command { stdin: Stdin::Bytes(text.clone().into_bytes()), ..command(&["cat"]) };
    assert_eq!(run(cat).await.out, text);
    assert!(run(command(&["cat"])).await.exit.ok(), "without input reading ends at once");
    let deaf_to_input = Command { stdin: Stdin::Bytes(text.into_bytes()), ..command(&["true"]) };
    assert!(run(deaf_to_input).await.exit.ok(), "a program need not read its input");
}

#[tokio::test]
async fn a_program_can_be_talked_to() {
    let process = start(Command { stdin: Stdin::Pipe, ..command(&["cat"]) }).await;
    for word in ["one\n", "two\n"] {
        process.write(word.as_bytes()).await.unwrap();
        assert_eq!(first_lines(&process, 1).await, [word.trim_end()]);
    }
    process.close_stdin().await;
    assert!(finish(&process).await.exit.ok());
    let error = process.write(b"late").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn dropping_the_handle_ends_the_whole_family() {
    let (process, pids) = family().await;
    drop(process);
    until_gone(&pids).await;
}

#[tokio::test]
async fn the_end_of_a_run_ends_the_whole_family_though_the_handle_lives_on() {
    let over = CancellationToken::new();
    let process = Processes::new().spawn(sh(FAMILY), &over, ()).await.unwrap();
    let pids = first_lines(&process, 4).await;
    over.cancel();
    until_gone(&pids).await;
    assert_eq!(process.exit().await.signal, Some(15));
}

#[tokio::test]
async fn a_run_that_ends_while_its_output_is_unread_keeps_nothing() {
    let over = CancellationToken::new();
    let processes = Processes::new();
    let process = processes.spawn(command(&["yes"]), &over, ()).await.unwrap();
    let pid = process.pid().to_string();
    over.cancel();
    until_gone(&[pid]).await;
    until("its place is free", || processes.open() == 0).await;
    drop(process);
}

#[tokio::test]
async fn b6_who_ignores_the_request_to_end_is_killed_after_the_grace() {
    let process = start(sh(&format!("sh -c \"{DEAF}\" & echo $!; {DEAF}"))).await;
    let mut pids = vec![process.pid().to_string()];
    pids.extend(first_lines(&process, 3).await.into_iter().filter(|line| line != "deaf"));
    let begin = Instant::now();
    process.kill();
    let ended = finish(&process).await;
    assert_eq!(ended.exit.signal, Some(9));
    assert!(begin.elapsed() >= GRACE);
    until_gone(&pids).await;
}

#[tokio::test]
async fn who_takes_the_request_to_end_may_tidy_up() {
    let process =
        start(sh("trap 'echo tidy; exit 7' TERM; echo ready; while :; do sleep 0.02; done")).await;
    first_lines(&process, 1).await;
    process.kill();
    let ended = finish(&process).await;
    assert_eq!((ended.out.as_str(), ended.exit.code), ("tidy\n", Some(7)));
}

#[tokio::test]
async fn a_timeout_ends_the_family_and_is_told() {
    let begin = Instant::now();
    let process = start(Command { timeout: Some(Duration::from_secs(1)), ..sh(FAMILY) }).await;
    let pids = first_lines(&process, 4).await;
    let ended = finish(&process).await;
    assert!(ended.exit.timed_out && !ended.exit.ok());
    assert!(begin.elapsed() >= Duration::from_secs(1));
    until_gone(&pids).await;
}

#[tokio::test]
async fn what_a_shell_leaves_in_the_background_does_not_hold_up_its_end() {
    let begin = Instant::now();
    let ended = run(sh("sleep 999 & echo $!")).await;
    assert_eq!(ended.exit.code, Some(0));
    assert!(begin.elapsed() >= LINGER && begin.elapsed() < LINGER + GRACE + Duration::from_secs(3));
    until_gone(&[ended.out.trim_end().to_owned()]).await;
    // The same, without a hold on the pipes: no reason to linger.
    let ended = run(sh("sleep 999 >/dev/null 2>&1 & echo $!")).await;
    assert_eq!(ended.exit.code, Some(0));
    until_gone(&[ended.out.trim_end().to_owned()]).await;
}

#[tokio::test]
async fn a_daemon_that_holds_the_pipes_is_not_waited_for() {
    let begin = Instant::now();
    let ended = run(sh("setsid sh -c 'echo $$; sleep 20' & sleep 0.3")).await;
    assert_eq!(ended.exit.code, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // It left its run on purpose: ours to clean up here.
    let pid = ended.out.trim_end().to_owned();
    assert!(alive(&pid), "a session of its own is left alone");
    run(command(&["kill", "-9", &pid])).await;
    until_gone(&[pid]).await;
}

#[tokio::test]
async fn b6_of_endless_output_only_the_tail_is_kept() {
    let process = start(command(&["yes", "0123456789012345678901234567890123456789"])).await;
    let mut tail = Tail::new(64 << 10);
    let mut seen = 0;
    while seen < 200 << 20 {
        let chunk = process.chunk().await.unwrap();
        seen += chunk.bytes.len();
        tail.push(&chunk.bytes);
    }
    assert_eq!(tail.text().len(), 64 << 10);
    assert_eq!(tail.dropped(), (seen - (64 << 10)) as u64);
}

#[tokio::test]
async fn a_slow_reader_misses_nothing_of_a_program_that_has_ended() {
    let process = start(command(&["seq", "10000"])).await;
    // Long after its end and every linger: what is in the pipe stays there to be read.
    until("it has written what it can", || process.ended().is_some()).await;
    tokio::time::sleep(LINGER + Duration::from_millis(200)).await;
    let ended = finish(&process).await;
    assert_eq!(ended.out.lines().count(), 10_000);
    assert!(ended.out.ends_with("\n10000\n"));
}

#[tokio::test]
async fn b9_giving_up_half_way_through_a_start_leaves_no_process() {
    let home = tempfile::tempdir().unwrap();
    let processes = Processes::new();
    for round in 0_u64..40 {
        let mark = home.path().join(round.to_string());
        let script = format!("echo $$ > {}; exec sleep 999", mark.display());
        let over = CancellationToken::new();
        let spawning = processes.spawn(sh(&script), &over, ());
        let _ = tokio::time::timeout(Duration::from_micros(round * 100), spawning).await;
    }
    until("all are gone", || processes.open() == 0).await;
    for entry in fs::read_dir(home.path()).unwrap() {
        let pid = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(pid.trim().is_empty() || !alive(pid.trim()));
    }
}

#[tokio::test]
async fn b9_stopping_twice_or_after_the_end_is_harmless() {
    let process = start(command(&["true"])).await;
    assert!(finish(&process).await.exit.ok());
    process.kill();
    process.kill();
    process.signal(9).await;
    process.signal(9).await;
    assert!(process.exit().await.ok(), "how it ended does not change afterwards");
}

#[tokio::test]
async fn fifty_processes_run_side_by_side() {
    let processes = Processes::new();
    let over = CancellationToken::new();
    let begin = Instant::now();
    let runs = (0..50).map(|n| {
        let (processes, over) = (&processes, &over);
        async move {
            let process =
                processes.spawn(sh(&format!("sleep 1; echo {n}")), over, ()).await.unwrap();
            (n, finish(&process).await.out)
        }
    });
    for (n, out) in futures_util::future::join_all(runs).await {
        assert_eq!(out, format!("{n}\n"));
    }
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
    until("all places are free", || processes.open() == 0).await;
}

#[tokio::test]
async fn more_processes_than_allowed_are_refused_until_one_ends() {
    let processes = Processes::with_limit(2);
    let over = CancellationToken::new();
    let one = processes.spawn(command(&["sleep", "999"]), &over, ()).await.unwrap();
    let _two = processes.spawn(command(&["sleep", "999"]), &over, ()).await.unwrap();
    let error = processes.spawn(command(&["true"]), &over, ()).await.unwrap_err();
    assert!(matches!(error, SpawnError::TooMany { limit: 2 }), "{error}");
    drop(one);
    until("a place is free", || processes.open() < 2).await;
    assert!(processes.spawn(command(&["true"]), &over, ()).await.is_ok());
}

#[tokio::test]
async fn closing_the_host_ends_everything_and_starts_nothing() {
    let processes = Processes::new();
    let over = CancellationToken::new();
    let process = processes.spawn(sh(FAMILY), &over, ()).await.unwrap();
    let pids = first_lines(&process, 4).await;
    tokio::time::timeout(DEADLINE, processes.close()).await.unwrap();
    assert!(!pids.iter().any(|pid| alive(pid)));
    assert!(matches!(
        processes.spawn(command(&["true"]), &over, ()).await,
        Err(SpawnError::Closing)
    ));
}

#[test]
fn a_runtime_that_goes_away_takes_its_processes_along() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (process, pids) = runtime.block_on(family());
    drop(runtime);
    let begin = Instant::now();
    while pids.iter().any(|pid| alive(pid)) {
        assert!(begin.elapsed() < DEADLINE, "{pids:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(process);
}

/// Cards that were opened: nobody sends here, so each still waits for its final frame to be accepted.
fn cards(bench: &Bench) -> usize {
    bench.host.outbox().unwrap().open_cards()
}

#[tokio::test]
async fn a_streamed_program_runs_through_one_card() {
    let bench = Bench::new().await;
    let body = r#"
        local r = ctx:stream{ "sh", "-c", "seq 9500; printf '\\033[31mred\\033[0m'; exit 3", title = "Count" }
        assert(not r.ok and r.code == 3 and r.signal == nil and not r.timed_out)
        assert(r.lines == 9501, r.lines)
        assert(r.tail:sub(-9) == "\n9500\nred", r.tail)
        assert(#r.tail <= 2400)
    "#;
    bench.passes(body).await;
    assert_eq!(cards(&bench), 1);
}

#[tokio::test]
async fn a_program_that_does_not_start_opens_no_card() {
    let bench = Bench::new().await;
    let body = r#"
        local r, err = ctx:stream{ "no-such-program-x" }
        assert(r == nil and err.kind == "not_found")
    "#;
    bench.passes(body).await;
    assert_eq!(cards(&bench), 0);
    let body = r#"
        local r = ctx:stream{ "true" }
        assert(r.ok and r.lines == 0 and r.tail == "")
        r = ctx:stream{ "sleep", "999", timeout = "200ms" }
        assert(r.timed_out and not r.ok)
    "#;
    bench.passes(body).await;
    assert_eq!(cards(&bench), 2);
}

#[tokio::test]
async fn a_cancelled_run_ends_its_programs_and_its_card() {
    let bench = Bench::new().await;
    let home = tempfile::tempdir().unwrap();
    let pids = home.path().join("pids");
    let body = format!(
        "ctx:stream{{ 'sh', '-c', 'sleep 999 & echo $! > {0}.new; echo $$ >> {0}.new; mv {0}.new {0}; wait' }}",
        pids.display()
    );
    let run = bench.run("r1");
    let generation = bench.handler(&body);
    let cancel = async {
        until("the program runs", || pids.exists()).await;
        run.cancel().cancel();
    };
    let (ended, ()) = tokio::join!(bench.start(&generation, &run), cancel);
    assert_ne!(ended, Ended::Done);
    let pids: Vec<_> = fs::read_to_string(&pids).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(pids.len(), 2);
    until_gone(&pids).await;
    assert_eq!(cards(&bench), 1);
    until("its places are free", || bench.host.processes().open() == 0).await;
}

#[tokio::test]
async fn a_run_that_hits_its_time_limit_ends_its_programs() {
    let limits = Limits { wall: Duration::from_secs(1), ..Limits::default() };
    let bench = Bench::with(limits, 64 << 20).await;
    let ended = bench
        .ends("while true do pcall(shell.run, { 'sh', '-c', 'sleep 999 & sleep 999' }) end")
        .await;
    assert!(matches!(ended, Ended::Failed(_)), "{ended:?}");
    until("its places are free", || bench.host.processes().open() == 0).await;
}
