//! From what lies in the folder to what is served: which scripts a change concerns, what becomes of each.
//!
//! Compares contents, not times: a save that changes nothing loads nothing, and however often a file is written, a load
//! sees its last content. A script depends on every file that its `require` asked for, found or not, so a module that
//! appears or is mended reloads those that wanted it, and nobody else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};
use tokio_util::sync::CancellationToken;

use crate::api::Host;
use crate::router::Fault;
use crate::router::Handler;
use crate::router::Routes;

use super::asked::{self, Standing};
use super::diagnostic::{LoadError, LoadErrorKind};
use super::edition::{Candidate, Edition, Target};
use super::generation::Engine;
use super::library::{Serving, Snapshot, Status};
use super::report::{Outcome, Report};
use super::require::{Folder, Resolver};
use super::scan::{self, Fingerprint, FolderError, Look, Recorder};
use super::vm::{Source, Vm};

/// How long a served file may be missing or empty before that is meant: some editors remove a file and then write it.
const GRACE: Duration = Duration::from_millis(250);

/// What may have changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Absolute, under the folder.
    pub(super) paths: BTreeSet<PathBuf>,
    pub(super) rescan: bool,
}

/// What a look at the folder led to.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// New when anything changed that readers see.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) turns: Vec<Turn>,
    pub(super) reports: Vec<Report>,
    /// Scripts that were taken in, and the files they require.
    pub(super) saved: BTreeSet<String>,
    /// When to look again, though nothing changes.
    pub(super) again: Option<Instant>,
    /// A script that never served went.
    forgot: bool,
}

/// One version hands over to another.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) old: Option<Arc<Edition>>,
    pub(super) new: Option<Arc<Edition>>,
}

/// Ends of the VMs that were served and may still be there. Apart from the loader, which is busy while it loads.
#[derive(Clone, Debug, Default)]
pub(super) struct Alive(Arc<Mutex<Vec<CancellationToken>>>);

impl Alive {
    fn insert(&self, closed: CancellationToken) {
        self.count();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(closed);
    }

    pub(super) fn count(&self) -> usize {
        let mut alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alive.retain(|closed| !closed.is_cancelled());
        alive.len()
    }
}

pub(super) struct Loader {
    dir: PathBuf,
    host: Host,
    engine: Engine,
    scripts: BTreeMap<String, Script>,
    next_id: u64,
    alive: Alive,
    /// Warnings that were reported and still hold.
    warned: BTreeSet<String>,
    /// What was last reported about the folder itself.
    folder_problem: Option<String>,
}

#[derive(Default)]
struct Script {
    serving: Option<Arc<Edition>>,
    /// Versions that have served.
    count: u64,
    failure: Option<(LoadError, DateTime<Local>)>,
    /// The content that was last tried.
    tried: Option<Fingerprint>,
    /// What it asked `require` for, and what was there.
    dependencies: BTreeMap<String, Option<Fingerprint>>,
    /// Since when its file is missing or empty although it serves.
    absent: Option<Instant>,
    /// Of the two, missing.
    gone: bool,
}

impl Script {
    fn failed_by_conflict(&self) -> bool {
        self.failure.as_ref().is_some_and(|(error, _)| error.kind == LoadErrorKind::Conflict)
    }
}

/// What a look at one script says to do.
enum Step {
    Nothing,
    Load(Look),
    Remove,
    Fail(LoadError),
    Wait,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Loader {
    pub(super) fn new(dir: &Path, host: Host, engine: Engine) -> Self {
        // The watcher names absolute paths.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let (scripts, alive, warned) = (BTreeMap::new(), Alive::default(), BTreeSet::new());
        Self { dir, host, engine, scripts, next_id: 1, alive, warned, folder_problem: None }
    }

    /// The first look.
    pub(super) fn open(&mut self) -> Result<Applied, FolderError> {
        scan::scripts(&self.dir, self.host.asked())?;
        Ok(self.apply(&Touched { rescan: true, ..Touched::default() }))
    }

    /// The first look, at one script alone.
    pub(super) fn open_only(&mut self, name: &str) -> Applied {
        let mut applied = Applied::default();
        let mut candidates = Vec::new();
        self.look(name, Some(&self.dir.join(name)), &mut candidates, &mut applied);
        self.commit(candidates, &mut applied);
        self.publish(&mut applied);
        applied
    }

    pub(super) fn alive(&self) -> Alive {
        self.alive.clone()
    }

    /// Looks at what was touched, loads what has to be, and swaps what can be.
    pub(super) fn apply(&mut self, touched: &Touched) -> Applied {
        let mut applied = Applied::default();
        let on_disk = match scan::scripts(&self.dir, self.host.asked()) {
            Ok(on_disk) => on_disk,
            Err(error) => {
                // A folder that is gone takes no handlers with it: more likely a disk or a checkout than a wish.
                let problem = error.to_string();
                if self.folder_problem.as_ref() != Some(&problem) {
                    let outcome = Outcome::Folder { problem: problem.clone(), hint: error.hint() };
                    applied.reports.push(Report::new("", outcome));
                    self.folder_problem = Some(problem);
                }
                return applied;
            }
        };
        // Cleared in any case: when the folder goes again, that is news again.
        let came_back = self.folder_problem.take().is_some();
        let rescan = touched.rescan || came_back;
        let touched: BTreeSet<String> =
            touched.paths.iter().filter_map(|path| self.relative(path)).collect();

        let names: BTreeSet<String> = on_disk.keys().chain(self.scripts.keys()).cloned().collect();
        // The owner's own first: no script of other people takes a name from them, at the start either.
        let (theirs, own): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.host.asked_folder(name).is_some());
        let mut candidates = Vec::new();
        for name in own.into_iter().chain(theirs) {
            let concerned = rescan || self.is_concerned(&name, &touched);
            if concerned {
                self.look(&name, on_disk.get(&name), &mut candidates, &mut applied);
            }
        }
        // Whoever lost a name to another script may get it now.
        if !candidates.is_empty() || !applied.turns.is_empty() {
            self.add_waiting(&on_disk, &mut candidates, &mut applied);
        }
        self.commit(candidates, &mut applied);
        if applied.forgot
            || !applied.turns.is_empty()
            || applied.reports.iter().any(Report::is_failure)
        {
            self.publish(&mut applied);
        }
        applied
    }

    fn relative(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.dir).ok()?;
        let parts: Vec<_> =
            below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        Some(parts.join("/"))
    }

    fn is_concerned(&self, name: &str, touched: &BTreeSet<String>) -> bool {
        let Some(script) = self.scripts.get(name) else { return true };
        let below_touched =
            |path: &str| path.match_indices('/').any(|(at, _)| touched.contains(&path[..at]));
        touched.contains(name)
            || below_touched(name)
            || script.absent.is_some()
            || script.dependencies.keys().any(|path| touched.contains(path) || below_touched(path))
    }

    /// Looks at one script and does what needs no agreement with the others.
    fn look(
        &mut self,
        name: &str,
        path: Option<&PathBuf>,
        candidates: &mut Vec<Candidate>,
        applied: &mut Applied,
    ) {
        match self.step(name, path) {
            Step::Nothing => {}
            Step::Wait => {
                let due = self
                    .scripts
                    .get(name)
                    .and_then(|script| script.absent)
                    .map(|since| since + GRACE);
                applied.again = applied.again.into_iter().chain(due).min();
            }
            Step::Remove => self.remove(name, applied),
            Step::Fail(error) => self.fail(name, error, applied),
            Step::Load(look) => match self.load(name, look) {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => self.fail(name, error, applied),
            },
        }
    }

    fn step(&mut self, name: &str, path: Option<&PathBuf>) -> Step {
        let folder = self.folder(name);
        let look = path.map_or(Look::Gone, |path| scan::read(path));
        let found = self.fingerprint(name, &look);
        let script = self.scripts.entry(name.to_owned()).or_default();
        script.gone = matches!(look, Look::Gone);
        let is_empty =
            matches!(&look, Look::Bytes(bytes) if bytes.iter().all(u8::is_ascii_whitespace));
        if script.gone || (is_empty && script.serving.is_some() && script.tried != Some(found)) {
            if script.serving.is_none() {
                return Step::Remove;
            }
            let since = *script.absent.get_or_insert_with(Instant::now);
            if since.elapsed() < GRACE {
                return Step::Wait;
            }
            if script.gone {
                return Step::Remove;
            }
            script.absent = None;
            script.tried = Some(found);
            let message = "the file is empty; remove it to end its handlers";
            return Step::Fail(LoadError::new(LoadErrorKind::Empty, name, message));
        }
        script.absent = None;
        let known =
            script.dependencies.iter().all(|(path, then)| scan::module(&folder, path) == *then);
        if script.tried == Some(found) && known { Step::Nothing } else { Step::Load(look) }
    }

    /// Loads a script beside the one that serves.
    fn load(&mut self, name: &str, look: Look) -> Result<Candidate, LoadError> {
        let folder = self.folder(name);
        let recorder = Arc::new(Recorder::new(folder));
        let found = self.fingerprint(name, &look);
        let loaded = match look {
            Look::Bytes(bytes) => {
                let source = Source { path: name.to_owned(), bytes };
                Vm::load(&source, &self.host, Arc::clone(&recorder) as Arc<dyn Resolver>)
            }
            other => Err(scan::unusable(name, &other)),
        };
        let script = self.scripts.entry(name.to_owned()).or_default();
        script.tried = Some(found);
        script.dependencies = recorder.asked();
        let id = self.next_id;
        self.next_id += 1;
        let vm = loaded?;
        asked::granted(&self.host, &self.dir, name, &vm.needs())?;
        Candidate::new(id, vm, |path| text_of(&self.dir, path))
    }

    /// What a script may require from.
    fn folder(&self, name: &str) -> Folder {
        Folder::new(&self.dir).only(self.host.asked_folder(name).unwrap_or_default())
    }

    /// Tells one state of a script from another: its content, and what was granted to it.
    fn fingerprint(&self, name: &str, look: &Look) -> Fingerprint {
        let mark = Standing::of(&self.host, &self.dir, name).mark();
        scan::fingerprint(look).rotate_left(1) ^ scan::content(mark.as_bytes())
    }

    /// Loads again those that only a conflict kept out.
    fn add_waiting(
        &mut self,
        on_disk: &BTreeMap<String, PathBuf>,
        candidates: &mut Vec<Candidate>,
        applied: &mut Applied,
    ) {
        let waiting: Vec<String> = self
            .scripts
            .iter()
            .filter(|(name, script)| {
                script.failed_by_conflict()
                    && candidates.iter().all(|one| **one.script() != ***name)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in waiting {
            let look = on_disk.get(&name).map_or(Look::Gone, |path| scan::read(path));
            match self.load(&name, look) {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => self.fail(&name, error, applied),
            }
        }
    }

    /// Swaps in the candidates that conflict with nobody; the others fail.
    fn commit(&mut self, mut candidates: Vec<Candidate>, applied: &mut Applied) {
        // All at once first: two scripts may have exchanged their commands.
        if self.conflicts(&candidates.iter().collect::<Vec<_>>(), true).is_empty() {
            for candidate in candidates {
                self.swap(candidate, applied);
            }
            return;
        }
        loop {
            let mut held = Vec::new();
            let before = candidates.len();
            for candidate in candidates {
                if self.conflicts(&[&candidate], true).is_empty() {
                    self.swap(candidate, applied);
                } else if self.conflicts(&[&candidate], false).is_empty() {
                    // Only a file that has just gone stands in the way: this is its new name.
                    let gone = self
                        .scripts
                        .iter()
                        .filter(|(_, script)| script.gone && script.serving.is_some());
                    for name in gone.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                        self.remove(&name, applied);
                    }
                    self.swap(candidate, applied);
                } else {
                    held.push(candidate);
                }
            }
            candidates = held;
            if candidates.is_empty() || candidates.len() == before {
                break;
            }
        }
        // What is left may still fit together, as two that exchange a name do.
        if !candidates.is_empty()
            && self.conflicts(&candidates.iter().collect::<Vec<_>>(), true).is_empty()
        {
            for candidate in candidates.drain(..) {
                self.swap(candidate, applied);
            }
        }
        for candidate in candidates {
            let faults = self.conflicts(&[&candidate], false);
            if let Some(fault) = faults.first() {
                let script = candidate.script().to_string();
                let error = conflict_error(fault, &script, |path| text_of(&self.dir, path));
                drop(candidate);
                self.fail(&script, error, applied);
            }
        }
    }

    /// What would be wrong if `candidates` served in place of their older versions.
    fn conflicts(&self, candidates: &[&Candidate], with_gone: bool) -> Vec<Fault> {
        let others = self.scripts.iter().filter(|(name, script)| {
            (with_gone || !script.gone) && candidates.iter().all(|one| **one.script() != ***name)
        });
        let others = others
            .filter_map(|(_, script)| script.serving.as_ref())
            .flat_map(|edition| edition.handlers());
        let new = candidates.iter().flat_map(|candidate| candidate.handlers());
        // Candidates last: what a fault names second is theirs.
        Routes::check(others.chain(new).cloned())
    }

    fn swap(&mut self, candidate: Candidate, applied: &mut Applied) {
        let name = candidate.script().to_string();
        let script = self.scripts.entry(name.clone()).or_default();
        script.count += 1;
        let new = candidate.serve(script.count, &self.engine);
        self.alive.insert(new.generation().closed().clone());
        script.failure = None;
        let outcome = Outcome::Loaded { number: new.number(), handlers: new.handlers().len() };
        let old = script.serving.replace(Arc::clone(&new));
        if let Some(old) = &old {
            old.replace();
        }
        let required = script.dependencies.iter().filter(|(_, found)| found.is_some());
        applied.saved.extend(required.map(|(path, _)| path.clone()));
        applied.saved.insert(name.clone());
        applied.turns.push(Turn { old, new: Some(new) });
        applied.reports.push(Report::new(name, outcome));
    }

    fn remove(&mut self, name: &str, applied: &mut Applied) {
        applied.forgot = true;
        let Some(old) = self.scripts.remove(name).and_then(|script| script.serving) else { return };
        old.replace();
        applied.turns.push(Turn { old: Some(old), new: None });
        applied.reports.push(Report::new(name, Outcome::Removed));
    }

    fn fail(&mut self, name: &str, error: LoadError, applied: &mut Applied) {
        self.take_back(name, applied);
        let script = self.scripts.entry(name.to_owned()).or_default();
        let repeated = script.failure.as_ref().is_some_and(|(last, _)| *last == error);
        let waited = repeated && error.kind == LoadErrorKind::Conflict;
        let serving = script.serving.as_ref().map(|edition| edition.loaded_at());
        script.failure = Some((error.clone(), Local::now()));
        if !waited {
            applied.reports.push(Report::new(name, Outcome::Failed { error, serving, repeated }));
        }
    }

    /// Ends the version that serves, unless what it got is granted still.
    fn take_back(&mut self, name: &str, applied: &mut Applied) {
        let standing = Standing::of(&self.host, &self.dir, name);
        let Some(script) = self.scripts.get_mut(name) else { return };
        if let Some(old) = script.serving.take_if(|edition| !standing.allows(edition.needs())) {
            old.disarm();
            old.replace();
            applied.turns.push(Turn { old: Some(old), new: None });
        }
    }

    /// Makes the snapshot of what serves now.
    fn publish(&mut self, applied: &mut Applied) {
        let serving = || self.scripts.values().filter_map(|script| script.serving.as_ref());
        let handlers = serving().flat_map(|edition| edition.handlers()).cloned();
        let routes: Routes<Target> =
            match Routes::compile(handlers.collect::<Vec<Arc<Handler<Target>>>>()) {
                Ok(routes) => routes,
                Err(faults) => {
                    // Conflicts were ruled out, so this is the size of all patterns together.
                    let problem =
                        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                    let hint =
                        "use fewer or simpler patterns; until then the routes of before are served";
                    applied.reports.push(Report::new("", Outcome::Folder { problem, hint }));
                    return;
                }
            };
        let warnings: BTreeSet<String> =
            routes.warnings().iter().map(ToString::to_string).collect();
        for message in warnings.difference(&self.warned) {
            applied.reports.push(Report::new("", Outcome::Warning { message: message.clone() }));
        }
        let editions: HashMap<u64, Arc<Edition>> =
            serving().map(|edition| (edition.id(), Arc::clone(edition))).collect();
        let scripts = self.scripts.iter().map(|(name, script)| Status {
            script: name.clone(),
            serving: script.serving.as_ref().map(|edition| Serving {
                number: edition.number(),
                loaded_at: edition.loaded_at(),
                handlers: edition.handlers().len(),
            }),
            failure: script.failure.clone(),
        });
        applied.snapshot =
            Some(Arc::new(Snapshot { routes, editions, scripts: scripts.collect() }));
        self.warned = warnings;
    }
}

/// The source of a file of the folder, for the line that an error shows.
fn text_of(dir: &Path, path: &str) -> Option<String> {
    let bytes = Folder::new(dir).read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn conflict_error(
    fault: &Fault,
    script: &str,
    text: impl Fn(&str) -> Option<String>,
) -> LoadError {
    let (place, message) = match fault {
        Fault::Conflict { name, first, second } => {
            (Some(second), format!("the command `{name}` is declared already, at {first}"))
        }
        Fault::Reserved { name, place } => (
            Some(place),
            format!(
                "`{name}` is a word of moonbell's own and would never reach a script; choose another name"
            ),
        ),
        Fault::Alias { message, place } => (Some(place), message.clone()),
        Fault::TooLarge { .. } => (None, fault.to_string()),
    };
    match place {
        Some(place) => {
            let error = LoadError::new(LoadErrorKind::Conflict, place.script.clone(), message);
            error.at(place.line as usize, text(&place.script).as_deref())
        }
        None => LoadError::new(LoadErrorKind::Conflict, script, message),
    }
}
