//! Tokens of a Luau file, as far as the lints need them: names, strings, and what opens and closes a block.
//!
//! The file has compiled when this reads it, so whatever is odd here is taken as one symbol and left to the reader.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Name,
    Number,
    /// A string without expressions in it.
    String,
    /// Pieces of a backtick string around its expressions: `a {`, `} b {`, `} c`.
    InterpolatedStart,
    InterpolatedMiddle,
    InterpolatedEnd,
    Symbol,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Bytes of the file.
    pub(super) span: Range<usize>,
}

/// Symbols of more than one byte. `>>` is not among them: it closes two lists of types.
const SYMBOLS: &[&str] = &[
    "...", "..=", "//=", "::", "->", "..", "//", "==", "~=", "<=", ">=", "+=", "-=", "*=", "/=",
    "%=", "^=",
];

/// The tokens of `text`, and its comments.
pub(super) fn tokens(text: &str) -> (Vec<Token>, Vec<Range<usize>>) {
    let mut lexer = Lexer { bytes: text.as_bytes(), at: 0, braces: Vec::new() };
    let (mut tokens, mut comments) = (Vec::new(), Vec::new());
    while let Some((kind, span)) = lexer.next() {
        match kind {
            Some(kind) => tokens.push(Token { kind, span }),
            None => comments.push(span),
        }
    }
    (tokens, comments)
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Open braces, innermost last; true: of an expression in a backtick string.
    braces: Vec<bool>,
}

impl Lexer<'_> {
    /// The next token; without a kind, a comment.
    fn next(&mut self) -> Option<(Option<Kind>, Range<usize>)> {
        while self.peek(0)?.is_ascii_whitespace() {
            self.at += 1;
        }
        let start = self.at;
        let byte = self.peek(0)?;
        let kind = match byte {
            b'-' if self.rest().starts_with(b"--") => {
                self.at += 2;
                if !self.long_bracket() {
                    self.skip_while(|byte| byte != b'\n');
                }
                None
            }
            b'#' if start == 0 && self.rest().starts_with(b"#!") => {
                self.skip_while(|byte| byte != b'\n');
                None
            }
            b'[' if self.long_bracket() => Some(Kind::String),
            b'"' | b'\'' => {
                self.quoted(byte);
                Some(Kind::String)
            }
            b'`' => {
                self.at += 1;
                Some(if self.interpolated() { Kind::InterpolatedStart } else { Kind::String })
            }
            b'}' if self.braces.pop() == Some(true) => {
                self.at += 1;
                Some(if self.interpolated() {
                    Kind::InterpolatedMiddle
                } else {
                    Kind::InterpolatedEnd
                })
            }
            b'0'..=b'9' => {
                self.number();
                Some(Kind::Number)
            }
            b'.' if self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) => {
                self.number();
                Some(Kind::Number)
            }
            _ if byte == b'_' || byte.is_ascii_alphabetic() => {
                self.skip_while(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                Some(Kind::Name)
            }
            _ => {
                if byte == b'{' {
                    self.braces.push(false);
                }
                let long = SYMBOLS.iter().find(|symbol| self.rest().starts_with(symbol.as_bytes()));
                self.at += long.map_or(1, |symbol| symbol.len());
                Some(Kind::Symbol)
            }
        };
        Some((kind, start..self.at))
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&keep) {
            self.at += 1;
        }
    }

    fn number(&mut self) {
        let mut before = b' ';
        while let Some(byte) = self.peek(0) {
            let sign = matches!(byte, b'+' | b'-') && matches!(before, b'e' | b'E');
            // `1..2` is no number of ours to split, but `1 ..` is two tokens.
            let dots = byte == b'.' && self.peek(1) == Some(b'.');
            if dots || !(sign || byte == b'.' || byte == b'_' || byte.is_ascii_alphanumeric()) {
                break;
            }
            before = byte;
            self.at += 1;
        }
    }

    fn quoted(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == quote || byte == b'\n' {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    /// Reads on in a backtick string; whether an expression comes before its end.
    fn interpolated(&mut self) -> bool {
        while let Some(byte) = self.peek(0) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            match byte {
                b'`' => break,
                b'{' => {
                    self.braces.push(true);
                    return true;
                }
                _ => {}
            }
        }
        self.at = self.at.min(self.bytes.len());
        false
    }

    /// Skips `[[ … ]]` or `[=[ … ]=]`, if one begins here.
    fn long_bracket(&mut self) -> bool {
        let rest = self.rest();
        if rest.first() != Some(&b'[') {
            return false;
        }
        let level = rest[1..].iter().take_while(|byte| **byte == b'=').count();
        if rest.get(level + 1) != Some(&b'[') {
            return false;
        }
        let close: Vec<u8> = [b"]".as_slice(), &vec![b'='; level], b"]".as_slice()].concat();
        let body = &rest[level + 2..];
        let end = body.windows(close.len()).position(|window| window == close);
        self.at += end.map_or(rest.len(), |end| level + 2 + end + close.len());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn texts(text: &str) -> Vec<&str> {
        tokens(text).0.into_iter().map(|token| &text[token.span]).collect()
    }

    #[test]
    fn strings_of_every_kind_are_one_token() {
        assert_eq!(
            texts(r#"f("a\"b", 'c', [[d]], [=[e]]]=], `g`)"#),
            ["f", "(", r#""a\"b""#, ",", "'c'", ",", "[[d]]", ",", "[=[e]]]=]", ",", "`g`", ")"]
        );
    }

    #[test]
    fn expressions_in_backticks_are_tokens_of_their_own() {
        let text = "x = `a {b.c({1})} d {`{e}`}`";
        assert_eq!(
            texts(text),
            [
                "x", "=", "`a {", "b", ".", "c", "(", "{", "1", "}", ")", "} d {", "`{", "e", "}`",
                "}`"
            ]
        );
    }

    #[test]
    fn comments_and_numbers_are_told_from_operators() {
        let text = "#!/usr/bin/env moonbell\na = 1e-3 - .5 -- b\n--[==[ c\nd ]==] e = 0xFF..'x'";
        assert_eq!(texts(text), ["a", "=", "1e-3", "-", ".5", "e", "=", "0xFF", "..", "'x'"]);
        assert_eq!(tokens(text).1.len(), 3);
    }

    #[test]
    fn text_that_is_cut_off_ends() {
        for text in ["\"", "'a\\", "`a {", "`a\\", "[[", "--[[", "1e", "[=", "你好", "\u{0}"] {
            tokens(text);
        }
    }
}
