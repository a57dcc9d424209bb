//! Streams cards: shows them, sends the newest text at a pace that DingTalk bears, and always ends them.

use std::sync::Mutex;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::params;
use tokio::time::Instant;
use uuid::Uuid;

use super::Post;
use super::card::{Card, Ending, Frame};
use super::deliver::{Sender, Template, wait_before};
use super::rate::{Bucket, Call};
use crate::dingtalk;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Phase;
use crate::dingtalk::markdown;
use crate::message::Body;
use crate::message::Reply;

/// Least time between two frames of a card; clients flicker below it.
const PACE: Duration = Duration::from_millis(800);

/// Frames per second of all cards together.
const FRAMES_PER_SECOND: u32 = 15;

/// Tries for a final frame before its text goes out as Markdown: about two minutes.
const FINAL_TRIES: u32 = 8;

/// How long cards are not tried after DingTalk refused them for a reason that repeating does not mend.
const CIRCUIT: Duration = Duration::from_mins(30);

const INTERRUPTED: &str = "⚠️ 已中断（moonbell 重新启动） · interrupted: moonbell was restarted";

/// What all cards share.
#[derive(Debug)]
pub(super) struct Cards {
    template: Option<Template>,
    bucket: Bucket,
    broken_until: Mutex<Option<Instant>>,
}

impl Cards {
    pub(super) fn new(template: Option<Template>, calls_per_second: f64) -> Self {
        Self { template, bucket: Bucket::new(calls_per_second), broken_until: Mutex::default() }
    }

    fn usable(&self) -> Option<&Template> {
        let broken = *self.broken_until.lock().expect("nobody panics holding this");
        self.template.as_ref().filter(|_| broken.is_none_or(|until| Instant::now() >= until))
    }

    fn broken(&self) {
        *self.broken_until.lock().expect("nobody panics holding this") =
            Some(Instant::now() + CIRCUIT);
    }
}

/// A card that had not been closed when the host died.
#[derive(Debug)]
pub(super) struct CutShort {
    id: String,
    shown: String,
    /// `None`: its run was cut short, and nobody knows how it would have ended.
    ending: Option<Ending>,
    /// Whether it may be in its chat.
    open: bool,
    address: String,
    title: String,
    run: String,
}

/// How a card ended and what it says last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    id: String,
    text: String,
    ending: Ending,
}

pub(super) fn ended_as(card: &Card) -> Option<Ended> {
    let frame = card.frame();
    let ending = frame.ending?;
    Some(Ended { id: card.id().to_owned(), text: headed(card, &frame.text), ending })
}

/// Writes how cards ended, inside the transaction that ends their run: the last text of a card is an answer like any
/// other, and outlives a crash before its final frame was accepted.
pub fn insert_endings(c: &Connection, ended: &[Ended]) -> rusqlite::Result<()> {
    for card in ended {
        c.prepare_cached(
            "UPDATE cards SET shown = ?2, ending = ?3 WHERE id = ?1 AND state <> 'closed'",
        )?
        .execute(params![card.id, card.text, card.ending.as_str()])?;
    }
    Ok(())
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }

    fn phase(self) -> Phase {
        match self {
            Self::Finished => Phase::Done,
            Self::Failed => Phase::Failed,
        }
    }
}

impl Sender {
    /// Puts a card into its chat. Where that cannot be, it stays a text that is sent when it ends.
    pub(super) async fn show(&self, card: &Card) {
        let client = self.client.for_run(card.run());
        let mut attempt = 0;
        if self.wire(card.id()).is_none() {
            return;
        }
        // Before it is: a crash in between must not leave a card that nobody ends.
        self.note(
            "UPDATE cards SET state = 'open', shown = iif(ending IS NULL, ?2, shown) WHERE id = ?1",
            card.id().to_owned(),
            Some(headed(card, &card.frame().text)),
        )
        .await;
        loop {
            let Some(wire) = self.wire(card.id()) else { return };
            self.cards.bucket.take(Call::Frame).await;
            let text = headed(card, &card.frame().text);
            match client.create_and_deliver(&wire, card.to(), &text).await {
                Ok(()) => break,
                // A repeated creation of a card that did get through the first time.
                Err(error) if error.code == "param.cardAlreadyExist" => break,
                Err(error) if error.is_transient() && attempt < 3 => {
                    attempt += 1;
                    tokio::time::sleep(wait_before(attempt, &error)).await;
                }
                Err(error) => {
                    self.refused(&error);
                    return;
                }
            }
        }
        card.shown();
    }

    fn refused(&self, error: &ApiError) {
        let hint = error.hint();
        tracing::error!(%error, hint, "DingTalk refused a card; its text is sent as Markdown");
        if matches!(error.class, Class::Scope(_) | Class::Quota)
            || error.code.starts_with("param.template")
        {
            self.cards.broken();
        }
    }

    /// Follows a card until its end was accepted.
    pub(super) async fn stream(self, card: Card) {
        if card.is_shown() && self.stream_frames(&card).await.is_ok() {
            self.close(&card).await;
            return;
        }
        let frame = ended(&card).await;
        self.send_as_markdown(&card, &frame).await;
        self.close(&card).await;
    }

    async fn stream_frames(&self, card: &Card) -> Result<(), ApiError> {
        let wire = self.wire_of(card.id())?;
        let client = self.client.for_run(card.run());
        let started = Instant::now();
        let mut version = card.subscribe();
        let mut next = Instant::now();
        let mut sent = None;
        let mut typing = false;
        let mut failures = 0;
        loop {
            // The next change, then the pace, which the end of the card cuts short.
            while sent == Some(*version.borrow_and_update()) {
                if version.changed().await.is_err() {
                    break;
                }
            }
            while card.is_open() && Instant::now() < next {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    changed = version.changed() => if changed.is_err() { break },
                }
            }
            let mut frame = card.frame();
            let call = if frame.ending.is_some() { Call::Final } else { Call::Frame };
            if call == Call::Frame && !self.outbox.ledger.may_stream() {
                // What is left of the month is for answers: only its end is shown.
                sent = Some(frame.version);
                continue;
            }
            self.cards.bucket.take(call).await;
            if call == Call::Frame {
                // Waiting for the bucket, the text has moved on.
                frame = card.frame();
            }
            if !typing {
                // Family B must be told before its first frame; repeated until it was heard.
                typing = client.begin_card(&wire, &headed(card, &frame.text)).await.is_ok();
            }
            if let Some(ending) = frame.ending {
                return self.finish(card, &wire, &frame, ending).await;
            }
            let text = headed(card, frame.text.trim_end_matches('\n'));
            let guid = Uuid::new_v4().to_string();
            match client.stream_card(&wire, &guid, &text, Phase::Typing).await {
                Ok(()) => {
                    failures = 0;
                    sent = Some(frame.version);
                    self.note(
                        "UPDATE cards SET shown = ?2 WHERE id = ?1 AND ending IS NULL",
                        card.id().to_owned(),
                        Some(text),
                    )
                    .await;
                    next = Instant::now() + self.pace(started.elapsed());
                }
                Err(error) => {
                    // A frame is one of many: the next one says the same and more. Only the last one must arrive.
                    failures += 1;
                    tracing::warn!(%error, failures, "a frame of a card was not taken");
                    if !error.is_transient() {
                        sent = Some(frame.version);
                    }
                    next = Instant::now() + wait_before(failures, &error).max(PACE);
                }
            }
        }
    }

    async fn finish(
        &self,
        card: &Card,
        wire: &dingtalk::Card,
        frame: &Frame,
        ending: Ending,
    ) -> Result<(), ApiError> {
        let text = headed(card, &frame.text);
        self.finish_with_retries(card.run(), wire, &text, ending.phase()).await
    }

    async fn finish_with_retries(
        &self,
        run: &str,
        wire: &dingtalk::Card,
        text: &str,
        phase: Phase,
    ) -> Result<(), ApiError> {
        let client = self.client.for_run(run);
        let guid = Uuid::new_v4().to_string();
        let mut attempt = 0;
        loop {
            match client.finish_card(wire, &guid, text, phase).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() && attempt < FINAL_TRIES => {
                    attempt += 1;
                    tracing::warn!(%error, attempt, "the final frame of a card was not taken; trying again");
                    tokio::time::sleep(wait_before(attempt, &error)).await;
                    self.cards.bucket.take(Call::Final).await;
                }
                Err(error) => {
                    self.refused(&error);
                    return Err(error);
                }
            }
        }
    }

    /// The pace of one card: slower with many cards, and with time.
    fn pace(&self, age: Duration) -> Duration {
        let open = u32::try_from(self.outbox.open_cards()).unwrap_or(u32::MAX);
        let shared = Duration::from_secs(1).saturating_mul(open) / FRAMES_PER_SECOND;
        let aged = match age.as_secs() {
            0..30 => PACE,
            30..120 => PACE * 2,
            120..600 => PACE * 4,
            _ => PACE * 8,
        };
        aged.max(shared)
    }

    async fn send_as_markdown(&self, card: &Card, frame: &Frame) {
        if frame.text.trim().is_empty() {
            return;
        }
        let body =
            Body::Markdown { title: card.title().to_owned(), text: headed(card, &frame.text) };
        let reply = Reply { to: card.to().clone(), body, at: Vec::new() };
        if let Err(error) = self.outbox.post(card.run(), vec![Post::Reply(reply)]).await {
            tracing::error!(%error, "the text of a card could not be queued");
        }
    }

    async fn close(&self, card: &Card) {
        self.note("UPDATE cards SET state = 'closed' WHERE id = ?1", card.id().to_owned(), None)
            .await;
        self.outbox.cards().remove(card.id());
    }

    /// Cards of an earlier process that never ended.
    pub(super) async fn cut_short(&self) -> Vec<CutShort> {
        let found = self
            .outbox
            .store
            .write(|c| {
                // What never reached its chat needs no end, unless its run has ended: then it is an answer.
                c.execute("UPDATE cards SET state = 'closed' WHERE state = 'new' AND ending IS NULL", [])?;
                c.prepare(
                    "SELECT id, shown, ending, state, address, title, run FROM cards WHERE state <> 'closed'
                     ORDER BY created_at_ms",
                )?
                .query_map([], |row| {
                    let ending: Option<String> = row.get(2)?;
                    Ok(CutShort {
                        id: row.get(0)?,
                        shown: row.get(1)?,
                        ending: ending.map(|ending| match ending.as_str() {
                            "finished" => Ending::Finished,
                            _ => Ending::Failed,
                        }),
                        open: row.get::<_, String>(3)? == "open",
                        address: row.get(4)?,
                        title: row.get(5)?,
                        run: row.get(6)?,
                    })
                })?
                .collect()
            })
            .await;
        found.unwrap_or_else(|error| {
            tracing::error!(%error, "cards that were cut short cannot be looked up");
            Vec::new()
        })
    }

    pub(super) async fn end_cut_short(self, card: CutShort) {
        let (text, phase) = match card.ending {
            Some(ending) => (card.shown.clone(), ending.phase()),
            None => {
                let text = format!("{}\n\n{INTERRUPTED}", card.shown);
                (text.trim_start().to_owned(), Phase::Failed)
            }
        };
        let finished = match self.wire_of(&card.id) {
            Ok(wire) if card.open => {
                self.cards.bucket.take(Call::Final).await;
                self.finish_with_retries(&card.run, &wire, &text, phase).await
            }
            Ok(_) => Err(ApiError::local("card", Class::Gone, "not-shown", "it was never shown")),
            Err(no_template) if card.ending.is_none() => {
                tracing::warn!(error = %no_template, "a card that was cut short cannot be ended");
                return;
            }
            Err(no_template) => Err(no_template),
        };
        if let Err(error) = finished {
            if card.ending.is_none() && error.is_transient() {
                // Tried again after the next start. A refusal that repeating does not mend is an end: the card is gone.
                return;
            }
            // What the run said last is an answer: where the card cannot show it, a message does.
            if card.ending.is_some() && !card.shown.trim().is_empty() {
                let Ok(to) = serde_json::from_str(&card.address) else { return };
                let body = Body::Markdown { title: card.title, text };
                let reply = Reply { to, body, at: Vec::new() };
                if let Err(error) = self.outbox.post(&card.run, vec![Post::Reply(reply)]).await {
                    tracing::error!(%error, "the text of a card could not be queued; it is tried again after the next start");
                    return;
                }
            }
        }
        self.note("UPDATE cards SET state = 'closed' WHERE id = ?1", card.id, None).await;
    }

    fn wire(&self, id: &str) -> Option<dingtalk::Card> {
        let template = self.cards.usable().filter(|_| self.outbox.ledger.may_stream())?;
        Some(dingtalk::Card {
            id: id.to_owned(),
            template: template.id.clone(),
            key: template.key.clone(),
        })
    }

    fn wire_of(&self, id: &str) -> Result<dingtalk::Card, ApiError> {
        // A card that was shown is streamed even while new ones are not tried.
        let why = "`dingtalk.card_template` is not set";
        let template = self
            .cards
            .template
            .as_ref()
            .ok_or_else(|| ApiError::local("card", Class::Gone, "no-template", why))?;
        Ok(dingtalk::Card {
            id: id.to_owned(),
            template: template.id.clone(),
            key: template.key.clone(),
        })
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

/// Waits for the end of a card that is not shown.
async fn ended(card: &Card) -> Frame {
    let mut version = card.subscribe();
    while card.is_open() {
        if version.changed().await.is_err() {
            break;
        }
    }
    card.frame()
}

/// The text of a card under its title: templates need no variable for it.
fn headed(card: &Card, text: &str) -> String {
    match card.title() {
        "" => text.to_owned(),
        // It may hold what somebody typed, and is one line.
        title => {
            format!("**{}**\n\n{text}", markdown::escape_inline(&title.replace(['\n', '\r'], " ")))
        }
    }
}
