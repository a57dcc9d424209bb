//! Answers to questions by a button of their card, or by `yes 4821` and `no 4821`.
//!
//! What came in is a key. Whether it counts is decided here, from what is kept on this side: it is the card that has the
//! button, the chat where it was asked, in time, the version of the script that asked, and somebody who may. Each try to
//! decide an approval is one record of the audit, whatever came of it; whoever tried in vain is told why.

use super::clicks::direct;
use super::dispatch::Dispatch;
use super::outcome::Outcome;
use super::phrases;
use super::verdicts;
use crate::access::Action;
use crate::access::Actor;
use crate::access::Denied;
use crate::asks;
use crate::asks::Answer;
use crate::asks::Found;
use crate::asks::Kind;
use crate::asks::Past;
use crate::asks::Waiting;
use crate::budget;
use crate::inbox::Row;
use crate::inbox::State;
use crate::message::CardAction;
use crate::message::ConversationId;
use crate::message::Message;
use crate::message::Person;
use crate::message::StaffId;
use crate::words::Lang;

/// Why an answer does not count.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The button is on another card than the one that asked: a copy.
    Copied,
    /// The card asks something, and this is no button of it.
    NoButton,
    /// It was asked in another chat.
    Elsewhere,
    Expired,
    /// The script is not the one any more that asked.
    Changed,
    Denied(Denied),
    /// It was decided before.
    Over(Past),
    /// Somebody was a moment faster, or its run has just ended.
    TooLate,
    NotWritten,
}

impl Refusal {
    /// The word of the audit.
    fn code(&self) -> &'static str {
        match self {
            Self::Copied => "copied_card",
            Self::NoButton => "unknown_button",
            Self::Elsewhere => "other_chat",
            Self::Expired => "expired",
            Self::Changed => "changed",
            Self::Denied(why) => why.code(),
            Self::Over(_) => "replayed",
            Self::TooLate => "too_late",
            Self::NotWritten => "not_written",
        }
    }
}

impl Dispatch {
    /// Takes a click on a button that answers a question, or on a card that asks one; `None`: it is on no such card.
    pub(super) async fn answer_click(
        &self,
        row: &Row,
        action: &CardAction,
        person: &Person,
        actor: &Actor,
        may: Result<(), &Denied>,
    ) -> Option<Outcome> {
        let mut found = match asks::key(action) {
            Some(key) => self.asks.by_action(key).await,
            None => Found::Nothing,
        };
        if matches!(found, Found::Nothing) {
            found = self.asks.by_card(&action.card_id).await;
        }
        let (run, digest, lang, tried) = match found {
            Found::Nothing => return None,
            Found::Elsewhere(Waiting { ask, .. }) => {
                (ask.run, ask.digest, ask.lang, Err(Refusal::NoButton))
            }
            Found::Over(past) => {
                (past.run.clone(), past.digest.clone(), past.lang, Err(Refusal::Over(past)))
            }
            Found::Waits(waiting, index) => {
                let (run, digest) = (waiting.ask.run.clone(), waiting.ask.digest.clone());
                let tried = self.click(row, action, &waiting, index, (actor, may)).await;
                (run, digest, waiting.ask.lang, tried)
            }
        };
        let mut outcome = Outcome::new(State::Done);
        outcome.served.handler = Some("answer".to_owned());
        let chat = action.conversation_id.as_ref().map(ConversationId::as_str);
        let Err(refusal) = tried else { return Some(outcome) };
        self.access.decided(actor, chat, &run, &digest, ("deny", refusal.code()));
        tracing::warn!(
            run = row.run,
            asked_by = run,
            why = refusal.code(),
            "a click answers nothing"
        );
        let text = verdicts::no_answer(&refusal, lang);
        match may {
            // A stranger hears of it once an hour, as of everything.
            Err(why) => {
                if self.access.may_tell(person).await {
                    outcome.posts.extend(direct(action, phrases::denied("", why, lang)));
                }
            }
            Ok(()) => outcome.posts.extend(self.once(action, text).await),
        }
        Some(outcome.denied(&refusal.code()))
    }

    async fn click(
        &self,
        row: &Row,
        action: &CardAction,
        waiting: &Waiting,
        index: usize,
        (actor, may): (&Actor, Result<(), &Denied>),
    ) -> Result<(), Refusal> {
        if let Err(why) = may {
            return Err(Refusal::Denied(why.clone()));
        }
        if waiting.card.as_ref() != Some(&action.card_id) {
            return Err(Refusal::Copied);
        }
        if !waiting.ask.place.is_of(action.conversation_id.as_ref(), actor.id()) {
            // In a direct chat it is somebody else's.
            self.may_decide(waiting, actor).map_err(Refusal::Denied)?;
            return Err(Refusal::Elsewhere);
        }
        let name = self.name_of(actor.id()).await;
        let chat = action.conversation_id.as_ref().map(ConversationId::as_str);
        self.decide(row, waiting, index, (actor, name), chat).await
    }

    /// Takes `yes 4821` or `no 4821`; `None`: no approval has this number.
    pub(super) async fn answer_code(
        &self,
        row: &Row,
        message: &Message,
        actor: &Actor,
        (code, yes): (&str, bool),
        lang: Lang,
    ) -> Option<String> {
        let chat = message.chat.id.as_str();
        let refused = |run: &str, digest: &str, refusal: &Refusal| {
            self.access.decided(actor, Some(chat), run, digest, ("deny", refusal.code()));
            verdicts::no_answer(refusal, lang)
        };
        let index = usize::from(!yes);
        let waiting = match self.asks.by_code(code, &message.chat, actor.id()).await {
            Found::Nothing => return None,
            Found::Over(past) => {
                let (run, digest) = (past.run.clone(), past.digest.clone());
                return Some(refused(&run, &digest, &Refusal::Over(past)));
            }
            Found::Elsewhere(waiting) => {
                return Some(refused(&waiting.ask.run, &waiting.ask.digest, &Refusal::Elsewhere));
            }
            Found::Waits(waiting, _) => waiting,
        };
        let name = message.sender.nick.clone();
        Some(match self.decide(row, &waiting, index, (actor, name), Some(chat)).await {
            Ok(()) => verdicts::decided(yes, lang),
            Err(refusal) => refused(&waiting.ask.run, &waiting.ask.digest, &refusal),
        })
    }

    async fn decide(
        &self,
        row: &Row,
        waiting: &Waiting,
        index: usize,
        (actor, name): (&Actor, String),
        chat: Option<&str>,
    ) -> Result<(), Refusal> {
        let now_ms = self.library.clock().now_ms();
        let ask = &waiting.ask;
        self.may_decide(waiting, actor).map_err(Refusal::Denied)?;
        if now_ms >= ask.until_ms {
            return Err(Refusal::Expired);
        }
        let approves = ask.kind == Kind::Approve;
        if approves && self.was_changed(&ask.run) {
            let ended = self.asks.decide(&waiting.id, Answer::Changed, now_ms).await;
            if let Err(error) = ended {
                tracing::error!(%error, "the end of an approval cannot be noted");
            }
            return Err(Refusal::Changed);
        }
        if !approves {
            let answer = Action::Answer { run: &row.run };
            self.access.authorize(actor, None, None, answer).map_err(Refusal::Denied)?;
        }
        let answer = Answer::Choice { index, by: actor.id().clone(), name };
        match self.asks.decide(&waiting.id, answer, now_ms).await {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::TooLate),
            Err(error) => {
                tracing::error!(%error, "an answer cannot be kept, so it does not count");
                return Err(Refusal::NotWritten);
            }
        }
        if approves {
            let verdict = if index == 0 { "allow" } else { "refuse" };
            self.access.decided(actor, chat, &ask.run, &ask.digest, (verdict, ""));
            tracing::info!(run = ask.run, person = %actor.id(), verdict, "an approval was decided");
        }
        Ok(())
    }

    /// Whether it is for this person to decide, by the rights of this moment.
    fn may_decide(&self, waiting: &Waiting, actor: &Actor) -> Result<(), Denied> {
        let ask = &waiting.ask;
        let action = Action::Approve { asker: &ask.asker, approvers: ask.approvers.as_deref() };
        self.access.authorize(actor, None, None, action)
    }

    /// Whether the script of a run was saved anew since the run began.
    fn was_changed(&self, run: &str) -> bool {
        let entries = self.running.list();
        let Some(entry) = entries.iter().find(|entry| entry.run.id() == run) else { return true };
        let snapshot = self.library.snapshot();
        let mut scripts = snapshot.scripts().iter();
        let script =
            scripts.find(|one| Some(one.script.as_str()) == entry.served.script.as_deref());
        script.and_then(|one| one.serving).map(|serving| serving.number) != entry.served.version
    }

    /// What a person called themselves last; empty, if that is not known.
    async fn name_of(&self, person: &StaffId) -> String {
        let id = person.to_string();
        self.store.read(move |c| budget::name_of(c, &id)).await.ok().flatten().unwrap_or_default()
    }
}
