//! A generation: one version of one script, its VM owned by one task that drives all its runs.
//!
//! Runs finish on the generation that started them. Its timers start with [`Generation::activate`] and stop with
//! [`Generation::retire`], so a reload doubles nothing; the VM goes when the last handle is dropped and the last run has
//! ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::run::{Limits, Run};
use crate::script::background::{Background, Ends};
use crate::script::drive::{Ended, Failed, drive};
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
}

#[derive(Debug)]
enum Order {
    Start {
        run: Arc<Run>,
        handler: HandlerKey,
        args: serde_json::Value,
        ended: oneshot::Sender<Ended>,
    },
    Activate,
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
        });
        let guard = closed.drop_guard();
        let ends = engine.ends.clone();
        engine.tasks.spawn_on(
            async move {
                serve(vm, queue, ends).await;
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

    /// Files that the script required.
    pub fn dependencies(&self) -> &[String] {
        &self.dependencies
    }

    /// Runs `handler` and returns how it ended. The run goes on when this future is dropped; [`Run::cancel`] stops it.
    ///
    /// `args` become `ctx.args`: an object of typed values, or a list. Afterwards [`Run::take_pending`] holds what was
    /// said and is not in the outbox yet.
    pub async fn start(
        &self,
        run: Arc<Run>,
        handler: HandlerKey,
        args: serde_json::Value,
    ) -> Ended {
        let (ended, outcome) = oneshot::channel();
        let order = Order::Start { run: Arc::clone(&run), handler, args, ended };
        let gone = || {
            run.end(Some("the host is stopping"));
            Ended::Failed(Failed::new("the host is stopping: this run was not finished"))
        };
        if self.orders.send(order).await.is_err() {
            return gone();
        }
        outcome.await.unwrap_or_else(|_| gone())
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
    /// Its timer ended with the generation.
    Off,
}

async fn serve(vm: Vm, mut queue: mpsc::Receiver<Order>, ends: Ends) {
    let vm = Arc::new(vm);
    let mut events: FuturesUnordered<BoxFuture<'static, Event>> = FuturesUnordered::new();
    // One entry for each `bot.every`, by its handler: whether its last beat still runs.
    let mut busy = vec![false; vm.registrations().len()];
    let timetables = Timetable::all(&vm);
    let timers = CancellationToken::new();
    let mut open = true;
    loop {
        tokio::select! {
            order = queue.recv(), if open => match order {
                Some(Order::Start { run, handler, args, ended }) => {
                    let (vm, ends) = (Arc::clone(&vm), ends.clone());
                    events.push(Box::pin(async move {
                        let outcome = if handler.0 < vm.functions.len() {
                            drive(&vm, &run, handler.0, &args).await
                        } else {
                            Ended::Failed(Failed::new("this handler belongs to another version of the script"))
                        };
                        if run.message().is_none() && handler.0 < vm.functions.len() {
                            tell(&vm, handler.0, &run, &outcome, &ends);
                        }
                        let _ = ended.send(outcome);
                        Event::Run
                    }));
                }
                Some(Order::Activate) => {
                    hooks(&vm, &mut events, &ends, |declared| matches!(declared, Declared::Start), None, None);
                    for registration in vm.registrations() {
                        if let Declared::Every { interval } = registration.declared {
                            events.push(beat(registration.handler.0, interval, timers.clone()));
                        }
                    }
                    for timetable in timetables.iter().flatten() {
                        events.push(timetable.first(timers.clone()));
                    }
                }
                Some(Order::Retire(guard)) => {
                    timers.cancel();
                    hooks(&vm, &mut events, &ends, |declared| matches!(declared, Declared::Stop), Some(STOP_TIME), Some(&guard));
                }
                None => {
                    open = false;
                    timers.cancel();
                }
            },
            Some(event) = events.next(), if !events.is_empty() => match event {
                Event::Run | Event::Off => {}
                Event::Due(index, at) => {
                    let Some(timetable) = timetables[index].as_ref().filter(|_| !timers.is_cancelled()) else {
                        continue;
                    };
                    events.push(timetable.after(at, timers.clone()));
                    if std::mem::replace(&mut busy[index], true) {
                        tracing::warn!(script = %vm.path(), "left out a scheduled run: the last one still runs");
                        continue;
                    }
                    let (vm, ends) = (Arc::clone(&vm), ends.clone());
                    let noted = timetable.note(at);
                    events.push(Box::pin(async move {
                        noted.await;
                        background(&vm, index, "cron", None, &ends).await;
                        Event::BeatDone(index)
                    }));
                }
                Event::BeatDone(index) => busy[index] = false,
                Event::Beat(index) => {
                    if timers.is_cancelled() {
                        continue;
                    }
                    if let Declared::Every { interval } = vm.registrations()[index].declared {
                        events.push(beat(index, interval, timers.clone()));
                    }
                    if std::mem::replace(&mut busy[index], true) {
                        tracing::debug!(script = %vm.path(), "left out a beat: the last one still runs");
                        continue;
                    }
                    let (vm, ends) = (Arc::clone(&vm), ends.clone());
                    events.push(Box::pin(async move {
                        background(&vm, index, "every", None, &ends).await;
                        Event::BeatDone(index)
                    }));
                }
            },
            else => break,
        }
    }
}

fn beat(index: usize, interval: Duration, timers: CancellationToken) -> BoxFuture<'static, Event> {
    Box::pin(async move {
        tokio::select! {
            () = timers.cancelled() => {}
            () = tokio::time::sleep(interval) => {}
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
            background(&vm, index, what, wall, &ends).await;
            drop(guard);
            Event::Run
        }));
    }
}

/// Runs a hook or a timer: no message started it, so its failure goes to the log.
async fn background(vm: &Vm, index: usize, what: &str, wall: Option<Duration>, ends: &Ends) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let limits = vm.scope.host().limits();
    let limits = Limits { wall: wall.unwrap_or(limits.wall).min(limits.wall), ..limits };
    let id = format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let run = Run::new(id, None, None, limits, CancellationToken::new());
    let ended = drive(vm, &run, index, &serde_json::Value::Null).await;
    let posts = run.take_pending();
    if !posts.is_empty()
        && let Ok(outbox) = vm.scope.host().outbox()
        && let Err(error) = outbox.post(run.id(), posts).await
    {
        tracing::error!(script = %vm.path(), run.id = run.id(), "what `bot` {what} said was not kept: {error}");
    }
    tell(vm, index, &run, &ended, ends);
}

/// Says how a run ended that no message started: to the log, and to whoever listens.
fn tell(vm: &Vm, index: usize, run: &Run, ended: &Ended, ends: &Ends) {
    let registration = &vm.registrations()[index];
    let what = registration.title();
    let failed = match ended {
        Ended::Failed(failed) => {
            let line = registration.line;
            tracing::error!(script = %vm.path(), line, run.id = run.id(), "`bot.{what}` failed: {}", failed.full);
            Some(failed.short.clone())
        }
        // Somebody stopped it: neither well nor ill.
        Ended::Cancelled => return,
        Ended::Done | Ended::Passed => None,
    };
    ends.tell(Background {
        script: Arc::clone(vm.path()),
        what,
        run: run.id().to_owned(),
        failed,
    });
}
