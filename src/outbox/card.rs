//! A card while a run writes into it: text that only keeps its tail, progress, and how it ended.
//!
//! Writers never wait: they change the text, and whoever streams it takes the newest state when it may.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::config::redact;
use crate::message::Address;

/// Characters of text in a card. Above about three thousand, clients have been seen to show a blank card.
const SHOWN_CHARS: usize = 2_800;

/// Bytes of text kept in memory for a card: some screens more than is shown, so that a cut finds a line break.
const KEPT_BYTES: usize = 32 * 1024;

/// Handle to a card; cheap to clone. After [`Card::finish`] or [`Card::fail`] it takes nothing more.
#[derive(Clone, Debug)]
pub struct Card {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: String,
    run: String,
    to: Address,
    title: String,
    content: Mutex<Content>,
    /// Bumped with every change; what streams the card waits for it.
    version: watch::Sender<u64>,
    shown: AtomicBool,
}

/// What a card shows at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) text: String,
    pub(super) ending: Option<Ending>,
    pub(super) version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Finished,
    Failed,
}

impl Card {
    pub(super) fn new(id: String, to: Address, title: String, run: String) -> Self {
        let version = watch::Sender::new(0);
        Self {
            shared: Arc::new(Shared {
                id,
                run,
                to,
                title,
                content: Mutex::default(),
                version,
                shown: AtomicBool::new(false),
            }),
        }
    }

    pub fn id(&self) -> &str {
        &self.shared.id
    }

    pub fn title(&self) -> &str {
        &self.shared.title
    }

    pub fn to(&self) -> &Address {
        &self.shared.to
    }

    pub(super) fn run(&self) -> &str {
        &self.shared.run
    }

    /// Adds Markdown text at the end. Returns whether the card still took it.
    pub fn append(&self, text: &str) -> bool {
        // Here, before the tail is cut, and again when it is shown: it may have come in two pieces.
        self.change(|content| content.append(&redact(text)))
    }

    /// Replaces the text. Returns whether the card still took it.
    pub fn set(&self, text: &str) -> bool {
        self.change(|content| {
            content.tail.clear();
            content.dropped = Dropped::default();
            content.append(&redact(text));
        })
    }

    /// Shows a bar above the text: `fraction` from 0 to 1 (clamped), and what is being done.
    pub fn progress(&self, fraction: f64, label: Option<&str>) -> bool {
        self.change(|content| content.progress = Some(bar(fraction, label)))
    }

    /// Ends the card well. Returns whether it was still open.
    pub fn finish(&self) -> bool {
        self.change(|content| {
            content.progress = None;
            content.ending = Some(Ending::Finished);
        })
    }

    /// Ends the card badly, with `reason` as its last line.
    pub fn fail(&self, reason: &str) -> bool {
        self.change(|content| {
            content.close_fence();
            if !content.is_empty() {
                content.append("\n\n");
            }
            content.append(reason);
            content.ending = Some(Ending::Failed);
        })
    }

    /// Notes that the card is in its chat.
    pub(super) fn shown(&self) {
        self.shared.shown.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_shown(&self) -> bool {
        self.shared.shown.load(Ordering::Relaxed)
    }

    pub fn is_open(&self) -> bool {
        self.content().ending.is_none()
    }

    /// What it shows at this moment, and "open", "finished" or "failed".
    pub fn look(&self) -> (String, &'static str) {
        let frame = self.frame();
        let state = match frame.ending {
            None => "open",
            Some(Ending::Finished) => "finished",
            Some(Ending::Failed) => "failed",
        };
        (frame.text, state)
    }

    fn change(&self, change: impl FnOnce(&mut Content)) -> bool {
        {
            let mut content = self.content();
            if content.ending.is_some() {
                return false;
            }
            change(&mut content);
        }
        self.shared.version.send_modify(|version| *version += 1);
        true
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    pub(super) fn frame(&self) -> Frame {
        let version = *self.shared.version.borrow();
        let content = self.content();
        let text = content.render(SHOWN_CHARS);
        Frame { text: redact(&text).into_owned(), ending: content.ending, version }
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.shared.content.lock().expect("nobody panics holding this")
    }
}

#[derive(Debug, Default)]
struct Content {
    /// The newest text, in whole characters.
    tail: VecDeque<u8>,
    dropped: Dropped,
    progress: Option<String>,
    ending: Option<Ending>,
}

/// What is no longer in memory.
#[derive(Clone, Debug, Default)]
struct Dropped {
    lines: usize,
    /// The fence (with its language) that was open at the cut, so that the rest is still shown as code.
    fence: Option<String>,
    any: bool,
}

impl Dropped {
    fn skip(&mut self, text: &str) {
        self.any |= !text.is_empty();
        for line in text.split_inclusive('\n') {
            self.lines += usize::from(line.ends_with('\n'));
            turn_fence(&mut self.fence, line);
        }
    }
}

/// Follows Markdown's code fences line by line: a longer fence is closed by one at least as long.
fn turn_fence(open: &mut Option<String>, line: &str) {
    let line = line.trim_end();
    let ticks = line.bytes().take_while(|b| *b == b'`').count();
    if ticks < 3 {
        return;
    }
    match open {
        Some(fence) => {
            let opening = fence.bytes().take_while(|b| *b == b'`').count();
            if ticks >= opening && line.len() == ticks {
                *open = None;
            }
        }
        None => *open = Some(line.to_owned()),
    }
}

impl Content {
    fn is_empty(&self) -> bool {
        self.tail.is_empty() && !self.dropped.any
    }

    fn append(&mut self, text: &str) {
        self.tail.extend(text.as_bytes());
        if self.tail.len() > 2 * KEPT_BYTES {
            let surplus = self.tail.len() - KEPT_BYTES;
            let text = self.text();
            let cut = line_after(&text, surplus);
            self.dropped.skip(&text[..cut]);
            self.tail.drain(..cut);
        }
    }

    fn text(&self) -> String {
        let (front, back) = self.tail.as_slices();
        // Both halves together are whole characters, each alone may not be.
        let mut bytes = Vec::with_capacity(self.tail.len());
        bytes.extend_from_slice(front);
        bytes.extend_from_slice(back);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn close_fence(&mut self) {
        let mut fence = self.dropped.fence.clone();
        self.text().lines().for_each(|line| turn_fence(&mut fence, line));
        if let Some(fence) = fence {
            let ticks: String = fence.chars().take_while(|c| *c == '`').collect();
            self.append(&format!("\n{ticks}\n"));
        }
    }

    /// The newest `limit` characters, from a line start, under a note of what is above.
    fn render(&self, limit: usize) -> String {
        let text = self.text();
        let mut dropped = self.dropped.clone();
        let mut shown = text.as_str();
        let count = text.chars().count();
        if count > limit {
            let surplus = text.char_indices().nth(count - limit).map_or(0, |(at, _)| at);
            let cut = line_after(&text, surplus);
            dropped.skip(&text[..cut]);
            shown = &text[cut..];
        }
        let mut out = String::with_capacity(shown.len() + 64);
        if let Some(progress) = &self.progress {
            let _ = write!(out, "{progress}\n\n");
        }
        if dropped.any {
            let _ = write!(out, "… {} lines above\n\n", thousands(dropped.lines));
        }
        let mut fence = dropped.fence;
        if let Some(fence) = &fence {
            let _ = writeln!(out, "{fence}");
        }
        out.push_str(shown);
        // A frame may end inside a block of code; left open it would swallow whatever the client shows after it.
        shown.lines().for_each(|line| turn_fence(&mut fence, line));
        if let Some(fence) = fence {
            let ticks: String = fence.chars().take_while(|c| *c == '`').collect();
            let _ = write!(out, "{}{ticks}", if out.ends_with('\n') { "" } else { "\n" });
        }
        out
    }
}

/// The start of the first line at or after byte `at`; without one near, the next character boundary.
fn line_after(text: &str, at: usize) -> usize {
    let at = text.ceil_char_boundary(at);
    text[at..].find('\n').filter(|gap| *gap < SHOWN_CHARS / 2).map_or(at, |gap| at + gap + 1)
}

fn bar(fraction: f64, label: Option<&str>) -> String {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let full = "▓▓▓▓▓▓▓▓▓▓";
    let empty = "░░░░░░░░░░";
    // Truncation is meant: the bar is full only when the work is done.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10")]
    let tenths = (fraction * 10.0) as usize;
    let width = "▓".len();
    let label = label.map(|label| format!(" {label}")).unwrap_or_default();
    format!(
        "{}{} {:.0}%{label}",
        &full[..tenths * width],
        &empty[tenths * width..],
        (fraction * 100.0).floor()
    )
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ChatKind, ConversationId};

    fn card() -> Card {
        let to = Address {
            conversation_id: ConversationId::new("c"),
            kind: ChatKind::Direct,
            staff_id: None,
            robot_code: None,
            webhook: None,
        };
        Card::new("id".into(), to, "title".into(), "run".into())
    }

    #[test]
    fn a_long_card_shows_its_end_and_says_how_much_is_above() {
        let card = card();
        for n in 0..10_000 {
            card.append(&format!("line {n}\n"));
        }
        let text = card.frame().text;
        assert!(text.ends_with("line 9999\n"), "{text}");
        let first: usize =
            text.lines().find_map(|l| l.strip_prefix("line ")).unwrap().parse().unwrap();
        assert!(
            text.starts_with(&format!("… {} lines above\n", thousands(first))),
            "{}",
            &text[..40]
        );
        assert!(text.chars().count() < SHOWN_CHARS + 64);
    }

    #[test]
    fn a_cut_inside_a_code_block_opens_it_again() {
        let card = card();
        card.append("```sh\n");
        (0..5_000).for_each(|n| {
            card.append(&format!("{n}\n"));
        });
        let text = card.frame().text;
        assert!(text.contains("lines above\n\n```sh\n"), "{}", &text[..60]);
        assert!(text.ends_with("\n```"), "an open block is closed in every frame");
    }

    #[test]
    fn text_without_any_line_break_is_cut_between_characters() {
        let card = card();
        (0..50_000).for_each(|_| {
            card.append("字");
        });
        let text = card.frame().text;
        assert!(text.starts_with("… 0 lines above") && text.ends_with("字字"));
        assert!(!text.contains('\u{fffd}'));
    }

    #[test]
    fn a_failure_is_outside_the_code_and_ends_the_card() {
        let card = card();
        card.append("```\nhalf");
        assert!(card.fail("it broke"));
        assert_eq!(card.frame().text, "```\nhalf\n```\n\n\nit broke");
        assert!(!card.append("more") && !card.finish());
        assert_eq!(card.frame().ending, Some(Ending::Failed));
    }

    #[test]
    fn progress_is_a_bar_that_is_full_only_at_the_end() {
        assert_eq!(bar(0.999, Some("copying")), "▓▓▓▓▓▓▓▓▓░ 99% copying");
        assert_eq!(bar(1.0, None), "▓▓▓▓▓▓▓▓▓▓ 100%");
        assert_eq!(bar(f64::NAN, None), "░░░░░░░░░░ 0%");
    }
}
