//! Output of processes as text: whole lines, and the tail of what is too much.
//!
//! Bytes that are no UTF-8 become U+FFFD, so that they are seen; everything here is bounded.

use std::collections::VecDeque;

/// A line longer than this arrives in pieces: a program that never writes a newline must not fill the memory.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// Splits bytes into lines.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Adds bytes; whole lines go to `ready`, without their `\n` or `\r\n`.
    pub fn push(&mut self, mut bytes: &[u8], ready: &mut VecDeque<String>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end], ready);
            ready.push_back(self.take());
            bytes = &bytes[end + 1..];
        }
        self.add(bytes, ready);
    }

    /// The last line, when the output does not end with a newline.
    pub fn finish(&mut self, ready: &mut VecDeque<String>) {
        if !self.partial.is_empty() {
            ready.push_back(self.take());
        }
    }

    /// The line that has begun and not ended.
    pub fn partial(&self) -> String {
        text(&self.partial)
    }

    fn add(&mut self, mut bytes: &[u8], ready: &mut VecDeque<String>) {
        while self.partial.len() + bytes.len() > MAX_LINE_BYTES {
            let (now, later) = bytes.split_at(MAX_LINE_BYTES - self.partial.len());
            self.partial.extend_from_slice(now);
            // Not inside a character.
            let rest = self.partial.split_off(self.partial.len() - incomplete(&self.partial));
            ready.push_back(text(&std::mem::replace(&mut self.partial, rest)));
            bytes = later;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn take(&mut self) -> String {
        let line = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        let line = text(line);
        self.partial.clear();
        line
    }
}

/// Pieces of output as text, never cut inside a character.
#[derive(Debug, Default)]
pub struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    /// The text that is complete so far; may be empty.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let rest = self.rest.split_off(self.rest.len() - incomplete(&self.rest));
        text(&std::mem::replace(&mut self.rest, rest))
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> String {
        text(&std::mem::take(&mut self.rest))
    }
}

/// The last bytes of an output, and how many came before them.
#[derive(Debug)]
pub struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
    dropped: u64,
}

impl Tail {
    pub fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit, dropped: 0 }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.limit)..];
        let over = (self.bytes.len() + kept.len()).saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.bytes.extend(kept);
        self.dropped += (over + bytes.len() - kept.len()) as u64;
    }

    /// Bytes that are no longer there.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let begun = if self.dropped == 0 {
            0
        } else {
            bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count()
        };
        text(&bytes[begun..])
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How many bytes at the end begin a character whose rest is missing.
fn incomplete(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut ready) = (Lines::default(), VecDeque::new());
        for piece in pieces {
            lines.push(piece, &mut ready);
        }
        lines.finish(&mut ready);
        ready.into()
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let cases: &[(&[&[u8]], &[&str])] = &[
            (&[], &[]),
            (&[b"a\nb\n"], &["a", "b"]),
            (&[b"a\nb"], &["a", "b"]),
            (&[b"a", b"b\n", b"", b"c"], &["ab", "c"]),
            (&[b"\n\n"], &["", ""]),
            (&[b"a\r\nb\r", b"\nc\r"], &["a", "b", "c"]),
            (&[b"10%\r20%\r\n"], &["10%\r20%"]),
            (&[b"\xe4\xbd", b"\xa0\xe5\xa5\xbd\n"], &["你好"]),
            (&[b"bad \xff\xc0 \xe4\xbd\n"], &["bad \u{FFFD}\u{FFFD} \u{FFFD}"]),
            (&[b"nul \0 \x1b[1m\n"], &["nul \0 \u{1b}[1m"]),
        ];
        for (pieces, expected) in cases {
            assert_eq!(&lines(pieces), expected);
        }
    }

    #[test]
    fn a_line_without_end_arrives_in_pieces_of_whole_characters() {
        let endless = "好".repeat(MAX_LINE_BYTES); // three bytes each: the border falls inside one
        let pieces = lines(&[endless.as_bytes()]);
        assert!(pieces.iter().all(|piece| piece.len() <= MAX_LINE_BYTES));
        assert_eq!(pieces.concat(), endless);
        let bytes = vec![0x80; MAX_LINE_BYTES * 2 + 10];
        assert_eq!(lines(&[&bytes]).len(), 3);
    }

    #[test]
    fn the_tail_is_kept_and_the_rest_counted() {
        let mut tail = Tail::new(5);
        for (bytes, dropped) in
            [(b"abc".as_slice(), 0), (b"def", 1), (b"0123456789", 11), (b"", 11)]
        {
            tail.push(bytes);
            assert_eq!(tail.dropped(), dropped);
        }
        assert_eq!(tail.text(), "56789");
        let mut tail = Tail::new(5);
        tail.push("你好".as_bytes());
        assert_eq!(tail.text(), "好", "half a character at the cut is not shown");
        let mut tail = Tail::new(5);
        tail.push(b"\x80x");
        assert_eq!(tail.text(), "\u{FFFD}x", "uncut output is shown as it is");
    }

    proptest::proptest! {
        #[test]
        fn decoding_in_pieces_is_decoding_at_once(text in "\\PC*", cut in 0_usize..64) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let mut decoder = Decoder::default();
            let mut read = decoder.push(&bytes[..cut]);
            read += &decoder.push(&bytes[cut..]);
            read += &decoder.finish();
            proptest::prop_assert_eq!(read, text);
        }
    }
}
