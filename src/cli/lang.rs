//! In which language commands talk: one decision for everything that is said on this terminal.
//!
//! What `--json` prints, log lines, and what Luau says of code are English, whoever reads them.

use std::ffi::OsString;
use std::sync::OnceLock;

use crate::config::Language;
use crate::words::Lang;

/// What the settings say, once they are read. A process talks with one person.
static SETTING: OnceLock<Language> = OnceLock::new();

/// From now on what the settings say counts. What is said first holds.
pub(super) fn settle(setting: Language) {
    let _ = SETTING.set(setting);
}

/// What the settings say, else what this user reads.
pub(super) fn here() -> Lang {
    match SETTING.get().copied().unwrap_or_default() {
        Language::Zh => Lang::Zh,
        Language::En => Lang::En,
        Language::Auto => of_terminal(),
    }
}

/// What this user reads, as far as terminal and system know.
pub(super) fn of_terminal() -> Lang {
    of_variables(|name| std::env::var_os(name))
        .or_else(|| sys_locale::get_locale().as_deref().map(read))
        .unwrap_or_default()
}

/// As POSIX has it: the first of the three that is set and not empty says it.
fn of_variables(variable: impl Fn(&str) -> Option<OsString>) -> Option<Lang> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set)?;
    Some(read(&locale.to_string_lossy()))
}

/// Reads the name of a language or of a locale, such as `zh`, `zh-CN` or `zh_TW.UTF-8`.
pub(super) fn read(locale: &str) -> Lang {
    let locale = locale.to_ascii_lowercase();
    let language = locale.split(['_', '.', '-', '@']).next().unwrap_or_default();
    if language == "zh" { Lang::Zh } else { Lang::En }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_that_is_set_says_the_language_of_the_terminal() {
        for (variables, lang) in [
            (&[("LANG", "zh_CN.UTF-8")][..], Some(Lang::Zh)),
            (&[("LANG", "zh_TW.UTF-8")], Some(Lang::Zh)),
            (&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")], Some(Lang::En)),
            (&[("LC_ALL", ""), ("LC_MESSAGES", "zh"), ("LANG", "en_US.UTF-8")], Some(Lang::Zh)),
            (&[("LANG", "zhx_AB")], Some(Lang::En)),
            (&[("LANG", "de_DE.UTF-8")], Some(Lang::En)),
            (&[], None),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into())
            };
            assert_eq!(of_variables(variable), lang, "{variables:?}");
        }
    }
}
