//! Frames of the Stream: what DingTalk sends, and the exact acknowledgement of each.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::lenient;

/// A frame from DingTalk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: FrameKind,
    pub headers: Headers,
    /// JSON as text.
    pub data: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameKind {
    System,
    Event,
    Callback,
    /// One that this version does not know.
    Other(String),
}

/// The headers of a frame, all as text. Their names are compared exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The id of this delivery, which its acknowledgement repeats. A redelivery has another one.
    pub fn message_id(&self) -> Option<&str> {
        self.get("messageId")
    }

    pub fn topic(&self) -> &str {
        self.get("topic").unwrap_or_default()
    }

    /// Unix time in milliseconds at which the frame was sent.
    pub fn time_ms(&self) -> Option<i64> {
        self.get("time")?.trim().parse().ok()
    }
}

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A message to the bot.
    Robot,
    /// A click on a card.
    Card,
    Event,
    Ping,
    /// The server will close this socket.
    Disconnect,
    /// News about the connection that asks for nothing.
    Notice,
    /// Nothing that this host subscribed to.
    Unknown,
}

/// Why a frame cannot be read. It holds nothing of the frame's content.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("the frame is JSON, but not an object")]
    NotAnObject,
}

impl Frame {
    /// Reads a frame. What is missing or of another type is taken as absent.
    ///
    /// # Errors
    /// [`FrameError`] only when there is no object to read from.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| FrameError::NotJson { line: error.line(), column: error.column() })?;
        let Value::Object(mut frame) = value else { return Err(FrameError::NotAnObject) };
        let kind = match lenient::field(&frame, "type").unwrap_or_default().as_str() {
            "SYSTEM" => FrameKind::System,
            "EVENT" => FrameKind::Event,
            "CALLBACK" => FrameKind::Callback,
            other => FrameKind::Other(other.to_owned()),
        };
        // One sample of the documentation spells it `header`.
        let headers = frame.remove("headers").or_else(|| frame.remove("header"));
        let headers = match headers {
            Some(Value::Object(headers)) => texts(&headers),
            _ => BTreeMap::new(),
        };
        let data = match frame.remove("data") {
            Some(Value::String(data)) => data,
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        Ok(Self { kind, headers: Headers(headers), data })
    }

    pub fn topic(&self) -> Topic {
        match (&self.kind, self.headers.topic()) {
            (
                FrameKind::Callback,
                "/v1.0/im/bot/messages/get" | "/v1.0/im/bot/messages/delegate",
            ) => Topic::Robot,
            (FrameKind::Callback, "/v1.0/card/instances/callback") => Topic::Card,
            (FrameKind::Event, _) => Topic::Event,
            (FrameKind::System, "ping") => Topic::Ping,
            (FrameKind::System, "disconnect") => Topic::Disconnect,
            (FrameKind::System, _) => Topic::Notice,
            (FrameKind::Callback | FrameKind::Other(_), _) => Topic::Unknown,
        }
    }
}

fn texts(headers: &Map<String, Value>) -> BTreeMap<String, String> {
    headers.iter().filter_map(|(name, value)| Some((name.clone(), lenient::text(value)?))).collect()
}

/// An acknowledgement. It goes out on the connection that delivered the frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ack {
    code: u16,
    headers: AckHeaders,
    message: &'static str,
    data: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct AckHeaders {
    content_type: &'static str,
    message_id: String,
}

impl Ack {
    fn new(message_id: &str, code: u16, message: &'static str, data: impl Into<String>) -> Self {
        let headers =
            AckHeaders { content_type: "application/json", message_id: message_id.to_owned() };
        Self { code, headers, message, data: data.into() }
    }

    /// The message is in safe hands.
    pub fn robot(message_id: &str) -> Self {
        Self::new(message_id, 200, "OK", r#"{"response":null}"#)
    }

    /// The click is in safe hands; the card changes later, by a call.
    pub fn card(message_id: &str) -> Self {
        Self::card_response(message_id, &Value::Object(Map::new()))
    }

    /// The click is answered with a change of the card.
    pub fn card_response(message_id: &str, response: &Value) -> Self {
        Self::new(message_id, 200, "OK", format!(r#"{{"response":{response}}}"#))
    }

    /// The event is in safe hands.
    pub fn event(message_id: &str) -> Self {
        Self::new(message_id, 200, "OK", r#"{"status":"SUCCESS","message":"success"}"#)
    }

    /// DingTalk shall send the event again.
    pub fn event_later(message_id: &str) -> Self {
        Self::new(message_id, 200, "OK", r#"{"status":"LATER","message":"retry please"}"#)
    }

    /// A ping comes back unchanged.
    pub fn ping(message_id: &str, data: &str) -> Self {
        Self::new(message_id, 200, "OK", data)
    }

    /// A `disconnect` was noticed.
    pub fn noticed(message_id: &str) -> Self {
        Self::new(message_id, 200, "OK", "")
    }

    /// Nobody here knows this topic.
    pub fn unknown_topic(message_id: &str) -> Self {
        Self::new(message_id, 404, "handler not found", "")
    }

    /// The frame could not be taken.
    pub fn internal_error(message_id: &str) -> Self {
        Self::new(message_id, 500, "internal error", r#"{"response":null}"#)
    }

    /// The acknowledgement as it travels.
    ///
    /// # Panics
    /// Never: texts and numbers are always JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> String {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    /// Takes out the blanks between tokens, so that bytes can be compared.
    fn compact(json: &str) -> String {
        let (mut out, mut inside, mut escaped) = (String::new(), false, false);
        for c in json.chars() {
            if inside || !c.is_whitespace() {
                out.push(c);
            }
            inside ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
        }
        out
    }

    #[test]
    fn acknowledgements_are_the_documented_bytes() {
        let response = "{\"cardUpdateOptions\":{\"updateCardDataByKey\":true,\"updatePrivateDataByKey\":true},\
                        \"cardData\":{\"cardParamMap\":{\"status\":\"已同意\",\"hasAction\":\"false\"}},\
                        \"userPrivateData\":{\"cardParamMap\":{\"clicked\":\"true\"}}}";
        let ping = Frame::parse(&fixture("stream_system_ping")).unwrap();
        for (ack, name) in [
            (Ack::robot("213d841d_972_1898bb26001_70a8"), "stream_ack_robot_message"),
            (Ack::event("213d841d_972_1898bb26003_70aa"), "stream_ack_event_success"),
            (Ack::event_later("213d841d_972_1898bb26003_70aa"), "stream_ack_event_later"),
            (Ack::ping(ping.headers.message_id().unwrap(), &ping.data), "stream_ack_ping"),
            (Ack::unknown_topic("213d841d_972_1898bb26001_70a8"), "stream_ack_topic_not_found"),
            (Ack::internal_error("213d841d_972_1898bb26001_70a8"), "stream_ack_internal_error"),
            (
                Ack::new(
                    "213d841d_972_1898bb26006_70ad",
                    200,
                    "OK",
                    format!("{{\"response\":{response}}}"),
                ),
                "stream_ack_card_callback",
            ),
        ] {
            assert_eq!(ack.to_json(), compact(&fixture(name)), "{name}");
        }
        assert!(Ack::card("m").to_json().ends_with(r#""data":"{\"response\":{}}"}"#));
    }

    #[test]
    fn every_kind_of_frame_is_recognised() {
        for (name, topic) in [
            ("stream_frame_robot_message", Topic::Robot),
            ("stream_frame_robot_message_redelivered", Topic::Robot),
            ("stream_frame_card_callback", Topic::Card),
            ("stream_frame_event", Topic::Event),
            ("stream_frame_event_quota_exceeded", Topic::Event),
            ("stream_frame_graph", Topic::Unknown),
            ("stream_system_ping", Topic::Ping),
            ("stream_system_disconnect", Topic::Disconnect),
            ("stream_system_disconnect_minimal", Topic::Disconnect),
            ("stream_system_connected", Topic::Notice),
            ("stream_system_registered", Topic::Notice),
            ("stream_system_keepalive", Topic::Notice),
        ] {
            let frame = Frame::parse(&fixture(name)).unwrap();
            assert_eq!(frame.topic(), topic, "{name}");
        }
    }

    #[test]
    fn a_frame_with_missing_or_odd_parts_is_still_a_frame() {
        let frame = Frame::parse(
            r#"{"type":"SYSTEM","header":{"topic":"ping","time":1690362102194,"x":[]}}"#,
        )
        .unwrap();
        assert_eq!(
            (frame.topic(), frame.headers.time_ms()),
            (Topic::Ping, Some(1_690_362_102_194))
        );
        assert_eq!(frame.data, "");
        for odd in [
            "{}",
            r#"{"type":7,"headers":"x","data":{"a":1}}"#,
            r#"{"type":null,"headers":null,"data":null}"#,
        ] {
            assert_eq!(Frame::parse(odd).unwrap().topic(), Topic::Unknown, "{odd}");
        }
        for none in
            ["", "[]", "7", "{\"type\":", "\u{0}", &"[".repeat(10_000), &r#"{"a":"#.repeat(10_000)]
        {
            assert!(Frame::parse(none).is_err());
        }
    }
}
