//! One run: the state that host functions share while a handler answers one message.
//!
//! A run has limits; the first that is hit, or its cancellation, ends it: from then on [`Run::check`] refuses every
//! host call, the interrupt no longer lets its Lua go on, and what it tracks is dropped. A script can catch an error, but
//! not that.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mlua::Result as LuaResult;
use tokio_util::sync::CancellationToken;

use crate::api::failure::misuse;
use crate::api::last_words::{self, Stop};
use crate::api::limit::Limit;
pub use crate::api::limit::Limits;
use crate::api::notes::{Noted, Notes};
use crate::api::outgoing::{self, Outgoing};
use crate::api::shell::process::Exit;
use crate::api::{Rest, Resting};
use crate::clock::Clock;
use crate::clock::Stopwatch;
use crate::message::Address;
use crate::message::Message;
use crate::message::Reply;
use crate::outbox::Card;
use crate::outbox::Outbox;
use crate::outbox::Post;
use crate::sink::markdown;
use crate::words::Lang;

/// One run of a handler. Shared by the driver, the host functions and whoever may cancel it.
pub struct Run {
    id: String,
    message: Option<Arc<Message>>,
    role: Option<String>,
    /// Where its answers go, if not to the chat of its message.
    private: OnceLock<Address>,
    limits: Limits,
    cancel: CancellationToken,
    stopped: OnceLock<Stop>,
    lang: OnceLock<Lang>,
    over: CancellationToken,
    started: Stopwatch,
    cpu_us: AtomicU64,
    output_bytes: AtomicU64,
    processes: AtomicUsize,
    hit: OnceLock<Limit>,
    /// Time in which the wall clock stood still, and since when it does: microseconds after `started`, plus one.
    paused_us: AtomicU64,
    pausing_us: AtomicU64,
    /// A host future said "not yet" since the driver last asked.
    waited: AtomicBool,
    attempt: AtomicU32,
    /// Where it is counted while it only waits.
    resting: OnceLock<Resting>,
    /// Where what it says is counted, and for which handler.
    outgoing: OnceLock<(Outgoing, String)>,
    state: Mutex<State>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct State {
    /// Pushed by `ctx:reply`; emptied by the driver or, at the end, handed out with the outcome.
    pending: Vec<Post>,
    replied: usize,
    /// Cards of the run; those still open are closed when it ends.
    cards: Vec<Card>,
    /// Dropped, newest first, when the run ends. `None` once it has.
    guards: Vec<(u64, Box<dyn Any + Send>)>,
    next_guard: u64,
    ended: bool,
}

impl Run {
    /// `message` is `None` for runs that nobody's message started: `bot.on("start")`, `bot.every`.
    pub fn new(
        id: impl Into<String>,
        message: Option<Arc<Message>>,
        role: Option<String>,
        limits: Limits,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        Self::on_clock(&Clock::default(), id, message, role, limits, cancel)
    }

    /// As [`Run::new`]; its wall clock is `clock`.
    pub fn on_clock(
        clock: &Clock,
        id: impl Into<String>,
        message: Option<Arc<Message>>,
        role: Option<String>,
        limits: Limits,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: id.into(),
            message,
            role,
            private: OnceLock::new(),
            limits,
            cancel,
            stopped: OnceLock::new(),
            lang: OnceLock::new(),
            over: CancellationToken::new(),
            started: clock.start(),
            cpu_us: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            processes: AtomicUsize::new(0),
            hit: OnceLock::new(),
            paused_us: AtomicU64::new(0),
            pausing_us: AtomicU64::new(0),
            waited: AtomicBool::new(false),
            attempt: AtomicU32::new(1),
            resting: OnceLock::new(),
            outgoing: OnceLock::new(),
            state: Mutex::default(),
            notes: Mutex::default(),
        })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn message(&self) -> Option<&Arc<Message>> {
        self.message.as_ref()
    }

    /// Where a reply of this run goes.
    pub fn address(&self) -> Option<Address> {
        self.private.get().cloned().or_else(|| self.message.as_deref().map(Address::from))
    }

    /// From now on what it says goes to `address`, not to the chat of its message. Questions are still asked there.
    pub fn answer_to(&self, address: Address) {
        let _ = self.private.set(address);
    }

    pub fn answers_privately(&self) -> bool {
        self.private.get().is_some()
    }

    /// Whether it has said or shown anything.
    pub fn has_said_anything(&self) -> bool {
        let state = self.state();
        state.replied > 0 || !state.cards.is_empty()
    }

    /// The role that let this person in.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Cancel it to stop the run: at once if it waits, at the next millisecond if it spins.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Cancels the run, and says so in its cards. The first reason stays.
    pub fn stop(&self, why: Stop) {
        let _ = self.stopped.set(why);
        self.cancel.cancel();
    }

    /// Why it was cancelled, if it was.
    pub fn stopped(&self) -> Option<Stop> {
        self.stopped.get().copied()
    }

    /// Says in which language its person is spoken to; once, before it starts.
    pub fn speak(&self, lang: Lang) {
        let _ = self.lang.set(lang);
    }

    /// The language in which its person is spoken to.
    pub fn lang(&self) -> Lang {
        self.lang.get().copied().unwrap_or_default()
    }

    /// Cancelled once the run has ended, however it ended: processes and watchers that outlive a future listen here.
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Refuses once the run was cancelled, has hit a limit or has ended. Every host call asks first.
    ///
    /// # Errors
    ///
    /// Names the limit.
    pub fn check(&self) -> LuaResult<()> {
        if let Some(limit) = self.hit.get() {
            return Err(misuse(format!("this run was stopped: {limit}")));
        }
        if self.cancel.is_cancelled() {
            return Err(misuse("this run was stopped: it was cancelled"));
        }
        if self.over.is_cancelled() {
            return Err(misuse(format!("run `{}` has ended", self.id)));
        }
        Ok(())
    }

    /// Whether its Lua may not go on.
    pub fn is_stopped(&self) -> bool {
        self.hit.get().is_some() || self.cancel.is_cancelled()
    }

    /// The limit that was hit first.
    pub fn limit_hit(&self) -> Option<Limit> {
        self.hit.get().copied()
    }

    /// Ends the run because of a limit. The first one stays the reason.
    pub fn hit(&self, limit: Limit) {
        let _ = self.hit.set(limit);
    }

    /// Notes that a host future was polled and waits: it will wake the run.
    pub(crate) fn note_waiting(&self) {
        self.waited.store(true, Ordering::Relaxed);
    }

    /// Whether a host future was polled and waits since the last call.
    pub(crate) fn take_waiting(&self) -> bool {
        self.waited.swap(false, Ordering::Relaxed)
    }

    /// Waits until the wall clock runs out; time in which it stands still does not count.
    pub(crate) fn deadline(self: &Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        let run = Arc::clone(self);
        async move {
            loop {
                let left = run.left();
                if left.is_zero() {
                    return;
                }
                run.started.clock().sleep(left).await;
            }
        }
    }

    /// What is left of the wall clock.
    fn left(&self) -> Duration {
        (self.limits.wall + self.paused()).saturating_sub(self.started.elapsed())
    }

    /// Stops the wall clock until the guard is dropped.
    pub(crate) fn waits_for_a_person(self: &Arc<Self>) -> Patience {
        self.pausing_us.store(self.age_us() + 1, Ordering::Relaxed);
        Patience { run: Arc::clone(self), _rest: self.rest() }
    }

    /// From now on what it says is counted in `outgoing`, for the handler that it runs. To be said once.
    pub fn speaks_in(&self, outgoing: Outgoing, handler: String) {
        let _ = self.outgoing.set((outgoing, handler));
    }

    /// From now on it is counted in `resting` while it only waits. To be said once.
    pub fn rests_in(&self, resting: Resting) {
        let _ = self.resting.set(resting);
    }

    /// Gives its place among the runs side by side to another one until the guard is dropped.
    pub(crate) fn rest(&self) -> Option<Rest> {
        self.resting.get().map(Resting::rest)
    }

    /// Whether it waits for somebody's answer.
    pub fn is_waiting(&self) -> bool {
        self.pausing_us.load(Ordering::Relaxed) > 0
    }

    /// Since it began.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    fn age_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn paused(&self) -> Duration {
        let now = match self.pausing_us.load(Ordering::Relaxed) {
            0 => 0,
            since => self.age_us().saturating_sub(since - 1),
        };
        Duration::from_micros(self.paused_us.load(Ordering::Relaxed).saturating_add(now))
    }

    /// How many replies and cards it has queued since it began.
    pub fn said(&self) -> usize {
        self.state().replied
    }

    /// Which try this is: more than 1 after a crash.
    pub fn attempt(&self) -> u32 {
        self.attempt.load(Ordering::Relaxed)
    }

    /// Says so, before it begins.
    pub fn set_attempt(&self, attempt: u32) {
        self.attempt.store(attempt, Ordering::Relaxed);
    }

    /// What it has logged, what its programs wrote, and how the last of them ended.
    pub fn noted(&self) -> Noted {
        self.notes().noted()
    }

    /// Grows with each change of [`Run::noted`].
    pub fn changes(&self) -> u64 {
        self.notes().changes()
    }

    pub(crate) fn note_log(&self, level: &str, text: &str) {
        let at_ms = self.started.clock().now().timestamp_millis();
        self.notes().log(at_ms, level, text);
    }

    pub(crate) fn note_output(&self, bytes: &[u8]) {
        self.notes().output(bytes);
    }

    pub(crate) fn note_exit(&self, exit: &Exit) {
        self.notes().exit(exit);
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds Lua time; notes the limits of time that are exceeded now.
    pub fn spend(&self, slice: Duration) {
        let us = u64::try_from(slice.as_micros()).unwrap_or(u64::MAX);
        let total = self.cpu_us.fetch_add(us, Ordering::Relaxed).saturating_add(us);
        self.check_clocks(Duration::from_micros(total));
    }

    /// Notes the limits of time exceeded when `slice` more is added, without adding it: the interrupt asks mid-slice.
    pub fn peek(&self, slice: Duration) {
        self.check_clocks(Duration::from_micros(self.cpu_us.load(Ordering::Relaxed)) + slice);
    }

    fn check_clocks(&self, cpu: Duration) {
        if cpu > self.limits.cpu {
            self.hit(Limit::Cpu(self.limits.cpu));
        } else if self.left().is_zero() {
            self.hit(Limit::Wall(self.limits.wall));
        }
    }

    /// Time spent executing Lua so far.
    pub fn cpu(&self) -> Duration {
        Duration::from_micros(self.cpu_us.load(Ordering::Relaxed))
    }

    /// Counts bytes that a process of this run wrote; past the limit the run ends.
    ///
    /// # Errors
    ///
    /// The limit, named.
    pub fn count_output(&self, bytes: u64) -> LuaResult<()> {
        if self.output_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
            > self.limits.output_bytes
        {
            self.hit(Limit::Output(self.limits.output_bytes));
        }
        self.check()
    }

    /// Takes one of the run's places for processes; dropping the guard gives it back.
    ///
    /// # Errors
    ///
    /// Raises when all are taken: the script may close one and go on.
    pub fn open_process(self: &Arc<Self>) -> LuaResult<ProcessSlot> {
        self.check()?;
        let taken = self.processes.fetch_add(1, Ordering::Relaxed);
        let slot = ProcessSlot(Arc::clone(self)); // gives back also when refused below
        if taken >= self.limits.processes {
            return Err(misuse(format!(
                "{taken} processes of this run are open already; wait for one or kill it"
            )));
        }
        Ok(slot)
    }

    /// Queues a reply; it leaves when the handler next waits, or with its completion.
    ///
    /// # Errors
    ///
    /// The limit of replies, or why the run was stopped.
    pub fn reply(&self, reply: Reply) -> LuaResult<()> {
        self.post(Post::Reply(reply))
    }

    /// Opens a card; it is shown in its place among the replies, and closed with the run at the latest.
    ///
    /// # Errors
    ///
    /// As [`Run::reply`].
    pub fn open_card(&self, outbox: &Outbox, to: Address, title: &str) -> LuaResult<Card> {
        self.check()?;
        let card = outbox.card(to, title, &self.id, self.lang());
        self.show_card(outbox, card.clone())?;
        Ok(card)
    }

    /// Shows a card that was made for this run, and closes it with the run at the latest.
    ///
    /// # Errors
    ///
    /// As [`Run::reply`].
    pub fn show_card(&self, outbox: &Outbox, card: Card) -> LuaResult<()> {
        if let Err(error) = self.post(Post::Card(card.clone())) {
            outbox.forget_card(&card);
            return Err(error);
        }
        self.state().cards.push(card);
        Ok(())
    }

    fn post(&self, post: Post) -> LuaResult<()> {
        self.check()?;
        let mut state = self.state();
        if state.replied >= self.limits.replies {
            drop(state);
            self.hit(Limit::Replies(self.limits.replies));
            return self.check();
        }
        let counts = self.message.is_none() || state.replied >= outgoing::ANSWER;
        if counts && let Some((outgoing, handler)) = self.outgoing.get() {
            let to = match &post {
                Post::Reply(reply) => &reply.to,
                Post::Card(card) => card.to(),
            };
            if !outgoing.take(handler, to.conversation_id.as_str()) {
                drop(state);
                self.hit(Limit::Outgoing(outgoing.most()));
                return self.check();
            }
        }
        state.replied += 1;
        state.pending.push(post);
        Ok(())
    }

    /// Takes what was said and not yet handed on, oldest first.
    pub fn take_pending(&self) -> Vec<Post> {
        std::mem::take(&mut self.state().pending)
    }

    pub fn has_pending(&self) -> bool {
        !self.state().pending.is_empty()
    }

    /// Keeps `guard` until the run ends and drops it then: a process to kill, a card to close, a file to delete.
    /// The key takes it back earlier ([`Run::untrack`]). In a run that has ended it is dropped at once.
    pub fn track(&self, guard: impl Any + Send) -> u64 {
        let mut state = self.state();
        let key = state.next_guard;
        state.next_guard += 1;
        if state.ended {
            drop(state);
            drop(guard); // outside the lock: dropping may call back
        } else {
            state.guards.push((key, Box::new(guard)));
        }
        key
    }

    /// Drops a tracked guard before the end of the run.
    pub fn untrack(&self, key: u64) {
        let mut state = self.state();
        let found = state.guards.iter().position(|(id, _)| *id == key);
        let guard = found.map(|index| state.guards.remove(index));
        drop(state);
        drop(guard);
    }

    /// Ends the run: drops what it tracks, finishes its open cards or, given why it failed, fails them. Called once, by
    /// the driver; later calls do nothing.
    pub fn end(&self, failed: Option<&str>) {
        let (guards, cards) = {
            let mut state = self.state();
            state.ended = true;
            (std::mem::take(&mut state.guards), std::mem::take(&mut state.cards))
        };
        self.over.cancel();
        // First what writes into cards, then the cards.
        for (_, guard) in guards.into_iter().rev() {
            drop(guard);
        }
        for card in cards.iter().filter(|card| card.is_open()) {
            match failed {
                Some(why) => card.fail(&self.last_words(why)),
                None => card.finish(),
            };
        }
    }

    fn last_words(&self, why: &str) -> String {
        let (id, lang) = (self.id(), self.lang());
        if let Some(limit) = self.limit_hit() {
            return last_words::limited(limit, lang);
        }
        if self.cancel.is_cancelled() {
            return last_words::stopped(self.stopped().unwrap_or(Stop::Person), id, lang);
        }
        // It may quote what somebody typed or a program wrote, and cards are Markdown.
        let why = (self.role() == Some("owner")).then(|| markdown::escape(why));
        last_words::failed(why.as_deref(), id, lang)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("id", &self.id).field("hit", &self.hit).finish_non_exhaustive()
    }
}

/// While it lives, a run's wall clock stands still.
#[derive(Debug)]
pub(crate) struct Patience {
    run: Arc<Run>,
    _rest: Option<Rest>,
}

impl Drop for Patience {
    fn drop(&mut self) {
        let since = self.run.pausing_us.swap(0, Ordering::Relaxed);
        let waited = self.run.age_us().saturating_sub(since.saturating_sub(1));
        self.run.paused_us.fetch_add(waited, Ordering::Relaxed);
    }
}

/// A place for one open process.
#[derive(Debug)]
pub struct ProcessSlot(Arc<Run>);

impl Drop for ProcessSlot {
    fn drop(&mut self) {
        self.0.processes.fetch_sub(1, Ordering::Relaxed);
    }
}
