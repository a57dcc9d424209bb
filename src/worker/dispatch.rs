//! Takes claimed rows through their gates: access, routing, run, and the one commit that ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::alarms::Alarms;
use super::decision::{self, Verdict};
use super::echoes::{Echoes, Heard};
use super::gate;
use super::held::Held;
use super::late::Late;
use super::outcome::{Outcome, say};
use super::phrases;
use super::places::{Counted, Places};
use super::recover::{ATTEMPTS, on_crash};
use super::running::{Entry, Running};
use super::served::{Served, args_text};
use super::turns::{Turn, Turns, Who};
use crate::access::Access;
use crate::access::Action;
use crate::access::Actor;
use crate::api::Dialogs;
use crate::api::Limit;
use crate::api::Run;
use crate::api::Stop;
use crate::asks::Asks;
use crate::config::Current;
use crate::dingtalk::Push;
use crate::inbox;
use crate::inbox::End;
use crate::inbox::Inbox;
use crate::inbox::Row;
use crate::inbox::State;
use crate::language::Languages;
use crate::message::Body;
use crate::message::ChatKind;
use crate::message::Inbound;
use crate::message::Message;
use crate::outbox;
use crate::outbox::Outbox;
use crate::outbox::Post;
use crate::router::Handler;
use crate::script::Ended;
use crate::script::Library;
use crate::script::Live;
use crate::script::OnCrash;
use crate::script::Queue;
use crate::script::Registration;
use crate::script::Snapshot;
use crate::script::Target;
use crate::store::Store;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

/// After the deadline of the shutdown, what cancelling them may take.
const CANCEL: Duration = Duration::from_secs(3);

/// How long to wait before the end of a run is written again, when the disk did not take it.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// As what a message counts that was cut out of a loop.
const LOOP: &str = "loop";

/// Serves the inbox.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub dialogs: Dialogs,
    pub asks: Asks,
    pub store: Store,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub access: Arc<Access>,
    pub languages: Languages,
    pub library: Library,
    pub limits: Current<crate::api::Limits>,
    pub running: Running,
    pub turns: Turns,
    /// Runs under way that no message started.
    pub live: Live,
    pub late: Late,
    /// What runs may take to end by themselves when the host stops; then they are cancelled.
    pub finish: Duration,
    pub places: Places,
    pub echoes: Echoes,
    pub alarms: Alarms,
}

impl Dispatch {
    /// Serves until `stop`; then runs may finish for [`Dispatch::finish`], and what is left is interrupted and said so.
    pub async fn run(self, stop: CancellationToken) {
        let mut rows = JoinSet::new();
        // Rows must see the difference between "stop claiming" and "stop running".
        let halt = CancellationToken::new();
        let urgent = Arc::new(AtomicUsize::new(0));
        while !stop.is_cancelled() {
            for (message, waiting) in self.inbox.crowded() {
                rows.spawn(self.clone().tell_crowded(message, waiting));
            }
            let (room, spare) = self.room(rows.len(), urgent.load(Ordering::SeqCst));
            match self.inbox.claim_with(room, spare).await {
                Ok(claimed) => {
                    let some = !claimed.is_empty();
                    for row in claimed {
                        let counted = row.is_urgent().then(|| Counted::new(&urgent));
                        let served = self.clone().serve(self.hold(&row), row, halt.clone());
                        rows.spawn(async move {
                            served.await;
                            drop(counted);
                        });
                    }
                    if some {
                        continue;
                    }
                }
                Err(error) => {
                    let hint = error.hint();
                    tracing::error!(%error, hint, "accepted messages wait: they cannot be claimed");
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(WRITE_AGAIN) => {}
                    }
                    continue;
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(ended) = rows.join_next() => reap(ended),
                () = self.inbox.ready() => {}
                () = self.running.resting().grew() => {}
            }
            while let Some(ended) = rows.try_join_next() {
                reap(ended);
            }
        }
        for row in self.inbox.close().await {
            rows.spawn(self.clone().serve(self.hold(&row), row, halt.clone()));
        }
        drain(&mut rows, self.finish).await;
        halt.cancel();
        drain(&mut rows, CANCEL).await;
    }

    /// How many rows more may be claimed, and beside these how many urgent ones, with `rows` under way, `urgent` of them
    /// urgent.
    fn room(&self, rows: usize, urgent: usize) -> (usize, usize) {
        let ordinary = rows.saturating_sub(urgent);
        let busy = ordinary.saturating_sub(self.running.resting().count());
        let Places { side_by_side, under_way, always } = self.places;
        let room = side_by_side.saturating_sub(busy).min(under_way.saturating_sub(ordinary));
        (room, always.saturating_sub(urgent))
    }

    async fn tell_crowded(self, message: Message, waiting: usize) {
        let lang = self.languages.hear(&message.sender, &message.text);
        let post = say(&message, words::runs::many_wait(waiting, lang));
        if let Err(error) = self.outbox.post("queue", vec![post]).await {
            tracing::warn!(%error, "somebody could not be told how many of their messages wait");
        }
    }

    /// Notes a claimed row, in the order of claims.
    fn hold(&self, row: &Row) -> Held {
        let arrived = self.turns.arrive(row.id, who_of(row));
        Held::new(self.inbox.clone(), row.lane.clone(), arrived)
    }

    async fn serve(self, held: Held, row: Row, halt: CancellationToken) {
        let outcome = match &row.inbound {
            Inbound::Message(message) if row.is_late() => self.late(&row, message).await,
            Inbound::Message(message) => self.message(&row, message, &halt).await,
            Inbound::CardAction(action) => self.card_action(&row, action, &halt).await,
            Inbound::Event(event) => self.event(&row, event, &halt).await,
        };
        held.arrived.routed();
        if let Inbound::Message(message) = &row.inbound {
            self.note_answer(message, &outcome);
        }
        self.end(&row, outcome).await;
        // Its lane and its place go with it: whoever waited finds what it said committed.
        drop(held);
    }

    /// Commits what became of a row, with everything it says. Tried until the disk takes it, while the host stops too:
    /// it is dropped only when the patience of [`drain`] is over, and then the run counts as interrupted.
    async fn end(&self, row: &Row, outcome: Outcome) {
        // Blanked here, not on the writer's thread, where everybody would wait for it.
        let served = Arc::new(outcome.served.blanked(outcome.error.as_deref()));
        let outcome = Arc::new(outcome);
        let cards = Arc::new(self.outbox.endings(&row.run));
        loop {
            let (run, id, ended) = (row.run.clone(), row.id, Arc::clone(&outcome));
            let (cards, outbox) = (Arc::clone(&cards), self.outbox.clone());
            let served = Arc::clone(&served);
            let written = self
                .store
                .write_then(
                    move |c| {
                        let posted = outbox::insert(c, &run, &ended.posts)?;
                        outbox::insert_endings(c, &cards)?;
                        match ended.requeue {
                            Some(counts) => inbox::requeue(c, id, counts)?,
                            None => {
                                let end = served.end(ended.state);
                                inbox::complete(c, id, &End { refused: ended.refused, ..end })?;
                            }
                        }
                        Ok(posted)
                    },
                    move |posted| outbox.posted(posted),
                )
                .await;
            match written {
                Ok(()) => break,
                Err(error) => {
                    let hint = error.hint();
                    tracing::error!(%error, hint, run = row.run, "the end of a run cannot be written; trying again");
                }
            }
            tokio::time::sleep(WRITE_AGAIN).await;
        }
    }

    async fn message(&self, row: &Row, message: &Message, halt: &CancellationToken) -> Outcome {
        let lang = self.languages.hear(&message.sender, &message.text);
        // What the host itself says is counted for whoever wrote.
        self.outbox.ledger().begins(&row.run, "", message.sender.key());
        // One moment of the scripts: routes and the functions they lead to belong together.
        let snapshot = self.library.snapshot();
        let routes = snapshot.routes();
        let today = self.library.clock().now().with_timezone(&chrono::Local).date_naive();
        let lane = message.lane();
        let asked_for = row.is_answer() && self.dialogs.awaits(&lane);
        if let Some(text) = self.claim(message, lang).await {
            self.dialogs.put_back(&lane);
            let mut outcome = Outcome::saying(message, text);
            outcome.served.handler = Some("claim".to_owned());
            return outcome;
        }
        let decided = decision::decide(&self.access, &row.run, routes, message, today, asked_for);
        let mut retried = false;
        let (actor, mut decided) = match decided {
            Ok(decided) => decided,
            Err(why) => {
                self.dialogs.put_back(&lane);
                return self.refuse(row, message, &why, lang).await;
            }
        };
        self.access.learn_organisation(&message.sender).await;
        if actor.is_owner() && message.chat.kind == ChatKind::Direct {
            self.outbox.heard_owner(message);
        }
        if matches!(decided.verdict, Verdict::Answer) {
            let answer = Action::Answer { run: &row.run };
            if self.access.authorize(&actor, Some(&message.chat), None, answer).is_ok()
                && self.dialogs.answer(&lane, &message.text)
            {
                let mut outcome = Outcome::new(State::Done);
                outcome.served.handler = Some("answer".to_owned());
                return outcome;
            }
            // The question closed a moment ago: a message like any other.
            decided = decision::choose(&self.access, routes, &actor, message, today);
        }
        // A word for the host itself is heard however often it comes.
        if !matches!(decided.verdict, Verdict::Control(_))
            && let Some(outcome) = self.loops(row, message, lang).await
        {
            return outcome;
        }
        loop {
            let verdict = decided.verdict;
            let (handler, args, after) = match verdict {
                Verdict::Run { handler, args, after } => (handler, args, after),
                Verdict::Control(control) => {
                    return self.word(&control, row, message, &actor, lang).await;
                }
                _ => return self.answered(row, message, &actor, routes, &verdict, lang),
            };
            if retried {
                self.note_handed_on(row, handler).await;
            }
            retried |= on_crash(&snapshot, handler) == OnCrash::Retry;
            match self.run_handler(row, message, &actor, &snapshot, handler, args, lang, halt).await
            {
                Some(outcome) => return outcome,
                None => decided = decision::after(&self.access, routes, &actor, message, after),
            }
        }
    }

    /// What becomes of a message that is one round too many with a machine.
    async fn loops(&self, row: &Row, message: &Message, lang: Lang) -> Option<Outcome> {
        // Where the clock stands, everything comes at once.
        if self.library.clock().stands() {
            return None;
        }
        let heard = self.echoes.hear(&message.lane(), &message.text, row.received_at_ms);
        let Heard::Loop { first } = heard else { return None };
        self.access.refused(&message.sender, &message.chat, &row.run, LOOP);
        let mut outcome = Outcome::new(State::Done).denied(&"it repeats itself like a machine");
        outcome.served.handler = Some(LOOP.to_owned());
        if first {
            tracing::warn!(
                run = row.run,
                person.id = message.sender.key(),
                conversation.id = %message.chat.id,
                "a loop with something that answers by itself was cut"
            );
            outcome.posts.push(say(message, words::alarms::looping(lang).to_owned()));
            let who = message.sender.key();
            let nick = phrases::quoted(&message.sender.nick);
            let text = |lang| words::alarms::loop_cut(&nick, who, &row.run, lang);
            self.alarm(&format!("loop {}", message.lane()), text).await;
        }
        Some(outcome)
    }

    fn note_answer(&self, message: &Message, outcome: &Outcome) {
        if outcome.served.handler.as_deref() == Some(LOOP) {
            return;
        }
        let ours = outcome.posts.iter().rev().find_map(|post| match post {
            Post::Reply(reply) => match &reply.body {
                Body::Text { text } | Body::Markdown { text, .. } => Some(text.as_str()),
                Body::File { .. } | Body::Image { .. } => None,
            },
            Post::Card(_) => None,
        });
        self.echoes.answered(&message.lane(), &message.text, ours, now_ms());
    }

    /// Runs one handler to its end; `None`: it handed the message on.
    #[expect(clippy::too_many_arguments, reason = "what a run is made of, each used once")]
    async fn run_handler(
        &self,
        row: &Row,
        message: &Message,
        actor: &Actor,
        snapshot: &Snapshot,
        handler: &Handler<Target>,
        args: Json,
        lang: Lang,
        halt: &CancellationToken,
    ) -> Option<Outcome> {
        let edition =
            snapshot.edition(handler.id).expect("a snapshot holds the editions of its routes");
        let queue = edition
            .registration(handler.id.handler)
            .map_or_else(Queue::default, |registration| registration.options.queue);
        let name = format!("{} {}", edition.script(), handler.title());
        let person = actor.id().clone();
        let who = Who { chat: message.chat.id.to_string(), person: person.to_string() };
        let (ticket, frees) = self.turns.enter(row.id, &who, queue, &row.run, &name);
        if frees {
            self.inbox.release(&row.lane);
        }
        // Whoever waits for a turn leaves the place to somebody who has one.
        let rest = (!ticket.goes()).then(|| self.running.resting().rest());
        let waited = tokio::select! {
            biased;
            turn = ticket.turn() => Some(turn),
            () = halt.cancelled() => None,
        };
        drop(rest);
        let ended_early = match waited {
            Some(Turn::Go) => None,
            Some(Turn::Stopped) => Some((State::Cancelled, None)),
            Some(Turn::Replaced) => Some((
                State::Cancelled,
                Some(words::runs::replaced(&row.run, &phrases::quoted(&message.text), lang)),
            )),
            // It has done nothing yet: the next host serves it.
            None => {
                return Some(Outcome {
                    requeue: Some(false),
                    ..Outcome::new(State::Interrupted).by(handler)
                });
            }
        };
        if let Some((state, text)) = ended_early {
            let mut outcome = Outcome::new(state).by(handler);
            outcome.posts.extend(text.map(|text| say(message, text)));
            return Some(outcome);
        }
        self.outbox.ledger().answers(
            &row.run,
            Push::Message,
            handler.title(),
            message.sender.key(),
        );
        let mut limits = self.limits.get();
        if let Some(wall) = edition.registration(handler.id.handler).and_then(Registration::timeout)
        {
            limits.wall = wall;
        }
        // While it waited for its turn, its right may have gone.
        let actor = &self.access.actor(&message.sender, Some(&message.chat), actor.door());
        let role = Some(actor.role().to_owned());
        let run = Run::on_clock(
            edition.generation().clock(),
            &row.run,
            Some(Arc::new(message.clone())),
            role,
            limits,
            CancellationToken::new(),
        );
        let permit = match gate::begin(&self.access, actor, message, handler, &run) {
            Ok(permit) => permit,
            Err(why) => {
                tracing::warn!(run = row.run, handler = handler.title(), %why, "refused a command");
                let mut outcome = Outcome::new(State::Done).by(handler).denied(&why);
                if !why.is_silent() {
                    let text = phrases::denied(handler.title(), &why, lang);
                    outcome.posts.push(say(message, text));
                }
                return Some(outcome);
            }
        };
        run.speak(lang);
        run.set_attempt(row.attempt);
        let mut served = Served {
            script: Some(Arc::clone(edition.script())),
            version: Some(edition.number()),
            handler: Some(handler.title().to_owned()),
            args: args_text(&args),
            ..Served::default()
        };
        run.rests_in(self.running.resting().clone());
        let listed = self.running.add(Entry {
            run: Arc::clone(&run),
            row: Some(row.id),
            person,
            chat: message.chat.id.clone(),
            served: served.clone(),
            started_at_ms: now_ms(),
        });
        self.inbox.begin(row.id);
        let start = edition.generation().start(Arc::clone(&run), handler.id.handler, args);
        tokio::pin!(start);
        let repeats = on_crash(snapshot, handler) == OnCrash::Retry && row.attempt < ATTEMPTS;
        let (ended, halted) = tokio::select! {
            ended = &mut start => (ended, false),
            () = halt.cancelled() => {
                run.stop(if repeats { Stop::Postponed } else { Stop::Host });
                (start.await, true)
            }
            () = ticket.replaced().cancelled() => {
                run.stop(Stop::Replaced);
                (start.await, false)
            }
        };
        let mut posts = run.take_pending();
        let (mut requeue, mut refused) = (None, false);
        let (state, error) = match ended {
            Ended::Passed => {
                // What it said before it handed on is said all the same.
                while !posts.is_empty()
                    && let Err(error) = self.outbox.post(&row.run, posts.clone()).await
                {
                    tracing::error!(%error, run = row.run, "what a handler said before handing on cannot be kept; trying again");
                    tokio::time::sleep(WRITE_AGAIN).await;
                }
                ticket.give_up();
                permit.ended("passed");
                return None;
            }
            Ended::Done => (State::Done, None),
            Ended::Cancelled if halted && repeats => {
                requeue = Some(true);
                (State::Interrupted, None)
            }
            Ended::Cancelled if halted => {
                posts.push(say(
                    message,
                    words::runs::interrupted(&row.run, &phrases::quoted(&message.text), lang),
                ));
                (State::Interrupted, Some("the host was stopped".to_owned()))
            }
            Ended::Cancelled if ticket.replaced().is_cancelled() => {
                posts.push(say(
                    message,
                    words::runs::replaced(&row.run, &phrases::quoted(&message.text), lang),
                ));
                (State::Cancelled, Some("a newer message took its place".to_owned()))
            }
            Ended::Cancelled if let Some(why) = permit.taken() => {
                posts.push(say(message, phrases::taken(&row.run, why, lang)));
                refused = true;
                (State::Cancelled, Some(format!("denied: {why}")))
            }
            Ended::Cancelled => (State::Cancelled, None),
            Ended::NotApproved(why) => (State::Cancelled, Some(why)),
            Ended::Failed(failed) => {
                tracing::error!(
                    run = row.run,
                    handler = handler.title(),
                    "a handler failed: {}",
                    failed.full
                );
                if let Some(limit @ (Limit::Replies(_) | Limit::Outgoing(_))) = failed.limit
                    && !actor.is_owner()
                {
                    let text = |lang| {
                        words::alarms::talks_too_much(&name, &row.run, &limit.text(lang), lang)
                    };
                    self.alarm(&format!("outgoing {name}"), text).await;
                }
                let limit = failed.limit.map(|limit| limit.text(lang));
                let why =
                    if actor.is_owner() { Some(failed.short.as_str()) } else { limit.as_deref() };
                posts.push(gate::say_where(&run, message, phrases::failed(&row.run, why, lang)));
                (State::Failed, Some(failed.full))
            }
        };
        if run.answers_privately() && run.has_said_anything() {
            posts.push(say(message, words::access::sent_privately(lang).to_owned()));
        }
        permit.ended(gate::how(state));
        listed.ended(state == State::Done);
        served.wrote(&run);
        Some(Outcome { state, served, error, refused, posts, requeue })
    }
}

/// Whose message it is, for the queues; nobody waits for the choice of anything else.
fn who_of(row: &Row) -> Option<Who> {
    let Inbound::Message(message) = &row.inbound else { return None };
    let person = message.sender.key().to_owned();
    Some(Who { chat: message.chat.id.to_string(), person })
}

fn reap(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "serving a message broke off; it is reported as interrupted after the next start");
    }
}

async fn drain(rows: &mut JoinSet<()>, patience: Duration) {
    let emptied = async {
        while let Some(ended) = rows.join_next().await {
            reap(ended);
        }
    };
    let _ = tokio::time::timeout(patience, emptied).await;
}
