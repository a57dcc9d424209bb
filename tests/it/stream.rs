//! The Stream over real sockets: a gateway of our own gives out tickets and lets the test hold the server's end.

#![allow(clippy::result_large_err, reason = "tungstenite's handshake callback asks for it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::{SinkExt as _, StreamExt as _};
use moonbell::config::{DingTalk, Mode, Secret};
use moonbell::dingtalk::Client;
use moonbell::inbox::Inbox;
use moonbell::store::Store;
use moonbell::transport::{Counters, Fatal, Phase, State, Stream, Timing, Totals};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Desk {
    opens: Arc<AtomicUsize>,
    /// Answers to give instead of a ticket, first come first.
    refusals: Arc<Mutex<VecDeque<(u16, String)>>>,
    endpoint: String,
    bodies: Arc<Mutex<Vec<Value>>>,
}

/// The host's stream on one side, the server's end of each socket on the other.
struct Host {
    desk: Desk,
    sockets: mpsc::Receiver<Server>,
    state: watch::Receiver<State>,
    counters: Arc<Counters>,
    inbox: Inbox,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    running: JoinSet<Result<(), Fatal>>,
    dir: tempfile::TempDir,
}

/// The server's end of one socket.
struct Server {
    ws: WebSocketStream<TcpStream>,
    path: String,
}

async fn open(Shared(desk): Shared<Desk>, body: String) -> (StatusCode, String) {
    desk.opens.fetch_add(1, Ordering::SeqCst);
    desk.bodies.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    if let Some((status, body)) = desk.refusals.lock().unwrap().pop_front() {
        return (StatusCode::from_u16(status).unwrap(), body);
    }
    (StatusCode::OK, json!({ "endpoint": desk.endpoint, "ticket": "a/b+c &d" }).to_string())
}

fn quick() -> Timing {
    Timing {
        open: Duration::from_secs(5),
        backoff: Duration::from_millis(10),
        backoff_cap: Duration::from_millis(100),
        healthy: Duration::from_hours(1),
        drain: Duration::from_secs(5),
        write: Duration::from_secs(2),
        commit_retry: Duration::from_millis(20),
        ..Timing::default()
    }
}

impl Host {
    async fn start() -> Self {
        Self::with(quick(), Vec::new()).await
    }

    async fn with(timing: Timing, refusals: Vec<(u16, String)>) -> Self {
        let ws_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint =
            format!("ws://127.0.0.1:{}/connect", ws_listener.local_addr().unwrap().port());
        let desk = Desk {
            opens: Arc::default(),
            refusals: Arc::new(Mutex::new(refusals.into())),
            endpoint,
            bodies: Arc::default(),
        };
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base: url::Url = format!("http://{}", http.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new()
            .route("/v1.0/gateway/connections/open", post(open))
            .with_state(desk.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(http, router).await.unwrap() });
        let (accepted, sockets) = mpsc::channel(16);
        tasks.spawn(async move {
            loop {
                let (stream, _) = ws_listener.accept().await.unwrap();
                let mut path = String::new();
                let note =
                    |request: &tokio_tungstenite::tungstenite::handshake::server::Request,
                     response| {
                        path = request.uri().to_string();
                        Ok(response)
                    };
                if let Ok(ws) = tokio_tungstenite::accept_hdr_async(stream, note).await {
                    accepted.send(Server { ws, path }).await.unwrap();
                }
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(Store::open(dir.path()).unwrap(), |_| false).await.unwrap();
        let client = Client::new(&DingTalk {
            client_id: "dingfixturebot000001".to_owned(),
            client_secret: Secret::new("fixture-client-secret"),
            corp_id: None,
            mode: Mode::Stream,
            api_base: base.clone(),
            oapi_base: base,
            card_template: None,
            card_key: "content".to_owned(),
        })
        .unwrap();
        let stream = Stream::new(client, inbox.clone()).timing(timing);
        let (state, counters, stop) = (stream.state(), stream.counters(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(stream.run(stop.clone()));
        Self { desk, sockets, state, counters, inbox, stop, tasks, running, dir }
    }

    /// The server's end of the next socket that the host opens.
    async fn socket(&mut self) -> Server {
        tokio::time::timeout(PATIENCE, self.sockets.recv())
            .await
            .unwrap_or_else(|_| panic!("no connection; the state is {:?}", *self.state.borrow()))
            .unwrap()
    }

    async fn until_state(&mut self, what: &str, wanted: impl Fn(&Phase) -> bool) -> Phase {
        let reached =
            tokio::time::timeout(PATIENCE, self.state.wait_for(|state| wanted(&state.phase))).await;
        reached.unwrap_or_else(|_| panic!("never {what}")).unwrap().phase.clone()
    }

    fn totals(&self) -> Totals {
        self.counters.totals()
    }

    async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.running.join_next()).await;
        ended.expect("the stream stops in time").unwrap().unwrap().unwrap();
        assert_eq!(self.state.borrow().phase, Phase::Stopped);
        self.tasks.shutdown().await;
    }
}

impl Server {
    async fn send(&mut self, frame: &Value) {
        self.ws.send(WsMessage::text(frame.to_string())).await.unwrap();
    }

    /// The next acknowledgement, decoded.
    async fn ack(&mut self) -> Value {
        loop {
            match tokio::time::timeout(PATIENCE, self.ws.next())
                .await
                .expect("an acknowledgement in time")
            {
                Some(Ok(WsMessage::Text(text))) => {
                    return serde_json::from_str(text.as_str()).unwrap();
                }
                Some(Ok(_)) => {}
                other => panic!("expected an acknowledgement, got {other:?}"),
            }
        }
    }

    /// Reads until the socket ends; returns the ids that were acknowledged.
    async fn acked_until_end(&mut self) -> HashSet<String> {
        let mut ids = HashSet::new();
        while let Some(Ok(message)) = self.ws.next().await {
            if let WsMessage::Text(text) = message {
                ids.insert(id_of(&serde_json::from_str(text.as_str()).unwrap()));
            }
        }
        ids
    }
}

fn id_of(ack: &Value) -> String {
    ack["headers"]["messageId"].as_str().unwrap_or_default().to_owned()
}

fn frame(kind: &str, topic: &str, id: &str, data: &str) -> Value {
    json!({
        "specVersion": "1.0",
        "type": kind,
        "headers": { "topic": topic, "messageId": id, "contentType": "application/json", "time": "1767852005000" },
        "data": data,
    })
}

/// The robot message `message`, delivered as `delivery`.
fn say(delivery: &str, message: &str) -> Value {
    let data = json!({
        "msgId": message,
        "conversationId": "cidP2P=",
        "conversationType": "1",
        "senderId": "$:alice",
        "senderStaffId": "alice",
        "chatbotUserId": "$:bot",
        "msgtype": "text",
        "text": { "content": "hello" },
        "createAt": 1_767_852_060_000_i64,
    });
    frame("CALLBACK", "/v1.0/im/bot/messages/get", delivery, &data.to_string())
}

fn ping(id: &str) -> Value {
    frame("SYSTEM", "ping", id, r#"{"opaque":"x"}"#)
}

fn disconnect() -> Value {
    frame("SYSTEM", "disconnect", "bye", r#"{"reason":"connection is expired"}"#)
}

#[tokio::test]
async fn a_message_is_committed_and_acknowledged() {
    let mut host = Host::start().await;
    let mut server = host.socket().await;
    assert_eq!(server.path, "/connect?ticket=a%2Fb%2Bc+%26d", "the ticket is escaped");
    host.until_state("connected", |state| matches!(state, Phase::Connected)).await;
    server.send(&say("d1", "m1")).await;
    let ack = server.ack().await;
    assert_eq!(
        ack,
        json!({
            "code": 200,
            "headers": { "contentType": "application/json", "messageId": "d1" },
            "message": "OK",
            "data": "{\"response\":null}",
        })
    );
    assert_eq!(host.inbox.waiting(), 1, "the row was there before the acknowledgement");
    host.stop().await;
}

#[tokio::test]
async fn every_kind_of_frame_gets_its_answer() {
    let mut host = Host::start().await;
    let mut server = host.socket().await;
    let mut own: Value = serde_json::from_str(say("own", "m")["data"].as_str().unwrap()).unwrap();
    own["senderId"] = own["chatbotUserId"].clone();
    let mut event = frame("EVENT", "*", "event", r#"{"userId":["u"]}"#);
    event["headers"]["eventId"] = "e1".into();
    event["headers"]["eventType"] = "user_add_org".into();
    let card =
        json!({ "type": "actionCallback", "outTrackId": "c", "userId": "alice" }).to_string();
    let robot = "/v1.0/im/bot/messages/get";
    for (sent, code, data) in [
        (ping("ping"), 200, r#"{"opaque":"x"}"#),
        (event, 200, r#"{"status":"SUCCESS","message":"success"}"#),
        (
            frame("CALLBACK", "/v1.0/card/instances/callback", "card", &card),
            200,
            r#"{"response":{}}"#,
        ),
        (frame("CALLBACK", "/v1.0/graph/api/invoke", "graph", "{}"), 404, ""),
        (frame("NEWS", "x", "type", "{}"), 404, ""),
        (frame("CALLBACK", robot, "odd", "[1]"), 200, r#"{"response":null}"#),
        (frame("CALLBACK", robot, "deep", &"[".repeat(10_000)), 200, r#"{"response":null}"#),
        (
            frame("CALLBACK", robot, "quota", r#"{"errorCode":"20001"}"#),
            200,
            r#"{"response":null}"#,
        ),
        (frame("CALLBACK", robot, "own", &own.to_string()), 200, r#"{"response":null}"#),
    ] {
        server.send(&sent).await;
        let ack = server.ack().await;
        assert_eq!(
            (ack["code"].as_u64(), ack["data"].as_str()),
            (Some(code), Some(data)),
            "{sent}"
        );
        assert_eq!(ack["headers"]["messageId"], sent["headers"]["messageId"]);
    }
    // Nothing of this can be answered, and nothing of it does harm.
    for junk in ["", "{", "[]", "null", r#"{"type":"CALLBACK"}"#, &r#"{"a":"#.repeat(10_000)] {
        server.ws.send(WsMessage::text(junk)).await.unwrap();
    }
    server.ws.send(WsMessage::binary(vec![0xff; 16])).await.unwrap();
    server.send(&frame("SYSTEM", "KEEPALIVE", "k", "{}")).await;
    server.send(&ping("alive")).await;
    assert_eq!(id_of(&server.ack().await), "alive");
    assert_eq!(host.inbox.waiting(), 2, "the event and the click");
    let totals = host.totals();
    assert_eq!((totals.unknown, totals.malformed), (3, 8), "{totals:?}");
    host.stop().await;
}

#[tokio::test]
async fn the_acknowledgement_waits_for_the_commit_and_nothing_else_does() {
    let mut host = Host::start().await;
    let mut server = host.socket().await;
    let lock = rusqlite::Connection::open(host.dir.path().join("moonbell.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 0..50 {
        server.send(&say(&format!("d{n}"), &format!("m{n}"))).await;
    }
    server.send(&ping("p")).await;
    assert_eq!(id_of(&server.ack().await), "p", "a ping passes the commits that wait");
    assert_eq!(host.totals().accepted, 0);
    lock.execute_batch("COMMIT").unwrap();
    let mut acked = HashSet::new();
    for _ in 0..50 {
        acked.insert(id_of(&server.ack().await));
    }
    assert_eq!((acked.len(), host.inbox.waiting()), (50, 50));
    host.stop().await;
}

#[tokio::test]
async fn a_redelivery_is_acknowledged_and_dropped() {
    let mut host = Host::start().await;
    let mut server = host.socket().await;
    for delivery in ["d1", "d2", "d3"] {
        server.send(&say(delivery, "m1")).await;
        assert_eq!(id_of(&server.ack().await), delivery);
    }
    assert_eq!((host.inbox.waiting(), host.totals().duplicates), (1, 2));
    host.stop().await;
}

#[tokio::test]
async fn on_disconnect_the_next_socket_opens_while_the_old_one_is_served() {
    let mut host = Host::start().await;
    let mut old = host.socket().await;
    for n in 0..50 {
        old.send(&say(&format!("d{n}"), &format!("m{n}"))).await;
    }
    old.send(&disconnect()).await;
    let mut new = host.socket().await;
    for n in 50..75 {
        old.send(&say(&format!("d{n}"), &format!("m{n}"))).await;
    }
    for n in 75..100 {
        new.send(&say(&format!("d{n}"), &format!("m{n}"))).await;
    }
    let mut acked = HashSet::new();
    for _ in 0..76 {
        acked.insert(id_of(&old.ack().await));
    }
    assert!(acked.remove("bye"), "the notice itself is acknowledged");
    for n in 75..100 {
        let id = id_of(&new.ack().await);
        assert!(acked.insert(id), "{n}");
    }
    assert_eq!(
        (acked.len(), host.inbox.waiting()),
        (100, 100),
        "nothing is lost, nothing is doubled"
    );
    drop(old);
    new.send(&ping("still here")).await;
    assert_eq!(id_of(&new.ack().await), "still here");
    assert_eq!(host.desk.opens.load(Ordering::SeqCst), 2);
    host.stop().await;
}

#[tokio::test]
async fn f5_it_comes_back_after_every_kind_of_fault() {
    let mut host = Host::start().await;
    let mut server = host.socket().await;
    server.ws.close(None).await.unwrap();
    let server = host.socket().await;
    drop(server);
    let mut server = host.socket().await;
    // A text frame of two bytes that are no UTF-8.
    server.ws.get_mut().write_all(&[0x81, 0x02, 0xff, 0xfe]).await.unwrap();
    let mut server = host.socket().await;
    // A reserved opcode.
    server.ws.get_mut().write_all(&[0x83, 0x00]).await.unwrap();
    let mut server = host.socket().await;
    // 16 MiB are announced; the limit closes the socket without waiting for them.
    server.ws.get_mut().write_all(&[0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0]).await.unwrap();
    let mut server = host.socket().await;
    // A frame of nearly 1 MiB is fine.
    let mut long = say("long", "m-long");
    long["padding"] = "x".repeat(1024 * 1024 - 2_000).into();
    server.send(&long).await;
    assert_eq!(id_of(&server.ack().await), "long");
    assert_eq!(host.totals().connections, 6);
    host.stop().await;
}

#[tokio::test]
async fn a_deaf_socket_is_replaced() {
    let timing =
        Timing { ping: Duration::from_millis(50), silence: Duration::from_millis(400), ..quick() };
    let mut host = Host::with(timing, Vec::new()).await;
    let mut deaf = host.socket().await;
    // It answers pings as long as it is read, but sends nothing.
    let mut served = JoinSet::new();
    served.spawn(async move { deaf.acked_until_end().await });
    host.until_state(
        "deaf",
        |state| matches!(state, Phase::Deaf { reason } if reason.starts_with("no frame")),
    )
    .await;
    // This one is not even read, so no pong comes; an open socket alone ends no deafness.
    let _frozen = host.socket().await;
    host.until_state(
        "deaf",
        |state| matches!(state, Phase::Deaf { reason } if reason.contains("pings")),
    )
    .await;
    let mut fresh = host.socket().await;
    fresh.send(&say("d1", "m1")).await;
    assert_eq!(id_of(&fresh.ack().await), "d1");
    host.until_state("connected", |state| *state == Phase::Connected).await;
    host.stop().await;
}

#[tokio::test]
async fn while_the_server_moves_a_connection_it_stays_connected() {
    let mut host = Host::start().await;
    let mut old = host.socket().await;
    host.until_state("connected", |state| *state == Phase::Connected).await;
    let mut seen = host.state.clone();
    seen.mark_unchanged();
    old.send(&json!({"type": "SYSTEM", "headers": {"topic": "disconnect"}, "data": "{}"})).await;
    let mut new = host.socket().await;
    new.send(&say("d1", "m1")).await;
    assert_eq!(id_of(&new.ack().await), "d1");
    assert!(seen.borrow_and_update().is_up());
    host.stop().await;
}

#[tokio::test]
async fn an_endpoint_on_a_foreign_host_is_refused() {
    let foreign =
        |endpoint: &str| json!({ "endpoint": endpoint, "ticket": "secret-ticket" }).to_string();
    for endpoint in
        ["wss://evil.example/connect", "ws://127.0.0.2:1/connect", "http://127.0.0.1/connect", ""]
    {
        let mut host = Host::with(quick(), vec![(200, foreign(endpoint))]).await;
        let refused =
            host.until_state("refused", |state| matches!(state, Phase::Refused { .. })).await;
        let Phase::Refused { reason, hint, .. } = refused else { unreachable!() };
        assert!(hint.unwrap().contains("was not DingTalk's"), "{reason}");
        assert!(reason.contains("endpoint") && !reason.contains("secret-ticket"), "{reason}");
        host.stop().await;
    }
}

#[tokio::test]
async fn refused_credentials_are_said_and_tried_again_slowly() {
    let answer =
        r#"{"code":"authFailed","message":"鉴权失败 fixture-client-secret","requestid":"r1"}"#;
    let timing = Timing { refused: Duration::from_millis(100), ..quick() };
    let mut host = Host::with(timing, vec![(401, answer.to_owned())]).await;
    let refused = host.until_state("refused", |state| matches!(state, Phase::Refused { .. })).await;
    let Phase::Refused { reason, hint, .. } = refused else { unreachable!() };
    assert!(reason.contains("authFailed") && !reason.contains("fixture-client-secret"), "{reason}");
    assert!(hint.unwrap().contains("client id and secret"));
    host.socket().await;
    host.stop().await;
}

#[tokio::test]
async fn f5_gateway_faults_are_survived_with_a_wait() {
    let refusals =
        [(503, "<html>busy</html>"), (200, "<xml/>"), (500, "{}"), (400, "<html/>"), (200, "{}")];
    let refusals = refusals.map(|(status, body)| (status, body.to_owned())).to_vec();
    let timing = Timing { backoff: Duration::from_millis(1), ..quick() };
    let mut host = Host::with(timing, refusals).await;
    host.until_state("waiting", |state| matches!(state, Phase::BackingOff { .. })).await;
    host.socket().await;
    assert_eq!(host.desk.opens.load(Ordering::SeqCst), 6);
    let body = host.desk.bodies.lock().unwrap()[0].clone();
    assert_eq!(body["subscriptions"].as_array().unwrap().len(), 4);
    host.stop().await;
}

#[tokio::test]
async fn stopping_finishes_the_commits_under_way() {
    let mut host = Host::start().await;
    let mut server = host.socket().await;
    for n in 0..200 {
        server.send(&say(&format!("d{n}"), &format!("m{n}"))).await;
    }
    assert_eq!(server.ack().await["code"], 200);
    let (inbox, mut served) = (host.inbox.clone(), JoinSet::new());
    served.spawn(async move { server.acked_until_end().await });
    host.stop().await;
    let acked = served.join_next().await.unwrap().unwrap();
    assert!(
        inbox.waiting() > acked.len(),
        "each acknowledged message is stored ({} of {})",
        acked.len(),
        inbox.waiting()
    );
}
