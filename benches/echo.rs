//! Messages answered per second, through the real wire: a gateway on loopback sends robot messages, and counts the
//! replies that come back through their webhooks.
//!
//! Two clients answer in the same run, so that the ratio means something on a noisy machine: a raw WebSocket client
//! that neither journals nor runs a script, and the host with its journal (fsync included) and a Luau handler.
//!
//!     cargo bench --bench echo [-- MESSAGES]

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and ends when something is wrong"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::routing::{any, post};
use futures_util::{SinkExt as _, StreamExt as _};
use moonbell::app::App;
use moonbell::config::{Access, Config, Secret};
use moonbell::message::StaffId;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as ClientFrame;
use tokio_util::sync::CancellationToken;

/// One robot message to deliver, and who waits for its answer.
struct Delivery {
    number: usize,
    answered: oneshot::Sender<()>,
}

struct Gateway {
    base: String,
    ws_base: String,
    deliveries: tokio::sync::Mutex<mpsc::Receiver<Delivery>>,
    waiting: std::sync::Mutex<std::collections::HashMap<usize, oneshot::Sender<()>>>,
    sockets: AtomicUsize,
}

type Shared = Arc<Gateway>;

fn main() {
    let messages = std::env::args().find_map(|a| a.parse().ok()).unwrap_or(4000);
    println!(
        "echo, {messages} messages each, journal with fsync on {}",
        std::env::temp_dir().display()
    );
    println!("{:<28}{:>12}{:>14}{:>14}{:>14}", "client", "in flight", "messages/s", "p50", "p99");
    for in_flight in [1, 64] {
        let count = if in_flight == 1 { messages / 8 } else { messages };
        let raw = measure("raw client, no journal", in_flight, count, raw_client);
        let host = measure("moonbell, journal + Luau", in_flight, count, host_client);
        println!("{:<28}{in_flight:>12}{:>13.2}x", "  ratio", host / raw);
    }
}

/// Runs gateway and client on runtimes of their own; returns messages per second.
fn measure(
    name: &str,
    in_flight: usize,
    count: usize,
    client: fn(&str, CancellationToken) -> std::thread::JoinHandle<()>,
) -> f64 {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (send, receive) = mpsc::channel(1024);
    let gateway = runtime.block_on(start(receive));
    let stop = CancellationToken::new();
    let running = client(&gateway.base, stop.clone());
    let mut latencies = runtime.block_on(async {
        while gateway.sockets.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        run(&send, 0, in_flight, in_flight * 4).await; // warm up
        run(&send, 1_000_000, in_flight, count).await
    });
    let total = latencies.pop().unwrap();
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = ((latencies.len() - 1) as f64 * share) as usize;
        latencies[index]
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of messages")]
    let rate = count as f64 / total.as_secs_f64();
    println!("{name:<28}{in_flight:>12}{rate:>14.0}{:>14.2?}{:>14.2?}", at(0.5), at(0.99));
    stop.cancel();
    running.join().unwrap();
    runtime.shutdown_background();
    rate
}

/// Latency of each message, and last the time of all.
async fn run(
    send: &mpsc::Sender<Delivery>,
    base: usize,
    in_flight: usize,
    count: usize,
) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..in_flight {
        let (send, next) = (send.clone(), Arc::clone(&next));
        lanes.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return latencies;
                }
                let (answered, answer) = oneshot::channel();
                let at = Instant::now();
                send.send(Delivery { number: base + n, answered }).await.unwrap();
                answer.await.unwrap();
                latencies.push(at.elapsed());
            }
        });
    }
    let mut all: Vec<Duration> = lanes.join_all().await.into_iter().flatten().collect();
    all.push(started.elapsed());
    all
}

async fn start(deliveries: mpsc::Receiver<Delivery>) -> Shared {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = Arc::new(Gateway {
        base: format!("http://{address}"),
        ws_base: format!("ws://{address}"),
        deliveries: tokio::sync::Mutex::new(deliveries),
        waiting: std::sync::Mutex::default(),
        sockets: AtomicUsize::new(0),
    });
    let routes = axum::Router::new()
        .route(
            "/v1.0/gateway/connections/open",
            post(async |State(gateway): State<Shared>| {
                axum::Json(
                    json!({ "endpoint": format!("{}/connect", gateway.ws_base), "ticket": "t" }),
                )
            }),
        )
        .route(
            "/connect",
            any(async |State(gateway): State<Shared>, upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(async move |socket| deliver(gateway, socket).await)
            }),
        )
        .route("/robot/sendBySession", post(webhook))
        .with_state(Arc::clone(&gateway));
    #[expect(clippy::disallowed_methods, reason = "ends with the bench's runtime")]
    tokio::spawn(async move { axum::serve(listener, routes).await });
    gateway
}

async fn webhook(
    State(gateway): State<Shared>,
    Query(query): Query<std::collections::HashMap<String, String>>,
) -> axum::Json<Value> {
    let number: usize = query["session"].parse().unwrap();
    if let Some(answered) = gateway.waiting.lock().unwrap().remove(&number) {
        let _ = answered.send(());
    }
    axum::Json(json!({ "errcode": 0, "errmsg": "ok" }))
}

async fn deliver(gateway: Shared, socket: WebSocket) {
    gateway.sockets.fetch_add(1, Ordering::SeqCst);
    let (mut write, mut read) = socket.split();
    let mut deliveries = gateway.deliveries.lock().await;
    loop {
        tokio::select! {
            delivery = deliveries.recv() => {
                let Some(Delivery { number, answered }) = delivery else { return };
                gateway.waiting.lock().unwrap().insert(number, answered);
                write.send(Frame::Text(frame(&gateway.base, number).into())).await.unwrap();
            }
            ack = read.next() => if !matches!(ack, Some(Ok(_))) { return },
        }
    }
}

fn frame(base: &str, number: usize) -> String {
    let far = chrono::Utc::now().timestamp_millis() + 5_400_000;
    let person = number % 256;
    let data = json!({
        "msgId": format!("msg{number}=="), "msgtype": "text", "text": { "content": "echo hello" },
        "conversationId": format!("cid{person}=="), "conversationType": "1", "createAt": far - 5_400_000,
        "senderId": format!("$:LWCP_v1:${person}"), "senderStaffId": format!("staff{person}"), "senderNick": "bench",
        "senderCorpId": "dingcorp", "chatbotCorpId": "dingcorp", "chatbotUserId": "$:LWCP_v1:$bot", "robotCode": "dingbench",
        "sessionWebhook": format!("{base}/robot/sendBySession?session={number}"), "sessionWebhookExpiredTime": far,
    });
    json!({
        "specVersion": "1.0", "type": "CALLBACK", "data": data.to_string(),
        "headers": { "topic": "/v1.0/im/bot/messages/get", "messageId": format!("d{number}"), "contentType": "application/json", "time": "0" },
    })
    .to_string()
}

/// The least that can answer: parse the frame, acknowledge, post.
fn raw_client(base: &str, stop: CancellationToken) -> std::thread::JoinHandle<()> {
    let base = base.to_owned();
    std::thread::spawn(move || {
        Builder::new_multi_thread().enable_all().build().unwrap().block_on(async move {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let (socket, _) = tokio_tungstenite::connect_async(format!("{}/connect", base.replace("http", "ws"))).await.unwrap();
            let (mut write, mut read) = socket.split();
            let mut posts = JoinSet::new();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Some(_) = posts.join_next() => {}
                    frame = read.next() => {
                        let Some(Ok(ClientFrame::Text(text))) = frame else { return };
                        let frame: Value = serde_json::from_str(&text).unwrap();
                        let data: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
                        let ack = json!({ "code": 200, "headers": { "messageId": frame["headers"]["messageId"] }, "message": "OK", "data": "" });
                        write.send(ClientFrame::Text(ack.to_string().into())).await.unwrap();
                        let reply = json!({ "msgtype": "text", "text": { "content": "hello" } });
                        let post = http.post(data["sessionWebhook"].as_str().unwrap()).json(&reply);
                        posts.spawn(async move { post.send().await.unwrap().bytes().await.unwrap() });
                    }
                }
            }
        });
    })
}

fn host_client(base: &str, stop: CancellationToken) -> std::thread::JoinHandle<()> {
    let base = base.to_owned();
    std::thread::spawn(move || {
        let dir = tempfile::tempdir().unwrap();
        let scripts = dir.path().join("scripts");
        std::fs::create_dir(&scripts).unwrap();
        std::fs::write(
            scripts.join("echo.luau"),
            r#"bot.command("echo <text...>", function(ctx) ctx:reply(ctx.args.text) end)"#,
        )
        .unwrap();
        let mut config = Config::new(scripts, dir.path().join("state"));
        "dingbench".clone_into(&mut config.dingtalk.client_id);
        config.dingtalk.client_secret = Secret::new("secret");
        config.dingtalk.api_base = base.parse().unwrap();
        config.dingtalk.oapi_base = base.parse().unwrap();
        config.access = Access {
            owner: Some(StaffId::new("nobody")),
            roles: [("guest".to_owned(), vec!["*".to_owned()])].into(),
        };
        Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
            App::open(config, "bench", None).await.unwrap().run(stop).await.unwrap();
        });
    })
}
