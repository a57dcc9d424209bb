//! How cards end: with their run, and after a crash.

use rusqlite::{Connection, params};

use super::Post;
use super::attach::Attachment;
use super::card::{Card, Ending};
use super::cards::FINAL_TRIES;
use super::cut::Limit;
use super::deliver::Sender;
use super::rate::Call;
use super::spool;
use crate::config::Attach;
use crate::dingtalk;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Phase;
use crate::message::Address;
use crate::message::Body;
use crate::message::Reply;
use crate::words;
use crate::words::Lang;

/// How a card ended and what it says last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    id: String,
    text: String,
    ending: Ending,
    attach: bool,
}

pub(super) fn ended_as(card: &Card) -> Option<Ended> {
    let frame = card.frame(Limit::MOST);
    let ending = frame.ending?;
    let attach = card.wants_file(frame.above);
    Some(Ended { id: card.id().to_owned(), text: frame.text, ending, attach })
}

/// Writes how cards ended, inside the transaction that ends their run: the last text of a card is an answer like any
/// other, and outlives a crash before its final frame was accepted.
pub fn insert_endings(c: &Connection, ended: &[Ended]) -> rusqlite::Result<()> {
    for card in ended {
        c.prepare_cached(
            "UPDATE cards SET shown = ?2, ending = ?3, attach = ?4 WHERE id = ?1 AND state <> 'closed'",
        )?
        .execute(params![card.id, card.text, card.ending.as_str(), card.attach])?;
    }
    Ok(())
}

/// Writes that the run `run` of the host before, which left cards open, is run again: they end with that, and the next
/// attempt has cards of its own. Inside the transaction that decides it.
pub fn insert_repeats(c: &Connection, run: &str) -> rusqlite::Result<()> {
    let open: Vec<(String, String, String)> = c
        .prepare("SELECT id, shown, lang FROM cards WHERE run = ?1 AND state = 'open' AND ending IS NULL")?
        .query_map([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, shown, lang) in open {
        let text = format!(
            "{shown}\n\n{}",
            words::cards::repeats(Lang::from_code(&lang).unwrap_or_default())
        );
        c.execute(
            "UPDATE cards SET shown = ?2, ending = ?3 WHERE id = ?1",
            params![id, text.trim_start(), Ending::Failed.as_str()],
        )?;
    }
    Ok(())
}

impl Ending {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }

    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Finished => Phase::Done,
            Self::Failed => Phase::Failed,
        }
    }
}

pub(super) fn not_shown() -> ApiError {
    ApiError::local("card", Class::Gone, "not-shown", "it was never shown")
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
    lang: Lang,
    attach: bool,
    told: bool,
}

impl Sender {
    /// Cards of an earlier process that never ended.
    pub(super) async fn cut_short(&self) -> Vec<CutShort> {
        let found = self
            .outbox
            .store
            .write(|c| {
                // What never reached its chat needs no end, unless its run has ended: then it is an answer.
                c.execute("UPDATE cards SET state = 'closed' WHERE state = 'new' AND ending IS NULL", [])?;
                c.prepare(
                    "SELECT id, shown, ending, state, address, title, run, lang, attach, told FROM cards
                     WHERE state <> 'closed' ORDER BY created_at_ms",
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
                        lang: Lang::from_code(&row.get::<_, String>(7)?).unwrap_or_default(),
                        attach: row.get(8)?,
                        told: row.get(9)?,
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

    /// Ends a card of an earlier process, with what it showed.
    pub(super) async fn end_cut_short(self, card: CutShort) {
        let this = self.for_run(&card.run);
        this.end_cut(card).await;
    }

    async fn end_cut(&self, card: CutShort) {
        let (text, phase) = match card.ending {
            Some(ending) => (card.shown.clone(), ending.phase()),
            None => {
                let text =
                    format!("{}\n\n{}", card.shown, words::cards::restarted(&card.run, card.lang));
                (text.trim_start().to_owned(), Phase::Failed)
            }
        };
        let to: Option<Address> = serde_json::from_str(&card.address).ok();
        // What the run said last is an answer: where the card cannot show it, a message does.
        let mut answer = to
            .clone()
            .filter(|_| card.ending.is_some() && !card.told && !card.shown.trim().is_empty());
        let mut attachment = self.left_over(&card, to);
        let say = |answer: Option<Address>| {
            let body = Body::Markdown { title: card.title.clone(), text: text.clone() };
            answer.map(|to| Post::Reply(Reply { to, body, at: Vec::new() })).into_iter().collect()
        };
        let ended = match self.wire_of_another(&card.id) {
            Ok(wire) if card.open => {
                self.cards.take(Call::Final).await;
                match self.end_on_the_wire(&wire, &text, phase, card.lang, FINAL_TRIES).await {
                    Err(error) if error.is_passing() => {
                        // The answer arrives now, whatever becomes of the card.
                        let told = answer.is_some() || card.told;
                        if answer.is_some() {
                            let posts = say(answer.take());
                            self.tell(&card.id, &card.run, posts, attachment.take()).await;
                        }
                        let text = if told { words::cards::said_below(card.lang) } else { &text };
                        self.end_late(&wire, text, phase, card.lang).await;
                        Ok(())
                    }
                    ended => ended,
                }
            }
            Ok(_) => Err(not_shown()),
            Err(no_template) if card.ending.is_none() => {
                tracing::warn!(error = %no_template, "a card that was cut short cannot be ended");
                return;
            }
            Err(no_template) => Err(no_template),
        };
        // A refusal that repeating does not mend is an end, too: the card is gone.
        let posts = if ended.is_err() { say(answer) } else { Vec::new() };
        self.close(&card.id, &card.run, posts, attachment).await;
    }

    /// The file of a card of an earlier process, if it is to be sent.
    fn left_over(&self, card: &CutShort, to: Option<Address>) -> Option<Attachment> {
        // The file is there from the moment on when its output did not fit any more.
        let attach = match card.ending {
            Some(_) => card.attach,
            None => self.outbox.cards.get().attach != Attach::Never,
        };
        let file = self.outbox.spool.as_ref().map(|all| spool::file(all.dir(), &card.id));
        match (file, to) {
            (Some(file), Some(to)) if attach && file.exists() => {
                Some(Attachment::new(&card.id, to, &card.title, &card.run, card.lang))
            }
            _ => None,
        }
    }

    /// Ends a card whose end was not taken for minutes. As long as it takes: an outage ends some day, a month turns, and
    /// until then the card spins.
    pub(super) async fn end_late(
        &self,
        wire: &dingtalk::Card,
        text: &str,
        phase: Phase,
        lang: Lang,
    ) {
        let (mut wait, longest) = (self.outbox.timing.late, self.outbox.timing.late * 10);
        let mut opened = self.outbox.ledger.opened();
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(longest),
                // There are calls again; whoever remembers refusals is told at the same moment.
                Ok(()) = opened.changed() => tokio::time::sleep(self.outbox.timing.backoff).await,
            }
            self.cards.take(Call::Final).await;
            match self.end_on_the_wire(wire, text, phase, lang, 0).await {
                Err(error) if error.is_passing() => {}
                // Also where there is no card any more.
                _ => return,
            }
        }
    }
}
