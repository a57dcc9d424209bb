//! The rules of a good host, one test or more for each, by their numbers (`h01` …), and the faults that bring them out.
//!
//! What each number promises to people is in `docs/reliability.md`.

mod callbacks;
mod calls;
mod cards;
mod connection;
mod content;
mod faults;
mod frames;

use moonbell::sim::{Direction, Wire, WireKind};
use serde_json::{Value, json};

use super::stage::{Setup, Stage};

const ROBOT: &str = "/v1.0/im/bot/messages/get";
const WEBHOOK: &str = "/robot/sendBySession";
const TO_PERSON: &str = "/v1.0/robot/oToMessages/batchSend";
const TO_GROUP: &str = "/v1.0/robot/groupMessages/send";
const CARD: &str = "/v1.0/card/instances";
const STREAMING: &str = "/v1.0/card/streaming";
const OPEN: &str = "/v1.0/gateway/connections/open";

/// Webhooks that the host does not use, because they end within a minute: everything goes the robot's way.
fn without_webhooks() -> Setup {
    Setup::new().sim(|options| options.clocks.webhook = std::time::Duration::from_secs(30))
}

/// How many deliveries of this topic were acknowledged with 200.
fn acked(stage: &Stage, topic: &str) -> usize {
    let ack = format!("ack 200 {topic}");
    stage
        .sim
        .wire(0)
        .iter()
        .filter(|line| line.kind == WireKind::Ack && line.summary == ack)
        .count()
}

/// What the host asked of this path, oldest first.
fn asked(stage: &Stage, path: &str) -> Vec<Value> {
    let calls = stage.sim.wire(0).into_iter().filter(|line| is_call(line, path));
    calls.filter(|line| line.dir == Direction::In).map(|line| line.body).collect()
}

/// What the host asked of this path, each with the answer. The calls must not overlap.
#[track_caller]
fn answered(stage: &Stage, path: &str) -> Vec<(Value, u16)> {
    let lines: Vec<Wire> =
        stage.sim.wire(0).into_iter().filter(|line| is_call(line, path)).collect();
    let pairs = lines.chunks(2).filter(|pair| pair.len() == 2);
    pairs
        .map(|pair| {
            let in_turn = pair[0].dir == Direction::In && pair[1].dir == Direction::Out;
            assert!(in_turn, "two calls at once: {lines:#?}");
            (pair[0].body.clone(), pair[1].status.unwrap_or_default())
        })
        .collect()
}

fn is_call(line: &Wire, path: &str) -> bool {
    line.kind == WireKind::Http && line.path.as_deref() == Some(path)
}

fn calls(stage: &Stage, path: &str) -> u64 {
    let counters = stage.sim.state().counters;
    let of_path = counters.calls.iter().filter(|(call, _)| call.split(' ').nth(1) == Some(path));
    of_path.map(|(_, times)| times).sum()
}

/// The frame that brought this text.
#[track_caller]
fn frame_with(stage: &Stage, text: &str) -> Value {
    let lines = stage.sim.wire(0);
    let frame = lines.iter().find(|line| {
        line.kind == WireKind::Frame
            && line.dir == Direction::Out
            && line.body["data"].as_str().is_some_and(|data| data.contains(text))
    });
    frame.expect("the frame is in the log").body.clone()
}

/// The object in the data of a frame.
fn data(frame: &Value) -> Value {
    serde_json::from_str(frame["data"].as_str().unwrap()).unwrap()
}

/// Puts an object into the data of a frame.
fn set_data(frame: &mut Value, data: &Value) {
    frame["data"] = json!(data.to_string());
}
