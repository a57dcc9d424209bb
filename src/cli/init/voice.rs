//! How `init` speaks: steps with marks on a terminal, or a JSON object a line.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::{columns, lang, letters, talk};
use crate::sink::{escape, redact};
use crate::words::Lang;
use crate::words::setup as w;

#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) lang: Lang,
    json: bool,
    /// Whether the terminal's locale has more than ASCII.
    unicode: bool,
    columns: usize,
}

impl Voice {
    pub(super) fn new(json: bool, lang: Lang) -> Self {
        let size = terminal_size::terminal_size_of(io::stderr());
        let columns = size.map_or(usize::MAX, |(columns, _)| columns.0.into());
        Self { lang, json, unicode: letters::locale_shows_all(), columns }
    }

    /// Before it is known who reads it: as the terminal has it, and in English for programs.
    pub(super) fn of(json: bool) -> Self {
        if json { Self::program() } else { Self::new(false, lang::of_terminal()) }
    }

    /// For a program that reads events.
    pub(super) fn program() -> Self {
        Self::new(true, Lang::En)
    }

    /// Whether more than ASCII is shown. Whoever asked for Chinese can read it, whatever the terminal says.
    pub(super) fn shows_all(&self) -> bool {
        self.unicode || self.lang == Lang::Zh
    }

    /// Whether there is somebody who sees questions and can answer.
    pub(super) fn may_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    pub(super) fn greet(&self) {
        self.text(&talk::label(w::title(self.lang), "\x1b[1m"));
        self.text(&talk::label(w::subtitle(self.lang), "\x1b[2m"));
    }

    pub(super) fn heading(&self, title: &str) {
        self.text("");
        self.text(&talk::label(title, "\x1b[1m"));
    }

    /// Something that is done, or was.
    pub(super) fn done(&self, text: &str) {
        let mark = if self.shows_all() { "✓" } else { "*" };
        self.marked(&talk::label(mark, "\x1b[32m"), text);
    }

    /// Something that went wrong, and what to do.
    pub(super) fn trouble(&self, text: &str, hint: &str) {
        self.marked(&talk::label("!", "\x1b[31;1m"), text);
        self.note(hint);
    }

    fn marked(&self, mark: &str, text: &str) {
        for (at, line) in self.wrapped(text, 4).iter().enumerate() {
            let before = if at == 0 { mark } else { " " };
            self.text(&format!("  {before} {line}"));
        }
    }

    pub(super) fn note(&self, text: &str) {
        for line in text.lines().flat_map(|line| self.wrapped(line, 4)) {
            self.text(&format!("    {line}"));
        }
    }

    /// The lines of `text`, of which those after the first begin as it does.
    fn wrapped(&self, text: &str, indent: usize) -> Vec<String> {
        let text = self.clean(text);
        let own = text.len() - text.trim_start_matches(' ').len();
        let lines = columns::wrap(&text, 0, own, self.columns.saturating_sub(indent));
        lines.split('\n').map(str::to_owned).collect()
    }

    /// One of several that can be chosen by its number.
    pub(super) fn choice(&self, number: usize, text: &str) {
        for (at, line) in self.wrapped(text, 7).iter().enumerate() {
            let before = if at == 0 { number.to_string() } else { " ".to_owned() };
            self.text(&format!("    {before}  {line}"));
        }
    }

    /// Says a question but its last line, which stands before what is typed.
    pub(super) fn prompt(&self, question: &str) -> String {
        // What is typed needs room too.
        let mut lines = self.wrapped(question, 8);
        let last = lines.pop().unwrap_or_default();
        for line in lines {
            self.text(&format!("    {line}"));
        }
        format!("    {last}: ")
    }

    /// What somebody has to type or scan: nothing around it that could be taken for a part of it.
    pub(super) fn shown(&self, text: &str) {
        self.text("");
        self.text(&format!("      {}", talk::label(&self.clean(text), "\x1b[1m")));
        self.text("");
    }

    /// Lines that are drawn already.
    pub(super) fn drawn(&self, text: &str) {
        self.text(text);
    }

    pub(super) fn end(&self, text: &str) {
        self.text("");
        for line in text.lines().flat_map(|line| self.wrapped(line, 0)) {
            self.text(&line);
        }
    }

    /// Messages quote what DingTalk and the settings say.
    fn clean(&self, text: &str) -> String {
        let clean = escape(&redact(text));
        if self.shows_all() { clean } else { letters::ascii(&clean).into_owned() }
    }

    fn text(&self, line: &str) {
        if !self.json {
            talk::drawn(line);
        }
    }

    /// For programs: what happened in a step.
    pub(super) fn event(&self, step: &str, event: &str, more: Value) {
        if !self.json {
            return;
        }
        let mut object = Map::new();
        object.insert("step".to_owned(), json!(step));
        object.insert("event".to_owned(), json!(event));
        if let Value::Object(more) = more {
            object.extend(more);
        }
        talk::data(redact(&Value::Object(object).to_string()));
    }

    /// Says to a person why it ends, as every command does, but in their language and within the lines of this terminal.
    pub(super) fn broken_off(&self, error: &anyhow::Error) {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        self.text("");
        self.labelled(w::label_of_errors(self.lang), "\x1b[31;1m", &causes.join(": "));
        if let Some(hint) = talk::hint(error) {
            self.labelled(w::label_of_hints(self.lang), "\x1b[36;1m", &hint);
        }
    }

    fn labelled(&self, label: &str, color: &str, text: &str) {
        for (at, part) in text.lines().enumerate() {
            let whole = if at == 0 { format!("{label} {part}") } else { part.to_owned() };
            for line in self.wrapped(&whole, 0) {
                match line.strip_prefix(label).filter(|_| at == 0) {
                    Some(rest) => self.text(&format!("{}{rest}", talk::label(label, color))),
                    None => self.text(&line),
                }
            }
        }
    }

    pub(super) fn failed(&self, error: &anyhow::Error) {
        let causes: Vec<String> =
            error.chain().map(|cause| redact(&cause.to_string()).into()).collect();
        let hint = talk::hint(error).map(|hint| redact(&hint).into_owned());
        self.event("end", "failed", json!({ "message": causes.join(": "), "hint": hint }));
    }
}

/// A path as people write it.
pub(super) fn path(path: &Path) -> String {
    let home = directories::BaseDirs::new();
    let below = home.as_ref().and_then(|dirs| path.strip_prefix(dirs.home_dir()).ok());
    match below {
        Some(below) if !cfg!(windows) => format!("~/{}", below.display()),
        _ => path.display().to_string(),
    }
}
