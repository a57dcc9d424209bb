//! The raw client: the least that can answer. It parses the frame, acknowledges and posts; no journal, no script.

use std::fmt::Write as _;
use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as Frame;

/// This program as the raw client.
pub(crate) const ARGUMENT: &str = "--raw-client";

/// Serves the gateway at `base` until it closes.
pub(crate) fn run(base: &str) {
    Builder::new_multi_thread().enable_all().build().unwrap().block_on(serve(base, None));
}

/// As [`run`]; tells when each frame was read.
pub(crate) async fn serve(base: &str, read_at: Option<std::sync::mpsc::Sender<Instant>>) {
    // The second one in a process is told so, and that is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/connect", base.replacen("http", "ws", 1));
    let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let (mut write, mut read) = socket.split();
    let mut posts = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = posts.join_next() => {}
            frame = read.next() => {
                let Some(Ok(Frame::Text(text))) = frame else { return };
                if let Some(read_at) = &read_at {
                    let _ = read_at.send(Instant::now());
                }
                let frame: Value = serde_json::from_str(&text).unwrap();
                let data: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
                let ack = json!({ "code": 200, "headers": { "messageId": frame["headers"]["messageId"] }, "message": "OK", "data": "" });
                write.send(Frame::Text(ack.to_string().into())).await.unwrap();
                posts.spawn(answer(http.clone(), base.to_owned(), data));
            }
        }
    }
}

async fn answer(http: reqwest::Client, base: String, data: Value) {
    let text = data["text"]["content"].as_str().unwrap();
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    if word == "card" {
        card(&http, &base, rest).await;
        return;
    }
    let reply = json!({ "msgtype": "text", "text": { "content": rest } });
    send(http.post(data["sessionWebhook"].as_str().unwrap()).json(&reply)).await;
}

async fn card(http: &reqwest::Client, base: &str, number: &str) {
    let id = uuid::Uuid::new_v4().to_string();
    let create = json!({
        "cardTemplateId": "bench.schema", "outTrackId": id, "callbackType": "STREAM",
        "cardData": { "cardParamMap": { "content": "" } }, "openSpaceId": "dtv1.card//IM_ROBOT.staff1",
        "imRobotOpenSpaceModel": { "supportForward": true },
        "imRobotOpenDeliverModel": { "spaceType": "IM_ROBOT", "robotCode": "dingbench" },
    });
    send(http.post(format!("{base}/v1.0/card/instances/createAndDeliver")).json(&create)).await;
    let mut content = String::new();
    for n in 1..=10 {
        let _ = writeln!(content, "line {n}");
        let last = n == 10;
        if last {
            let _ = write!(content, "#{number}");
        }
        let frame = json!({
            "outTrackId": id, "guid": uuid::Uuid::new_v4().to_string(), "key": "content", "content": content,
            "isFull": true, "isFinalize": last, "isError": false,
        });
        send(http.put(format!("{base}/v1.0/card/streaming")).json(&frame)).await;
    }
}

async fn send(request: reqwest::RequestBuilder) {
    // The gateway goes first when a bench ends.
    if let Ok(response) = request.header("x-acs-dingtalk-access-token", "t").send().await {
        let _ = response.bytes().await;
    }
}
