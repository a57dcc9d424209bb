//! Clicks on the Stop button of a card.
//!
//! They bypass every queue, as the word `stop` does. Whoever started the run may stop it, and admins; anybody else is
//! told so, in a direct message: what happens in a group is not everybody's business.

use super::dispatch::Dispatch;
use super::outcome::Outcome;
use super::phrases;
use super::running::Entry;
use crate::access::ADMIN;
use crate::access::Action;
use crate::access::Actor;
use crate::access::Denied;
use crate::inbox;
use crate::inbox::Row;
use crate::inbox::State;
use crate::message::Address;
use crate::message::Body;
use crate::message::CardAction;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::Person;
use crate::message::Reply;
use crate::outbox::Post;
use crate::script::Declared;
use crate::words;

impl Dispatch {
    /// Stops the run of the card, if this person may; `None`: it is no card of the host's, so the scripts are asked.
    pub(super) async fn stop_click(
        &self,
        row: &Row,
        action: &CardAction,
        person: &Person,
        actor: Result<&Actor, &Denied>,
    ) -> Option<Outcome> {
        let mut outcome = Outcome::new(State::Done);
        outcome.served.handler = Some("stop".to_owned());
        let clicked = self.outbox.clicked(&action.card_id).await;
        let Some(clicked) = clicked else {
            let snapshot = self.library.snapshot();
            let asked = |declared: &Declared| matches!(declared, Declared::Card);
            if snapshot.declaring(asked).is_empty() && actor.is_ok() {
                let lang = self.languages.of(action.staff_id.as_ref());
                let text = words::runs::old_card_has_ended(lang).to_owned();
                outcome.posts.extend(self.once(action, text).await);
                return Some(outcome);
            }
            return None;
        };
        // Whoever never wrote reads what the card is in.
        let lang = self.languages.of_known(action.staff_id.as_ref()).unwrap_or(clicked.lang);
        let actor = match actor {
            Ok(actor) => actor,
            Err(why) => {
                tracing::warn!(run = row.run, %why, "refused a click on Stop");
                if self.access.may_tell(person).await {
                    outcome.posts.extend(direct(action, phrases::denied("", why, lang)));
                }
                return Some(outcome.denied(why));
            }
        };
        let of_card = |entry: &Entry| entry.run.id() == clicked.run;
        let running = self.running.list().into_iter().find(|entry| of_card(entry));
        match running {
            Some(entry) if self.may_stop(row, &entry, actor).is_err() => {
                tracing::warn!(
                    run = row.run,
                    stops = clicked.run,
                    person = %actor.id(),
                    "refused a click on Stop: it is another person's run"
                );
                let text = words::runs::not_yours_to_stop(lang).to_owned();
                outcome.posts.extend(self.once(action, text).await);
                Some(outcome.denied(&"only whoever started the run or an admin may stop it"))
            }
            Some(_) => {
                self.running.stop(of_card);
                tracing::info!(run = clicked.run, person = %actor.id(), "stopped by a click");
                Some(outcome)
            }
            None => {
                if !self.was_stopped(&clicked.run).await {
                    let text = words::runs::card_has_ended(&clicked.run, lang);
                    outcome.posts.extend(self.once(action, text).await);
                }
                Some(outcome)
            }
        }
    }

    /// Whoever started a run may stop it, and admins.
    fn may_stop(&self, row: &Row, entry: &Entry, actor: &Actor) -> Result<(), Denied> {
        let role = (entry.person != *actor.id()).then_some(ADMIN);
        let action = Action::Control { word: "stop", role, run: &row.run };
        self.access.authorize(actor, None, None, action)
    }

    /// Whether the run ended because somebody stopped it: a second click is no news.
    async fn was_stopped(&self, run: &str) -> bool {
        let run = run.to_owned();
        let past = self.store.read(move |c| inbox::of_run(c, &run)).await;
        // Off the list but still running: its end is being written this moment.
        past.ok()
            .flatten()
            .is_some_and(|past| matches!(past.state.as_str(), "cancelled" | "running"))
    }

    /// The same click of the same person is answered once an hour.
    pub(super) async fn once(&self, action: &CardAction, text: String) -> Option<Post> {
        let who = action.staff_id.as_ref()?;
        let key = Person {
            staff_id: None,
            opaque_id: format!("click\u{1f}{}\u{1f}{who}", action.card_id),
            nick: String::new(),
            same_org: true,
            corp_id: None,
        };
        if self.access.may_tell(&key).await { direct(action, text) } else { None }
    }
}

/// A direct message to whoever clicked.
pub(super) fn direct(action: &CardAction, text: String) -> Option<Post> {
    let staff_id = action.staff_id.clone()?;
    let to = Address {
        conversation_id: ConversationId::new(format!("click:{staff_id}")),
        kind: ChatKind::Direct,
        staff_id: Some(staff_id),
        robot_code: None,
        webhook: None,
    };
    Some(Post::Reply(Reply { to, body: Body::Text { text }, at: Vec::new() }))
}
