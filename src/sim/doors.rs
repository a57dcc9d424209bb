//! An app in HTTP mode: where it wants to be called, and the calls that are made to it, honest and crooked.
//!
//! State and orders only; the calls themselves are made in `caller.rs`.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::connections::Push;
use super::connections::PushKind;
use super::connections::TOPIC_BOT;
use super::connections::TOPIC_CARD;
use super::error::OrderError;
use super::now_ms;
use super::seal;
use super::seal::EventKeys;
use super::world::World;

/// How the app is told of things: the body of `POST /sim/api/app`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum App {
    /// Over the connections that it opens.
    #[default]
    Stream,
    /// By calls to these addresses, on this computer only.
    Http {
        robot: String,
        #[serde(default)]
        event: Option<String>,
        #[serde(default)]
        token: String,
        #[serde(default)]
        aes_key: String,
    },
}

/// A door of the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    #[default]
    Robot,
    Event,
    Card,
}

/// A call that DingTalk would not make: the body of `POST /sim/api/crooked`. It is made of the last honest one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crooked {
    #[serde(default)]
    pub door: Door,
    pub how: Crook,
    /// What it says instead.
    #[serde(default)]
    pub data: Option<Value>,
}

/// What is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crook {
    /// The same once more, byte by byte.
    #[default]
    Replayed,
    /// The signature of the last one over something else.
    OtherBody,
    /// Signed with another secret.
    Forged,
    /// Signed so many milliseconds ago, or ahead if negative.
    Late(i64),
    /// Signed well, and this instead of JSON.
    Malformed(String),
}

/// What the app answered to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub status: u16,
    pub body: String,
}

/// One call, ready to be made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) door: Door,
    pub(super) url: Url,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    /// What it says, before it was sealed: for the log.
    pub(super) said: Value,
    pub(super) keys: Option<EventKeys>,
}

/// Where clicks on a card go, as it was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) url: String,
    pub(super) secret: String,
}

/// With what a call is made.
struct Ink<'a> {
    timestamp: String,
    secret: Option<&'a str>,
}

/// The time of a call, each later than the one before: two in one millisecond carry one signature, and whoever takes a
/// signature for one body alone refuses the second. Here nobody's test depends on that.
fn stamp() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = now_ms();
    let later = |last: i64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).unwrap_or_default();
    now.max(last + 1)
}

impl Ink<'_> {
    fn honest() -> Self {
        Self { timestamp: stamp().to_string(), secret: None }
    }
}

impl World {
    /// From now on the app is told of things so.
    pub(super) fn set_app(&mut self, mode: App) -> Result<(), OrderError> {
        if let App::Http { robot, event, .. } = &mode {
            for url in std::iter::once(robot).chain(event) {
                on_this_computer(url)?;
            }
        }
        self.mode = mode;
        self.reached = true;
        self.announce_connection();
        Ok(())
    }

    /// The call that tells of `push`; `None`: it goes over a connection.
    pub(super) fn call_for(&self, push: &Push) -> Option<Call> {
        let (door, data) = match (push.kind, push.topic.as_str()) {
            (PushKind::Callback, TOPIC_CARD) if push.route.is_some() => {
                (Door::Card, push.data.clone())
            }
            (PushKind::Callback, TOPIC_BOT) if self.mode != App::Stream => {
                (Door::Robot, push.data.clone())
            }
            (PushKind::Event, _) if self.mode != App::Stream => (Door::Event, flat(push)),
            _ => return None,
        };
        self.call(door, push.route.as_ref(), &data, &Ink::honest())
    }

    /// Whether nothing of this app comes over connections.
    pub(super) fn is_called(&self) -> bool {
        self.mode != App::Stream
    }

    fn call(&self, door: Door, route: Option<&Route>, data: &str, ink: &Ink) -> Option<Call> {
        let said = serde_json::from_str(data).unwrap_or_else(|_| Value::from(data));
        let stamp = ink.timestamp.clone();
        let kind = ("content-type", "application/json; charset=utf-8".to_owned());
        match (door, &self.mode) {
            (Door::Robot, App::Http { robot, .. }) => {
                let secret = ink.secret.unwrap_or(&self.app.client_secret);
                let sign = seal::robot_sign(&stamp, secret);
                let headers = vec![kind, ("timestamp", stamp), ("sign", sign)];
                let url = robot.parse().ok()?;
                Some(Call { door, url, headers, body: data.to_owned(), said, keys: None })
            }
            (Door::Event, App::Http { event: Some(event), token, aes_key, .. }) => {
                let keys = EventKeys {
                    token: ink.secret.unwrap_or(token).to_owned(),
                    aes_key: aes_key.clone(),
                    owner: self.app.client_id.clone(),
                };
                let nonce = Uuid::new_v4().simple().to_string()[..16].to_owned();
                let sealed = keys.seal(data);
                let mut url: Url = event.parse().ok()?;
                url.query_pairs_mut()
                    .append_pair("msg_signature", &keys.sign(&stamp, &nonce, &sealed))
                    .append_pair("timestamp", &stamp)
                    .append_pair("nonce", &nonce);
                let body = json!({ "encrypt": sealed }).to_string();
                Some(Call { door, url, headers: vec![kind], body, said, keys: Some(keys) })
            }
            (Door::Card, _) => {
                let route = route?;
                let secret = ink.secret.unwrap_or(&route.secret);
                let sign = seal::card_sign(&stamp, secret);
                let headers = vec![
                    kind,
                    ("x-ddpaas-signature-timestamp", stamp),
                    ("x-ddpaas-signature", sign),
                ];
                let url = route.url.parse().ok()?;
                Some(Call { door, url, headers, body: data.to_owned(), said, keys: None })
            }
            _ => None,
        }
    }

    /// A crooked call, made of the last honest one at that door.
    pub(super) fn crooked(&self, order: &Crooked) -> Result<Call, OrderError> {
        let last = self.last_calls.get(&order.door).ok_or(OrderError::NotCalledYet)?;
        let data = match (&order.data, &order.how) {
            (Some(data), _) => data.clone(),
            (None, Crook::OtherBody) => unlike(&last.said),
            (None, _) => last.said.clone(),
        };
        let data = data.to_string();
        let route = self.callback_routes.values().next().cloned();
        let made = |data: &str, ink: &Ink| {
            let call = self.call(order.door, route.as_ref(), data, ink);
            call.ok_or(OrderError::NotCalledYet)
        };
        let at = |ago_ms: i64| (now_ms() - ago_ms).to_string();
        match &order.how {
            Crook::Replayed => Ok(last.clone()),
            Crook::OtherBody => {
                let made = made(&data, &Ink::honest())?;
                Ok(Call { body: made.body, said: made.said, ..last.clone() })
            }
            Crook::Forged => made(&data, &Ink { secret: Some("not-the-secret"), ..Ink::honest() }),
            Crook::Late(ago_ms) => made(&data, &Ink { timestamp: at(*ago_ms), secret: None }),
            Crook::Malformed(body) => made(body, &Ink::honest()),
        }
    }
}

/// Says the same as `said`, in another body.
fn unlike(said: &Value) -> Value {
    let mut other = said.clone();
    if let Value::Object(fields) = &mut other {
        fields.insert("otherBody".to_owned(), Value::Bool(true));
    }
    other
}

/// Real bots are never called from here.
fn on_this_computer(url: &str) -> Result<(), OrderError> {
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let local = parsed.as_ref().and_then(Url::host).is_some_and(|host| match host {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
    });
    if local { Ok(()) } else { Err(OrderError::NotHere { url: url.to_owned() }) }
}

/// An event as it is called out: what stands in the headers of a frame stands beside the fields.
fn flat(push: &Push) -> String {
    let mut data: Value = serde_json::from_str(&push.data).unwrap_or_default();
    let header = |name: &str| push.headers.get(name).cloned().unwrap_or_default();
    let Some(fields) = data.as_object_mut() else { return push.data.clone() };
    if header("eventType").as_str().is_some_and(|kind| kind.starts_with("robot_msg_")) {
        *fields = std::mem::take(fields)
            .into_iter()
            .map(|(name, value)| {
                let (first, rest) = name.split_at(name.len().min(1));
                (format!("{}{rest}", first.to_uppercase()), value)
            })
            .collect();
    }
    let born = header("eventBornTime").as_str().and_then(|born| born.parse::<i64>().ok());
    fields.insert("EventType".to_owned(), header("eventType"));
    fields.insert("EventTime".to_owned(), json!(born));
    fields.insert("CorpId".to_owned(), header("eventCorpId"));
    fields.insert("BizId".to_owned(), header("eventBornTime"));
    fields.insert("eventId".to_owned(), header("eventId"));
    data.to_string()
}
