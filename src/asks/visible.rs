//! Text that lies to nobody: in what somebody is asked to allow, signs that act, hide or turn the reading direction are
//! written out.

use std::fmt::Write as _;

/// `text` with every sign that does not show itself as `⟨U+202E⟩`. Lines stay.
pub fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || shows(c) {
            out.push(c);
        } else {
            let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
        }
    }
    out
}

/// A word as it can be read back without doubt: as it is where that is plain, else in quotes with `\n`, `\u{202e}` and the
/// like.
pub fn quoted(word: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./=:,@%+~".contains(b);
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let mut out = String::from("\"");
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if shows(c) => out.push(c),
                c => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// Whether a reader sees it, and it alone. The only blank that is one is the space.
fn shows(c: char) -> bool {
    !(c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{e000}'..='\u{f8ff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h3_what_turns_or_hides_is_written_out() {
        assert_eq!(marked("rm -rf /\u{202e}txt."), "rm -rf /⟨U+202E⟩txt.");
        assert_eq!(marked("a\u{200b}b\u{a0}c\x1b[2J\nd"), "a⟨U+200B⟩b⟨U+00A0⟩c⟨U+001B⟩[2J\nd");
        assert_eq!(marked("发布 v1.2？🎉"), "发布 v1.2？🎉");
        for (word, shown) in [
            (&b"make"[..], "make"),
            (b"ENV=prod", "ENV=prod"),
            (b"", "\"\""),
            (b"a b", "\"a b\""),
            (b"$(id); \"x\" \\", "\"$(id); \\\"x\\\" \\\\\""),
            ("\u{202e}txt.\u{200d}".as_bytes(), "\"\\u{202e}txt.\\u{200d}\""),
            (b"one\ntwo\0", "\"one\\ntwo\\u{0}\""),
            (b"\xff\xfeok", "\"\\xff\\xfeok\""),
            ("生产".as_bytes(), "\"生产\""),
            ("\u{3000}".as_bytes(), "\"\\u{3000}\""),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
