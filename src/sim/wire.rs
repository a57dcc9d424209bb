//! The log of everything that crossed the wire, bounded, secrets blanked.

use std::collections::VecDeque;

use serde_json::Value;

use super::view::Direction;
use super::view::Wire;
use super::view::WireKind;

/// Keys whose values are capabilities: shown as `***`.
const SECRET_KEYS: &[&str] = &[
    "clientSecret",
    "appSecret",
    "client_secret",
    "accessToken",
    "access_token",
    "ticket",
    "apiSecret",
    "aes_key",
    "sessionWebhook",
];

/// What stands in the place of a secret.
const BLANK: &str = "***";

#[derive(Debug)]
pub(super) struct WireLog {
    lines: VecDeque<Wire>,
    last_seq: u64,
    capacity: usize,
}

impl WireLog {
    pub(super) fn new(capacity: usize) -> Self {
        Self { lines: VecDeque::new(), last_seq: 0, capacity: capacity.max(1) }
    }

    pub(super) fn push(&mut self, entry: Entry) -> &Wire {
        self.last_seq += 1;
        if self.lines.len() >= self.capacity {
            self.lines.pop_front();
        }
        let mut body = entry.body;
        blank(&mut body);
        self.lines.push_back(Wire {
            seq: self.last_seq,
            at_ms: super::now_ms(),
            dir: entry.dir,
            kind: entry.kind,
            summary: entry.summary,
            path: entry.path,
            status: entry.status,
            body,
        });
        self.lines.back().expect("a line was just pushed")
    }

    pub(super) fn after(&self, seq: u64) -> Vec<Wire> {
        self.lines.iter().filter(|line| line.seq > seq).cloned().collect()
    }
}

/// A line before it has its number.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dir: Direction,
    pub(super) kind: WireKind,
    pub(super) summary: String,
    pub(super) path: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) body: Value,
}

impl Entry {
    pub(super) fn frame(dir: Direction, kind: WireKind, summary: String, body: Value) -> Self {
        Self { dir, kind, summary, path: None, status: None, body }
    }
}

fn blank(value: &mut Value) {
    match value {
        // Frames carry JSON as text. The text is kept as it is but for the secrets in it.
        Value::String(text) if may_hold_secret(text) => {
            let Ok(mut inner) = serde_json::from_str::<Value>(text) else { return };
            let mut secrets = Vec::new();
            collect(&inner, &mut secrets);
            for secret in &secrets {
                let blanked = Value::from(BLANK).to_string();
                *text = text.replace(&Value::from(secret.as_str()).to_string(), &blanked);
            }
            // Written with other escapes than ours, or nested deeper: then its layout goes with its secrets.
            blank(&mut inner);
            if serde_json::from_str::<Value>(text).ok().as_ref() != Some(&inner) {
                *text = inner.to_string();
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                if SECRET_KEYS.contains(&key.as_str()) {
                    *value = Value::from(BLANK);
                } else {
                    blank(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(blank),
        _ => {}
    }
}

fn may_hold_secret(text: &str) -> bool {
    text.starts_with(['{', '[']) && SECRET_KEYS.iter().any(|key| text.contains(key))
}

fn collect(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(secret) if SECRET_KEYS.contains(&key.as_str()) => {
                        secrets.push(secret.clone());
                    }
                    other => collect(other, secrets),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|one| collect(one, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_blanked_at_any_depth_and_the_rest_of_the_text_is_kept() {
        let data = r#"{ "b": 1, "sessionWebhook": "http://127.0.0.1/robot?session=s3", "a": 2 }"#;
        let mut frame = json!({ "ticket": "t", "data": data, "text": "a sessionWebhook in words" });
        blank(&mut frame);
        let kept = r#"{ "b": 1, "sessionWebhook": "***", "a": 2 }"#;
        assert_eq!(
            frame,
            json!({ "ticket": "***", "data": kept, "text": "a sessionWebhook in words" })
        );

        let deeper = json!({ "data": json!({ "accessToken": r"x\/y" }).to_string() }).to_string();
        let mut body = json!([{ "body": deeper }, { "escaped": r#"{"ticket":"a\/b"}"# }]);
        blank(&mut body);
        assert!(!body.to_string().contains("hush"), "{body}");
        assert_eq!(body[1]["escaped"], r#"{"ticket":"***"}"#);
    }
}
