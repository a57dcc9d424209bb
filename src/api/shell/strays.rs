//! What a program leaves behind when it is gone: processes in sessions of their own, which the end of its group does not
//! reach.
//!
//! Each program is given a mark in its environment, and what it starts inherits it, through any number of forks and
//! sessions. Linux shows the environments of one's own processes; elsewhere nothing is found. A process that cleared its
//! environment is not found either, nor one that hides it (`ssh-agent` does): that is the way out which is left.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
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
pub(super) struct Mark {
    /// What the value begins with, and whether that is all of it.
    value: String,
    whole: bool,
}

/// One host after another on the same state folder.
#[derive(Clone, Debug, Default)]
pub(super) struct House(String);

impl House {
    pub(super) fn of(state: &Path) -> Self {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        Self(format!("{:016x}", hasher.finish()))
    }

    /// This process, among those that have held the folder.
    fn holder(&self) -> String {
        static HOST: OnceLock<u64> = OnceLock::new();
        format!("{}.{:016x}.", self.0, HOST.get_or_init(rand::random))
    }

    /// The mark of a program that is about to start.
    pub(super) fn mark(&self) -> Mark {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Mark { value: format!("{}{count}", self.holder()), whole: true }
    }

    /// Ends what hosts that are gone have left, asked first, killed at `deadline`. To be called by the one that holds the
    /// folder. Returns what there was.
    pub(super) async fn clear(&self, deadline: Instant) -> Vec<Stray> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let all = Mark { value: format!("{}.", self.0), whole: false };
        let holder = self.holder();
        let looked = tokio::task::spawn_blocking(move || all.strays()).await.unwrap_or_default();
        let left: Vec<Stray> =
            looked.into_iter().filter(|stray| !stray.mark.starts_with(&holder)).collect();
        for stray in &left {
            Mark { value: stray.mark.clone(), whole: true }.end(deadline).await;
        }
        left
    }
}

/// A process that was left behind.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) pid: u32,
    /// Its program, as the system calls it.
    pub(super) name: String,
    mark: String,
    #[cfg(target_os = "linux")]
    handle: std::os::fd::OwnedFd,
}

impl Mark {
    pub(super) fn value(&self) -> OsString {
        self.value.clone().into()
    }

    /// What bears it. Blocks: it looks at every process of this computer.
    #[cfg(target_os = "linux")]
    pub(super) fn strays(&self) -> Vec<Stray> {
        let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids =
            all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| self.borne_by(*pid).is_some())
            .filter_map(|pid| {
                use rustix::process::{Pid, PidfdFlags, pidfd_open};
                let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
                let handle = pidfd_open(raw, PidfdFlags::empty()).ok()?;
                // Looked at again, now that its number cannot be given away: it may have ended meanwhile.
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                let mark = self.borne_by(pid)?;
                Some(Stray { pid, name: name.trim().to_owned(), mark, handle })
            })
            .collect()
    }

    /// The mark of a process, if it is this one.
    #[cfg(target_os = "linux")]
    fn borne_by(&self, pid: u32) -> Option<String> {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        let found = variables.find_map(|one| {
            let value = one.strip_prefix(MARK.as_bytes())?.strip_prefix(b"=")?;
            String::from_utf8(value.to_vec()).ok()
        })?;
        let bears = if self.whole { found == self.value } else { found.starts_with(&self.value) };
        bears.then_some(found)
    }

    /// Names what the program `pid`, which ended by itself, left running: nobody else will.
    pub(super) async fn tell(self, pid: u32) {
        let left = tokio::task::spawn_blocking(move || self.strays()).await.unwrap_or_default();
        if !left.is_empty() {
            let left: Vec<String> =
                left.iter().map(|stray| format!("{} ({})", stray.pid, stray.name)).collect();
            let left = left.join(", ");
            tracing::warn!(pid, "a program that has ended left processes running: {left}");
        }
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
