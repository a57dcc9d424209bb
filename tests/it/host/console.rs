//! The local door of a host: who may come in, and how others find it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::process::{HostProcess, bare, settings};
use super::stage::{Setup, Stage};

/// Address and key, as the host wrote them down.
pub(super) async fn contact(stage: &Stage) -> (String, String) {
    let path = stage.state_dir().join("console.json");
    stage.until_true("the host wrote down its console", || path.exists()).await;
    let contact: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let text = |key: &str| contact[key].as_str().unwrap().to_owned();
    (format!("http://{}", text("address")), text("token"))
}

pub(super) fn client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_lets_in_who_has_the_key_and_no_web_page() {
    let host = Setup::new().start().await;
    let (url, token) = contact(&host).await;
    let file = host.state_dir().join("console.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(token.len() >= 43, "256 bits, not `{token}`");

    let http = client();
    let right = format!("Bearer {token}");
    let wrong = format!("Bearer {}", "x".repeat(token.len()));
    let short = format!("Bearer {}", &token[1..]);
    let bare = token.clone();
    let port = url.rsplit(':').next().unwrap();
    let (evil, evil_origin) = (format!("evil.example:{port}"), format!("http://127.0.0.1:{port}"));
    let cases: &[(&str, &[(&str, &str)], u16)] = &[
        ("/health", &[], 200),
        ("/health", &[("host", &evil)], 403),
        ("/health", &[("origin", "http://evil.example")], 403),
        ("/health", &[("sec-fetch-site", "cross-site")], 403),
        ("/health", &[("sec-fetch-site", "same-site")], 403),
        ("/health", &[("sec-fetch-site", "none")], 200),
        ("/api/status", &[], 401),
        ("/api/status", &[("authorization", &right)], 200),
        ("/api/status", &[("authorization", &right), ("host", "localhost:9000")], 200),
        ("/api/status", &[("authorization", &wrong)], 401),
        ("/api/status", &[("authorization", &short)], 401),
        ("/api/status", &[("authorization", &bare)], 401),
        ("/api/status", &[("authorization", "Bearer ")], 401),
        ("/api/status", &[("authorization", &right), ("host", &evil)], 403),
        ("/api/status", &[("authorization", &right), ("origin", &evil_origin)], 403),
        ("/api/status", &[("authorization", &right), ("origin", "null")], 403),
        ("/api/status?token=x", &[], 401),
        // What there is, is told only to those who may ask.
        ("/api/nothing", &[], 401),
        ("/api/nothing", &[("authorization", &right)], 404),
        ("/nothing", &[("authorization", &right)], 404),
    ];
    for (path, headers, expected) in cases {
        let mut request = http.get(format!("{url}{path}"));
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), *expected, "{path} {headers:?}");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
    let health: Value =
        http.get(format!("{url}/health")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&health["healthy"], &health["state"]), (&json!(true), &json!("connected")));

    let stage = host.stop().await;
    assert!(!stage.state_dir().join("console.json").exists(), "a host that ended leads nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_told_and_the_host_serves_all_the_same() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let stage = Setup::new().stage().await;
    let file = settings(&stage);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("127.0.0.1:0\"", &format!("127.0.0.1:{port}\""))).unwrap();
    let mut command = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["run", "--config"]).arg(file);
    let host = HostProcess::started(command.spawn().unwrap(), stage).await;
    let (url, _) = contact(&host).await;
    let health = client().get(format!("{url}/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let log = host.lines("err").join("\n");
    assert!(
        log.contains(&format!("`console.listen` is 127.0.0.1:{port}, which cannot be used"))
            && log.contains(url.trim_start_matches("http://")),
        "{log}"
    );
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_asks_the_host_and_what_a_dead_one_left_leads_nobody_astray() {
    let stage = Setup::new().stage().await;
    let file = settings(&stage);
    let status = |stage: &Stage| {
        let mut command = bare(stage, env!("CARGO_BIN_EXE_moonbell"));
        command.args(["status", "--json", "--config"]).arg(&file);
        let output = command.stdout(std::process::Stdio::piped()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report)
    };
    let host = HostProcess::spawn(stage).await;
    let (url, _) = contact(&host).await;
    // Only a host that is asked can answer now.
    host.until_true("there is a status file", || host.state_dir().join("status.json").exists())
        .await;
    let (code, live) = status(&host);
    assert_eq!(code, Some(0), "{live}");
    assert_eq!(live["connection"], "connected");
    assert_eq!(live["console"], json!(url));
    assert!(!live.to_string().contains(&contact(&host).await.1), "the key is not shown");

    let stage = host.kill().await;
    assert!(stage.state_dir().join("console.json").exists());
    let (code, dead) = status(&stage);
    assert_eq!((code, &dead["running"]), (Some(1), &json!(false)));
    // The next host writes its own.
    let host = HostProcess::spawn(stage).await;
    host.until_true("it leads to the new host", || {
        let text = std::fs::read_to_string(host.state_dir().join("console.json")).unwrap();
        text.contains(&format!("\"pid\": {}", host.pid()))
    })
    .await;
    assert_eq!(status(&host).1["pid"], json!(host.pid()));
    host.terminate().await;
}

/// What `/health` says, with its HTTP status.
async fn health(url: &str) -> (u16, Value) {
    let answer = client().get(format!("{url}/health")).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Asks until it is so; returns what it then says.
async fn until_health(stage: &Stage, url: &str, state: &str) -> (u16, Value) {
    let deadline = tokio::time::Instant::now() + super::stage::PATIENCE;
    loop {
        let seen = health(url).await;
        if seen.1["state"] == state {
            return seen;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "never {state}: {seen:?}\n{}",
            stage.sim.transcript()
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_true_only_while_frames_flow() {
    use moonbell::sim::{FaultOrder, HttpFaultKind};
    let host = Setup::new()
        .sim(|options| options.clocks.ping = std::time::Duration::from_millis(100))
        .timing(|timing| {
            timing.silence = std::time::Duration::from_millis(600);
            timing.ping = std::time::Duration::from_millis(100);
        })
        .start()
        .await;
    let (url, _) = contact(&host).await;
    assert_eq!(until_health(&host, &url, "connected").await.0, 200);

    // TCP up, WebSocket pings answered, no frames: also on each new socket.
    host.sim.faults(&FaultOrder { zombie: Some(true), ..FaultOrder::default() });
    let (status, deaf) = until_health(&host, &url, "deaf").await;
    assert_eq!((status, &deaf["healthy"]), (503, &json!(false)));
    assert!(deaf["reason"].as_str().unwrap().contains("no frame"), "{deaf}");
    let silent = deaf["since_ms"].as_i64().unwrap() - deaf["last_frame_at_ms"].as_i64().unwrap();
    assert!(silent >= 0, "{deaf}");
    host.until("other sockets are opened", |seen| seen.state.counters.connections_opened >= 3)
        .await;
    assert_eq!(health(&url).await.0, 503, "an open socket alone is no connection");
    host.sim.faults(&FaultOrder { zombie: Some(false), ..FaultOrder::default() });
    assert_eq!(until_health(&host, &url, "connected").await.0, 200);

    // Refused: it says why, what to do, and when it tries again.
    host.fail("/v1.0/gateway", HttpFaultKind::AuthFailed, 1_000);
    host.sim.faults(&FaultOrder { close: true, ..FaultOrder::default() });
    let (status, refused) = until_health(&host, &url, "refused").await;
    assert_eq!(status, 503);
    assert!(refused["reason"].as_str().unwrap().contains("authFailed"), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("client id and secret"), "{refused}");
    assert!(refused["until_ms"].as_i64() > refused["since_ms"].as_i64(), "{refused}");
    host.stop().await;
}
