//! `bot.watch`: real files, and what becomes of them while a script serves.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use moonbell::api::fs::roots::Roots;
use moonbell::script::LoadErrorKind;
use moonbell::store::kv::Kv;
use serde_json::Value;
use tempfile::TempDir;

use crate::engine::Bench;

const PATIENCE: Duration = Duration::from_mins(1);

/// Notes each batch under a number of its own.
fn watching(patterns: &str) -> String {
    format!(
        "bot.watch({patterns}, {{ debounce = '50ms' }}, function(changes, more)
            kv.set('batch' .. kv.incr('n'), json.encode({{ changes = json.array(changes), more = more }}))
        end)
        bot.on('start', function() kv.set('up', true) end)"
    )
}

struct Eye {
    kv: Kv,
    seen: usize,
}

impl Eye {
    async fn up(&self) {
        let up = async {
            while self.kv.get("test.luau", "up").await.unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await; // polls a condition
            }
        };
        tokio::time::timeout(PATIENCE, up).await.expect("it starts");
    }

    /// The next batch, as `kind name` lines, and how many more there are.
    async fn batch(&mut self) -> (BTreeSet<String>, u64) {
        self.seen += 1;
        let key = format!("batch{}", self.seen);
        let next = async {
            loop {
                if let Some(text) = self.kv.get("test.luau", &key).await.unwrap() {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(5)).await; // polls a condition
            }
        };
        let text = tokio::time::timeout(PATIENCE, next).await.expect("a batch");
        let text: String = serde_json::from_str(&text).unwrap();
        let batch: Value = serde_json::from_str(&text).unwrap();
        let changes = batch["changes"].as_array().unwrap().iter().map(|change| {
            let path = Path::new(change["path"].as_str().unwrap());
            assert!(path.is_absolute(), "{path:?}");
            format!(
                "{} {}",
                change["kind"].as_str().unwrap(),
                path.file_name().unwrap().to_str().unwrap()
            )
        });
        (changes.collect(), batch["more"].as_u64().unwrap())
    }

    /// Batches until all of these came, each once.
    async fn sees(&mut self, wanted: &[&str]) {
        let mut left: BTreeSet<String> = wanted.iter().map(|&line| line.to_owned()).collect();
        while !left.is_empty() {
            for line in self.batch().await.0 {
                assert!(left.remove(&line), "unexpected {line:?}; wanted {left:?}");
            }
        }
    }
}

async fn bench(dir: &TempDir) -> (Bench, Eye) {
    let mut bench = Bench::new().await;
    let own = bench.dir.path().join("own");
    bench.host = bench.host.with_roots(Roots::only(&[dir.path().to_owned()], own));
    let kv = Kv::new(bench.store.clone());
    (bench, Eye { kv, seen: 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_come_change_and_go_are_told_once_each() {
    let dir = TempDir::new().unwrap();
    let (bench, mut eye) = bench(&dir).await;
    let at = |name: &str| dir.path().join(name);
    fs::write(at("old.txt"), "there before").unwrap();
    let generation = bench.load(&watching(&format!("'{}/*.txt'", dir.path().display())));
    generation.activate().await;
    eye.up().await;
    settle(&bench, &at("probe.txt"), &mut eye).await;

    fs::write(at("a.txt"), "one").unwrap();
    fs::write(at("other.md"), "not this").unwrap();
    eye.sees(&["created a.txt"]).await;
    // As editors write: another file, renamed over.
    fs::write(at("a.tmp"), "two").unwrap();
    fs::rename(at("a.tmp"), at("a.txt")).unwrap();
    eye.sees(&["changed a.txt"]).await;
    fs::remove_file(at("a.txt")).unwrap();
    fs::write(at("old.txt"), "and now this").unwrap();
    eye.sees(&["removed a.txt", "changed old.txt"]).await;
    generation.retire().await;
}

/// Watching begins in a task of its own: it has begun once a probe is seen.
async fn settle(bench: &Bench, probe: &Path, eye: &mut Eye) {
    let name = probe.file_name().unwrap().to_str().unwrap().to_owned();
    let kv = Kv::new(bench.store.clone());
    let mut writes = 0;
    while kv.get("test.luau", "n").await.unwrap().is_none() {
        fs::write(probe, "x".repeat(writes)).unwrap();
        writes += 1;
        assert!(writes < 3_000, "never seen");
        tokio::time::sleep(Duration::from_millis(20)).await; // polls a condition
    }
    // What is left of the probe's own changes; then it is removed, and that is the last of it.
    fs::remove_file(probe).unwrap();
    loop {
        let (changes, _) = eye.batch().await;
        if changes.contains(&format!("removed {name}")) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_yet_is_removed_and_comes_back_is_watched() {
    let dir = TempDir::new().unwrap();
    let (bench, mut eye) = bench(&dir).await;
    let inbox = dir.path().join("deep/inbox");
    let generation = bench.load(&watching(&format!(
        "{{ '{0}', '{1}/probe.txt' }}",
        inbox.display(),
        dir.path().display()
    )));
    generation.activate().await;
    eye.up().await;
    settle(&bench, &dir.path().join("probe.txt"), &mut eye).await;
    for round in 0..3 {
        fs::create_dir_all(&inbox).unwrap();
        fs::write(inbox.join("a.txt"), format!("{round}")).unwrap();
        eye.sees(&["created a.txt"]).await;
        fs::write(inbox.join("a.txt"), format!("again {round}")).unwrap();
        eye.sees(&["changed a.txt"]).await;
        fs::remove_dir_all(dir.path().join("deep")).unwrap();
        eye.sees(&["removed a.txt"]).await;
    }
    generation.retire().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_ten_thousand_files_is_told_in_few_batches() {
    let dir = TempDir::new().unwrap();
    let (bench, mut eye) = bench(&dir).await;
    let burst = dir.path().join("burst");
    fs::create_dir(&burst).unwrap();
    let text = watching(&format!("'{}/**/*'", dir.path().display())).replace("50ms", "500ms");
    let generation = bench.load(&text);
    generation.activate().await;
    eye.up().await;
    settle(&bench, &dir.path().join("probe.txt"), &mut eye).await;
    for n in 0..10_000 {
        fs::write(burst.join(format!("{n}.txt")), "x").unwrap();
    }
    let (mut all, mut batches) = (0, 0);
    while all < 10_000 {
        let (changes, more) = eye.batch().await;
        assert!(changes.len() <= 1_000 && (more == 0 || changes.len() == 1_000));
        all += changes.iter().filter(|line| line.starts_with("created")).count() as u64 + more;
        batches += 1;
    }
    assert!(batches <= 20, "{batches} batches");
    generation.retire().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_doubled_over_a_reload_and_an_old_version_sees_nothing() {
    let dir = TempDir::new().unwrap();
    let (bench, mut eye) = bench(&dir).await;
    let text = watching(&format!("'{}/*'", dir.path().display()));
    let first = bench.load(&text);
    first.activate().await;
    eye.up().await;
    settle(&bench, &dir.path().join("probe1"), &mut eye).await;
    let second = bench.load(&text);
    first.retire().await;
    first.stopped().cancelled().await;
    second.activate().await;
    let probe = dir.path().join("probe2");
    let before = eye.seen;
    let kv = Kv::new(bench.store.clone());
    let mut writes = 0;
    while kv.get("test.luau", &format!("batch{}", before + 1)).await.unwrap().is_none() {
        fs::write(&probe, "x".repeat(writes)).unwrap();
        writes += 1;
        tokio::time::sleep(Duration::from_millis(20)).await; // polls a condition
    }
    fs::remove_file(&probe).unwrap();
    while !eye.batch().await.0.contains("removed probe2") {}
    fs::write(dir.path().join("once"), "x").unwrap();
    eye.sees(&["created once"]).await;
    fs::write(dir.path().join("twice"), "x").unwrap();
    eye.sees(&["created twice"]).await;
    drop(first);
    second.retire().await;
}

#[tokio::test]
async fn declarations_that_make_no_sense_do_not_load() {
    let bench = Bench::new().await;
    for (declaration, expected) in [
        (
            "bot.watch(3, print)",
            "`bot.watch`: argument #1 (`patterns`): expected a path or pattern, or a list of them, got number",
        ),
        ("bot.watch({}, print)", "got 0"),
        ("bot.watch({ 'a', 2 }, print)", "got a list with a number"),
        ("bot.watch('', print)", "got an empty one"),
        ("bot.watch('a[', print)", "is no pattern"),
        (
            "bot.watch('a')",
            "argument #2 (`options`): expected a table of options or a function, got nil",
        ),
        ("bot.watch('a', { debounce = true }, print)", "option `debounce`: expected a duration"),
        ("bot.watch('a', { debounce = '1h' }, print)", "option `debounce`: expected 600s or less"),
        ("bot.watch('a', { debonce = 1 }, print)", "did you mean `debounce`?"),
        (
            "bot.every('1s', { name = 'two words' }, print)",
            "`bot.every`: option `name`: expected one word",
        ),
        (
            "bot.every('1s', { name = 'a' }, print) bot.cron('@daily', { name = 'a' }, print)",
            "`a` is declared already, at a.luau:1",
        ),
        ("bot.every('1s')", "`bot.every`: argument #2"),
        ("bot.save(3)", "`bot.save`: argument #1 (`handler`): expected function, got number"),
        ("bot.restore({})", "`bot.restore`: argument #1 (`handler`): expected function, got table"),
        ("bot.save(print) bot.save(print)", "it is declared already, at a.luau:1"),
        ("bot.on('strat', print)", "there is no event `strat`; did you mean `start`?"),
        ("bot.on('chat_add_members', print)", "did you mean `chat_add_member`?"),
        ("bot.on(3, print)", "`bot.on`"),
        (
            "bot.on('card', 3)",
            "argument #2 (`handler`): expected a function or a table with `run = function`, got number",
        ),
    ] {
        let error = bench.vm("a.luau", declaration).unwrap_err();
        assert_eq!(error.kind, LoadErrorKind::Declaration, "{declaration}");
        assert!(error.message.contains(expected), "{declaration}: {}", error.message);
    }
}
