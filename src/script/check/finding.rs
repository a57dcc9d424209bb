//! One thing that `check` has to say, and how a terminal shows it.

use std::fmt::{self, Write as _};
use std::ops::Range;

use crate::script::diagnostic::{LoadError, excerpt};
use crate::words::commands::errors;
use crate::words::findings as w;
use crate::words::{Lang, Said};

/// Whether a script serves in spite of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The script is not loaded.
    Error,
    /// It serves, but hardly as meant.
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    fn word(self, lang: Lang) -> &'static str {
        match self {
            Self::Error => w::error(lang),
            Self::Warning => w::warning(lang),
        }
    }
}

/// A finding, at a place of a file. Its `Display` is [`text`](Self::text) in English, as logs have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// A word from a closed set, for programs and for `-- moonbell: allow RULE`.
    pub rule: &'static str,
    /// Path below the scripts folder, with `/`.
    pub path: String,
    /// Line and column from 1, columns in characters; none when it is about the whole file.
    pub start: Option<(usize, usize)>,
    /// The first character that no longer belongs to it.
    pub end: Option<(usize, usize)>,
    pub message: Said,
    /// What to do.
    pub hint: Option<Said>,
    /// The line of source where it starts.
    pub source: Option<String>,
}

impl Finding {
    /// A warning about the bytes `span` of `text`.
    pub(super) fn warning<S: Into<String>>(
        rule: &'static str,
        path: &str,
        text: &str,
        span: &Range<usize>,
        message: impl Fn(Lang) -> S,
    ) -> Self {
        let (start, end) = (position(text, span.start), position(text, span.end));
        Self {
            severity: Severity::Warning,
            rule,
            path: path.to_owned(),
            start: Some(start),
            end: Some(end),
            message: Said::new(message),
            hint: None,
            source: line(text, start.0),
        }
    }

    pub(super) fn hint<S: Into<String>>(mut self, hint: impl Fn(Lang) -> S) -> Self {
        self.hint = Some(Said::new(hint));
        self
    }

    /// What the terminal shows, caret and all.
    pub fn text(&self, lang: Lang) -> String {
        let mut text = self.path.clone();
        if let Some((line, column)) = self.start {
            let _ = write!(text, ":{line}:{column}");
        }
        let (word, message) = (self.severity.word(lang), self.message.pick(lang));
        let _ = write!(text, ": {word}[{}]: {message}", self.rule);
        if let (Some((line, column)), Some(source)) = (self.start, &self.source) {
            // What goes on in the next line is underlined to the end of this one.
            let length = match self.end {
                Some((last, end)) if last == line => end.saturating_sub(column),
                _ => usize::MAX,
            };
            text.push_str(&excerpt(line, source, Some((column - 1, length))));
        }
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n{}{}", errors::label_hint(lang), hint.pick(lang));
        }
        text
    }
}

impl From<&LoadError> for Finding {
    fn from(error: &LoadError) -> Self {
        let (column, length) = error.caret.unwrap_or_default();
        let at = |column: usize| error.line.map(|line| (line, column + 1));
        Self {
            severity: Severity::Error,
            rule: error.kind.as_str(),
            path: error.path.clone(),
            start: at(column),
            end: at(column + length),
            message: Said::new(|_| error.message.as_str()),
            hint: None,
            source: error.source.clone(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

/// Line and column, from 1, of the byte `at`.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
}

/// A line, from 1, as it is shown: tabs would put the caret elsewhere than the terminal does.
pub(super) fn line(text: &str, number: usize) -> Option<String> {
    let line = text.lines().nth(number.checked_sub(1)?)?;
    Some(line.trim_end().replace('\t', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_its_words_behind_chinese_and_tabs() {
        let text = "local a = 1\n\tprint('你好', 名字)\n";
        let at = text.find("名字").unwrap();
        let finding =
            Finding::warning("type", "a.luau", text, &(at..at + "名字".len()), |_| "what?")
                .hint(|_| "do this");
        insta::assert_snapshot!(finding.text(Lang::En), @r"
        a.luau:2:14: warning[type]: what?
         2 |  print('你好', 名字)
           |                ^^^^
        hint: do this
        ");
    }

    #[test]
    fn what_spans_lines_is_underlined_in_its_first() {
        let text = "f({\n  1,\n})\n";
        let finding = Finding::warning("type", "a.luau", text, &(2..9), |_| "what?");
        insta::assert_snapshot!(finding.text(Lang::En), @r"
        a.luau:1:3: warning[type]: what?
         1 | f({
           |   ^
        ");
    }
}
