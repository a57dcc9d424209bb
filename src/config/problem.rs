//! What is wrong with the settings: all of it, each with its place.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::{Config, Language};

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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Line { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One mistake, or one thing to be warned about.
#[derive(Clone, Debug)]
pub struct Problem {
    pub place: Place,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
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
        match &self.list[..] {
            [only] => write!(f, "{}: {}", only.place, only.message),
            many => {
                write!(f, "{} problems in the settings", many.len())?;
                for problem in many {
                    write!(f, "\n{problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// The reader's next step, printed under the error as `hint: …`.
    pub fn hint(&self) -> Option<String> {
        if let Some(example) = &self.example {
            return Some(example.hint());
        }
        match &self.list[..] {
            [only] => only.hint.clone(),
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
    pub text: &'static str,
}

impl Example {
    fn hint(&self) -> String {
        let Self { file, is_new, text } = self;
        if *is_new {
            let file = file.display();
            format!(
                "`moonbell init` sets it up; or write this to {file}, with your own values:\n\n{text}"
            )
        } else {
            format!(
                "`moonbell init` writes what is missing; a complete file looks like this:\n\n{text}"
            )
        }
    }
}
