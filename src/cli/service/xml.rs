//! Text inside of XML.

use anyhow::Result;

use crate::cli::Failed;

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
                let shown = text.escape_debug();
                return Err(Failed::new(format!("`{shown}` cannot be written into a service"))
                    .hint("rename what has a control character in its name")
                    .into());
            }
            c => escaped.push(c),
        }
    }
    Ok(escaped)
}
