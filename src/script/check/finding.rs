//! One thing that `check` has to say, and how a terminal shows it.

use std::fmt;
use std::ops::Range;

use crate::script::diagnostic::{LoadError, excerpt};

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
}

/// A finding, at a place of a file. `Display` is what the terminal shows, caret and all.
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
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The line of source where it starts.
    pub source: Option<String>,
}

impl Finding {
    /// A warning about the bytes `span` of `text`.
    pub(super) fn warning(
        rule: &'static str,
        path: &str,
        text: &str,
        span: &Range<usize>,
        message: String,
    ) -> Self {
        let (start, end) = (position(text, span.start), position(text, span.end));
        Self {
            severity: Severity::Warning,
            rule,
            path: path.to_owned(),
            start: Some(start),
            end: Some(end),
            message,
            hint: None,
            source: line(text, start.0),
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
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
            message: error.message.clone(),
            hint: None,
            source: error.source.clone(),
        }
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

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some((line, column)) = self.start {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}[{}]: {}", self.severity.as_str(), self.rule, self.message)?;
        if let (Some((line, column)), Some(source)) = (self.start, &self.source) {
            // What goes on in the next line is underlined to the end of this one.
            let length = match self.end {
                Some((last, end)) if last == line => end.saturating_sub(column),
                _ => usize::MAX,
            };
            f.write_str(&excerpt(line, source, Some((column - 1, length))))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_its_words_behind_chinese_and_tabs() {
        let text = "local a = 1\n\tprint('你好', 名字)\n";
        let at = text.find("名字").unwrap();
        let finding =
            Finding::warning("type", "a.luau", text, &(at..at + "名字".len()), "what?".to_owned())
                .hint("do this");
        insta::assert_snapshot!(finding, @r"
        a.luau:2:14: warning[type]: what?
         2 |  print('你好', 名字)
           |                ^^^^
        hint: do this
        ");
    }

    #[test]
    fn what_spans_lines_is_underlined_in_its_first() {
        let text = "f({\n  1,\n})\n";
        let finding = Finding::warning("type", "a.luau", text, &(2..9), "what?".to_owned());
        insta::assert_snapshot!(finding, @r"
        a.luau:1:3: warning[type]: what?
         1 | f({
           |   ^
        ");
    }
}
