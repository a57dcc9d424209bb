//! A card while a run writes into it: text that only keeps its tail, progress, and how it ended.
//!
//! Writers never wait: they change the text, and whoever streams it takes the newest state when it may. What no longer
//! fits goes to the [spool](super::spool), where the whole of it is found when the card has ended.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::EMPTY;
use super::cut::{Above, Limit, fit};
use super::question::Question;
use super::spool::Spool;
use crate::config::Attach;
use crate::dingtalk::text::shorten;
use crate::message::Address;
use crate::sink::markdown;
use crate::sink::markdown::Fence;
use crate::sink::{is_blank, redact, redact_begun, spoken};
use crate::words;
use crate::words::Lang;

/// Bytes of text kept in memory for a card: some screens more than is shown, so that a cut finds a line break.
const KEPT_BYTES: usize = 32 * 1024;

/// Characters of a title, and of what is said beside a bar.
const TITLE_CHARS: usize = 100;

/// Bytes of output that are handed to the disk together.
const PIECE_BYTES: usize = 16 * 1024;

/// Bytes of output that may wait for a disk that is slow; past them it is left out.
const WAITING_BYTES: usize = 1 << 20;

/// Handle to a card; cheap to clone. After [`Card::finish`] or [`Card::fail`] it takes nothing more.
#[derive(Clone, Debug)]
pub struct Card {
    shared: Arc<Shared>,
}

/// What a card is from its beginning.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) id: String,
    pub(super) run: String,
    pub(super) to: Address,
    pub(super) title: String,
    pub(super) lang: Lang,
    /// `None`: only its tail is kept.
    pub(super) spool: Option<Spool>,
    pub(super) attach: Attach,
    pub(super) asks: Option<Question>,
}

#[derive(Debug)]
struct Shared {
    about: About,
    content: Mutex<Content>,
    /// Bumped with every change; what streams the card waits for it.
    version: watch::Sender<u64>,
    shown: AtomicBool,
    /// No answer told so.
    unsure: AtomicBool,
}

/// What a card shows at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) text: String,
    /// Whether some of its text is above what it shows.
    pub(super) above: bool,
    pub(super) ending: Option<Ending>,
    pub(super) version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Finished,
    Failed,
}

impl Card {
    pub(super) fn new(about: About) -> Self {
        let title = shorten(&spoken(&about.title), TITLE_CHARS);
        let title = if is_blank(&title) { String::new() } else { title };
        let about = About { title, ..about };
        let content = Content { attach: about.attach, ..Content::default() };
        Self {
            shared: Arc::new(Shared {
                about,
                content: Mutex::new(content),
                version: watch::Sender::new(0),
                shown: AtomicBool::new(false),
                unsure: AtomicBool::new(false),
            }),
        }
    }

    pub fn id(&self) -> &str {
        &self.shared.about.id
    }

    pub fn title(&self) -> &str {
        &self.shared.about.title
    }

    pub fn to(&self) -> &Address {
        &self.shared.about.to
    }

    pub fn run(&self) -> &str {
        &self.shared.about.run
    }

    /// The language of whoever it answers.
    pub fn lang(&self) -> Lang {
        self.shared.about.lang
    }

    /// When the whole text of this card is sent beside it, where the host can keep it at all.
    pub fn attach(&self, when: Attach) {
        self.content().attach = when;
    }

    /// Adds Markdown text at the end. Returns whether the card still took it.
    pub fn append(&self, text: &str) -> bool {
        // Redacted here, before the tail is cut, and again when it is shown: it may have come in two pieces.
        self.change(|content| {
            content.append(&spoken(text));
            content.keep(text.as_bytes());
        }) && self.hand_over(PIECE_BYTES)
    }

    /// Replaces the text. Returns whether the card still took it.
    pub fn set(&self, text: &str) -> bool {
        self.change(|content| {
            content.clear();
            content.append(&spoken(text));
            content.keep_anew(text.as_bytes());
        }) && self.hand_over(PIECE_BYTES)
    }

    /// Replaces what is shown by the end of an output, as code: `lines` of it are above `text`. What the whole output is,
    /// is said to [`Card::keep`].
    pub fn show(&self, lines: u64, text: &str) -> bool {
        self.change(|content| {
            content.clear();
            let fence = (!text.is_empty()).then(|| Fence::around(text));
            content.above = Above { lines, any: lines > 0, fence };
            content.append(&spoken(text));
        }) && self.hand_over(if lines > 0 { 1 } else { PIECE_BYTES })
    }

    /// What it asks, if it does.
    pub(super) fn asks(&self) -> Option<&Question> {
        self.shared.about.asks.as_ref()
    }

    /// The line that was added below all.
    pub(super) fn conclusion(&self) -> String {
        self.content().conclusion.clone()
    }

    /// Adds a line below all, outside of any block of code.
    pub fn conclude(&self, line: &str) -> bool {
        self.change(|content| content.conclude(line))
    }

    /// Adds bytes to the whole output, which is more than what is shown; waits while the disk is slower than they come.
    pub async fn keep(&self, bytes: &[u8]) {
        let piece = {
            let mut content = self.content();
            content.keep(bytes);
            if content.waiting.len() < PIECE_BYTES { None } else { content.take_waiting() }
        };
        if let (Some(spool), Some((bytes, anew))) = (&self.shared.about.spool, piece) {
            spool.write(self.id(), bytes, anew).await;
        }
    }

    /// Shows a bar above the text: `fraction` from 0 to 1 (clamped), and what is being done.
    pub fn progress(&self, fraction: f64, label: Option<&str>) -> bool {
        // It is text, and may hold what somebody typed.
        let label = label.map(|label| {
            markdown::escape_inline(
                &shorten(&spoken(label), TITLE_CHARS).replace(['\n', '\r'], " "),
            )
        });
        self.change(|content| content.progress = Some(bar(fraction, label.as_deref())))
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
            content.conclude(reason);
            content.ending = Some(Ending::Failed);
        })
    }

    /// Notes that the card is in its chat.
    pub(super) fn shown(&self) {
        self.shared.shown.store(true, Ordering::Relaxed);
        self.shared.unsure.store(false, Ordering::Relaxed);
    }

    /// Notes that the card may be in its chat: it is followed as if it were, and the first answer tells.
    pub(super) fn may_be_shown(&self) {
        self.shared.shown.store(true, Ordering::Relaxed);
        self.shared.unsure.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_unsure(&self) -> bool {
        self.shared.unsure.load(Ordering::Relaxed)
    }

    pub(super) fn is_shown(&self) -> bool {
        self.shared.shown.load(Ordering::Relaxed)
    }

    pub fn is_open(&self) -> bool {
        self.content().ending.is_none()
    }

    /// What it shows at this moment, and "open", "finished" or "failed".
    pub fn look(&self) -> (String, &'static str) {
        let content = self.content();
        let state = match content.ending {
            None => "open",
            Some(Ending::Finished) => "finished",
            Some(Ending::Failed) => "failed",
        };
        let text = content.render("", Limit::MOST, self.lang()).text;
        (redact(&text).into_owned(), state)
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

    /// Its title and text, inside `limit`.
    pub(super) fn frame(&self, limit: Limit) -> Frame {
        let version = *self.shared.version.borrow();
        let content = self.content();
        let cut = content.render(&self.head(), limit, self.lang());
        let mut text = redact(&cut.text).into_owned();
        if content.ending.is_some() && is_blank(&text) {
            EMPTY.clone_into(&mut text);
        }
        Frame { text, above: cut.above, ending: content.ending, version }
    }

    /// Title, as the first line: templates need no variable for it.
    fn head(&self) -> String {
        match self.title() {
            "" => String::new(),
            // It may hold what somebody typed, and is one line.
            title => {
                format!("**{}**\n\n", markdown::escape_inline(&title.replace(['\n', '\r'], " ")))
            }
        }
    }

    /// Whether its whole output is to be sent as a file, now that it has ended and `above` did not fit.
    pub(super) fn wants_file(&self, above: bool) -> bool {
        let content = self.content();
        let failed = content.ending != Some(Ending::Finished);
        above
            && self.shared.about.spool.is_some()
            && match content.attach {
                Attach::Always => true,
                Attach::OnFailure => failed,
                Attach::Never => false,
            }
    }

    /// Completes the file of its output. Returns its size, if there is one.
    pub(super) async fn complete_file(&self) -> Option<u64> {
        let spool = self.shared.about.spool.as_ref()?;
        let (rest, lost) = {
            let mut content = self.content();
            (content.take_waiting(), content.lost)
        };
        if let Some((bytes, anew)) = rest {
            spool.write(self.id(), bytes, anew).await;
        }
        match spool.keep(self.id(), lost).await {
            Ok(0) => None,
            Ok(size) => Some(size),
            Err(error) => {
                tracing::warn!(%error, "the whole output of a card was not kept");
                None
            }
        }
    }

    /// Forgets its output.
    pub(super) async fn forget_file(&self) {
        self.content().take_waiting();
        if let Some(spool) = &self.shared.about.spool {
            spool.discard(self.id()).await;
        }
    }

    /// Hands what waits to the disk, if it is at least `least` bytes and does not fit into the card anyway. Always true.
    fn hand_over(&self, least: usize) -> bool {
        let Some(spool) = &self.shared.about.spool else {
            self.content().waiting.clear();
            return true;
        };
        let mut content = self.content();
        if content.attach == Attach::Never {
            content.waiting.clear();
        }
        if content.waiting.len() < least {
            return true;
        }
        if let Some((bytes, anew)) = content.take_waiting()
            && let Err(bytes) = spool.try_write(self.id(), bytes, anew)
        {
            if bytes.len() > WAITING_BYTES {
                content.lost += bytes.len() as u64;
            } else {
                (content.waiting, content.anew) = (bytes, anew);
            }
        }
        true
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.shared.content.lock().expect("nobody panics holding this")
    }
}

#[derive(Debug, Default)]
struct Content {
    /// The newest text, in whole characters.
    tail: VecDeque<u8>,
    above: Above,
    progress: Option<String>,
    /// The last line, once it was concluded.
    conclusion: String,
    ending: Option<Ending>,
    attach: Attach,
    /// Of the whole output, what the disk has not been given yet.
    waiting: Vec<u8>,
    /// It replaces what the disk has.
    anew: bool,
    /// Bytes that the disk could not take.
    lost: u64,
}

impl Content {
    fn is_empty(&self) -> bool {
        self.tail.is_empty() && !self.above.any
    }

    fn clear(&mut self) {
        self.tail.clear();
        self.above = Above::default();
    }

    fn append(&mut self, text: &str) {
        self.tail.extend(text.as_bytes());
        if self.tail.len() > 2 * KEPT_BYTES {
            let text = redact(&self.text()).into_owned();
            self.tail = text.as_bytes().to_vec().into();
            let surplus = text.len().saturating_sub(KEPT_BYTES);
            let cut = line_after(&text, surplus);
            self.above.skip(&text[..cut]);
            self.tail.drain(..cut);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.attach != Attach::Never {
            self.waiting.extend_from_slice(bytes);
        }
    }

    fn keep_anew(&mut self, bytes: &[u8]) {
        self.waiting.clear();
        self.lost = 0;
        self.anew = true;
        self.keep(bytes);
    }

    fn take_waiting(&mut self) -> Option<(Vec<u8>, bool)> {
        if self.waiting.is_empty() && !self.anew {
            return None;
        }
        Some((std::mem::take(&mut self.waiting), std::mem::take(&mut self.anew)))
    }

    fn text(&self) -> String {
        let (front, back) = self.tail.as_slices();
        // Both halves together are whole characters, each alone may not be.
        let mut bytes = Vec::with_capacity(self.tail.len());
        bytes.extend_from_slice(front);
        bytes.extend_from_slice(back);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn conclude(&mut self, line: &str) {
        let mut fence = self.above.fence.clone();
        let text = self.text();
        text.split_inclusive('\n').for_each(|line| Fence::turn(&mut fence, line));
        if let Some(fence) = fence {
            self.append(&fence.closing(&text));
        }
        if !self.is_empty() {
            self.append("\n\n");
        }
        self.append(&spoken(line));
        self.conclusion = spoken(line).into_owned();
    }

    fn render(&self, head: &str, limit: Limit, lang: Lang) -> super::cut::Cut {
        let head = match &self.progress {
            Some(progress) => format!("{head}{progress}\n\n"),
            None => head.to_owned(),
        };
        let text = self.text();
        // Before it is cut: half a secret is not recognised any more. While it is written, half of one may be all there is.
        let text = if self.ending.is_none() { redact_begun(&text) } else { redact(&text) };
        fit(&head, &self.above, &text, limit, |lines| words::cards::above(lines, lang))
    }
}

/// The start of the first line at or after byte `at`; without one near, the next character boundary.
fn line_after(text: &str, at: usize) -> usize {
    let at = text.ceil_char_boundary(at);
    text[at..].find('\n').filter(|gap| *gap < 1_400).map_or(at, |gap| at + gap + 1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ChatKind, ConversationId};
    use crate::words::thousands;

    fn card() -> Card {
        let to = Address {
            conversation_id: ConversationId::new("c"),
            kind: ChatKind::Direct,
            staff_id: None,
            robot_code: None,
            webhook: None,
        };
        Card::new(About {
            id: "id".into(),
            run: "run".into(),
            to,
            title: String::new(),
            lang: Lang::En,
            spool: None,
            attach: Attach::Always,
            asks: None,
        })
    }

    fn text(card: &Card) -> String {
        card.frame(Limit::MOST).text
    }

    #[test]
    fn a_long_card_shows_its_end_and_says_how_much_is_above() {
        let card = card();
        for n in 0..10_000 {
            card.append(&format!("line {n}\n"));
        }
        let text = text(&card);
        assert!(text.ends_with("line 9999\n"), "{text}");
        let first: u64 =
            text.lines().find_map(|l| l.strip_prefix("line ")).unwrap().parse().unwrap();
        assert!(
            text.starts_with(&format!("… {} lines above\n", thousands(first))),
            "{}",
            &text[..40]
        );
        assert!(text.chars().count() <= 3_000);
    }

    #[test]
    fn a_cut_inside_a_code_block_opens_it_again() {
        let card = card();
        card.append("```sh\n");
        (0..5_000).for_each(|n| {
            card.append(&format!("{n}\n"));
        });
        let text = text(&card);
        assert!(text.contains("lines above\n\n```sh\n"), "{}", &text[..60]);
        assert!(text.ends_with("\n```"), "an open block is closed in every frame");
    }

    #[test]
    fn text_without_any_line_break_is_cut_between_characters() {
        let card = card();
        (0..50_000).for_each(|_| {
            card.append("字");
        });
        let text = text(&card);
        assert!(text.starts_with("…字") && text.ends_with("字字"));
        assert!(!text.contains('\u{fffd}'));
    }

    #[test]
    fn an_output_says_how_many_of_its_lines_are_above_also_when_it_is_cut_again() {
        let card = card();
        let lines = (0..200).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
        card.show(9_000, &lines);
        assert!(text(&card).starts_with("… 9,000 lines above\n\n```\nline 0\n"));
        let less = card.frame(Limit { chars: 500, json_bytes: 20_000 }).text;
        let first: u64 =
            less.lines().find_map(|l| l.strip_prefix("line ")).unwrap().parse().unwrap();
        let above = format!("… {} lines above\n\n```\nline {first}\n", thousands(9_000 + first));
        assert!(less.starts_with(&above) && less.ends_with("line 199\n```"), "{less}");
        card.conclude("exit 0");
        assert!(text(&card).ends_with("line 199\n```\n\nexit 0"));
    }

    #[test]
    fn a_failure_is_outside_the_code_and_ends_the_card() {
        let card = card();
        card.append("```\nhalf");
        assert!(card.fail("it broke"));
        assert_eq!(text(&card), "```\nhalf\n```\n\nit broke");
        assert!(!card.append("more") && !card.finish());
        assert_eq!(card.frame(Limit::MOST).ending, Some(Ending::Failed));
    }

    #[test]
    fn progress_is_a_bar_that_is_full_only_at_the_end() {
        assert_eq!(bar(0.999, Some("copying")), "▓▓▓▓▓▓▓▓▓░ 99% copying");
        assert_eq!(bar(1.0, None), "▓▓▓▓▓▓▓▓▓▓ 100%");
        assert_eq!(bar(f64::NAN, None), "░░░░░░░░░░ 0%");
    }
}
