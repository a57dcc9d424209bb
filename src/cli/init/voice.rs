//! How `init` speaks: steps with marks on a terminal, or a JSON object a line.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use serde_json::{Map, Value, json};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::cli::talk;
use crate::sink::{escape, redact};
use crate::words::Lang;
use crate::words::setup as w;

#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) lang: Lang,
    json: bool,
    /// Whether the terminal shows more than ASCII.
    pub(super) unicode: bool,
    columns: usize,
}

impl Voice {
    pub(super) fn new(json: bool, lang: Lang) -> Self {
        let size = terminal_size::terminal_size_of(io::stderr());
        let columns = size.map_or(usize::MAX, |(columns, _)| columns.0.into());
        Self { lang, json, unicode: talk::shows_unicode(), columns }
    }

    /// For a program that reads events.
    pub(super) fn program() -> Self {
        Self::new(true, Lang::En)
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
        let mark = if self.unicode { "✓" } else { "*" };
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

    fn wrapped(&self, text: &str, indent: usize) -> Vec<String> {
        wrap(&self.clean(text), self.columns.saturating_sub(indent))
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

    /// Messages quote what DingTalk and the settings say. Whoever asked for Chinese can read it, whatever the terminal says.
    fn clean(&self, text: &str) -> String {
        let clean = escape(&redact(text));
        if self.unicode || self.lang == Lang::Zh { clean } else { talk::ascii(&clean) }
    }

    fn text(&self, line: &str) {
        if !self.json {
            talk::say(line);
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

/// Breaks a line where a terminal of so many columns would, but between words; between any two characters of Chinese, for
/// it has no blanks, and not before what ends a sentence. A path that is longer than a line breaks behind its slashes; any
/// other word that is, such as an address that can be clicked, stays whole.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let indent: String = text.chars().take_while(|c| *c == ' ').collect();
    let mut lines = Vec::new();
    let mut line = indent.clone();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut word = &rest[..first_word(rest)];
        if indent.width() + word.trim_end().width() > columns && !word.contains("://") {
            word = &word[..first_part(word)];
        }
        if line.trim().is_empty() || line.width() + word.trim_end().width() <= columns {
            line.push_str(word);
        } else {
            lines.push(line.trim_end().to_owned());
            line = format!("{indent}{word}");
        }
        rest = &rest[word.len()..];
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// How many bytes of a path stay together.
fn first_part(path: &str) -> usize {
    let end = path.char_indices().skip(1).find(|(_, c)| matches!(c, '/' | '\\'));
    end.map_or(path.len(), |(at, c)| at + c.len_utf8())
}

/// How many bytes of `text` stay together: a word with the blank behind it, or a wide character with what ends it.
fn first_word(text: &str) -> usize {
    let is_wide = |c: char| c.width() == Some(2);
    let ends = |c: char| "，。；：！？、）”》……".contains(c);
    let mut before = None;
    for (at, c) in text.char_indices() {
        let breaks = match before {
            None => false,
            Some(' ') => c != ' ',
            Some(last) => {
                (is_wide(last) || is_wide(c)) && !ends(c) && c != ' ' && !"（“《".contains(last)
            }
        };
        if breaks {
            return at;
        }
        before = Some(c);
    }
    text.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_chinese_before_no_full_stop() {
        assert_eq!(wrap("one two three", 9), ["one two", "three"]);
        assert_eq!(wrap("  one two", 6), ["  one", "  two"]);
        assert_eq!(
            wrap("see https://example.com/a/long/path now", 12),
            ["see", "https://example.com/a/long/path", "now"]
        );
        assert_eq!(wrap("打开钉钉，搜索机器人。", 10), ["打开钉钉，", "搜索机器", "人。"]);
        assert_eq!(wrap("运行 moonbell init（或重试）", 14), ["运行 moonbell", "init（或重试）"]);
        assert_eq!(
            wrap("Settings: ~/a/long/way/down/config.toml (yours)", 16),
            ["Settings: ~/a/", "long/way/", "down/config.toml", "(yours)"]
        );
        assert_eq!(wrap("", 10), [""]);
        let text = "用 moonbell service install 让它在后台运行";
        assert_eq!(wrap(text, usize::MAX), [text]);
        for columns in 4..40 {
            let whole = wrap(text, columns).join(" ").replace(' ', "");
            assert_eq!(whole, text.replace(' ', ""), "nothing is lost");
        }
    }
}
