//! Watches a folder (of scripts, of settings) and hands out *settled* batches of changes.
//!
//! Editors save in several steps (truncate, write, rename, chmod); a batch comes once the folder has been quiet for
//! [`SETTLE`], or after [`LONGEST_WAIT`] of unrest. Every change is followed by a batch that was taken after it, so who
//! reads the files when a batch arrives ends up with the newest contents. Changes that nobody has asked for yet are
//! merged, never queued: memory is bounded by [`MAX_PATHS`], past it a batch only says "look at everything".
//!
//! Sub-folders, the folder itself being removed and made again, and links that lead out of the folder are followed.
//! Hidden files and folders (`.git`, `.a.swp`) are not reported. Knows nothing of what is in the files, and never reads one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tracing::warn;

/// How long the folder must be quiet: long enough for an editor's write-then-rename, short enough to feel instant
/// (a saved script answers within 100 ms, of which this is the largest part).
pub const SETTLE: Duration = Duration::from_millis(30);
/// A folder that never gets quiet still yields a batch this often.
pub const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// Paths named in one batch; a `git checkout` may touch more, and then naming them helps nobody.
pub const MAX_PATHS: usize = 1_024;
/// Folders and files looked at when links are searched: a link to `/` must not keep a core busy.
const MAX_ENTRIES: usize = 10_000;

/// What changed since the last batch.
#[derive(Debug, Default)]
pub struct Changes {
    /// Files and folders that were made, written, renamed or removed, as paths under the watched folder.
    pub paths: BTreeSet<PathBuf>,
    /// `paths` may be incomplete: look at the whole folder. Set for new, renamed and restored folders, and after an
    /// overflow.
    pub rescan: bool,
    /// Part of the folder cannot be watched any more; the owner should hear of it.
    pub problem: Option<WatchError>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.rescan && self.problem.is_none()
    }

    fn insert(&mut self, path: PathBuf) {
        if self.paths.len() < MAX_PATHS {
            self.paths.insert(path);
        } else if !self.paths.contains(&path) {
            self.rescan = true;
        }
    }

    fn merge(&mut self, newer: Self) {
        self.rescan |= newer.rescan;
        self.problem = newer.problem.or(self.problem.take());
        for path in newer.paths {
            self.insert(path);
        }
    }
}

/// Why a folder is not watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("cannot watch `{}`: the system's limit on watched folders is reached", path.display())]
    TooManyFolders { path: PathBuf },
    #[error("cannot watch `{}`: the system's limit on watchers (or open files) is reached", path.display())]
    TooManyWatchers { path: PathBuf },
    #[error("cannot watch `{}`: {reason}", path.display())]
    Other { path: PathBuf, reason: String },
}

impl WatchError {
    /// The reader's next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooManyFolders { .. } => {
                "on Linux: `sudo sysctl fs.inotify.max_user_watches=524288`; or watch a folder with fewer sub-folders"
            }
            Self::TooManyWatchers { .. } => {
                "on Linux: `sudo sysctl fs.inotify.max_user_instances=512`, and `ulimit -n 4096`"
            }
            Self::Other { .. } => {
                "check that the folder can be read and lies on a local disk; until then a change needs a restart"
            }
        }
    }

    fn new(path: &Path, error: notify::Error) -> Self {
        let path = error.paths.first().cloned().unwrap_or_else(|| path.to_owned());
        match error.kind {
            notify::ErrorKind::MaxFilesWatch => Self::TooManyFolders { path },
            notify::ErrorKind::Io(error) if too_many_files(&error) => {
                Self::TooManyWatchers { path }
            }
            notify::ErrorKind::Io(error) => Self::Other { path, reason: error.to_string() },
            kind => Self::Other { path, reason: format!("{}", notify::Error::new(kind)) },
        }
    }
}

/// EMFILE and ENFILE have the same numbers on every Unix.
fn too_many_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// A watched folder. Dropping it ends the watching.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch `dir` and everything below. The folder may be missing: its appearance is a change.
    ///
    /// # Errors
    ///
    /// When the system refuses to watch; [`WatchError::hint`] says what to do.
    pub fn start(dir: &Path) -> Result<Self, WatchError> {
        Self::begin(dir, true)
    }

    /// Begins to watch the files of `dir` alone, not those of its folders, nor where its links lead.
    ///
    /// # Errors
    ///
    /// As [`Watch::start`].
    pub fn start_flat(dir: &Path) -> Result<Self, WatchError> {
        Self::begin(dir, false)
    }

    fn begin(dir: &Path, deep: bool) -> Result<Self, WatchError> {
        let dir = std::path::absolute(dir).map_err(|error| WatchError::Other {
            path: dir.to_owned(),
            reason: error.to_string(),
        })?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        // Links are followed by us: notify would walk a link to `/` without a bound.
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(move |event| seen.note(event), config)
            .map_err(|error| WatchError::new(&dir, error))?;
        let mut eye = Eye { dir: dir.clone(), deep, watcher, watched: BTreeMap::new() };
        eye.aim(&shared, true)?;
        let on_thread = Arc::clone(&shared);
        // A thread, not a task: adding a watch and walking the folder block.
        let thread = thread::Builder::new()
            .name("moonbell-watch".to_owned())
            .spawn(move || eye.run(&on_thread))
            .map_err(|error| WatchError::Other { path: dir, reason: error.to_string() })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns the next settled batch; `None` when the watching has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe in `select!`: a batch is either returned or kept for the next call.
    pub async fn next(&mut self) -> Option<Changes> {
        loop {
            {
                let mut state = self.shared.lock();
                if !state.settled.is_empty() {
                    return Some(std::mem::take(&mut state.settled));
                }
                if state.ended {
                    return None;
                }
            }
            // A permit is kept when the batch came in between, so this wake-up cannot be lost.
            self.shared.batch.notified().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_all();
        if let Some(thread) = self.thread.take() {
            // Nothing in it waits for long; a panic in there has already been printed.
            let _ = thread.join();
        }
    }
}

/// What notify's thread, our thread and the reader share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes our thread: an event came, or it is time to stop.
    work: Condvar,
    /// Wakes the reader.
    batch: Notify,
}

#[derive(Debug, Default)]
struct State {
    view: View,
    pending: Changes,
    /// The folder itself (or a folder that leads to it) came or went: watch anew.
    moved: bool,
    /// When the first and the last event of `pending` came.
    unrest: Option<(Instant, Instant)>,
    settled: Changes,
    stop: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called on notify's thread, for every event: must be quick and must not call the watcher.
    fn note(&self, event: notify::Result<Event>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        match event {
            Ok(event) => {
                let mut relevant = false;
                if event.need_rescan() {
                    (state.pending.rescan, state.moved, relevant) = (true, true, true);
                }
                if !matters(event.kind) && !relevant {
                    return;
                }
                for path in &event.paths {
                    match state.view.place(path) {
                        Place::Inside(path) => state.pending.insert(path),
                        Place::Root => state.moved = true,
                        Place::Elsewhere => continue,
                    }
                    relevant = true;
                }
                if !relevant {
                    return;
                }
            }
            Err(error) => {
                let dir = state.view.dir.clone();
                state.pending.problem = Some(WatchError::new(&dir, error));
                state.pending.rescan = true;
            }
        }
        let now = Instant::now();
        state.unrest = Some((state.unrest.map_or(now, |(first, _)| first), now));
        drop(guard);
        self.work.notify_all();
    }

    /// Waits until a batch has settled; `None`: stop.
    fn settle(&self) -> Option<(Changes, bool)> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            let now = Instant::now();
            let wait = state.unrest.map(|(first, last)| {
                (last + SETTLE).min(first + LONGEST_WAIT).saturating_duration_since(now)
            });
            state = match wait {
                Some(Duration::ZERO) => {
                    state.unrest = None;
                    let moved = std::mem::take(&mut state.moved);
                    return Some((std::mem::take(&mut state.pending), moved));
                }
                Some(wait) => {
                    self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Reading a file is an event too; only what may change contents counts.
fn matters(kind: EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// How paths in events map to paths under the watched folder.
#[derive(Debug, Default)]
struct View {
    /// As asked for, absolute.
    dir: PathBuf,
    /// The folder without links, when it exists: what events name.
    real: Option<PathBuf>,
    /// Places outside that a link inside leads to → the link.
    links: BTreeMap<PathBuf, PathBuf>,
}

enum Place {
    Inside(PathBuf),
    Root,
    Elsewhere,
}

impl View {
    fn place(&self, path: &Path) -> Place {
        if self.dir.starts_with(path)
            || self.real.as_ref().is_some_and(|real| real.starts_with(path))
        {
            return Place::Root;
        }
        let inside = [self.real.as_ref(), Some(&self.dir)].into_iter().flatten();
        let inside = inside.map(|root| (root, &self.dir)).chain(&self.links);
        for (from, to) in inside {
            let Ok(rest) = path.strip_prefix(from) else { continue };
            if rest.components().any(is_hidden) {
                return Place::Elsewhere;
            }
            return Place::Inside(if rest.as_os_str().is_empty() {
                to.clone()
            } else {
                to.join(rest)
            });
        }
        // A folder on the way to a link's target came or went.
        if self.links.keys().any(|target| target.starts_with(path)) {
            Place::Root
        } else {
            Place::Elsewhere
        }
    }
}

fn is_hidden(component: Component<'_>) -> bool {
    component.as_os_str().as_encoded_bytes().starts_with(b".")
}

/// The thread's own state: the watcher and what it looks at.
struct Eye {
    dir: PathBuf,
    /// Whether what is in its folders counts.
    deep: bool,
    watcher: RecommendedWatcher,
    /// Folder → with everything below?
    watched: BTreeMap<PathBuf, bool>,
}

impl Eye {
    fn run(mut self, shared: &Shared) {
        while let Some((mut changes, moved)) = shared.settle() {
            // A folder may have got files before it was watched: watch first, then let the reader look at it all.
            let folder = changes.paths.iter().any(|path| path.is_dir());
            let again = moved || folder || changes.rescan;
            changes.rescan |= again;
            if let Err(problem) = self.aim(shared, again) {
                warn!(hint = problem.hint(), "{problem}");
                changes.problem = Some(problem);
                changes.rescan = true;
            }
            shared.lock().settled.merge(changes);
            shared.batch.notify_one();
        }
        shared.lock().ended = true;
        shared.batch.notify_one();
    }

    /// Watches the folder, the folder it lies in (to see it come back) and where its links lead.
    fn aim(&mut self, shared: &Shared, again: bool) -> Result<(), WatchError> {
        let real = self.dir.canonicalize().ok().filter(|real| real.is_dir());
        let mut wanted = BTreeMap::new();
        for path in [Some(&self.dir), real.as_ref()].into_iter().flatten() {
            if let Some(above) =
                path.ancestors().skip(1).find_map(|above| above.canonicalize().ok())
            {
                wanted.insert(above, false);
            }
        }
        let mut links = BTreeMap::new();
        if let Some(real) = &real {
            wanted.insert(real.clone(), self.deep);
            let links_out = if self.deep { links_out_of(real, &self.dir) } else { Vec::new() };
            for Link { at, target, is_dir } in links_out {
                if is_dir {
                    wanted.insert(target.clone(), true);
                } else if let Some(above) = target.parent() {
                    wanted.entry(above.to_owned()).or_insert(false);
                }
                links.insert(target, at);
            }
        }
        // Before the watches, so that their first event is understood.
        shared.lock().view = View { dir: self.dir.clone(), real, links };

        let gone: Vec<_> =
            self.watched.keys().filter(|path| !wanted.contains_key(*path)).cloned().collect();
        for path in gone {
            self.watched.remove(&path);
            let _ = self.watcher.unwatch(&path); // it is often gone by itself
        }
        let mut result = Ok(());
        for (path, deep) in wanted {
            if !again && self.watched.get(&path) == Some(&deep) {
                continue;
            }
            let mode = if deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match self.watcher.watch(&path, mode) {
                Ok(()) => {
                    self.watched.insert(path, deep);
                }
                // Removed since we looked: the folder above will tell.
                Err(notify::Error { kind: notify::ErrorKind::PathNotFound, .. }) => {
                    self.watched.remove(&path);
                }
                Err(error) => result = Err(WatchError::new(&path, error)),
            }
        }
        result
    }
}

struct Link {
    at: PathBuf,
    target: PathBuf,
    is_dir: bool,
}

/// Finds the links under `real` that lead out of it; `dir` is the name it goes by.
fn links_out_of(real: &Path, dir: &Path) -> Vec<Link> {
    let mut found = Vec::new();
    let mut folders = vec![real.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                warn!(folder = %dir.display(), "over {MAX_ENTRIES} entries: links in the rest are not watched");
                return found;
            }
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if path.components().next_back().is_some_and(is_hidden) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink()
                && let Ok(target) = path.canonicalize()
                && !target.starts_with(real)
                && let Ok(rest) = path.strip_prefix(real)
            {
                let (at, is_dir) = (dir.join(rest), target.is_dir());
                if is_dir && (real.starts_with(&target) || is_large(&target)) {
                    warn!(link = %at.display(), "not watching behind this link: it leads to a folder above, or is too large");
                    continue;
                }
                found.push(Link { at, target, is_dir });
            }
        }
    }
    found
}

/// Whether watching everything below would take more than [`MAX_ENTRIES`].
fn is_large(dir: &Path) -> bool {
    let (mut folders, mut seen) = (vec![dir.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return true;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    false
}
