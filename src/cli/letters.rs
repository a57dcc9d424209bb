//! Which letters the terminal shows: all of them, or those of ASCII, where its locale knows no others.
//!
//! A terminal cannot be asked, so its locale is believed; but whoever asked for Chinese is shown Chinese. A letter that
//! cannot be shown is one `?`, as `ps` and databases write it: somebody sees that something stood there and how long it was,
//! and a line stays a line. Columns are counted in what is really shown. Once for each command it is said how to see the rest.
//!
//! What goes to a file or to another program keeps every letter, and so does JSON.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use unicode_width::UnicodeWidthChar as _;

use super::lang;
use crate::words::Lang;

/// Whether the locale knows more than ASCII. Before anybody has looked, and so in tests, it does.
static LOCALE: OnceLock<bool> = OnceLock::new();

/// Whether a letter was left out.
static HIDDEN: AtomicBool = AtomicBool::new(false);

/// Looks at the locale, once: a process talks to one terminal.
pub(super) fn look() {
    let _ = LOCALE.set(locale_shows_all());
}

/// On Unix the locale says it; elsewhere terminals do today.
pub(super) fn locale_shows_all() -> bool {
    if cfg!(windows) {
        return true;
    }
    let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = named("LC_ALL").or_else(|| named("LC_CTYPE")).or_else(|| named("LANG"));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Whether a terminal is shown ASCII alone.
pub(super) fn are_few() -> bool {
    LOCALE.get() == Some(&false) && lang::here() == Lang::En
}

/// Whether something could not be shown so far.
pub(super) fn were_hidden() -> bool {
    HIDDEN.load(Ordering::Relaxed)
}

/// `text` as the terminal shows it.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if are_few() { ascii(text) } else { Cow::Borrowed(text) }
}

/// What stands at the end of a text that was cut.
pub(super) fn cut_mark() -> &'static str {
    if are_few() { "..." } else { "…" }
}

/// `text` in ASCII, letter for letter: those that have a likeness there are that, all others `?`.
pub(super) fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => shown.push(c),
            '…' => shown.push_str("..."),
            '–' | '—' | '·' => shown.push('-'),
            '“' | '”' | '「' | '」' => shown.push('"'),
            '‘' | '’' => shown.push('\''),
            '→' => shown.push_str("->"),
            '✓' => shown.push('*'),
            '✗' | '×' => shown.push('x'),
            '。' => shown.push('.'),
            '、' => shown.push(','),
            // Forms as wide as a Chinese letter.
            '\u{ff01}'..='\u{ff5e}' => {
                shown.extend(char::from_u32(u32::from(c) - 0xfee0));
            }
            c if c.width() == Some(0) => {}
            _ => {
                HIDDEN.store(true, Ordering::Relaxed);
                shown.push('?');
            }
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ascii_has_no_letter_for_is_one_question_mark() {
        for (text, expected) in [
            ("plain \x1b[1mbold\x1b[0m", "plain \x1b[1mbold\x1b[0m"),
            ("王小明 (manager1)", "??? (manager1)"),
            ("请稍等，马上好！", "???,???!"),
            ("waiting … “now” – it’s done", "waiting ... \"now\" - it's done"),
            ("cafe\u{301} 👨\u{200d}👩", "cafe ??"),
            ("✓ a → b", "* a -> b"),
        ] {
            assert_eq!(ascii(text), expected, "{text}");
        }
        assert!(were_hidden());
        assert!(matches!(shown("王小明"), Cow::Borrowed(_)), "nobody has looked at a locale");
    }
}
