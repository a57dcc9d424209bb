//! Fitting texts into DingTalk's limits: cut where a reader would cut, keep code blocks whole or properly closed.
//!
//! Splitting loses nothing: without the fence lines that are added at borders, the pieces joined are the text.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::message::Body;
use crate::sink::markdown::Fence;

/// The body of a webhook call must stay below this, as JSON.
pub const WEBHOOK_LIMIT_BYTES: usize = 20_000;
/// `msgParam` of the robot API must stay below this, as JSON.
pub const ROBOT_LIMIT_BYTES: usize = 15_000;
/// The longest piece: clients stay quick and the text fits a screen or two.
pub const PIECE_CHARS: usize = 3_800;
/// A piece as JSON; what is left to the robot's limit holds title, keys and mentions, so that a piece fits both ways.
const PIECE_BYTES: usize = 14_000;
/// The chat list shows about this much of a title.
const TITLE_CHARS: usize = 20;

/// Splits `body` into pieces that each fit one message. One that fits comes back as it is.
pub fn split(body: &Body) -> Vec<Body> {
    split_within(body, LIMIT)
}

/// Pieces of `body` that are half as long, for a message that is too large although it keeps the documented limits.
/// `None`: there is nothing to split any more.
pub fn smaller(body: &Body) -> Option<Vec<Body>> {
    let (Body::Text { text } | Body::Markdown { text, .. }) = body else { return None };
    let size = Size::of(text);
    let limit = Size {
        chars: size.chars.div_ceil(2).max(SMALLEST_CHARS),
        bytes: size.bytes.div_ceil(2).max(4 * SMALLEST_CHARS),
    };
    let pieces = split_within(body, limit);
    (pieces.len() > 1).then_some(pieces)
}

fn split_within(body: &Body, limit: Size) -> Vec<Body> {
    match body {
        Body::Text { text } => {
            pieces(text, false, limit).into_iter().map(|text| Body::Text { text }).collect()
        }
        Body::Markdown { title: given, text } => pieces(text, true, limit)
            .into_iter()
            .map(|text| {
                let title = if given.trim().is_empty() { title(&text) } else { given.clone() };
                Body::Markdown { title, text }
            })
            .collect(),
        Body::File { .. } | Body::Image { .. } => vec![body.clone()],
    }
}

/// Splits plain text; the pieces joined are the text.
pub fn split_text(text: &str) -> Vec<String> {
    pieces(text, false, LIMIT)
}

/// Splits Markdown; a code block that must be cut is closed at the end of its piece and opened again in the next.
pub fn split_markdown(text: &str) -> Vec<String> {
    pieces(text, true, LIMIT)
}

/// Whether `pieces` are what Markdown was split into: each fits into a message and leaves no block of code open, and without
/// the fences that were added they are the text. For tests that throw anything at it.
#[doc(hidden)]
pub fn is_split(text: &str, pieces: &[String]) -> bool {
    // Where in the text the pieces so far may have ended. More than one place, because an end line that was added cannot
    // be told from one of the text's own.
    let mut ends = vec![0];
    for piece in pieces {
        if !Size::of(piece).fits(LIMIT) || scan(None, piece).open.is_some() {
            return false;
        }
        let mut next = Vec::new();
        for end in ends {
            let open = scan(None, &text[..end]).open;
            let head = open.map(|fence| fence.opening()).unwrap_or_default();
            let Some(body) = piece.strip_prefix(&head) else { continue };
            let unmarked = body.trim_end_matches(['`', '~']);
            let candidates = [body, unmarked, unmarked.strip_suffix('\n').unwrap_or(unmarked)];
            let fitting = candidates.into_iter().filter(|body| text[end..].starts_with(body));
            next.extend(fitting.map(|body| end + body.len()));
        }
        next.sort_unstable();
        next.dedup();
        ends = next;
    }
    ends.contains(&text.len())
}

/// The first line that says something, without Markdown's markers, short enough for the chat list. Never empty.
pub fn title(markdown: &str) -> String {
    markdown
        .lines()
        .filter(|line| Fence::of(line).is_none())
        .map(plain)
        .find(|line| line.chars().any(char::is_alphanumeric))
        .map_or_else(|| "…".to_owned(), |line| shorten(&line, TITLE_CHARS))
}

/// The end of `markdown` in at most `limit_bytes`, from the start of a line and marked with `…` if something is
/// missing; a code block that began before is opened again.
pub fn tail(markdown: &str, limit_bytes: usize) -> Cow<'_, str> {
    if markdown.len() <= limit_bytes {
        return Cow::Borrowed(markdown);
    }
    // Room for the mark, a reopened fence and its end.
    let room =
        limit_bytes.saturating_sub("…\n".len() + 2 * (Fence::MOST + 2) + 4 * Fence::MOST_INFO);
    let mut start = markdown.ceil_char_boundary(markdown.len() - room);
    if let Some(line) =
        markdown[start..].find('\n').map(|at| start + at + 1).filter(|at| *at < markdown.len())
    {
        start = line;
    }
    let mut tail = "…\n".to_owned();
    if let Some(fence) = scan(None, &markdown[..start]).open {
        tail.push_str(&fence.opening());
    }
    tail.push_str(&markdown[start..]);
    Cow::Owned(tail)
}

/// How much of a piece is used up.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    chars: usize,
    bytes: usize,
}

impl Size {
    fn of(text: &str) -> Self {
        text.chars().fold(Self::default(), |size, c| Self {
            chars: size.chars + 1,
            bytes: size.bytes
                + match c {
                    '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
                    c if c < ' ' => 6,
                    c => c.len_utf8(),
                },
        })
    }

    fn plus(self, other: Self) -> Self {
        Self { chars: self.chars + other.chars, bytes: self.bytes + other.bytes }
    }

    fn fits(self, limit: Self) -> bool {
        self.chars <= limit.chars && self.bytes <= limit.bytes
    }
}

const LIMIT: Size = Size { chars: PIECE_CHARS, bytes: PIECE_BYTES };

/// Pieces are not made shorter than this: what is refused as too large then has another fault.
const SMALLEST_CHARS: usize = 200;

/// Room for the longest line that ends a code block, with its newline.
const END_LINE: Size = Size { chars: Fence::MOST + 1, bytes: Fence::MOST + 2 };

fn pieces(text: &str, markdown: bool, limit: Size) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut open: Option<Fence> = None;
    loop {
        let head = open.as_ref().map(Fence::opening).unwrap_or_default();
        // As JSON a text only grows, so a long rest needs no closer look.
        if rest.len() <= limit.bytes {
            let scanned = if markdown { scan(open.clone(), rest) } else { Scan::default() };
            let close = scanned.open.as_ref().map(|fence| fence.closing(rest)).unwrap_or_default();
            if Size::of(&head).plus(Size::of(rest)).plus(Size::of(&close)).fits(limit) {
                if !rest.is_empty() || pieces.is_empty() {
                    pieces.push(format!("{head}{rest}{close}"));
                }
                return pieces;
            }
        }
        // The longest end line that could become necessary is held back.
        let reserved = if markdown { END_LINE } else { Size::default() };
        let cut = cut(rest, Size::of(&head).plus(reserved), open.clone(), markdown, limit);
        let (piece, left) = rest.split_at(cut);
        open = if markdown { scan(open, piece).open } else { None };
        let close = open.as_ref().map(|fence| fence.closing(piece)).unwrap_or_default();
        pieces.push(format!("{head}{piece}{close}"));
        rest = left;
    }
}

/// Where to cut `rest` so that the first part fits beside `used`: after a paragraph, line, sentence or word if one
/// ends in its second half, else between two graphemes. Never 0.
fn cut(rest: &str, used: Size, open: Option<Fence>, markdown: bool, limit: Size) -> usize {
    let mut size = used;
    let mut end = 0;
    for grapheme in rest.graphemes(true) {
        size = size.plus(Size::of(grapheme));
        if !size.fits(limit) {
            break;
        }
        end += grapheme.len();
    }
    if end == 0 {
        // One grapheme of thousands of combining marks: not text that a reader would miss a cut in.
        let mut size = used;
        for c in rest.chars() {
            size = size.plus(Size::of(c.encode_utf8(&mut [0; 4])));
            if !size.fits(limit) {
                break;
            }
            end += c.len_utf8();
        }
        return end.max(rest.chars().next().map_or(0, char::len_utf8));
    }
    let fits = &rest[..end];
    let half = end / 2;
    let after = |pattern: &str| fits.rfind(pattern).map(|at| at + pattern.len());
    let mut best = after("\n\n")
        .filter(|at| *at > half)
        .or_else(|| after("\n").filter(|at| *at > half))
        .or_else(|| sentence_end(fits).filter(|at| *at > half))
        .or_else(|| {
            fits.rfind(char::is_whitespace).map(|at| at + width(fits, at)).filter(|at| *at > half)
        })
        .filter(|at| rest[*at..].graphemes(true).next().is_none() || is_grapheme_border(rest, *at))
        .unwrap_or(end);
    if markdown {
        let scanned = scan(open.clone(), &rest[..best]);
        // A code block that begins late in the piece moves to the next one as a whole.
        if let Some(line) = scanned.opened_at.filter(|line| *line > half) {
            best = line;
        } else if let Some(line) = fence_line_across(rest, best).filter(|line| line.start > 0) {
            best = line.start;
        }
        // The block's own end comes along rather than into an empty block of the next piece: room is held back for it.
        let next = rest[best..].split_inclusive('\n').next().unwrap_or_default();
        let last = Fence::of(next.trim_end_matches(['\n', '\r']));
        let ends = |fence: Fence| last.is_some_and(|last| fence.is_closed_by(&last));
        let size = Size::of(next);
        if rest[..best].ends_with('\n')
            && size.chars <= END_LINE.chars
            && size.bytes <= END_LINE.bytes
            && scan(open, &rest[..best]).open.is_some_and(ends)
        {
            best += next.len();
        }
    }
    best
}

fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

fn is_grapheme_border(text: &str, at: usize) -> bool {
    unicode_segmentation::GraphemeCursor::new(at, text.len(), true)
        .is_boundary(text, 0)
        .unwrap_or(true)
}

/// The end of the last sentence in `text`, quotes and spaces after it included.
fn sentence_end(text: &str) -> Option<usize> {
    let mut end = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let wide = matches!(c, '。' | '！' | '？' | '；' | '…');
        let narrow = matches!(c, '.' | '!' | '?' | ';')
            && chars.peek().is_some_and(|(_, next)| *next == ' ');
        if wide {
            end = Some(at + c.len_utf8());
        } else if narrow {
            end = Some(at + 2);
        }
    }
    end
}

/// The line that `at` lies inside of, if it is a fence: a cut there would make two half markers.
fn fence_line_across(text: &str, at: usize) -> Option<Range<usize>> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    (start < at && at < end && Fence::of(&text[start..end]).is_some()).then_some(start..end)
}

#[derive(Debug, Default)]
struct Scan {
    /// The code block that is open at the end.
    open: Option<Fence>,
    /// Where its opening line starts, if it is in the scanned text.
    opened_at: Option<usize>,
}

fn scan(open: Option<Fence>, text: &str) -> Scan {
    let mut scan = Scan { open, opened_at: None };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let was_open = scan.open.is_some();
        Fence::turn(&mut scan.open, line);
        if scan.open.is_some() != was_open {
            scan.opened_at = scan.open.is_some().then_some(at);
        }
        at += line.len();
    }
    scan
}

/// A line without the markers of headings, lists, quotes, emphasis and links.
fn plain(line: &str) -> String {
    let line = line.trim().trim_start_matches(['#', '>', '-', '*', '+', '|', ' ', '\t']);
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' | '`' | '|' => {}
            '!' if rest.starts_with('[') => {}
            '[' => {
                // `[shown](address)`: only what is shown.
                let link = rest
                    .split_once("](")
                    .and_then(|(shown, after)| Some((shown, after.split_once(')')?.1)));
                match link {
                    Some((shown, after)) => {
                        plain.push_str(shown);
                        rest = after;
                    }
                    None => plain.push(c),
                }
            }
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `limit` characters, cut between graphemes.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut chars = 0;
    for grapheme in text.graphemes(true) {
        chars += grapheme.chars().count();
        if chars > limit - 1 {
            break;
        }
        short.push_str(grapheme);
    }
    format!("{}…", short.trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_fits_stays_whole() {
        assert_eq!(split_text("hello"), ["hello"]);
        assert_eq!(split_text(""), [""]);
        assert_eq!(split_markdown("```rust\nfn x() {}\n```"), ["```rust\nfn x() {}\n```"]);
    }

    #[test]
    fn cuts_fall_between_paragraphs_lines_sentences_and_words() {
        for (unit, ends_with) in [
            ("A line of a paragraph.\nAnd another.\n\n", "\n\n"),
            ("one line of a log\n", "\n"),
            ("这是一个句子。", "。"),
            ("A sentence. ", ". "),
            ("word ", " "),
        ] {
            let pieces = split_text(&unit.repeat(2_000));
            assert!(pieces.len() > 1);
            assert!(pieces.iter().all(|piece| piece.ends_with(ends_with)), "{unit:?}");
        }
    }

    #[test]
    fn a_family_is_never_torn_apart() {
        let family = "👨‍👩‍👧‍👦";
        for piece in split_text(&family.repeat(3_000)) {
            assert_eq!(piece.replace(family, ""), "");
        }
    }

    #[test]
    fn a_long_code_block_is_closed_and_opened_again_with_its_language() {
        let code = "let x = 1;\n".repeat(1_000);
        let pieces = split_markdown(&format!("Result:\n\n```rust\n{code}```\nthe end"));
        assert!(pieces.len() >= 3);
        assert!(pieces[0].starts_with("Result:\n\n```rust\n") && pieces[0].ends_with("\n```"));
        for piece in &pieces[1..] {
            assert!(piece.starts_with("```rust\nlet x"), "{}", &piece[..40]);
        }
        assert!(pieces.last().unwrap().ends_with("```\nthe end"));
    }

    #[test]
    fn a_tag_of_the_fences_own_sign_does_not_make_it_longer() {
        let text = format!("~~~ ~x\n{}~~~\n", "echo\n".repeat(2_000));
        let pieces = split_markdown(&text);
        assert!(pieces[1].starts_with("~~~ ~x\necho\n"), "{}", &pieces[1][..20]);
        assert!(is_split(&text, &pieces));
    }

    #[test]
    fn a_code_block_near_the_end_moves_to_the_next_piece() {
        let text = format!("{}\n```sh\n{}```\n", "word ".repeat(600), "ls -la\n".repeat(200));
        let pieces = split_markdown(&text);
        assert_eq!(pieces.len(), 2);
        assert!(pieces[1].starts_with("```sh\nls"), "{}", &pieces[1][..20]);
    }

    #[test]
    fn titles_are_short_and_without_markers() {
        for (markdown, expected) in [
            ("### 构建结果\n成功", "构建结果"),
            ("\n\n- **Done** in `3s`", "Done in 3s"),
            ("> [the build](https://x.example/1) passed", "the build passed"),
            ("```sh\nls -la\n```", "ls -la"),
            ("| a | b |\n|---|---|", "a b"),
            ("", "…"),
            ("---\n***\n", "…"),
            ("a title that is far too long for the list", "a title that is far…"),
        ] {
            assert_eq!(title(markdown), expected, "{markdown:?}");
            assert!(title(markdown).chars().count() <= TITLE_CHARS);
        }
    }

    #[test]
    fn a_tail_starts_with_a_line_inside_its_code_block() {
        let log = format!("```log\n{}", "0123456789\n".repeat(5_000));
        let tail = tail(&log, 10_000);
        assert!(tail.len() <= 10_000 && tail.len() > 9_000, "{}", tail.len());
        assert!(tail.starts_with("…\n```log\n0123456789\n"), "{}", &tail[..30]);
        assert_eq!(super::tail("short", 100), "short");
    }

    fn lines() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            4 => "[a-z 。\"\\\\é👩🏽‍🚀\u{301}\u{1}]{0,90}",
            1 => Just("```rust".to_owned()),
            1 => Just("```".to_owned()),
            1 => Just("~~~~".to_owned()),
            1 => "[a-z]{3000,4500}",
            1 => "`{1,40}",
            1 => "\u{301}{1,4500}",
        ];
        (prop::collection::vec(line, 0..60), prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n")])
            .prop_map(|(lines, separator)| lines.join(separator))
    }

    fn fits(piece: &str) -> bool {
        let json = serde_json::to_string(piece).unwrap().len() - 2;
        piece.chars().count() <= PIECE_CHARS && json <= PIECE_BYTES
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn plain_pieces_joined_are_the_text(text in lines()) {
            let pieces = split_text(&text);
            prop_assert_eq!(pieces.concat(), text);
            prop_assert!(pieces.iter().all(|piece| fits(piece)));
        }

        #[test]
        fn markdown_pieces_fit_are_balanced_and_lose_nothing(text in lines()) {
            let pieces = split_markdown(&text);
            prop_assert!(pieces.iter().all(|piece| fits(piece)));
            prop_assert!(is_split(&text, &pieces), "{pieces:?}");
        }
    }
}
