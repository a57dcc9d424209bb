//! The connection: through the host that runs, else by opening one from beside.

use std::time::Duration;

use tokio::time::timeout;

use super::Facts;
use super::check::{Check, Page};
use crate::config::{Config, Mode};
use crate::dingtalk::Client;
use crate::store::{Instance, now_ms};
use crate::telemetry::status::Connection;
use crate::transport::{self, Heard};
use crate::words::Lang;
use crate::words::dingtalk::retold;
use crate::words::doctor::connection as w;

/// From the call for a ticket until the socket is open.
const OPEN: Duration = Duration::from_secs(20);

/// Frames come every half minute at least.
const SILENCE_MS: i64 = 90_000;

/// Whether it is open, whether frames come, and whether another program has one too.
pub(super) async fn look(
    facts: &Facts,
    config: &Config,
    client: &Client,
    blocked: Option<&'static str>,
    listen: Duration,
) -> Vec<Check> {
    let other = other_host(facts, config);
    if config.dingtalk.mode == Mode::Http {
        return registered(facts, blocked, other);
    }
    if let Some(moment) = &facts.moment {
        return told(&moment.connection, blocked, other);
    }
    if let Some(blocked) = blocked {
        return vec![Check::after("connection", blocked), Check::after("frames", blocked), other];
    }
    if other.is_bad() {
        let after = |id| Check::after(id, "second-host");
        return vec![after("connection"), after("frames"), other];
    }
    let shut = |check, other| vec![check, Check::after("frames", "connection"), other];
    let Ok(looked) = timeout(OPEN + listen, Box::pin(transport::look(client, listen))).await else {
        return shut(not_open(|lang| w::not_within(OPEN.as_secs(), lang)), other);
    };
    match looked {
        Err(transport::StreamError::Api(error)) => {
            let check = not_open(|lang| error.text(lang));
            let todo =
                |lang| error.hint_in(lang).unwrap_or_else(|| w::check_robot(lang).to_owned());
            shut(check.todo(todo), other)
        }
        Err(error) => shut(not_open(|lang| error.text(lang)), other),
        Ok(Heard::Closed) => {
            let other = Check::warning("second-host", w::another_elsewhere).todo(w::end_another);
            shut(not_open(w::closed_at_once), other)
        }
        Ok(heard) => {
            let frames = match heard {
                Heard::Frame => Check::ok("frames", w::frames_come),
                _ => Check::warning("frames", |lang| w::no_frame(listen.as_secs(), lang))
                    .todo(w::wait_longer),
            };
            vec![Check::ok("connection", w::can_open), frames, other]
        }
    }
}

fn not_open<S: Into<String>>(why: impl Fn(Lang) -> S) -> Check {
    Check::failed("connection", why).todo(w::check_robot).page(Page::Robot)
}

/// What the running host says of its connection. What keeps us from calling DingTalk keeps it from connecting again.
fn told(connection: &Connection, blocked: Option<&'static str>, other: Check) -> Vec<Check> {
    let why = connection.error.clone().unwrap_or_else(|| connection.state.replace('_', " "));
    let other = match &connection.warning {
        Some(warning) if !other.is_bad() => {
            Check::warning("second-host", |lang| retold(warning, lang)).todo(w::end_the_other)
        }
        _ => other,
    };
    if connection.state == "deaf" {
        let frames = Check::failed("frames", |lang| retold(&why, lang)).todo(w::deaf);
        return vec![Check::ok("connection", w::open), frames, other];
    }
    if !connection.is_up() {
        let frames = Check::after("frames", blocked.unwrap_or("connection"));
        return vec![down(connection, blocked), frames, other];
    }
    let now = now_ms();
    let frames = match connection.last_frame_at_ms.filter(|at| now - at < SILENCE_MS) {
        Some(at) => {
            let seconds = (now - at).max(0) / 1000;
            Check::ok("frames", |lang| w::last_frame(seconds, lang))
        }
        None => Check::ok("frames", w::just_connected),
    };
    vec![Check::ok("connection", w::connected), frames, other]
}

/// Why the running host is not connected: by what was found already, else in its words.
fn down(connection: &Connection, blocked: Option<&'static str>) -> Check {
    if let Some(blocked) = blocked {
        return Check::after("connection", blocked);
    }
    let state = connection.state.replace('_', " ");
    let check = not_open(|lang| retold(connection.error.as_ref().unwrap_or(&state), lang));
    match &connection.hint {
        Some(hint) => check.todo(|lang| retold(hint, lang)),
        None => check,
    }
}

/// Two hosts of one app would share its messages at random.
fn other_host(facts: &Facts, config: &Config) -> Check {
    let app = &config.dingtalk;
    let state = std::path::absolute(&config.state.dir).unwrap_or_else(|_| config.state.dir.clone());
    match Instance::holder_of_app(&config.state.locks, &app.client_id, &app.api_base) {
        Some(holder) if holder.dir != state || !facts.runs => {
            let dir = holder.dir.to_string_lossy();
            Check::failed("second-host", |lang| w::another_here(holder.pid, &dir, lang))
                .todo(w::part_them)
        }
        _ => Check::ok("second-host", w::alone),
    }
}

/// In HTTP mode DingTalk connects, not we.
fn registered(facts: &Facts, blocked: Option<&'static str>, other: Check) -> Vec<Check> {
    let connection = match facts.moment.as_ref().map(|moment| &moment.connection) {
        None => Check::skipped("connection", w::no_host),
        Some(connection) if connection.is_up() => Check::ok("connection", w::registered),
        Some(connection) => down(connection, blocked),
    };
    vec![connection, Check::skipped("frames", w::no_frames_in_http), other]
}
