//! The connection: through the host that runs, else by opening one from beside.

use std::time::Duration;

use tokio::time::timeout;

use super::Facts;
use super::check::{Check, Page};
use crate::config::{Config, Mode};
use crate::dingtalk::{ApiError, Class, Client};
use crate::store::{Instance, now_ms};
use crate::telemetry::status::Connection;
use crate::transport::{self, Heard, StreamError, advice};
use crate::words::Lang;
use crate::words::dingtalk as says;
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
        return shut(no_way(|lang| w::not_within(OPEN.as_secs(), lang)), other);
    };
    match looked {
        Err(StreamError::Api(error)) => shut(answered(&error), other),
        Err(StreamError::Socket(why)) => shut(no_way(|lang| says::retold(&why, lang)), other),
        Ok(Heard::Closed) => {
            let other = Check::warning("second-host", w::another_elsewhere).todo(w::end_another);
            let check = not_open(w::closed_at_once).todo(w::check_robot).page(Page::Robot);
            shut(check, other)
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
    Check::failed("connection", why)
}

/// The socket itself is not reached.
fn no_way<S: Into<String>>(why: impl Fn(Lang) -> S) -> Check {
    not_open(why).todo(w::let_through)
}

/// What the answer to the call for a ticket means.
fn answered(error: &ApiError) -> Check {
    let check = not_open(|lang| error.text(lang));
    match (&error.class, error.code.as_str()) {
        (Class::Transient, "gateway" | "no-ticket") => check.todo(says::not_dingtalks),
        (Class::Transient, "connect" | "timeout" | "broken" | "proxy") => {
            check.todo(w::let_through)
        }
        (Class::Transient, _) => check.todo(w::busy),
        _ => led(check.todo(|lang| advice(error, lang)), &advice(error, Lang::En)),
    }
}

/// With the page on which what `hint` says in English is done, where there is one.
fn led(check: Check, hint: &str) -> Check {
    let pages = [
        (says::credentials(Lang::En), Page::Credentials),
        (says::not_on_the_list(Lang::En), Page::Allowlist),
        (says::used_up(Lang::En), Page::Resources),
        (says::enable_the_robot(Lang::En), Page::Robot),
        (says::set_up_stream(Lang::En), Page::Robot),
    ];
    match pages.into_iter().find(|(said, _)| *said == hint) {
        Some((_, page)) => check.page(page),
        None => check,
    }
}

/// What the running host says of its connection. What keeps us from calling DingTalk keeps it from connecting again.
fn told(connection: &Connection, blocked: Option<&'static str>, other: Check) -> Vec<Check> {
    let why = connection.error.clone().unwrap_or_else(|| connection.state.replace('_', " "));
    let other = match &connection.warning {
        Some(warning) if !other.is_bad() => {
            Check::warning("second-host", |lang| says::retold(warning, lang)).todo(w::end_the_other)
        }
        _ => other,
    };
    if connection.state == "deaf" {
        let frames = Check::failed("frames", |lang| says::retold(&why, lang)).todo(w::deaf);
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
    let check = not_open(|lang| says::retold(connection.error.as_ref().unwrap_or(&state), lang));
    match &connection.hint {
        Some(hint) => led(check.todo(|lang| says::retold(hint, lang)), hint),
        // It tries again by itself: what is in the way passes, or is not DingTalk's.
        None => check.todo(w::keeps_trying),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dingtalk::Connection as Ticket;

    #[test]
    fn each_answer_to_the_call_for_a_ticket_has_its_own_way_out() {
        const ROBOT: Option<Page> = Some(Page::Robot);
        for (class, code, todo, page) in [
            (Class::Credentials, "authFailed", "client id and secret", Some(Page::Credentials)),
            (Class::IpNotAllowed, "60020", "allow-list", Some(Page::Allowlist)),
            (Class::Quota, "90020", "buy a package", Some(Page::Resources)),
            (Class::Throttled, "1111", "five minutes", None),
            (Class::Scope(Vec::new()), "60011", "Permissions", None),
            (Class::Permanent, "400", "a robot, in Stream mode", ROBOT),
            (Class::Gone, "404", "a robot, in Stream mode", ROBOT),
            (Class::Permanent, Ticket::FOREIGN, "was not DingTalk's", None),
            (Class::Transient, "gateway", "was not DingTalk's", None),
            (Class::Transient, "timeout", "port 443", None),
            (Class::Transient, "system.busy", "in a moment", None),
        ] {
            let check = answered(&ApiError::local("/", class, code, "no"));
            let said = check.todo.unwrap();
            assert!(said.pick(Lang::En).contains(todo), "{code}: {}", said.pick(Lang::En));
            assert_eq!(check.page, page, "{code}");
        }
    }
}
