//! Without a terminal: flags in, JSON out, nothing asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use moonbell::sim::{App, FaultOrder, HttpFault, HttpFaultKind, Scanned};
use serde_json::Value;

use super::Newcomer;
use crate::home::Answer;

fn answer(newcomer: &Newcomer, arguments: &[&str], input: &str) -> Answer {
    answer_in("C", newcomer, arguments, input)
}

fn answer_in(locale: &str, newcomer: &Newcomer, arguments: &[&str], input: &str) -> Answer {
    let mut command = newcomer.init(arguments);
    command.env("LANG", locale);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Answer::of(child.wait_with_output().unwrap())
}

fn events(answer: &Answer) -> Vec<Value> {
    answer.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_the_flag_that_is_missing_is_named() {
    let newcomer = Newcomer::arrives().await;
    let id = newcomer.sim.client_id();
    let secret = newcomer.sim.client_secret();
    for (arguments, expected) in [
        (&[][..], "hint: say it with --scan or --client-id\n"),
        (&["--client-id", &id], "hint: say it with --client-secret-file\n"),
    ] {
        let answer = answer(&newcomer, arguments, "");
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{answer:?}");
        assert!(answer.err.ends_with(expected), "{arguments:?}: {}", answer.err);
    }
    assert!(!newcomer.config().exists(), "nothing is written before everything is known");

    // The secret is no argument, and one that is given as such is not repeated.
    let answer_ = answer(&newcomer, &["--client-id", &id, "--client-secret", &secret], "");
    assert_eq!(answer_.code, 2);
    assert!(
        !answer_.err.contains(&secret) && answer_.err.contains("--client-secret-file"),
        "{}",
        answer_.err
    );

    newcomer.home.write("config/moonbell/config.toml", "[dingtalk]\nclient_id = \"dingold\"\n");
    let given = ["--client-id", &id, "--client-secret-file", "-", "--no-wait"];
    let changes = answer(&newcomer, &given, &secret);
    assert_eq!(changes.code, 2, "{changes:?}");
    assert!(changes.err.ends_with("hint: say it with --yes\n"), "{}", changes.err);
    let done = answer(&newcomer, &[&given[..], &["--yes"]].concat(), &secret);
    assert_eq!((done.code, done.out.as_str()), (0, ""), "{done:?}");
    newcomer.secret_is_safe(&done.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dingtalk_refuses_is_said_in_words_and_as_json() {
    let newcomer = Newcomer::arrives().await;
    let id = newcomer.sim.client_id();
    let given = ["--client-id", &id, "--client-secret-file", "-", "--no-wait", "--json"];
    for (fault, message, hint) in [
        (
            None,
            "DingTalk does not know this id with this secret",
            "deleted, disabled or given a new secret",
        ),
        (Some(HttpFaultKind::Reset), "DingTalk cannot be reached", "check the network"),
        (Some(HttpFaultKind::Busy), "DingTalk cannot take the call now", "in a moment"),
        (
            Some(HttpFaultKind::IpNotAllowed),
            "no calls from the address of this computer",
            "allow-list",
        ),
    ] {
        let http: Vec<_> =
            fault.into_iter().map(|kind| HttpFault::new(kind).on("/v1.0/oauth2")).collect();
        let order = FaultOrder { clear: true, http, ..FaultOrder::default() };
        newcomer.sim.faults(&order);
        let answer = answer(&newcomer, &given, "a wrong secret");
        assert_eq!(answer.code, 1, "{answer:?}");
        let events = events(&answer);
        let failed = events.last().unwrap();
        assert_eq!(failed["event"], "failed");
        for (key, expected) in [("message", message), ("hint", hint)] {
            assert!(failed[key].as_str().unwrap().contains(expected), "{failed}");
            assert!(answer.err.contains(expected), "{}", answer.err);
        }
        assert!(!answer.out.contains("a wrong secret") && !answer.err.contains("a wrong secret"));
        // Programs read English, whoever starts them.
        newcomer.sim.faults(&order);
        let chinese = answer_in("zh_CN.UTF-8", &newcomer, &given, "a wrong secret");
        assert_eq!((chinese.out, chinese.err), (answer.out, answer.err));
    }
    assert!(!newcomer.config().exists());
}

/// Does what each event asks for, as somebody with a phone would; returns the events, and all that was printed.
fn drive(newcomer: &Newcomer, arguments: &[&str]) -> (Vec<String>, String) {
    let mut command = newcomer.init(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    let mut seen = Vec::new();
    let mut all = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        let name =
            format!("{} {}", event["step"].as_str().unwrap(), event["event"].as_str().unwrap());
        match name.as_str() {
            "app scan" => {
                let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
                all.push_str(&String::from_utf8_lossy(&arguments));
                newcomer.sim.scan(event["user_code"].as_str(), Scanned::Create).unwrap();
            }
            "first webhook" => {
                let robot = event["robot"].as_str().unwrap().to_owned();
                let (token, aes_key) = (String::new(), String::new());
                newcomer.sim.app(App::Http { robot, event: None, token, aes_key }).unwrap();
            }
            "first claim" | "first waiting" => newcomer.says(event["send"].as_str().unwrap()),
            _ => {}
        }
        all.push_str(&line);
        if name != "first connection" {
            seen.push(name);
        }
    }
    let answer = Answer::of(child.wait_with_output().unwrap());
    assert_eq!(answer.code, 0, "{answer:?}\n{all}");
    (seen, all + &answer.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_each_step_and_ends_after_the_first_answer() {
    let newcomer = Newcomer::arrives().await;
    let (seen, all) = drive(&newcomer, &["--scan", "--json", "--no-service"]);
    assert_eq!(
        seen,
        [
            "app scan",
            "app created",
            "settings written",
            "scripts written",
            "first claim",
            "first claimed",
            "first waiting",
            "first answered"
        ]
    );
    newcomer.secret_is_safe(&all);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_http_mode_it_says_where_dingtalk_has_to_call_and_is_answered_there() {
    let newcomer = Newcomer::arrives().await;
    let arguments = ["--scan", "--json", "--no-service", "--mode", "http"];
    let (seen, all) = drive(&newcomer, &arguments);
    assert_eq!(
        seen[4..],
        ["first webhook", "first claim", "first claimed", "first waiting", "first answered"]
    );
    newcomer.secret_is_safe(&all);
    let secret = std::fs::read_to_string(newcomer.config().with_file_name("card-secret")).unwrap();
    assert!(secret.trim().len() >= 64 && !all.contains(secret.trim()), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_is_shown_is_one_that_the_host_answers() {
    for (url, path) in [
        ("https://bot.example.com/dingtalk", None),
        ("https://bot.example.com/d/", Some("/d")),
        ("https://bot.example.com", Some("/")),
    ] {
        let newcomer = Newcomer::arrives().await;
        let (id, secret) = (newcomer.sim.client_id(), newcomer.sim.client_secret());
        let mut arguments = vec!["--client-id", &id, "--client-secret-file", "-", "--no-wait"];
        arguments.extend(["--no-service", "--mode", "http", "--public-url", url]);
        let answer = answer(&newcomer, &arguments, &secret);
        assert_eq!(answer.code, 0, "{answer:?}");
        let settings = std::fs::read_to_string(newcomer.config()).unwrap();
        let written = settings.lines().find(|line| line.starts_with("path = "));
        assert_eq!(written, path.map(|path| format!("path = {path:?}")).as_deref(), "{settings}");
        // Which is what the settings warn about where it is not so.
        let checked = newcomer.home.run(&["doctor", "--json", "--listen", "1"]).out;
        let checked: Value = serde_json::from_str(&checked).unwrap();
        assert_eq!(checked["checks"][0]["state"], "ok", "{url}: {}", checked["checks"][0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aes_key_of_another_length_is_refused_before_anything_is_written() {
    let newcomer = Newcomer::arrives().await;
    newcomer.home.write("token", "TokenOfTheTest");
    newcomer.home.write("key", "short");
    let id = newcomer.sim.client_id();
    let secret = newcomer.sim.client_secret();
    let mut arguments = vec!["--client-id", &id, "--client-secret-file", "-", "--no-wait"];
    arguments.extend(["--mode", "http", "--token-file", "token", "--aes-key-file", "key"]);
    let answer = answer(&newcomer, &arguments, &secret);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.err.contains("An AES key has 43 characters; this has 5."), "{}", answer.err);
    assert!(!newcomer.config().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_by_flag_that_is_not_encrypted_is_refused_before_a_secret_goes_there() {
    let newcomer = Newcomer::arrives().await;
    let (id, secret) = (newcomer.sim.client_id(), newcomer.sim.client_secret());
    let sim = newcomer.sim.url();
    for (flags, flag) in [
        (["--api-base", "http://api.example.com", "--oapi-base", sim], "--api-base"),
        (["--api-base", sim, "--oapi-base", "http://oapi.example.com"], "--oapi-base"),
        (["--mode", "http", "--public-url", "http://bot.example.com"], "--public-url"),
    ] {
        let mut command = newcomer.home.command(&["init", "--no-wait", "--no-service"]);
        command.args(["--client-id", &id, "--client-secret-file", "-"]).args(flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may have ended by then, without reading any of it.
        let _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
        let answer = Answer::of(child.wait_with_output().unwrap());
        assert_eq!(answer.code, 2, "{answer:?}");
        let said = format!("error: {flag} http://");
        assert!(answer.err.contains(&said), "{}", answer.err);
        assert!(answer.err.contains("It is not encrypted: take https://"), "{}", answer.err);
    }
    assert!(!newcomer.config().exists());
    assert!(newcomer.sim.state().counters.calls.is_empty(), "nobody was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_dingtalk_is_not_reached_the_proxy_is_spoken_of_that_is_used_or_is_not() {
    let newcomer = Newcomer::arrives().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = format!("http://{closed}");
    let id = newcomer.sim.client_id();
    let http = vec![HttpFault::new(HttpFaultKind::Reset).on("/v1.0/oauth2")];
    newcomer.sim.faults(&FaultOrder { http, ..FaultOrder::default() });
    let not_used = format!(
        "The proxy {proxy} of your environment is not used unasked: set MOONBELL_NETWORK_PROXY=environment"
    );
    let used = format!("check the network, and the proxy {proxy} (of `network.proxy` or");
    for (variables, hint) in [
        (&[][..], "If only a proxy leads there, say it in `network.proxy`"),
        (&[("HTTPS_PROXY", &proxy)], not_used.as_str()),
        (&[("MOONBELL_NETWORK_PROXY", &proxy)], used.as_str()),
    ] {
        let given = ["--client-id", &id, "--client-secret-file", "-", "--no-wait"];
        let mut command = newcomer.init(&given);
        for (name, value) in variables {
            command.env(name, value);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"a secret").unwrap();
        let answer = Answer::of(child.wait_with_output().unwrap());
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.err.contains("DingTalk cannot be reached"), "{}", answer.err);
        assert!(answer.err.contains(hint), "{hint}: {}", answer.err);
    }
}
