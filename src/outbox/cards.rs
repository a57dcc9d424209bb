//! Streams cards: shows them, sends the newest text at a pace that DingTalk bears, and always ends them.
//!
//! A frame is one of many: what DingTalk does not take is left out, and the next one says more. The end is not: it is
//! tried until it is accepted, made smaller where it is too large, and said as a message where no card can be.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::params;
use tokio::time::Instant;
use uuid::Uuid;

use super::attach::Attachment;
use super::card::{Card, Frame};
use super::cut::{Above, Limit, fit};
use super::deliver::{Sender, Template};
use super::endings::not_shown;
use super::rate::{Bucket, Call, PER_SECOND};
use super::{Item, Post, insert};
use crate::config::Attach;
use crate::config::Current;
use crate::dingtalk;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Phase;
use crate::message::Body;
use crate::message::Reply;
use crate::store::Error;
use crate::words;
use crate::words::Lang;

/// Least time between two frames of a card; clients flicker below it.
const PACE: Duration = Duration::from_millis(800);

/// The longest: nobody watches a card of ten minutes ago that closely, and each frame counts against a monthly budget.
const SLOWEST: Duration = Duration::from_secs(10);

/// A card grows slower by this part of its age: half a minute makes it 2.3 s, three minutes the longest.
const AGEING: u32 = 20;

/// Tries for a final frame before its text goes out as Markdown: about two minutes.
pub(super) const FINAL_TRIES: u32 = 8;

/// Tries to take the Stop button off a card that has ended. A click on it is answered in any case.
const BUTTON_TRIES: u32 = 3;

/// How long cards are not tried after DingTalk refused them for a reason that repeating does not mend.
const CIRCUIT: Duration = Duration::from_mins(30);

/// How cards are shown.
#[derive(Clone, Debug)]
pub struct CardSettings {
    /// Card calls per second, of all cards together.
    pub calls_per_second: f64,
    /// When the whole output is sent beside a card, unless a handler says otherwise.
    pub attach: Attach,
    /// Where outputs are kept until they are sent; `None`: they are not.
    pub spool: Option<PathBuf>,
    /// Bytes of one output that are kept.
    pub attach_bytes: u64,
    /// Action ids of the template's Stop button; empty: it has none.
    pub stop_actions: Vec<String>,
    /// Buttons that the template has for answers.
    pub buttons: usize,
}

impl Default for CardSettings {
    fn default() -> Self {
        Self {
            calls_per_second: PER_SECOND,
            attach: Attach::Always,
            spool: None,
            attach_bytes: 64 << 20,
            stop_actions: Vec::new(),
            buttons: 0,
        }
    }
}

/// What all cards share.
#[derive(Debug)]
pub(super) struct Cards {
    template: Option<Template>,
    settings: Current<CardSettings>,
    pub(super) bucket: Bucket,
    /// Until when cards are not tried, because DingTalk refuses them.
    circuit: Mutex<Option<Instant>>,
}

impl Cards {
    pub(super) fn new(template: Option<Template>, settings: Current<CardSettings>) -> Self {
        let bucket = Bucket::new(settings.get().calls_per_second);
        Self { template, settings, bucket, circuit: Mutex::default() }
    }

    /// Waits until `call` may be made.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is taken until it returns.
    pub(super) async fn take(&self, call: Call) {
        self.bucket.renew(self.settings.get().calls_per_second);
        self.bucket.take(call).await;
    }

    fn usable(&self) -> Option<&Template> {
        let until = *self.circuit();
        self.template.as_ref().filter(|_| until.is_none_or(|until| Instant::now() >= until))
    }

    /// From now on cards are not tried for a while.
    fn broke(&self) {
        *self.circuit() = Some(Instant::now() + CIRCUIT);
    }

    /// Somebody says that what DingTalk refused was put right, or the month has turned.
    pub(super) fn ask_again(&self) {
        *self.circuit() = None;
    }

    fn works(&self) {
        self.bucket.went_well();
        *self.circuit() = None;
    }

    fn circuit(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.circuit.lock().expect("nobody panics holding this")
    }

    /// Time between two frames of a card of this age, with so many cards open.
    fn pace(&self, age: Duration, open: usize) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "there are not that many cards")]
        let shared = {
            let frames_per_second = (self.settings.get().calls_per_second * 0.75).max(0.01);
            Duration::from_secs_f64((open as f64 / frames_per_second).min(3_600.0))
        };
        (PACE + age / AGEING).min(SLOWEST).max(shared)
    }
}

/// Whether repeating the call for another card would meet the same refusal.
fn is_lasting(error: &ApiError) -> bool {
    matches!(error.class, Class::Scope(_) | Class::Quota | Class::IpNotAllowed)
        || error.code.starts_with("param.template")
        || error.code == "template-key"
}

/// Gives up showing a card. `unsure`: a try was not answered, so it may be in its chat, and then it has to end. Its first
/// frame tells.
fn perhaps_shown(card: &Card, unsure: bool) {
    if unsure {
        tracing::warn!(card = card.id(), "nobody knows whether a card was shown");
        card.may_be_shown();
    }
}

impl Sender {
    /// Puts a card into its chat. Where that cannot be, it stays a text that is sent when it ends.
    pub(super) async fn show(&self, card: &Card) {
        let client = self.client.for_run(card.run());
        let mut attempt = 0;
        let mut unsure = false;
        if self.wire(card).is_none() {
            return;
        }
        // Before it is: a crash in between must not leave a card that nobody ends.
        self.note(
            "UPDATE cards SET state = 'open', shown = iif(ending IS NULL, ?2, shown) WHERE id = ?1",
            card.id().to_owned(),
            Some(card.frame(Limit::MOST).text),
        )
        .await;
        let mut limit = Limit::MOST;
        loop {
            let Some(wire) = self.wire(card) else { return perhaps_shown(card, unsure) };
            self.cards.take(Call::Frame).await;
            let text = card.frame(limit).text;
            match client.create_and_deliver(&wire, card.to(), &text, card.lang()).await {
                Ok(()) => break,
                // A repeated creation of a card that did get through the first time.
                Err(error) if error.code == "param.cardAlreadyExist" => break,
                Err(error) => {
                    self.pause_after(&error);
                    unsure |= error.was_not_answered();
                    match limit.halved().filter(|_| error.class == Class::TooLarge) {
                        Some(less) => limit = less,
                        None if error.is_transient() && attempt < 3 => {
                            attempt += 1;
                            tokio::time::sleep(self.outbox.timing.wait(attempt, &error)).await;
                        }
                        None => {
                            if !error.was_not_answered() {
                                self.refused(&error).await;
                            }
                            return perhaps_shown(card, unsure);
                        }
                    }
                }
            }
        }
        self.cards.works();
        card.shown();
    }

    /// Throttling is everybody's.
    fn pause_after(&self, error: &ApiError) {
        if error.class == Class::Throttled {
            self.cards.bucket.was_throttled(error.retry_after);
        }
    }

    async fn refused(&self, error: &ApiError) {
        let hint = error.hint();
        tracing::error!(%error, hint, "DingTalk refused a card; its text is sent as Markdown");
        if is_lasting(error) {
            self.cards.broke();
        }
        // What the month has no room for is told by the ledger.
        if is_lasting(error) && error.class != Class::Quota {
            self.outbox.tell_refused(error).await;
        }
    }

    /// Follows a card until its end was accepted.
    pub(super) async fn stream(self, card: Card) {
        let this = self.for_run(card.run());
        this.follow(&card).await;
    }

    async fn follow(&self, card: &Card) {
        let wire = self.template().map(|template| self.wire_with(card, template));
        let shown = match wire {
            Ok(wire) if card.is_shown() => {
                let limit = self.stream_frames(card, &wire).await;
                let frame = ended(card).await;
                self.note_ending(card, &frame).await;
                self.cards.take(Call::Final).await;
                let ending = frame.ending.map_or(Phase::Failed, super::card::Ending::phase);
                let render = |most: Limit| card.frame(most.least(limit)).text;
                // Of a card that is perhaps not there nobody waits for the end: its text is said at once.
                let tries = if card.is_unsure() { 0 } else { FINAL_TRIES };
                let ended = self.end_with(&wire, render, ending, card.lang(), tries).await;
                ended.map_err(|error| (error, Some((wire, ending))))
            }
            Ok(_) => Err((not_shown(), None)),
            Err(error) => Err((error, None)),
        };
        let frame = ended(card).await;
        let attachment = self.attachment(card, &frame).await;
        let Err((error, late)) = shown else {
            self.close(card.id(), card.run(), Vec::new(), attachment).await;
            return;
        };
        let posts = said(card, &frame);
        match late.filter(|_| error.is_passing()) {
            // The answer arrives now, whatever becomes of the card.
            Some((wire, ending)) => {
                self.tell(card.id(), card.run(), posts, attachment).await;
                self.end_late(&wire, words::cards::said_below(card.lang()), ending, card.lang())
                    .await;
                self.close(card.id(), card.run(), Vec::new(), None).await;
            }
            None => self.close(card.id(), card.run(), posts, attachment).await,
        }
    }

    /// Sends frames until the card has ended, or no frame makes sense any more. Returns what fitted.
    async fn stream_frames(&self, card: &Card, wire: &dingtalk::Card) -> Limit {
        let started = Instant::now();
        let mut version = card.subscribe();
        // It was created with the first text, but a card that was never streamed looks as if it still thought.
        let mut sent = None;
        let mut next = started + self.cards.pace(Duration::ZERO, self.outbox.open_cards());
        let mut typing = false;
        let mut failures = 0;
        let mut limit = Limit::MOST;
        while card.is_open() {
            // The next change, then the pace; the end of the card cuts both short.
            while card.is_open() && sent == Some(*version.borrow_and_update()) {
                if version.changed().await.is_err() {
                    return limit;
                }
            }
            while card.is_open() && Instant::now() < next {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    changed = version.changed() => if changed.is_err() { return limit },
                }
            }
            tokio::select! {
                biased;
                () = ended_soon(card) => return limit,
                () = self.cards.take(Call::Frame) => {}
            }
            // Waiting for its turn, the text has moved on.
            let frame = card.frame(limit);
            if !self.outbox.ledger.may_stream() {
                // What is left of the month is for answers: only its end is shown.
                sent = Some(frame.version);
                continue;
            }
            if !typing && wire.needs_beginning() {
                // Repeated until it was heard.
                typing = self.client.begin_card(wire, &frame.text).await.is_ok();
                self.cards.take(Call::Frame).await;
            }
            let text = frame.text.trim_end_matches('\n').to_owned();
            let guid = Uuid::new_v4().to_string();
            match self.client.stream_card(wire, &guid, &text, Phase::Typing).await {
                Ok(()) => {
                    self.cards.works();
                    card.shown();
                    failures = 0;
                    sent = Some(frame.version);
                    self.note(
                        "UPDATE cards SET shown = ?2 WHERE id = ?1 AND ending IS NULL",
                        card.id().to_owned(),
                        Some(text),
                    )
                    .await;
                    let pace = self.cards.pace(started.elapsed(), self.outbox.open_cards());
                    next = Instant::now() + pace;
                }
                Err(error) => {
                    // A frame is one of many: the next one says the same and more. Only the last one must arrive.
                    failures += 1;
                    tracing::warn!(%error, failures, "a frame of a card was not taken");
                    self.pause_after(&error);
                    next = Instant::now() + self.outbox.timing.wait(failures, &error).max(PACE);
                    match limit.halved().filter(|_| error.class == Class::TooLarge) {
                        Some(less) => {
                            limit = less;
                            next = Instant::now() + PACE;
                        }
                        None if is_lasting(&error) => {
                            self.refused(&error).await;
                            return limit;
                        }
                        None if error.class == Class::Gone => return limit,
                        None if !error.is_transient() => sent = Some(frame.version),
                        None => {}
                    }
                }
            }
        }
        limit
    }

    /// Ends a card of an earlier process.
    pub(super) async fn end_on_the_wire(
        &self,
        wire: &dingtalk::Card,
        text: &str,
        phase: Phase,
        lang: Lang,
        tries: u32,
    ) -> Result<(), ApiError> {
        let note = |lines| words::cards::above(lines, lang);
        let render = |limit| fit("", &Above::default(), text, limit, note).text;
        self.end_with(wire, render, phase, lang, tries).await
    }

    /// Sets the end state with the last text, until it is accepted; then the Stop button goes.
    async fn end_with(
        &self,
        wire: &dingtalk::Card,
        render: impl Fn(Limit) -> String,
        phase: Phase,
        lang: Lang,
        tries: u32,
    ) -> Result<(), ApiError> {
        let mut limit = Limit::MOST;
        let mut text = render(limit);
        let mut guid = Uuid::new_v4().to_string();
        let mut unsaid = None;
        let mut attempt = 0;
        loop {
            let Err(error) = self.end_once(wire, &guid, &text, phase).await else { break };
            self.pause_after(&error);
            match limit.halved().filter(|_| error.class == Class::TooLarge) {
                Some(less) => {
                    limit = less;
                    text = render(limit);
                    guid = Uuid::new_v4().to_string();
                }
                // The card ends all the same, and a message says what it could not.
                None if unsaid.is_none()
                    && matches!(error.class, Class::Rejected | Class::TooLarge) =>
                {
                    tracing::warn!(%error, "the text of a card was refused; a message says it");
                    unsaid = Some(error);
                    words::cards::refused(lang).clone_into(&mut text);
                    guid = Uuid::new_v4().to_string();
                }
                None if error.is_transient() && attempt < tries => {
                    attempt += 1;
                    tracing::warn!(%error, attempt, "the final frame of a card was not taken; trying again");
                    tokio::time::sleep(self.outbox.timing.wait(attempt, &error)).await;
                }
                None if error.is_passing() => {
                    tracing::warn!(%error, card = wire.id, "a card cannot be ended yet; it is tried again");
                    if is_lasting(&error) {
                        self.cards.broke();
                    }
                    return Err(error);
                }
                None => {
                    self.refused(&error).await;
                    return Err(error);
                }
            }
            self.cards.take(Call::Final).await;
        }
        self.cards.works();
        self.hide_button(wire).await;
        unsaid.map_or(Ok(()), Err)
    }

    async fn end_once(
        &self,
        wire: &dingtalk::Card,
        guid: &str,
        text: &str,
        phase: Phase,
    ) -> Result<(), ApiError> {
        self.client.stream_card(wire, guid, text, phase).await?;
        if wire.needs_beginning() {
            self.cards.take(Call::Final).await;
        }
        self.client.end_card(wire, text, phase).await
    }

    /// Takes the buttons off a card that has ended, where the end itself did not.
    pub(super) async fn hide_button(&self, wire: &dingtalk::Card) {
        if (!wire.stop || wire.needs_beginning()) && wire.places == 0 {
            return;
        }
        for attempt in 1..=BUTTON_TRIES {
            self.cards.take(Call::Final).await;
            match self.client.hide_buttons(wire).await {
                Ok(()) => return,
                Err(error) => {
                    self.pause_after(&error);
                    if !error.is_transient() || attempt == BUTTON_TRIES {
                        tracing::warn!(%error, "the buttons of a card that has ended stay");
                        return;
                    }
                    tokio::time::sleep(self.outbox.timing.wait(attempt, &error)).await;
                }
            }
        }
    }

    /// The file with its whole output, if it is to be sent; else what was kept of it goes.
    async fn attachment(&self, card: &Card, frame: &Frame) -> Option<Attachment> {
        if card.wants_file(frame.above) && card.complete_file().await.is_some() {
            let to = card.to().clone();
            return Some(Attachment::new(card.id(), to, card.title(), card.run(), card.lang()));
        }
        card.forget_file().await;
        None
    }

    /// How it ended, before that is tried: a host that dies meanwhile must not call it interrupted.
    async fn note_ending(&self, card: &Card, frame: &Frame) {
        let Some(ending) = frame.ending else { return };
        let (id, text, attach) =
            (card.id().to_owned(), frame.text.clone(), card.wants_file(frame.above));
        let note = move |c: &Connection| {
            c.prepare_cached(
                "UPDATE cards SET shown = ?2, ending = ?3, attach = ?4 WHERE id = ?1 AND state <> 'closed'",
            )?
            .execute(params![id, text, ending.as_str(), attach])
        };
        if let Err(error) = self.outbox.store.write_one(note, |_| ()).await {
            tracing::error!(%error, "the end of a card could not be noted");
        }
    }

    /// Says the text of a card as a message, with its file, and notes that: the card itself has still to end.
    pub(super) async fn tell(
        &self,
        id: &str,
        run: &str,
        posts: Vec<Post>,
        attachment: Option<Attachment>,
    ) {
        let told = "UPDATE cards SET told = 1, attach = 0 WHERE id = ?1";
        if let Err(error) = self.say_of(told, id, run, posts, attachment).await {
            tracing::error!(%error, "the text of a card could not be queued");
        }
    }

    /// The card has its end: in one step with what is said in its place, and its file.
    pub(super) async fn close(
        &self,
        id: &str,
        run: &str,
        posts: Vec<Post>,
        attachment: Option<Attachment>,
    ) {
        let closed = "UPDATE cards SET state = 'closed' WHERE id = ?1";
        if let Err(error) = self.say_of(closed, id, run, posts, attachment).await {
            tracing::error!(%error, "the end of a card could not be noted; it is ended again after the next start");
        }
        self.outbox.cards().remove(id);
    }

    /// Notes something of the card `id`, in one step with what is said in its place, and its file.
    async fn say_of(
        &self,
        note: &'static str,
        id: &str,
        run: &str,
        posts: Vec<Post>,
        attachment: Option<Attachment>,
    ) -> Result<(), Error> {
        let (card, run, outbox) = (id.to_owned(), run.to_owned(), self.outbox.clone());
        let write = move |c: &Connection| {
            c.execute(note, [&card])?;
            let mut posted = insert(c, &run, &posts)?;
            if let Some(attachment) = attachment {
                let chat = attachment.to().conversation_id.clone();
                posted.add(c, &run, &chat, Item::Attachment(attachment))?;
            }
            Ok(posted)
        };
        self.outbox.store.write_then(write, move |posted| outbox.posted(posted)).await
    }

    fn wire(&self, card: &Card) -> Option<dingtalk::Card> {
        let template = self.cards.usable().filter(|_| self.outbox.ledger.may_stream())?;
        Some(self.wire_with(card, template))
    }

    /// A card that was shown is streamed even while new ones are not tried.
    pub(super) fn template(&self) -> Result<&Template, ApiError> {
        let why = "`dingtalk.card_template` is not set";
        let none = || ApiError::local("card", Class::Gone, "no-template", why);
        self.cards.template.as_ref().ok_or_else(none)
    }

    async fn note(&self, sql: &'static str, id: String, text: Option<String>) {
        let note = move |c: &Connection| {
            let mut statement = c.prepare_cached(sql)?;
            match text {
                Some(text) => statement.execute(params![id, text]),
                None => statement.execute(params![id]),
            }
        };
        let written = self.outbox.store.write_one(note, |_| ()).await;
        if let Err(error) = written {
            tracing::error!(%error, "the state of a card could not be noted");
        }
    }
}

/// The text of a card as a message. Of a question, which was said as one before, only how it ended.
fn said(card: &Card, frame: &Frame) -> Vec<Post> {
    let text = if card.asks().is_some() { card.conclusion() } else { frame.text.clone() };
    if text.trim().is_empty() {
        return Vec::new();
    }
    let body = Body::Markdown { title: card.title().to_owned(), text };
    vec![Post::Reply(Reply { to: card.to().clone(), body, at: Vec::new() })]
}

/// Waits for the end of a card.
async fn ended(card: &Card) -> Frame {
    ended_soon(card).await;
    card.frame(Limit::MOST)
}

async fn ended_soon(card: &Card) {
    let mut version = card.subscribe();
    while card.is_open() {
        if version.changed().await.is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_slows_down_with_its_age_and_with_the_number_of_cards() {
        let cards = Cards::new(None, CardSettings::default().into());
        let pace = |age, open| cards.pace(Duration::from_secs(age), open).as_millis();
        assert_eq!([pace(0, 1), pace(30, 1), pace(600, 1)], [800, 2_300, 10_000]);
        assert_eq!([pace(0, 12), pace(0, 15), pace(0, 150)], [800, 1_000, 10_000]);
        // As many frames as all together may send.
        assert_eq!(pace(0, 1_500), 100_000);
    }
}
