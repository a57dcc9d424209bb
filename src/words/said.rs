//! A sentence in both languages, for what is said before it is known who reads it.

use std::fmt;

use super::{Lang, doctor};

/// A sentence in both languages. Its `Display` is the English one, which is what logs and programs get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    zh: String,
    en: String,
}

impl Said {
    /// What `say` says in each; mostly a sentence of the catalogue.
    pub(crate) fn new<S: Into<String>>(say: impl Fn(Lang) -> S) -> Self {
        Self { zh: say(Lang::Zh).into(), en: say(Lang::En).into() }
    }

    pub fn pick(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }

    /// The same, and `more` after a semicolon.
    pub(crate) fn and(&self, more: &Self) -> Self {
        Self::new(|lang| match (self.pick(lang), more.pick(lang)) {
            // A question has its mark already.
            (asked, more) if asked.ends_with(['？', '?']) => {
                format!("{asked}{}{more}", lang.pick("", " "))
            }
            (first, more) => doctor::report::and(first, more, lang),
        })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}
