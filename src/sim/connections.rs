//! Stream connections and what was pushed on them: choice of a socket, acknowledgements, redelivery.
//!
//! State only; the sockets themselves are in `socket.rs`.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rand::seq::IndexedRandom;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::doors::Route;
use super::now_ms;

/// Frames that may wait for a socket; past that a frame is left to redelivery. Enough for a burst of a benchmark.
pub(super) const OUTGOING_FRAMES: usize = 16_384;
/// Frames whose acknowledgement is still understood.
const REMEMBERED_FRAMES: usize = 65_536;

pub(super) const TOPIC_BOT: &str = "/v1.0/im/bot/messages/get";
pub(super) const TOPIC_CARD: &str = "/v1.0/card/instances/callback";

/// An order to the task of one socket.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(String),
    Binary(Bytes),
    /// Ends the TCP connection without a close frame.
    Cut,
    /// Ends politely after this long.
    CloseAfter(Duration),
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: String,
    pub(super) subscriptions: Vec<(String, String)>,
    out: mpsc::Sender<Outgoing>,
    /// A `disconnect` was sent: nothing is delivered any more.
    pub(super) draining: bool,
}

impl Connection {
    /// Whether the frame found room on its way to the socket.
    pub(super) fn send(&self, outgoing: Outgoing) -> bool {
        self.out.try_send(outgoing).is_ok()
    }

    fn takes(&self, kind: PushKind, topic: &str) -> bool {
        !self.draining
            && self.subscriptions.iter().any(|(kind_, topic_)| {
                kind_ == kind.as_str()
                    && (topic_ == topic || (kind == PushKind::Event && topic_ == "*"))
            })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushKind {
    Callback,
    Event,
}

impl PushKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "CALLBACK",
            Self::Event => "EVENT",
        }
    }
}

/// Something the bot has to be told, until it says that it knows.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) kind: PushKind,
    pub(super) topic: String,
    /// Headers of an event.
    pub(super) headers: Map<String, Value>,
    pub(super) data: String,
    pub(super) attempts: u32,
    pub(super) due_ms: Option<i64>,
    /// A card click waits for what the bot answers.
    pub(super) answer: Option<oneshot::Sender<Value>>,
    /// Where a click goes whose card was created for calls.
    pub(super) route: Option<Route>,
}

impl Push {
    pub(super) fn callback(topic: &str, data: &Value) -> Self {
        Self {
            kind: PushKind::Callback,
            topic: topic.to_owned(),
            headers: Map::new(),
            data: data.to_string(),
            attempts: 0,
            due_ms: None,
            answer: None,
            route: None,
        }
    }
}

/// A frame on its way, by messageId.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) connection: String,
    /// `None` for SYSTEM frames.
    pub(super) push: Option<u64>,
    pub(super) topic: String,
    /// What a ping has to be answered with.
    pub(super) ping: Option<Value>,
}

#[derive(Debug, Default)]
pub(super) struct Connections {
    pub(super) open: Vec<Connection>,
    pub(super) pushes: HashMap<u64, Push>,
    last_push: u64,
    sent: HashMap<String, Sent>,
    sent_order: VecDeque<String>,
    /// Held back by the `reorder` fault.
    pub(super) held: Vec<u64>,
}

impl Connections {
    pub(super) fn add(
        &mut self,
        subscriptions: Vec<(String, String)>,
    ) -> (String, mpsc::Receiver<Outgoing>) {
        let (out, outgoing) = mpsc::channel(OUTGOING_FRAMES);
        let id = Uuid::new_v4().to_string();
        self.open.push(Connection { id: id.clone(), subscriptions, out, draining: false });
        (id, outgoing)
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.open.retain(|connection| connection.id != id);
    }

    pub(super) fn get(&self, id: &str) -> Option<&Connection> {
        self.open.iter().find(|connection| connection.id == id)
    }

    /// Each push goes to one connection at random, among those that subscribed and are not being closed.
    pub(super) fn choose(&self, kind: PushKind, topic: &str) -> Option<&Connection> {
        let able: Vec<&Connection> =
            self.open.iter().filter(|connection| connection.takes(kind, topic)).collect();
        able.choose(&mut rand::rng()).copied()
    }

    /// Lets go of clicks that nobody waits for any more.
    pub(super) fn forget_given_up(&mut self) {
        self.pushes.retain(|_, push| !push.answer.as_ref().is_some_and(oneshot::Sender::is_closed));
    }

    pub(super) fn takes_messages(&self) -> bool {
        self.open.iter().any(|connection| connection.takes(PushKind::Callback, TOPIC_BOT))
    }

    pub(super) fn add_push(&mut self, push: Push) -> u64 {
        self.last_push += 1;
        self.pushes.insert(self.last_push, push);
        self.last_push
    }

    pub(super) fn remember(&mut self, message_id: String, sent: Sent) {
        if self.sent_order.len() >= REMEMBERED_FRAMES
            && let Some(oldest) = self.sent_order.pop_front()
        {
            self.sent.remove(&oldest);
        }
        self.sent_order.push_back(message_id.clone());
        self.sent.insert(message_id, sent);
    }

    pub(super) fn sent(&self, message_id: &str) -> Option<&Sent> {
        self.sent.get(message_id)
    }

    /// When the next unanswered push is due.
    pub(super) fn next_due_ms(&self) -> Option<i64> {
        self.pushes.values().filter_map(|push| push.due_ms).min()
    }

    pub(super) fn due(&self) -> Vec<u64> {
        let now = now_ms();
        let due = |push: &Push| push.due_ms.is_some_and(|due| due <= now);
        let mut due: Vec<u64> =
            self.pushes.iter().filter(|(_, push)| due(push)).map(|(id, _)| *id).collect();
        due.sort_unstable();
        due
    }
}

/// The id of one delivery, in the look of the real ones.
pub(super) fn new_message_id() -> String {
    let id = Uuid::new_v4().simple().to_string();
    format!("{}_{}_{:x}_{}", &id[..8], &id[8..11], now_ms(), &id[11..15])
}

/// The frame of a push on one connection.
pub(super) fn frame(push: &Push, connection: &str, message_id: &str) -> Value {
    let mut headers = json!({
        "appId": "51000000-5000-4000-8000-000000000001",
        "connectionId": connection,
        "contentType": "application/json",
        "messageId": message_id,
        "time": now_ms().to_string(),
        "topic": push.topic,
    });
    if let Some(headers) = headers.as_object_mut() {
        headers.extend(push.headers.clone());
    }
    json!({ "specVersion": "1.0", "type": push.kind.as_str(), "headers": headers, "data": push.data })
}

/// A SYSTEM frame.
pub(super) fn system_frame(topic: &str, message_id: Option<&str>, data: &Value) -> Value {
    let mut headers = json!({ "contentType": "application/json", "topic": topic });
    if let Some(message_id) = message_id {
        headers["messageId"] = json!(message_id);
        headers["time"] = json!(now_ms().to_string());
    }
    let mut frame = json!({ "type": "SYSTEM", "headers": headers, "data": data.to_string() });
    if message_id.is_some() {
        frame["specVersion"] = json!("1.0");
    }
    frame
}

/// The outcome of reading one answer on a socket.
#[derive(Debug)]
pub(super) struct Ack {
    pub(super) code: i64,
    pub(super) message_id: String,
    pub(super) data: Value,
}

impl Ack {
    /// Reads what a client answered.
    ///
    /// # Errors
    ///
    /// Says which rule of protocol B.5 was broken.
    pub(super) fn read(text: &str) -> Result<(Self, Value), (String, Value)> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| (format!("not JSON: {error}"), Value::String(text.to_owned())))?;
        let read = |value: &Value| -> Result<Self, String> {
            let code = value.get("code").and_then(Value::as_i64).ok_or("`code` is not a number")?;
            let message_id = value.pointer("/headers/messageId").and_then(Value::as_str);
            let message_id = message_id.ok_or("`headers.messageId` is missing")?.to_owned();
            let data = match value.get("data") {
                Some(Value::String(data)) if data.is_empty() => Value::Null,
                Some(Value::String(data)) => serde_json::from_str(data)
                    .map_err(|error| format!("`data` is not JSON text: {error}"))?,
                Some(_) => return Err("`data` is not a string".to_owned()),
                None => return Err("`data` is missing".to_owned()),
            };
            Ok(Self { code, message_id, data })
        };
        match read(&value) {
            Ok(ack) => Ok((ack, value)),
            Err(why) => Err((why, value)),
        }
    }
}
