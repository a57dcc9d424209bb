//! What `dev` and `run` share: a runtime, and Ctrl-C.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio_util::sync::CancellationToken;

use super::{lang, talk};
use crate::app;
use crate::telemetry::file;
use crate::words::commands::run as w;

/// What is still open after `work` has ended (a blocking read, a name lookup) gets this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Long enough to give a terminal its echo back.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Who waits longer than this wonders for what.
const SOON: Duration = Duration::from_secs(1);

/// Signals this close together are one wish: `timeout` and some terminals send to the process and to its group.
const ONE_WISH: Duration = Duration::from_millis(300);

/// From now on the log goes to a file in the state folder too. A host without it serves all the same.
pub(super) fn keep_log(state: &Path) {
    if let Err(error) = file::keep(state) {
        tracing::warn!(dir = %state.display(), "there will be no log for `moonbell logs`: {error}");
    }
}

/// Runs `work` until it ends. The first Ctrl-C, `SIGTERM` or `SIGHUP` cancels its token, the second one ends at once: what was
/// under way is in the journal, and the next start says so.
///
/// What takes longer than a moment to end is named.
pub(super) fn serve<F>(work: impl FnOnce(CancellationToken, Left) -> F) -> Result<ExitCode>
where
    F: Future<Output = Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("moonbell")
        .build()
        .context(crate::words::commands::errors::no_threads(lang::here()))?;
    let code = runtime.block_on(async {
        let mut signals =
            Signals::new().context(crate::words::commands::errors::no_signals(lang::here()))?;
        let stop = CancellationToken::new();
        // On the heap: the future of a whole host is large.
        let left = Left::default();
        let mut work = Box::pin(work(stop.clone(), left.clone()));
        let mut asked = None;
        let mut told = pin!(tokio::time::sleep(Duration::MAX));
        let mut telling = false;
        loop {
            tokio::select! {
                biased; // stopping wins over working
                () = signals.next() => {
                    let first = *asked.get_or_insert_with(Instant::now);
                    if stop.is_cancelled() && first.elapsed() < ONE_WISH {
                        continue;
                    }
                    if stop.is_cancelled() {
                        talk::say(w::stopped_at_once(lang::here()));
                        return Ok(ExitCode::FAILURE);
                    }
                    talk::say(w::stopping(lang::here()));
                    stop.cancel();
                    told.as_mut().reset(tokio::time::Instant::now() + SOON);
                    telling = true;
                }
                () = &mut told, if telling => {
                    telling = false;
                    if let Some(what) = left.what() {
                        talk::say(w::waiting_for(&what, lang::here()));
                    }
                }
                ended = &mut work => return ended.map(|()| ExitCode::SUCCESS),
            }
        }
    });
    runtime.shutdown_timeout(PATIENCE);
    code
}

/// Runs `work` until it ends, or until Ctrl-C: then there is no result. For what can be begun again at any moment.
pub(super) fn interruptible<T>(work: impl AsyncFnOnce() -> Result<T>) -> Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context(crate::words::commands::errors::no_threads(lang::here()))?;
    let done = runtime.block_on(async {
        let mut signals =
            Signals::new().context(crate::words::commands::errors::no_signals(lang::here()))?;
        let mut work = Box::pin(work());
        tokio::select! {
            () = signals.next() => Ok(None),
            done = &mut work => done.map(Some),
        }
    });
    // A question that was interrupted still waits for its line.
    runtime.shutdown_timeout(AT_ONCE);
    done
}

/// What a host that ends still waits for, once there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Left(Arc<OnceLock<app::Left>>);

impl Left {
    pub(super) fn of(&self, left: app::Left) {
        let _ = self.0.set(left);
    }

    fn what(&self) -> Option<String> {
        let left = self.0.get()?;
        let lang = lang::here();
        let parts = w::left(left.runs(), left.replies(), lang);
        Some(parts.unwrap_or_else(|| w::scripts_to_end(lang).to_owned()))
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// The terminal is gone; `None` where that was to be survived (`nohup`).
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if hangups_are_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(()) = async { self.hangup.as_mut()?.recv().await } => {}
        }
    }
}

/// Whether whoever started this process wants it to outlive its terminal. Listening would undo that.
#[cfg(unix)]
fn hangups_are_ignored() -> bool {
    // Where that cannot be told, hang-ups keep whatever effect they have.
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return true };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
