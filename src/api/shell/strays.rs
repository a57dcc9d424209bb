//! What a program leaves behind when it is gone: processes in sessions of their own, which the end of its group does not
//! reach; and what a host leaves behind that is killed.
//!
//! Each program is given a mark in its environment, and what it starts inherits it, through any number of forks and
//! sessions. Linux shows the environments of one's own processes; elsewhere nothing is found. One that cleared its
//! environment, or hides it (`ssh-agent` does), is found as what it descends from ([`Kin`]), as long as its parents live:
//! a daemon without either is the way out which is left.
//!
//! A mark begins with the [`Folder`] whose host gave it, so that the next host of that folder knows what the one before
//! has left, and nothing else: neither a name nor a number of a process says so.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::kin::{Kin, ancestors};

/// The variable that holds the mark.
pub(super) const MARK: &str = "MOONBELL_PROCESS";

/// In the state folder: its id, and below it the marks of what was let go, a line each.
const FILE: &str = "processes";

/// Between two looks: one that forks for ever must not fork for long.
const GLANCE: Duration = Duration::from_millis(20);

/// Looks after the kill: what still appears then forks faster than it can be found.
const ROUNDS: usize = 50;

/// Told apart from everything that another host, or an earlier one, has started.
#[derive(Clone, Debug)]
pub(super) struct Mark(String);

/// What ties processes to the hosts of one state folder, one after another.
#[derive(Clone, Debug)]
pub(super) struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: String,
    /// `None`: of no folder.
    file: Option<PathBuf>,
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

impl Default for Folder {
    /// Of what keeps no state: nobody looks for what it leaves.
    fn default() -> Self {
        Self(Arc::new(Inner { id: "none".to_owned(), file: None }))
    }
}

impl Folder {
    /// Reads the id of the state folder `dir`, or gives it one. The caller has the folder to itself.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE);
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let id = match kept.lines().next().filter(|id| id.len() == 16) {
            Some(id) => id.to_owned(),
            None => {
                let id = format!("{:016x}", rand::random::<u64>());
                writeln!(private(OpenOptions::new().write(true).truncate(true), &path)?, "{id}")?;
                id
            }
        };
        // A copy of the folder is another folder, though the file says the same.
        let id = format!("{id}-{:x}", place(dir)?);
        Ok(Self(Arc::new(Inner { id, file: Some(path) })))
    }

    /// Ends what earlier hosts of this folder left running: asked first, killed after `grace`. Returns what was there, as
    /// it is to be told, and what is left all the same.
    pub(super) async fn end_left_behind(&self, grace: Duration) -> (Vec<String>, Vec<Stray>) {
        let Some(file) = self.0.file.clone() else { return (Vec::new(), Vec::new()) };
        let (own, earlier) = (format!("{}.{:016x}.", self.0.id, host()), format!("{}.", self.0.id));
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        let let_go: BTreeSet<String> = kept.lines().skip(1).map(str::to_owned).collect();
        // A host that was started by a program of the one before bears its mark itself.
        let family = ancestors();
        let find = move || {
            let mut found = marked(|mark| {
                mark.starts_with(&earlier) && !mark.starts_with(&own) && !let_go.contains(mark)
            });
            found.retain(|stray| !family.contains(&stray.pid));
            found
        };
        let (asked, left) = end(find, Instant::now() + grace).await;
        (asked.into_iter().map(|(pid, name)| format!("{pid} ({name})")).collect(), left)
    }

    /// What bears this mark was left running by a program that ended by itself: it may outlive the host.
    fn let_go(&self, mark: &Mark) {
        let Some(file) = &self.0.file else { return };
        let written = private(OpenOptions::new().append(true), file)
            .and_then(|mut file| file.write_all(format!("{}\n", mark.0).as_bytes()));
        if let Err(error) = written {
            tracing::warn!(path = %file.display(), "it cannot be noted what a program left running ({error}): after a crash it is ended");
        }
    }

    /// Forgets what was let go and has ended since. Blocks.
    pub(super) fn tidy(&self) -> io::Result<()> {
        let Some(file) = &self.0.file else { return Ok(()) };
        let kept = std::fs::read_to_string(file)?;
        if kept.lines().count() <= 1 {
            return Ok(());
        }
        let there: BTreeSet<String> = marked(|_| true).into_iter().map(|one| one.mark).collect();
        let lines = kept.lines().enumerate().filter(|(n, line)| *n == 0 || there.contains(*line));
        let mut text = String::with_capacity(kept.len());
        for (_, line) in lines {
            text.push_str(line);
            text.push('\n');
        }
        private(OpenOptions::new().write(true).truncate(true), file)?.write_all(text.as_bytes())
    }
}

impl Mark {
    pub(super) fn new(folder: &Folder) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}.{:016x}.{count}", folder.0.id, host()))
    }

    pub(super) fn value(&self) -> OsString {
        self.0.clone().into()
    }

    /// What bears it. Blocks: it looks at every process of this computer.
    pub(super) fn strays(&self) -> Vec<Stray> {
        marked(|mark| mark == self.0)
    }

    /// The same, of a program that ended by itself: it is left alone from now on, by the next host too. Blocks.
    pub(super) fn let_go(&self, folder: &Folder) -> Vec<Stray> {
        let left = self.strays();
        if !left.is_empty() {
            folder.let_go(self);
        }
        left
    }

    /// Ends what bears it, and `kin`: asked first, killed at `deadline`. Returns what is left all the same.
    pub(super) async fn end(&self, kin: Vec<Kin>, deadline: Instant) -> Vec<Stray> {
        let mark = self.clone();
        let find = move || {
            let mut found = mark.strays();
            let others =
                kin.iter().filter(|one| found.iter().all(|stray| stray.pid != one.stray.pid));
            let others: Vec<Stray> = others.filter_map(Kin::alive).collect();
            found.extend(others);
            found
        };
        end(find, deadline).await.1
    }
}

/// This process, among all that have marks.
fn host() -> u64 {
    static HOST: OnceLock<u64> = OnceLock::new();
    *HOST.get_or_init(rand::random)
}

/// Ends what `find` finds until that is nothing: asked first, killed at `deadline`. Returns what was asked, and what is
/// left all the same.
async fn end<F>(find: F, deadline: Instant) -> (BTreeMap<u32, String>, Vec<Stray>)
where
    F: Fn() -> Vec<Stray> + Send + Sync + 'static,
{
    let find = Arc::new(find);
    let mut asked = BTreeMap::new();
    let mut rounds = 0;
    loop {
        let look = Arc::clone(&find);
        let found = tokio::task::spawn_blocking(move || look()).await.unwrap_or_default();
        if found.is_empty() || rounds > ROUNDS {
            return (asked, found);
        }
        let over = Instant::now() >= deadline;
        rounds += usize::from(over);
        for stray in &found {
            if asked.insert(stray.pid, stray.name.clone()).is_none() && !over {
                stray.signal(false);
            } else if over {
                stray.signal(true);
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Processes with a mark that `wanted` picks. Blocks: it looks at every process of this computer.
#[cfg(target_os = "linux")]
fn marked(wanted: impl Fn(&str) -> bool) -> Vec<Stray> {
    let mark_of = |pid: u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut lines = environment.split(|byte| *byte == 0);
        lines.find_map(|line| {
            let value = line.strip_prefix(MARK.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok().filter(|mark| wanted(mark)).map(str::to_owned)
        })
    };
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| mark_of(*pid).is_some())
        .filter_map(|pid| {
            let found = Stray::at(pid)?;
            // Looked at again, now that its number cannot be given away: it may have ended meanwhile.
            Some(Stray { mark: mark_of(pid)?, ..found })
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn marked(_: impl Fn(&str) -> bool) -> Vec<Stray> {
    Vec::new()
}

/// What tells a folder from its copy.
#[cfg(unix)]
fn place(dir: &Path) -> io::Result<u64> {
    std::fs::metadata(dir).map(|about| std::os::unix::fs::MetadataExt::ino(&about))
}

#[cfg(not(unix))]
fn place(_: &Path) -> io::Result<u64> {
    Ok(0)
}

/// Opens a file that only its owner reads.
fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

impl Stray {
    /// The process that has this number now, whoever has it later.
    #[cfg(target_os = "linux")]
    pub(super) fn at(pid: u32) -> Option<Self> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let handle = pidfd_open(raw, PidfdFlags::empty()).ok()?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Some(Self { pid, name: name.trim().to_owned(), mark: String::new(), handle })
    }

    /// The same once more.
    #[cfg(target_os = "linux")]
    pub(super) fn again(&self) -> Option<Self> {
        let handle = self.handle.try_clone().ok()?;
        Some(Self { pid: self.pid, name: self.name.clone(), mark: self.mark.clone(), handle })
    }

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
