//! A generation: one version of one script, its VM owned by one task that drives all its runs.
//!
//! Runs finish on the generation that started them. Its timers start with [`Generation::activate`] and stop with
//! [`Generation::retire`], so a reload doubles nothing; the VM goes when the last handle is dropped and the last run has
//! ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::Value as Json;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::Stop;
use crate::api::run::{Limits, Run};
use crate::clock::Clock;
use crate::script::background::{Background, Ends, Finish, Live, UnderWay};
use crate::script::drive::{Ended, Failed, drive};
use crate::script::eyes::Eyes;
use crate::script::handover;
use crate::script::leave::leave;
use crate::script::registration::{Declared, HandlerKey, Registration};
use crate::script::timetable::Timetable;
use crate::script::vm::Vm;

/// Starts waiting for their VM. The dispatcher claims fewer runs than this at a time.
const ORDERS: usize = 1024;

/// What `bot.on("stop")` may take: a reload waits for nobody.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Where generations live: the Lua runtime, and the owner of its tasks.
#[derive(Clone, Debug)]
pub struct Engine {
    handle: Handle,
    tasks: TaskTracker,
    ends: Ends,
}

impl Engine {
    pub fn new(handle: Handle, tasks: TaskTracker) -> Self {
        Self { handle, tasks, ends: Ends::default() }
    }

    /// Every task of every VM; closed and awaited at the end of the process.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The runs under way that no message started.
    pub fn live(&self) -> Live {
        self.ends.live.clone()
    }

    /// Tells of the end of each run that no message started.
    pub fn background(&self) -> broadcast::Receiver<Arc<Background>> {
        self.ends.listen()
    }
}

/// Handle to a served version of a script. Dropping the last one lets the VM go once its runs have ended.
#[derive(Debug)]
pub struct Generation {
    path: Arc<str>,
    registrations: Vec<Registration>,
    dependencies: Vec<String>,
    orders: mpsc::Sender<Order>,
    retired: AtomicBool,
    stopped: CancellationToken,
    closed: CancellationToken,
    clock: Clock,
    beats: Beats,
}

/// When a timer ran last in this version, and when it is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    pub next: Option<DateTime<Utc>>,
    pub last: Option<DateTime<Utc>>,
}

/// Of each timer, by its handler.
type Beats = Arc<Mutex<HashMap<usize, Beat>>>;

#[derive(Debug)]
enum Order {
    Start {
        run: Arc<Run>,
        handler: HandlerKey,
        args: Json,
        ended: oneshot::Sender<Ended>,
    },
    Activate,
    /// Run a timer now, unless it runs.
    Trigger(HandlerKey, oneshot::Sender<bool>),
    /// The next version is ready: timers end, and `bot.save` is asked.
    Save(oneshot::Sender<Option<Json>>),
    /// What the version before left. Runs begin once it was taken.
    Restore(Option<Json>, oneshot::Sender<()>),
    /// The guard is dropped when the last `bot.on("stop")` has ended.
    Retire(Arc<DropGuard>),
}

impl Generation {
    /// Hands `vm` to a task of its own. It serves at once; its timers wait for [`Generation::activate`].
    pub fn spawn(vm: Vm, engine: &Engine) -> Arc<Self> {
        let (orders, queue) = mpsc::channel(ORDERS);
        let closed = CancellationToken::new();
        let generation = Arc::new(Self {
            path: Arc::clone(vm.path()),
            registrations: vm.registrations().to_vec(),
            dependencies: vm.dependencies().to_vec(),
            orders,
            retired: AtomicBool::new(false),
            stopped: CancellationToken::new(),
            closed: closed.clone(),
            clock: vm.scope.host().clock().clone(),
            beats: Beats::default(),
        });
        let guard = closed.drop_guard();
        let (ends, beats) = (engine.ends.clone(), Arc::clone(&generation.beats));
        engine.tasks.spawn_on(
            async move {
                serve(vm, queue, ends, beats).await;
                drop(guard);
            },
            &engine.handle,
        );
        generation
    }

    /// Path of the script below the scripts folder.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub fn registrations(&self) -> &[Registration] {
        &self.registrations
    }

    /// The time that it lives by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Files that the script required.
    pub fn dependencies(&self) -> &[String] {
        &self.dependencies
    }

    /// Runs `handler` and returns how it ended. The run goes on when this future is dropped; [`Run::cancel`] stops it.
    ///
    /// `args` become `ctx.args`: an object of typed values, or a list. Afterwards [`Run::take_pending`] holds what was
    /// said and is not in the outbox yet.
    pub async fn start(&self, run: Arc<Run>, handler: HandlerKey, args: Json) -> Ended {
        let (ended, outcome) = oneshot::channel();
        let order = Order::Start { run: Arc::clone(&run), handler, args, ended };
        let gone = || {
            run.stop(Stop::Host);
            run.end(Some("the host is stopping"));
            Ended::Failed(Failed::new("the host is stopping: this run was not finished"))
        };
        if self.orders.send(order).await.is_err() {
            return gone();
        }
        outcome.await.unwrap_or_else(|_| gone())
    }

    /// Runs a timer now; `false`: it runs already, or serves no more.
    pub async fn trigger(&self, timer: HandlerKey) -> bool {
        let (began, begins) = oneshot::channel();
        self.orders.send(Order::Trigger(timer, began)).await.is_ok()
            && begins.await.unwrap_or(false)
    }

    /// When a timer ran, and will run.
    pub fn beat(&self, timer: HandlerKey) -> Beat {
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut beat = beats.get(&timer.0).copied().unwrap_or_default();
        if let Some(Declared::Cron { schedule }) =
            self.registrations.get(timer.0).map(|one| &one.declared)
        {
            beat.next = schedule.next(self.clock.now());
        }
        beat
    }

    /// Ends its timers, and returns what `bot.save` leaves to the next version, if anything.
    pub async fn save(&self) -> Option<Json> {
        let (state, saved) = oneshot::channel();
        self.orders.send(Order::Save(state)).await.ok()?;
        saved.await.ok().flatten()
    }

    /// Whether it takes what the version before it saved; until [`Generation::restore`] its runs wait.
    pub fn restores(&self) -> bool {
        self.registrations.iter().any(|one| one.declared == Declared::Restore)
    }

    /// Hands over what the version before it saved, and waits until it was taken.
    pub async fn restore(&self, state: Option<Json>) {
        if self.restores() {
            let (done, restored) = oneshot::channel();
            if self.orders.send(Order::Restore(state, done)).await.is_ok() {
                let _ = restored.await;
            }
        }
    }

    /// The generation serves now: runs `bot.on("start")`, then starts `bot.every`.
    pub async fn activate(&self) {
        let _ = self.orders.send(Order::Activate).await;
    }

    /// The generation serves no more: its timers stop, `bot.on("stop")` runs. Runs in flight go on.
    pub async fn retire(&self) {
        if !self.retired.swap(true, Ordering::SeqCst) {
            let guard = Arc::new(self.stopped.clone().drop_guard());
            let _ = self.orders.send(Order::Retire(guard)).await;
        }
    }

    /// Cancelled once it was retired and its `bot.on("stop")` has ended: the next version may start.
    pub fn stopped(&self) -> &CancellationToken {
        &self.stopped
    }

    /// Cancelled once the VM is gone.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }
}

/// What a finished future means to the task.
pub(super) enum Event {
    Run,
    Beat(usize),
    BeatDone(usize),
    /// A schedule is due, and was at this moment.
    Due(usize, DateTime<Utc>),
    /// It has what the version before it left.
    Restored,
    /// Its timer ended with the generation.
    Off,
}

async fn serve(vm: Vm, mut queue: mpsc::Receiver<Order>, ends: Ends, beats: Beats) {
    let vm = Arc::new(vm);
    let mut events: FuturesUnordered<BoxFuture<'static, Event>> = FuturesUnordered::new();
    // One entry for each `bot.every`, by its handler: whether its last beat still runs.
    let mut busy = vec![false; vm.registrations().len()];
    let timetables = Timetable::all(&vm);
    let timers = CancellationToken::new();
    let mut open = true;
    // Runs that came before what the last version left was taken; `None` once it was.
    let mut held = handover::wants(&vm).then(Vec::new);
    loop {
        tokio::select! {
            order = queue.recv(), if open => match order {
                Some(order @ Order::Start { .. }) if held.is_some() => held.get_or_insert_default().push(order),
                Some(Order::Trigger(HandlerKey(index), began)) => {
                    let idle = index < busy.len() && !timers.is_cancelled() && !busy[index];
                    if idle {
                        busy[index] = true;
                        note_last(&beats, index, vm.scope.host().clock());
                        let (vm, ends) = (Arc::clone(&vm), ends.clone());
                        events.push(Box::pin(async move {
                            background(&vm, index, "trigger", None, &Json::Null, &ends).await;
                            Event::BeatDone(index)
                        }));
                    }
                    let _ = began.send(idle);
                }
                Some(Order::Save(state)) => {
                    timers.cancel();
                    let (vm, ends) = (Arc::clone(&vm), ends.clone());
                    events.push(Box::pin(async move {
                        let _ = state.send(handover::save(&vm, &ends).await);
                        Event::Run
                    }));
                }
                Some(Order::Restore(state, done)) => {
                    let (vm, ends) = (Arc::clone(&vm), ends.clone());
                    events.push(Box::pin(async move {
                        handover::restore(&vm, state, &ends).await;
                        let _ = done.send(());
                        Event::Restored
                    }));
                }
                Some(order @ Order::Start { .. }) => events.extend(start(&vm, order, &ends)),
                Some(Order::Activate) => {
                    // There was nothing to hand over.
                    let held = held.take().unwrap_or_default();
                    events.extend(held.into_iter().filter_map(|order| start(&vm, order, &ends)));
                    hooks(&vm, &mut events, &ends, |declared| matches!(declared, Declared::Start), None, None);
                    for registration in vm.registrations() {
                        if let Declared::Every { interval } = registration.declared {
                            note_next(&beats, registration.handler.0, interval, vm.scope.host().clock());
                            events.push(beat(&vm, registration.handler.0, interval, timers.clone()));
                        }
                    }
                    for timetable in timetables.iter().flatten() {
                        events.push(timetable.first(timers.clone()));
                    }
                    for registration in vm.registrations() {
                        if let Declared::Watch { patterns, debounce } = &registration.declared {
                            let eyes = Eyes::new(&vm, patterns, *debounce);
                            events.push(watching(&vm, registration.handler.0, eyes, &timers, &ends));
                        }
                    }
                }
                Some(Order::Retire(guard)) => {
                    timers.cancel();
                    hooks(&vm, &mut events, &ends, |declared| matches!(declared, Declared::Stop), Some(STOP_TIME), Some(&guard));
                }
                None => {
                    open = false;
                    timers.cancel();
                    // Nobody is left to hand anything over.
                    let held = held.take().unwrap_or_default();
                    events.extend(held.into_iter().filter_map(|order| start(&vm, order, &ends)));
                }
            },
            Some(event) = events.next(), if !events.is_empty() => match event {
                Event::Run | Event::Off => {}
                Event::Restored => {
                    let held = held.take().unwrap_or_default();
                    events.extend(held.into_iter().filter_map(|order| start(&vm, order, &ends)));
                }
                Event::Due(index, at) => {
                    let Some(timetable) = timetables[index].as_ref().filter(|_| !timers.is_cancelled()) else {
                        continue;
                    };
                    events.push(timetable.after(at, timers.clone()));
                    if std::mem::replace(&mut busy[index], true) {
                        tracing::warn!(script = %vm.path(), "left out a scheduled run: the last one still runs");
                        continue;
                    }
                    note_last(&beats, index, vm.scope.host().clock());
                    let (vm, ends) = (Arc::clone(&vm), ends.clone());
                    let noted = timetable.note(at);
                    events.push(Box::pin(async move {
                        noted.await;
                        background(&vm, index, "cron", None, &Json::Null, &ends).await;
                        Event::BeatDone(index)
                    }));
                }
                Event::BeatDone(index) => busy[index] = false,
                Event::Beat(index) => {
                    if timers.is_cancelled() {
                        continue;
                    }
                    if let Declared::Every { interval } = vm.registrations()[index].declared {
                        note_next(&beats, index, interval, vm.scope.host().clock());
                        events.push(beat(&vm, index, interval, timers.clone()));
                    }
                    if std::mem::replace(&mut busy[index], true) {
                        tracing::debug!(script = %vm.path(), "left out a beat: the last one still runs");
                        continue;
                    }
                    note_last(&beats, index, vm.scope.host().clock());
                    let (vm, ends) = (Arc::clone(&vm), ends.clone());
                    events.push(Box::pin(async move {
                        background(&vm, index, "every", None, &Json::Null, &ends).await;
                        Event::BeatDone(index)
                    }));
                }
            },
            else => break,
        }
    }
}

fn note_last(beats: &Beats, index: usize, clock: &Clock) {
    let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
    beats.entry(index).or_default().last = Some(clock.now());
}

fn note_next(beats: &Beats, index: usize, interval: Duration, clock: &Clock) {
    let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
    let due = chrono::TimeDelta::from_std(interval).ok();
    beats.entry(index).or_default().next = due.and_then(|due| clock.now().checked_add_signed(due));
}

/// The run that an order asks for.
fn start(vm: &Arc<Vm>, order: Order, ends: &Ends) -> Option<BoxFuture<'static, Event>> {
    let Order::Start { run, handler, args, ended } = order else { return None };
    let (vm, ends) = (Arc::clone(vm), ends.clone());
    Some(Box::pin(async move {
        let outcome = if handler.0 < vm.functions.len() {
            drive(&vm, &run, handler.0, &args).await
        } else {
            Ended::Failed(Failed::new("this handler belongs to another version of the script"))
        };
        if run.message().is_none() && handler.0 < vm.functions.len() {
            tell_of(&vm, handler.0, &run, &outcome, &ends, true);
        }
        let _ = ended.send(outcome);
        Event::Run
    }))
}

/// One `bot.watch`, while the generation serves: a run for each batch, one after another.
fn watching(
    vm: &Arc<Vm>,
    index: usize,
    mut eyes: Eyes,
    timers: &CancellationToken,
    ends: &Ends,
) -> BoxFuture<'static, Event> {
    let (vm, timers, ends) = (Arc::clone(vm), timers.clone(), ends.clone());
    Box::pin(async move {
        loop {
            let seen = tokio::select! {
                biased;
                () = timers.cancelled() => return Event::Off,
                seen = eyes.next() => seen,
            };
            match seen {
                // It ends as it began, also when another version serves meanwhile.
                Ok(batch) => background(&vm, index, "watch", None, &batch, &ends).await,
                Err(why) => {
                    unseen(&vm, index, why, &ends);
                    tokio::select! {
                        () = timers.cancelled() => return Event::Off,
                        () = Eyes::rest() => {}
                    }
                }
            }
        }
    })
}

/// Says that files cannot be watched.
fn unseen(vm: &Vm, index: usize, why: String, ends: &Ends) {
    let what = vm.registrations()[index].title();
    tracing::error!(script = %vm.path(), "`bot.{what}` sees nothing: {why}");
    let now = vm.scope.host().clock().now().timestamp_millis();
    ends.tell(Background {
        script: Arc::clone(vm.path()),
        version: vm.number,
        what,
        run: vm.scope.host().names().name("watch"),
        finish: Finish::Failed(why.clone()),
        failed: Some(why),
        has_row: false,
        started_at_ms: now,
        ended_at_ms: now,
        said: 0,
        noted: crate::api::Noted::default(),
    });
}

fn beat(
    vm: &Vm,
    index: usize,
    interval: Duration,
    timers: CancellationToken,
) -> BoxFuture<'static, Event> {
    let clock = vm.scope.host().clock().clone();
    Box::pin(async move {
        tokio::select! {
            () = timers.cancelled() => {}
            () = clock.sleep(interval) => {}
        }
        Event::Beat(index)
    })
}

fn hooks(
    vm: &Arc<Vm>,
    events: &mut FuturesUnordered<BoxFuture<'static, Event>>,
    ends: &Ends,
    wanted: impl Fn(&Declared) -> bool,
    wall: Option<Duration>,
    guard: Option<&Arc<DropGuard>>,
) {
    for registration in
        vm.registrations().iter().filter(|registration| wanted(&registration.declared))
    {
        let (vm, index) = (Arc::clone(vm), registration.handler.0);
        let what = if wall.is_some() { "stop" } else { "start" };
        let (guard, ends) = (guard.cloned(), ends.clone());
        events.push(Box::pin(async move {
            background(&vm, index, what, wall, &Json::Null, &ends).await;
            drop(guard);
            Event::Run
        }));
    }
}

/// Runs a hook or a timer: no message started it, so its failure goes to the log.
async fn background(
    vm: &Vm,
    index: usize,
    what: &str,
    wall: Option<Duration>,
    given: &Json,
    ends: &Ends,
) {
    let limits = vm.scope.host().limits();
    let limits = Limits { wall: wall.unwrap_or(limits.wall).min(limits.wall), ..limits };
    let id = vm.scope.host().names().name(what);
    let clock = vm.scope.host().clock();
    let run = Run::on_clock(clock, id, None, None, limits, CancellationToken::new());
    run.speak(vm.scope.host().own_lang());
    let Some(leave) = leave(vm, index, &run) else { return };
    let started_at_ms = clock.now().timestamp_millis();
    let entered = ends.live.enter(UnderWay {
        run: Arc::clone(&run),
        script: Arc::clone(vm.path()),
        version: vm.number,
        what: vm.registrations()[index].title(),
        started_at_ms,
    });
    if let Ok(outbox) = vm.scope.host().outbox() {
        let handler = format!("{}: {}", vm.path(), vm.registrations()[index].title());
        outbox.ledger().begins(run.id(), &handler, "");
    }
    let ended = drive(vm, &run, index, given).await;
    leave.ended(&ended);
    let posts = run.take_pending();
    if !posts.is_empty()
        && let Ok(outbox) = vm.scope.host().outbox()
        && let Err(error) = outbox.post(run.id(), posts).await
    {
        tracing::error!(script = %vm.path(), run.id = run.id(), "what `bot` {what} said was not kept: {error}");
    }
    tell(vm, index, &run, &ended, ends);
    drop(entered);
}

/// Says how a run ended that no message started, and no row of the inbox.
pub(super) fn tell(vm: &Vm, index: usize, run: &Run, ended: &Ended, ends: &Ends) {
    tell_of(vm, index, run, ended, ends, false);
}

/// Says how a run ended that no message started: to the log, and to whoever listens.
fn tell_of(vm: &Vm, index: usize, run: &Run, ended: &Ended, ends: &Ends, has_row: bool) {
    let registration = &vm.registrations()[index];
    let what = registration.title();
    let failed = match ended {
        Ended::Failed(failed) => {
            let line = registration.line;
            if let Some(world) = vm.scope.host().world() {
                world.failed(vm.path(), line, &what, &failed.full);
            }
            tracing::error!(script = %vm.path(), line, run.id = run.id(), "`bot.{what}` failed: {}", failed.full);
            Some(failed.short.clone())
        }
        Ended::Cancelled | Ended::NotApproved(_) | Ended::Done | Ended::Passed => None,
    };
    let finish = match ended {
        Ended::Failed(failed) => Finish::Failed(failed.full.clone()),
        Ended::Cancelled if run.stopped() == Some(Stop::Host) => Finish::Interrupted,
        Ended::Cancelled | Ended::NotApproved(_) => Finish::Cancelled,
        Ended::Done | Ended::Passed => Finish::Done,
    };
    let ended_at = vm.scope.host().clock().now().timestamp_millis();
    let age = i64::try_from(run.age().as_millis()).unwrap_or(i64::MAX);
    ends.tell(Background {
        script: Arc::clone(vm.path()),
        version: vm.number,
        what,
        run: run.id().to_owned(),
        failed,
        finish,
        has_row,
        started_at_ms: ended_at.saturating_sub(age),
        ended_at_ms: ended_at,
        said: run.said(),
        noted: run.noted(),
    });
}
