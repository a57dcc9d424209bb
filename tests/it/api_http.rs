//! `http` against real servers on loopback, which the bench grants by port.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use moonbell::api::http::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::engine::Bench;

/// A bench, and servers of which it may call the first.
struct Wire {
    bench: Bench,
    servers: Servers,
}

/// Two servers on this computer that answer in every way that an answer can be wrong.
pub(crate) struct Servers {
    pub(crate) first: SocketAddr,
    pub(crate) second: SocketAddr,
    _running: JoinSet<()>,
}

/// 4 KiB that become 4 MiB.
fn bomb() -> Response {
    // A gzip member of stored zeros would be large: this is 4 MiB of zeros, deflated by the system's own tool.
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut child = Command::new("gzip")
        .arg("-9c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(&vec![0; 4 << 20]).unwrap());
    let packed = child.wait_with_output().unwrap().stdout;
    feeder.join().unwrap();
    ([(header::CONTENT_ENCODING, "gzip")], packed).into_response()
}

fn endless() -> Response {
    let stream = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await; // drips
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"drip\n")), ()))
    });
    Body::from_stream(stream).into_response()
}

async fn echo(headers: HeaderMap, RawQuery(query): RawQuery, request: Request) -> Response {
    let method = request.method().to_string();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Json(serde_json::json!({
        "method": method, "query": query, "body": String::from_utf8_lossy(&body),
        "type": header("content-type"), "auth": header("authorization"), "key": header("x-api-key"), "agent": header("user-agent"),
    }))
    .into_response()
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let mut running = JoinSet::new();
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other_at = other.local_addr().unwrap();
        let app = Router::new()
            .route("/echo", any(echo))
            .route("/teapot", get(|| async { (StatusCode::IM_A_TEAPOT, [("x-two", "1")], "short") }))
            .route("/to-echo", any(|| async { Redirect::to("/echo?moved") }))
            .route("/loop", get(|| async { Redirect::temporary("/loop") }))
            .route("/to-file", get(|| async { Redirect::temporary("file:///etc/passwd") }))
            .route("/to-metadata", get(|| async { Redirect::temporary("http://169.254.169.254/latest") }))
            .route("/to-other", get(move || async move { Redirect::temporary(&format!("http://{other_at}/echo")) }))
            .route("/to-name", get(move || async move { Redirect::temporary(&format!("http://localhost:{}/echo", other_at.port())) }))
            .route("/bomb", get(|| async { bomb() }))
            .route("/endless", get(|| async { endless() }))
            .route("/silent", get(std::future::pending::<String>))
            .route("/events", get(|| async {
                ([(header::CONTENT_TYPE, "text/event-stream")],
                    ": hello\n\ndata: one\n\nevent: done\nid: 7\ndata: two\ndata:three\r\n\r\ndata: cut")
            }))
            .route("/lines", get(|| async { "a\r\nb\n\nc" }));
        let other_app = Router::new().route("/echo", any(echo));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let first = listener.local_addr().unwrap();
        running.spawn(async move { axum::serve(listener, app).await.unwrap() });
        running.spawn(async move { axum::serve(other, other_app).await.unwrap() });
        Self { first, second: other_at, _running: running }
    }
}

impl Wire {
    async fn new() -> Self {
        let servers = Servers::start().await;
        let mut bench = Bench::new().await;
        bench.host = bench.host.with_network(Network::granting([servers.first.to_string()]));
        Self { bench, servers }
    }

    async fn passes(&self, body: &str) {
        let body = body
            .replace("BASE", &format!("\"http://{}\"", self.servers.first))
            .replace("OTHER", &format!("\"http://{}\"", self.servers.second));
        self.bench.passes(&body).await;
    }
}

#[tokio::test]
async fn calls_carry_what_they_are_given() {
    let wire = Wire::new().await;
    wire.passes(
        r#"
        local r = assert(http.get(BASE .. "/echo", { query = { q = "a b&c", n = 1 }, headers = { ["X-Api-Key"] = "k" } }))
        local seen = r:json()
        assert(r.ok and r.status == 200 and r.headers["content-type"] == "application/json")
        assert(seen.method == "GET" and seen.query == "n=1&q=a+b%26c" and seen.key == "k" and seen.agent:find("^moonbell/"))
        seen = assert(http.post(BASE .. "/echo", { json = { a = { 1, 2 } } })):json()
        assert(seen.method == "POST" and seen.body == '{"a":[1,2]}' and seen.type == "application/json")
        seen = assert(http.post(BASE .. "/echo", { form = { ["a b"] = "ü" } })):json()
        assert(seen.body == "a+b=%C3%BC" and seen.type == "application/x-www-form-urlencoded")
        seen = assert(http.request{ method = "put", url = BASE .. "/echo", body = "raw" }):json()
        assert(seen.method == "PUT" and seen.body == "raw")
        r = assert(http.get(BASE .. "/teapot"))
        assert(not r.ok and r.status == 418 and r.body == "short" and r.headers["x-two"] == "1")
        local none, err = r:json()
        assert(none == nil and err.kind == "syntax")
        r = assert(http.post(BASE .. "/to-echo", { body = "x" }))
        assert(r:json().method == "GET" and r.url == BASE .. "/echo?moved")
        assert(http.get(BASE .. "/to-echo", { redirects = false }).status == 303)
        "#,
    )
    .await;
}

#[tokio::test]
async fn g1_what_was_not_granted_is_never_reached() {
    let wire = Wire::new().await;
    wire.passes(
        r#"
        for _, url in {
            OTHER .. "/echo", "http://localhost:1/", "http://localhost./", "http://127.1/", "http://0x7f000001/", "http://[::1]/",
            "http://169.254.169.254/", "http://100.100.100.200/", "http://10.0.0.1/", BASE .. "/to-metadata", BASE .. "/to-other", BASE .. "/to-name",
        } do
            local none, err = http.get(url, { timeout = "5s" })
            assert(none == nil and err.kind == "denied", url .. ": " .. tostring(err))
        end
        for url, kind in {
            [BASE .. "/to-file"] = "redirect", [BASE .. "/loop"] = "redirect", ["file:///etc/passwd"] = "bad_url", ["nonsense"] = "bad_url",
            ["http://user:secret@example.com/"] = "bad_url", ["ftp://example.com/"] = "bad_url",
        } do
            local none, err = http.get(url)
            assert(none == nil and err.kind == kind, url .. ": " .. tostring(err and err.kind))
            assert(not tostring(err):find("secret"))
        end
        "#,
    )
    .await;
}

#[tokio::test]
async fn g3_proofs_of_identity_stay_with_the_host_they_were_given_to() {
    let mut wire = Wire::new().await;
    let both = [wire.servers.first.to_string(), wire.servers.second.to_string()];
    wire.bench.host = wire.bench.host.with_network(Network::granting(both));
    wire.passes(
        r#"
        local headers = { Authorization = "Bearer t", ["X-Api-Key"] = "k" }
        local seen = assert(http.get(BASE .. "/to-other", { headers = headers })):json()
        assert(seen.auth == json.null and seen.key == json.null, seen.auth)
        seen = assert(http.get(BASE .. "/to-echo", { headers = headers })):json()
        assert(seen.auth == "Bearer t" and seen.key == "k")
        "#,
    )
    .await;
}

#[tokio::test]
async fn g5_answers_that_never_end_or_swell_are_cut() {
    let wire = Wire::new().await;
    wire.passes(
        r#"
        local none, err = http.get(BASE .. "/bomb", { max = 1e6 })
        assert(none == nil and err.kind == "too_large" and err.hint, tostring(err))
        assert(#http.get(BASE .. "/bomb").body == 4 * 2^20)
        none, err = http.get(BASE .. "/endless", { timeout = "300ms" })
        assert(none == nil and err.kind == "timeout", tostring(err))
        none, err = http.get(BASE .. "/silent", { timeout = "200ms" })
        assert(err.kind == "timeout", tostring(err))
        none, err = http.get(BASE .. "/endless", { max = 12 })
        assert(err.kind == "too_large", tostring(err))
        local count = 0
        local r = assert(http.get(BASE .. "/endless", { stream = true }))
        for line in r:lines() do
            assert(line == "drip")
            count += 1
            if count == 3 then r:close() end
        end
        assert(count == 3 and r.body == nil)
        local ok, why = pcall(function()
            for _ in http.get(BASE .. "/endless", { stream = true, max = 12 }):chunks() do end
        end)
        assert(not ok and why:find("broke off"), why)
        "#,
    )
    .await;
}

#[tokio::test]
async fn lines_and_events_come_one_by_one() {
    let wire = Wire::new().await;
    wire.passes(
        r#"
        local seen = {}
        for line in assert(http.get(BASE .. "/lines", { stream = true })):lines() do table.insert(seen, line) end
        assert(table.concat(seen, "|") == "a|b||c", table.concat(seen, "|"))
        seen = {}
        for event in assert(http.get(BASE .. "/events", { stream = true })):events() do
            table.insert(seen, event.event .. "/" .. event.data .. "/" .. tostring(event.id))
        end
        assert(table.concat(seen, "|") == "message/one/nil|done/two\nthree/7", table.concat(seen, "|"))
        local ok, why = pcall(function() http.get(BASE .. "/lines"):lines() for _ in http.get(BASE .. "/lines"):lines() do end end)
        assert(not ok and why:find("stream = true"), why)
        "#,
    )
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_up_or_talks_nonsense_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut servers = JoinSet::new();
    servers.spawn(async move {
        for answer in
            ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"]
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let mut bench = Bench::new().await;
    bench.host = bench.host.with_network(Network::granting(["127.0.0.1".to_owned()]));
    bench
        .passes(&format!(
            r#"
            for _ = 1, 3 do
                local none, err = http.get("http://{address}/?token=hush")
                assert(none == nil and err.kind == "network" and not tostring(err):find("hush"), tostring(err))
            end
            "#
        ))
        .await;
}

#[tokio::test]
async fn g5_a_head_that_never_ends_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut servers = JoinSet::new();
    servers.spawn(async move {
        let mut open = JoinSet::new();
        // One that drips headers, one that pours them, one that says nothing at all.
        for (line, pause) in [("x: y\r\n", 5), (&*"x: y\r\n".repeat(2_000), 0), ("", 5)] {
            let line = line.to_owned();
            let (mut stream, _) = listener.accept().await.unwrap();
            open.spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
                while stream.write_all(line.as_bytes()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            });
        }
        while open.join_next().await.is_some() {}
    });
    let mut bench = Bench::new().await;
    bench.host = bench.host.with_network(Network::granting(["127.0.0.1".to_owned()]));
    bench
        .passes(&format!(
            r#"
            for _, kinds in {{ "timeout network", "network", "timeout" }} do
                local none, err = http.get("http://{address}/", {{ timeout = "1s" }})
                assert(none == nil and kinds:find(err.kind), tostring(err))
            end
            "#
        ))
        .await;
}

#[tokio::test]
async fn misuse_names_function_and_argument() {
    let bench = Bench::new().await;
    for (call, expected) in [
        ("http.get()", "`http.get`: argument #1 (`url`): expected string"),
        ("http.get('http://x', { tiemout = 1 })", "did you mean `timeout`?"),
        (
            "http.get('http://x', { headers = { ['a b'] = 'c' } })",
            "`a b`: this is no name of a header",
        ),
        ("http.get('http://x', { headers = { a = 'b\\r\\nc: d' } })", "line break"),
        ("http.get('http://x', { headers = { Host = 'y' } })", "set by moonbell itself"),
        ("http.get('http://x', { body = 'y' })", "a GET has no body"),
        ("http.post('http://x', { body = 'y', json = 1 })", "got several"),
        (
            "http.request{ method = 'BREW', url = 'http://x' }",
            "option `method`: expected one of GET",
        ),
        ("http.request{}", "option `url`: expected a string, got nil"),
        ("http.get('http://x', { max = 1e9 })", "option `max`"),
    ] {
        let raised = bench.raises(call).await;
        assert!(raised.contains(expected), "{call}: {raised}");
    }
}
