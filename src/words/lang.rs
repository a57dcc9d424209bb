//! The two languages, and which of them a text is in.

/// The language a person is answered in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    Zh,
    #[default]
    En,
}

impl Lang {
    /// Guesses from what somebody wrote: Chinese characters mean Chinese, whichever way they are written in. Names of
    /// people who are mentioned mean nothing. `None`: it holds no letters.
    pub fn of(text: &str) -> Option<Self> {
        let own = || text.split_whitespace().filter(|word| !word.starts_with(['@', '＠']));
        if own().any(|word| word.chars().any(is_chinese)) {
            Some(Self::Zh)
        } else {
            own().any(|word| word.chars().any(|c| c.is_ascii_alphabetic())).then_some(Self::En)
        }
    }

    /// Picks what is meant for this language.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The name that scripts, the settings and the journal have for it.
    pub fn code(self) -> &'static str {
        self.pick("zh", "en")
    }

    /// Reads such a name.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

/// A Chinese character.
pub(super) fn is_chinese(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3fffd)
}

#[cfg(test)]
mod tests {
    use super::Lang;

    #[test]
    fn chinese_characters_mean_chinese_and_no_letters_mean_nothing() {
        for (text, lang) in [
            ("deploy prod", Some(Lang::En)),
            ("部署 prod", Some(Lang::Zh)),
            ("請幫我部署", Some(Lang::Zh)),
            ("allow @王小明 guest", Some(Lang::En)),
            ("@Bob 部署", Some(Lang::Zh)),
            ("@王小明 42", None),
            ("42", None),
            ("👍 1️⃣", None),
            ("", None),
            ("？！", None),
        ] {
            assert_eq!(Lang::of(text), lang, "{text}");
        }
    }

    #[test]
    fn a_language_reads_its_own_name() {
        for lang in [Lang::Zh, Lang::En] {
            assert_eq!(Lang::from_code(lang.code()), Some(lang));
        }
        assert_eq!(Lang::from_code("fr"), None);
    }
}
