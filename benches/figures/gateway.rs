//! The least of DingTalk that bots need to answer: a socket that brings messages, webhooks and cards that are counted.
//!
//! Not the simulator, which keeps books and checks everything: here the gateway must cost less than who is measured.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::routing::{any, get, post, put};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// How long a bot may take to connect; an interpreter on a busy machine.
const CONNECT: Duration = Duration::from_secs(20);
/// How long an answer is waited for. Past it the message counts as dropped.
pub(crate) const LOST: Duration = Duration::from_secs(10);

/// An answer: when the frame was written, when the answer arrived, and what it was.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) written: Instant,
    pub(crate) arrived: Instant,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn round_trip(&self) -> Duration {
        self.arrived - self.written
    }

    /// The text of a reply.
    pub(crate) fn text(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["text"]["content"]
            .as_str()
            .or_else(|| body["markdown"]["text"].as_str())
            .unwrap_or_default()
            .to_owned()
    }
}

struct Waiting {
    written: Instant,
    answer: oneshot::Sender<Answer>,
}

struct Shared {
    base: String,
    ws_base: String,
    outgoing: Mutex<Option<mpsc::Sender<(u64, String)>>>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    next: AtomicU64,
    /// Sockets so far, and how many of them are to end.
    sockets: AtomicUsize,
    cut: watch::Sender<usize>,
    connected_at: Mutex<Option<Instant>>,
    /// HTTP calls that were answered.
    calls: AtomicU64,
    /// Answers to what had been answered.
    doubled: AtomicU64,
}

/// One gateway with a port of its own, for one bot. Its tasks end with it.
#[derive(Clone)]
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    _serving: Arc<JoinSet<()>>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            base: format!("http://{address}"),
            ws_base: format!("ws://{address}"),
            outgoing: Mutex::default(),
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            sockets: AtomicUsize::new(0),
            cut: watch::Sender::new(0),
            connected_at: Mutex::default(),
            calls: AtomicU64::new(0),
            doubled: AtomicU64::new(0),
        });
        let routes = axum::Router::new()
            .route("/v1.0/gateway/connections/open", post(open))
            .route("/connect", any(connect))
            .route(
                "/v1.0/oauth2/accessToken",
                post(async || Json(json!({ "accessToken": "t", "expireIn": 7200 }))),
            )
            .route(
                "/gettoken",
                get(async || {
                    Json(json!({ "errcode": 0, "access_token": "t", "expires_in": 7200 }))
                }),
            )
            .route("/robot/sendBySession", post(webhook))
            .route("/v1.0/card/instances/createAndDeliver", post(create))
            .route("/v1.0/card/streaming", put(stream))
            .with_state(Arc::clone(&shared));
        let mut serving = JoinSet::new();
        serving.spawn(async move { drop(axum::serve(NoDelay(listener), routes).await) });
        Self { shared, _serving: Arc::new(serving) }
    }

    pub(crate) fn base(&self) -> &str {
        &self.shared.base
    }

    /// Sends one message to the bot, as `person`; resolves with its answer, `None` when none came.
    pub(crate) async fn say(&self, person: u64, text: &str) -> Option<Answer> {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let answer = self.post(number, person, text).await?;
        match tokio::time::timeout(LOST, answer).await {
            Ok(Ok(answer)) => Some(answer),
            _ => {
                self.shared.waiting.lock().unwrap().remove(&number);
                None
            }
        }
    }

    /// As [`Gateway::say`], with `{number}` in the text replaced: the answer to a card is found by it.
    pub(crate) async fn ask_for_card(&self, person: u64) -> Option<Answer> {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let answer = self.post(number, person, &format!("card {number}")).await?;
        tokio::time::timeout(LOST, answer).await.ok()?.ok()
    }

    /// Sends without waiting.
    pub(crate) async fn post(
        &self,
        number: u64,
        person: u64,
        text: &str,
    ) -> Option<oneshot::Receiver<Answer>> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { written: Instant::now(), answer };
        self.shared.waiting.lock().unwrap().insert(number, waiting);
        let frame = frame(&self.shared.base, number, person, text);
        let outgoing = self.shared.outgoing.lock().unwrap().clone()?;
        outgoing.send((number, frame)).await.ok()?;
        Some(answered)
    }

    /// Waits for the bot; returns when it was connected, or `None` when it never was.
    pub(crate) async fn connected(&self) -> Option<Instant> {
        let until = Instant::now() + CONNECT;
        while Instant::now() < until {
            let at = *self.shared.connected_at.lock().unwrap();
            if at.is_some() {
                return at;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        None
    }

    /// Ends the sockets that there are, without a word.
    pub(crate) fn cut(&self) {
        self.shared.cut.send_replace(self.shared.sockets.load(Ordering::SeqCst));
    }

    /// Asks the bot to move to another socket, and ends the old one once it has, or after ten seconds.
    pub(crate) async fn move_on(&self) {
        let before = self.shared.sockets.load(Ordering::SeqCst);
        let outgoing = self.shared.outgoing.lock().unwrap().clone();
        let Some(outgoing) = outgoing else { return };
        let notice = json!({
            "specVersion": "1.0", "type": "SYSTEM", "data": "{\"reason\":\"persistent connection is timeout\"}",
            "headers": { "contentType": "application/json", "messageId": format!("m{before}"), "topic": "disconnect" },
        });
        let _ = outgoing.send((0, notice.to_string())).await;
        let until = Instant::now() + LOST;
        while self.shared.sockets.load(Ordering::SeqCst) == before && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.shared.cut.send_replace(before);
    }

    /// A number for a message, as [`Gateway::post`] wants it.
    pub(crate) fn number(&self) -> u64 {
        self.shared.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn doubled(&self) -> u64 {
        self.shared.doubled.load(Ordering::Relaxed)
    }
}

/// Answers go out when they are written, not when the kernel has collected a packet of them.
struct NoDelay(tokio::net::TcpListener);

impl axum::serve::Listener for NoDelay {
    type Io = tokio::net::TcpStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        let _ = stream.set_nodelay(true);
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

async fn open(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "endpoint": format!("{}/connect", shared.ws_base), "ticket": "t" }))
}

async fn connect(
    State(shared): State<Arc<Shared>>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    upgrade.on_upgrade(async move |socket| serve(shared, socket).await)
}

async fn serve(shared: Arc<Shared>, socket: WebSocket) {
    let (mut write, mut read) = socket.split();
    let (outgoing, mut frames) = mpsc::channel(1024);
    *shared.outgoing.lock().unwrap() = Some(outgoing);
    let number = shared.sockets.fetch_add(1, Ordering::SeqCst) + 1;
    let mut cut = shared.cut.subscribe();
    shared.connected_at.lock().unwrap().get_or_insert_with(Instant::now);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            count = frames.recv_many(&mut batch, 64) => {
                if count == 0 {
                    return;
                }
                {
                    let mut waiting = shared.waiting.lock().unwrap();
                    let now = Instant::now();
                    for (number, _) in &batch {
                        if let Some(one) = waiting.get_mut(number) {
                            one.written = now;
                        }
                    }
                }
                for (_, frame) in batch.drain(..) {
                    if write.feed(Frame::Text(frame.into())).await.is_err() {
                        return;
                    }
                }
                if write.flush().await.is_err() {
                    return;
                }
            }
            () = async { drop(cut.wait_for(|cut| *cut >= number).await) } => return,
            ack = read.next() => if !matches!(ack, Some(Ok(_))) { return },
        }
    }
}

#[derive(Deserialize)]
struct Session {
    session: u64,
}

async fn webhook(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Session>,
    body: Bytes,
) -> &'static [u8] {
    answer(&shared, query.session, body);
    br#"{"errcode":0,"errmsg":"ok"}"#
}

async fn create(State(shared): State<Arc<Shared>>, _body: Bytes) -> &'static [u8] {
    shared.calls.fetch_add(1, Ordering::Relaxed);
    br#"{"success":true,"result":{"outTrackId":"x","deliverResults":[{"spaceId":"x","spaceType":"IM_ROBOT","success":true}]}}"#
}

async fn stream(State(shared): State<Arc<Shared>>, body: Bytes) -> &'static [u8] {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Streamed {
        content: String,
        is_finalize: bool,
    }
    let streamed: Streamed = serde_json::from_slice(&body).unwrap();
    if streamed.is_finalize {
        let number =
            streamed.content.rsplit('#').next().and_then(|number| number.trim().parse().ok());
        answer(&shared, number.expect("the last text of a card ends with its number"), body);
    } else {
        shared.calls.fetch_add(1, Ordering::Relaxed);
    }
    br#"{"success":true,"result":true}"#
}

fn answer(shared: &Shared, number: u64, body: Bytes) {
    shared.calls.fetch_add(1, Ordering::Relaxed);
    let waiting = shared.waiting.lock().unwrap().remove(&number);
    match waiting {
        Some(Waiting { written, answer }) => {
            let _ = answer.send(Answer { written, arrived: Instant::now(), body });
        }
        None => drop(shared.doubled.fetch_add(1, Ordering::Relaxed)),
    }
}

fn frame(base: &str, number: u64, person: u64, text: &str) -> String {
    let now = chrono::Utc::now().timestamp_millis();
    let data = json!({
        "msgId": format!("msg{number}=="), "msgtype": "text", "text": { "content": text },
        "conversationId": format!("cid{person}=="), "conversationType": "1", "createAt": now, "isAdmin": false,
        "senderId": format!("$:LWCP_v1:${person}"), "senderStaffId": format!("staff{person}"), "senderNick": "bench",
        "senderCorpId": "dingcorp", "chatbotCorpId": "dingcorp", "chatbotUserId": "$:LWCP_v1:$bot", "robotCode": "dingbench",
        "sessionWebhook": format!("{base}/robot/sendBySession?session={number}"), "sessionWebhookExpiredTime": now + 5_400_000,
    });
    json!({
        "specVersion": "1.0", "type": "CALLBACK", "data": data.to_string(),
        "headers": { "appId": "bench", "connectionId": "c", "contentType": "application/json", "messageId": format!("d{number}"), "time": now.to_string(), "topic": "/v1.0/im/bot/messages/get" },
    })
    .to_string()
}
