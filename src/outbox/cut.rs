//! Fitting a text into a card: its end, under a note of how much is above.
//!
//! A card that is too long is shown blank, so what does not fit is cut away here: from the start, at a line where one is
//! near, never inside of what a reader sees as one character, with blocks of code opened again and closed.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::sink::markdown::Fence;

/// What one card may show, all of it counted: title, progress, note, text and fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) chars: usize,
    /// Of the text written as JSON, as it travels.
    pub(super) json_bytes: usize,
}

impl Limit {
    /// Above about three thousand characters clients have been seen to show a blank card; no value over 20,000 bytes is
    /// known to work.
    pub(super) const MOST: Self = Self { chars: 3_000, json_bytes: 20_000 };

    /// Below this DingTalk means something else by "too large".
    const LEAST_CHARS: usize = 100;

    /// What to try after this was too large; `None`: it is not the size.
    pub(super) fn halved(self) -> Option<Self> {
        let half = Self { chars: self.chars / 2, json_bytes: self.json_bytes / 2 };
        (half.chars >= Self::LEAST_CHARS).then_some(half)
    }

    /// The smaller one.
    pub(super) fn least(self, other: Self) -> Self {
        if other.chars < self.chars { other } else { self }
    }

    fn less(self, size: Size) -> Self {
        Self {
            chars: self.chars.saturating_sub(size.chars),
            json_bytes: self.json_bytes.saturating_sub(size.json_bytes),
        }
    }

    fn holds(self, size: Size) -> bool {
        size.chars <= self.chars && size.json_bytes <= self.json_bytes
    }
}

/// How much of a limit a text takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    chars: usize,
    json_bytes: usize,
}

impl Size {
    pub(super) fn of(text: &str) -> Self {
        text.chars().fold(Self::default(), |size, c| Self {
            chars: size.chars + 1,
            json_bytes: size.json_bytes + json_bytes(c),
        })
    }

    fn plus(self, other: Self) -> Self {
        Self { chars: self.chars + other.chars, json_bytes: self.json_bytes + other.json_bytes }
    }

    fn most(self, other: Self) -> Self {
        Self {
            chars: self.chars.max(other.chars),
            json_bytes: self.json_bytes.max(other.json_bytes),
        }
    }
}

fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

/// What came before a text and is not there any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Above {
    pub(super) lines: u64,
    /// Something is missing, be it less than a line.
    pub(super) any: bool,
    /// The block of code that is open where the text begins.
    pub(super) fence: Option<Fence>,
}

impl Above {
    /// `text` goes, too.
    pub(super) fn skip(&mut self, text: &str) {
        self.any |= !text.is_empty();
        // What is less than a line opens and closes nothing.
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            self.lines += 1;
            Fence::turn(&mut self.fence, line);
        }
    }
}

/// A text that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) text: String,
    /// Whether something is above it.
    pub(super) above: bool,
}

/// `head`, a note of what is above, and as much of the end of `text` as `limit` holds. `note` says how many lines.
pub(super) fn fit(
    head: &str,
    above: &Above,
    text: &str,
    limit: Limit,
    note: impl Fn(u64) -> String,
) -> Cut {
    // A title that leaves no room is not worth the text.
    let halves = Limit { chars: limit.chars / 2, json_bytes: limit.json_bytes / 2 };
    let head = if halves.holds(Size::of(head)) { head } else { "" };
    let room = limit.less(Size::of(head));
    let whole = assemble(head, above, text, &note);
    if limit.holds(Size::of(&whole)) {
        return Cut { text: whole, above: above.any };
    }
    // Room for the longest note and the longest fences there can be, so that the rest needs no second look.
    let note_room = Size::of(&note(u64::MAX)).plus(Size::of("\n\n…"));
    let fences = longest_fences(above.fence.as_ref(), text);
    let room = room.less(note_room).less(fences);
    let mut start = text.len();
    let mut size = Size::default();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        size = size.plus(Size::of(grapheme));
        if !room.holds(size) {
            break;
        }
        start = at;
    }
    // A line's start, unless that would cost half of what is shown.
    let line = match text[start..].find('\n') {
        _ if start == 0 || text[..start].ends_with('\n') => start,
        Some(gap) if gap < (text.len() - start) / 2 || is_fence(text, start) => start + gap + 1,
        None if is_fence(text, start) => text.len(),
        _ => start,
    };
    let mut above = above.clone();
    above.skip(&text[..line]);
    let shown = &text[line..];
    let cut_inside = line > 0 && !text[..line].ends_with('\n');
    let shown = if cut_inside { format!("…{shown}") } else { shown.to_owned() };
    Cut { text: assemble(head, &above, &shown, &note), above: true }
}

/// Whether `shown` is the end of `text` as a card shows it: between two signs, the lines above counted, no block of code
/// left open. For tests that throw anything at it.
pub(super) fn is_end(head: &str, shown: &str, text: &str, note: impl Fn(u64) -> String) -> bool {
    fn unfenced(text: &str) -> &str {
        text.trim_end_matches(['`', '~', '\n'])
    }
    let mut open = None;
    shown.split_inclusive('\n').for_each(|line| Fence::turn(&mut open, line));
    let first = text.len().saturating_sub(shown.len());
    open.is_none()
        && (first..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .filter(|at| unfenced(shown).ends_with(unfenced(&text[*at..])))
            .filter(|at| is_border(text, *at))
            .any(|at| {
                let mut above = Above::default();
                above.skip(&text[..at]);
                let inside = at > 0 && !text[..at].ends_with('\n');
                let rest = format!("{}{}", if inside { "…" } else { "" }, &text[at..]);
                assemble(head, &above, &rest, &note) == shown
                    || assemble("", &above, &rest, &note) == shown
            })
}

/// Whether no sign stands across `at`.
fn is_border(text: &str, at: usize) -> bool {
    let mut cursor = unicode_segmentation::GraphemeCursor::new(at, text.len(), true);
    cursor.is_boundary(text, 0).unwrap_or(true)
}

/// Whether `at` is inside of a line that opens or closes a block: half of it would do neither.
fn is_fence(text: &str, at: usize) -> bool {
    let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    Fence::of(&text[begin..end]).is_some()
}

fn assemble(head: &str, above: &Above, text: &str, note: impl Fn(u64) -> String) -> String {
    let mut out = String::with_capacity(head.len() + text.len() + 64);
    out.push_str(head);
    if above.lines > 0 {
        out.push_str(&note(above.lines));
        out.push_str("\n\n");
    }
    let mut fence = above.fence.clone();
    if let Some(fence) = &fence {
        out.push_str(&fence.opening());
    }
    out.push_str(text);
    // A text may end inside a block of code; left open it would swallow whatever the client shows after it.
    text.split_inclusive('\n').for_each(|line| Fence::turn(&mut fence, line));
    if let Some(fence) = fence {
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&fence.marker());
    }
    out
}

/// What opening a block of `text` again and closing another can take.
fn longest_fences(open: Option<&Fence>, text: &str) -> Size {
    let fences = text.lines().filter_map(Fence::of).chain(open.cloned());
    let (mut opening, mut closing) = (Size::default(), Size::default());
    for fence in fences {
        opening = opening.most(Size::of(&fence.opening()));
        closing = closing.most(Size::of("\n").plus(Size::of(&fence.marker())));
    }
    opening.plus(closing)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note(lines: u64) -> String {
        format!("… {lines} lines above")
    }

    fn cut(text: &str, limit: Limit) -> Cut {
        fit("", &Above::default(), text, limit, note)
    }

    fn chars(chars: usize) -> Limit {
        Limit { chars, json_bytes: 20_000 }
    }

    #[test]
    fn the_end_is_shown_and_the_lines_above_are_counted() {
        let text = (0..1_000).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
        let cut = cut(&text, chars(300));
        let first: u64 =
            cut.text.lines().find_map(|l| l.strip_prefix("line ")).unwrap().parse().unwrap();
        assert!(cut.text.starts_with(&format!("… {first} lines above\n\nline {first}\n")));
        assert!(cut.text.ends_with("line 999\n") && cut.above);
    }

    #[test]
    fn a_family_is_never_torn_apart_and_a_line_that_is_cut_says_so() {
        let family = "👨‍👩‍👧‍👦";
        let cut = cut(&family.repeat(500), chars(300));
        let shown = cut.text.strip_prefix('…').unwrap();
        assert_eq!(shown.replace(family, ""), "");
        assert!(!shown.is_empty());
    }

    #[test]
    fn a_cut_inside_a_block_of_code_opens_it_again() {
        let text = format!("```sh\n{}", "echo\n".repeat(1_000));
        let cut = cut(&text, chars(300));
        assert!(cut.text.contains("lines above\n\n```sh\necho\n"), "{}", cut.text);
        assert!(cut.text.ends_with("echo\n```"));
    }

    #[test]
    fn a_tag_of_the_fences_own_sign_does_not_make_it_longer() {
        let cut = cut(&format!("~~~\u{c}~x\n{}", "echo\n".repeat(1_000)), chars(300));
        assert!(cut.text.contains("lines above\n\n~~~ ~x\necho\n"), "{}", cut.text);
        assert!(is_balanced(&cut.text));
    }

    #[test]
    fn what_grows_as_json_is_cut_by_its_bytes() {
        let cut = cut(&"\u{1}".repeat(900), Limit { chars: 1_000, json_bytes: 600 });
        assert!(serde_json::to_string(&cut.text).unwrap().len() <= 602);
    }

    fn is_balanced(text: &str) -> bool {
        let mut open = None;
        text.split_inclusive('\n').for_each(|line| Fence::turn(&mut open, line));
        open.is_none()
    }

    /// Pieces that make trouble: fences of both kinds, what grows as JSON, what is one character of many.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z ]{0,40}\n",
            1 => "[`~]{2,6}[a-z]{0,8}\n",
            1 => " {0,4}[`~]{3,5}\n",
            1 => Just("👨‍👩‍👧‍👦🇨🇳e\u{301}\u{302}".to_owned()),
            1 => Just("一二三\n".to_owned()),
            1 => "[\"\\\\\u{1}\t]{1,20}",
            1 => "\\PC{0,30}",
        ];
        prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_the_text_a_cut_is_its_end_inside_the_limits_and_balanced(
            text in pieces(),
            limit in 100_usize..600,
            bytes in 300_usize..2_000,
            head in prop_oneof![Just(String::new()), "\\*\\*[a-z]{1,30}\\*\\*\n\n"],
        ) {
            let limit = Limit { chars: limit, json_bytes: bytes };
            let cut = fit(&head, &Above::default(), &text, limit, note);
            prop_assert!(cut.text.chars().count() <= limit.chars);
            // The quotation marks of the JSON are the request's.
            prop_assert!(serde_json::to_string(&cut.text).unwrap().len() <= limit.json_bytes + 2);
            prop_assert!(is_balanced(&cut.text), "{:?}", cut.text);
            if !cut.above {
                let whole = format!("{head}{text}");
                prop_assert!(cut.text.starts_with(&whole));
                return Ok(());
            }
            prop_assert!(is_end(&head, &cut.text, &text, note), "{:?}", cut.text);
        }

        #[test]
        fn halving_always_comes_to_an_end(chars in 0_usize..100_000) {
            let mut limit = Some(Limit { chars, json_bytes: chars * 6 });
            let mut steps = 0;
            while let Some(now) = limit {
                limit = now.halved();
                steps += 1;
            }
            prop_assert!(steps < 20);
        }
    }
}
