//! Rows that are no messages: events of the organisation, and clicks on cards.
//!
//! Nobody asked for an event, so its handlers run as the host itself and the script decides what follows; a click is
//! somebody's, and goes through access as a message does. There is no chat to say a failure in: it goes to the log, and
//! the owner hears of it once ([`super::notices`]).

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::clicks::direct;
use super::dispatch::Dispatch;
use super::outcome::Outcome;
use super::phrases;
use super::running::Entry;
use super::served::Served;
use crate::access;
use crate::access::Action;
use crate::access::Actor;
use crate::access::Denied;
use crate::access::Door;
use crate::api::Run;
use crate::api::Stop;
use crate::api::moment;
use crate::dingtalk::Push;
use crate::inbox::Row;
use crate::inbox::State;
use crate::message::CardAction;
use crate::message::Chat;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::Event;
use crate::message::Inbound;
use crate::message::Person;
use crate::outbox::Post;
use crate::script::Declared;
use crate::script::Edition;
use crate::script::Ended;
use crate::script::Registration;
use crate::store::now_ms;
use crate::words;

impl Dispatch {
    /// Runs every handler that is declared for the event.
    pub(super) async fn event(
        &self,
        row: &Row,
        event: &Event,
        halt: &CancellationToken,
    ) -> Outcome {
        let wanted = |declared: &Declared| match declared {
            Declared::Event { kind } => kind.as_ref().is_none_or(|kind| *kind == event.kind),
            _ => false,
        };
        let host = Actor::host(Door::Event);
        self.all(row, wanted, moment::event(event), &host, None, halt).await
    }

    /// Runs every handler of clicks, if whoever clicked has a role.
    pub(super) async fn card_action(
        &self,
        row: &Row,
        action: &CardAction,
        halt: &CancellationToken,
    ) -> Outcome {
        // A callback does not say which organisation the bot is of: it is compared with the one that is known.
        let ours = self.access.organisation();
        let person = Person {
            staff_id: action.staff_id.clone(),
            opaque_id: String::new(),
            nick: String::new(),
            same_org: ours.is_some() && ours == action.corp_id,
            corp_id: action.corp_id.clone(),
        };
        // A callback does not tell what kind of chat it is; only a group is named by an id that people list.
        let chat = action.conversation_id.clone();
        let chat = chat.map(|id| Chat { id, kind: ChatKind::Group, title: None });
        let actor = self.access.actor(&person, chat.as_ref(), Door::Card);
        let speak = Action::Speak { run: &row.run };
        let may = self.access.authorize(&actor, chat.as_ref(), None, speak);
        if self.outbox.is_stop(action) {
            let asked = may.as_ref().map(|()| &actor);
            if let Some(outcome) = self.stop_click(row, action, &person, asked).await {
                return outcome;
            }
        }
        let asked = may.as_ref().copied();
        if let Some(outcome) = self.answer_click(row, action, &person, &actor, asked).await {
            return outcome;
        }
        if let Err(why) = may {
            tracing::warn!(run = row.run, %why, "refused a click on a card");
            let mut outcome = Outcome::new(State::Done).denied(&why);
            // It may well be the owner, who cannot know what is missing.
            if why == Denied::UnknownOrganisation && self.access.may_tell(&person).await {
                let lang = self.languages.of(action.staff_id.as_ref());
                outcome.posts.extend(direct(action, phrases::denied("", &why, lang)));
            }
            return outcome;
        }
        let given = moment::action(action, actor.role());
        let clicks = |declared: &Declared| matches!(declared, Declared::Card);
        if self.library.snapshot().declaring(clicks).is_empty() {
            // On a card of an earlier life, or of nobody.
            let chat = action.conversation_id.as_ref().map(ConversationId::as_str);
            self.access.decided(&actor, chat, &row.run, "", ("deny", "unknown_card"));
            let lang = self.languages.of(action.staff_id.as_ref());
            let text = words::runs::old_card_has_ended(lang).to_owned();
            let mut outcome = Outcome::new(State::Done);
            outcome.posts.extend(self.once(action, text).await);
            return outcome.denied(&"nobody waits for a click on this card");
        }
        self.all(row, clicks, given, &actor, chat.as_ref(), halt).await
    }

    /// Side by side: a slow handler holds up no other. The row has failed if one of them has.
    async fn all(
        &self,
        row: &Row,
        wanted: impl Fn(&Declared) -> bool,
        given: Json,
        actor: &Actor,
        chat: Option<&Chat>,
        halt: &CancellationToken,
    ) -> Outcome {
        let snapshot = self.library.snapshot();
        // No person has an empty id: only who may stop any run may stop these.
        let person = actor.id().clone();
        let place = chat.map_or_else(|| ConversationId::new(""), |chat| chat.id.clone());
        let role = actor.person().map(|_| actor.role().to_owned());
        let owner = self.access.owner();
        let lang = self.languages.of(actor.person().or(owner.as_ref()));
        self.inbox.begin(row.id);
        let runs = snapshot.declaring(wanted).into_iter().enumerate().map(
            |(index, (edition, registration))| {
                // Each run has a name of its own; the first that of its row.
                let id = match index {
                    0 => row.run.clone(),
                    n => format!("{}-{}", row.run, n + 1),
                };
                let (clock, stop) = (edition.generation().clock(), CancellationToken::new());
                let run = Run::on_clock(clock, id, None, role.clone(), self.limits.get(), stop);
                run.speak(lang);
                let name = format!("{}: {}", edition.script(), registration.title());
                let ledger = self.outbox.ledger();
                match &row.inbound {
                    Inbound::CardAction(_) if index == 0 => {
                        ledger.answers(&row.run, Push::Click, &name, person.as_str());
                    }
                    _ => ledger.begins(run.id(), &name, person.as_str()),
                }
                let entry = Entry {
                    run,
                    row: (index == 0).then_some(row.id),
                    person: person.clone(),
                    chat: place.clone(),
                    served: Served {
                        script: Some(Arc::clone(edition.script())),
                        version: Some(edition.number()),
                        handler: Some(format!("{}: {}", edition.script(), registration.title())),
                        ..Served::default()
                    },
                    started_at_ms: now_ms(),
                };
                self.one(entry, (actor, chat), edition, registration, given.clone(), halt)
            },
        );
        let mut outcome = Outcome::new(State::Done);
        let mut names = Vec::new();
        let mut errors = Vec::new();
        let (mut refused, mut all_refuse) = (None, true);
        for (mut served, ended, posts) in join_all(runs).await {
            all_refuse &= matches!(ended, Done::Refused(_));
            names.extend(served.handler.take());
            outcome.posts.extend(posts);
            outcome.served.join(served);
            let (state, error) = match ended {
                Done::Well => continue,
                Done::Refused(why) => {
                    errors.push(format!("denied: {why}"));
                    refused.get_or_insert(why);
                    continue;
                }
                Done::Stopped => (State::Cancelled, None),
                Done::Halted => (State::Interrupted, Some("the host was stopped".to_owned())),
                Done::Failed(why) => (State::Failed, Some(why)),
            };
            errors.extend(error);
            // The worst of them is the row's.
            if rank(state) > rank(outcome.state) {
                outcome.state = state;
            }
        }
        outcome.refused = refused.is_some();
        // Whoever presses a button that is for nobody like them is not left to wonder.
        if let (Some(why), true, Inbound::CardAction(action)) = (refused, all_refuse, &row.inbound)
        {
            outcome.posts.extend(self.once(action, phrases::not_your_button(&why, lang)).await);
        }
        outcome.served.handler = (!names.is_empty()).then(|| names.join(", "));
        outcome.error = (!errors.is_empty()).then(|| errors.join("\n"));
        outcome
    }

    async fn one(
        &self,
        entry: Entry,
        (actor, chat): (&Actor, Option<&Chat>),
        edition: &Arc<Edition>,
        registration: &Registration,
        given: Json,
        halt: &CancellationToken,
    ) -> (Served, Done, Vec<Post>) {
        let run = Arc::clone(&entry.run);
        let mut served = entry.served.clone();
        let name = format!("{}: {}", edition.script(), registration.title());
        let asked = access::Handler { name: &name, terms: &registration.options.terms };
        let permit = match self.access.begin(actor, chat, asked, run.id(), run.cancel()) {
            Ok(permit) => permit,
            Err(why) => return (served, Done::Refused(why), Vec::new()),
        };
        let listed = self.running.add(entry);
        let start = edition.generation().start(Arc::clone(&run), registration.handler, given);
        tokio::pin!(start);
        let (ended, halted) = tokio::select! {
            ended = &mut start => (ended, false),
            () = halt.cancelled() => {
                run.stop(Stop::Host);
                (start.await, true)
            }
        };
        let done = match ended {
            Ended::Done | Ended::Passed => Done::Well,
            Ended::Cancelled if halted => Done::Halted,
            // No message started it, so it asks nobody before it begins.
            Ended::Cancelled | Ended::NotApproved(_) => Done::Stopped,
            Ended::Failed(failed) => Done::Failed(failed.full),
        };
        permit.ended(match done {
            Done::Well => "done",
            Done::Stopped | Done::Refused(_) => "cancelled",
            Done::Halted => "interrupted",
            Done::Failed(_) => "failed",
        });
        listed.ended(matches!(done, Done::Well));
        served.wrote(&run);
        (served, done, run.take_pending())
    }
}

enum Done {
    Well,
    Refused(Denied),
    Stopped,
    Halted,
    Failed(String),
}

fn rank(state: State) -> u8 {
    match state {
        State::Done => 0,
        State::Cancelled => 1,
        State::Interrupted => 2,
        State::Failed => 3,
        State::Parked => 4,
    }
}
