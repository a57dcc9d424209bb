//! What hostile bytes are thrown at: the ways to functions that read what others wrote, each with what must hold whatever
//! comes. For `fuzz/` and for the test that replays its corpus; nothing else calls this.

use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;

use chrono::NaiveDate;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::access::Terms;
use crate::api;
use crate::config::{Config, Secret};
use crate::dingtalk::text;
use crate::dingtalk::{Callbacks, Client, Door, Shown};
use crate::dingtalk::{Frame, Received, receive, robot_message};
use crate::message::Body;
use crate::outbox;
use crate::router::{Asked, Choice, Command, Handler, Help, Kind, Place, Routes};
use crate::sink;
use crate::words::Lang;

/// A target: its name, as in `fuzz/corpus/NAME`, and what is behind it.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("frames", frames),
    ("messages", messages),
    ("callbacks", callbacks),
    ("commands", commands),
    ("texts", texts),
    ("cards", cards),
    ("paths", paths),
    ("secrets", secrets),
];

/// What comes over the Stream: whatever it is, it is read or refused, and what is read can be kept.
pub fn frames(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(frame) = Frame::parse(&text) {
        taken(receive(&frame).ok());
        let _ = (frame.topic(), frame.headers.message_id(), frame.headers.time_ms());
    }
}

/// The data of a message, as frames and callbacks bring it.
pub fn messages(data: &[u8]) {
    taken(robot_message(&String::from_utf8_lossy(data)).ok());
}

/// A call in HTTP mode: what it shows in its first line (time, signature, nonce), its body in the rest. Proved or not, it is
/// read or refused.
pub fn callbacks(data: &[u8]) {
    static KEYS: LazyLock<Callbacks> = LazyLock::new(|| {
        let mut config = Config::new("", "");
        config.dingtalk.client_secret = Secret::new("fuzzed-app-secret");
        config.http.card_secret = Some(Secret::new("fuzzed-card-secret"));
        config.http.token = Some(Secret::new("fuzzed-token"));
        config.http.aes_key = Some(Secret::new("a".repeat(43)));
        let client = Client::new(&config.dingtalk).expect("a client needs no network to be made");
        Callbacks::new(client, &config.http).expect("keys are there")
    });
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (head, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
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
        let _ = (shown.time_ms(), shown.proof());
        // Nobody guesses a signature.
        assert!(door == Door::Event || !KEYS.signs_time(door, &shown), "a forged signature");
        if let Ok(call) = KEYS.read(door, &shown, body) {
            assert_ne!(door, Door::Event, "a forged event");
            taken(call.received.ok());
        }
    }
}

/// The journal keeps it as JSON, and the next host reads that.
fn taken(received: Option<Received>) {
    let Some(Received::Inbound(inbound)) = received else { return };
    let kept = serde_json::to_string(&inbound).expect("what is taken in can be kept");
    let read: crate::message::Inbound =
        serde_json::from_str(&kept).expect("what is kept can be read");
    let value = |inbound| serde_json::to_value(inbound).expect("what is taken in is JSON");
    assert!(is_same(&value(&read), &value(&inbound)), "the journal gives back something else");
}

/// But for the last digit of a fraction or of a number beyond 64 bits, which JSON does not keep.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (Some(one), Some(other)) = (one.as_f64(), other.as_f64()) else { return false };
            one.to_bits() == other.to_bits() || ((one - other) / other).abs() < 1e-14
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| is_same(one, other)))
        }
        (one, other) => one == other,
    }
}

/// A declaration in the first line, what somebody types in the rest.
pub fn commands(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (declaration, typed) = text.split_once('\n').unwrap_or((&text, ""));
    let command = match Command::parse(declaration) {
        Ok(command) => command,
        Err(error) => {
            let _ = (error.to_string(), error.caret());
            return;
        }
    };
    let _ = command.usage();
    let handler = Handler {
        id: 0_u32,
        kind: Kind::Command(command),
        priority: 0,
        place: Place { script: "fuzz.luau".to_owned(), line: 1 },
        terms: Terms::default(),
        help: Help::default(),
        aliases: Vec::new(),
        example: None,
    };
    let Ok(routes) = Routes::compile([Arc::new(handler)]) else { return };
    let today = NaiveDate::from_ymd_opt(2026, 11, 30).expect("a date");
    match routes.choose(typed, &Asked { today, mentions: &[] }) {
        Choice::BadArguments { handler, problem } => {
            let _ = (handler.explain(&problem, Lang::Zh), handler.explain(&problem, Lang::En));
        }
        Choice::Command { args, .. } => {
            for (name, value) in args.iter() {
                let _ = format!("{name} {value:?}");
            }
        }
        Choice::Unknown { word } => {
            let _ = routes.unknown(&word, Lang::Zh, |_| true);
        }
        Choice::Help { topic } => {
            let _ = routes.help(topic.as_deref(), Lang::En, |_| true);
        }
        _ => {}
    }
}

/// A text in pieces: nothing is lost, and each piece fits into a message.
pub fn texts(data: &[u8]) {
    let whole = String::from_utf8_lossy(data);
    let pieces = text::split_text(&whole);
    assert_eq!(pieces.concat(), whole, "splitting lost something");
    let bodies = [
        Body::Text { text: whole.to_string() },
        Body::Markdown { title: String::new(), text: whole.to_string() },
    ];
    for body in &bodies {
        for piece in text::split(body) {
            let (Body::Text { text } | Body::Markdown { text, .. }) = &piece else { continue };
            let json = serde_json::to_string(text).expect("text is JSON");
            assert!(json.len() < text::ROBOT_LIMIT_BYTES, "a piece of {} bytes", json.len());
        }
        if let Some(smaller) = text::smaller(body) {
            assert!(smaller.len() > 1, "smaller is more than one");
        }
    }
    let title = text::title(&whole);
    assert!(!title.trim().is_empty(), "a message without a title");
    assert!(text::tail(&whole, 400).len() <= 400.max(whole.len()));
}

/// The end of a text in a card: it fits, and it is not blank unless there is nothing to see.
pub fn cards(data: &[u8]) {
    let whole = String::from_utf8_lossy(data);
    for chars in [3_000, 400] {
        let shown = outbox::fit_card(&whole, chars);
        assert!(shown.chars().count() <= chars, "{} characters", shown.chars().count());
        // A single sign of thousands of marks is nothing that fits.
        let fits = whole.graphemes(true).all(|sign| sign.chars().count() < 100);
        assert!(
            !fits || sink::is_blank(&whole) || !shown.trim().is_empty(),
            "a blank card of {} bytes",
            whole.len()
        );
    }
}

/// A path of a script: it stays below its folder, or is refused; and a name of somebody else is only a name.
pub fn paths(data: &[u8]) {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("in/a/b")).expect("folders");
        std::fs::write(dir.path().join("in/a/file"), "x").expect("a file");
        std::fs::write(dir.path().join("secret"), "x").expect("a file");
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret", dir.path().join("in/out")).expect("a link");
        dir
    });
    let text = String::from_utf8_lossy(data);
    let inside = FOLDER.path().join("in").canonicalize().expect("it is there");
    let roots = api::fs::roots::Roots::only(std::slice::from_ref(&inside), inside.join("data"))
        .with_home(&inside);
    for text in [text.to_string(), format!("{}/{text}", inside.display())] {
        if let Some(full) = api::fs::reached(&roots, "fuzz.luau", &text) {
            assert!(full.starts_with(&inside), "`{text}` leads to {}", full.display());
        }
    }
    let name = api::fs::safe_name(&text);
    let parts: Vec<_> = Path::new(&name).components().collect();
    assert!(
        matches!(parts[..], [std::path::Component::Normal(_)]) && name.len() <= 200,
        "`{name}` is not only a name"
    );
}

/// A text with a secret in it, encoded or split: nothing of it comes out.
pub fn secrets(data: &[u8]) {
    const SECRET: &str = "fuzzed-S3cret/+value";
    sink::hide(SECRET);
    let text = String::from_utf8_lossy(data);
    let half = text.floor_char_boundary(text.len() / 2);
    let whole = format!("{}{SECRET}{}", &text[..half], &text[half..]);
    for shown in [sink::spoken(&whole), sink::redact(&whole), sink::redact_begun(&whole)] {
        assert!(!shown.contains(SECRET), "it is shown");
    }
    // The same in two pieces, wherever they are cut.
    let cut = usize::from(data.first().copied().unwrap_or_default()) % (whole.len() + 1);
    let (mut ahead, mut clean) = (whole.as_bytes()[..cut].to_vec(), Vec::new());
    sink::redact_ahead(&mut ahead, &mut clean, false);
    ahead.extend_from_slice(&whole.as_bytes()[cut..]);
    sink::redact_ahead(&mut ahead, &mut clean, true);
    assert!(!String::from_utf8_lossy(&clean).contains(SECRET), "it is shown in pieces");
    let escaped = sink::escape(&text);
    assert!(!escaped.chars().any(char::is_control), "it acts on a terminal");
    let _ = (sink::markdown::escape(&text), sink::markdown::fenced(&text), sink::clean(&text));
}
