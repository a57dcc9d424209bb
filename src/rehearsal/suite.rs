//! Finds test files and runs their tests: side by side, each with a VM of its own for the test and for its script, a
//! journal, a clock and a folder of its own.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mlua::Value;
use tokio_util::sync::CancellationToken;

use super::idle::Idle;
use super::object::{self, Declared, Tests};
use super::stage::{OWNER, Setting, Stage, Unknown};
use crate::api::Host;
use crate::api::Limits;
use crate::api::MEMORY_BYTES;
use crate::api::Run;
use crate::message::StaffId;
use crate::script::Ended;
use crate::script::Folder;
use crate::script::Resolver;
use crate::script::Source;
use crate::script::Vm;

/// Real time that one test may take. Its clock stands still, so a second is already long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// After this long a thread that does not come back is given up: something in it cannot be interrupted.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// Threads of one stage that may block, for files and reads of its journal.
const BLOCKING: usize = 4;

/// The end of a test file's name.
const ENDING: &str = ".test.luau";

/// A test file and the folder that its names count from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestFile {
    /// As the person named it.
    pub shown: String,
    pub root: PathBuf,
    /// Below `root`, with `/`.
    pub name: String,
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("there is no `{}`", .0.display())]
    Missing(PathBuf),
    #[error("`{}` has no test: there is no `{expected}` beside it", path.display())]
    NoTest { path: PathBuf, expected: String },
    #[error("`{}` is no script and no test of one", .0.display())]
    NotATest(PathBuf),
    #[error("`{}` cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

/// The test files that `paths` mean: files, scripts that have one, and all in a folder and below it.
///
/// # Errors
/// The first path that means none.
pub fn find(paths: &[PathBuf]) -> Result<Vec<TestFile>, FindError> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            below(path, path, &mut found)?;
            continue;
        }
        if !path.exists() {
            return Err(FindError::Missing(path.clone()));
        }
        let root = path.parent().filter(|root| !root.as_os_str().is_empty());
        let root = root.unwrap_or(Path::new(".")).to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let shown = path.display().to_string();
        if name.ends_with(ENDING) {
            found.push(TestFile { shown, root, name });
        } else if let Some(stem) = name.strip_suffix(".luau") {
            let expected = format!("{stem}{ENDING}");
            let beside = root.join(&expected);
            if !beside.is_file() {
                return Err(FindError::NoTest { path: path.clone(), expected });
            }
            found.push(TestFile { shown: beside.display().to_string(), root, name: expected });
        } else {
            return Err(FindError::NotATest(path.clone()));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn below(root: &Path, folder: &Path, found: &mut Vec<TestFile>) -> Result<(), FindError> {
    let unreadable = |error: std::io::Error| FindError::Unreadable {
        path: folder.to_owned(),
        reason: error.to_string(),
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().map_err(unreadable)?;
        // A link may lead in a circle.
        if kind.is_dir() && !name.starts_with('.') {
            below(root, &path, found)?;
        } else if name.ends_with(ENDING) && !name.starts_with('.') && path.is_file() {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> =
                relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            found.push(TestFile {
                shown: path.display().to_string(),
                root: root.to_owned(),
                name: parts.join("/"),
            });
        }
    }
    Ok(())
}

/// What became of a file of tests.
#[derive(Clone, Debug)]
pub struct FileResult {
    pub file: String,
    /// Why none of its tests ran.
    pub broken: Option<String>,
    /// In the order of the file.
    pub tests: Vec<TestResult>,
    /// Tests that the filter left out.
    pub left_out: usize,
}

impl FileResult {
    pub fn failed(&self) -> usize {
        self.tests.iter().filter(|test| test.problem.is_some()).count()
            + usize::from(self.broken.is_some())
    }
}

#[derive(Clone, Debug)]
pub struct TestResult {
    pub name: String,
    /// Where the test begins.
    pub line: usize,
    pub took: Duration,
    pub problem: Option<Problem>,
    /// The conversation, one thing a line.
    pub transcript: String,
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File as shown, and line, if a line is to blame.
    pub place: Option<(String, usize)>,
    /// That line.
    pub source: Option<String>,
    pub message: String,
}

struct Job {
    file: usize,
    test: usize,
    source: Arc<TestFile>,
    name: String,
    line: usize,
}

enum News {
    Begun { file: usize, test: usize },
    Done { file: usize, test: usize, result: TestResult },
}

/// Runs the tests of `files` whose name contains `filter`, and hands out each file's result in the order of the files.
pub fn run(files: &[TestFile], filter: Option<&str>, mut each: impl FnMut(&FileResult)) {
    let mut results: Vec<FileResult> = Vec::new();
    let mut jobs = VecDeque::new();
    // How many tests of each file are still out.
    let mut open: Vec<usize> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let mut result =
            FileResult { file: file.shown.clone(), broken: None, tests: Vec::new(), left_out: 0 };
        match file.declared() {
            Err(why) => result.broken = Some(why),
            Ok(tests) => {
                let source = Arc::new(file.clone());
                for test in tests {
                    let wanted = filter.is_none_or(|filter| {
                        test.name.contains(filter) || file.shown.contains(filter)
                    });
                    if !wanted {
                        result.left_out += 1;
                        continue;
                    }
                    jobs.push_back(Job {
                        file: index,
                        test: result.tests.len(),
                        source: Arc::clone(&source),
                        name: test.name.clone(),
                        line: test.line,
                    });
                    result.tests.push(TestResult {
                        name: test.name,
                        line: test.line,
                        took: Duration::ZERO,
                        problem: None,
                        transcript: String::new(),
                    });
                }
            }
        }
        open.push(result.tests.len());
        results.push(result);
    }
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    let count = jobs.len();
    let news = start(jobs, threads.min(count));
    let mut running: Vec<(usize, usize, Instant)> = Vec::new();
    let mut shown = 0;
    loop {
        while shown < results.len() && open[shown] == 0 {
            each(&results[shown]);
            shown += 1;
        }
        if shown == results.len() {
            return;
        }
        let (file, test, result) = match news.recv_timeout(Duration::from_secs(1)) {
            Ok(News::Begun { file, test }) => {
                running.push((file, test, Instant::now()));
                continue;
            }
            Ok(News::Done { file, test, result }) => (file, test, result),
            Err(_) => {
                let late = running.iter().find(|(.., begun)| begun.elapsed() > GIVEN_UP);
                let Some(&(file, test, _)) = late else { continue };
                let message = format!(
                    "the test did not come back within {GIVEN_UP:?}, and could not be interrupted"
                );
                let problem = Some(Problem { place: None, source: None, message });
                let result =
                    TestResult { took: GIVEN_UP, problem, ..results[file].tests[test].clone() };
                (file, test, result)
            }
        };
        let before = running.len();
        running.retain(|(of, number, _)| (*of, *number) != (file, test));
        // One that was given up may come back after all.
        if running.len() < before {
            results[file].tests[test] = result;
            open[file] -= 1;
        }
    }
}

/// Threads that take jobs until there are none. A thread that hangs is left behind, so nobody joins them.
fn start(jobs: VecDeque<Job>, threads: usize) -> Receiver<News> {
    let (news, heard) = channel();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..threads {
        let (jobs, news) = (Arc::clone(&jobs), news.clone());
        let worker = std::thread::Builder::new().name("moonbell-test".to_owned());
        let started = worker.spawn(move || work(&jobs, &news));
        if started.is_err() {
            break;
        }
    }
    heard
}

fn work(jobs: &Mutex<VecDeque<Job>>, news: &Sender<News>) {
    loop {
        let Some(job) = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
            return;
        };
        let (file, test) = (job.file, job.test);
        let _ = news.send(News::Begun { file, test });
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(&job)));
        let result = played.unwrap_or_else(|_| {
            let message = "the test failed inside moonbell; please report it".to_owned();
            job.result(
                Duration::ZERO,
                Some(Problem { place: None, source: None, message }),
                String::new(),
            )
        });
        if news.send(News::Done { file, test, result }).is_err() {
            return;
        }
    }
}

impl Job {
    fn result(&self, took: Duration, problem: Option<Problem>, transcript: String) -> TestResult {
        TestResult { name: self.name.clone(), line: self.line, took, problem, transcript }
    }
}

impl TestFile {
    /// Path of the script under test, below the root.
    fn script(&self) -> String {
        format!("{}.luau", self.name.strip_suffix(ENDING).unwrap_or(&self.name))
    }

    /// What the file declares, once it and its script have loaded.
    fn declared(&self) -> Result<Vec<Declared>, String> {
        let script = self.script();
        let host = Host::new(Limits::default(), MEMORY_BYTES);
        let folder = Arc::new(Folder::new(&self.root));
        let missing = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("there is no script for this test: expected `{script}` beside it")
            }
            _ => format!("the script under test, `{script}`, cannot be read: {error}"),
        };
        let bytes = folder.read(&script).map_err(missing)?;
        let source = Source { path: script.clone(), bytes };
        Vm::load(&source, &host, Arc::clone(&folder) as Arc<dyn Resolver>)
            .map_err(|error| error.to_string())?;
        let (_, tests) = self.load(&host)?;
        if tests.is_empty() {
            return Err(format!(
                "`{}` declares no test; write `test(\"what it does\", function(t) … end)`",
                self.name
            ));
        }
        Ok(tests)
    }

    fn load(&self, host: &Host) -> Result<(Vm, Vec<Declared>), String> {
        let folder = Arc::new(Folder::new(&self.root));
        let bytes = folder.read(&self.name).map_err(|error| error.to_string())?;
        let source = Source { path: self.name.clone(), bytes };
        let tests = Tests::default();
        let vm =
            Vm::load_with(&source, host, folder, &[("test", &|lua| object::declare(lua, &tests))])
                .map_err(|error| error.to_string())?;
        if let Some(handler) = vm.registrations().first() {
            return Err(format!(
                "{}:{}: handlers are declared in `{}`, not in its test",
                handler.path,
                handler.line,
                self.script()
            ));
        }
        let declared = std::mem::take(&mut *tests.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((vm, declared))
    }

    /// A line of a file of this folder.
    fn line(&self, path: &str, line: usize) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join(path)).ok()?;
        text.lines().nth(line.checked_sub(1)?).map(|line| line.trim().replace('\t', " "))
    }

    /// A path below the root as the person would name it.
    fn shown_path(&self, path: &str) -> String {
        match self.shown.strip_suffix(&self.name) {
            Some(before) => format!("{before}{path}"),
            None => path.to_owned(),
        }
    }
}

/// Runs one test on a stage of its own.
fn play(job: &Job) -> TestResult {
    let begun = Instant::now();
    let idle = Idle::default();
    let parking = idle.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .on_thread_park(move || parking.parking())
        .build();
    let failed = |message: String| Some(Problem { place: None, source: None, message });
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let problem = failed(format!("the system gives no threads: {error}"));
            return job.result(begun.elapsed(), problem, String::new());
        }
    };
    let (problem, transcript) = runtime.block_on(async {
        let file = &job.source;
        let setting = Setting {
            scripts: file.root.clone(),
            only: Some(file.script()),
            owner: StaffId::new(OWNER),
            unknown: Unknown::Refused,
            alive: true,
            // A test of theirs is run where somebody named it, with what its script asks for.
            asked: (Vec::new(), None),
        };
        let stage = match Stage::new(setting, idle) {
            Ok(stage) => stage,
            Err(error) => {
                return (failed(format!("there is no room for a test: {error}")), String::new());
            }
        };
        // Of the test itself no time is kept: it waits for its script.
        let limits = Limits { wall: PATIENCE * 10, ..Limits::default() };
        let host = stage.host_of_test(limits);
        let (vm, tests) = match file.load(&host) {
            Ok((vm, tests)) => (Arc::new(vm), tests),
            Err(why) => return (failed(why), String::new()),
        };
        let Some(test) = tests.iter().find(|test| test.name == job.name) else {
            return (failed("the file changed while its tests ran".to_owned()), String::new());
        };
        stage.answers_from(&vm);
        let t = match object::create(vm.lua(), stage.clone()) {
            Ok(t) => Value::Table(t),
            Err(error) => return (failed(error.to_string()), String::new()),
        };
        let run = Run::new("test", None, None, limits, CancellationToken::new());
        let in_time = tokio::time::timeout(PATIENCE, vm.run(&run, &test.function, t)).await;
        let (surprise, doing) = {
            let play = stage.play();
            (play.surprise.clone(), play.doing.clone())
        };
        let problem = match in_time {
            Err(_) => {
                let doing = doing.unwrap_or_else(|| "its own code".to_owned());
                let why = format!(
                    "the test did not end within {PATIENCE:?} of real time; it was in {doing}"
                );
                let place = Some((file.shown.clone(), job.line));
                Some(Problem { place, source: None, message: why })
            }
            Ok(Ended::Done | Ended::Passed) => surprise.and_then(failed),
            Ok(Ended::Cancelled | Ended::NotApproved(_)) => {
                failed("the test was cancelled".to_owned())
            }
            Ok(Ended::Failed(error)) => Some(blame(file, &error.short)),
        };
        let transcript = stage.play().transcript.text();
        (problem, transcript)
    });
    let took = begun.elapsed();
    // A script that cannot be interrupted must not hold what is shown.
    runtime.shutdown_background();
    job.result(took, problem, transcript)
}

/// Takes `file.luau:12: message` apart.
fn blame(file: &TestFile, raised: &str) -> Problem {
    let place = raised.split_once(": ").and_then(|(place, message)| {
        let (path, line) = place.rsplit_once(':')?;
        Some((path.to_owned(), line.parse::<usize>().ok()?, message.to_owned()))
    });
    match place {
        Some((path, line, message)) => Problem {
            source: file.line(&path, line),
            place: Some((file.shown_path(&path), line)),
            message,
        },
        None => Problem { place: None, source: None, message: raised.to_owned() },
    }
}
