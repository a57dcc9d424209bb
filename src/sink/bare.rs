//! Text without what nobody sees: a secret with a colour, a line break or an invisible character in its middle is still
//! that secret to whoever reads it.

/// The bytes that are seen, and where each stood.
#[derive(Debug)]
pub(super) struct Bare {
    pub(super) bytes: Vec<u8>,
    /// Where a run of kept bytes begins: in `bytes`, and in the text.
    runs: Vec<(usize, usize)>,
}

impl Bare {
    /// `None`: all of it is seen.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let mut at = 0;
        while at < text.len() && unseen(&text[at..]) == 0 {
            at += 1;
        }
        if at == text.len() {
            return None;
        }
        let mut bare = Self { bytes: Vec::with_capacity(text.len()), runs: vec![(0, 0)] };
        bare.bytes.extend_from_slice(&text[..at]);
        while at < text.len() {
            let skipped = unseen(&text[at..]);
            if skipped > 0 {
                at += skipped;
                continue;
            }
            let begin = at;
            while at < text.len() && unseen(&text[at..]) == 0 {
                at += 1;
            }
            bare.runs.push((bare.bytes.len(), begin));
            bare.bytes.extend_from_slice(&text[begin..at]);
        }
        Some(bare)
    }

    /// Where the byte `at` of `bytes` stood in the text.
    pub(super) fn place(&self, at: usize) -> usize {
        let run = self.runs.partition_point(|(begin, _)| *begin <= at) - 1;
        let (begin, place) = self.runs[run];
        place + (at - begin)
    }
}

/// How many bytes at the beginning of `text` are not seen: an escape sequence, a control character (line breaks too, for
/// encoders fold their lines), a character without width.
fn unseen(text: &[u8]) -> usize {
    match *text {
        [0x1b, ..] => escape_sequence(text),
        [..=0x1f | 0x7f, ..] => 1,
        // A line break in text that was quoted (JSON, a log) is two characters.
        [b'\\', b'n' | b'r' | b't', ..]
        | [0xc2, 0x80..=0x9a | 0x9c..=0x9f | 0xad, ..]
        | [0xd8, 0x9c, ..]
        | [0xcd, 0x8f, ..] => 2,
        // One-character forms of the sequences.
        [0xc2, 0x9b, ref rest @ ..] => 2 + parameters(rest),
        [0xe2, 0x80, 0x8b..=0x8f | 0xa8..=0xae, ..]
        | [0xe2, 0x81, 0xa0..=0xaf, ..]
        | [0xe1, 0xa0, 0x8e, ..]
        | [0xef, 0xb8, 0x80..=0x8f, ..]
        | [0xef, 0xbb, 0xbf, ..]
        | [0xef, 0xbf, 0xb9..=0xbb, ..] => 3,
        [0xf3, 0xa0, 0x80..=0x87, _, ..] => 4,
        _ => 0,
    }
}

fn escape_sequence(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'[') => 2 + parameters(&text[2..]),
        // A string up to BEL or ST; what it holds is looked through as it stands, too.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let end = text.iter().position(|byte| matches!(byte, b'\n' | 0x07));
            let closed = text[1..].iter().position(|byte| *byte == 0x1b).map(|at| at + 1);
            match (end, closed) {
                (Some(end), None) => end + 1,
                (Some(end), Some(closed)) if end < closed => end + 1,
                (_, Some(closed)) if text.get(closed + 1) == Some(&b'\\') => closed + 2,
                (_, Some(closed)) => closed,
                (None, None) => text.len(),
            }
        }
        Some(b' '..=b'/') => {
            let rest = &text[1..];
            let intermediates = rest.iter().take_while(|byte| matches!(byte, b' '..=b'/')).count();
            1 + intermediates
                + usize::from(
                    rest.get(intermediates).is_some_and(|byte| matches!(byte, b'0'..=b'~')),
                )
        }
        Some(b'0'..=b'~') => 2,
        _ => 1,
    }
}

/// Parameters and intermediates of a sequence, and its last character.
fn parameters(rest: &[u8]) -> usize {
    let count = rest.iter().take_while(|byte| matches!(byte, b' '..=b'?')).count();
    count + usize::from(rest.get(count).is_some_and(|byte| matches!(byte, b'@'..=b'~')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_goes_and_what_is_seen_keeps_its_place() {
        for (text, seen) in [
            ("a\x1b[1;31mb\x1b[0mc", "abc"),
            ("a\nb\r\nc\td\0e", "abcde"),
            ("a\\nb\\r\\nc\\xd", "abc\\xd"),
            ("a\u{200b}b\u{2060}c\u{feff}d\u{ad}e\u{e0041}f", "abcdef"),
            ("a\x1b]0;title\x07b\x1b]8;;x\x1b\\c", "abc"),
            ("a\x1bPq\x1b[31mb", "ab"),
            ("a\u{9b}31mb\u{85}c", "abc"),
            ("a\x1b(Bb\x1b=c\x1b", "abc"),
            ("a\x1b[31", "a"),
            ("a\x1b]never closed", "a"),
        ] {
            let bare = Bare::of(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&bare.bytes), seen, "{text:?}");
            for (at, byte) in bare.bytes.iter().enumerate() {
                assert_eq!(text.as_bytes()[bare.place(at)], *byte, "{text:?} {at}");
            }
        }
        assert!(Bare::of("你好 👨‍👩‍👧 plain".as_bytes()).is_none_or(|bare| !bare.bytes.is_empty()));
        assert!(Bare::of(b"plain text").is_none());
    }
}
