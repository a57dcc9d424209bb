//! What may be read: everything that is written to a chat, a card, the log, the audit, the journal, a terminal or a crash
//! report passes through here, and nowhere else is decided what may stand there.
//!
//! | question | answer |
//! |---|---|
//! | Is a secret in it? | [`redact`]; [`redact_ahead`] and [`redact_begun`] for what comes in pieces; [`holds_secret`] for what must stay as it is |
//! | Does it act on what shows it? | [`quiet`] takes that out, [`clean`] makes a program's output a screen, [`escape`] writes it out |
//! | Does it mean something to Markdown? | [`markdown::escape`], [`markdown::escape_inline`], [`markdown::fenced`] |
//!
//! Chats and cards get [`spoken`]. What this cannot do is told in `docs/security.md`.
//!
//! Knows nothing of who writes, nor where to.

mod addresses;
mod bare;
mod fence;
mod forms;
pub mod markdown;
mod plain;
mod secrets;
mod terminal;

use std::borrow::Cow;

pub use addresses::blank_parameters;
pub use plain::{clean, is_blank, quiet, strip_ansi};
pub use secrets::{hide, hide_passing, holds_secret, redact, redact_ahead, redact_begun};
pub use terminal::{escape, push_escaped};

/// `text` as a chat may show it: nothing in it acts, and every hidden secret is `***`.
pub fn spoken(text: &str) -> Cow<'_, str> {
    match quiet(text) {
        Cow::Borrowed(text) => redact(text),
        // First what splits a secret goes, then the secret.
        Cow::Owned(text) => Cow::Owned(redact(&text).into_owned()),
    }
}
