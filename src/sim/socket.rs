//! The WebSocket behind a ticket, and the task that pushes again what nobody answered.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::State;
use axum::extract::ws::Message;
use axum::extract::ws::WebSocket;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::Shared;
use super::answer::Refusal;
use super::apps::Ticket;
use super::connections::Outgoing;
use super::connections::Push;
use super::connections::PushKind;
use super::error::OrderError;
use super::now_ms;
use super::view::Direction;
use super::view::WireKind;
use super::wire::Entry;
use super::world::World;

/// A frame that no rule has looked at: the body of `POST /sim/api/raw`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawFrame {
    Text(String),
    /// Bytes of a binary frame.
    Binary(Vec<u8>),
    /// A text frame of this many bytes: a valid frame whose data is padding.
    Padded(usize),
}

#[derive(Debug, Deserialize)]
pub(super) struct ConnectQuery {
    #[serde(default)]
    ticket: String,
}

/// `GET /connect?ticket=…`: the ticket is good once.
pub(super) async fn connect(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<ConnectQuery>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let ticket = shared.world().app.redeem_ticket(&query.ticket);
    let Some(ticket) = ticket else {
        return Refusal::api(401, "authFailed", "the ticket is unknown, used or expired")
            .into_response();
    };
    // Known before the client hears that it is connected: what is said from then on waits for this socket.
    let (id, outgoing) = shared.world().open_connection(ticket);
    let failed = (Arc::clone(&shared), id.clone());
    upgrade.on_failed_upgrade(move |_| failed.0.world().close_connection(&failed.1)).on_upgrade(
        move |socket| {
            let sockets = shared.sockets.clone();
            sockets.track_future(serve(shared, socket, id, outgoing))
        },
    )
}

async fn serve(
    shared: Arc<Shared>,
    mut socket: WebSocket,
    id: String,
    mut outgoing: mpsc::Receiver<Outgoing>,
) {
    let ping_every = shared.world().options.clocks.ping;
    let mut ping = tokio::time::interval_at(Instant::now() + ping_every, ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ends_at: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => {
                // Whether the other side still hears it does not matter.
                let _ = socket.send(Message::Close(None)).await;
                break;
            }
            () = until(ends_at) => {
                let _ = socket.send(Message::Close(None)).await;
                break;
            }
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => shared.world().ack(&id, &text),
                Some(Ok(Message::Binary(bytes))) => {
                    let size = bytes.len();
                    shared.world().bad_ack("a binary frame; text is expected", json!({ "bytes": size }));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            order = outgoing.recv() => match order {
                Some(Outgoing::Text(text)) => if socket.send(Message::Text(text.into())).await.is_err() { break },
                Some(Outgoing::Binary(bytes)) => if socket.send(Message::Binary(bytes)).await.is_err() { break },
                Some(Outgoing::CloseAfter(delay)) => ends_at = Some(Instant::now() + delay),
                Some(Outgoing::Cut) | None => break,
            },
            _ = ping.tick() => {
                let opaque = json!({ "opaque": Uuid::new_v4().to_string() });
                shared.world().ping(&id, &opaque);
            }
        }
    }
    shared.world().close_connection(&id);
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Pushes again what is due, until the simulator stops.
pub(super) async fn redeliver(shared: Arc<Shared>) {
    /// With nothing to wait for, look again this often.
    const IDLE: Duration = Duration::from_mins(1);
    loop {
        // Registered before looking, or a push in between would be missed.
        let woken = shared.redelivery.notified();
        let wait = {
            let world = shared.world();
            let due = world.connections.next_due_ms();
            due.map_or(IDLE, |due| {
                Duration::from_millis(u64::try_from(due - now_ms()).unwrap_or(0))
            })
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => shared.world().redeliver_due(),
            () = woken => {}
        }
    }
}

impl World {
    fn open_connection(&mut self, ticket: Ticket) -> (String, mpsc::Receiver<Outgoing>) {
        if self.options.evict_older_connections {
            self.disconnect_all("replaced by a newer connection", true);
        }
        self.counters.connections_opened += 1;
        let summary = format!("connected {}", ticket.ua);
        let (id, outgoing) = self.connections.add(ticket.subscriptions);
        self.log(Entry::frame(
            Direction::In,
            WireKind::Frame,
            summary,
            json!({ "connectionId": id }),
        ));
        if self.options.greet {
            self.system(&id, "CONNECTED", &json!({}), true);
            self.system(&id, "REGISTERED", &json!({}), true);
        }
        self.announce_connection();
        (id, outgoing)
    }

    fn close_connection(&mut self, id: &str) {
        self.connections.remove(id);
        self.log(Entry::frame(
            Direction::In,
            WireKind::Frame,
            "disconnected".to_owned(),
            json!({ "connectionId": id }),
        ));
        self.announce_connection();
    }

    fn ping(&mut self, id: &str, opaque: &Value) {
        if self.connections.get(id).is_some_and(|connection| !connection.draining) {
            self.system(id, "ping", opaque, true);
        }
    }

    pub(super) fn push_event(&mut self, event_type: &str, data: &Value) {
        let headers = json!({
            "eventId": Uuid::new_v4().simple().to_string(),
            "eventType": event_type,
            "eventCorpId": self.organisation.corp_id,
            "eventBornTime": now_ms().to_string(),
            "eventUnifiedAppId": "51000000-5000-4000-8000-000000000002",
        });
        let mut push = Push::callback("*", data);
        push.kind = PushKind::Event;
        push.headers = headers.as_object().cloned().unwrap_or_default();
        self.push(push);
    }

    pub(super) fn send_raw(&mut self, frame: RawFrame) -> Result<(), OrderError> {
        if self.connections.open.is_empty() {
            return Err(OrderError::NotConnected);
        }
        let (outgoing, shown): (Box<dyn Fn() -> Outgoing>, Value) = match frame {
            RawFrame::Text(text) => {
                let shown =
                    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
                (Box::new(move || Outgoing::Text(text.clone())), shown)
            }
            RawFrame::Binary(bytes) => {
                let bytes = Bytes::from(bytes);
                let shown = json!({ "bytes": bytes.len() });
                (Box::new(move || Outgoing::Binary(bytes.clone())), shown)
            }
            RawFrame::Padded(size) => {
                let text = padded(size);
                (Box::new(move || Outgoing::Text(text.clone())), json!({ "bytes": size }))
            }
        };
        for connection in &self.connections.open {
            connection.send(outgoing());
        }
        self.log(Entry::frame(Direction::Out, WireKind::Frame, "raw".to_owned(), shown));
        Ok(())
    }
}

/// A well-formed frame of exactly this size, if it is not too small to be one.
fn padded(size: usize) -> String {
    let frame = |padding: &str| {
        json!({
            "specVersion": "1.0",
            "type": "CALLBACK",
            "headers": { "topic": "/v1.0/im/bot/messages/get", "messageId": "padded", "contentType": "application/json" },
            "data": padding,
        })
        .to_string()
    };
    let envelope = frame("").len();
    frame(&"x".repeat(size.saturating_sub(envelope)))
}
