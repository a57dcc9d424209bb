//! Scripts change while they are served: real files, a real watcher, real VMs.
//!
//! A handler answers by raising: what it raises is how its run ends, and needs neither a journal nor a chat.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use moonbell::outbox::Outbox;
use moonbell::router::{Asked, Choice};
use moonbell::script::{
    Ended, Generation, HandlerKey, Host, Library, Limits, LoadErrorKind, Outcome, Report, Run,
    Snapshot,
};
use moonbell::store::Store;
use moonbell::store::kv::Kv;
use moonbell::worker::LuaRuntime;
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Far more than a busy machine needs.
const DEADLINE: Duration = Duration::from_secs(20);

struct Scripts {
    home: TempDir,
    dir: PathBuf,
    files: Vec<(String, String)>,
}

/// A served folder; what fails prints every report so far.
struct Served {
    scripts: Scripts,
    library: Library,
    reports: broadcast::Receiver<Arc<Report>>,
    seen: Vec<Arc<Report>>,
    kv: Kv,
    stop: CancellationToken,
    keeper: JoinSet<()>,
    // Last, so that tasks end before their runtime.
    runtime: LuaRuntime,
}

impl Scripts {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("scripts");
        fs::create_dir(&dir).unwrap();
        Self { home, dir, files: Vec::new() }
    }

    fn with(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    async fn serve(self) -> Served {
        for (name, text) in &self.files {
            write(&self.dir, name, text);
        }
        let store = Store::open(&self.home.path().join("state")).unwrap();
        let kv = Kv::new(store.clone());
        let outbox = Outbox::open(store).await.unwrap();
        let host = Host::default().with_journal(outbox, kv.clone());
        let runtime = LuaRuntime::start(2).unwrap();
        let (library, keeper) = Library::open(&self.dir, host, runtime.engine().clone()).unwrap();
        let reports = library.reports();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.run(stop.clone()));
        let mut served = Served {
            library,
            reports,
            seen: Vec::new(),
            kv,
            stop,
            keeper: tasks,
            runtime,
            scripts: self,
        };
        // The first reports come when the keeper runs.
        let expected = served.scripts.files.iter().filter(|(name, _)| !name.contains('/')).count();
        served.until("the first load", |seen| seen.len() >= expected).await;
        served.seen.clear();
        served
    }
}

fn write(dir: &std::path::Path, name: &str, text: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Served {
    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        write(&self.scripts.dir, name, text);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scripts.dir.join(name)
    }

    #[track_caller]
    fn until(
        &mut self,
        what: &str,
        done: impl Fn(&[Arc<Report>]) -> bool,
    ) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            while !done(&self.seen) {
                match tokio::time::timeout(DEADLINE, self.reports.recv()).await {
                    Ok(Ok(report)) => self.seen.push(report),
                    other => {
                        panic!("{place}: no {what} ({other:?}); reports:\n{}", told(&self.seen))
                    }
                }
            }
        }
    }

    /// Waits until a version of `script` that answers `text` with `answer` serves.
    #[track_caller]
    fn until_answers(&self, text: &str, answer: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let mut snapshots = self.library.watch();
            let waited = tokio::time::timeout(DEADLINE, async {
                while !self.answer(text).await.contains(answer) {
                    snapshots.changed().await.unwrap();
                }
            });
            let (in_time, last) = (waited.await.is_ok(), self.answer(text).await);
            assert!(in_time, "{place}: `{text}` is answered with {last:?}, not {answer:?}");
        }
    }

    async fn failed(&mut self, script: &str, kind: LoadErrorKind) -> Arc<Report> {
        let is = |report: &Arc<Report>| {
            report.script == script
                && matches!(&report.outcome, Outcome::Failed { error, .. } if error.kind == kind)
        };
        self.until("failure", |seen| seen.iter().any(is)).await;
        let found = self.seen.iter().position(is).unwrap();
        self.seen.remove(found)
    }

    async fn loaded(&mut self, script: &str) {
        let is = |report: &Arc<Report>| {
            report.script == script && matches!(report.outcome, Outcome::Loaded { .. })
        };
        self.until("load", |seen| seen.iter().any(is)).await;
        let found = self.seen.iter().position(is).unwrap();
        self.seen.remove(found);
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.library.snapshot()
    }

    fn find(&self, text: &str) -> Option<(Arc<Generation>, HandlerKey)> {
        let snapshot = self.snapshot();
        let today = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let choice = snapshot.routes().choose(text, &Asked { today, mentions: &[] });
        let (Choice::Command { handler, .. } | Choice::Match { handler, .. }) = choice else {
            return None;
        };
        let edition = snapshot.edition(handler.id).unwrap();
        Some((Arc::clone(edition.generation()), handler.id.handler))
    }

    async fn answer(&self, text: &str) -> String {
        let Some((generation, handler)) = self.find(text) else { return "nobody".to_owned() };
        run(&generation, handler).await
    }

    fn version(&self, script: &str) -> u64 {
        let snapshot = self.snapshot();
        let status = snapshot.scripts().iter().find(|status| status.script == script).unwrap();
        status.serving.unwrap().number
    }

    async fn count(&self, script: &str, key: &str) -> i64 {
        let value = self.kv.get(script, key).await.unwrap();
        value.map_or(0, |text| text.trim_end_matches(".0").parse().unwrap())
    }

    async fn until_count(&self, script: &str, key: &str, enough: i64) {
        let waited = tokio::time::timeout(DEADLINE, async {
            while self.count(script, key).await < enough {
                tokio::time::sleep(Duration::from_millis(5)).await; // the condition is in the database
            }
        });
        assert!(
            waited.await.is_ok(),
            "{key} of {script} stays at {}",
            self.count(script, key).await
        );
    }

    async fn until_alive(&self, vms: usize) {
        let waited = tokio::time::timeout(DEADLINE, async {
            while self.library.live() != vms {
                tokio::time::sleep(Duration::from_millis(5)).await; // a VM tells nobody when it goes
            }
        });
        assert!(waited.await.is_ok(), "{} VMs are alive, not {vms}", self.library.live());
    }

    async fn close(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.keeper.join_next().await {
            ended.unwrap();
        }
        self.runtime.stop(DEADLINE).await;
    }
}

async fn run(generation: &Generation, handler: HandlerKey) -> String {
    let run = Run::new("test", None, None, Limits::default(), CancellationToken::new());
    match generation.start(run, handler, serde_json::Value::Null).await {
        Ended::Failed(failed) => failed.short,
        other => format!("{other:?}"),
    }
}

fn told(reports: &[Arc<Report>]) -> String {
    reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn saying(command: &str, answer: &str) -> String {
    format!("bot.command(\"{command}\", function() error(\"{answer}\") end)\n")
}

#[tokio::test]
async fn the_next_message_is_answered_by_what_was_saved() {
    let mut served = Scripts::new().with("ping.luau", &saying("ping", "one")).serve().await;
    assert!(served.answer("ping").await.ends_with("one"));
    served.write("ping.luau", saying("ping", "two"));
    served.loaded("ping.luau").await;
    assert!(served.answer("ping").await.ends_with("two"));
    assert_eq!(served.version("ping.luau"), 2);
    served.close().await;
}

#[tokio::test]
async fn i7_a_save_that_is_wrong_in_any_way_leaves_the_old_version_serving() {
    use LoadErrorKind as Kind;
    let other = saying("taken", "other");
    let mut served = Scripts::new()
        .with("ping.luau", &saying("ping", "good"))
        .with("other.luau", &other)
        .serve()
        .await;
    let mut large = saying("ping", "large").into_bytes();
    large.resize((1 << 20) + 1, b' ');
    let broken: [(&str, Vec<u8>, Kind, &str); 9] = [
        (
            "syntax",
            b"local x = 1\nbot.command('ping' function() end)".to_vec(),
            Kind::Syntax,
            "ping.luau:2",
        ),
        (
            "half of it",
            b"bot.command(\"ping\", function() err".to_vec(),
            Kind::Syntax,
            "ping.luau:1",
        ),
        ("run-time error", b"\nlocal x = nil\nprint(x.y)".to_vec(), Kind::Runtime, "ping.luau:3"),
        ("I/O at top level", b"kv.set('a', 1)".to_vec(), Kind::TopLevelIo, "bot.on"),
        (
            "declaration",
            b"bot.command('ping <x:itn>', function() end)".to_vec(),
            Kind::Declaration,
            "did you mean `int`?",
        ),
        (
            "another's command",
            saying("taken", "mine").into_bytes(),
            Kind::Conflict,
            "declared already, at other.luau:1",
        ),
        (
            "a word of ours",
            saying("help", "mine").into_bytes(),
            Kind::Conflict,
            "word of moonbell's own",
        ),
        ("too large", large, Kind::TooLarge, "1 MiB"),
        ("not UTF-8", b"-- caf\xe9\n".to_vec(), Kind::NotUtf8, "UTF-8"),
    ];
    for (what, text, kind, said) in broken {
        served.write("ping.luau", text);
        let report = served.failed("ping.luau", kind).await;
        let text = report.to_string();
        assert!(text.contains(said), "{what}: {text}");
        assert!(text.contains("still running the version of "), "{what}: {text}");
        assert!(served.answer("ping").await.ends_with("good"), "{what}");
        assert!(served.answer("taken").await.ends_with("other"), "{what}");
        let snapshot = served.snapshot();
        let status = snapshot.scripts().iter().find(|status| status.script == "ping.luau").unwrap();
        assert_eq!(status.failure.as_ref().unwrap().0.kind, kind, "{what}");
        assert_eq!(status.serving.unwrap().number, 1, "{what}");
    }
    served.write("ping.luau", saying("ping", "mended"));
    served.until_answers("ping", "mended").await;
    assert!(served.snapshot().scripts().iter().all(|status| status.failure.is_none()));
    served.close().await;
}

#[tokio::test]
async fn a_failure_shows_the_line_with_a_caret() {
    let mut served = Scripts::new().with("ping.luau", &saying("ping", "good")).serve().await;
    served.write("ping.luau", "local a = 1\nlocal b = = 2\n");
    let report = served.failed("ping.luau", LoadErrorKind::Syntax).await.to_string();
    let (told, serving) = report.rsplit_once('\n').unwrap();
    insta::assert_snapshot!(told, @r"
    ping.luau:2: Expected identifier when parsing expression, got '='
     2 | local b = = 2
       |           ^
    ");
    assert!(
        serving.starts_with("still running the version of ")
            && serving.len() == "still running the version of 12:03".len()
    );
    served.close().await;
}

#[tokio::test]
async fn a_run_in_flight_finishes_on_the_version_that_started_it() {
    let text = |version: &str| {
        format!(
            "bot.command(\"wait\", function() kv.incr(\"entered\") while not kv.get(\"open\") do time.sleep(0.01) end error(\"{version}\") end)"
        )
    };
    let mut served = Scripts::new().with("wait.luau", &text("v0")).serve().await;
    let (generation, handler) = served.find("wait").unwrap();
    let mut flight = JoinSet::new();
    flight.spawn(async move { run(&generation, handler).await });
    served.until_count("wait.luau", "entered", 1).await;
    for version in 1..=20 {
        served.write("wait.luau", text(&format!("v{version}")));
        served.loaded("wait.luau").await;
    }
    served.until_alive(2).await;
    assert_eq!(served.version("wait.luau"), 21);
    served.kv.set("wait.luau", "open", "true", None).await.unwrap();
    assert!(flight.join_next().await.unwrap().unwrap().ends_with(": v0"));
    assert!(served.answer("wait").await.ends_with(": v20"));
    served.until_alive(1).await;
    served.close().await;
}

#[tokio::test]
async fn timers_are_not_doubled_by_reloads() {
    let text = |version: u32| {
        format!(
            "bot.every(\"100ms\", function() kv.incr(\"beats\") kv.incr(\"beats of {version}\") end)\n-- {version}\n"
        )
    };
    let mut served = Scripts::new().with("tick.luau", &text(0)).serve().await;
    served.until_count("tick.luau", "beats of 0", 1).await;
    for version in 1..=20 {
        served.write("tick.luau", text(version));
        served.loaded("tick.luau").await;
    }
    served.until_alive(1).await; // the old ones are gone, and their timers with them
    served.until_count("tick.luau", "beats of 20", 1).await;
    let (before, own) =
        (served.count("tick.luau", "beats").await, served.count("tick.luau", "beats of 20").await);
    served.until_count("tick.luau", "beats of 20", own + 5).await;
    let (after, own_after) =
        (served.count("tick.luau", "beats").await, served.count("tick.luau", "beats of 20").await);
    // Each beat counts twice, one after the other: reading between the two is off by one.
    assert!(((after - before) - (own_after - own)).abs() <= 1, "somebody else beats too");
    served.close().await;
}

#[tokio::test]
async fn stop_of_the_old_version_ends_before_start_of_the_new_one() {
    let text = |version: u32| {
        format!(
            "bot.on(\"start\", function() kv.set(\"log\", (kv.get(\"log\") or \"\") .. \" +{version}\") end)
             bot.on(\"stop\", function() time.sleep(0.05) kv.set(\"log\", (kv.get(\"log\") or \"\") .. \" -{version}\") end)
             bot.command(\"tell\", function() error(kv.get(\"log\")) end)"
        )
    };
    let mut served = Scripts::new().with("hooks.luau", &text(1)).serve().await;
    served.until_log("+1").await;
    served.write("hooks.luau", text(2));
    served.until_log("+1 -1 +2").await;
    served.write("hooks.luau", "local x = = 1");
    served.failed("hooks.luau", LoadErrorKind::Syntax).await;
    served.write("hooks.luau", text(3));
    served.until_log("+1 -1 +2 -2 +3").await;
    let kv = served.kv.clone();
    served.close().await;
    assert_eq!(kv.get("hooks.luau", "log").await.unwrap().unwrap(), "\" +1 -1 +2 -2 +3 -3\"");
}

impl Served {
    async fn until_log(&self, expected: &str) {
        let log = || async { self.kv.get("hooks.luau", "log").await.unwrap().unwrap_or_default() };
        let waited = tokio::time::timeout(DEADLINE, async {
            while log().await != format!("\" {expected}\"") {
                tokio::time::sleep(Duration::from_millis(5)).await; // the condition is in the database
            }
        });
        assert!(waited.await.is_ok(), "the log is {}, not {expected}", log().await);
    }
}

#[tokio::test]
async fn only_the_dependents_of_a_module_reload() {
    let user = |command: &str| {
        format!(
            "local lib = require(\"lib/words\")\nbot.command(\"{command}\", function() error(lib.word) end)"
        )
    };
    let mut served = Scripts::new()
        .with("lib/words.luau", "return { word = \"one\" }")
        .with("a.luau", &user("a"))
        .with("b.luau", &user("b"))
        .with("c.luau", &saying("c", "alone"))
        .serve()
        .await;
    served.write("lib/words.luau", "return { word = \"two\" }");
    served.loaded("a.luau").await;
    served.loaded("b.luau").await;
    assert!(served.answer("a").await.ends_with("two"));
    assert!(served.answer("b").await.ends_with("two"));
    assert_eq!(served.version("c.luau"), 1);

    served.write("lib/words.luau", "return {");
    let report = served.failed("a.luau", LoadErrorKind::Syntax).await.to_string();
    assert!(report.contains("a.luau: not loaded because of lib/words.luau:1"), "{report}");
    served.failed("b.luau", LoadErrorKind::Syntax).await;
    assert!(served.answer("a").await.ends_with("two"));
    served.write("lib/words.luau", "return { word = \"three\" }");
    served.until_answers("a", "three").await;
    served.until_answers("b", "three").await;
    assert_eq!(served.version("c.luau"), 1);
    served.close().await;
}

#[tokio::test]
async fn a_module_that_appears_loads_the_script_that_wanted_it() {
    let mut served = Scripts::new()
        .with(
            "a.luau",
            "local x = require(\"lib/later\") bot.command(\"a\", function() error(x) end)",
        )
        .serve()
        .await;
    assert_eq!(served.answer("a").await, "nobody");
    served.write("lib/later.luau", "return \"here\"");
    served.loaded("a.luau").await;
    assert!(served.answer("a").await.ends_with("here"));
    served.close().await;
}

#[tokio::test]
async fn i7_a_circle_of_modules_is_named_and_nothing_leads_out_of_the_folder() {
    let scripts = Scripts::new();
    fs::write(scripts.home.path().join("outside.luau"), "return \"outside\"").unwrap();
    let mut served = scripts.with("ping.luau", &saying("ping", "good")).serve().await;
    served.write("lib/a.luau", "return require(\"./b\")");
    served.write("lib/b.luau", "return require(\"./a\")");
    served.write("circle.luau", "require(\"lib/a\")");
    let report = served.failed("circle.luau", LoadErrorKind::Runtime).await.to_string();
    assert!(report.contains("`lib/a.luau` requires itself, by way of `lib/b.luau`"), "{report}");
    assert!(report.contains("its handlers do not serve until this is mended"), "{report}");
    served.write("escape.luau", "require(\"../outside\")");
    let report = served.failed("escape.luau", LoadErrorKind::Runtime).await.to_string();
    assert!(report.contains("leads out of the scripts folder"), "{report}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(
            served.scripts.home.path().join("outside.luau"),
            served.path("lib/link.luau"),
        )
        .unwrap();
        served.write("sneak.luau", "require(\"lib/link\")");
        let report = served.failed("sneak.luau", LoadErrorKind::Unreadable).await.to_string();
        assert!(report.contains("a link that leads out of the scripts folder"), "{report}");
    }
    assert!(served.answer("ping").await.ends_with("good"));
    served.close().await;
}

#[tokio::test]
async fn new_renamed_and_deleted_files_are_followed() {
    let mut served = Scripts::new().with("a.luau", &saying("a", "one")).serve().await;
    served.write("b.luau", saying("b", "new"));
    served.loaded("b.luau").await;
    assert!(served.answer("b").await.ends_with("new"));

    fs::rename(served.path("a.luau"), served.path("renamed.luau")).unwrap();
    served.loaded("renamed.luau").await;
    assert!(served.answer("a").await.starts_with("renamed.luau"));

    fs::remove_file(served.path("b.luau")).unwrap();
    let removed = |report: &Arc<Report>| {
        report.script == "b.luau" && matches!(report.outcome, Outcome::Removed)
    };
    served.until("removal", |seen| seen.iter().any(removed)).await;
    assert_eq!(served.answer("b").await, "nobody");
    let snapshot = served.snapshot();
    let names: Vec<&str> = snapshot.scripts().iter().map(|status| status.script.as_str()).collect();
    assert_eq!(names, ["renamed.luau"]);
    drop(snapshot);
    served.until_alive(1).await;
    served.close().await;
}

#[tokio::test]
async fn an_editor_that_renames_over_the_file_is_one_save() {
    let mut served = Scripts::new().with("a.luau", &saying("a", "one")).serve().await;
    for version in 2..=10 {
        served.write(".a.luau.tmp", saying("a", &format!("version {version}")));
        fs::rename(served.path(".a.luau.tmp"), served.path("a.luau")).unwrap();
        served.loaded("a.luau").await;
        assert!(served.answer("a").await.ends_with(&format!("version {version}")));
    }
    assert_eq!(served.version("a.luau"), 10);
    assert!(served.seen.iter().all(|report| !report.is_failure()), "{}", told(&served.seen));
    served.close().await;
}

#[tokio::test]
async fn an_empty_or_missing_moment_takes_no_handler_away() {
    let mut served = Scripts::new().with("a.luau", &saying("a", "one")).serve().await;
    for version in 2..=5 {
        served.write("a.luau", "");
        assert!(!served.answer("a").await.contains("nobody"));
        served.write("a.luau", saying("a", &format!("version {version}")));
        served.loaded("a.luau").await;
        fs::remove_file(served.path("a.luau")).unwrap();
        assert!(!served.answer("a").await.contains("nobody"));
        served.write("a.luau", saying("a", &format!("again {version}")));
        served.until_answers("a", &format!("again {version}")).await;
    }
    // Empty for good: said once, and the handlers stay.
    served.write("a.luau", "\n");
    let report = served.failed("a.luau", LoadErrorKind::Empty).await.to_string();
    assert!(
        report.contains("remove it to end its handlers\nstill running the version of"),
        "{report}"
    );
    assert!(served.answer("a").await.ends_with("again 5"));
    served.close().await;
}

#[tokio::test]
async fn i7_a_thousand_saves_in_a_second_are_a_few_loads_and_the_last_one_wins() {
    let mut served = Scripts::new().with("a.luau", &saying("a", "start")).serve().await;
    for save in 0..1_000 {
        served.write("a.luau", saying("a", &format!("save {save}.")));
    }
    served.until_answers("a", "save 999.").await;
    let version = served.version("a.luau");
    assert!(version < 50, "{version} loads");
    served.until_alive(1).await;
    served.until("reports", |seen| !seen.is_empty()).await;
    served.close().await;
}

#[tokio::test]
async fn a_command_of_another_script_is_had_once_that_lets_it_go() {
    let mut served = Scripts::new().with("a.luau", &saying("x", "of a")).serve().await;
    served.write("b.luau", saying("x", "of b"));
    let report = served.failed("b.luau", LoadErrorKind::Conflict).await.to_string();
    assert!(
        report.starts_with("b.luau:1: the command `x` is declared already, at a.luau:1"),
        "{report}"
    );
    assert!(served.answer("x").await.ends_with("of a"));
    served.write("a.luau", saying("y", "of a"));
    served.until_answers("x", "of b").await;

    // Two exchange their commands in one moment: neither is possible without the other.
    let (a, b) = (saying("x", "now of a"), saying("y", "now of b"));
    served.write("a.luau", a);
    served.write("b.luau", b);
    served.until_answers("x", "now of a").await;
    served.until_answers("y", "now of b").await;
    served.close().await;
}

#[tokio::test]
async fn i7_two_files_with_one_command_at_the_start_serve_the_first_by_name() {
    let mut served = Scripts::new()
        .with("b.luau", &saying("x", "of b"))
        .with("a.luau", &saying("x", "of a"))
        .with("c.luau", &saying("c", "c"))
        .serve()
        .await;
    assert!(served.answer("x").await.ends_with("of a"));
    assert!(served.answer("c").await.ends_with('c'));
    fs::remove_file(served.path("a.luau")).unwrap();
    served.loaded("b.luau").await;
    assert!(served.answer("x").await.ends_with("of b"));
    served.close().await;
}

#[tokio::test]
async fn i7_a_thousand_reloads_leave_one_vm() {
    let name = |script: usize| format!("s{script}.luau");
    let mut scripts = Scripts::new();
    for script in 0..40 {
        scripts = scripts.with(&name(script), &saying(&format!("s{script}"), "start"));
    }
    let mut served = scripts.serve().await;
    for round in 1..=25 {
        for script in 0..40 {
            served.write(&name(script), saying(&format!("s{script}"), &format!("round {round}.")));
        }
        for script in 0..40 {
            served.loaded(&name(script)).await;
        }
    }
    let versions: u64 = (0..40).map(|script| served.version(&name(script))).sum();
    assert_eq!(versions, 40 * 26);
    served.until_alive(40).await;
    for script in 1..40 {
        fs::remove_file(served.path(&name(script))).unwrap();
    }
    served.until_alive(1).await;
    assert!(served.answer("s0").await.ends_with("round 25."));
    served.close().await;
}

#[tokio::test]
async fn what_is_no_script_is_left_alone() {
    let mut served = Scripts::new()
        .with("a.luau", &saying("a", "a"))
        .with("old.lua", &saying("old", "old"))
        .serve()
        .await;
    served.write("a.test.luau", saying("a", "test"));
    served.write("moonbell.d.luau", "declare x: number");
    served.write("lib/a.luau", saying("lib", "lib"));
    served.write("notes.txt", "hello");
    served.write("last.luau", saying("last", "last"));
    served.loaded("last.luau").await;
    assert_eq!(served.answer("lib").await, "nobody");
    assert!(served.answer("old").await.ends_with("old"));
    assert_eq!(served.snapshot().scripts().len(), 3);
    served.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn i7_links_in_circles_pipes_and_links_to_nowhere_are_told_and_harmless() {
    use std::os::unix::fs::symlink;
    let mut served = Scripts::new().with("a.luau", &saying("a", "a")).serve().await;
    symlink(served.path("loop.luau"), served.path("loop.luau")).unwrap();
    served.failed("loop.luau", LoadErrorKind::Unreadable).await;
    symlink(served.path("missing-target"), served.path("nowhere.luau")).unwrap();
    let report = served.failed("nowhere.luau", LoadErrorKind::Unreadable).await.to_string();
    assert!(report.contains("a link that leads nowhere"), "{report}");
    symlink(&served.scripts.dir, served.path("again")).unwrap();
    served.write("a.luau", saying("a", "after"));
    served.until_answers("a", "after").await;
    served.close().await;
}

#[tokio::test]
async fn a_folder_that_goes_away_keeps_its_handlers_until_it_is_back() {
    let mut served = Scripts::new().with("a.luau", &saying("a", "one")).serve().await;
    let aside = served.scripts.home.path().join("aside");
    fs::rename(&served.scripts.dir, &aside).unwrap();
    let folder = |report: &Arc<Report>| matches!(report.outcome, Outcome::Folder { .. });
    served.until("report about the folder", |seen| seen.iter().any(folder)).await;
    assert!(served.answer("a").await.ends_with("one"));
    fs::rename(&aside, &served.scripts.dir).unwrap();
    served.write("a.luau", saying("a", "two"));
    served.until_answers("a", "two").await;
    served.close().await;
}

#[test]
fn a_folder_that_cannot_be_used_says_what_to_do() {
    let home = TempDir::new().unwrap();
    let runtime = LuaRuntime::start(2).unwrap();
    let missing =
        Library::open(&home.path().join("missing"), Host::default(), runtime.engine().clone())
            .unwrap_err();
    assert!(missing.to_string().contains("does not exist"), "{missing}");
    assert!(missing.hint().contains("scripts.dir"));
    fs::write(home.path().join("file"), "").unwrap();
    let file = Library::open(&home.path().join("file"), Host::default(), runtime.engine().clone())
        .unwrap_err();
    assert!(file.to_string().contains("is not a folder"), "{file}");
}

#[tokio::test]
async fn a_save_is_checked_and_serves_whatever_is_found() {
    let mut served = Scripts::new().with("ping.luau", &saying("ping", "one")).serve().await;
    let text =
        "local unused = 1\nbot.command('ping', function(ctx) error(ctx.user.nmae or 'two') end)";
    served.write("ping.luau", text);
    served.until("a finding", |seen| told(seen).contains("`User` has no `nmae`")).await;
    let seen = told(&served.seen);
    assert!(seen.contains("ping.luau: version 2 serves"), "{seen}");
    assert!(seen.contains("ping.luau:2:50: warning[type]"), "{seen}");
    assert!(seen.contains("ping.luau:1:7: warning[unused_local]"), "{seen}");
    served.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_goes_a_second_time_is_told_a_second_time() {
    let mut served = Scripts::new().with("a.luau", &saying("hi", "one")).serve().await;
    let aside = served.scripts.dir.with_extension("aside");
    for time in ["first", "second"] {
        fs::rename(&served.scripts.dir, &aside).unwrap();
        let gone = |report: &Arc<Report>| matches!(&report.outcome, Outcome::Folder { .. });
        served.until(time, |seen| seen.iter().any(gone)).await;
        served.seen.clear();
        fs::rename(&aside, &served.scripts.dir).unwrap();
        // Served again: what is saved now is seen.
        served.write("a.luau", saying("hi", time));
        served.loaded("a.luau").await;
    }
    assert!(served.answer("hi").await.ends_with("second"));
    served.close().await;
}
