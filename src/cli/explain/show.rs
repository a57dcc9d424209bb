//! An explanation as a terminal shows it: words and marks, no colour.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Local};

use super::gates::{Chosen, Explanation, Gate, Name};
use super::past::{Past, Reply};

/// Shown of what people and scripts said.
const SHOWN: usize = 72;

impl Name {
    fn question(self) -> &'static str {
        match self {
            Self::Duplicate => "seen before?",
            Self::Access => "may they write here?",
            Self::Control => "a word of moonbell's?",
            Self::Dialog => "an open dialog?",
            Self::Command => "a command?",
            Self::Match => "a pattern?",
            Self::Fallback => "a fallback?",
            Self::Nobody => "nobody?",
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(past) = &self.past {
            write!(f, "{past}")?;
            if let Some(text) = &self.text {
                writeln!(f, "  text       {}", cut(text))?;
            }
            if self.outcome.is_some() {
                writeln!(f, "\nThe same message with the scripts and settings of now:")?;
            }
        } else if let Some(text) = &self.text {
            let chat = if self.group { "a group" } else { "a direct chat" };
            let who = self.sender.as_deref().unwrap_or("somebody");
            writeln!(
                f,
                "`{}` from `{who}` in {chat}, as `moonbell {}` would take it",
                cut(text),
                self.host
            )?;
        }
        if !self.gates.is_empty() {
            writeln!(f)?;
        }
        for gate in &self.gates {
            writeln!(f, "{gate}")?;
        }
        if let Some(outcome) = &self.outcome {
            let mark = if matches!(outcome.kind, "runs" | "answered") { '✓' } else { '✗' };
            writeln!(f, "\n{mark} {}", outcome.summary)?;
            if let Some(answer) = &outcome.answer {
                for (n, line) in answer.lines().enumerate() {
                    writeln!(
                        f,
                        "    {}{line}",
                        if n == 0 { "they read   " } else { "            " }
                    )?;
                }
            }
        }
        if let Some(handler) = &self.handler {
            write!(f, "{handler}")?;
        }
        if !self.hints.is_empty() {
            writeln!(f)?;
        }
        for (n, hint) in self.hints.iter().enumerate() {
            let end = if n + 1 == self.hints.len() { "" } else { "\n" };
            write!(f, "hint: {hint}{end}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = match self.answer {
            Some(true) => "yes",
            Some(false) => "no",
            None if self.why.is_empty() => "-",
            None => "?",
        };
        let why =
            if self.answer.is_none() && self.why.is_empty() { "not asked" } else { &self.why };
        write!(f, "  {:21}  {answer:3}  {}", self.name.question(), cut_long(why))?;
        for detail in &self.details {
            write!(f, "\n  {:21}       · {}", "", cut_long(detail))?;
        }
        Ok(())
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "    declared    {} {} in {}:{}",
            self.kind,
            cut(&self.declared),
            self.script,
            self.line
        )?;
        if let Some(args) =
            self.args.as_ref().filter(|args| args.as_object().is_none_or(|all| !all.is_empty()))
        {
            writeln!(f, "    arguments   {}", cut_long(&args.to_string()))?;
        }
        match &self.role {
            None => writeln!(f, "    role        any")?,
            Some(role) if self.has_role => writeln!(f, "    role        `{role}`: they have it")?,
            Some(role) => writeln!(f, "    role        `{role}`: they do not have it")?,
        }
        if let Some(question) = &self.confirm {
            let who = match &self.approvers {
                None => "of whoever sent it".to_owned(),
                Some(role) => format!("of somebody else with the role `{role}`"),
            };
            writeln!(f, "    confirm     asks {who} before it runs: {}", cut(question))?;
        }
        writeln!(
            f,
            "    queue       {}",
            match self.queue {
                "person in chat" => "after their earlier messages in this chat",
                "conversation" => "after everything earlier in this chat",
                "person" => "after their earlier messages in all chats",
                "replace" => "cancels their earlier run of it",
                _ => "at once, beside others",
            }
        )?;
        writeln!(f, "    timeout     {}", limit(self.timeout_ms))?;
        if let (Some(version), Some(since)) = (self.served_version, self.served_since_ms) {
            writeln!(
                f,
                "    running     the host serves version {version}, loaded {}",
                time(since)
            )?;
        }
        if let Some(then) = &self.then {
            writeln!(
                f,
                "    then        if it hands on (`return bot.pass`), which only running it can tell: {then}"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run {
            Some(run) => write!(f, "run {run}: {}", self.state)?,
            None => write!(f, "{}", self.state)?,
        }
        if let Some(what) = self.what {
            write!(f, " ({what})")?;
        }
        write!(f, "\n  received   {}", time(self.received_at_ms))?;
        match self.deliveries {
            0 | 1 => writeln!(f)?,
            n => writeln!(f, ", delivered {n} times: the repeats were dropped")?,
        }
        if let Some(sender) = &self.sender {
            let id = sender.staff_id.as_deref().unwrap_or("no staff id");
            let title =
                sender.title.as_ref().map_or_else(String::new, |title| format!(" {}", cut(title)));
            writeln!(
                f,
                "  from       {} ({id}), {}{title}",
                cut(&sender.name),
                match sender.chat {
                    "group" => "group",
                    _ => "direct chat",
                }
            )?;
        }
        if let Some(started) = self.started_at_ms {
            writeln!(f, "  waited     {}", span(started - self.received_at_ms))?;
            if let Some(ended) = self.ended_at_ms {
                writeln!(f, "  ran        {}", span(ended - started))?;
            }
        }
        match (&self.refused, &self.handler) {
            (Some(refused), _) => writeln!(f, "  refused    {refused}")?,
            (None, Some(handler)) if handler == "answer" => {
                writeln!(f, "  handler    none; it answered a script's question")?;
            }
            (None, Some(handler)) => writeln!(f, "  handler    {}", cut(handler))?,
            (None, None) if self.ended_at_ms.is_some() => {
                writeln!(f, "  handler    none; moonbell answered itself")?;
            }
            (None, None) => {}
        }
        if let Some(error) = &self.error {
            writeln!(f, "  error      {}", error.replace('\n', "\n             "))?;
        }
        if self.replies.is_empty() && self.ended_at_ms.is_some() {
            writeln!(f, "  said       nothing")?;
        }
        for reply in &self.replies {
            writeln!(f, "  said       {reply}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state.as_str() {
            "queued" => "not sent yet",
            "parked" => "NOT sent",
            "dropped" => "given up",
            other => other,
        };
        write!(f, "{state} {}, {}", time(self.at_ms), self.kind)?;
        if !self.text.is_empty() {
            write!(f, ": {}", cut(&self.text))?;
        }
        if let Some(error) = &self.error {
            write!(f, "\n             because: {error}")?;
        }
        Ok(())
    }
}

fn time(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms).map_or_else(
        || "?".to_owned(),
        |at| at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

fn span(ms: i64) -> String {
    let ms = ms.max(0);
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

/// A limit as people write one.
fn limit(ms: u128) -> String {
    match ms {
        ms if ms % 3_600_000 == 0 => format!("{} h", ms / 3_600_000),
        ms if ms % 60_000 == 0 => format!("{} min", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
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
