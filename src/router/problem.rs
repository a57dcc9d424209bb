//! What is wrong with the arguments that a person typed, and how to tell them.

use super::value::Type;
use super::words;
use crate::words::Lang;
use crate::words::help as says;
use crate::words::list;

/// Why a command was not run.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// A word is not a value of the argument's type.
    Value { argument: String, word: String, kind: Type, nearest: Option<String> },
    /// A required argument was not given.
    Missing { argument: String, kind: Type },
    /// More words than the command takes; this is the first too many.
    Extra { word: String },
    /// No option has this name.
    UnknownOption { word: String, nearest: Option<String>, known: Vec<String> },
    /// An option that takes a value came without one.
    NoValue { option: String, kind: Type },
    /// An option was given twice.
    Twice { option: String },
}

impl Problem {
    /// The argument or option that it is about, as declared.
    pub fn argument(&self) -> Option<&str> {
        match self {
            Self::Value { argument, .. } | Self::Missing { argument, .. } => Some(argument),
            Self::NoValue { option, .. } | Self::Twice { option } => Some(option),
            Self::Extra { .. } | Self::UnknownOption { .. } => None,
        }
    }

    /// One line: the argument, what it was, what was expected, the nearest. Typed text in it is made harmless.
    pub fn text(&self, lang: Lang) -> String {
        let said = match self {
            Self::Value { argument, word, kind, .. } => {
                says::wrong_value(argument, &words::shown(word), &kind.expected(lang), lang)
            }
            // That an argument is text says its name already.
            Self::Missing { argument, kind: Type::String } => says::missing(argument, lang),
            Self::Missing { argument, kind } => {
                says::missing_value(argument, &kind.expected(lang), lang)
            }
            Self::Extra { word } => says::extra(&words::shown(word), lang),
            Self::UnknownOption { word, known, .. } if known.is_empty() => {
                says::takes_no_options(&words::shown(word), lang)
            }
            Self::UnknownOption { word, known, .. } => {
                says::unknown_option(&words::shown(word), &list(known, lang), lang)
            }
            Self::NoValue { option, kind } => says::no_value(option, &kind.expected(lang), lang),
            Self::Twice { option } => says::twice(option, lang),
        };
        match self.nearest() {
            Some(nearest) => says::did_you_mean(&said, nearest, lang),
            None => said,
        }
    }

    fn nearest(&self) -> Option<&str> {
        match self {
            Self::Value { nearest, .. } | Self::UnknownOption { nearest, .. } => nearest.as_deref(),
            _ => None,
        }
    }

    /// What the example line writes for `argument` instead of a made-up value: what was probably meant.
    pub(super) fn correction(&self, argument: &str) -> Option<&str> {
        match self {
            Self::Value { argument: wrong, nearest, .. } if wrong == argument => nearest.as_deref(),
            _ => None,
        }
    }
}
