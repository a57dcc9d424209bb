//! Preemption: Lua runs a millisecond at most, then everybody else has a turn.
//!
//! A ticker thread bumps one counter every millisecond while any Lua runs. The interrupt of each VM compares it with
//! the value at the start of its slice: reading a clock there would make tight loops four times slower. When it moved,
//! the coroutine yields and its driver lets the others run.
//!
//! Some places cannot yield (string patterns, `sort`, metamethods): mlua goes on there. Limits are checked all the same,
//! and a run that was stopped is alternately asked to yield and hit with an error, until it is out. The driver never
//! resumes it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mlua::{Lua, Result as LuaResult, VmState};

use crate::api::Scope;
use crate::api::misuse;

/// The length of a slice: what a spinning script costs the others.
const TICK: Duration = Duration::from_millis(1);

/// Ticks without Lua after which the ticker sleeps: an idle host wakes nobody.
const IDLE_TICKS: u32 = 50;

/// What the top level of a script may take. It only declares things.
pub(super) const LOAD_TIME: Duration = Duration::from_secs(2);

/// The same for a script of other people, which is loaded to see what it asks for before anybody has said yes to it: a
/// folder of them must not keep the owner's own from serving.
pub(super) const THEIR_LOAD_TIME: Duration = Duration::from_millis(250);

static EPOCH: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static TICKER: OnceLock<Ticker> = OnceLock::new();

struct Ticker {
    thread: thread::Thread,
    asleep: AtomicBool,
}

/// Ends the current slice of every VM. The ticker does it; tests do it faster.
pub fn bump() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// Counts as running Lua while it lives, and keeps the ticker awake.
struct Awake;

impl Awake {
    fn new() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let ticker = TICKER.get_or_init(|| {
            let handle = thread::Builder::new()
                .name("moonbell-ticker".to_owned())
                .spawn(tick)
                .expect("a process that cannot start one thread cannot run anything");
            Ticker { thread: handle.thread().clone(), asleep: AtomicBool::new(false) }
        });
        if ticker.asleep.load(Ordering::SeqCst) {
            ticker.thread.unpark();
        }
        Self
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick() {
    let mut idle = 0;
    loop {
        thread::sleep(TICK);
        bump();
        if RUNNING.load(Ordering::SeqCst) > 0 {
            idle = 0;
            continue;
        }
        idle += 1;
        let Some(ticker) = TICKER.get().filter(|_| idle >= IDLE_TICKS) else { continue };
        // Says so before looking again: whoever starts Lua after that look sees the flag and unparks.
        ticker.asleep.store(true, Ordering::SeqCst);
        while RUNNING.load(Ordering::SeqCst) == 0 {
            thread::park();
        }
        ticker.asleep.store(false, Ordering::SeqCst);
        idle = 0;
    }
}

/// Never equal to the epoch: every interrupt takes the slow path.
const ALWAYS: u64 = u64::MAX;

/// The slice of one VM.
#[derive(Debug)]
pub(super) struct Slice {
    /// The epoch that the slice started in.
    seen: AtomicU64,
    preempted: AtomicBool,
    /// Whether a slice is under way. Outside of one the collector interrupts too, and there is nothing to judge.
    within: AtomicBool,
    /// Interrupts since the run was stopped, within this slice.
    stops: AtomicU64,
    /// What the top level may take.
    load_time: Duration,
    detail: Mutex<Detail>,
}

#[derive(Debug)]
struct Detail {
    started: Instant,
    /// Where the run was when it was stopped.
    stopped_at: Option<String>,
}

impl Slice {
    /// Installs the interrupt of a VM.
    pub(super) fn install(lua: &Lua, scope: &Scope, load_time: Duration) -> Arc<Self> {
        let slice = Arc::new(Self {
            seen: AtomicU64::new(0),
            preempted: AtomicBool::new(false),
            within: AtomicBool::new(false),
            stops: AtomicU64::new(0),
            load_time,
            detail: Mutex::new(Detail { started: Instant::now(), stopped_at: None }),
        });
        let (shared, scope) = (Arc::clone(&slice), scope.clone());
        lua.set_interrupt(move |lua| {
            let epoch = EPOCH.load(Ordering::Relaxed);
            if shared.seen.load(Ordering::Relaxed) == epoch {
                Ok(VmState::Continue)
            } else {
                shared.moved(lua, &scope, epoch)
            }
        });
        slice
    }

    #[cold]
    fn moved(&self, lua: &Lua, scope: &Scope, epoch: u64) -> LuaResult<VmState> {
        self.seen.store(epoch, Ordering::Relaxed);
        let elapsed = self.detail().started.elapsed();
        let Some(run) = scope.run() else {
            // The top level: nobody to yield to.
            let load_time = self.load_time;
            if elapsed > load_time && self.within.load(Ordering::Relaxed) {
                self.seen.store(ALWAYS, Ordering::Relaxed);
                let message =
                    format!("the top level ran for {load_time:?}: it may only declare handlers");
                // An error of an interrupt names no line: the traceback does.
                let traced = lua.traceback(Some(&message), 0).map(|text| text.to_string_lossy());
                return Err(misuse(traced.unwrap_or(message)));
            }
            return Ok(VmState::Continue);
        };
        run.peek(elapsed);
        if run.is_stopped() {
            self.seen.store(ALWAYS, Ordering::Relaxed);
            let tries = self.stops.fetch_add(1, Ordering::Relaxed);
            if tries == 0 {
                self.detail().stopped_at =
                    lua.traceback(None, 0).ok().map(|text| text.to_string_lossy());
            }
            // Where it can, it yields for good; where it cannot, mlua ignores that, and the next interrupt raises.
            if tries.is_multiple_of(2) {
                return Ok(VmState::Yield);
            }
            return Err(run.check().err().unwrap_or_else(|| misuse("this run was stopped")));
        }
        self.preempted.store(true, Ordering::Relaxed);
        Ok(VmState::Yield)
    }

    /// Runs `work` as one slice; returns its result, the time it took and whether it was preempted.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> (T, Duration, bool) {
        let _awake = Awake::new();
        let started = Instant::now();
        self.detail().started = started;
        self.preempted.store(false, Ordering::Relaxed);
        self.stops.store(0, Ordering::Relaxed);
        self.seen.store(EPOCH.load(Ordering::Relaxed), Ordering::Relaxed);
        self.within.store(true, Ordering::Relaxed);
        let result = work();
        self.within.store(false, Ordering::Relaxed);
        (result, started.elapsed(), self.preempted.load(Ordering::Relaxed))
    }

    /// Takes the traceback of the place where a run was stopped.
    pub(super) fn take_stopped_at(&self) -> Option<String> {
        self.detail().stopped_at.take()
    }

    fn detail(&self) -> std::sync::MutexGuard<'_, Detail> {
        self.detail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
