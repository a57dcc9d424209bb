//! What is wrong with the settings: all of it, each with its place.
//!
//! It is said in both languages, for who reads it is not known here; `Display` is English, as the log has it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::{Config, Language};
use crate::words::Lang;
use crate::words::Said;
use crate::words::config::problems as w;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere: the file as a whole, or no file.
    File(PathBuf),
    /// Line and column count from 1, columns in characters.
    Line {
        file: PathBuf,
        line: usize,
        column: usize,
    },
    Variable(String),
    Default,
}

impl Place {
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Self::File(file) => file.display().to_string(),
            Self::Line { file, line, column } => format!("{}:{line}:{column}", file.display()),
            Self::Variable(name) => w::variable(name, lang),
            Self::Default => w::default(lang).to_owned(),
        }
    }

    /// `what`, with the place before it.
    fn says(&self, what: &str, lang: Lang) -> String {
        match self {
            Self::Variable(name) => w::of_variable(name, what, lang),
            Self::Default => w::of_default(what, lang),
            // As compilers write it, whatever the language.
            Self::File(_) | Self::Line { .. } => format!("{}: {what}", self.text(lang)),
        }
    }
}

/// One mistake, or one thing to be warned about.
#[derive(Clone, Debug)]
pub struct Problem {
    pub place: Place,
    pub message: Said,
    pub hint: Option<Said>,
}

impl Problem {
    pub(crate) fn new<S: Into<String>>(place: Place, message: impl Fn(Lang) -> S) -> Self {
        Self { place, message: Said::new(message), hint: None }
    }

    pub(crate) fn hint<S: Into<String>>(mut self, hint: impl Fn(Lang) -> S) -> Self {
        self.hint = Some(Said::new(hint));
        self
    }

    /// Its place, and what is wrong there.
    pub fn line(&self, lang: Lang) -> String {
        self.place.says(self.message.pick(lang), lang)
    }

    /// The same, with its hint below.
    pub fn text(&self, lang: Lang) -> String {
        let mut text = self.line(lang);
        if let Some(hint) = &self.hint {
            text.push_str("\n  ");
            text.push_str(&w::hint(hint.pick(lang), lang));
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

/// Why there is no [`Config`](super::Config): never empty, in the order of the file.
#[derive(Debug, Default)]
pub struct Problems {
    pub list: Vec<Problem>,
    /// What is missing stands in it.
    pub example: Option<Example>,
    /// What they leave, if it is certain where the state is: `lock` and `status` must work beside a typing mistake. Without
    /// secrets that count; for what is wrong it has the default.
    pub rest: Option<Box<Config>>,
    /// Keys that they are about, by their dotted paths.
    pub wrong: BTreeSet<String>,
    /// In which language they are told, as far as that could be read.
    pub language: Language,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// All of them; the hint of a single one is told apart.
    pub fn text(&self, lang: Lang) -> String {
        match &self.list[..] {
            [only] => only.line(lang),
            many => {
                let mut text = w::many(many.len(), lang);
                for problem in many {
                    text.push('\n');
                    text.push_str(&problem.text(lang));
                }
                text
            }
        }
    }

    /// The reader's next step, printed under the error as `hint: …`.
    pub fn hint(&self, lang: Lang) -> Option<String> {
        if let Some(example) = &self.example {
            return Some(example.hint(lang));
        }
        match &self.list[..] {
            [only] => only.hint.as_ref().map(|hint| hint.pick(lang).to_owned()),
            _ => None,
        }
    }
}

/// A whole file of settings to begin with.
#[derive(Clone, Debug)]
pub struct Example {
    /// Where it goes.
    pub file: PathBuf,
    /// Nothing is there yet.
    pub is_new: bool,
}

impl Example {
    fn hint(&self, lang: Lang) -> String {
        let text = w::minimal(lang);
        if self.is_new {
            w::write_this(&self.file.to_string_lossy(), text, lang)
        } else {
            w::complete_file(text, lang)
        }
    }
}
