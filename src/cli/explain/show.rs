//! An explanation as a terminal shows it: words and marks, no colour.

use std::fmt::Write as _;

use chrono::{DateTime, Local};
use unicode_width::UnicodeWidthStr as _;

use super::gates::{Chosen, Explanation, Gate, Name};
use super::past::{Past, Reply};
use crate::cli::columns::pad;
use crate::words::Lang;
use crate::words::commands::{errors, runs};
use crate::words::explain::gates;
use crate::words::explain::show as w;

/// Shown of what people and scripts said.
const SHOWN: usize = 72;

/// Columns of the names of rows: of the handler, and of what the journal has.
const NAMES: usize = 12;
const PAST_NAMES: usize = 11;

impl Name {
    const ALL: [Self; 9] = [
        Self::Duplicate,
        Self::Lock,
        Self::Access,
        Self::Control,
        Self::Dialog,
        Self::Command,
        Self::Match,
        Self::Fallback,
        Self::Nobody,
    ];

    fn question(self, lang: Lang) -> &'static str {
        let says = match self {
            Self::Duplicate => gates::duplicate,
            Self::Lock => gates::locked,
            Self::Access => gates::access,
            Self::Control => gates::control,
            Self::Dialog => gates::dialog,
            Self::Command => gates::command,
            Self::Match => gates::pattern,
            Self::Fallback => gates::fallback,
            Self::Nobody => gates::nobody,
        };
        says(lang)
    }
}

impl Explanation {
    /// Everything, in the language in which it was made.
    pub(super) fn text(&self, lang: Lang) -> String {
        let mut out = String::new();
        if let Some(past) = &self.past {
            past.write(&mut out, lang);
            if let Some(text) = &self.text {
                row(&mut out, "  ", w::text(lang), PAST_NAMES, &cut(text));
            }
            if self.outcome.is_some() {
                let _ = writeln!(out, "\n{}", w::same_message_now(lang));
            }
        } else if let Some(text) = &self.text {
            let who = self.sender.as_deref().unwrap_or(w::somebody(lang));
            let says = if self.group { w::asked_in_group } else { w::asked };
            let _ = writeln!(out, "{}", says(&cut(text), who, self.host, lang));
        }
        if !self.gates.is_empty() {
            out.push('\n');
        }
        let width = Name::ALL.map(|name| name.question(lang).width()).into_iter().max();
        for gate in &self.gates {
            gate.write(&mut out, width.unwrap_or_default(), lang);
        }
        if let Some(outcome) = &self.outcome {
            let mark = if matches!(outcome.kind, "runs" | "answered") { '✓' } else { '✗' };
            let _ = writeln!(out, "\n{mark} {}", outcome.summary);
            for (n, line) in outcome.answer.iter().flat_map(|answer| answer.lines()).enumerate() {
                row(&mut out, "    ", if n == 0 { w::they_read(lang) } else { "" }, NAMES, line);
            }
        }
        if let Some(handler) = &self.handler {
            handler.write(&mut out, lang);
        }
        if !self.hints.is_empty() {
            out.push('\n');
        }
        for hint in &self.hints {
            let _ = writeln!(out, "{}{hint}", errors::label_hint(lang));
        }
        out.trim_end_matches('\n').to_owned()
    }
}

/// A line: its name, and what is so called.
fn row(out: &mut String, indent: &str, name: &str, width: usize, value: &str) {
    let _ = writeln!(out, "{indent}{}{value}", pad(name, width));
}

impl Gate {
    fn write(&self, out: &mut String, width: usize, lang: Lang) {
        let unasked = self.answer.is_none() && self.why.is_empty();
        let answer = match self.answer {
            Some(true) => gates::yes(lang),
            Some(false) => gates::no(lang),
            None if unasked => "-",
            None => "?",
        };
        let why = if unasked { gates::not_asked(lang) } else { &self.why };
        let question = pad(self.name.question(lang), width);
        let _ = writeln!(out, "  {question}  {}  {}", pad(answer, 3), cut_long(why));
        for detail in &self.details {
            let _ = writeln!(out, "  {}       · {}", pad("", width), cut_long(detail));
        }
    }
}

impl Chosen {
    fn write(&self, out: &mut String, lang: Lang) {
        let mut row = |name: &str, value: &str| row(out, "    ", name, NAMES, value);
        let declared = format!("{} {}", self.kind, cut(&self.declared));
        row(w::declared(lang), &w::declared_at(&declared, &self.script, self.line, lang));
        if let Some(args) =
            self.args.as_ref().filter(|args| args.as_object().is_none_or(|all| !all.is_empty()))
        {
            row(w::arguments(lang), &cut_long(&args.to_string()));
        }
        let role = match &self.role {
            None => w::any_role(lang).to_owned(),
            Some(role) if self.has_role => w::they_have(role, lang),
            Some(role) => w::they_have_not(role, lang),
        };
        row(w::role(lang), &role);
        if let Some(question) = &self.confirm {
            let question = cut(question);
            let asks = match &self.approvers {
                None => w::asks_sender(&question, lang),
                Some(role) => w::asks_others(role, &question, lang),
            };
            row(w::confirm(lang), &asks);
        }
        let queue = match self.queue {
            "person in chat" => w::queue_person_in_chat,
            "conversation" => w::queue_conversation,
            "person" => w::queue_person,
            "replace" => w::queue_replace,
            _ => w::queue_none,
        };
        row(w::queue(lang), queue(lang));
        row(w::timeout(lang), &limit(self.timeout_ms, lang));
        if let (Some(version), Some(since)) = (self.served_version, self.served_since_ms) {
            row(w::running(lang), &w::serves(version, &time(since), lang));
        }
        if let Some(then) = &self.then {
            row(w::then(lang), &w::hands_on(then, lang));
        }
    }
}

impl Past {
    fn write(&self, out: &mut String, lang: Lang) {
        let state = runs::state_of(&self.state, lang);
        let mut head = match &self.run {
            Some(run) => w::run(run, state, lang),
            None => state.to_owned(),
        };
        if let Some(what) = self.what {
            head = w::with(&head, what, lang);
        }
        let _ = writeln!(out, "{head}");
        let mut row = |name: &str, value: &str| row(out, "  ", name, PAST_NAMES, value);
        let received = time(self.received_at_ms);
        let received = match self.deliveries {
            0 | 1 => received,
            n => w::repeats(&received, n, lang),
        };
        row(w::received(lang), &received);
        if let Some(sender) = &self.sender {
            let id = sender.staff_id.as_deref().unwrap_or(w::no_staff_id(lang));
            let (name, title) = (cut(&sender.name), sender.title.as_deref().map(cut));
            let from = match sender.chat {
                "group" => w::from_group(&name, id, &title.unwrap_or_default(), lang),
                _ => w::from_direct(&name, id, lang),
            };
            row(w::from(lang), from.trim_end());
        }
        if let Some(started) = self.started_at_ms {
            row(w::waited(lang), &span(started - self.received_at_ms, lang));
            if let Some(ended) = self.ended_at_ms {
                row(w::ran(lang), &span(ended - started, lang));
            }
        }
        match (&self.refused, &self.handler) {
            (Some(refused), _) => row(w::refused(lang), refused),
            (None, Some(handler)) if handler == "answer" => {
                row(w::handler(lang), w::answered_question(lang));
            }
            (None, Some(handler)) => row(w::handler(lang), &cut(handler)),
            (None, None) if self.ended_at_ms.is_some() => {
                row(w::handler(lang), w::answered_itself(lang));
            }
            (None, None) => {}
        }
        if let Some(error) = &self.error {
            row(w::error(lang), &error.replace('\n', "\n             "));
        }
        if self.replies.is_empty() && self.ended_at_ms.is_some() {
            row(w::said(lang), w::nothing(lang));
        }
        for reply in &self.replies {
            row(w::said(lang), &reply.text(lang));
        }
    }
}

impl Reply {
    fn text(&self, lang: Lang) -> String {
        let state = match self.state.as_str() {
            "queued" => w::not_sent_yet(lang),
            "sent" => w::sent(lang),
            "open" => w::open(lang),
            "parked" => w::not_sent(lang),
            "dropped" => w::given_up(lang),
            other => other,
        };
        let mut text = w::says(state, &time(self.at_ms), self.kind, lang);
        if !self.text.is_empty() {
            text = w::says_text(&text, &cut(&self.text), lang);
        }
        if let Some(error) = &self.error {
            let _ = write!(text, "\n             {}", w::because(error, lang));
        }
        text
    }
}

fn time(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms).map_or_else(
        || "?".to_owned(),
        |at| at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

fn span(ms: i64, lang: Lang) -> String {
    match u128::try_from(ms).unwrap_or_default() {
        ms if ms < 1000 => w::milliseconds(ms, lang),
        ms => w::parts(ms / 1000, ms % 1000 / 100, lang),
    }
}

/// A limit as people write one.
fn limit(ms: u128, lang: Lang) -> String {
    match ms {
        ms if ms % 3_600_000 == 0 => w::hours(ms / 3_600_000, lang),
        ms if ms % 60_000 == 0 => w::minutes(ms / 60_000, lang),
        ms if ms % 1000 == 0 => w::seconds(ms / 1000, lang),
        ms => w::milliseconds(ms, lang),
    }
}

fn cut(text: &str) -> String {
    cut_to(text, SHOWN)
}

fn cut_long(text: &str) -> String {
    cut_to(text, 4 * SHOWN)
}

/// One line of `text`.
fn cut_to(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    for (n, c) in text.trim().chars().enumerate() {
        if n == limit {
            let _ = shown.write_char('…');
            break;
        }
        shown.push(if c == '\n' { '⏎' } else { c });
    }
    shown
}
