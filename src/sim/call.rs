//! One call of the bot, read leniently enough that the answer can say what is wrong with it.

use std::collections::HashMap;

use axum::http::HeaderMap;
use axum::http::Method;
use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;

use super::answer::Refusal;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(Refusal::api(400, "InvalidParameter", "the body is not a JSON object")),
        }
    }

    /// The body for the wire log: JSON, else text, else its size.
    pub(super) fn loggable(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            match std::str::from_utf8(&self.body) {
                Ok(text) if text.len() < 4096 => Value::String(text.to_owned()),
                _ => Value::String(format!("({} bytes)", self.body.len())),
            }
        })
    }
}

/// A string that is present and not empty.
pub(super) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str().filter(|value| !value.is_empty())
}

/// The strings of an array; anything else in it is left out.
pub(super) fn texts(object: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = object.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
