//! The audit: whole, chained, and without anything that is nobody's business.

use std::fs;

use super::super::access::push;
use super::super::process::HostProcess;
use super::super::stage::{ALICE, BOB, OWNER, STRANGER, Setup, Stage};
use super::{count, moonbell, records, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn audit_each_decision_and_each_end_is_one_record_without_words_of_people() {
    let script = "bot.command('fail', function() error('hunter2 went wrong') end)\n\
                  bot.command('boss <x...>', { role = 'owner', run = function() end })";
    let host = HostProcess::spawn(Setup::new().script("more.luau", script).stage().await).await;
    host.say(ALICE, "trace hunter2 is my password");
    host.until("it ran", |seen| seen.to(ALICE).len() == 1).await;
    host.say(ALICE, "fail");
    host.until("it failed", |seen| seen.to(ALICE).len() == 2).await;
    host.say(ALICE, "boss hunter2");
    host.until("it is not hers", |seen| seen.to(ALICE).len() == 3).await;
    host.say(ALICE, "hunter2");
    host.until("nobody knows that", |seen| seen.to(ALICE).len() == 4).await;
    host.say(STRANGER, "trace hunter2");
    host.until("a stranger is refused", |seen| seen.to(STRANGER).len() == 1).await;
    let (_, stage) = host.terminate().await;
    let all = records(&stage);
    let shown = format!("{all:#?}");
    assert!(!shown.contains("hunter2") && !shown.contains("password"), "{shown}");
    let has = |wanted: &[(&str, &str)]| assert_eq!(count(&stage, wanted), 1, "{wanted:?}\n{shown}");
    let run = all.iter().find(|one| one["verdict"] == "allow").unwrap()["run"].as_str().unwrap();
    has(&[
        ("event", "decision"),
        ("verdict", "allow"),
        ("who", ALICE),
        ("door", "message"),
        ("run", run),
    ]);
    has(&[
        ("event", "end"),
        ("verdict", "done"),
        ("who", ALICE),
        ("run", run),
        ("handler", "basics.luau trace"),
    ]);
    has(&[("event", "end"), ("verdict", "failed"), ("who", ALICE), ("handler", "more.luau fail")]);
    has(&[("event", "decision"), ("verdict", "deny"), ("who", ALICE), ("reason", "role: owner")]);
    has(&[("event", "decision"), ("verdict", "allow"), ("who", ALICE), ("handler", "unknown")]);
    has(&[("event", "decision"), ("verdict", "deny"), ("who", STRANGER), ("reason", "no_role")]);
    // One line each for people, and filters.
    let denied = text(&moonbell(&stage, &["audit", "--denied", "--who", ALICE]));
    assert!(denied.lines().count() == 1 && denied.contains("role: owner"), "{denied}");
    assert!(text(&moonbell(&stage, &["audit", "--who", BOB])).contains("no such record"));
    let json = text(&moonbell(&stage, &["audit", "--json", "--since", "1h"]));
    assert_eq!(json.lines().count(), all.len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = stage.state_dir().join("audit");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let file = folder.join("000001.ndjson");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_outlives_a_kill_and_shows_where_it_was_changed() {
    let stage = Setup::new().stage().await;
    let gate = stage.hold("a");
    let host = HostProcess::spawn(stage).await;
    for n in 0..5 {
        host.say(BOB, &format!("echo {n}"));
    }
    host.until("five ran", |seen| seen.to(BOB).len() == 5).await;
    host.say(ALICE, "hold a");
    host.entered(&["a"]).await;
    host.until_true("it is written before it began", || {
        count(&host, &[("verdict", "allow"), ("who", ALICE)]) == 1
    })
    .await;
    let stage = host.kill().await;
    // The crash tears the last line.
    let file = stage.state_dir().join("audit/000001.ndjson");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 20]).unwrap();
    let torn = moonbell(&stage, &["audit", "verify"]);
    assert!(!torn.status.success() && text(&torn).contains("tore"), "{}", text(&torn));
    let host = run(stage).await;
    let (_, stage) = host.terminate().await;
    drop(gate);
    assert_eq!(count(&stage, &[("event", "mended")]), 1);
    let cut = [("event", "end"), ("verdict", "interrupted"), ("reason", "crash")];
    let whose = [&cut[..], &[("who", ALICE)]].concat();
    assert_eq!((count(&stage, &cut), count(&stage, &whose)), (1, 1), "with its person");
    let verified = moonbell(&stage, &["audit", "verify"]);
    assert!(
        verified.status.success() && text(&verified).contains("whole: "),
        "{}",
        text(&verified)
    );

    let lines: Vec<String> =
        fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    let mut forged = lines.clone();
    forged[4] = forged[4].replace(BOB, ALICE);
    fs::write(&file, forged.join("\n") + "\n").unwrap();
    let broken = moonbell(&stage, &["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken).contains("000001.ndjson:5: record 5"), "{}", text(&broken));
    let mut cut = lines;
    cut.remove(2);
    fs::write(&file, cut.join("\n") + "\n").unwrap();
    assert!(text(&moonbell(&stage, &["audit", "verify"])).contains("record 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_what_was_counted_outlives_a_kill() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    for n in 0..40 {
        host.say(STRANGER, &format!("echo {n}"));
    }
    let kept = host.state_dir().join("audit/counted.json");
    host.until_true("all of it is kept beside the audit", || {
        fs::read_to_string(&kept).is_ok_and(|text| text.contains("\"left_out\":35"))
    })
    .await;
    let stage = host.kill().await;
    let denials = [("event", "decision"), ("verdict", "deny"), ("who", STRANGER)];
    assert_eq!(count(&stage, &denials), 5);
    let host = run(stage).await;
    let told = |stage: &Stage| {
        let all = records(stage);
        let told = all.iter().filter(|one| one["who"] == STRANGER);
        told.filter_map(|one| one["left_out"].as_u64()).collect::<Vec<u64>>()
    };
    host.until_true("the next start tells", || told(&host) == [35]).await;
    assert_eq!(count(&host, &[("event", "left_out"), ("who", STRANGER), ("reason", "no_role")]), 1);
    assert!(!kept.exists());
    let (_, stage) = host.terminate().await;
    assert_eq!(told(&stage), [35], "told once");
    assert!(moonbell(&stage, &["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_what_is_taken_out_of_a_queue_has_a_record_each() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    let gate = host.hold("a");
    host.say(ALICE, "hold a");
    host.entered(&["a"]).await;
    for n in 0..3 {
        host.say(ALICE, &format!("echo {n}"));
    }
    let waiting = "SELECT count(*) FROM inbox WHERE state = 'queued'";
    host.until_true("they wait", || host.journal(waiting) == 3).await;
    let list = host.says(&["runs", "--json", "--state", "queued"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    host.say(ALICE, &format!("stop {}", list[0]["run"].as_str().unwrap()));
    host.until_true("one is stopped", || host.journal(waiting) == 2).await;
    host.say(ALICE, "stop all");
    host.until_true("the rest is dropped", || host.journal(waiting) == 0).await;
    drop(gate);
    let (_, stage) = host.terminate().await;
    let never = [("event", "end"), ("verdict", "cancelled"), ("reason", "not_begun")];
    let hers: Vec<_> = records(&stage)
        .into_iter()
        .filter(|one| never.iter().all(|(key, value)| one[key] == *value))
        .map(|one| (one["who"].clone(), one["run"].as_str().unwrap().to_owned()))
        .collect();
    assert!(hers.len() == 3 && hers.iter().all(|(who, _)| who == ALICE), "{hers:?}");
    for (_, run) in hers {
        let row = format!("SELECT count(*) FROM inbox WHERE run = '{run}' AND state = 'cancelled'");
        assert_eq!(stage.journal(&row), 1, "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_a_timer_that_a_crash_cut_short_has_its_end() {
    let script = r#"
        bot.every("100ms", { name = "long" }, function()
            shell.sh("echo long >> $1/entered; cat $1/long.gate", "{home}")
        end)
    "#;
    let stage = Setup::new().script("long.luau", script).stage().await;
    let gate = stage.hold("long");
    let host = HostProcess::spawn(stage).await;
    host.entered(&["long"]).await;
    let row = "SELECT count(*) FROM inbox WHERE handler = 'long' AND state = 'running'";
    host.until_true("it is in the journal", || host.journal(row) == 1).await;
    let stage = host.kill().await;
    drop(gate);
    let (_, stage) = run(stage).await.terminate().await;
    let end = [
        ("event", "end"),
        ("verdict", "interrupted"),
        ("reason", "crash"),
        ("who", "host"),
        ("handler", "long.luau long"),
    ];
    assert_eq!(count(&stage, &end), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn h4_a_line_break_in_a_name_makes_no_second_record() {
    let host = Setup::new().spawn().await;
    let forged = "x\n{\"n\":1,\"event\":\"decision\",\"verdict\":\"allow\",\"who\":\"manager4220\"}\r\n\u{1b}[2K";
    push(&host, "m1", "echo hi", |data| {
        data["senderNick"] = forged.into();
        data["senderStaffId"] = forged.into();
    });
    push(&host, "m2", "echo hi", |data| {
        data["conversationId"] = forged.into();
    });
    host.until_true("both are decided", || {
        host.journal("SELECT count(*) FROM inbox WHERE ended_at_ms IS NOT NULL") == 2
    })
    .await;
    let stage = host.stop().await;
    // Each line is a record of ours; the words inside stay inside.
    for record in records(&stage) {
        assert!(record["hash"].is_string(), "{record}");
    }
    super::super::process::settings(&stage);
    let shown = text(&moonbell(&stage, &["audit", "--who", OWNER]));
    assert!(!shown.contains('\u{1b}') && !shown.contains("2K\n"), "{shown:?}");
    assert!(moonbell(&stage, &["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_nothing_is_added_to_a_record_and_none_is_left_out_in_silence() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    host.say(BOB, "echo 1");
    host.until("it is served", |seen| seen.to(BOB) == ["1"]).await;
    let (_, stage) = host.terminate().await;
    let file = stage.state_dir().join("audit/000001.ndjson");
    let whole = fs::read_to_string(&file).unwrap();
    let both = |args: &[&str]| {
        let output = moonbell(&stage, args);
        (output.status.code(), text(&output))
    };
    assert_eq!(both(&["audit"]).0, Some(0));
    for forged in [
        whole.replacen("\"}\n", "\",\"reason\":\"approved by nobody\"}\n", 1),
        whole.replacen("\"}\n", "\",\"approved by nobody\":1}\n", 1),
        whole.replacen('{', "{\"reason\":\"approved by nobody\",", 1),
    ] {
        fs::write(&file, forged).unwrap();
        let (code, said) = both(&["audit", "verify"]);
        assert!(code == Some(1) && said.contains("000001.ndjson:1: record 1"), "{said}");
        let (code, said) = both(&["audit"]);
        assert!(code == Some(1) && !said.contains("approved by nobody"), "{said}");
        assert!(said.contains("moonbell audit verify"), "{said}");
        // What is whole is shown all the same.
        assert!(said.contains("message") && said.contains(BOB), "{said}");
    }
    // All of it gone: the journal knows better, and the next start writes it down.
    fs::remove_file(&file).unwrap();
    let (code, said) = both(&["audit", "verify"]);
    assert!(code == Some(1) && said.contains("the audit was removed"), "{said}");
    let (_, stage) = run(stage).await.terminate().await;
    assert_eq!(records(&stage)[0]["event"], "gap");
    assert!(moonbell(&stage, &["audit", "verify"]).status.success());
}
