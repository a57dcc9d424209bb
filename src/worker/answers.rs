//! What the host answers itself: help, wrong arguments, that there is nothing of the kind, and who is not served.

use super::decision::Verdict;
use super::dispatch::Dispatch;
use super::gate;
use super::outcome::{Outcome, say};
use super::phrases;
use crate::access;
use crate::access::ADMIN;
use crate::access::Action;
use crate::access::Actor;
use crate::access::Denied;
use crate::access::Door;
use crate::inbox::Row;
use crate::inbox::State;
use crate::message::Message;
use crate::router::Routes;
use crate::script::Target;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

impl Dispatch {
    /// What the host answers itself, recorded as what it is.
    pub(super) fn answered(
        &self,
        row: &Row,
        message: &Message,
        actor: &Actor,
        routes: &Routes<Target>,
        verdict: &Verdict<'_>,
        lang: Lang,
    ) -> Outcome {
        let chat = Some(&message.chat);
        let mut text =
            verdict.answer(&self.access, routes, actor, &message.chat, lang).unwrap_or_default();
        if let Verdict::NotForYou { handler, .. } = verdict {
            let name = gate::name_of(handler);
            let asked = access::Handler { name: &name, terms: &handler.terms };
            let action = Action::Run { run: &row.run };
            // It was found out while choosing; here it is the decision.
            if let Err(why) = self.access.authorize(actor, chat, Some(asked), action) {
                tracing::warn!(run = row.run, handler = handler.title(), %why, "refused a command");
                return Outcome::saying(message, text).by(handler).denied(&why);
            }
        }
        let word = match verdict {
            Verdict::Help { .. } => "help",
            Verdict::BadArguments { .. } => "arguments",
            _ => "unknown",
        };
        let action = Action::Control { word, role: None, run: &row.run };
        if let Err(why) = self.access.authorize(actor, chat, None, action) {
            return Outcome::new(State::Done).denied(&why);
        }
        if matches!(verdict, Verdict::Help { topic: None }) {
            if actor.has(Some(ADMIN)) {
                text = format!("{text}\n{}", words::timers::help(lang));
            }
            if actor.is_owner() {
                text = format!("{text}\n{}", words::access::rights_help(lang));
            }
        }
        let outcome = Outcome::saying(message, text);
        match verdict.handler() {
            Some(handler) => outcome.by(handler),
            None => outcome,
        }
    }

    /// A message that came too late to be acted on.
    pub(super) async fn late(&self, row: &Row, message: &Message) -> Outcome {
        let lang = self.languages.hear(&message.sender, &message.text);
        let chat = Some(&message.chat);
        let actor = self.access.actor(&message.sender, chat, Door::Message);
        let speak = Action::Speak { run: &row.run };
        if let Err(why) = self.access.authorize(&actor, chat, None, speak) {
            return self.refuse(row, message, &why, lang).await;
        }
        self.access.refused(&message.sender, &message.chat, &row.run, "late");
        let minutes = (now_ms() - message.sent_at_ms).max(0) / 60_000;
        tracing::warn!(run = row.run, minutes, "a message came late and is not run");
        let mut outcome = Outcome::new(State::Cancelled);
        outcome.error = Some(format!("late: it came {minutes} min after it was sent"));
        if self.late.may_tell(&message.lane()) {
            let sent_at = chrono::DateTime::from_timestamp_millis(message.sent_at_ms)
                .unwrap_or_default()
                .with_timezone(&chrono::Local)
                .format("%m-%d %H:%M")
                .to_string();
            let ago = words::runs::ago(minutes, lang);
            let text =
                words::runs::late(&row.run, &phrases::quoted(&message.text), &sent_at, &ago, lang);
            outcome.posts.push(say(message, text));
        }
        outcome
    }

    pub(super) async fn refuse(
        &self,
        row: &Row,
        message: &Message,
        why: &Denied,
        lang: Lang,
    ) -> Outcome {
        tracing::warn!(run = row.run, %why, "refused a message");
        let mut outcome = Outcome::new(State::Done).denied(why);
        if self.access.may_tell(&message.sender).await {
            outcome.posts.push(say(message, phrases::denied("", why, lang)));
        }
        outcome
    }
}
