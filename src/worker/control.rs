//! The words that belong to the host: `stop`, `runs`, `log`, `again`. They wait for nobody, and say what they did.
//!
//! Who started a run, and admins, may stop it, look at it and run it again: the decision knows whose run a word is about.
//! What others have is as if it were not there.

use rusqlite::Connection;

use super::account;
use super::decision;
use super::dispatch::Dispatch;
use super::outcome::Outcome;
use super::phrases;
use super::rights;
use super::running::Entry;
use crate::access::ADMIN;
use crate::access::Action;
use crate::access::Actor;
use crate::access::Denied;
use crate::inbox;
use crate::inbox::Filter;
use crate::inbox::Past;
use crate::inbox::Row;
use crate::message::Chat;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::Inbound;
use crate::message::Message;
use crate::message::MessageId;
use crate::message::Person;
use crate::message::StaffId;
use crate::router::Control;
use crate::router::is_control;
use crate::store::Error;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

/// Lines of one list: more is more than a chat shows.
const LISTED: usize = 20;

/// Of these, runs that have ended.
const ENDED: usize = 5;

/// Waiting messages that are looked at for one list.
const QUEUED: usize = 1_000;

/// Why a run cannot be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    Unfinished,
    /// A timer, an event, a click.
    NoMessage,
    /// Its message was swept to make room.
    Forgotten,
    /// It was a word for the host.
    Control,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unfinished => "it has not ended yet",
            Self::NoMessage => "no message started it",
            Self::Forgotten => "its message is not kept any more",
            Self::Control => "it was a word for moonbell itself",
        })
    }
}

impl Dispatch {
    /// Answers a word for the host, if whoever says it may use it.
    pub(super) async fn word(
        &self,
        control: &Control,
        row: &Row,
        message: &Message,
        actor: &Actor,
        lang: Lang,
    ) -> Outcome {
        if let Control::Yes(code) | Control::No(code) = control {
            let said = (code.as_str(), matches!(control, Control::Yes(_)));
            if let Some(text) = self.answer_code(row, message, actor, said, lang).await {
                return Outcome::saying(message, text);
            }
        }
        let word = rights::word_of(control);
        let others = match self.others_run(control, actor).await {
            Ok(others) => others,
            Err(error) => return Outcome::saying(message, unwritten(&error, row, lang)),
        };
        let role = rights::role_for(control).or(others.map(|_| ADMIN));
        let action = Action::Control { word, role, run: &row.run };
        if let Err(why) = self.access.authorize(actor, Some(&message.chat), None, action) {
            let text = match (&why, others) {
                // Not the right is missing, but what it would be about.
                (Denied::Role(_), _) if word == "yes" => {
                    words::approvals::no_such_number(lang).to_owned()
                }
                (Denied::Role(_), Some(id)) if word == "stop" => words::runs::no_such_run(id, lang),
                (Denied::Role(_), Some(id)) => phrases::unknown_run(Some(id), lang),
                _ => phrases::denied(word, &why, lang),
            };
            return Outcome::saying(message, text).denied(&why);
        }
        if let Some(text) = self.rights(control, message, actor, lang).await {
            return Outcome::saying(message, text);
        }
        let text = self.control(control, row, message, actor, lang).await;
        Outcome::saying(message, text)
    }

    /// The run that `control` is about, if somebody else than `actor` started it, or nobody.
    async fn others_run<'c>(
        &self,
        control: &'c Control,
        actor: &Actor,
    ) -> Result<Option<&'c str>, Error> {
        let (Control::Stop(Some(id)) | Control::Log(Some(id)) | Control::Again(Some(id))) = control
        else {
            return Ok(None);
        };
        let starter = self.starter(id).await?;
        Ok(starter.filter(|starter| starter != actor.id().as_str()).map(|_| id.as_str()))
    }

    /// The id of whoever started the run `id`, empty if nobody did; `None`: there is no such run.
    async fn starter(&self, id: &str) -> Result<Option<String>, Error> {
        if let Some(entry) = self.running.list().into_iter().find(|entry| entry.run.id() == id) {
            return Ok(Some(entry.person.to_string()));
        }
        // Its row comes after a while.
        if self.live.list().iter().any(|one| one.run.id() == id) {
            return Ok(Some(String::new()));
        }
        let past = self.find(id).await?;
        Ok(past.map(|past| past.person().unwrap_or_default().to_owned()))
    }

    /// Does what a control word asks for, and returns what is said to it.
    async fn control(
        &self,
        control: &Control,
        row: &Row,
        message: &Message,
        actor: &Actor,
        lang: Lang,
    ) -> String {
        let done = match control {
            Control::Cancel if self.dialogs.cancel(&message.lane()) => {
                Ok(words::runs::left(lang).to_owned())
            }
            Control::Cancel if self.withdraw(message, actor).await => {
                Ok(words::runs::left(lang).to_owned())
            }
            Control::Stop(None) | Control::Cancel => Ok(self.stop_here(message, actor, lang)),
            Control::StopAll => self.stop_all(message, actor, lang).await,
            Control::Stop(Some(id)) => self.stop_run(id).await.map(|stopped| {
                let told = if stopped { words::runs::stopped } else { words::runs::no_such_run };
                told(id, lang)
            }),
            Control::Runs => self.runs(row, actor, lang).await,
            Control::Log(id) => self.log(id.as_deref(), actor, lang).await,
            Control::Again(id) => self.again(id.as_deref(), message, actor, lang).await,
            Control::Schedules | Control::Trigger(_) => return self.timers(control, lang).await,
            Control::Language(asked) => return self.language(*asked, message, lang).await,
            Control::Usage => return self.usage(actor, lang).await,
            Control::Parked(order) => return self.parked(order, message, lang).await,
            Control::Help(_) => Ok(self.library.snapshot().routes().help(None, lang, |handler| {
                decision::sees(&self.access, actor, &message.chat, handler).is_ok()
            })),
            // Answered by `rights`.
            _ => Ok(String::new()),
        };
        done.unwrap_or_else(|error: Error| unwritten(&error, row, lang))
    }

    /// Takes back what of this person waits here for a yes: a change of roles, or what others were asked to approve.
    async fn withdraw(&self, message: &Message, actor: &Actor) -> bool {
        self.access.withdrawn(actor, &message.chat)
            || self.asks.withdraw(actor.id(), &message.chat, self.library.clock().now_ms()).await
    }

    /// Ends what runs, or waits in a queue, for this person in this chat, and says how much waits behind it.
    fn stop_here(&self, message: &Message, actor: &Actor, lang: Lang) -> String {
        let stopped = self.stop_under_way(message, actor);
        let waiting = self.inbox.waiting_in(&message.lane());
        let told = if stopped.is_empty() {
            words::runs::nothing_to_stop(lang).to_owned()
        } else {
            words::runs::stopped(&stopped.join(", "), lang)
        };
        match waiting {
            0 => told,
            waiting => format!("{told}\n{}", words::runs::still_waiting(waiting, lang)),
        }
    }

    /// Ends the same, and what of theirs waits in this chat.
    async fn stop_all(
        &self,
        message: &Message,
        actor: &Actor,
        lang: Lang,
    ) -> Result<String, Error> {
        // First what waits, or it would begin as soon as what runs has ended.
        let dropped = self.inbox.cancel_lane(&message.lane()).await?;
        for run in &dropped {
            self.access.never_began(actor.id().as_str(), message.chat.id.as_str(), run);
        }
        let stopped = self.stop_under_way(message, actor).len();
        Ok(match (stopped, dropped.len()) {
            (0, 0) => words::runs::nothing_to_stop(lang).to_owned(),
            (stopped, dropped) => words::runs::all_stopped(stopped, dropped, lang),
        })
    }

    /// Ends what is under way for this person in this chat; returns the ids of these runs.
    fn stop_under_way(&self, message: &Message, actor: &Actor) -> Vec<String> {
        let mine = |entry: &Entry| entry.person == *actor.id() && entry.chat == message.chat.id;
        let mut stopped = self.running.stop(mine);
        stopped.extend(self.turns.stop(|who, _| {
            who.person == actor.id().as_str() && who.chat == message.chat.id.as_str()
        }));
        stopped
    }

    /// Ends the run `id`, wherever it is. `false`: there is none that has not ended.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn stop_run(&self, id: &str) -> Result<bool, Error> {
        let stopped = !self.running.stop(|entry| entry.run.id() == id).is_empty()
            || !self.turns.stop(|_, run| run == id).is_empty()
            || self.live.stop(id);
        if stopped {
            return Ok(true);
        }
        // It may wait in its lane, and not have been taken up at all.
        let Some(past) = self.find(id).await? else { return Ok(false) };
        if past.state != "queued" || !self.inbox.cancel(past.id).await? {
            return Ok(false);
        }
        let chat = match &past.inbound {
            Some(Inbound::Message(message)) => message.chat.id.as_str(),
            _ => "",
        };
        self.access.never_began(past.person().unwrap_or("-"), chat, id);
        Ok(true)
    }

    /// Whether there is a run `id` in the journal.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn knows(&self, id: &str) -> Result<bool, Error> {
        Ok(self.find(id).await?.is_some())
    }

    async fn find(&self, id: &str) -> Result<Option<Past>, Error> {
        let id = id.to_owned();
        self.store.read(move |c| inbox::of_run(c, &id)).await
    }

    /// What runs and waits, and what ended last: of this person, or of all.
    async fn runs(&self, row: &Row, actor: &Actor, lang: Lang) -> Result<String, Error> {
        let all = self.access.sees_all(actor);
        let me = actor.id().as_str().to_owned();
        let filter = Filter {
            person: (!all).then(|| me.clone()),
            handled: true,
            limit: 2 * LISTED,
            ..Filter::default()
        };
        let ask =
            move |c: &Connection| Ok((inbox::unfinished(c, QUEUED)?, inbox::list(c, &filter)?));
        let (unfinished, ended) = self.store.read(ask).await?;
        let names = |id: &str| {
            let mut rows = unfinished.iter();
            rows.find(|past| past.run.as_deref() == Some(id)).map(account::who).unwrap_or_default()
        };
        let who = |id: &str| if all { names(id) } else { String::new() };
        let mut lines: Vec<String> = Vec::new();
        let mut listed: Vec<String> = vec![row.run.clone()];
        for entry in self.running.list() {
            if !all && entry.person != *actor.id() {
                continue;
            }
            let id = entry.run.id();
            let waits = entry.run.is_waiting();
            let state =
                if waits { words::account::waits(lang) } else { account::state("running", lang) };
            lines.push(account::line(id, state, entry.started_at_ms, entry.handler(), &who(id)));
            listed.push(id.to_owned());
        }
        if all {
            for one in self.live.list() {
                let what = format!("{}: {}", one.script, one.what);
                let state = account::state("running", lang);
                lines.push(account::line(one.run.id(), state, one.started_at_ms, &what, ""));
            }
        }
        let came = |id: &str| {
            let mut rows = unfinished.iter();
            let row = rows.find(|past| past.run.as_deref() == Some(id));
            row.map_or_else(now_ms, |past| past.received_at_ms)
        };
        let waiting = words::account::waits_for_its_turn(lang);
        for (id, handler) in self.turns.waiting(|who| all || who.person == me) {
            lines.push(account::line(&id, waiting, came(&id), &handler, &who(&id)));
            listed.push(id);
        }
        // In their lanes, behind others: what they are for is not known yet.
        for past in &unfinished {
            let Some(id) = past.run.as_deref().filter(|_| past.state == "queued") else { continue };
            let mine = past.person() == Some(&me);
            if (all || mine) && !listed.iter().any(|known| known == id) {
                let text = match &past.inbound {
                    Some(Inbound::Message(message)) => message.text.replace('\n', " "),
                    _ => String::new(),
                };
                lines.push(account::line(id, waiting, past.received_at_ms, &text, &who(id)));
            }
        }
        let more = lines.len().saturating_sub(LISTED);
        lines.truncate(LISTED);
        if more > 0 {
            lines.push(format!("… +{more}"));
        }
        let ended = ended.iter().filter(|past| past.is_over()).take(ENDED);
        lines.extend(ended.map(|past| account::past_line(past, lang, all)));
        Ok(if lines.is_empty() {
            words::runs::nothing_to_stop(lang).to_owned()
        } else {
            lines.join("\n")
        })
    }

    /// The run that is asked about: by its id, or the last message of theirs that a handler served.
    async fn asked(&self, id: Option<&str>, actor: &Actor) -> Result<Option<Past>, Error> {
        let Some(id) = id else {
            let (person, limit) = (Some(actor.id().as_str().to_owned()), 1);
            let filter = Filter { person, handled: true, said: true, limit, ..Filter::default() };
            return Ok(self.store.read(move |c| inbox::list(c, &filter)).await?.pop());
        };
        self.find(id).await
    }

    async fn log(&self, id: Option<&str>, actor: &Actor, lang: Lang) -> Result<String, Error> {
        let Some(mut past) = self.asked(id, actor).await? else {
            return Ok(phrases::unknown_run(id, lang));
        };
        // Of one that is under way the newest is not in the journal yet.
        let entries = self.running.list();
        let entry = entries.iter().find(|entry| Some(entry.run.id()) == past.run.as_deref());
        if let Some(entry) = entry.filter(|_| !past.is_over()) {
            let mut served = entry.served.clone();
            served.wrote(&entry.run);
            let blanked = served.blanked(None);
            let now = blanked.account();
            let text = |text: Option<&str>| text.map(str::to_owned);
            let state = if entry.run.is_waiting() { "waiting" } else { "running" };
            state.clone_into(&mut past.state);
            (past.handler, past.script) = (text(now.handler), text(now.script));
            (past.version, past.args) = (now.version, text(now.args));
            (past.log, past.output, past.exit) = (text(now.log), text(now.output), text(now.exit));
        }
        Ok(account::tell(&past, lang, self.access.sees_all(actor)))
    }

    /// Takes the message of a run in once more, as if this person had sent it here and now.
    async fn again(
        &self,
        id: Option<&str>,
        message: &Message,
        actor: &Actor,
        lang: Lang,
    ) -> Result<String, Error> {
        let Some(past) = self.asked(id, actor).await? else {
            return Ok(phrases::unknown_run(id, lang));
        };
        let run = past.run.clone().unwrap_or_default();
        let old = match fit(past) {
            Ok(old) => old,
            Err(why) => return Ok(phrases::unfit(&run, why, lang)),
        };
        let text = old.text.clone();
        let new = Message {
            // One for each time that it is said, however often that is delivered.
            id: MessageId::new(format!("again:{}", message.id)),
            chat: message.chat.clone(),
            sender: message.sender.clone(),
            robot_code: message.robot_code.clone(),
            sent_at_ms: message.sent_at_ms,
            webhook: message.webhook.clone(),
            ..old
        };
        let taken = self.inbox.accept_again(Inbound::Message(new), run.clone()).await?;
        Ok(match taken {
            Some(new) => words::runs::again(&run, &new, &phrases::quoted(&text), lang),
            // This word itself was taken up twice: it was done the first time.
            None => words::runs::again(&run, "…", &phrases::quoted(&text), lang),
        })
    }

    /// The same for the owner, who asks on this computer and not in a chat. Returns the name of the new run; replies go
    /// where the message was sent if that was the owner's, else to the owner alone.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn again_for_owner(
        &self,
        id: &str,
        owner: &StaffId,
    ) -> Result<Option<Result<String, Unfit>>, Error> {
        let Some(past) = self.find(id).await? else { return Ok(None) };
        let old = match fit(past) {
            Ok(old) => old,
            Err(why) => return Ok(Some(Err(why))),
        };
        let sender = Person {
            staff_id: Some(owner.clone()),
            opaque_id: String::new(),
            nick: old.sender.nick.clone(),
            same_org: true,
            corp_id: None,
        };
        let own = old.sender.staff_id.as_ref() == Some(owner);
        let alone = Chat {
            id: ConversationId::new(format!("owner:{owner}")),
            kind: ChatKind::Direct,
            title: None,
        };
        let (chat, sender, webhook) = if own {
            (old.chat.clone(), old.sender.clone(), old.webhook.clone())
        } else {
            (alone, Person { nick: String::new(), ..sender }, None)
        };
        let id_now = MessageId::new(format!("again:{}", uuid::Uuid::new_v4().simple()));
        let new = Message { id: id_now, chat, sender, webhook, sent_at_ms: now_ms(), ..old };
        let taken = self.inbox.accept_again(Inbound::Message(new), id.to_owned()).await?;
        Ok(taken.map(Ok))
    }
}

/// To whoever said a word that the journal did not take.
fn unwritten(error: &Error, row: &Row, lang: Lang) -> String {
    tracing::error!(%error, run = row.run, "a control word could not be done");
    words::runs::not_written(lang).to_owned()
}

/// The message of a run that may be run again.
fn fit(past: Past) -> Result<Message, Unfit> {
    if !past.is_over() {
        return Err(Unfit::Unfinished);
    }
    match past.inbound {
        Some(Inbound::Message(message)) if is_control(&message.text) => Err(Unfit::Control),
        Some(Inbound::Message(message)) => Ok(message),
        Some(_) => Err(Unfit::NoMessage),
        None if past.own => Err(Unfit::NoMessage),
        None => Err(Unfit::Forgotten),
    }
}
