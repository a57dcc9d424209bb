//! Text inside of XML.

use anyhow::Result;

use crate::cli::{Failed, lang};
use crate::words::commands::service as w;

/// `text` so that it reads back as it is.
///
/// # Errors
/// For characters that XML has no way to write.
pub(super) fn escaped(text: &str) -> Result<String> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#13;"),
            c if c.is_ascii_control() && !matches!(c, '\n' | '\t') => {
                let (shown, lang) = (text.escape_debug().to_string(), lang::here());
                return Err(Failed::new(w::control_character(&shown, lang))
                    .hint(w::control_character_hint(lang))
                    .into());
            }
            c => escaped.push(c),
        }
    }
    Ok(escaped)
}
