//! What is wrong with the arguments that a person typed, and how to tell them.

use super::value::Type;
use super::words;
use crate::words::Lang;

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
                let (word, expected) = (words::shown(word), kind.expected(lang));
                match lang {
                    Lang::Zh => format!("{argument}：`{word}` 不对，应为{expected}"),
                    Lang::En => format!("{argument}: `{word}` is not {expected}"),
                }
            }
            // That an argument is text says its name already.
            Self::Missing { argument, kind: Type::String } => match lang {
                Lang::Zh => format!("缺少 {argument}"),
                Lang::En => format!("{argument} is missing"),
            },
            Self::Missing { argument, kind } => {
                let expected = kind.expected(lang);
                match lang {
                    Lang::Zh => format!("缺少 {argument}，应为{expected}"),
                    Lang::En => format!("{argument} is missing; expected {expected}"),
                }
            }
            Self::Extra { word } => {
                let word = words::shown(word);
                match lang {
                    Lang::Zh => format!("`{word}` 多余了；带空格的内容请用引号括起来"),
                    Lang::En => format!(
                        "`{word}` is one word too many; put quotes around what holds spaces"
                    ),
                }
            }
            Self::UnknownOption { word, known, .. } => {
                let word = words::shown(word);
                match (lang, known.is_empty()) {
                    (Lang::Zh, true) => format!("没有选项 `{word}`；此命令不带选项"),
                    (Lang::Zh, false) => format!("没有选项 `{word}`；可用：{}", known.join("、")),
                    (Lang::En, true) => format!("unknown option `{word}`; this command takes none"),
                    (Lang::En, false) => {
                        format!("unknown option `{word}`; it takes {}", known.join(", "))
                    }
                }
            }
            Self::NoValue { option, kind } => {
                let expected = kind.expected(lang);
                match lang {
                    Lang::Zh => format!("--{option} 后面缺少值，应为{expected}"),
                    Lang::En => format!("--{option} needs a value; expected {expected}"),
                }
            }
            Self::Twice { option } => match lang {
                Lang::Zh => format!("--{option} 写了两次"),
                Lang::En => format!("--{option} is given twice"),
            },
        };
        match (self.nearest(), lang) {
            (Some(nearest), Lang::Zh) => format!("{said}；是不是 {nearest}？"),
            (Some(nearest), Lang::En) => format!("{said}; did you mean {nearest}?"),
            (None, _) => said,
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
