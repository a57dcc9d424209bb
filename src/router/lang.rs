//! The two languages of everything that moonbell itself says in a chat.

/// The language a person is answered in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    Zh,
    #[default]
    En,
}

impl Lang {
    /// Guesses from what somebody wrote: Chinese characters mean Chinese.
    pub fn of(text: &str) -> Option<Self> {
        let chinese =
            |c: char| matches!(u32::from(c), 0x3400..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3fffd);
        if text.chars().any(chinese) {
            Some(Self::Zh)
        } else {
            text.chars().any(|c| c.is_ascii_alphabetic()).then_some(Self::En)
        }
    }

    /// Picks the text in this language.
    pub fn pick<'t>(self, zh: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}
