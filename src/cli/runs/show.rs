//! How runs look: a table that fits the terminal, all of one run, JSON.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use chrono::{DateTime, Local};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::columns::{cut, fit};
use crate::cli::{lang, talk};
use crate::inbox::Past;
use crate::message::{ChatKind, Inbound};
use crate::outbox::Said;
use crate::sink::escape;
use crate::sink::quiet;
use crate::sink::redact;
use crate::store::now_ms;
use crate::words::Lang;
use crate::words::commands::runs as w;
use crate::worker::account;

/// Columns of the table, without the last, which has the rest.
const WHO: usize = 12;
const STATE: usize = 11;
const WHEN: usize = 11;
const TOOK: usize = 7;

/// With a staff id beside the nick: at most so wide, and only where so much is left for the handler.
const WIDEST_WHO: usize = 32;
const HANDLER: usize = 24;

fn colours() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The newest first.
pub(super) fn table(runs: &[Past]) -> String {
    let width = talk::columns().map_or(usize::MAX, |width| width.max(60));
    rendered(runs, width, colours(), lang::here())
}

fn rendered(runs: &[Past], width: usize, colours: bool, lang: Lang) -> String {
    let mut out = String::new();
    let others = 5 + STATE + WHEN + TOOK + 10;
    // A nick is chosen by whoever has it: with room enough the staff id stands beside it.
    let whole = runs.iter().map(|past| one_line(&account::whom(past)).width()).max();
    let whole = whole.unwrap_or_default().clamp(WHO, WIDEST_WHO);
    let ids = width.saturating_sub(others + whole) >= HANDLER;
    let wide = if ids { whole } else { WHO };
    let who = |past: &Past| one_line(&if ids { account::whom(past) } else { account::who(past) });
    let rest = width.saturating_sub(others + wide);
    let head = [
        (w::run(lang), 5),
        (w::state(lang), STATE),
        (w::when(lang), WHEN),
        (w::took(lang), TOOK),
        (w::who(lang), wide),
    ];
    let head: Vec<String> = head.iter().map(|(name, width)| fit(name, *width)).collect();
    let head = format!("{}  {}", head.join("  "), w::handler(lang));
    let (dim, end) = if colours { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(out, "{dim}{head}{end}");
    for past in runs {
        let paint = match past.shown_state() {
            _ if !colours => "",
            "failed" | "parked" => "\x1b[31m",
            "interrupted" | "cancelled" | Past::REFUSED => "\x1b[33m",
            "running" | "waiting" | "queued" => "\x1b[36m",
            _ => "\x1b[32m",
        };
        let state = format!(
            "{paint}{}{}",
            fit(w::state_of(past.shown_state(), lang), STATE),
            if colours { end } else { "" }
        );
        let _ = writeln!(
            out,
            "{}  {state}  {}  {}  {}  {}",
            fit(past.run.as_deref().unwrap_or("-"), 5),
            fit(&when(past.received_at_ms), WHEN),
            fit(&took(past), TOOK),
            fit(&who(past), wide),
            cut(&what(past, lang), rest),
        );
        let error = past.error.as_deref().and_then(|error| error.lines().next());
        if let Some(error) = error.filter(|_| past.state == "failed") {
            let _ = writeln!(
                out,
                "       {dim}{}{end}",
                cut(&one_line(error), width.saturating_sub(8))
            );
        }
    }
    out
}

/// What served it; before that is known, what was said.
fn what(past: &Past, lang: Lang) -> String {
    let text = match (&past.handler, &past.inbound) {
        (Some(handler), _) if past.own => {
            format!("{}: {handler}", past.script.as_deref().unwrap_or_default())
        }
        (Some(handler), _) => handler.clone(),
        (None, Some(Inbound::Message(message))) => message.text.clone(),
        (None, Some(Inbound::CardAction(_))) => w::click(lang).to_owned(),
        (None, Some(Inbound::Event(event))) => w::event(&event.kind, lang),
        (None, None) => String::new(),
    };
    one_line(&text)
}

fn one_line(text: &str) -> String {
    talk::fit(&escape(&account::one_line(&redact(text)))).into_owned()
}

fn took(past: &Past) -> String {
    let Some(started) = past.started_at_ms else { return String::new() };
    let until = past.ended_at_ms.unwrap_or_else(now_ms);
    account::span(until - started)
}

/// Today by its time, else by its date too.
fn when(ms: i64) -> String {
    let Some(at) = DateTime::from_timestamp_millis(ms) else { return String::new() };
    let at = at.with_timezone(&Local);
    let format =
        if at.date_naive() == Local::now().date_naive() { "%H:%M:%S" } else { "%m-%d %H:%M" };
    at.format(format).to_string()
}

/// All of one run.
pub(super) fn all(past: &Past, said: &[Said]) -> String {
    all_in(past, said, lang::here())
}

fn all_in(past: &Past, said: &[Said], lang: Lang) -> String {
    let mut out = account::tell(past, lang, true);
    if !said.is_empty() {
        let _ = write!(out, "\n{}", w::said(lang));
    }
    for one in said {
        let text = cut(&account::one_line(&one.text), 200);
        let (kind, state) = (w::kind_of(one.kind, lang), w::fate_of(&one.state, lang));
        let _ = write!(out, "\n  {}", w::one_said(kind, state, &text, lang));
        if let Some(error) = &one.error {
            let _ = write!(out, "\n    {}", account::hanging(error).replace('\n', "\n  "));
        }
    }
    out
}

/// Times are Unix milliseconds.
pub(super) fn as_json(past: &Past, said: Option<&[Said]>) -> Value {
    let (kind, name, chat, title, text) = match &past.inbound {
        Some(Inbound::Message(message)) => (
            "message",
            Some(quiet(&message.sender.nick)),
            Some(match message.chat.kind {
                ChatKind::Direct => "direct",
                ChatKind::Group => "group",
            }),
            message.chat.title.as_deref().map(quiet),
            Some(quiet(&redact(&message.text)).into_owned()),
        ),
        Some(Inbound::CardAction(_)) => ("click", None, None, None, None),
        Some(Inbound::Event(_)) => ("event", None, None, None, None),
        None if past.own => ("own", None, None, None, None),
        None => ("forgotten", None, None, None, None),
    };
    let log = past.log.as_deref().map(|log| log.lines().collect::<Vec<_>>());
    let args = past.args.as_deref().map(|args| {
        serde_json::from_str::<Value>(args).unwrap_or_else(|_| Value::String(args.to_owned()))
    });
    let mut report = json!({
        "run": past.run,
        "state": past.shown_state(),
        "kind": kind,
        "person": past.person(),
        "name": name,
        "chat": chat,
        "title": title,
        "text": text,
        "script": past.script,
        "version": past.version,
        "handler": past.handler,
        "args": args,
        "received_at_ms": past.received_at_ms,
        "started_at_ms": past.started_at_ms,
        "ended_at_ms": past.ended_at_ms,
        "deliveries": past.deliveries,
        "attempt": past.attempt,
        "again": past.again,
        "exit": past.exit,
        "replies": past.replies,
        "error": past.error,
        "log": log,
        "output": past.output,
    });
    if let (Some(said), Some(report)) = (said, report.as_object_mut()) {
        let one = |said: &Said| {
            json!({
                "kind": said.kind,
                "text": quiet(&said.text),
                "state": said.state,
                "at_ms": said.at_ms,
                "error": said.error,
            })
        };
        report.insert("said".to_owned(), said.iter().map(one).collect());
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(run: &str, state: &str, nick: &str, handler: &str, error: Option<&str>) -> Past {
        Past {
            id: 1,
            run: Some(run.to_owned()),
            state: state.to_owned(),
            received_at_ms: now_ms(),
            started_at_ms: Some(1_000),
            ended_at_ms: Some(64_500),
            deliveries: 1,
            script: Some("deploy.luau".to_owned()),
            version: Some(3),
            handler: Some(handler.to_owned()),
            args: None,
            exit: None,
            replies: Some(1),
            error: error.map(str::to_owned),
            refused: false,
            log: None,
            output: None,
            attempt: 1,
            again: None,
            own: false,
            inbound: Some(crate::message::Inbound::CardAction(crate::message::CardAction {
                id: "1".into(),
                card_id: "c".into(),
                staff_id: Some(crate::message::StaffId::new(nick)),
                corp_id: None,
                conversation_id: None,
                action_ids: Vec::new(),
                params: serde_json::Map::new(),
            })),
        }
    }

    #[test]
    fn what_a_run_said_is_told_in_the_language_of_whoever_reads_it() {
        let said = Said {
            kind: "text",
            text: "hello".to_owned(),
            state: "sent".to_owned(),
            at_ms: 0,
            error: None,
        };
        let past = past("7k3fa", "done", "ann", "deploy", None);
        let all = |lang| all_in(&past, std::slice::from_ref(&said), lang);
        assert!(all(Lang::En).ends_with("\n  text (sent): hello"), "{}", all(Lang::En));
        assert!(all(Lang::Zh).ends_with("\n  文字（已发送）：hello"), "{}", all(Lang::Zh));
    }

    #[test]
    fn a_table_keeps_its_columns_with_chinese_names_and_fits_the_terminal() {
        let long = "部署 <环境:开发|预发|生产> [标签] --强制 and some more that does not fit here";
        let runs = [
            past("7k3fa", "done", "王小明", long, None),
            past(
                "0b1c2",
                "failed",
                "欧阳上官诸葛司马",
                "deploy",
                Some("a.luau:1: 磁盘已满 \u{1b}[31m\nmore"),
            ),
            past("9zzzz", "interrupted", "Alice", "x", None),
        ];
        let text = rendered(&runs, 80, false, Lang::En);
        for line in text.lines() {
            assert!(line.width() <= 80, "{line}");
        }
        let column = |line: &str, word: &str| line[..line.find(word).unwrap()].width();
        let lines: Vec<&str> = text.lines().collect();
        let handler = column(lines[0], "HANDLER");
        assert_eq!(column(lines[1], "部署"), handler, "{text}");
        assert_eq!(column(lines[2], "deploy"), handler, "{text}");
        assert!(lines[2].contains("欧阳上官诸…") && lines[1].ends_with('…'), "{text}");
        assert!(lines[3].contains("a.luau:1: 磁盘已满") && !text.contains("more"), "{text}");
        assert!(!text.contains('\u{1b}') && lines[1].contains("1m 3s"), "{text}");
    }
}
