//! The whole state of one simulated DingTalk, and the operations that change several parts of it at once.
//!
//! One value behind one short-lived lock: nothing here waits. What changes is published to the page and to tests in
//! the same breath, so nobody ever sees a state that no event announced.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tokio::sync::Notify;
use tokio::sync::broadcast;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::apps::App;
use super::caller::Outbound;
use super::cards::Card;
use super::connections;
use super::connections::Ack;
use super::connections::Connections;
use super::connections::Outgoing;
use super::connections::Push;
use super::connections::PushKind;
use super::connections::Sent;
use super::connections::TOPIC_CARD;
use super::doors;
use super::doors::Call;
use super::doors::Door;
use super::doors::Route;
use super::faults;
use super::faults::ActiveFaults;
use super::faults::FaultOrder;
use super::files::Files;
use super::messages::Messages;
use super::messages::StoredMessage;
use super::millis;
use super::now_ms;
use super::options::Options;
use super::people::Organisation;
use super::registration::Registrations;
use super::templates::Template;
use super::view;
use super::view::Change;
use super::view::Direction;
use super::view::WireKind;
use super::wire::Entry;
use super::wire::WireLog;

/// Live changes that a slow page may lag behind; past that it is sent the whole state again.
const CHANGES: usize = 1_024;

#[derive(Debug)]
pub(super) struct World {
    pub(super) options: Options,
    /// `http://127.0.0.1:port`.
    pub(super) base_url: String,
    pub(super) organisation: Organisation,
    pub(super) app: App,
    pub(super) messages: Messages,
    pub(super) cards: BTreeMap<String, Card>,
    pub(super) templates: Vec<Template>,
    pub(super) files: Files,
    pub(super) connections: Connections,
    pub(super) faults: ActiveFaults,
    pub(super) registrations: Registrations,
    pub(super) counters: view::Counters,
    pub(super) callback_routes: BTreeMap<String, Route>,
    /// Stream or HTTP.
    pub(super) mode: doors::App,
    /// The last one at each door that was answered well.
    pub(super) last_calls: BTreeMap<Door, Call>,
    /// Whether the last call found somebody.
    pub(super) reached: bool,
    calls: mpsc::Sender<Outbound>,
    wire: WireLog,
    changes: broadcast::Sender<Change>,
    revision: watch::Sender<u64>,
    redelivery: Arc<Notify>,
}

impl World {
    pub(super) fn new(
        options: Options,
        base_url: String,
        redelivery: Arc<Notify>,
        calls: mpsc::Sender<Outbound>,
    ) -> Self {
        Self {
            base_url,
            organisation: Organisation::new(&options),
            app: App::new(&options),
            messages: Messages::new(options.limits.messages),
            cards: BTreeMap::new(),
            templates: Template::public().chain(options.templates.iter().cloned()).collect(),
            files: Files::default(),
            connections: Connections::default(),
            faults: ActiveFaults::default(),
            registrations: Registrations::default(),
            counters: view::Counters::default(),
            callback_routes: BTreeMap::new(),
            mode: doors::App::default(),
            last_calls: BTreeMap::new(),
            reached: true,
            calls,
            wire: WireLog::new(options.limits.wire_lines),
            changes: broadcast::Sender::new(CHANGES),
            revision: watch::Sender::new(0),
            redelivery,
            options,
        }
    }

    // ---- What can be seen ----

    pub(super) fn state(&self) -> view::State {
        let media = self.files.media_urls();
        view::State {
            bot: self.bot(),
            people: self.organisation.people.iter().map(super::people::Person::view).collect(),
            chats: self.organisation.chats.clone(),
            messages: self.messages.iter().map(|message| message.view.clone()).collect(),
            cards: self.cards.values().map(|card| card.view(&media)).collect(),
            faults: self.faults.clone(),
            counters: self.counters.clone(),
        }
    }

    pub(super) fn bot(&self) -> view::Bot {
        view::Bot {
            name: self.options.bot_name.clone(),
            client_id: self.app.client_id.clone(),
            connected: if self.is_called() {
                self.reached
            } else {
                self.connections.takes_messages()
            },
            connections: self.connections.open.len(),
        }
    }

    pub(super) fn wire_after(&self, seq: u64) -> Vec<view::Wire> {
        self.wire.after(seq)
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    pub(super) fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    // ---- Publishing ----

    /// Announces a change. The value is only built when somebody looks.
    pub(super) fn announce(&self, change: impl FnOnce(&Self) -> Change) {
        if self.changes.receiver_count() > 0 {
            // An error means that the last page has just gone.
            let _ = self.changes.send(change(self));
        }
        self.revision.send_modify(|revision| *revision += 1);
    }

    pub(super) fn log(&mut self, entry: Entry) {
        let line = self.wire.push(entry);
        if self.changes.receiver_count() > 0 {
            let _ = self.changes.send(Change::Wire(line.clone()));
        }
        self.revision.send_modify(|revision| *revision += 1);
    }

    pub(super) fn add_message(&mut self, message: StoredMessage) {
        let view = message.view.clone();
        self.messages.push(message);
        self.announce(|_| Change::Message(view));
    }

    pub(super) fn announce_message(&self, id: &str) {
        if let Some(message) = self.messages.get(id) {
            self.announce(|_| Change::Message(message.view.clone()));
        }
    }

    pub(super) fn announce_card(&self, id: &str) {
        if let Some(card) = self.cards.get(id) {
            self.announce(|world| Change::Card(card.view(&world.files.media_urls())));
        }
    }

    pub(super) fn announce_connection(&self) {
        self.announce(|world| Change::Connection(world.bot()));
    }

    // ---- Pushing frames ----

    /// Tells the bot something, subject to the armed faults and the monthly budget.
    pub(super) fn push(&mut self, mut push: Push) {
        self.counters.pushes += 1;
        if self.options.limits.monthly_pushes.is_some_and(|limit| self.counters.pushes > limit) {
            push.data = quota_exceeded(&push);
        }
        if faults::take(&mut self.faults.drop) {
            self.counters.dropped += 1;
            self.announce(|world| Change::State(Box::new(world.state())));
            return;
        }
        let is_click = push.topic == TOPIC_CARD;
        let id = self.connections.add_push(push);
        if faults::take(&mut self.faults.reorder) {
            self.connections.held.push(id);
            if self.faults.reorder == 0 {
                for id in std::mem::take(&mut self.connections.held).into_iter().rev() {
                    self.deliver(id);
                }
            }
            return;
        }
        let twice =
            faults::take(&mut self.faults.duplicate) || (is_click && self.faults.duplicate_clicks);
        if twice {
            self.send_push(id);
        }
        self.deliver(id);
    }

    /// Sends what has not been answered in time once more, under a new messageId.
    pub(super) fn redeliver_due(&mut self) {
        for id in self.connections.due() {
            self.counters.redelivered += 1;
            self.deliver(id);
        }
    }

    fn deliver(&mut self, id: u64) {
        self.send_push(id);
        self.forget_if_over(id);
        self.redelivery.notify_one();
    }

    fn send_push(&mut self, id: u64) {
        let clocks = &self.options.clocks;
        let Some(push) = self.connections.pushes.get_mut(&id) else { return };
        push.attempts += 1;
        // Clicks are not pushed again: their reader has long seen them fail.
        let again = push.answer.is_none()
            && push.topic != TOPIC_CARD
            && push.attempts <= clocks.redelivery_attempts;
        push.due_ms = clocks.redelivery.filter(|_| again).map(|delay| now_ms() + millis(delay));
        let push = &self.connections.pushes[&id];
        if let Some(call) = self.call_for(push) {
            // One that finds no room is made again when it is due.
            let _ = self.calls.try_send(Outbound { push: id, call });
            return;
        }
        let Some(connection) = self.connections.choose(push.kind, &push.topic) else { return };
        let message_id = connections::new_message_id();
        let frame = connections::frame(push, &connection.id, &message_id);
        let sent = Sent {
            connection: connection.id.clone(),
            push: Some(id),
            topic: push.topic.clone(),
            ping: None,
        };
        if !self.faults.zombie {
            connection.send(Outgoing::Text(frame.to_string()));
        }
        let summary = match push.headers.get("eventType").and_then(Value::as_str) {
            Some(event) => format!("EVENT {event}"),
            None => format!("{} {}", push.kind.as_str(), push.topic),
        };
        let lost = if self.faults.zombie { " (swallowed)" } else { "" };
        self.connections.remember(message_id, sent);
        self.log(Entry::frame(Direction::Out, WireKind::Frame, format!("{summary}{lost}"), frame));
    }

    /// A push that will not be repeated, and that nobody waits for, is done with.
    fn forget_if_over(&mut self, id: u64) {
        if self
            .connections
            .pushes
            .get(&id)
            .is_some_and(|push| push.due_ms.is_none() && push.answer.is_none())
        {
            self.connections.pushes.remove(&id);
        }
    }

    /// Sends a SYSTEM frame on one connection.
    pub(super) fn system(&mut self, connection: &str, topic: &str, data: &Value, with_id: bool) {
        let Some(open) = self.connections.get(connection) else { return };
        if self.faults.zombie {
            return;
        }
        let message_id = with_id.then(connections::new_message_id);
        let frame = connections::system_frame(topic, message_id.as_deref(), data);
        open.send(Outgoing::Text(frame.to_string()));
        if let Some(message_id) = message_id {
            let ping = (topic == "ping").then(|| data.clone());
            let sent = Sent {
                connection: connection.to_owned(),
                push: None,
                topic: topic.to_owned(),
                ping,
            };
            self.connections.remember(message_id, sent);
        }
        self.log(Entry::frame(Direction::Out, WireKind::Frame, format!("SYSTEM {topic}"), frame));
    }

    // ---- Answers on the socket ----

    pub(super) fn ack(&mut self, connection: &str, text: &str) {
        let (ack, value) = match Ack::read(text) {
            Ok(read) => read,
            Err((why, value)) => return self.bad_ack(&why, value),
        };
        let Some(sent) = self.connections.sent(&ack.message_id).cloned() else {
            return self
                .bad_ack(&format!("no frame has the messageId `{}`", ack.message_id), value);
        };
        if sent.connection != connection {
            return self.bad_ack("answered on another connection than the frame came on", value);
        }
        if sent.ping.as_ref().is_some_and(|data| *data != ack.data) {
            return self.bad_ack("a ping is answered with its own data", value);
        }
        if sent.topic == TOPIC_CARD
            && ack.code == 200
            && !ack.data.get("response").is_some_and(Value::is_object)
        {
            return self.bad_ack("a card callback is answered with `{\"response\": {…}}`", value);
        }
        self.counters.acks += 1;
        let summary = format!("ack {} {}", ack.code, sent.topic);
        self.log(Entry::frame(Direction::In, WireKind::Ack, summary, value));
        if let Some(push) = sent.push {
            self.settle(push, &ack);
        }
    }

    fn settle(&mut self, id: u64, ack: &Ack) {
        let Some(push) = self.connections.pushes.get(&id) else { return };
        let status = ack.data.get("status").and_then(Value::as_str);
        let later = push.kind == PushKind::Event
            && (status == Some("LATER") || (status.is_none() && ack.code == 500));
        if later {
            return;
        }
        if let Some(answer) = self.connections.pushes.remove(&id).and_then(|push| push.answer) {
            // Nobody waits any more once the two seconds are over.
            let _ = answer.send(ack.data.get("response").cloned().unwrap_or_default());
        }
    }

    pub(super) fn bad_ack(&mut self, why: &str, body: Value) {
        self.counters.bad_acks += 1;
        self.log(Entry::frame(Direction::In, WireKind::Ack, format!("bad answer: {why}"), body));
    }

    // ---- Faults ----

    /// Arms what an order arms and does what it asks for at once.
    pub(super) fn order_faults(&mut self, order: &FaultOrder) {
        self.faults.arm(order);
        if self.faults.reorder == 0 {
            for id in std::mem::take(&mut self.connections.held).into_iter().rev() {
                self.deliver(id);
            }
        }
        if order.expire_tokens {
            self.app.expire_tokens();
        }
        if let Some(secret) = &order.client_secret {
            self.app.renew_secret(secret.clone());
        }
        if order.expire_webhooks {
            self.messages.expire_sessions();
        }
        if order.expire_codes {
            self.files.expire_codes();
        }
        if let Some(reason) = order.disconnect.as_deref().or(order.disconnect_minimal.as_deref()) {
            self.disconnect_all(reason, order.disconnect_minimal.is_none());
        }
        if order.close {
            for connection in &self.connections.open {
                connection.send(Outgoing::Cut);
            }
        }
        self.announce(|world| Change::State(Box::new(world.state())));
    }

    pub(super) fn disconnect_all(&mut self, reason: &str, with_id: bool) {
        let silence = self.options.clocks.disconnect;
        let ids: Vec<String> =
            self.connections.open.iter().map(|connection| connection.id.clone()).collect();
        for id in ids {
            self.system(&id, "disconnect", &json!({ "reason": reason }), with_id);
        }
        for connection in &mut self.connections.open {
            connection.draining = true;
            connection.send(Outgoing::CloseAfter(silence));
        }
        self.announce_connection();
    }
}

/// What arrives instead of the message once the monthly budget is used up (protocol C.9).
fn quota_exceeded(push: &Push) -> String {
    const TEXT: &str = "受调用量超量影响，当前我的消息服务已经暂停。";
    if push.kind == PushKind::Event {
        return json!({ "errCode": "20001", "errMsg": TEXT }).to_string();
    }
    let mut data: Value = serde_json::from_str(&push.data).unwrap_or_default();
    if let Some(object) = data.as_object_mut() {
        object.remove("text");
        object.remove("content");
        object.insert("errorCode".to_owned(), json!("20001"));
        object.insert("errorMessage".to_owned(), json!(TEXT));
    }
    data.to_string()
}
