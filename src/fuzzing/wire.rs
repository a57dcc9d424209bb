//! What DingTalk sends, or somebody who says to be DingTalk.

use std::sync::LazyLock;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::config::{Config, Http, Secret};
use crate::dingtalk::{Ack, Callbacks, Client, Door, Forged, Shown};
use crate::dingtalk::{Frame, Received, receive, robot_message};
use crate::message::Inbound;
use crate::sim::EventKeys;

/// What comes over the Stream: whatever it is, it is read or refused, its acknowledgement names it, and what is read can
/// be kept.
pub fn frames(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(frame) = Frame::parse(&text) else { return };
    taken(receive(&frame).ok());
    let _ = (frame.topic(), frame.headers.time_ms());
    if let Some(id) = frame.headers.message_id() {
        let ack = Ack::ping(id, &frame.data).to_json();
        let read: Value = serde_json::from_str(&ack).expect("an acknowledgement is JSON");
        assert_eq!(read["headers"]["messageId"], *id, "the acknowledgement names another");
        assert_eq!(read["data"], *frame.data, "a ping comes back changed");
    }
}

/// The data of a message, as frames and callbacks bring it.
pub fn messages(data: &[u8]) {
    taken(robot_message(&String::from_utf8_lossy(data)).ok());
}

/// The journal keeps it as JSON, and the next host reads that.
fn taken(received: Option<Received>) {
    let Some(Received::Inbound(inbound)) = received else { return };
    let kept = serde_json::to_string(&inbound).expect("what is taken in can be kept");
    let read: Inbound = serde_json::from_str(&kept).expect("what is kept can be read");
    assert!(read == inbound, "the journal gives back something else: {kept}");
}

pub(super) const APP: &str = "fuzzed-app";
pub(super) const TOKEN: &str = "fuzzed-token";
/// A key as the developer console shows it.
pub(super) const AES_KEY: &str = "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789aBcDeFg";

pub(super) const APP_SECRET: &str = "fuzzed-app-secret";
pub(super) const CARD_SECRET: &str = "fuzzed-card-secret";

pub(super) fn settings() -> (Client, Http) {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        let mut config = Config::new("", "");
        APP.clone_into(&mut config.dingtalk.client_id);
        config.dingtalk.client_secret = Secret::new(APP_SECRET);
        Client::new(&config.dingtalk).expect("a client needs no network to be made")
    });
    let mut http = Config::new("", "").http;
    http.card_secret = Some(Secret::new(CARD_SECRET));
    http.token = Some(Secret::new(TOKEN));
    http.aes_key = Some(Secret::new(AES_KEY));
    (CLIENT.clone(), http)
}

static KEYS: LazyLock<Callbacks> = LazyLock::new(|| {
    let (client, http) = settings();
    Callbacks::new(client, &http).expect("keys are there")
});

/// A call in HTTP mode: what it shows in its first line (time, signature, nonce), its body in the rest. Proved or not, it is
/// read or refused.
pub fn callbacks(data: &[u8]) {
    let (head, body) =
        data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    let body = body.get(1..).unwrap_or_default();
    let mut parts = head.splitn(3, |byte| *byte == b' ');
    let mut part = || HeaderValue::from_bytes(parts.next().unwrap_or_default()).ok();
    let (Some(time), Some(signature), Some(nonce)) = (part(), part(), part()) else { return };
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let query = format!(
        "timestamp={}&msg_signature={}&nonce={}",
        text(&time),
        text(&signature),
        text(&nonce)
    );
    for door in Door::ALL {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("timestamp", &time),
            ("sign", &signature),
            ("x-ddpaas-signature-timestamp", &time),
            ("x-ddpaas-signature", &signature),
        ] {
            headers.insert(name, value.clone());
        }
        let Some(shown) = Shown::of(door, &headers, Some(&query)) else { continue };
        assert!(shown.time_ms().is_none_or(|time| time >= 0), "a time before there were computers");
        let _ = shown.proof();
        // Nobody guesses a signature.
        assert!(door == Door::Event || !KEYS.signs_time(door, &shown), "a forged signature");
        if let Ok(call) = KEYS.read(door, &shown, body) {
            assert_ne!(door, Door::Event, "a forged event");
            taken(call.received.ok());
        }
    }
}

/// What is behind the signature of an event, whose first byte says what the others are: the text in it, the bytes before
/// they are encrypted, the encrypted text, the body around it, or the key. What the simulator seals is opened, what it
/// could not have sealed is not, and the answer is sealed for DingTalk.
pub fn events(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let keys = EventKeys::new(TOKEN, AES_KEY, APP);
    let text = String::from_utf8_lossy(rest);
    match kind % 5 {
        0 => {
            let read = pushed(&KEYS, &keys, &keys.seal(&text));
            answered(&keys, &text, read.expect("what is sealed for this app is opened"));
            let other = EventKeys::new(TOKEN, AES_KEY, "another-app");
            let stray = pushed(&KEYS, &other, &other.seal(&text));
            assert!(stray.is_err(), "an event for another app was opened");
        }
        1 => {
            let said = plain_text(rest);
            match (pushed(&KEYS, &keys, &keys.encrypt(rest)), said) {
                (Ok(call), Some(said)) => answered(&keys, said, call),
                (Err(Forged), None) => {}
                (Ok(_), None) => panic!("what nobody seals so was opened"),
                (Err(Forged), Some(_)) => panic!("what is sealed for this app was refused"),
            }
        }
        2 => {
            if let Ok(call) = pushed(&KEYS, &keys, &text) {
                let said = keys.open(&text).expect("what is opened can be opened by others");
                answered(&keys, &said, call);
            }
        }
        3 => {
            let Ok(body) = serde_json::from_slice::<Value>(rest) else { return };
            let sealed = body.get("encrypt").and_then(Value::as_str).unwrap_or_default();
            let shown = signed(&keys, sealed);
            if let Ok(call) = KEYS.read(Door::Event, &shown, rest) {
                taken(call.received.ok());
            }
        }
        _ => {
            let (client, mut http) = settings();
            http.aes_key = Some(Secret::new(&*text));
            let Ok(opened) = Callbacks::new(client, &http) else { return };
            if !opened.is_open(Door::Event) {
                assert!(text.trim().is_empty(), "a key that opens no door and is not refused");
                return;
            }
            assert!(
                text.len() == 43
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b)),
                "`{text}` is no key"
            );
            let keys = EventKeys::new(TOKEN, &text, APP);
            let read = pushed(&opened, &keys, &keys.seal("{}"));
            answered(&keys, "{}", read.expect("a key opens what it seals"));
        }
    }
}

fn signed(keys: &EventKeys, sealed: &str) -> Shown {
    let (time, nonce) = ("1718000001000", "fuzzed-nonce");
    let signature = keys.sign(time, nonce, sealed);
    let query = format!("msg_signature={signature}&timestamp={time}&nonce={nonce}");
    Shown::of(Door::Event, &HeaderMap::new(), Some(&query)).expect("all of it is there, once")
}

fn pushed(
    callbacks: &Callbacks,
    keys: &EventKeys,
    sealed: &str,
) -> Result<crate::dingtalk::Callback, Forged> {
    let body = json!({ "encrypt": sealed }).to_string();
    callbacks.read(Door::Event, &signed(keys, sealed), body.as_bytes())
}

/// The answer opens at the other end and is signed, and what was said can be kept.
fn answered(keys: &EventKeys, said: &str, call: crate::dingtalk::Callback) {
    let answer: Value = serde_json::from_str(&call.answer).expect("an answer is JSON");
    let part = |name: &str| answer[name].as_str().expect("an answer has all its parts");
    let sealed = part("encrypt");
    let signature = keys.sign(part("timeStamp"), part("nonce"), sealed);
    assert_eq!(signature, part("msg_signature"), "the answer is not signed");
    let word = keys.open(sealed).expect("the other end opens the answer");
    assert!(word == "success" || said.contains("check_"), "answered with {word:?}");
    taken(call.received.ok());
}

/// What these bytes say once they are decrypted, read from the description: 16 random bytes, a length, so many bytes of
/// text, for whom it is, and 1 to 32 bytes of padding that each say how many.
fn plain_text(bytes: &[u8]) -> Option<&str> {
    let pad = usize::from(*bytes.last()?);
    let whole = bytes.len().is_multiple_of(16) && (1..=32).contains(&pad) && pad <= bytes.len();
    let (inside, padding) = whole.then(|| bytes.split_at(bytes.len() - pad))?;
    let length = u32::from_be_bytes(inside.get(16..20)?.try_into().ok()?);
    let text = inside[20..].get(..usize::try_from(length).ok()?)?;
    let is_ours = padding.iter().all(|byte| usize::from(*byte) == pad)
        && inside[20 + text.len()..] == *APP.as_bytes();
    is_ours.then(|| std::str::from_utf8(text).ok())?
}
