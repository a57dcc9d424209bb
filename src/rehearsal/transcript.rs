//! What happened on a stage, as a chat that a person reads.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, Utc};

use crate::message::Body;
use crate::outbox::Card;
use crate::sink::escape;

/// Lines of one entry that are shown; cards and program output may be long.
const SHOWN_LINES: usize = 12;

/// Characters of a line that are shown.
const SHOWN_CHARS: usize = 200;

#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A person wrote: name, what they are here, where, text.
    Said {
        who: String,
        role: String,
        place: String,
        text: String,
    },
    /// The bot answered.
    Reply {
        to: String,
        body: Body,
    },
    Card {
        to: String,
        card: Card,
    },
    /// A program; what became of it.
    Ran {
        argv: Vec<String>,
        how: String,
    },
    Called {
        what: String,
        how: String,
    },
    /// The bot put a reaction to the message.
    Reacted {
        text: String,
    },
    /// The clock was moved.
    Moved {
        by: String,
    },
    /// Something that no message started failed.
    Failed {
        what: String,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: DateTime<FixedOffset>,
    pub(super) event: Event,
    /// The run that it belongs to, and how much that run had said before: replies are seen later than they were said.
    pub(super) run: Option<(String, usize)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    entries: Vec<Entry>,
    /// From here on, entries may still be overtaken by replies.
    settled: usize,
}

impl Transcript {
    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Adds something that a run said as its `number`th (from 0): before whatever that run did later.
    pub(super) fn add_said(&mut self, entry: Entry, run: &str, number: usize) {
        let place = self.entries[self.settled..].iter().position(
            |later| matches!(&later.run, Some((of, said)) if of == run && *said > number),
        );
        match place {
            Some(place) => self.entries.insert(self.settled + place, entry),
            None => self.entries.push(entry),
        }
    }

    /// What is here now stays in this order.
    pub(super) fn settle(&mut self) {
        self.settled = self.entries.len();
    }

    /// Each entry with its time, wrapped under it.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut day = self.entries.first().map(|entry| entry.at.date_naive());
        for entry in &self.entries {
            if day != Some(entry.at.date_naive()) {
                day = Some(entry.at.date_naive());
                let _ = writeln!(out, "      — {} —", entry.at.format("%a %-d %b %Y"));
            }
            let time = entry.at.format("%H:%M");
            for (n, line) in shown(&describe(&entry.event)).into_iter().enumerate() {
                if n == 0 {
                    let _ = writeln!(out, "{time} {line}");
                } else {
                    let _ = writeln!(out, "{}", format!("      {line}").trim_end());
                }
            }
        }
        out
    }
}

fn shown(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let cut = |line: &str| match line.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", escape(&line[..end])),
        None => escape(line),
    };
    if lines.len() <= SHOWN_LINES {
        return lines.into_iter().map(cut).collect();
    }
    let mut shown: Vec<String> = lines[..SHOWN_LINES / 2].iter().map(|line| cut(line)).collect();
    shown.push(format!("… {} lines", lines.len() - SHOWN_LINES));
    shown.extend(lines[lines.len() - SHOWN_LINES / 2..].iter().map(|line| cut(line)));
    shown
}

fn describe(event: &Event) -> String {
    match event {
        Event::Said { who, role, place, text } => {
            let about: Vec<&str> = [role.as_str(), place.as_str()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            format!("{who} ({}): {}", about.join(", "), indented(text))
        }
        Event::Reply { to, body } => format!("bot → {to}: {}", indented(&words(body))),
        Event::Card { to, card } => {
            let (text, state) = card.look();
            let text = if text.trim().is_empty() { String::new() } else { format!("\n{text}") };
            format!("bot → {to}: [card \"{}\", {state}]{}", card.title(), indented(text.trim_end()))
        }
        Event::Ran { argv, how } => format!("  $ {}  ({how})", command_line(argv)),
        Event::Called { what, how } => format!("  ⇄ {what}  ({how})"),
        Event::Reacted { text } => format!("bot reacts: {text}"),
        Event::Moved { by } => format!("  … {by}"),
        Event::Failed { what } => format!("  ✗ {}", indented(what)),
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// What a reply says, in a line of text if it is none.
pub(super) fn words(body: &Body) -> String {
    match body {
        Body::Text { text } | Body::Markdown { text, .. } => text.clone(),
        Body::File { name, .. } => format!("[file {name}]"),
        Body::Image { media_id } => format!("[picture {media_id}]"),
    }
}

/// Arguments as a shell would be given them.
pub(super) fn command_line(argv: &[String]) -> String {
    let quote = |word: &String| {
        let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+~".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            let word: String = word.replace('\'', "'\\''").chars().flat_map(visible).collect();
            format!("'{word}'")
        }
    };
    argv.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Line breaks and the like as they are written in a string.
fn visible(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

/// A time of the stage as people read it.
pub(super) fn clock_time(at: DateTime<Utc>, zone: Zone) -> DateTime<FixedOffset> {
    match zone {
        Zone::Local => at.with_timezone(&chrono::Local).fixed_offset(),
        Zone::Named(zone) => at.with_timezone(&zone).fixed_offset(),
    }
}

/// In which the stage's times are read and shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Zone {
    #[default]
    Local,
    Named(chrono_tz::Tz),
}
