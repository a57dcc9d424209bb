//! The one decision, and what is asked for in it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::actor::{Actor, Door, Who};
use super::denied::Denied;
use super::live::{Allowed, Permit};
use super::rates::Taken;
use super::terms::{Rate, Terms};
use super::{ADMIN, Access};
use crate::config;
use crate::message::Chat;
use crate::message::StaffId;

/// A handler, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Handler<'a> {
    /// As the audit names it: script and declaration.
    pub name: &'a str,
    pub terms: &'a Terms,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Whether it is there for them at all: to choose a handler, to list one in help. Nothing happens, nothing is recorded.
    See,
    /// To be heard: a message came in. Only a denial is recorded; what is done about it is asked for by itself.
    Speak { run: &'a str },
    /// To start a handler. Counts for its rate.
    Run { run: &'a str },
    /// To go on with a run that began: an answer to its question.
    Answer { run: &'a str },
    /// To decide what a run waits for: that of `asker`, who asked it of people with this role (`None`: of themselves alone).
    /// Recorded by [`Access::decided`], with what it was about.
    Approve { asker: &'a StaffId, approvers: Option<&'a str> },
    /// To use a word of the host's own, or of its console or command line; `role` is who may.
    Control { word: &'a str, role: Option<&'a str>, run: &'a str },
}

impl Access {
    /// The one decision: whether `actor` may do `action` with `handler` in `chat`. It is recorded, except to [`See`] and to
    /// [`Approve`].
    ///
    /// [`See`]: Action::See
    /// [`Approve`]: Action::Approve
    ///
    /// # Errors
    /// Why not.
    pub fn authorize(
        &self,
        actor: &Actor,
        chat: Option<&Chat>,
        handler: Option<Handler<'_>>,
        action: Action<'_>,
    ) -> Result<(), Denied> {
        let decided = self.decide(actor, chat, handler, action);
        let name = handler.map_or("", |handler| handler.name);
        let (name, run) = match action {
            Action::See | Action::Approve { .. } => return decided,
            Action::Speak { .. } if decided.is_ok() => return decided,
            Action::Speak { run } | Action::Run { run } | Action::Answer { run } => (name, run),
            Action::Control { word, run, .. } => (word, run),
        };
        self.audit.decision(actor, chat, name, run, decided.as_ref().map(|&()| ()));
        decided
    }

    pub(super) fn decide(
        &self,
        actor: &Actor,
        chat: Option<&Chat>,
        handler: Option<Handler<'_>>,
        action: Action<'_>,
    ) -> Result<(), Denied> {
        let locked = match action {
            // Asked for every handler of a list: the last look is new enough.
            Action::See => self.lock.is_locked(),
            _ => self.look(),
        };
        if locked {
            return Err(Denied::Locked);
        }
        match &actor.who {
            // Nobody's right is needed, and nobody's is lent.
            Who::Host => return Ok(()),
            Who::Nameless => return Err(Denied::NoStaffId),
            Who::Foreign(_) if self.organisation().is_none() && actor.door == Door::Card => {
                return Err(Denied::UnknownOrganisation);
            }
            Who::Foreign(_) => return Err(Denied::OtherOrganisation),
            // Until somebody owns the bot nobody is served, whatever lists and earlier owners gave.
            Who::Person(id) if actor.roles.is_empty() || self.owner().is_none() => {
                return Err(match self.owner() {
                    Some(_) => Denied::NoRole(id.clone()),
                    None => Denied::Unclaimed,
                });
            }
            Who::Person(_) | Who::Local => {}
        }
        if let Action::Approve { asker, approvers } = action {
            return match approvers {
                None if actor.id() == asker => Ok(()),
                None => Err(Denied::NotAsked),
                Some(_) if actor.id() == asker => Err(Denied::OwnRequest),
                Some(role) if !actor.has(Some(role)) => Err(Denied::Role(role.to_owned())),
                Some(_) => Ok(()),
            };
        }
        if let Action::Control { role: Some(role), .. } = action
            && !actor.has(Some(role))
        {
            return Err(Denied::Role(role.to_owned()));
        }
        let Some(Handler { name, terms }) = handler else { return Ok(()) };
        if !actor.has(terms.role.as_deref()) {
            return Err(Denied::Role(terms.role.clone().unwrap_or_default()));
        }
        // Whoever sits at the computer is in no chat.
        if actor.who != Who::Local && !terms.scope.holds(chat) {
            return Err(Denied::Scope(terms.scope.to_string()));
        }
        if let (Action::Run { .. }, Some(id)) = (action, actor.person()) {
            self.crowd(&actor.who, id, name)?;
            if let Some(rate) = terms.rate
                && self.rates.take(id.as_str(), name, rate, self.clock.now_ms()) != Taken::Counted
            {
                return Err(Denied::Rate(rate.to_string()));
            }
        }
        Ok(())
    }

    /// Whether `actor` is shown what others started, beside their own: no decision about one thing, so it is not recorded.
    pub fn sees_all(&self, actor: &Actor) -> bool {
        let all = Action::Control { word: "runs", role: Some(ADMIN), run: "" };
        self.decide(actor, None, None, all).is_ok()
    }

    /// Whether somebody may start one run more; it is among those under way already.
    fn crowd(&self, who: &Who, id: &StaffId, handler: &str) -> Result<(), Denied> {
        let config::Limits { person_runs, handler_runs, person_per_minute, .. } = self.limits.get();
        if person_runs.is_some() || handler_runs.is_some() {
            let (of_person, of_handler) = self.live.count(who, handler);
            if let Some(most) = person_runs.filter(|most| of_person > *most) {
                return Err(Denied::PersonRuns(most));
            }
            if let Some(most) = handler_runs.filter(|most| of_handler > *most) {
                return Err(Denied::HandlerRuns(most));
            }
        }
        let Some(most) = person_per_minute else { return Ok(()) };
        let times = u32::try_from(most).unwrap_or(u32::MAX);
        let rate = Rate { times, per: Duration::from_mins(1) };
        // Under the name of no handler: all of them together.
        match self.rates.take(id.as_str(), "", rate, self.clock.now_ms()) {
            Taken::Counted => Ok(()),
            Taken::Refused { first } => Err(Denied::Flood { most, first }),
        }
    }

    /// Asks for leave to run `handler`, and keeps it until the permit is dropped. When it is taken back, `cancel` is
    /// cancelled and [`Permit::taken`] says why.
    ///
    /// # Errors
    /// Why not.
    pub fn begin(
        &self,
        actor: &Actor,
        chat: Option<&Chat>,
        handler: Handler<'_>,
        run: &str,
        cancel: &CancellationToken,
    ) -> Result<Permit, Denied> {
        // Listed before it is asked: a lock that falls in between finds it.
        let terms = (actor.who != Who::Host).then_some(handler.terms);
        let allowed = Allowed::new(actor, chat, handler.name, terms, run, cancel);
        let permit = self.live.add(allowed, &self.audit);
        match self.authorize(actor, chat, Some(handler), Action::Run { run }) {
            Ok(()) => Ok(permit),
            Err(why) => {
                permit.never();
                Err(why)
            }
        }
    }
}
