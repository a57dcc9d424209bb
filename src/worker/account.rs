//! A run, told in a chat: as a line of a list, and with all that is known of it.
//!
//! Whose run it is sees what it did and what its programs wrote. What the script logged and why it failed is for admins:
//! both speak of this computer, and were written for its owner.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Local};

use crate::api::time::format_duration;
use crate::inbox::Past;
use crate::message::ChatKind;
use crate::message::Inbound;
use crate::store::now_ms;
use crate::words::Lang;
use crate::words::account as says;

/// Characters of the log, of the output and of an error in one answer.
const TAIL_CHARS: usize = 1_500;

/// Characters of a handler in a list.
const TITLE_CHARS: usize = 60;

/// A state as people read it.
pub(super) fn state(state: &str, lang: Lang) -> &str {
    match state {
        "queued" => says::queued(lang),
        "running" => says::running(lang),
        "waiting" => says::waiting(lang),
        "done" => says::done(lang),
        "failed" => says::failed(lang),
        "cancelled" => says::cancelled(lang),
        "interrupted" => says::interrupted(lang),
        "parked" => says::parked(lang),
        other => other,
    }
}

/// `7k3fa · running · 12s · deploy <env>`
pub(super) fn line(id: &str, shown_state: &str, since_ms: i64, what: &str, who: &str) -> String {
    let mut line = format!("{id} · {shown_state} · {}", span(now_ms() - since_ms));
    for part in [shortened(what, TITLE_CHARS), who.to_owned()] {
        if !part.is_empty() {
            line.push_str(" · ");
            line.push_str(&part);
        }
    }
    line
}

/// The line of a run that has ended.
pub(super) fn past_line(past: &Past, lang: Lang, with_who: bool) -> String {
    let id = past.run.as_deref().unwrap_or("-");
    let ended = past.ended_at_ms.unwrap_or(past.received_at_ms);
    let ago = span(now_ms() - ended);
    let ago = says::ago(&ago, lang);
    let what = past.handler.clone().unwrap_or_default();
    let mut line = format!("{id} · {} · {ago}", state(&past.state, lang));
    let who = if with_who { who(past) } else { String::new() };
    for part in [shortened(&what, TITLE_CHARS), who] {
        if !part.is_empty() {
            line.push_str(" · ");
            line.push_str(&part);
        }
    }
    line
}

/// Whole seconds from one second on: nobody reads more.
pub fn span(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap_or(0);
    let whole = if ms >= 1_000 { ms / 1_000 * 1_000 } else { ms };
    format_duration(Duration::from_millis(whole))
}

/// Who started it: the name that a message carried.
pub fn who(past: &Past) -> String {
    match &past.inbound {
        Some(Inbound::Message(message)) if !message.sender.nick.is_empty() => {
            one_line(&message.sender.nick)
        }
        _ => one_line(past.person().unwrap_or_default()),
    }
}

/// The same with the staff id, which nobody chooses for themselves.
pub fn whom(past: &Past) -> String {
    let name = who(past);
    match past.person().map(one_line).filter(|id| *id != name) {
        Some(id) => format!("{name} ({id})"),
        None => name,
    }
}

/// Where a line ends, for some reader or other.
const LINE_BREAKS: [char; 7] = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];

/// What is one line, whatever is in it.
pub fn one_line(text: &str) -> String {
    text.trim_end_matches(LINE_BREAKS).replace(LINE_BREAKS, " ")
}

/// Text of several lines under the name of what it is: the further ones stand in, so that none passes for another field.
pub fn hanging(text: &str) -> String {
    text.replace("\r\n", "\n").replace(LINE_BREAKS, "\n  ")
}

/// All of it. `full`: to somebody who may see what scripts log, and why they fail.
pub fn tell(past: &Past, lang: Lang, full: bool) -> String {
    let mut out = String::new();
    let mut add = |line: fn(&str, Lang) -> String, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{}", hanging(&line(value, lang)));
        }
    };
    let mut title = past.run.clone().unwrap_or_default();
    let _ = write!(title, " · {}", state(&past.state, lang));
    if let (Some(started), Some(ended)) = (past.started_at_ms, past.ended_at_ms) {
        let _ = write!(title, " · {}", span(ended - started));
    }
    add(says::run, &title);
    add(says::who, &if full { whom(past) } else { who(past) });
    add(says::place, &one_line(&place(past, lang)));
    if let Some(Inbound::Message(message)) = &past.inbound {
        add(says::message, &shortened(&one_line(&message.text), 200));
    }
    let mut handler = past.handler.clone().unwrap_or_default();
    if let Some(script) = &past.script {
        let version = past.version.map(|version| format!(" v{version}")).unwrap_or_default();
        let _ = write!(handler, " ({script}{version})");
    }
    add(says::handler, &one_line(&handler));
    add(says::arguments, &one_line(past.args.as_deref().unwrap_or_default()));
    add(says::came, &time(Some(past.received_at_ms)));
    add(says::started, &time(past.started_at_ms));
    add(says::ended, &time(past.ended_at_ms));
    if past.attempt > 1 {
        add(says::attempt, &past.attempt.to_string());
    }
    add(says::repeats, past.again.as_deref().unwrap_or_default());
    add(says::exit, past.exit.as_deref().unwrap_or_default());
    if let Some(replies) = past.replies {
        add(says::replies, &replies.to_string());
    }
    if let Some(error) = &past.error {
        let told =
            if full || past.refused { tail(error) } else { says::ask_the_owner(lang).to_owned() };
        add(says::error, &told);
    }
    if let Some(log) = past.log.as_deref().filter(|_| full) {
        let lines: Vec<String> = log.lines().map(log_line).collect();
        add(says::log, &format!("\n{}", tail(&lines.join("\n"))));
    }
    if let Some(output) = past.output.as_deref().map(str::trim_end).filter(|out| !out.is_empty()) {
        add(says::output, &format!("\n{}", tail(output)));
    }
    out.trim_end().to_owned()
}

/// A line as the journal has it, with its time as people read it.
pub fn log_line(line: &str) -> String {
    let mut parts = line.splitn(3, ' ');
    let at = parts.next().and_then(|at| at.parse().ok()).and_then(DateTime::from_timestamp_millis);
    match (at, parts.next(), parts.next()) {
        (Some(at), Some(level), Some(text)) => {
            format!("{} {level} {text}", at.with_timezone(&Local).format("%H:%M:%S"))
        }
        _ => line.to_owned(),
    }
}

fn place(past: &Past, lang: Lang) -> String {
    match &past.inbound {
        Some(Inbound::Message(message)) => match (message.chat.kind, &message.chat.title) {
            (ChatKind::Direct, _) => says::direct_chat(lang).to_owned(),
            (ChatKind::Group, Some(title)) if !title.is_empty() => title.clone(),
            (ChatKind::Group, _) => says::group(lang).to_owned(),
        },
        Some(Inbound::CardAction(_)) => says::a_click(lang).to_owned(),
        Some(Inbound::Event(_)) => says::an_event(lang).to_owned(),
        None if past.own => says::by_itself(lang).to_owned(),
        None => String::new(),
    }
}

fn time(ms: Option<i64>) -> String {
    ms.and_then(DateTime::from_timestamp_millis).map_or_else(String::new, |at| {
        at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
    })
}

/// The end of what may be long.
fn tail(text: &str) -> String {
    let count = text.chars().count();
    if count <= TAIL_CHARS {
        return text.to_owned();
    }
    let end: String = text.chars().skip(count - TAIL_CHARS).collect();
    format!("…{end}")
}

fn shortened(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
