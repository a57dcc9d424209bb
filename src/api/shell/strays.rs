//! What a program leaves behind when it is gone: processes in sessions of their own, which the end of its group does not
//! reach.
//!
//! Each program is given a mark in its environment, and what it starts inherits it, through any number of forks and
//! sessions. Linux shows the environments of one's own processes; elsewhere nothing is found. A process that cleared its
//! environment is not found either, nor one that hides it (`ssh-agent` does): that is the way out which is left.

use std::ffi::OsString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The variable that holds the mark.
pub(super) const MARK: &str = "MOONBELL_PROCESS";

/// Between two looks: one that forks for ever must not fork for long.
const GLANCE: Duration = Duration::from_millis(20);

/// Looks after the kill: what still appears then forks faster than it can be found.
const ROUNDS: usize = 50;

/// Told apart from everything that another host, or an earlier one, has started.
#[derive(Clone, Debug)]
pub(super) struct Mark(String);

/// A process that was left behind.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) pid: u32,
    /// Its program, as the system calls it.
    pub(super) name: String,
    #[cfg(target_os = "linux")]
    handle: std::os::fd::OwnedFd,
}

impl Mark {
    pub(super) fn new() -> Self {
        static HOST: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let host = HOST.get_or_init(rand::random);
        Self(format!("{host:016x}.{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(super) fn value(&self) -> OsString {
        self.0.clone().into()
    }

    /// What bears it. Blocks: it looks at every process of this computer.
    #[cfg(target_os = "linux")]
    pub(super) fn strays(&self) -> Vec<Stray> {
        let wanted = format!("{MARK}={}", self.0).into_bytes();
        let bears = |pid: u32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|one| one == wanted)
        };
        let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids =
            all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| bears(*pid))
            .filter_map(|pid| {
                use rustix::process::{Pid, PidfdFlags, pidfd_open};
                let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
                let handle = pidfd_open(raw, PidfdFlags::empty()).ok()?;
                // Looked at again, now that its number cannot be given away: it may have ended meanwhile.
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                bears(pid).then(|| Stray { pid, name: name.trim().to_owned(), handle })
            })
            .collect()
    }

    /// Ends what bears it: asked first, killed at `deadline`. Returns what is left all the same.
    pub(super) async fn end(&self, deadline: Instant) -> Vec<Stray> {
        let mut asked = std::collections::BTreeSet::new();
        let mut rounds = 0;
        loop {
            let mark = self.clone();
            let found = tokio::task::spawn_blocking(move || mark.strays()).await;
            let found = found.unwrap_or_default();
            if found.is_empty() || rounds > ROUNDS {
                return found;
            }
            let over = Instant::now() >= deadline;
            rounds += usize::from(over);
            for stray in &found {
                if over {
                    stray.signal(true);
                } else if asked.insert(stray.pid) {
                    stray.signal(false);
                }
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn strays(&self) -> Vec<Stray> {
        Vec::new()
    }
}

impl Stray {
    /// Tells it to end, or kills it.
    fn signal(&self, kill: bool) {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Signal, pidfd_send_signal};
            let signal = if kill { Signal::KILL } else { Signal::TERM };
            let _ = pidfd_send_signal(&self.handle, signal); // it may have ended this moment
        }
        #[cfg(not(target_os = "linux"))]
        let _ = kill;
    }
}
