//! Makes the calls of an app in HTTP mode, and reads what it answers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Shared;
use super::doors::Answered;
use super::doors::Call;
use super::doors::Crooked;
use super::doors::Door;
use super::error::OrderError;
use super::view::Direction;
use super::view::WireKind;
use super::wire::Entry;
use super::world::World;

/// Calls at once; the next ones wait.
const AT_ONCE: usize = 64;
/// How long an answer is waited for. DingTalk does not say.
const PATIENCE: Duration = Duration::from_secs(5);

/// A call that tells of a push.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) push: u64,
    pub(super) call: Call,
}

/// Makes calls until the simulator stops.
pub(super) async fn run(shared: Arc<Shared>, mut calls: mpsc::Receiver<Outbound>) {
    let client = client();
    let mut making = JoinSet::new();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            Some(_) = making.join_next(), if !making.is_empty() => {}
            next = calls.recv(), if making.len() < AT_ONCE => {
                let Some(Outbound { push, call }) = next else { return };
                let (shared, client) = (Arc::clone(&shared), client.clone());
                making.spawn(async move {
                    let answered = make(&shared, &client, &call).await;
                    shared.world().called(push, &call, answered);
                });
            }
        }
    }
}

impl Shared {
    /// Makes a crooked call.
    pub(super) async fn crooked(&self, order: &Crooked) -> Result<Answered, OrderError> {
        let call = self.world().crooked(order)?;
        Ok(make(self, &client(), &call)
            .await
            .unwrap_or_else(|why| Answered { status: 0, body: why }))
    }
}

fn client() -> reqwest::Client {
    // Whoever comes first installs it; a second time changes nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.timeout(PATIENCE).build().expect("the settings above are good")
}

async fn make(shared: &Shared, client: &reqwest::Client, call: &Call) -> Result<Answered, String> {
    let path = call.url.path().to_owned();
    let summary = format!("POST {path}");
    let entry = |dir, status, body| Entry {
        dir,
        kind: WireKind::Http,
        summary: summary.clone(),
        path: Some(path.clone()),
        status,
        body,
    };
    shared.world().log(entry(Direction::Out, None, call.said.clone()));
    let mut request = client.post(call.url.clone()).body(call.body.clone());
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    let answered = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>(Answered { status, body: response.text().await? })
    };
    match answered.await {
        Ok(answered) => {
            let body = serde_json::from_str(&answered.body)
                .unwrap_or_else(|_| Value::String(answered.body.clone()));
            shared.world().log(entry(Direction::In, Some(answered.status), body));
            Ok(answered)
        }
        Err(error) => {
            let why = error.without_url().to_string();
            shared.world().log(entry(Direction::In, None, json!({ "error": why })));
            Err(why)
        }
    }
}

impl World {
    /// What became of a call: it is done, or it is made again when that is due.
    fn called(&mut self, push: u64, call: &Call, answered: Result<Answered, String>) {
        let reached = answered.is_ok();
        if self.reached != reached {
            self.reached = reached;
            self.announce_connection();
        }
        let Ok(answered) = answered else { return };
        if answered.status != 200 {
            return;
        }
        let answer: Value = serde_json::from_str(&answered.body).unwrap_or_default();
        if let Err(why) = judge(call, &answer) {
            return self.bad_ack(&why, answer);
        }
        self.counters.acks += 1;
        self.last_calls.insert(call.door, call.clone());
        if let Some(waits) = self.connections.pushes.remove(&push).and_then(|push| push.answer) {
            // Nobody waits any more once the two seconds are over.
            let _ = waits.send(answer);
        }
        // For those who wait for what is counted.
        self.announce_connection();
    }
}

/// Whether the answer is one that DingTalk takes.
fn judge(call: &Call, answer: &Value) -> Result<(), String> {
    match call.door {
        Door::Robot if answer["msgtype"].is_string() => Ok(()),
        Door::Robot => Err("a message is answered with an object that has a `msgtype`".to_owned()),
        Door::Card if answer.is_object() => Ok(()),
        Door::Card => Err("a card callback is answered with an object".to_owned()),
        Door::Event => {
            let part = |name: &str| answer[name].as_str().unwrap_or_default();
            let keys = call.keys.as_ref().ok_or("no keys")?;
            let sealed = part("encrypt");
            if keys.sign(part("timeStamp"), part("nonce"), sealed) != part("msg_signature") {
                return Err("the answer to an event is not signed".to_owned());
            }
            match keys.open(sealed) {
                Some(said) if said == "success" => Ok(()),
                _ => Err("an event is answered with an encrypted `success`".to_owned()),
            }
        }
    }
}
