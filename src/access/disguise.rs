//! Text that reads otherwise than it is: characters that turn the reading direction, that are not seen, and words of two
//! alphabets whose letters look alike.

use std::ops::Range;

/// What hides in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disguise {
    /// What follows is shown in another order than it stands.
    Bidi(char),
    /// Nothing is shown.
    Invisible(char),
    /// Latin letters with others between them that look the same: of which alphabet.
    Lookalike(&'static str),
}

/// All that hides in `text`, with its bytes, in their order.
pub fn disguises(text: &str) -> Vec<(Range<usize>, Disguise)> {
    let mut found = Vec::new();
    let mut word: Option<Word> = None;
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let span = at..at + c.len_utf8();
        let after = chars.peek().map(|(_, c)| *c);
        if is_bidi(c) {
            found.push((span.clone(), Disguise::Bidi(c)));
        } else if is_invisible(c) && !joins_signs(c, before, after) {
            found.push((span.clone(), Disguise::Invisible(c)));
        }
        if c == '_' || c.is_alphanumeric() {
            word.get_or_insert_with(|| Word::new(at)).push(c, span.end);
        } else if let Some(word) = word.take() {
            found.extend(word.disguise());
        }
        before = Some(c);
    }
    found.extend(word.and_then(Word::disguise));
    found.sort_by_key(|(span, _)| span.start);
    found
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{180e}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
        // Letters without a shape: fillers of Hangul, a joiner, vowels of Khmer, the empty braille sign.
        || matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}')
}

/// The first character of a text of one line that nobody sees, or takes for a plain space, and how many stand before it.
/// Stricter than [`disguises`]: for what is no language.
pub fn unseen(text: &str) -> Option<(usize, char)> {
    let hides = |c: char| {
        is_invisible(c)
            || is_bidi(c)
            || (c.is_whitespace() && c != ' ')
            || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{180b}'..='\u{180f}' | '\u{e0100}'..='\u{e01ef}')
    };
    text.chars().enumerate().find(|(_, c)| hides(*c))
}

/// Between the parts of one sign: a family of four, a flag, letters of an Indian script.
fn joins_signs(c: char, before: Option<char>, after: Option<char>) -> bool {
    let sign = |c: Option<char>| c.is_some_and(|c| !c.is_ascii());
    match c {
        '\u{200c}' | '\u{200d}' => sign(before) && sign(after),
        '\u{e0020}'..='\u{e007f}' => sign(before),
        _ => false,
    }
}

/// Letters and digits without anything between them.
struct Word {
    start: usize,
    end: usize,
    latin: bool,
    other: Option<&'static str>,
}

impl Word {
    fn new(start: usize) -> Self {
        Self { start, end: start, latin: false, other: None }
    }

    fn push(&mut self, c: char, end: usize) {
        self.end = end;
        self.latin |= c.is_ascii_alphabetic();
        let other = match c {
            '\u{400}'..='\u{52f}' => Some("Cyrillic"),
            // Greek letters stand for sizes and units; those alone that look Latin are meant.
            'Α' | 'Β' | 'Ε' | 'Ζ' | 'Η' | 'Ι' | 'Κ' | 'Μ' | 'Ν' | 'Ο' | 'Ρ' | 'Τ' | 'Υ' | 'Χ'
            | 'ο' | 'ν' | 'ρ' | 'ι' => Some("Greek"),
            '\u{531}'..='\u{58f}' => Some("Armenian"),
            '\u{13a0}'..='\u{13ff}' => Some("Cherokee"),
            '\u{1d400}'..='\u{1d7ff}' => Some("mathematical"),
            '\u{ff21}'..='\u{ff5a}' => Some("full-width"),
            _ => None,
        };
        self.other = self.other.or(other);
    }

    fn disguise(self) -> Option<(Range<usize>, Disguise)> {
        let other = self.other.filter(|_| self.latin)?;
        Some((self.start..self.end, Disguise::Lookalike(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_found_where_it_stands() {
        for (text, expected) in [
            ("a\u{202e}b", vec![(1..4, Disguise::Bidi('\u{202e}'))]),
            ("x\u{200b}", vec![(1..4, Disguise::Invisible('\u{200b}'))]),
            ("x\u{3164}", vec![(1..4, Disguise::Invisible('\u{3164}'))]),
            ("say p\u{430}y", vec![(4..8, Disguise::Lookalike("Cyrillic"))]),
            ("\u{39f}K", vec![(0..3, Disguise::Lookalike("Greek"))]),
        ] {
            assert_eq!(disguises(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_people_write_is_left_alone() {
        for text in [
            "发布 deploy 服务v2",
            "μs Ω 5µm Δt",
            "привет, мир",
            "καλημέρα κόσμε",
            "👨\u{200d}👩\u{200d}👧 🏴\u{e0067}\u{e0062}\u{e007f} naïve café",
            "क्\u{200d}ष",
            "ＡＢＣ",
        ] {
            assert_eq!(disguises(text), [], "{text:?}");
        }
    }
}
