//! The simulator calls an app in HTTP mode, as DingTalk describes its calls.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moonbell::sim::{App, Say, Sim};
use ring::hmac;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::bot::OWNER;
use super::bot::http;
use super::bot::start;

/// What was called: path with query, headers, body.
type Calls = Arc<Mutex<Vec<(String, axum::http::HeaderMap, String)>>>;

/// An app that answers every call with what the test says.
async fn app(answer: &'static str) -> (String, Calls, JoinSet<()>) {
    let calls = Calls::default();
    let take = async move |State(calls): State<Calls>, request: Request| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let call = (head.uri.to_string(), head.headers, String::from_utf8(body.to_vec()).unwrap());
        calls.lock().unwrap().push(call);
        answer
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let router = Router::new().fallback(take).with_state(Arc::clone(&calls));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, calls, serving)
}

async fn order(sim: &Sim, path: &str, body: Value) -> (u16, String) {
    let url = format!("{}/sim/api/{path}", sim.url());
    let answer = http().post(url).bearer_auth(sim.token()).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_message_is_called_in_with_the_documented_signature_and_repeated_until_it_is_taken() {
    let (sim, _bot) = start().await;
    let (robot, calls, _serving) = app(r#"{"msgtype":"empty"}"#).await;
    let told = order(&sim, "app", json!({ "mode": "http", "robot": robot })).await;
    assert_eq!(told.0, 204, "{told:?}");
    assert!(sim.state().bot.connected);
    let id = sim.say(&Say::direct(OWNER, "hello")).unwrap();
    sim.until(|state| state.counters.acks == 1).await.unwrap();
    let (path, headers, body) = calls.lock().unwrap()[0].clone();
    assert_eq!(path, "/x");
    let timestamp = headers["timestamp"].to_str().unwrap();
    let secret = sim.client_secret();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let right = STANDARD.encode(hmac::sign(&key, format!("{timestamp}\n{secret}").as_bytes()));
    assert_eq!(headers["sign"], right);
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&message["msgId"], &message["text"]["content"]), (&json!(id), &json!("hello")));
    assert_eq!(sim.unacknowledged(), 0);

    // By order the same once more; and then what only somebody else would call.
    let (status, told) = order(&sim, "crooked", json!({ "how": "replayed" })).await;
    assert_eq!(status, 200, "{told}");
    let (status, told) = order(&sim, "crooked", json!({ "how": { "late": 600_000 } })).await;
    assert_eq!(status, 200, "{told}");
    let calls = calls.lock().unwrap().clone();
    assert_eq!((&calls[1].1["sign"], &calls[1].2), (&calls[0].1["sign"], &calls[0].2));
    let ago = |call: &(String, axum::http::HeaderMap, String)| {
        let time: i64 = call.1["timestamp"].to_str().unwrap().parse().unwrap();
        chrono::Utc::now().timestamp_millis() - time
    };
    assert!(ago(&calls[2]) >= 600_000);
}

#[tokio::test]
async fn an_answer_that_dingtalk_would_not_take_is_noted_and_nobody_outside_is_called() {
    let (sim, _bot) = start().await;
    let (robot, calls, _serving) = app("thanks").await;
    sim.app(App::Http { robot, event: None, token: String::new(), aes_key: String::new() })
        .unwrap();
    sim.say(&Say::direct(OWNER, "hello")).unwrap();
    sim.until(|state| state.counters.bad_acks == 1).await.unwrap();
    assert_eq!((sim.unacknowledged(), calls.lock().unwrap().len()), (1, 1));
    let (status, told) = order(&sim, "crooked", json!({})).await;
    assert_eq!(status, 422, "`how` is missing: {told}");
    let (status, told) = order(&sim, "crooked", json!({ "how": "forged" })).await;
    assert!(status == 400 && told.contains("has not answered a call"), "{status} {told}");
    for foreign in
        ["https://bot.example.com/robot", "http://192.0.2.1/x", "file:///etc/passwd", "robot"]
    {
        let (status, told) = order(&sim, "app", json!({ "mode": "http", "robot": foreign })).await;
        assert!(status == 400 && told.contains("not an address of this computer"), "{told}");
    }
    // Nobody is there: the page shows it.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    order(&sim, "app", json!({ "mode": "http", "robot": format!("http://{gone}/x") })).await;
    sim.say(&Say::direct(OWNER, "hello?")).unwrap();
    sim.until(|state| !state.bot.connected).await.unwrap();
}
