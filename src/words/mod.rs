//! Every sentence of moonbell's own that a person reads, in Chinese and in English.
//!
//! A sentence is an entry of `words!` in the file of its area, and thereby a function of its name:
//! `words::access::not_for_you(name, lang)`. The compiler holds that both languages are there and that what stands in
//! braces is an argument; the tests hold the rest: the same arguments in both, Chinese that is Chinese, the same full stop.
//!
//! ```text
//! words! {
//!     /// To somebody whose role does not reach for one command.
//!     not_for_you(name: &str) {
//!         zh: "抱歉，你没有使用 `{name}` 的权限。",
//!         en: "Sorry, you may not use `{name}`.",
//!     }
//! }
//! ```
//!
//! Where English has a singular, that is an entry too, and a plain function below picks. Which sentence is said is for the
//! caller, and in which language is for `language`; nothing here knows of anything but text.

mod lang;
mod said;
#[cfg(test)]
mod tests;

pub use lang::Lang;
pub use said::Said;

/// A sentence as the catalogue has it.
#[cfg(test)]
struct Entry {
    key: &'static str,
    zh: &'static str,
    en: &'static str,
}

/// Declares the sentences of an area. Without arguments a sentence is a `&'static str`, else a `String`.
macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $key:ident $(($($arg:ident: $type:ty),+ $(,)?))? { zh: $zh:literal, en: $en:literal $(,)? }
    )*) => {
        $(words!(@function [$(#[$doc])*] $key [$($($arg: $type),+)?] $zh $en);)*

        #[cfg(test)]
        pub(in crate::words) const ENTRIES: &[$crate::words::Entry] =
            &[$($crate::words::Entry { key: stringify!($key), zh: $zh, en: $en }),*];
    };
    (@function [$(#[$doc:meta])*] $key:ident [] $zh:literal $en:literal) => {
        $(#[$doc])*
        pub(crate) fn $key(lang: $crate::words::Lang) -> &'static str {
            lang.pick($zh, $en)
        }
    };
    (@function [$(#[$doc:meta])*] $key:ident [$($arg:ident: $type:ty),+] $zh:literal $en:literal) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "a sentence has as many as it has")]
        pub(crate) fn $key($($arg: $type,)+ lang: $crate::words::Lang) -> String {
            match lang {
                $crate::words::Lang::Zh => format!($zh),
                $crate::words::Lang::En => format!($en),
            }
        }
    };
}

// An area is a file, or a folder of them; each file is listed in `tests::AREAS` too.
pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod alarms;
pub(crate) mod approvals;
pub(crate) mod budget;
pub(crate) mod cards;
pub(crate) mod commands;
pub(crate) mod config;
pub(crate) mod dialogs;
pub(crate) mod dingtalk;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod findings;
pub(crate) mod help;
pub(crate) mod language;
pub(crate) mod manual;
pub(crate) mod needs;
pub(crate) mod network;
pub(crate) mod outage;
pub(crate) mod parked;
pub(crate) mod runs;
pub(crate) mod scripts;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod timers;

/// Several things in a row: `a、b` or `a, b`.
pub(crate) fn list<S: AsRef<str>>(things: &[S], lang: Lang) -> String {
    let things: Vec<&str> = things.iter().map(AsRef::as_ref).collect();
    things.join(lang.pick("、", ", "))
}

/// Whether somebody at a terminal who was asked says yes, in either language; nothing is no.
pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "是" | "好" | "看到了")
}

/// `12,345`, the same in both languages.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
