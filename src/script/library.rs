//! The scripts that are served, and how they change while they are.
//!
//! A [`Library`] is read: [`Library::snapshot`] hands out routes and editions that fit together and never change. Its
//! [`Keeper`] writes: it watches the folder, and for each settled change loads the scripts concerned beside the old
//! ones, and swaps in those that loaded and conflict with nobody. Whatever fails leaves its old version serving, and a
//! [`Report`] says so. Of a replaced version `bot.on("stop")` ends before `bot.on("start")` of the next begins; runs in
//! flight finish where they began.
//!
//! Knows nothing of messages and of who may do what.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::api::Host;
use crate::clock::Clock;
use crate::router::Routes;

use super::diagnostic::LoadError;
use super::edition::{Edition, Target};
use super::generation::Engine;
use super::loader::{Alive, Applied, Loader, Touched, Turn};
use super::registration::{Declared, Registration};
use super::report::{Outcome, Report};
use super::review::Reviews;
use super::scan::FolderError;
use crate::watch::{Changes, Watch, WatchError};

/// Reports that a slow listener may lag behind: a `git checkout` of many scripts.
const REPORTS: usize = 256;

/// How long the next version waits for the last one's `bot.on("stop")`, which has a limit of its own.
const STOP_PATIENCE: Duration = Duration::from_secs(6);

/// How long `bot.save` waits for runs that began before the script was saved. Messages wait meanwhile.
const LAST_RUNS: Duration = Duration::from_millis(500);

/// What is served at one moment: routes, and the editions that they lead to.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) routes: Routes<Target>,
    pub(super) editions: HashMap<u64, Arc<Edition>>,
    pub(super) scripts: Vec<Status>,
}

/// How it stands with one script.
#[derive(Clone, Debug)]
pub struct Status {
    /// Path below the scripts folder.
    pub script: String,
    /// The version that serves; `None`: the file has never loaded.
    pub serving: Option<Serving>,
    /// Why the file as it is now does not serve, and since when that is known.
    pub failure: Option<(LoadError, DateTime<Local>)>,
}

#[derive(Clone, Copy, Debug)]
pub struct Serving {
    pub number: u64,
    pub loaded_at: DateTime<Local>,
    pub handlers: usize,
}

impl Snapshot {
    pub fn routes(&self) -> &Routes<Target> {
        &self.routes
    }

    /// The edition that a target of these routes leads to.
    pub fn edition(&self, target: Target) -> Option<&Arc<Edition>> {
        self.editions.get(&target.edition)
    }

    /// The declarations that `wanted` picks, each with the edition that serves it, by script and line.
    pub fn declaring(
        &self,
        wanted: impl Fn(&Declared) -> bool,
    ) -> Vec<(&Arc<Edition>, &Registration)> {
        let mut found: Vec<_> = self
            .editions
            .values()
            .flat_map(|edition| {
                let registrations = edition.generation().registrations().iter();
                registrations.map(move |registration| (edition, registration))
            })
            .filter(|(_, registration)| wanted(&registration.declared))
            .collect();
        found.sort_by_key(|(edition, registration)| {
            (Arc::clone(edition.script()), registration.handler)
        });
        found
    }

    /// All scripts of the folder, by name.
    pub fn scripts(&self) -> &[Status] {
        &self.scripts
    }
}

/// The readers' side. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Library {
    current: watch::Receiver<Arc<Snapshot>>,
    reports: broadcast::Sender<Arc<Report>>,
    rescan: Arc<Notify>,
    alive: Alive,
    clock: Clock,
}

impl Library {
    /// Loads all scripts of `dir`, on this thread. They serve at once; hooks and timers begin with [`Keeper::run`].
    ///
    /// # Errors
    /// When the folder cannot be read. A script that does not load is a [`Report`].
    pub fn open(dir: &Path, host: Host, engine: Engine) -> Result<(Self, Keeper), FolderError> {
        // Watching begins before the first look, so that no change falls between the two.
        let watch = Watch::start(dir);
        let clock = host.clock().clone();
        let mut loader = Loader::new(dir, host, engine);
        let first = loader.open()?;
        let (publish, current) = watch::channel(first.snapshot.clone().unwrap_or_default());
        let (reports, _) = broadcast::channel(REPORTS);
        let library = Self {
            current,
            reports: reports.clone(),
            rescan: Arc::default(),
            alive: loader.alive(),
            clock,
        };
        let loader = Arc::new(Mutex::new(loader));
        let rescan = Arc::clone(&library.rescan);
        let turns = Turns::default();
        let reviews = Reviews::new(dir);
        Ok((library, Keeper { loader, watch, publish, reports, rescan, first, turns, reviews }))
    }

    /// Loads the scripts of `dir` once, on this thread: all of them, or `only` one. They serve until the library is
    /// dropped, and no change is looked for. Unless they are `alive`, hooks and timers never begin.
    ///
    /// # Errors
    /// When the folder cannot be read. A script that does not load is a [`Report`].
    pub async fn open_still(
        dir: &Path,
        only: Option<&str>,
        alive: bool,
        host: Host,
        engine: Engine,
    ) -> Result<(Self, Vec<Report>), FolderError> {
        let clock = host.clock().clone();
        let mut loader = Loader::new(dir, host, engine);
        let first = match only {
            Some(name) => loader.open_only(name),
            None => loader.open()?,
        };
        let (_, current) = watch::channel(first.snapshot.clone().unwrap_or_default());
        let (reports, _) = broadcast::channel(REPORTS);
        let (rescan, vms) = (Arc::default(), loader.alive());
        for new in first.turns.iter().filter_map(|turn| turn.new.as_ref()).filter(|_| alive) {
            new.generation().activate().await;
        }
        Ok((Self { current, reports, rescan, alive: vms, clock }, first.reports))
    }

    /// The time that its scripts live by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is served now. Never waits for a load; hold it as long as one message takes.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.borrow())
    }

    /// Tells of each new snapshot.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.current.clone()
    }

    /// What becomes of each save from now on; those of the first load come when the keeper begins.
    pub fn reports(&self) -> broadcast::Receiver<Arc<Report>> {
        self.reports.subscribe()
    }

    /// Looks at the whole folder again, whether or not something was seen to change.
    pub fn rescan(&self) {
        self.rescan.notify_one();
    }

    /// VMs that are alive: those that serve, and replaced ones whose runs have not ended.
    pub fn live(&self) -> usize {
        self.alive.count()
    }
}

/// The writer's side: one task.
#[derive(Debug)]
pub struct Keeper {
    loader: Arc<Mutex<Loader>>,
    watch: Result<Watch, WatchError>,
    publish: watch::Sender<Arc<Snapshot>>,
    reports: broadcast::Sender<Arc<Report>>,
    rescan: Arc<Notify>,
    first: Applied,
    turns: Turns,
    reviews: Reviews,
}

impl Keeper {
    /// Keeps the library up to date until `stop`; then every script has had its `bot.on("stop")`.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Err(problem) = &self.watch {
            self.report(folder_problem(problem));
        }
        let mut again = self.adopt(None);
        loop {
            let touched = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = self.turns.tasks.join_next() => continue,
                Some(found) = self.reviews.next() => {
                    for report in found {
                        self.report(report);
                    }
                    continue;
                },
                changes = next(&mut self.watch) => {
                    let Some(changes) = changes else {
                        error!("the scripts folder is no longer watched: restart to see changes");
                        let reason = "the watcher ended".to_owned();
                        self.watch = Err(WatchError::Other { path: "scripts".into(), reason });
                        continue;
                    };
                    if let Some(problem) = &changes.problem {
                        self.report(folder_problem(problem));
                    }
                    Touched { paths: changes.paths, rescan: changes.rescan }
                },
                () = self.rescan.notified() => Touched { rescan: true, ..Touched::default() },
                () = at(again) => Touched::default(),
            };
            let loader = Arc::clone(&self.loader);
            let work =
                move || loader.lock().unwrap_or_else(PoisonError::into_inner).apply(&touched);
            // Loading blocks: it runs the scripts' top level.
            again = match tokio::task::spawn_blocking(work).await {
                Ok(applied) => self.adopt(Some(applied)),
                Err(panic) => {
                    error!(
                        "a reload failed inside moonbell, what was served is served on: {panic}"
                    );
                    None
                }
            };
        }
        self.close().await;
    }

    /// Publishes what a look at the folder changed; returns when to look again unasked.
    fn adopt(&mut self, applied: Option<Applied>) -> Option<Instant> {
        let is_save = applied.is_some();
        let mut applied = applied.unwrap_or_else(|| std::mem::take(&mut self.first));
        if let Some(snapshot) = applied.snapshot {
            self.publish.send_replace(snapshot);
        }
        for turn in applied.turns {
            self.turns.take(turn);
        }
        for report in applied.reports {
            self.report(report);
        }
        // Not at the start: what is there has served before, and `check` tells.
        if is_save {
            self.reviews.want(std::mem::take(&mut applied.saved));
        }
        applied.again
    }

    fn report(&self, report: Report) {
        // Nobody listening is nobody's mistake.
        let _ = self.reports.send(Arc::new(report));
    }

    async fn close(mut self) {
        let serving: Vec<Arc<Edition>> = self.publish.borrow().editions.values().cloned().collect();
        for edition in serving {
            edition.replace();
            self.turns.take(Turn { old: Some(edition), new: None });
        }
        self.publish.send_replace(Arc::default());
        while self.turns.tasks.join_next().await.is_some() {}
    }
}

/// Hooks and timers change hands, for each script one turn after another.
#[derive(Debug, Default)]
struct Turns {
    tasks: JoinSet<()>,
    /// Script to the end of its last turn.
    last: HashMap<Arc<str>, CancellationToken>,
}

impl Turns {
    fn take(&mut self, turn: Turn) {
        let Some(script) =
            turn.old.as_ref().or(turn.new.as_ref()).map(|edition| Arc::clone(edition.script()))
        else {
            return;
        };
        let done = CancellationToken::new();
        self.last.retain(|_, last| !last.is_cancelled());
        let before = self.last.insert(script, done.clone());
        self.tasks.spawn(async move {
            let _done = done.drop_guard();
            if let Some(before) = before {
                before.cancelled().await;
            }
            if let Some(old) = turn.old {
                let (generation, left) = (Arc::clone(old.generation()), old.left());
                drop(old);
                // Also when it was saved again meanwhile: what is handed over goes from hand to hand.
                let next = turn.new.as_ref().map(|new| new.generation());
                if let Some(next) = next.filter(|next| next.restores()) {
                    // A run that is just ending still changes what is saved; a long one would keep everybody waiting.
                    let _ = timeout(LAST_RUNS, left.cancelled()).await;
                    next.restore(generation.save().await).await;
                }
                generation.retire().await;
                let _ = timeout(STOP_PATIENCE, generation.stopped().cancelled()).await;
            } else if let Some(new) = &turn.new {
                new.generation().restore(None).await;
            }
            // Saved again meanwhile: a version that never started need not.
            if let Some(new) = turn.new.filter(|new| !new.is_replaced()) {
                new.generation().activate().await;
            }
        });
    }
}

async fn next(watch: &mut Result<Watch, WatchError>) -> Option<Changes> {
    match watch {
        Ok(watch) => watch.next().await,
        Err(_) => std::future::pending().await,
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

fn folder_problem(problem: &WatchError) -> Report {
    Report::new("", Outcome::Folder { problem: problem.to_string(), hint: problem.hint() })
}
