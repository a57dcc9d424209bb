//! DingTalk's calls in HTTP mode: what proves them, what they bring, and the answer to each.
//!
//! A message and a click show a signature over their time alone, so it is judged before anything else is read; an event is
//! signed and encrypted as a whole. Whether a time is too old, and whether a signature was seen before, is not known here.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::envelope::Envelope;
use super::inbound::{ParseError, Received, robot_message};
use super::sign;
use super::{action, event};
use crate::config::{Http, Secret};

/// A place that DingTalk calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// Messages to the robot.
    Robot,
    /// Events of the organisation.
    Event,
    /// Clicks on cards.
    Card,
}

impl Door {
    pub const ALL: [Self; 3] = [Self::Robot, Self::Event, Self::Card];

    /// The last part of its path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Robot => "robot",
            Self::Event => "event",
            Self::Card => "card",
        }
    }
}

/// Why no call could ever be proved.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("`dingtalk.client_secret` is empty, so that anybody could speak as DingTalk")]
    NoSecret,
    #[error("`http.aes_key` is no AES key of DingTalk's: 43 letters and digits")]
    AesKey,
}

/// The keys of one app, for each door that has them.
#[derive(Debug)]
pub struct Callbacks {
    /// Knows the app's secret as it is now: one that was renewed proves nothing any more.
    client: Client,
    events: Option<Events>,
    card: Option<Secret>,
}

#[derive(Debug)]
struct Events {
    token: Secret,
    envelope: Envelope,
}

/// What a call shows for itself; nothing of it is proved.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    timestamp: String,
    signature: String,
    /// Only events have one.
    nonce: String,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

/// Texts that are longer are none of DingTalk's.
const SHOWN_BYTES: usize = 128;

/// A call that is DingTalk's.
#[derive(Debug)]
pub struct Call {
    pub received: Result<Received, ParseError>,
    /// JSON, to be said once what was received is in safe hands.
    pub answer: String,
}

/// The signature does not fit, or what is signed is not for this app.
#[derive(Debug, PartialEq, Eq)]
pub struct Forged;

impl Callbacks {
    /// Doors whose secrets are missing or blank stay shut.
    ///
    /// # Errors
    /// Without a client secret nothing is opened at all.
    pub fn new(client: Client, http: &Http) -> Result<Self, KeyError> {
        if is_blank(client.client_secret().expose()) {
            return Err(KeyError::NoSecret);
        }
        let there = |secret: &Secret| !is_blank(secret.expose());
        let set = |secret: &Option<Secret>| secret.clone().filter(there);
        let events = match (set(&http.token), set(&http.aes_key)) {
            (Some(token), Some(key)) => {
                let envelope = Envelope::new(key.expose()).ok_or(KeyError::AesKey)?;
                Some(Events { token, envelope })
            }
            _ => None,
        };
        Ok(Self { client, events, card: set(&http.card_secret) })
    }

    /// The same with the keys of `http`.
    ///
    /// # Errors
    /// As [`Callbacks::new`].
    pub fn renewed(&self, http: &Http) -> Result<Self, KeyError> {
        Self::new(self.client.clone(), http)
    }

    pub fn is_open(&self, door: Door) -> bool {
        match door {
            Door::Robot => true,
            Door::Event => self.events.is_some(),
            Door::Card => self.card.is_some(),
        }
    }

    /// Whether the time that a call shows is signed. An event is signed as a whole: that is for [`Callbacks::read`].
    pub fn signs_time(&self, door: Door, shown: &Shown) -> bool {
        let secret = self.client.client_secret();
        let right = match (door, &self.card) {
            (Door::Robot, _) if is_blank(secret.expose()) => return false,
            (Door::Robot, _) => sign::of_robot(&shown.timestamp, secret.expose()),
            (Door::Card, Some(secret)) => sign::of_card(&shown.timestamp, secret.expose()),
            (Door::Card, None) => return false,
            (Door::Event, _) => return true,
        };
        sign::is_same(&shown.signature, &right)
    }

    /// Reads a call whose time is signed.
    ///
    /// # Errors
    /// [`Forged`] for an event that is not DingTalk's or not for this app.
    pub fn read(&self, door: Door, shown: &Shown, body: &[u8]) -> Result<Call, Forged> {
        let text = std::str::from_utf8(body).map_err(|_| ParseError::NotAnObject);
        match (door, &self.events) {
            (Door::Robot, _) => {
                let answer = json!({ "msgtype": "empty" }).to_string();
                Ok(Call { received: text.and_then(robot_message), answer })
            }
            (Door::Card, _) => {
                let received = text.and_then(|text| action::read(text, &shown.timestamp));
                Ok(Call { received, answer: "{}".to_owned() })
            }
            (Door::Event, Some(events)) => {
                let text = text.map_err(|_| Forged)?;
                let body: Value = serde_json::from_str(text).map_err(|_| Forged)?;
                let sealed = body.get("encrypt").and_then(Value::as_str).ok_or(Forged)?;
                let plain = events.open(shown, sealed, self.client.client_id()).ok_or(Forged)?;
                let said = event::answer_to(&plain);
                let answer = events.seal(&said, self.client.client_id());
                Ok(Call { received: event::read_flat(&plain), answer })
            }
            (Door::Event, None) => Err(Forged),
        }
    }
}

impl Events {
    fn open(&self, shown: &Shown, sealed: &str, owner: &str) -> Option<String> {
        let right = sign::of_event(self.token.expose(), &shown.timestamp, &shown.nonce, sealed);
        // Not opened before it is known to be DingTalk's: what others sealed tells nothing about the key.
        sign::is_same(&shown.signature, &right).then(|| self.envelope.open(sealed, owner))?
    }

    fn seal(&self, text: &str, owner: &str) -> String {
        let sealed = self.envelope.seal(text, owner);
        let timestamp = super::inbound::now_ms().to_string();
        let nonce: String = uuid::Uuid::new_v4().simple().to_string()[..16].to_owned();
        let signature = sign::of_event(self.token.expose(), &timestamp, &nonce, &sealed);
        json!({ "msg_signature": signature, "timeStamp": timestamp, "nonce": nonce, "encrypt": sealed })
            .to_string()
    }
}

impl Shown {
    /// What a call shows at this door; `None`: not all of it, or something twice.
    pub fn of(door: Door, headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        let header = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let (Some(value), None) = (values.next(), values.next()) else { return None };
            value.to_str().ok().map(str::to_owned)
        };
        let (timestamp, signature, nonce) = match door {
            Door::Robot => (header("timestamp")?, header("sign")?, String::new()),
            Door::Card => (
                header("x-ddpaas-signature-timestamp")?,
                header("x-ddpaas-signature")?,
                String::new(),
            ),
            Door::Event => {
                let query = pairs(query?)?;
                // Older deployments say `signature`, and some spell the time in another way.
                let one = |names: [&str; 2]| {
                    names.iter().find_map(|name| query.get(*name)?.as_str().map(str::to_owned))
                };
                let signature = one(["msg_signature", "signature"])?;
                (one(["timestamp", "timeStamp"])?, signature, one(["nonce", "nonce"])?)
            }
        };
        let shown = Self { timestamp, signature, nonce };
        let fits = |text: &String| text.len() <= SHOWN_BYTES;
        let all_fit = [&shown.timestamp, &shown.signature, &shown.nonce].into_iter().all(fits);
        all_fit.then_some(shown)
    }

    /// The time in Unix milliseconds, if that is what it shows: digits, as many as such a time has.
    pub fn time_ms(&self) -> Option<i64> {
        if !self.timestamp.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let time: i64 = self.timestamp.parse().ok()?;
        match self.timestamp.len() {
            13 => Some(time),
            // In samples, events come with seconds.
            10 if !self.nonce.is_empty() => Some(time * 1_000),
            _ => None,
        }
    }

    /// What is good for one body: the signature, or of an event, whose signature covers its body, the time and the nonce.
    pub fn proof(&self) -> String {
        if self.nonce.is_empty() {
            return self.signature.clone();
        }
        format!("{}\u{1f}{}", self.timestamp, self.nonce)
    }
}

/// What is checked with a blank secret is proved by anybody.
fn is_blank(secret: &str) -> bool {
    secret.trim().is_empty()
}

/// The pairs of a query; `None`: one of them stands there twice.
fn pairs(query: &str) -> Option<Map<String, Value>> {
    let mut pairs = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if pairs.insert(name.into_owned(), value.into()).is_some() {
            return None;
        }
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::message::Inbound;

    fn fixture(name: &str) -> Value {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn callbacks(client_id: &str, change: impl FnOnce(&mut Http)) -> Callbacks {
        let mut config = crate::config::Config::new("", "");
        client_id.clone_into(&mut config.dingtalk.client_id);
        config.dingtalk.client_secret = Secret::new("fixture-app-secret");
        change(&mut config.http);
        Callbacks::new(Client::new(&config.dingtalk).unwrap(), &config.http).unwrap()
    }

    fn shown(door: Door, push: &Value) -> Shown {
        let headers: HeaderMap = push["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.to_lowercase().as_bytes()).unwrap(),
                    HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
                )
            })
            .collect();
        let query = push["query"].as_object().unwrap().iter();
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query.map(|(name, value)| (name, value.as_str().unwrap())))
            .finish();
        Shown::of(door, &headers, Some(&query)).unwrap()
    }

    #[test]
    fn the_captured_event_is_proved_opened_and_answered() {
        let push = fixture("http_event_push");
        let keys = &fixture("crypto_vectors")["event_crypto"];
        let text = |name: &str| keys[name].as_str().unwrap();
        let callbacks = callbacks(text("ownerKey"), |http| {
            http.token = Some(Secret::new(text("token")));
            http.aes_key = Some(Secret::new(text("aesKey")));
        });
        let shown = shown(Door::Event, &push);
        assert_eq!(shown.time_ms(), Some(1_718_000_001_000));
        let body = push["body"].to_string();
        let call = callbacks.read(Door::Event, &shown, body.as_bytes()).unwrap();
        assert_eq!(call.received, Ok(Received::Ignored));
        // The answer is sealed as a call of DingTalk's is: what opens the one opens the other.
        let answer: Value = serde_json::from_str(&call.answer).unwrap();
        let part = |name: &str| answer[name].as_str().unwrap().to_owned();
        let back = Shown {
            timestamp: part("timeStamp"),
            signature: part("msg_signature"),
            nonce: part("nonce"),
        };
        let events = callbacks.events.as_ref().unwrap();
        let said = events.open(&back, &part("encrypt"), text("ownerKey"));
        assert_eq!(said.as_deref(), Some("success"));
        // One letter of anything else, and it is nobody's.
        let forged = |shown: Shown| {
            assert_eq!(callbacks.read(Door::Event, &shown, body.as_bytes()).err(), Some(Forged));
        };
        forged(Shown { timestamp: "1718000001001".to_owned(), ..shown.clone() });
        forged(Shown { nonce: "nonceAAA2".to_owned(), ..shown.clone() });
        forged(Shown { signature: shown.signature.to_uppercase(), ..shown.clone() });
        for body in ["", "{}", "[]", r#"{"encrypt":7}"#, r#"{"encrypt":""}"#] {
            let read = callbacks.read(Door::Event, &shown, body.as_bytes());
            assert_eq!(read.err(), Some(Forged), "{body}");
        }
    }

    #[test]
    fn a_captured_click_is_proved_and_read() {
        let push = fixture("http_card_callback");
        let callbacks = callbacks("ding", |http| {
            http.card_secret = Some(Secret::new("card-api-secret-for-tests"));
        });
        let shown = shown(Door::Card, &push);
        assert!(callbacks.signs_time(Door::Card, &shown));
        let call = callbacks.read(Door::Card, &shown, push["body"].to_string().as_bytes()).unwrap();
        let Ok(Received::Inbound(Inbound::CardAction(action))) = call.received else {
            panic!("{call:?}")
        };
        assert_eq!(action.action_ids, ["btn_approve"]);
        assert_eq!(call.answer, "{}");
        assert!(!callbacks.signs_time(Door::Robot, &shown));
    }

    #[test]
    fn a_captured_message_reads_as_over_the_stream() {
        let push = fixture("http_robot_message");
        let shown = shown(Door::Robot, &push);
        let call = callbacks("ding", |_| {})
            .read(Door::Robot, &shown, push["body"].to_string().as_bytes())
            .unwrap();
        assert_eq!(call.answer, fixture("http_robot_reply_empty")["body"].to_string());
        assert_eq!(call.received, robot_message(&push["body"].to_string()));
        assert!(matches!(call.received, Ok(Received::Inbound(Inbound::Message(_)))));
    }

    #[test]
    fn a_time_is_thirteen_digits_and_nothing_else() {
        let time = |timestamp: &str| {
            let shown = Shown {
                timestamp: timestamp.to_owned(),
                signature: String::new(),
                nonce: String::new(),
            };
            shown.time_ms()
        };
        assert_eq!(time("1718000001000"), Some(1_718_000_001_000));
        for wrong in [
            "",
            "1718000001",
            "-718000001000",
            "+718000001000",
            "1718000001000.0",
            "1e12",
            " 1718000001000",
            "1718000001000 ",
            "17180000010000",
            "999999999999999999999",
            "1_718_000_001",
            "١٧١٨٠٠٠٠٠١٠٠٠",
            "0x18c50000000",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn without_a_secret_nothing_opens_and_a_blank_one_opens_no_door() {
        let mut config = crate::config::Config::new("", "");
        for blank in ["", " ", "\n"] {
            config.dingtalk.client_secret = Secret::new(blank);
            let client = Client::new(&config.dingtalk).unwrap();
            let keys = Callbacks::new(client, &config.http);
            assert!(matches!(keys, Err(KeyError::NoSecret)), "{blank:?}");
        }
        let shut = callbacks("ding", |http| {
            http.token = Some(Secret::new(" "));
            http.aes_key = Some(Secret::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"));
            http.card_secret = Some(Secret::new(""));
        });
        assert!(
            shut.is_open(Door::Robot) && !shut.is_open(Door::Event) && !shut.is_open(Door::Card)
        );
        let shown = Shown {
            timestamp: "1718000000456".to_owned(),
            signature: sign::of_card("1718000000456", ""),
            nonce: String::new(),
        };
        assert!(!shut.signs_time(Door::Card, &shown));
    }
}
