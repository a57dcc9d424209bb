//! What `dev` and `run` share: a runtime, and Ctrl-C.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio_util::sync::CancellationToken;

use super::talk;

/// What is still open after `work` has ended (a blocking read, a name lookup) gets this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Signals this close together are one wish: `timeout` and some terminals send to the process and to its group.
const ONE_WISH: Duration = Duration::from_millis(300);

/// Runs `work` until it ends. The first Ctrl-C or `SIGTERM` cancels its token, the second one ends at once: what was
/// under way is in the journal, and the next start says so.
pub(super) fn serve<F>(work: impl FnOnce(CancellationToken) -> F) -> Result<ExitCode>
where
    F: Future<Output = Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("moonbell")
        .build()
        .context("cannot start the threads of the host")?;
    let code = runtime.block_on(async {
        let mut signals = Signals::new().context("cannot listen for Ctrl-C")?;
        let stop = CancellationToken::new();
        // On the heap: the future of a whole host is large.
        let mut work = Box::pin(work(stop.clone()));
        let mut asked = None;
        loop {
            tokio::select! {
                biased; // stopping wins over working
                () = signals.next() => {
                    let first = *asked.get_or_insert_with(Instant::now);
                    if stop.is_cancelled() && first.elapsed() < ONE_WISH {
                        continue;
                    }
                    if stop.is_cancelled() {
                        talk::say("stopped at once; the next start reports what was cut short");
                        return Ok(ExitCode::FAILURE);
                    }
                    talk::say("stopping; once more to stop at once");
                    stop.cancel();
                }
                ended = &mut work => return ended.map(|()| ExitCode::SUCCESS),
            }
        }
    });
    runtime.shutdown_timeout(PATIENCE);
    code
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
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
