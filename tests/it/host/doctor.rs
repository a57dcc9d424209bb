//! `moonbell doctor`: each thing that can be wrong has an id of its own, and only that one is said to be wrong.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind, Options};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::process::{HostProcess, bare, settings};
use super::proxy::{Certificate, Manner, Proxy};
use super::stage::{ALICE, OWNER, Setup, Stage, Way};

/// Something wrong, with all that it takes.
struct Case {
    stage: Stage,
    /// The settings file.
    text: String,
    environment: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
    /// Open until the doctor has been.
    held: Option<TcpListener>,
}

impl Case {
    async fn new(options: fn(&mut Options)) -> Self {
        let stage = Setup::new().sim(options).stage().await;
        let path = settings(&stage);
        let text = fs::read_to_string(&path).unwrap();
        let state = stage.state_dir();
        fs::create_dir(&state).unwrap();
        set_mode(&state, 0o700);
        Self { stage, text, environment: Vec::new(), arguments: Vec::new(), held: None }
    }

    /// Another value for a setting that is in the file.
    fn set(&mut self, key: &str, value: &str) {
        let line = self.text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        self.text = self.text.replace(line, &format!("{key} = {value}"));
    }

    fn variable(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.push((name, value.into()));
    }

    fn fault(&self, path: &str, kind: HttpFaultKind) {
        let http = vec![HttpFault::new(kind).on(path)];
        self.stage.sim.faults(&FaultOrder { http, ..FaultOrder::default() });
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.stage.path(name);
        fs::write(&path, text).unwrap();
        set_mode(&path, mode);
    }

    fn examine(&self) -> Report {
        let path = self.stage.path("bot.toml");
        if fs::read_to_string(&path).unwrap() != self.text {
            fs::write(&path, &self.text).unwrap();
        }
        doctor(&self.stage, &self.arguments, &self.environment)
    }
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What it said.
#[derive(Debug)]
struct Report {
    code: Option<i32>,
    checks: BTreeMap<String, Value>,
}

impl Report {
    fn of(output: Output) -> Self {
        let text = String::from_utf8(output.stdout).unwrap();
        let json: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let checks = json["checks"].as_array().unwrap().iter();
        let checks = checks.map(|check| (check["id"].as_str().unwrap().to_owned(), check.clone()));
        Self { code: output.status.code(), checks: checks.collect() }
    }

    fn state(&self, id: &str) -> &str {
        self.checks[id]["state"].as_str().unwrap()
    }

    /// The ids of everything that is not as it should be.
    fn wrong(&self) -> Vec<&str> {
        let wrong = |id: &&String| matches!(self.state(id), "failed" | "warning");
        self.checks.keys().filter(wrong).map(String::as_str).collect()
    }
}

fn doctor(stage: &Stage, arguments: &[&str], environment: &[(&str, String)]) -> Report {
    let mut command = bare(stage, env!("CARGO_BIN_EXE_moonbell"));
    command
        .args(["doctor", "--json", "--listen", "2", "--config"])
        .arg(stage.path("bot.toml"))
        .args(arguments)
        .stdout(Stdio::piped());
    for (name, value) in environment {
        command.env(name, value);
    }
    Report::of(command.output().unwrap())
}

type Break = fn(&mut Case);

/// Name, simulator, what is done, and the one id that says so.
const STATES: &[(&str, fn(&mut Options), Break, &str)] = &[
    ("an unknown key", |_| {}, |case| case.text.push_str("\n[console]\ncolour = 1\n"), "config"),
    ("a file that is no TOML", |_| {}, |case| case.text.insert_str(0, "[[["), "config"),
    (
        "settings that others can read, with a secret",
        |_| {},
        |case| {
            set_mode(&case.stage.path("bot.toml"), 0o644);
        },
        "file-modes",
    ),
    (
        "a secret file that others can read",
        |_| {},
        |case| {
            case.write("secret", &case.stage.sim.client_secret(), 0o640);
            case.set("client_secret", "{ file = \"secret\" }");
        },
        "file-modes",
    ),
    (
        "a state folder that others can read",
        |_| {},
        |case| {
            set_mode(&case.stage.state_dir(), 0o755);
        },
        "file-modes",
    ),
    (
        "scripts that others can change",
        |_| {},
        |case| {
            set_mode(&case.stage.path("scripts"), 0o777);
        },
        "file-modes",
    ),
    (
        "scripts in a folder that is copied elsewhere",
        |_| {},
        |case| {
            let synced = case.stage.path("Dropbox");
            fs::rename(case.stage.path("scripts"), &synced).unwrap();
            case.set("dir", &format!("{:?}", synced.to_str().unwrap()));
        },
        "shared-disk",
    ),
    (
        "a file in the place of the state folder",
        |_| {},
        |case| {
            fs::remove_dir(case.stage.state_dir()).unwrap();
            fs::write(case.stage.state_dir(), "").unwrap();
            set_mode(&case.stage.state_dir(), 0o600);
        },
        "disk",
    ),
    (
        "a journal that is none",
        |_| {},
        |case| {
            fs::write(case.stage.state_dir().join("moonbell.db"), "not a database".repeat(999))
                .unwrap();
        },
        "journal",
    ),
    (
        "what a dead host left",
        |_| {},
        |case| {
            fs::write(case.stage.state_dir().join("status.json"), "{}").unwrap();
        },
        "stale-files",
    ),
    (
        "a script with a mistake",
        |_| {},
        |case| case.stage.write("broken.luau", "local x = = 1"),
        "scripts",
    ),
    (
        "no scripts folder",
        |_| {},
        |case| {
            fs::remove_dir_all(case.stage.path("scripts")).unwrap();
        },
        "scripts",
    ),
    (
        "a port that is taken",
        |_| {},
        |case| {
            let taken = TcpListener::bind("127.0.0.1:0").unwrap();
            case.set("listen", &format!("\"{}\"", taken.local_addr().unwrap()));
            case.held = Some(taken);
        },
        "console",
    ),
    ("nobody's bot", |_| {}, |case| case.set("owner", "\"\""), "owner"),
    ("a locked bot", |_| {}, |case| drop(case.stage.says(&["lock"])), "lock"),
    (
        "a name that nobody knows",
        |_| {},
        |case| {
            case.set("api_base", "\"https://dingtalk.invalid\"");
        },
        "dns",
    ),
    (
        "a host without TLS",
        |_| {},
        |case| {
            let plain = case.stage.sim.api_base().replace("http://", "https://");
            case.set("api_base", &format!("{plain:?}"));
        },
        "tls",
    ),
    (
        "a clock ten minutes behind",
        |_| {},
        |case| {
            case.stage
                .sim
                .faults(&FaultOrder { date_ahead_secs: Some(600), ..FaultOrder::default() });
        },
        "clock",
    ),
    (
        "a clock ten minutes ahead",
        |_| {},
        |case| {
            case.stage
                .sim
                .faults(&FaultOrder { date_ahead_secs: Some(-600), ..FaultOrder::default() });
        },
        "clock",
    ),
    (
        "no secret",
        |_| {},
        |case| case.set("client_secret", "{ env = \"NOT_SET_ANYWHERE\" }"),
        "secret",
    ),
    (
        "a wrong secret",
        |_| {},
        |case| case.set("client_secret", "\"simulator-secret-wrong\""),
        "secret",
    ),
    (
        "a secret that was reset",
        |_| {},
        |case| {
            let client_secret = Some("simulator-secret-new".to_owned());
            case.stage.sim.faults(&FaultOrder { client_secret, ..FaultOrder::default() });
        },
        "secret",
    ),
    (
        "an app that was revoked",
        |_| {},
        |case| case.fault("/v1.0/oauth2", HttpFaultKind::AuthFailed),
        "secret",
    ),
    (
        "a gateway that answers instead",
        |_| {},
        |case| case.fault("/v1.0/oauth2", HttpFaultKind::Html),
        "token",
    ),
    (
        "an address that was shut out",
        |_| {},
        |case| case.fault("/v1.0/oauth2", HttpFaultKind::Banned),
        "token",
    ),
    (
        "a token that is not accepted",
        |_| {},
        |case| case.fault("/v1.0/card", HttpFaultKind::InvalidToken),
        "token",
    ),
    (
        "an address that is not on the list",
        |_| {},
        |case| {
            case.fault("/v1.0/oauth2", HttpFaultKind::IpNotAllowed);
        },
        "address",
    ),
    (
        "the same, said later",
        |_| {},
        |case| case.fault("/v1.0/card", HttpFaultKind::IpNotAllowed),
        "address",
    ),
    (
        "no leave to send",
        |options| without(options, "qyapi_robot_sendmsg"),
        |_| {},
        "permission-robot-send",
    ),
    (
        "no leave for cards",
        |options| without(options, "Card.Instance.Write"),
        |_| {},
        "permission-card-instance",
    ),
    (
        "no leave to stream",
        |options| without(options, "Card.Streaming.Write"),
        |_| {},
        "permission-card-streaming",
    ),
    (
        "a template that is not there",
        |_| {},
        |case| case.set("card_template", "\"none.schema\""),
        "card-template",
    ),
    (
        "a variable that the template does not have",
        |_| {},
        |case| {
            case.variable("MOONBELL_DINGTALK_CARD_KEY", "body");
            case.arguments.push("--card");
        },
        "card-template",
    ),
    (
        "an app that is not set up for Stream",
        |_| {},
        |case| {
            case.fault("/v1.0/gateway", HttpFaultKind::Status { status: 400 });
        },
        "connection",
    ),
    (
        "an endpoint that is not DingTalk's",
        |_| {},
        |case| {
            let endpoint = Some("ws://127.0.0.2:1/connect".to_owned());
            case.stage.sim.faults(&FaultOrder { endpoint, ..FaultOrder::default() });
        },
        "connection",
    ),
    (
        "a connection on which nothing comes",
        |_| {},
        |case| {
            case.stage.sim.faults(&FaultOrder { zombie: Some(true), ..FaultOrder::default() });
        },
        "frames",
    ),
    (
        "a service that does not run",
        |_| {},
        |case| {
            let units = case.stage.path("config/systemd/user");
            fs::create_dir_all(&units).unwrap();
            let unit = "[Service]\nExecStart=/bin/false\n";
            fs::write(units.join("moonbell.service"), unit).unwrap();
        },
        "service",
    ),
    ("callbacks to nowhere", |_| {}, |case| http_mode(case, None), "webhook-url"),
    (
        "callbacks to a path that is not answered",
        |_| {},
        |case| http_mode(case, Some("https://bot.example.com/d")),
        "config",
    ),
    (
        "callbacks to a private address",
        |_| {},
        |case| http_mode(case, Some("https://192.168.1.5/dingtalk")),
        "webhook-url",
    ),
    (
        "callbacks to a port that is taken",
        |_| {},
        |case| {
            http_mode(case, Some("https://bot.example.com/dingtalk"));
            let taken = TcpListener::bind("127.0.0.1:0").unwrap();
            case.variable("MOONBELL_HTTP_LISTEN", taken.local_addr().unwrap().to_string());
            case.held = Some(taken);
        },
        "webhook-url",
    ),
    (
        "a certificate that has expired",
        |_| {},
        |case| with_tls(case, "bot.example.com", [2020, 2024]),
        "certificate",
    ),
    (
        "a certificate that is not good yet",
        |_| {},
        |case| with_tls(case, "bot.example.com", [2080, 2090]),
        "certificate",
    ),
    (
        "a certificate for another name",
        |_| {},
        |case| with_tls(case, "other.example.com", [2020, 2090]),
        "certificate",
    ),
    (
        "no certificate",
        |_| {},
        |case| {
            with_tls(case, "bot.example.com", [2020, 2090]);
            fs::remove_file(case.stage.path("bot.cert")).unwrap();
        },
        "certificate",
    ),
    (
        "a certificate that is none",
        |_| {},
        |case| {
            with_tls(case, "bot.example.com", [2020, 2090]);
            fs::write(case.stage.path("bot.cert"), "no certificate").unwrap();
        },
        "certificate",
    ),
    (
        "a key of another certificate",
        |_| {},
        |case| {
            with_tls(case, "bot.example.com", [2020, 2090]);
            let key = KeyPair::generate().unwrap();
            fs::write(case.stage.path("bot.key"), key.serialize_pem()).unwrap();
        },
        "certificate",
    ),
    (
        "a month that is used up",
        |_| {},
        |case| case.fault("/v1.0/card", HttpFaultKind::Quota),
        "budget",
    ),
];

fn http_mode(case: &mut Case, url: Option<&str>) {
    case.variable("MOONBELL_DINGTALK_MODE", "http");
    case.variable("MOONBELL_HTTP_LISTEN", "127.0.0.1:0");
    if let Some(url) = url {
        case.variable("MOONBELL_HTTP_PUBLIC_URL", url);
    }
}

/// HTTP mode with TLS, and a certificate for `name` that is good between these years.
fn with_tls(case: &mut Case, name: &str, [from, until]: [i32; 2]) {
    http_mode(case, Some("https://bot.example.com/dingtalk"));
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    case.write("bot.cert", &params.self_signed(&key).unwrap().pem(), 0o644);
    case.write("bot.key", &key.serialize_pem(), 0o600);
    for (variable, file) in
        [("MOONBELL_HTTP_TLS_CERT", "bot.cert"), ("MOONBELL_HTTP_TLS_KEY", "bot.key")]
    {
        case.variable(variable, case.stage.path(file).to_str().unwrap());
    }
}

fn without(options: &mut Options, scope: &str) {
    options.scopes.retain(|granted| granted != scope);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_state_has_its_own_id_and_nothing_else_is_blamed() {
    let mut blamed = Vec::new();
    for (name, options, ruin, id) in STATES {
        let mut case = Case::new(*options).await;
        ruin(&mut case);
        let before = case.stage.sim.state();
        let report = case.examine();
        if report.wrong() != [*id] {
            let said: Vec<String> = report.checks.values().map(Value::to_string).collect();
            blamed.push(format!("{name}: {:?}, not {id}\n{}", report.wrong(), said.join("\n")));
        }
        let failed = report.state(id) == "failed";
        assert_eq!(report.code, Some(i32::from(failed)), "{name}");
        for (other, check) in &report.checks {
            let skipped = check["state"] == "skipped";
            assert!(skipped || check["because"].is_null(), "{name}: {other}");
            if other == "clock" && check["state"] == "failed" {
                assert!(check["seen"].as_str().unwrap().contains(" 10 min "), "{name}: {check}");
            }
            if check["state"] != "ok" && !skipped {
                assert!(check["todo"].is_string(), "{name}: {other} does not say what to do");
            }
        }
        if !case.arguments.contains(&"--card") {
            assert_eq!(
                before.messages,
                case.stage.sim.state().messages,
                "{name}: somebody was written to"
            );
        }
    }
    assert!(blamed.is_empty(), "{}", blamed.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_connection_shut_has_its_own_way_out() {
    let http = |kind| FaultOrder {
        http: vec![HttpFault::new(kind).on("/v1.0/gateway")],
        ..FaultOrder::default()
    };
    let endpoint = |endpoint: &str| FaultOrder {
        endpoint: Some(endpoint.to_owned()),
        ..FaultOrder::default()
    };
    for (fault, todo, page) in [
        (http(HttpFaultKind::Status { status: 400 }), "a robot, in Stream mode", "Robot"),
        (http(HttpFaultKind::AuthFailed), "client id and secret", "Credentials"),
        (http(HttpFaultKind::Busy), "try again in a moment", ""),
        (http(HttpFaultKind::Html), "that answer was not DingTalk's", ""),
        (endpoint("ws://127.0.0.2:1/connect"), "that answer was not DingTalk's", ""),
        (endpoint("ws://127.0.0.1:1/connect"), "firewall and proxy must let through", ""),
    ] {
        let case = Case::new(|_| {}).await;
        case.stage.sim.faults(&fault);
        let report = case.examine();
        assert_eq!(report.wrong(), ["connection"], "{report:?}");
        let check = &report.checks["connection"];
        assert!(check["todo"].as_str().unwrap().contains(todo), "{check}");
        let shown = check["page"].as_str().unwrap_or_default();
        assert!(shown.contains(page) && page.is_empty() == shown.is_empty(), "{check}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_computer_without_settings_it_leads_to_init() {
    let said = crate::home::Home::new().run(&["doctor", "--json", "--listen", "1"]).out;
    let said: Value = serde_json::from_str(&said).unwrap();
    let checks = said["checks"].as_array().unwrap();
    let secret = checks.iter().find(|check| check["id"] == "secret").unwrap();
    assert_eq!(secret["todo"], "run `moonbell init`, which sets everything up", "{secret}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_another_computer_is_not_said_to_be_taken() {
    let mut case = Case::new(|_| {}).await;
    http_mode(&mut case, Some("https://bot.example.com/dingtalk"));
    // The last one counts.
    case.variable("MOONBELL_HTTP_LISTEN", "192.0.2.1:8787");
    let report = case.examine();
    let todo = report.checks["webhook-url"]["todo"].as_str().unwrap();
    assert!(todo.contains("this computer does not have that address"), "{todo}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_with_a_bot_that_is_well() {
    let case = Case::new(|_| {}).await;
    let report = case.examine();
    assert_eq!((report.wrong(), report.code), (Vec::new(), Some(0)), "{report:?}");
    let skipped: Vec<&String> =
        report.checks.keys().filter(|id| report.state(id) == "skipped").collect();
    assert_eq!(skipped, ["certificate", "published", "webhook-url"]);
    // The ids are those of the page that explains them.
    let page = include_str!("../../../docs/troubleshooting.md");
    for id in report.checks.keys() {
        assert!(page.contains(&format!("### `{id}`")), "docs/troubleshooting.md lacks {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_good_is_said_to_be() {
    let mut case = Case::new(|_| {}).await;
    with_tls(&mut case, "bot.example.com", [2020, 2090]);
    let report = case.examine();
    assert_eq!(report.wrong(), Vec::<&str>::new(), "{report:?}");
    assert_eq!(report.checks["certificate"]["seen"], "good until 2090-01-01 00:00 UTC");
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_do_not_let_through_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refuses = Proxy::start(Manner::Refuses).await;
    let silent = Proxy::start(Manner::Silent).await;
    let login = Proxy::start(Manner::Login("ann", "pass-word-of-ann")).await;
    for (url, wanted) in [
        (format!("http://{closed}"), "cannot be reached"),
        (refuses.url("http", ""), "does not let through to `127.0.0.1`: 403 Forbidden"),
        (refuses.url("socks5", ""), "does not let through to `127.0.0.1`"),
        (login.url("http", ""), "asks for a user name and password"),
        (login.url("socks5", ""), "asks for a user name and password"),
        (login.url("http", "ann:not-her-word@"), "does not accept the user name and password"),
        (login.url("socks5", "ann:not-her-word@"), "does not accept the user name and password"),
        (silent.url("http", ""), "did not answer within"),
        ("ftp://proxy.example".to_owned(), "is not the address of a proxy"),
    ] {
        let mut case = Case::new(|_| {}).await;
        case.variable("MOONBELL_NETWORK_PROXY", url.clone());
        let report = case.examine();
        assert_eq!(report.wrong(), ["proxy"], "{url}: {report:?}");
        let seen = report.checks["proxy"]["seen"].as_str().unwrap();
        assert!(seen.contains(wanted), "{url}: {seen}");
        assert!(!format!("{report:?}").contains("not-her-word"), "{report:?}");
    }
    let mut case = Case::new(|_| {}).await;
    case.variable("MOONBELL_NETWORK_PROXY", login.url("socks5", "ann:pass-word-of-ann@"));
    assert_eq!(case.examine().wrong(), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_is_asked_and_never_competed_with() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    let opened = |host: &HostProcess| host.sim.state().counters.connections_opened;
    let before = opened(&host);
    let report = doctor(&host, &[], &[]);
    assert_eq!(report.wrong(), Vec::<&str>::new(), "{report:?}");
    assert_eq!(opened(&host), before, "no second connection");
    let seen = report.checks["connection"]["seen"].as_str().unwrap();
    assert_eq!(seen, "the host is connected");

    // What it cannot do is seen through it too.
    host.sim.faults(&FaultOrder {
        http: vec![HttpFault::new(HttpFaultKind::AuthFailed).on("/v1.0/gateway")],
        close: true,
        ..FaultOrder::default()
    });
    host.until_says(&["status"], |said| said.contains("refused")).await;
    assert_eq!(doctor(&host, &[], &[]).wrong(), ["connection"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_host_cannot_do_for_its_secret_is_blamed_on_the_secret_alone() {
    for way in [Way::Stream, Way::Http] {
        let host = HostProcess::spawn(Setup::new().over(way).stage().await).await;
        let client_secret = Some("simulator-secret-new".to_owned());
        host.sim.faults(&FaultOrder { client_secret, close: true, ..FaultOrder::default() });
        if way == Way::Stream {
            host.until_says(&["status"], |said| said.contains("refused")).await;
        }
        let report = doctor(&host, &[], &[]);
        // The address of this test is one of this computer.
        let wrong: Vec<&str> =
            report.wrong().into_iter().filter(|id| *id != "webhook-url").collect();
        assert_eq!(wrong, ["secret"], "{way:?}: {report:?}");
        let hang = ["token", "address", "permission-robot-send", "card-template"];
        for id in
            hang.iter().chain(&["connection", "frames"][..if way == Way::Stream { 2 } else { 0 }])
        {
            assert_eq!(report.checks[*id]["because"], "secret", "{way:?}: {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_are_parked_are_named_while_a_host_runs_and_after_it() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    host.sim.faults(&FaultOrder { expire_webhooks: true, ..FaultOrder::default() });
    host.say(OWNER, "echo hello");
    host.until("the owner's webhook lives", |seen| seen.to(OWNER) == ["hello"]).await;
    let scope = HttpFaultKind::MissingScope { scope: "qyapi_robot_sendmsg".to_owned() };
    host.fail("/v1.0/robot", scope, 10_000);
    gate.open();
    host.until_says(&["status"], |said| said.contains("1 parked")).await;
    // It was put right, but nobody has sent it again.
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    let report = doctor(&host, &[], &[]);
    assert_eq!(report.wrong(), ["outbox"], "{report:?}");
    let stage = host.stop().await;
    let report = doctor(&stage, &[], &[]);
    assert_eq!(report.wrong(), ["outbox"], "{report:?}");
    assert_eq!(report.checks["outbox"]["seen"], "1 reply could not be sent and is parked");
}

/// What answers behind the public address.
#[derive(Clone, Copy, Debug)]
enum Behind {
    Moonbell,
    Says(&'static str),
    Silence,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_address_is_tried_while_a_host_runs() {
    let host = HostProcess::spawn(Setup::new().over(Way::Http).stage().await).await;
    let listen = host.tunnel.as_ref().unwrap().address;
    let certificate = Certificate::new("bot.example.com", 2090);
    fs::write(host.path("authority.pem"), &certificate.authority).unwrap();
    for (behind, wanted) in [
        (Behind::Moonbell, "https://bot.example.com/dingtalk/robot answers"),
        (
            Behind::Says("404 Not Found\r\n"),
            "answers with HTTP status 404: it does not lead to moonbell",
        ),
        (
            Behind::Says("302 Found\r\nLocation: https://login.example.com/\r\n"),
            "sends on to https://login.example.com/, where DingTalk does not follow",
        ),
        (Behind::Silence, "does not answer: no answer within 8s"),
    ] {
        let front = Front::open(&certificate, behind, listen).await;
        let proxy = Proxy::start(Manner::LeadsTo("bot.example.com", front.address)).await;
        let environment = [
            ("MOONBELL_HTTP_PUBLIC_URL", "https://bot.example.com/dingtalk".to_owned()),
            ("MOONBELL_NETWORK_PROXY", proxy.url("http", "")),
            ("SSL_CERT_FILE", host.path("authority.pem").to_str().unwrap().to_owned()),
        ];
        let report = doctor(&host, &[], &environment);
        let wrong: &[&str] = if let Behind::Moonbell = behind { &[] } else { &["webhook-url"] };
        assert_eq!(report.wrong(), wrong, "{behind:?}: {report:?}");
        let seen = report.checks["webhook-url"]["seen"].as_str().unwrap();
        assert!(seen.contains(wanted), "{behind:?}: {seen}");
    }
}

/// Ends TLS before whatever is behind it. Dropping it ends it.
struct Front {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Front {
    async fn open(certificate: &Certificate, behind: Behind, host: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = certificate.acceptor.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                open.spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    match behind {
                        Behind::Moonbell => {
                            let mut host = TcpStream::connect(host).await.unwrap();
                            let _ = copy_bidirectional(&mut client, &mut host).await;
                        }
                        Behind::Says(head) => {
                            let mut request = Vec::new();
                            while !request.ends_with(b"\r\n\r\n") {
                                request.push(client.read_u8().await.unwrap());
                            }
                            let answer = format!("HTTP/1.1 {head}Content-Length: 0\r\n\r\n");
                            let _ = client.write_all(answer.as_bytes()).await;
                            let _ = client.shutdown().await;
                        }
                        Behind::Silence => {
                            let mut sink = [0; 1024];
                            while client.read(&mut sink).await.is_ok_and(|read| read > 0) {}
                        }
                    }
                });
            }
        });
        Self { address, _serving: serving }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_calls_are_in_the_ledger_beside_a_host_and_without_one() {
    let counted = |stage: &Stage| {
        let usage: Value = serde_json::from_str(&stage.says(&["usage", "--json"])).unwrap();
        usage["api_calls"]["used"].as_u64().unwrap()
    };
    let case = Case::new(|_| {}).await;
    case.examine();
    assert!(!case.stage.state_dir().join("moonbell.db").exists(), "no journal is made for it");
    let host = HostProcess::spawn(case.stage).await;
    let calls = |host: &Stage| {
        let calls = host.sim.state().counters.calls;
        let counts = |call: &&String| call.contains("/v1.0/card/") || call.contains("/v1.0/robot/");
        calls.keys().filter(counts).map(|call| calls[call]).sum::<u64>()
    };
    let before = calls(&host);
    assert_eq!(counted(&host), 0);
    doctor(&host, &[], &[]);
    assert_eq!(calls(&host) - before, 4);
    assert_eq!(counted(&host), 4);
    // The host hears of it, also while it counts nothing itself.
    host.until_says(&["status", "--json"], |said| {
        let status: Value = serde_json::from_str(said).unwrap();
        status["budget"]["api_calls"]["used"] == 4
    })
    .await;
    host.say(ALICE, "card");
    host.say(ALICE, "echo hello");
    host.until("answered", |seen| seen.to(ALICE).contains(&"hello")).await;
    host.until_says(&["status", "--json"], |said| {
        let status: Value = serde_json::from_str(said).unwrap();
        let used = status["budget"]["api_calls"]["used"].as_u64().unwrap();
        used >= 4 && status["budget"]["pushes"]["used"].as_u64().unwrap() >= 2
    })
    .await;
    let stage = host.stop().await;
    let (used, before) = (counted(&stage), calls(&stage));
    doctor(&stage, &["--card"], &[]);
    let card = calls(&stage) - before;
    assert!(card > 4, "the card takes some, too: {card}");
    assert_eq!(counted(&stage), used + card);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_not_published_shows_in_messages_without_a_sender() {
    let stage = Setup::new().sim(|options| options.published = false).stage().await;
    let host = HostProcess::spawn(stage).await;
    host.say(ALICE, "echo hello");
    host.until_true("it is in the journal", || host.journal("SELECT count(*) FROM inbox") == 1)
        .await;
    let report = doctor(&host, &[], &[]);
    assert_eq!(report.wrong(), ["published"], "{report:?}");
    assert!(report.checks["published"]["page"].as_str().unwrap().contains("版本管理与发布"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_of_the_same_app_is_named() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    let other = host.path("other-state");
    let environment = [("MOONBELL_STATE_DIR", other.to_str().unwrap().to_owned())];
    let report = doctor(&host, &[], &environment);
    assert_eq!(report.wrong(), ["second-host"], "{report:?}");
    let seen = report.checks["second-host"]["seen"].as_str().unwrap();
    assert!(seen.contains(&format!("process {}", host.pid())), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fix_puts_right_what_is_safe_and_says_each_thing() {
    let mut case = Case::new(|_| {}).await;
    case.write("secret", &case.stage.sim.client_secret(), 0o644);
    case.set("client_secret", "{ file = \"secret\" }");
    set_mode(&case.stage.path("scripts"), 0o775);
    fs::write(case.stage.state_dir().join("console.json"), "{}").unwrap();
    assert_eq!(case.examine().wrong(), ["file-modes", "stale-files"]);
    let left = fs::read_dir(case.stage.home.path()).unwrap().count();
    let report = doctor(&case.stage, &["--fix"], &[]);
    assert_eq!(report.wrong(), Vec::<&str>::new(), "{report:?}");
    let fixed = report.checks["file-modes"]["fixed"].as_array().unwrap();
    assert_eq!(fixed.len(), 2, "{fixed:?}");
    assert_eq!(report.checks["stale-files"]["fixed"].as_array().unwrap().len(), 1);
    assert_eq!(case.examine().wrong(), Vec::<&str>::new());
    assert_eq!(fs::read_dir(case.stage.home.path()).unwrap().count(), left, "nothing else");
    let mode = fs::metadata(case.stage.path("secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // What is not there is made.
    fs::remove_dir_all(case.stage.path("scripts")).unwrap();
    fs::remove_dir_all(case.stage.state_dir()).unwrap();
    let report = doctor(&case.stage, &["--fix"], &[]);
    assert_eq!(report.wrong(), Vec::<&str>::new(), "{report:?}");
    assert!(case.stage.path("scripts/ping.luau").exists());
    let mode = fs::metadata(case.stage.state_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_card_goes_to_the_owner_and_only_when_asked_for() {
    let case = Case::new(|_| {}).await;
    case.examine();
    assert!(case.stage.sim.state().messages.is_empty(), "not unasked");
    let report = doctor(&case.stage, &["--card"], &[]);
    assert_eq!(report.wrong(), Vec::<&str>::new(), "{report:?}");
    case.stage.look(|seen| {
        assert_eq!(seen.to(super::stage::OWNER), ["moonbell doctor: do you see this card?"]);
        assert_eq!(seen.all().len(), 1, "nobody else");
    });
    let shown = case.stage.sim.state().messages[0].card.clone();
    let stuck = case.stage.sim.stuck_cards();
    assert!(!stuck.iter().any(|card| Some(&card.id) == shown.as_ref()), "it ends: {stuck:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_it_in_their_language_without_a_terminal_and_without_unicode() {
    let mut case = Case::new(|options| without(options, "Card.Streaming.Write")).await;
    let plain = case.text.clone();
    let mut say = |setting: &str, lang: &str, json: &[&str]| {
        case.text = format!("{setting}\n{plain}");
        let path = case.stage.path("bot.toml");
        fs::write(&path, &case.text).unwrap();
        let mut command = bare(&case.stage, env!("CARGO_BIN_EXE_moonbell"));
        command.args(["doctor", "--listen", "1", "--config"]).arg(path).args(json);
        command.env("LANG", lang).stdout(Stdio::piped());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    // The settings say it, else the locale.
    for (setting, lang) in [("", "C"), ("language = \"en\"", "zh_CN.UTF-8")] {
        let english = say(setting, lang, &[]);
        assert!(english.contains("the app lacks the permission Card.Streaming.Write"), "{english}");
        assert!(english.contains("appscope/apply?content="), "{english}");
        assert!(english.is_ascii(), "{english}");
    }
    for (setting, lang) in [("", "zh_CN.UTF-8"), ("language = \"zh\"", "C")] {
        let chinese = say(setting, lang, &[]);
        assert!(chinese.contains("缺少权限 Card.Streaming.Write"), "{chinese}");
        assert!(chinese.contains("怎么办"), "{chinese}");
    }
    // Also when they have a mistake; and programs read the same everywhere.
    let chinese = say("language = \"zh\"\nowner = 1", "C", &[]);
    assert!(chinese.contains("未检查：先解决 config"), "{chinese}");
    let json = say("language = \"zh\"", "zh_CN.UTF-8", &["--json"]);
    assert!(json.contains("the app lacks the permission Card.Streaming.Write"), "{json}");
    assert!(!json.contains("缺少权限"), "{json}");
}
