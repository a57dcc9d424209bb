//! What people are told: in pieces, in cards, inside of Markdown.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::dingtalk::text;
use crate::message::Body;
use crate::outbox;
use crate::sink;
use crate::sink::markdown;

/// A text in pieces: nothing is lost, and each piece fits into a message. And the same text inside of Markdown of ours:
/// it stays text.
pub fn texts(data: &[u8]) {
    let whole = String::from_utf8_lossy(data);
    let pieces = text::split_text(&whole);
    assert_eq!(pieces.concat(), whole, "splitting lost something");
    let pieces = text::split_markdown(&whole);
    assert!(text::is_split(&whole, &pieces), "the pieces are not the text: {pieces:?}");
    let bodies = [
        Body::Text { text: whole.to_string() },
        Body::Markdown { title: String::new(), text: whole.to_string() },
    ];
    for body in &bodies {
        for piece in text::split(body) {
            let json = match &piece {
                Body::Markdown { title, text } => {
                    assert!(title.chars().count() <= 20, "a title of many characters");
                    serde_json::json!({ "title": title, "text": text })
                }
                Body::Text { text } => serde_json::json!({ "content": text }),
                other => panic!("a text became {other:?}"),
            };
            let size = json.to_string().len();
            assert!(size < text::ROBOT_LIMIT_BYTES, "a piece of {size} bytes");
        }
        if let Some(smaller) = text::smaller(body) {
            let chars = |body: &Body| match body {
                Body::Text { text } | Body::Markdown { text, .. } => text.chars().count(),
                other => panic!("a text became {other:?}"),
            };
            assert!(smaller.len() > 1, "smaller is more than one");
            let longest = smaller.iter().map(chars).max().unwrap_or_default();
            assert!(longest < chars(body), "smaller is not smaller: {longest}");
        }
    }
    let title = text::title(&whole);
    assert!(!title.trim().is_empty(), "a message without a title");
    assert!(!title.contains(char::is_control), "a title that acts: {title:?}");
    let tail = text::tail(&whole, 400);
    assert!(tail.len() <= 400, "a tail of {} bytes", tail.len());
    let shown = tail.strip_prefix("…\n").unwrap_or(&tail);
    let reopened = shown.split_once('\n').is_some_and(|(_, rest)| whole.ends_with(rest));
    assert!(whole.ends_with(shown) || reopened, "a tail that is not the end: {tail:?}");
    escaped(&whole);
}

/// The end of a text in a card: it is that end, it fits, and it is not blank unless there is nothing to see.
pub fn cards(data: &[u8]) {
    let whole = String::from_utf8_lossy(data);
    for chars in [3_000, 400] {
        let shown = outbox::fit_card(&whole, chars);
        assert!(shown.chars().count() <= chars, "{} characters", shown.chars().count());
        let json = serde_json::to_string(&shown).expect("text is JSON");
        // Without its quotation marks, which are the request's.
        assert!(json.len() <= 20_000 + 2, "{} bytes of JSON", json.len());
        assert!(
            outbox::is_card_of(&shown, &whole),
            "the card is not the end of its text: {shown:?}"
        );
        // A single sign of thousands of marks is nothing that fits.
        let fits = whole.graphemes(true).all(|sign| sign.chars().count() < 100);
        assert!(
            !fits || sink::is_blank(&whole) || !shown.trim().is_empty(),
            "a blank card of {} bytes",
            whole.len()
        );
    }
}

/// Text of others means nothing to Markdown and reads as it was, whether a line begins with it or not; in a block of code
/// it stays there.
fn escaped(text: &str) {
    let spoken = sink::spoken(text);
    for (ours, shown) in [("", markdown::escape(text)), ("x ", markdown::escape_inline(text))] {
        assert!(!shown.contains("@all") && !shown.contains("@everyone"), "a mention: {shown:?}");
        let written = format!("{ours}{shown}");
        let mut seen = String::new();
        for event in read(&written) {
            match event {
                Event::Text(text) => seen.push_str(&text),
                Event::Start(Tag::Paragraph)
                | Event::End(_)
                | Event::SoftBreak
                | Event::HardBreak => {}
                other => panic!("{other:?} out of {written:?}"),
            }
        }
        let letters = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace() && *c != '\u{2060}').collect()
        };
        assert_eq!(letters(&seen), letters(&format!("{ours}{spoken}")), "out of {written:?}");
    }
    let fenced = markdown::fenced(&spoken);
    let mut seen = String::new();
    for (n, event) in read(&fenced).enumerate() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if n == 0 => {
                assert!(info.is_empty(), "a language out of {fenced:?}");
            }
            Event::Text(text) => seen.push_str(&text),
            Event::End(_) => {}
            other => panic!("{other:?} out of {fenced:?}"),
        }
    }
    assert_eq!(seen.trim_end_matches('\n'), spoken.trim_end_matches('\n'), "out of {fenced:?}");
}

/// As a client does that knows what clients know.
fn read(markdown: &str) -> Parser<'_> {
    let known = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM;
    Parser::new_ext(markdown, known)
}
