//! In which language a command talks, where it has both.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

use crate::config::Language;
use crate::words::Lang;

/// For commands that ask and explain.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct Speak {
    /// Language of what this command says, if not that of the settings or of your terminal
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Option<Asked>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Asked {
    Zh,
    En,
}

impl Speak {
    /// That which was asked for, else that of the settings, else that of the terminal.
    pub(super) fn lang(self, setting: Language) -> Lang {
        match (self.lang, setting) {
            (Some(Asked::Zh), _) | (None, Language::Zh) => Lang::Zh,
            (Some(Asked::En), _) | (None, Language::En) => Lang::En,
            (None, Language::Auto) => of_terminal(|name| std::env::var_os(name)),
        }
    }
}

/// As POSIX has it: the first of the three that is set and not empty says it.
fn of_terminal(variable: impl Fn(&str) -> Option<OsString>) -> Lang {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    let language = locale.split(['_', '.', '-', '@']).next().unwrap_or_default();
    if language == "zh" { Lang::Zh } else { Lang::En }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_talks_as_asked_else_as_set_else_as_the_terminal_does() {
        let speak = |lang| Speak { lang };
        assert_eq!(speak(Some(Asked::En)).lang(Language::Zh), Lang::En);
        assert_eq!(speak(Some(Asked::Zh)).lang(Language::Auto), Lang::Zh);
        assert_eq!(speak(None).lang(Language::Zh), Lang::Zh);
        assert_eq!(speak(None).lang(Language::En), Lang::En);
    }

    #[test]
    fn the_first_locale_that_is_set_says_the_language_of_the_terminal() {
        for (variables, lang) in [
            (&[("LANG", "zh_CN.UTF-8")][..], Lang::Zh),
            (&[("LANG", "zh_TW.UTF-8")], Lang::Zh),
            (&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")], Lang::En),
            (&[("LC_ALL", ""), ("LC_MESSAGES", "zh"), ("LANG", "en_US.UTF-8")], Lang::Zh),
            (&[("LANG", "zhx_AB")], Lang::En),
            (&[("LANG", "de_DE.UTF-8")], Lang::En),
            (&[], Lang::En),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into())
            };
            assert_eq!(of_terminal(variable), lang, "{variables:?}");
        }
    }
}
