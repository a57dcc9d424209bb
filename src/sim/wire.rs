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
];

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
        Value::Object(object) => {
            for (key, value) in object {
                if SECRET_KEYS.contains(&key.as_str()) {
                    *value = Value::String("***".to_owned());
                } else {
                    blank(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(blank),
        _ => {}
    }
}
