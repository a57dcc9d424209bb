//! Processes that belong to somebody: each has an owner, and none outlives it.
//!
//! A child leads a session and a process group of its own (a job object on Windows), so it has no terminal to ask at. When
//! it ends by itself, runs out of time, is killed, loses its handle or its run, or when the host closes, the whole group is
//! told to end ([`SIGTERM`]) and after [`GRACE`] killed. What left the group for a session of its own (`setsid`, a daemon)
//! is found by its [`Mark`]: it is ended with a program that was stopped, and named in the log after one that ended by
//! itself. The pipes it holds are not waited for. What a killed host leaves is ended by the next one of its state folder
//! ([`Processes::end_left_behind`]).
//!
//! Output is handed on through a bounded channel: a reader that is slow slows the program, memory stays flat.
//!
//! Knows nothing of Lua.

use std::any::Any;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::api::shell::command::{Command, SpawnError, Stdin};
use crate::api::shell::kin::Kin;
use crate::api::shell::pump::{CHUNKS, Pump};
use crate::api::shell::strays::{Folder, Mark};
use crate::api::shell::tree::Tree;

/// Processes of all runs together: far below what a desktop allows one person, far above what handlers need.
pub const MAX_OPEN: usize = 256;
/// Between "please end" and "be gone": time to write a file, not to make somebody wait who pressed Stop.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long output is awaited after the program itself has ended: `cmd &` in a shell is over when the shell is.
pub const LINGER: Duration = Duration::from_secs(1);
/// How often it is asked whether the rest of a group is gone.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a killed process may take to disappear; one that hangs in the kernel takes longer and is given up.
const REAP: Duration = Duration::from_secs(5);
/// `SIGTERM`, the same number everywhere.
pub const SIGTERM: i32 = 15;

/// Owner of all processes of a host. Cheap to clone.
#[derive(Clone)]
pub struct Processes(Arc<Inner>);

struct Inner {
    /// Where the supervising tasks run; `None`: on the runtime of the caller.
    runtime: Option<Handle>,
    tasks: TaskTracker,
    closing: CancellationToken,
    places: Arc<Semaphore>,
    limit: usize,
    folder: Folder,
}

impl Processes {
    /// Supervises on the runtime that this is called in, else on that of whoever spawns.
    pub fn new() -> Self {
        Self::with_limit(MAX_OPEN)
    }

    pub fn with_limit(limit: usize) -> Self {
        Self::of(limit, Folder::default())
    }

    /// Those of the host of the state folder `dir`, which it has to itself: what it leaves when it is killed is known to
    /// the next one.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn of_folder(limit: usize, dir: &Path) -> io::Result<Self> {
        Ok(Self::of(limit, Folder::open(dir)?))
    }

    fn of(limit: usize, folder: Folder) -> Self {
        Self(Arc::new(Inner {
            runtime: Handle::try_current().ok(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            places: Arc::new(Semaphore::new(limit)),
            limit,
            folder,
        }))
    }

    /// Ends what earlier hosts of the folder left running, as what is stopped is ended; what a program left that ended by
    /// itself is let live. Says so in the log. Call it before anything is started.
    pub async fn end_left_behind(&self) {
        let folder = self.0.folder.clone();
        let (ended, left) = folder.end_left_behind(GRACE).await;
        if !ended.is_empty() {
            let ended = ended.join(", ");
            warn!("programs that the last host left running were ended: {ended}");
        }
        if !left.is_empty() {
            warn!(?left, "what the last host left running does not end");
        }
        let tidied = tokio::task::spawn_blocking(move || folder.tidy()).await;
        if let Ok(Err(error)) = tidied {
            warn!(%error, "it cannot be noted which programs were left running");
        }
    }

    /// Starts a program. It ends at the latest when `over` is cancelled; `keep` is dropped once it is gone.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says why nothing was started.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped half-way, what was started is ended.
    pub async fn spawn(
        &self,
        command: Command,
        over: &CancellationToken,
        keep: impl Any + Send,
    ) -> Result<Process, SpawnError> {
        if self.0.closing.is_cancelled() {
            return Err(SpawnError::Closing);
        }
        let place = Arc::clone(&self.0.places)
            .try_acquire_owned()
            .map_err(|_| SpawnError::TooMany { limit: self.0.limit })?;
        let kill = CancellationToken::new();
        let guard = kill.clone().drop_guard();
        let (started, starting) = oneshot::channel();
        let (chunks, output) = mpsc::channel(CHUNKS);
        let (signal, signals) = mpsc::channel(1);
        let (exit, exited) = watch::channel(None);
        let supervisor = Supervisor {
            stops: Stops {
                kill: kill.clone(),
                over: over.clone(),
                closing: self.0.closing.clone(),
            },
            chunks,
            signals,
            exit,
            timeout: command.timeout,
            folder: self.0.folder.clone(),
            _keep: (place, Box::new(keep)),
        };
        let task = supervisor.run(command, started);
        match self.0.runtime.clone().or_else(|| Handle::try_current().ok()) {
            Some(runtime) => drop(self.0.tasks.spawn_on(task, &runtime)),
            None => return Err(SpawnError::Closing),
        }
        // Only a runtime that shuts down drops the task unanswered.
        let started = starting.await.unwrap_or(Err(SpawnError::Closing))?;
        Ok(Process {
            pid: started.pid,
            stdin: Mutex::new(started.stdin),
            output: Mutex::new(output),
            signal,
            exit: exited,
            kill,
            _guard: guard,
        })
    }

    /// Where supervising tasks run, and what ends all processes; `None` once nothing is started any more.
    pub(super) fn house(&self) -> Option<(Handle, &TaskTracker, CancellationToken)> {
        let runtime = self.0.runtime.clone().or_else(|| Handle::try_current().ok())?;
        Some((runtime, &self.0.tasks, self.0.closing.clone()))
    }

    /// Ends all processes and waits until they are gone; nothing is started any more.
    pub async fn close(&self) {
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.0.limit - self.0.places.available_permits()
    }
}

impl Default for Processes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes").field("open", &self.open()).finish_non_exhaustive()
    }
}

/// Which pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// A piece of output as it arrived.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub stream: Stream,
    pub bytes: Vec<u8>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// It ran out of its time.
    pub timed_out: bool,
    pub took: Duration,
}

impl Exit {
    pub fn ok(&self) -> bool {
        self.code == Some(0) && !self.timed_out
    }
}

/// What is written to a program goes here.
pub(super) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// A running program. Dropping it ends the program and what it started.
pub struct Process {
    pub(super) pid: u32,
    // Asynchronous locks: a reader keeps its turn while it waits, that is their point.
    pub(super) stdin: Mutex<Option<Input>>,
    pub(super) output: Mutex<mpsc::Receiver<Chunk>>,
    pub(super) signal: mpsc::Sender<i32>,
    pub(super) exit: watch::Receiver<Option<Exit>>,
    pub(super) kill: CancellationToken,
    pub(super) _guard: DropGuard,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The next piece of output; `None` at its end. While nobody asks, the program waits once its pipes are full.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn chunk(&self) -> Option<Chunk> {
        self.output.lock().await.recv().await
    }

    /// How it ended, once it has. Read the output first (or drop it): a full pipe keeps a program from ending.
    pub async fn exit(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await.ok().and_then(|exit| *exit);
        ended.unwrap_or(Exit { code: None, signal: None, timed_out: false, took: Duration::ZERO })
    }

    /// Whether and how it has ended.
    pub fn ended(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Writes to its standard input; waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` when the input is closed, by us or by the program.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdin = self.stdin.lock().await;
        let Some(pipe) = stdin.as_mut() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        pipe.write_all(bytes).await
    }

    /// Closes its standard input.
    pub async fn close_stdin(&self) {
        self.stdin.lock().await.take();
    }

    /// Ends it and what it started: asked first, killed after [`GRACE`].
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// Sends a signal to it and what it started; nothing happens once it has ended.
    pub async fn signal(&self, signal: i32) {
        let _ = self.signal.send(signal).await;
    }
}

struct Started {
    pid: u32,
    stdin: Option<Input>,
}

/// What ends a process from outside.
#[derive(Clone)]
pub(super) struct Stops {
    pub(super) kill: CancellationToken,
    pub(super) over: CancellationToken,
    pub(super) closing: CancellationToken,
}

impl Stops {
    pub(super) async fn any(&self) {
        tokio::select! {
            () = self.kill.cancelled() => {}
            () = self.nobody_reads() => {}
        }
    }

    /// The run has ended: its output interests nobody (the handle itself may wait for a garbage collector).
    pub(super) async fn nobody_reads(&self) {
        tokio::select! {
            () = self.over.cancelled() => {}
            () = self.closing.cancelled() => {}
        }
    }
}

/// The task that owns one process from start to end.
struct Supervisor {
    stops: Stops,
    chunks: mpsc::Sender<Chunk>,
    signals: mpsc::Receiver<i32>,
    exit: watch::Sender<Option<Exit>>,
    timeout: Option<Duration>,
    folder: Folder,
    /// Places that this process takes, given back at its end.
    _keep: (OwnedSemaphorePermit, Box<dyn Any + Send>),
}

impl Supervisor {
    async fn run(
        mut self,
        mut command: Command,
        started: oneshot::Sender<Result<Started, SpawnError>>,
    ) {
        let stdin = std::mem::take(&mut command.stdin);
        let pipe = !matches!(stdin, Stdin::Null);
        let begin = Instant::now();
        // Blocking: it looks for files and waits for the child's `exec`.
        let mark = Mark::new(&self.folder);
        let marked = mark.clone();
        let spawned =
            tokio::task::spawn_blocking(move || Tree::spawn(&command.resolve()?, pipe, &marked))
                .await;
        let mut tree = match spawned {
            Ok(Ok(tree)) => tree,
            Ok(Err(error)) => return drop(started.send(Err(error))),
            Err(_) => return drop(started.send(Err(SpawnError::Closing))),
        };
        let (mut input, content) = match stdin {
            Stdin::Bytes(bytes) => (None, tree.child.stdin().take().map(|pipe| (pipe, bytes))),
            Stdin::Pipe => (tree.child.stdin().take().map(|pipe| Box::new(pipe) as Input), None),
            Stdin::Null => (None, None),
        };
        let pid = tree.pid;
        if started.send(Ok(Started { pid, stdin: input.take() })).is_err() {
            self.stops.kill.cancel(); // nobody waits for it any more
        }
        let (out, err) = (tree.child.stdout().take(), tree.child.stderr().take());
        let dead = CancellationToken::new();
        let pump = |pipe| Pump {
            chunks: self.chunks.clone(),
            stops: self.stops.clone(),
            dead: dead.clone(),
            stream: pipe,
        };
        let (out_pump, err_pump) = (pump(Stream::Out), pump(Stream::Err));
        let (closed, _) = mpsc::channel(1);
        self.chunks = closed; // the channel ends with the pumps
        let pumps = async { tokio::join!(out_pump.run(out), err_pump.run(err)) };
        let feed = async {
            if let Some((mut pipe, bytes)) = content {
                let _ = pipe.write_all(&bytes).await; // a program need not read it all
            }
        };
        tokio::pin!(pumps, feed);
        let (mut fed, mut drained) = (false, false);
        let out_of_time = sleep_until(self.timeout.map(|timeout| begin + timeout));
        tokio::pin!(out_of_time);
        let mut timed_out = false;
        let mut ended = false;
        // Before it ended by itself; after that its handle goes, too.
        let mut stopped = false;
        // Set when the program has ended by itself: how long its output is awaited.
        let mut linger = None;
        // Set once the group was told to end: when it is killed.
        let mut deadline = None;
        // What it had started by then, in whatever session and environment.
        let mut kin = Vec::new();

        loop {
            if ended && drained && tree.is_gone() {
                break;
            }
            if ended && drained && deadline.is_none() {
                deadline = Some(tree.end()); // left behind in the background
            }
            tokio::select! {
                biased; // stopping wins over working
                () = self.stops.any(), if deadline.is_none() => {
                    stopped = !ended;
                    kin = kin_of(pid).await;
                    deadline = Some(tree.end());
                }
                () = &mut out_of_time, if deadline.is_none() && !ended => {
                    timed_out = true;
                    kin = kin_of(pid).await;
                    deadline = Some(tree.end());
                }
                () = sleep_until(deadline), if deadline.is_some() => break,
                () = sleep_until(linger), if deadline.is_none() && linger.is_some() => {
                    if tree.is_gone() {
                        break; // whoever holds the pipes has left the group
                    }
                    deadline = Some(tree.end());
                }
                Some(signal) = self.signals.recv() => tree.signal(signal),
                status = tree.wait(), if !ended => {
                    ended = true;
                    linger = Some(Instant::now() + LINGER);
                    self.publish(status, timed_out, begin);
                }
                _ = &mut pumps, if !drained => drained = true,
                () = &mut feed, if !fed => fed = true,
                () = tokio::time::sleep(GLANCE), if ended => {}
            }
        }
        tree.kill();
        dead.cancel();
        if !ended {
            if let Ok(status) = tokio::time::timeout(REAP, tree.wait()).await {
                self.publish(status, timed_out, begin);
            } else {
                warn!(pid, "a killed process does not disappear; giving it up");
            }
        }
        if !drained {
            pumps.await;
        }
        if stopped || timed_out {
            let left = mark.end(kin, deadline.unwrap_or_else(Instant::now)).await;
            if !left.is_empty() {
                warn!(pid, ?left, "what a stopped program left behind does not end");
            }
        } else {
            tell_left(pid, mark, self.folder).await;
        }
    }

    fn publish(&self, status: io::Result<ExitStatus>, timed_out: bool, begin: Instant) {
        let status = status.ok();
        let exit = Exit {
            code: status.and_then(|status| status.code()),
            signal: status.and_then(signal_of),
            timed_out,
            took: begin.elapsed(),
        };
        self.exit.send_replace(Some(exit));
    }
}

/// What `pid` has started, and what that has.
async fn kin_of(pid: u32) -> Vec<Kin> {
    tokio::task::spawn_blocking(move || Kin::of(pid)).await.unwrap_or_default()
}

/// Names what a program that ended by itself left running: nobody else will.
async fn tell_left(pid: u32, mark: Mark, folder: Folder) {
    let left = tokio::task::spawn_blocking(move || mark.let_go(&folder)).await.unwrap_or_default();
    if !left.is_empty() {
        let left: Vec<String> =
            left.iter().map(|stray| format!("{} ({})", stray.pid, stray.name)).collect();
        let left = left.join(", ");
        warn!(pid, "a program that has ended left processes running: {left}");
    }
}

/// Never, when there is no such moment.
async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

fn signal_of(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    {
        std::os::unix::process::ExitStatusExt::signal(&status)
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}
