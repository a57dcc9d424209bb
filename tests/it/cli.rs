//! The real binary, in a home of its own.

use std::fs;
use std::path::PathBuf;

use moonbell::store::Instance;
use moonbell::telemetry::status::{Connection, Runs, Script, Status};

use crate::home::{Answer, Home};

/// Where the settings of `home` keep the journal.
fn state(home: &Home) -> PathBuf {
    let state = home.path("data/moonbell");
    fs::create_dir_all(&state).unwrap();
    state
}

#[test]
fn help_is_data_and_every_command_shows_examples() {
    let home = Home::new();
    let help = home.run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for command in ["dev", "run", "status", "check", "types", "completions"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{}", help.out);
        let own = home.run(&[command, "--help"]);
        assert_eq!(own.code, 0, "{own:?}");
        assert!(own.out.contains(&format!("Examples:\n  moonbell {command}")), "{}", own.out);
    }
    assert!(home.run(&["--version"]).out.starts_with("moonbell "));
}

#[test]
fn misuse_is_exit_code_2_and_offers_what_was_meant() {
    let home = Home::new();
    for (arguments, expected) in [
        (&["stauts"][..], "status"),
        (&["dev", "--prot", "1"], "--port"),
        (&["dev", "--port", "99999"], "65535"),
        (&["status", "--log", "inof"], "`inof` is not a level"),
        (&[], "Usage"),
    ] {
        let answer = home.run(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert_eq!(answer.out, "");
        assert!(answer.err.contains(expected), "{arguments:?}: {}", answer.err);
    }
}

#[test]
fn run_without_settings_prints_a_file_ready_to_paste() {
    let home = Home::new();
    let answer = home.run(&["run"]);
    assert_eq!((answer.code, answer.out.as_str()), (2, ""));
    assert!(answer.err.starts_with("error: 2 problems in the settings\n"), "{}", answer.err);
    let place = home.path("config/moonbell/config.toml");
    let (_, minimal) = answer
        .err
        .split_once(&format!("write this to {}, with your own values:\n\n", place.display()))
        .unwrap();

    // It is meant: pasted as it stands, the only thing missing is the variable it names.
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, minimal).unwrap();
    let answer = home.run(&["run"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer
            .err
            .contains("config.toml:5:1: `dingtalk.client_secret` names the environment variable"),
        "{}",
        answer.err
    );
}

#[test]
fn mistakes_in_the_settings_are_printed_with_their_places_and_stop_whatever_needs_them() {
    let home = Home::new();
    fs::write(home.path("bot.toml"), "[dingtalk]\ncliend_id = \"x\"\n[scripts]\ndirr = \"y\"\n")
        .unwrap();
    for command in ["dev", "run"] {
        let answer = home.run(&[command, "--config", "bot.toml"]);
        assert_eq!(answer.code, 2, "{answer:?}");
        for line in [
            "bot.toml:2:1: unknown key `dingtalk.cliend_id`",
            "did you mean `client_id`?",
            "bot.toml:4:1: unknown key",
        ] {
            assert!(answer.err.contains(line), "{command}: {}", answer.err);
        }
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let answer = home.run(&["completions", shell]);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{shell}");
        assert!(answer.out.contains("moonbell") && answer.out.contains("status"), "{shell}");
    }
}

#[test]
fn status_says_when_no_host_runs() {
    let home = Home::new();
    let answer = home.run(&["status"]);
    assert_eq!((answer.code, answer.out.as_str()), (1, ""));
    assert!(answer.err.contains("no moonbell runs on"), "{}", answer.err);
    for command in ["logs", "runs"] {
        let answer = home.run(&[command]);
        assert!(!answer.err.contains("/dev`"), "no host of `dev` was there: {}", answer.err);
    }
    let json: serde_json::Value =
        serde_json::from_str(&home.run(&["status", "--json"]).out).unwrap();
    assert_eq!(json["running"], false);
}

#[test]
fn status_reports_the_running_host_and_not_what_a_dead_one_left_behind() {
    let home = Home::new();
    let state = state(&home);
    let moment = Status {
        version: "0.1.0".to_owned(),
        pid: std::process::id(),
        command: "run".to_owned(),
        mode: "stream".to_owned(),
        started_at_ms: chrono::Utc::now().timestamp_millis() - 3_720_000,
        updated_at_ms: 1_763_800_000_000,
        connection: Connection { state: "connected".to_owned(), ..Connection::default() },
        scripts_dir: "/home/me/scripts".into(),
        scripts: vec![
            Script {
                name: "ping.luau".to_owned(),
                generation: 1,
                handlers: 1,
                loaded_at_ms: Some(0),
                error: None,
            },
            Script {
                name: "new.luau".to_owned(),
                error: Some("new.luau:3: \u{1b}[2Jno".to_owned()),
                ..Script::default()
            },
        ],
        runs: Runs { running: 2, ..Runs::default() },
        ..Status::default()
    };
    moment.write(&state).unwrap();
    let dead = home.run(&["status"]);
    assert_eq!(dead.code, 1);
    assert!(
        dead.err.contains("the last one ended without saying so, some time after 2025-11-22"),
        "{}",
        dead.err
    );

    let host = Instance::acquire(&state, "run").unwrap();
    let live = home.run(&["status"]);
    assert_eq!(live.code, 0, "{live:?}");
    insta::assert_snapshot!(live.out.replace(&std::process::id().to_string(), "PID"), @r"
    connected (moonbell 0.1.0 run, process PID, up 1 h 2 min)
    mode     Stream (this computer connects to DingTalk)
    runs     2 running, 0 queued, 0 done, 0 failed
    outbox   0 waiting
    scripts  2 in /home/me/scripts
      new.luau   not loaded
        newest version not loaded: new.luau:3: \u{1b}[2Jno
      ping.luau  1 handler, version 1, loaded 1970-01-01 00:00:00
    ");
    let json: serde_json::Value =
        serde_json::from_str(&home.run(&["status", "--json"]).out).unwrap();
    assert_eq!((&json["running"], &json["connection"]), (&true.into(), &"connected".into()));

    // Whatever keeps it from DingTalk is told, with until when it waits, and what somebody can do.
    let connection = Connection {
        state: "refused".to_owned(),
        since_ms: 1_763_800_000_000,
        error: Some("DingTalk answered 401 authFailed".to_owned()),
        hint: Some("check the client id and secret".to_owned()),
        until_ms: Some(1_763_800_300_000),
        ..Connection::default()
    };
    Status { connection, ..moment.clone() }.write(&state).unwrap();
    let refused = home.run(&["status"]).out.replace(&std::process::id().to_string(), "PID");
    insta::assert_snapshot!(refused.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    refused until 2025-11-22 08:31:40, not connected since 2025-11-22 08:26:40 (moonbell 0.1.0 run, process PID, up 1 h 2 min)
      reason: DingTalk answered 401 authFailed
      hint: check the client id and secret
    ");

    let connection = Connection {
        state: "backing_off".to_owned(),
        error: Some(
            "no connection to `wss.dingtalk.com`: nothing listens at its address".to_owned(),
        ),
        ..Connection::default()
    };
    Status { connection, ..moment.clone() }.write(&state).unwrap();
    let (chinese, _) = said(&home, "zh_CN.UTF-8", &["status"]);
    assert!(
        chinese.contains("原因：连不上 `wss.dingtalk.com`：那个地址上没有程序在监听"),
        "{chinese}"
    );

    Status { pid: moment.pid + 1, ..moment }.write(&state).unwrap();
    let starting = home.run(&["status"]);
    assert!(starting.out.starts_with("starting, process "), "{starting:?}");
    drop(host);
    assert_eq!(home.run(&["status"]).code, 1);
}

#[test]
fn a_scripts_folder_that_cannot_be_used_is_named() {
    let home = Home::new();
    fs::write(home.path("file"), "").unwrap();
    let answer = home.run(&["dev", "--scripts", "file"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("file` is a file\nhint: "), "{}", answer.err);
}

#[test]
fn a_scripts_folder_that_is_not_there_is_not_made_for_a_slip_of_the_pen() {
    let home = Home::new();
    for command in ["dev", "run"] {
        let answer = home
            .command(&[command, "--scripts", "nope"])
            .envs([
                ("MOONBELL_DINGTALK_CLIENT_ID", "ding"),
                ("MOONBELL_DINGTALK_CLIENT_SECRET", "secret"),
                ("MOONBELL_ACCESS_OWNER", "boss"),
            ])
            .output()
            .unwrap();
        let answer = Answer::of(answer);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(
            answer.err.contains("there is no folder `") && answer.err.contains("nope`"),
            "{answer:?}"
        );
        assert!(!home.path("nope").exists());
    }
}

/// What a command of `home` says, in a terminal of this locale.
fn said(home: &Home, locale: &str, arguments: &[&str]) -> (String, String) {
    let output = home.command(arguments).env("LANG", locale).output().unwrap();
    let answer = Answer::of(output);
    (answer.out, answer.err)
}

#[test]
fn commands_speak_the_language_of_the_settings_else_that_of_the_terminal() {
    let home = Home::new();
    let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let setting = |language: &str| {
        home.write("config/moonbell/config.toml", &format!("{language}\n[access]\nroles = {{}}\n"));
    };
    let commands: &[&[&str]] = &[
        &["claim"],
        &["lock"],
        &["lock"],
        &["unlock"],
        &["unlock"],
        &["status"],
        &["usage"],
        &["outbox"],
        &["outbox", "retry", "1"],
        &["runs", "7k3fa"],
        &["runs", "again", "7k3fa"],
        &["logs"],
        &["grant"],
        &["service", "status"],
        &["service", "uninstall"],
        &["run"],
        &["check"],
        &["check", "nowhere.luau"],
        &["test"],
        &["test", "nowhere.luau"],
        &["explain", "ping"],
        &["explain", "--run", "7k3fa"],
        &["audit", "verify"],
        &["audit", "--who", "nobody"],
        &["replay", "--run", "7k3fa"],
        &["types"],
        &["--help"],
        &["runs", "--help"],
    ];
    for (language, locale, is_chinese) in [
        ("", "zh_CN.UTF-8", true),
        ("", "C", false),
        ("language = \"zh\"", "C", true),
        ("language = \"en\"", "zh_CN.UTF-8", false),
    ] {
        setting(language);
        for arguments in commands {
            let (out, err) = said(&home, locale, arguments);
            let both = format!("{out}{err}");
            assert_eq!(chinese(&both), is_chinese, "{language} {locale} {arguments:?}: {both}");
            let labels = ["error:", "hint:", "错误：", "提示："];
            for label in &labels[if is_chinese { 0..2 } else { 2..4 }] {
                assert!(!both.contains(label), "{arguments:?}: {both}");
            }
        }
    }
    // Programs read the same everywhere.
    for arguments in [
        &["status", "--json"][..],
        &["service", "status", "--json"],
        &["usage", "--json"],
        &["outbox", "--json"],
    ] {
        setting("language = \"zh\"");
        let (json, _) = said(&home, "zh_CN.UTF-8", arguments);
        setting("");
        assert_eq!(json, said(&home, "C", arguments).0, "{arguments:?}");
        assert!(!json.is_empty(), "{arguments:?}");
    }
}
