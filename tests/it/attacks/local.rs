//! Group K: what listens on this computer, and who else is on it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;
use std::time::Duration;

use moonbell::sim::{Options, Sim};
use serde_json::{Value, json};

use super::super::console::contact;
use super::super::process::{HostProcess, bare, settings};
use super::super::stage::{ALICE, OWNER, Setup};
use super::{moonbell, text};
use crate::newcomer::{Control, Dev};

/// Sends bytes as they are and returns the head of the answer; all of it where the connection is to be closed.
fn raw(address: &str, request: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    let whole = request.contains("Connection: close");
    while whole || !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match socket.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_no_web_page_gets_anything_out_of_the_console() {
    let host = Setup::new().spawn().await;
    let (url, token) = contact(&host).await;
    let address = url.trim_start_matches("http://").to_owned();
    let gate = host.hold("a");
    host.say(ALICE, "hold a");
    host.entered(&["a"]).await;
    // A form, a picture, a script, a frame, a WebSocket, another name for this address; each as a browser sends it.
    let attacks = [
        format!(
            "POST /api/runs/x/stop HTTP/1.1\r\nHost: {address}\r\nOrigin: http://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b"
        ),
        format!(
            "POST /api/runs/x/stop HTTP/1.1\r\nHost: {address}\r\nOrigin: null\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}"
        ),
        format!(
            "POST /api/runs/x/stop HTTP/1.1\r\nHost: {address}\r\nCookie: token={token}\r\nContent-Length: 0\r\n\r\n"
        ),
        format!(
            "GET /api/runs/x/stop HTTP/1.1\r\nHost: {address}\r\nReferer: http://evil.example/?token={token}\r\n\r\n"
        ),
        format!("GET /api/status?token={token} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!(
            "GET /api/status HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {token}\r\n\r\n"
        ),
        format!(
            "GET /api/status HTTP/1.1\r\nHost: {address}\r\nOrigin: {url}\r\nAuthorization: Bearer {token}\r\n\r\n"
        ),
        format!(
            "GET /api/status HTTP/1.1\r\nHost: {address}\r\nHost: evil.example\r\nAuthorization: Bearer {token}\r\n\r\n"
        ),
        format!(
            "GET http://evil.example/api/status HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {token}\r\n\r\n"
        ),
        format!(
            "OPTIONS /api/status HTTP/1.1\r\nHost: {address}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        ),
        format!(
            "GET /api/status HTTP/1.1\r\nHost: {address}\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ),
    ];
    for attack in &attacks {
        let answer = raw(&address, attack);
        assert!(matches!(status(&answer), 400..=405), "{attack}\n{answer}");
        let head = answer.to_ascii_lowercase();
        assert!(!head.contains("access-control-allow") && !head.contains("set-cookie"), "{answer}");
    }
    // The run is still there.
    gate.open();
    host.until("it was not stopped", |seen| seen.to(ALICE) == ["released a"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_no_foreign_page_gets_anything_out_of_the_simulator() {
    let dev = Dev::start().await;
    let control = Control::new(&dev.url);
    let (url, token) = (control.base.clone(), control.token.clone());
    let address = url.trim_start_matches("http://").to_owned();
    let chat = control.state().await["chats"][0]["id"].clone();
    let say = json!({ "chat": chat, "from": OWNER, "text": "forged" }).to_string();
    let length = say.len();
    let attacks = [
        format!(
            "POST /sim/api/say?token={token} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{say}"
        ),
        format!(
            "POST /sim/api/say?token={token} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{say}"
        ),
        format!(
            "POST /sim/api/say HTTP/1.1\r\nHost: {address}\r\nCookie: token={token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{say}"
        ),
        format!(
            "GET /sim/api/say?token={token} HTTP/1.1\r\nHost: {address}\r\nReferer: http://evil.example\r\n\r\n"
        ),
        format!(
            "GET /sim/api/faults?token={token}&close=true HTTP/1.1\r\nHost: evil.example\r\n\r\n"
        ),
        format!(
            "GET /sim/api/state HTTP/1.1\r\nHost: {address}\r\nReferer: {url}/sim/#token={token}\r\n\r\n"
        ),
        format!(
            "GET /connect?ticket=x HTTP/1.1\r\nHost: {address}\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ),
        format!(
            "OPTIONS /sim/api/say HTTP/1.1\r\nHost: {address}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        ),
    ];
    for attack in &attacks {
        let answer = raw(&address, attack);
        assert!(matches!(status(&answer), 400..=405), "{attack}\n{answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-allow"), "{answer}");
    }
    let said = control.state().await["messages"].clone();
    assert!(!said.to_string().contains("forged"), "{said}");
    // What a page may do with our own pages: not frame them, not be told of them, not run in them.
    let page = raw(&address, &format!("GET /sim/ HTTP/1.1\r\nHost: {address}\r\n\r\n"))
        .to_ascii_lowercase();
    for header in [
        "frame-ancestors 'none'",
        "default-src 'none'",
        "script-src 'self'",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
    ] {
        assert!(page.contains(header), "{header}: {page}");
    }
    assert!(!page.contains("set-cookie") && !page.contains(&token.to_ascii_lowercase()), "{page}");
}

/// A program that has the port in console.json, keeps all it is told, and says what it likes.
fn impostor(answer: &'static str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heard, told) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = socket.set_read_timeout(Some(Duration::from_millis(500)));
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = socket.read(&mut piece) {
                request.extend_from_slice(&piece[..count]);
                if request.windows(4).any(|end| end == b"\r\n\r\n") {
                    break;
                }
            }
            let _ = socket.write_all(answer.as_bytes());
            if heard.send(String::from_utf8_lossy(&request).into_owned()).is_err() {
                break;
            }
        }
    });
    (address, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn k2_who_took_the_port_is_told_no_key_and_not_believed() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    let (_, token) = contact(&host).await;
    let file = host.state_dir().join("console.json");
    let own = fs::read_to_string(&file).unwrap();
    let (address, told) = impostor(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{\"run\":\"7k3fa\"}  ",
    );
    let mut contact: Value = serde_json::from_str(&own).unwrap();
    contact["address"] = address.clone().into();
    fs::write(&file, contact.to_string()).unwrap();
    for words in
        [&["runs", "stop", "7k3fa"][..], &["runs", "again", "7k3fa"], &["outbox", "retry", "all"]]
    {
        let output = moonbell(&host, words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", text(&output));
        assert!(text(&output).contains("cannot prove"), "{words:?}: {}", text(&output));
        let heard = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(!heard.contains(&token), "{heard}");
        assert!(
            heard.contains("authorization: Moonbell ")
                || heard.contains("Authorization: Moonbell "),
            "{heard}"
        );
        // Nor is what it was told good for the real host.
        let header = heard
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("authorization:"))
            .unwrap();
        let real: Value = serde_json::from_str(&own).unwrap();
        let real = real["address"].as_str().unwrap();
        let answer =
            raw(real, &format!("GET /api/status HTTP/1.1\r\nHost: {real}\r\n{header}\r\n\r\n"));
        assert_eq!(status(&answer), 401, "{answer}");
    }
    fs::write(&file, &own).unwrap();
    let output = moonbell(&host, &["runs", "stop", "7k3fa"]);
    assert!(
        text(&output).contains("there is no run"),
        "the real one is believed: {}",
        text(&output)
    );
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k3_what_other_users_can_open_is_not_taken_for_ours() {
    let stage = Setup::new().stage().await;
    // A settings file with the secret in it that everybody reads is named at the start.
    let file = settings(&stage);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let mut run = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
    run.args(["run", "--config"]).arg(&file);
    let host = HostProcess::started(run.spawn().unwrap(), stage).await;
    assert!(
        host.lines("err").iter().any(|line| line.contains("other users of this computer can read")),
        "{:?}",
        host.lines("err")
    );
    contact(&host).await;
    // Nothing listens that is not loopback.
    let pid = host.pid();
    let listening = |file: &str| {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{file}")).unwrap_or_default();
        let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .flatten()
            .filter_map(|fd| fs::read_link(fd.path()).ok())
            .map(|link| link.display().to_string())
            .collect();
        table
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .filter(|line| line[3] == "0A" && inodes.contains(&format!("socket:[{}]", line[9])))
            .map(|line| line[1].clone())
            .collect::<Vec<_>>()
    };
    let open = [listening("tcp"), listening("tcp6")].concat();
    assert!(!open.is_empty() && open.iter().all(|at| at.starts_with("0100007F:")), "{open:?}");
    // And no argument of the process holds a secret.
    let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!words.contains(&host.sim.client_secret()), "{words}");
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k5_the_simulator_and_dingtalk_are_never_taken_for_each_other() {
    // Real-looking credentials are refused by the simulator.
    for options in [
        Options { client_id: "dingabc123".to_owned(), ..Options::default() },
        Options { client_secret: "s3cr3t".to_owned(), ..Options::default() },
    ] {
        assert!(Sim::start(options).await.is_err());
    }
    let stage = Setup::new().stage().await;
    let file = settings(&stage);
    let text_of = fs::read_to_string(&file).unwrap();
    let started = |text: &str| {
        fs::write(&file, text).unwrap();
        let mut run = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
        run.args(["run", "--config"]).arg(&file);
        run
    };
    // Made-up ones for the real DingTalk are refused before anything is sent.
    let real: String = text_of
        .lines()
        .filter(|line| !line.starts_with("api_base") && !line.starts_with("oapi_base"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(started(&real).status().unwrap().code(), Some(2));
    let said = stage.lines("err").join("\n");
    assert!(said.contains("is one of the simulator's, which DingTalk does not know"), "{said}");
    // A real secret on its way to this computer is told, and the simulator does not know it.
    let before = stage.sim.state().counters.tokens_issued;
    let mine = text_of
        .replace(&stage.sim.client_id(), "dingrealone123")
        .replace(&stage.sim.client_secret(), "a-real-looking-secret");
    let child = started(&mine).spawn().unwrap();
    let pid = child.id();
    stage
        .until_true("it is refused and told", || {
            let said = stage.lines("err").join("\n");
            said.contains("whatever listens there is given the secret")
                && stage.sim.state().counters.calls.keys().any(|path| path.contains("gateway"))
        })
        .await;
    assert!(!stage.look(|seen| seen.state.bot.connected));
    assert_eq!(stage.sim.state().counters.tokens_issued, before);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid.try_into().unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    let mut child = child;
    child.wait().unwrap();
    // A host of a simulator says so where nobody overlooks it.
    let host = HostProcess::started(started(&text_of).spawn().unwrap(), stage).await;
    assert!(host.lines("err").iter().any(|line| line.contains("SIMULATOR, not to DingTalk")));
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k4_a_path_of_the_page_leads_to_no_file_of_this_computer() {
    let dev = Dev::start().await;
    let control = Control::new(&dev.url);
    let address = control.base.trim_start_matches("http://").to_owned();
    let token = &control.token;
    for path in [
        "/sim/../../../../etc/passwd",
        "/sim/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/sim/files/..%2f..%2f..%2fetc%2fpasswd",
        "/sim/files/%2fetc%2fpasswd",
        "/res/../../../etc/passwd",
        "/res/..%2f..%2fetc%2fpasswd",
        "/res/..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
    ] {
        let separator = if path.contains('?') { '&' } else { '?' };
        let answer = raw(
            &address,
            &format!(
                "GET {path}{separator}token={token} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
            ),
        );
        assert!(status(&answer) > 0 && !answer.contains("root:"), "{path}: {answer}");
    }
    // What somebody uploaded is shown as a file, never as a page of ours.
    let sim = Sim::start(Options::default()).await.unwrap();
    let (token, address) = (sim.token(), sim.url().trim_start_matches("http://"));
    let upload = sim.upload("page.html", &b"<script>alert(1)</script>"[..]);
    let answer = raw(
        address,
        &format!("GET /sim/files/{upload}?token={token} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    )
    .to_ascii_lowercase();
    assert!(answer.contains("content-security-policy") && answer.contains("nosniff"), "{answer}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn k3_silent_connections_to_the_console_take_nothing_from_the_host() {
    let host = Setup::new().spawn().await;
    let (url, _) = contact(&host).await;
    let address = url.trim_start_matches("http://").to_owned();
    let files = || fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap().count();
    let before = files();
    let silent: Vec<TcpStream> =
        (0..300).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    assert!(silent.len() > 200, "{}", silent.len());
    host.say(ALICE, "echo heard");
    host.until("people are heard", |seen| seen.to(ALICE) == ["heard"]).await;
    let now = files();
    assert!(now < before + 100, "{before} files were open, now {now}");
    // Who says nothing is closed, so that others get their turn, though none of these goes by itself.
    host.until_says(&["status"], |said| said.contains("connected")).await;
    drop(silent);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k3_what_others_could_change_is_said_at_the_start_and_settings_of_everybody_are_refused() {
    let mode = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let stage = Setup::new().script("own.luau", "bot.command('own', function() end)").stage().await;
    mode(&stage.path("scripts"), 0o777);
    mode(&stage.path("scripts/own.luau"), 0o666);
    let host = HostProcess::spawn(stage).await;
    host.say(ALICE, "echo hi");
    host.until("it is served", |seen| seen.to(ALICE) == ["hi"]).await;
    let said = host.lines("err").join("\n");
    for path in ["scripts", "scripts/own.luau"] {
        let told =
            format!("other users of this computer can change {}\n", host.path(path).display());
        assert!(said.contains(&told), "{said}");
    }
    assert!(said.contains("moonbell doctor --fix"), "{said}");
    let stage = host.stop().await;
    // A recording is what people wrote, also in a file that was open before.
    let saved = stage.path("saved.json");
    fs::write(&saved, "").unwrap();
    mode(&saved, 0o644);
    moonbell(&stage, &["replay", "--save", saved.to_str().unwrap()]);
    assert!(fs::read_to_string(&saved).unwrap().contains("echo hi"));
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
    mode(&stage.path("bot.toml"), 0o666);
    let refused = moonbell(&stage, &["run"]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("bot.toml") && said.contains("can change"), "{said}");
}
