//! The scripts folder is watched: real files, real events; every wait is for a condition, with a deadline.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use moonbell::watch::{Changes, MAX_PATHS, SETTLE, Watch};
use tempfile::TempDir;

/// Far more than a busy machine needs.
const DEADLINE: Duration = Duration::from_secs(10);

struct Folder {
    home: TempDir,
    dir: PathBuf,
    watch: Watch,
    seen: BTreeSet<PathBuf>,
    rescans: usize,
    batches: usize,
}

impl Folder {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("scripts");
        fs::create_dir(&dir).unwrap();
        Self::watching(home, dir)
    }

    fn watching(home: TempDir, dir: PathBuf) -> Self {
        let watch = Watch::start(&dir).unwrap();
        Self { home, dir, watch, seen: BTreeSet::new(), rescans: 0, batches: 0 }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    async fn batch(&mut self) -> Changes {
        let changes = tokio::time::timeout(DEADLINE, self.watch.next()).await;
        let changes =
            changes.unwrap_or_else(|_| panic!("no batch; seen so far: {:?}", self.seen)).unwrap();
        self.seen.extend(changes.paths.iter().cloned());
        self.rescans += usize::from(changes.rescan);
        self.batches += 1;
        changes
    }

    async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            self.batch().await;
        }
    }

    async fn until_seen(&mut self, name: &str) {
        let path = self.dir.join(name);
        self.until(|folder| folder.seen.contains(&path)).await;
    }
}

#[tokio::test]
async fn a_saved_file_is_named_soon_after() {
    let mut folder = Folder::new();
    folder.write("ping.luau", "one");
    folder.until_seen("ping.luau").await;
    folder.seen.clear();
    let saved = Instant::now();
    folder.write("ping.luau", "two");
    folder.until_seen("ping.luau").await;
    assert!(saved.elapsed() >= SETTLE, "a save is not handed out before it has settled");
    assert_eq!(folder.rescans, 0, "one file is no reason to look at the whole folder");
}

#[tokio::test]
async fn a_save_through_a_temporary_file_names_the_script() {
    let mut folder = Folder::new();
    folder.write(".ping.luau.tmp", "new");
    fs::rename(folder.dir.join(".ping.luau.tmp"), folder.dir.join("ping.luau")).unwrap();
    folder.until_seen("ping.luau").await;
    assert_eq!(
        folder.seen,
        BTreeSet::from([folder.dir.join("ping.luau")]),
        "hidden files stay hidden"
    );
}

#[tokio::test]
async fn a_rename_and_a_removal_name_every_file_concerned() {
    let mut folder = Folder::new();
    folder.write("a.luau", "");
    folder.write("b.luau", "");
    folder.until_seen("b.luau").await;
    folder.seen.clear();
    fs::rename(folder.dir.join("a.luau"), folder.dir.join("c.luau")).unwrap();
    fs::remove_file(folder.dir.join("b.luau")).unwrap();
    for name in ["a.luau", "b.luau", "c.luau"] {
        folder.until_seen(name).await;
    }
}

#[tokio::test]
async fn a_thousand_saves_in_a_second_give_few_batches_and_one_after_the_last() {
    let mut folder = Folder::new();
    let path = folder.dir.join("busy.luau");
    let writer = tokio::task::spawn_blocking({
        let path = path.clone();
        move || {
            let begin = Instant::now();
            for n in 1_u32..=1_000 {
                fs::write(&path, n.to_string()).unwrap();
                // Paced, not waited for: spread over a second.
                if let Some(rest) = (Duration::from_millis(1) * n).checked_sub(begin.elapsed()) {
                    std::thread::sleep(rest);
                }
            }
        }
    });
    // What a reader sees when it reads at each batch, as the reload does.
    let mut read = String::new();
    while read != "1000" {
        folder.batch().await;
        read = fs::read_to_string(&path).unwrap();
    }
    writer.await.unwrap();
    assert!(folder.batches <= 20, "{} batches", folder.batches);
    assert_eq!(folder.seen, BTreeSet::from([path]));
}

#[tokio::test]
async fn a_new_sub_folder_is_watched_to_its_depth() {
    let mut folder = Folder::new();
    fs::create_dir_all(folder.dir.join("lib/deep/er")).unwrap();
    folder.write("lib/deep/er/first.luau", "");
    folder.until(|folder| folder.rescans > 0).await;
    folder.write("lib/deep/er/x.luau", "");
    folder.until_seen("lib/deep/er/x.luau").await;
    // A folder moved in from elsewhere counts as new.
    let outside = folder.home.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let before = folder.rescans;
    fs::rename(&outside, folder.dir.join("moved")).unwrap();
    folder.until(|folder| folder.rescans > before).await;
    folder.write("moved/y.luau", "");
    folder.until_seen("moved/y.luau").await;
}

#[tokio::test]
async fn a_folder_that_is_removed_and_made_again_is_watched_again() {
    let mut folder = Folder::new();
    for round in 0..3 {
        let before = folder.rescans;
        fs::remove_dir_all(&folder.dir).unwrap();
        folder.until(|folder| folder.rescans > before).await;
        let before = folder.rescans;
        fs::create_dir(&folder.dir).unwrap();
        folder.until(|folder| folder.rescans > before).await;
        let name = format!("{round}.luau");
        folder.write(&name, "");
        folder.until_seen(&name).await;
    }
}

#[tokio::test]
async fn a_folder_that_is_replaced_by_another_is_watched_again() {
    let mut folder = Folder::new();
    let (next, old) = (folder.home.path().join("next"), folder.home.path().join("old"));
    fs::create_dir(&next).unwrap();
    fs::rename(&folder.dir, &old).unwrap();
    fs::rename(&next, &folder.dir).unwrap();
    folder.until(|folder| folder.rescans > 0).await;
    folder.write("new.luau", "");
    folder.until_seen("new.luau").await;
    fs::write(old.join("stale.luau"), "").unwrap();
    folder.write("end.luau", "");
    folder.until_seen("end.luau").await;
    assert!(!folder.seen.contains(&folder.dir.join("stale.luau")));
}

#[tokio::test]
async fn a_folder_that_does_not_exist_yet_is_seen_when_it_appears() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("not/yet/here");
    let mut folder = Folder::watching(home, dir);
    fs::create_dir_all(&folder.dir).unwrap();
    folder.until(|folder| folder.rescans > 0).await;
    folder.write("a.luau", "");
    // The folders may appear in several batches; a file written before the last one is covered by its rescan.
    let path = folder.dir.join("a.luau");
    let before = folder.rescans;
    folder.until(|folder| folder.seen.contains(&path) || folder.rescans > before).await;
    folder.write("b.luau", "");
    folder.until_seen("b.luau").await;
}

#[cfg(unix)]
#[tokio::test]
async fn links_to_files_and_folders_elsewhere_are_followed() {
    use std::os::unix::fs::symlink;
    let mut folder = Folder::new();
    let dotfiles = folder.home.path().join("dotfiles");
    fs::create_dir_all(dotfiles.join("lib")).unwrap();
    fs::write(dotfiles.join("deploy.luau"), "one").unwrap();
    symlink(dotfiles.join("deploy.luau"), folder.dir.join("deploy.luau")).unwrap();
    symlink(dotfiles.join("lib"), folder.dir.join("lib")).unwrap();
    symlink(&folder.dir, folder.dir.join("loop")).unwrap();
    symlink("/", folder.dir.join("everything")).unwrap();
    symlink("nowhere", folder.dir.join("dangling.luau")).unwrap();
    for name in ["deploy.luau", "lib"] {
        folder.until_seen(name).await;
    }
    folder.seen.clear();

    fs::write(dotfiles.join("deploy.luau.new"), "two").unwrap();
    fs::rename(dotfiles.join("deploy.luau.new"), dotfiles.join("deploy.luau")).unwrap();
    folder.until_seen("deploy.luau").await;
    fs::write(dotfiles.join("lib/x.luau"), "").unwrap();
    folder.until_seen("lib/x.luau").await;
    assert!(!folder.seen.iter().any(|path| path.ends_with("deploy.luau.new")), "{:?}", folder.seen);
}

#[cfg(unix)]
#[tokio::test]
async fn the_folder_may_be_a_link_that_is_pointed_elsewhere() {
    use std::os::unix::fs::symlink;
    let home = TempDir::new().unwrap();
    let (one, two, dir) =
        (home.path().join("one"), home.path().join("two"), home.path().join("scripts"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    symlink(&one, &dir).unwrap();
    let mut folder = Folder::watching(home, dir);
    fs::write(one.join("a.luau"), "").unwrap();
    folder.until_seen("a.luau").await;

    let before = folder.rescans;
    symlink(&two, folder.home.path().join("link")).unwrap();
    fs::rename(folder.home.path().join("link"), &folder.dir).unwrap();
    folder.until(|folder| folder.rescans > before).await;
    fs::write(two.join("b.luau"), "").unwrap();
    folder.until_seen("b.luau").await;
}

#[tokio::test]
async fn more_changes_than_fit_ask_for_a_look_at_everything() {
    let mut folder = Folder::new();
    let all = MAX_PATHS + 200;
    for n in 0..all {
        folder.write(&format!("{n}.luau"), "");
    }
    while folder.rescans == 0 && folder.seen.len() < all {
        let changes = folder.batch().await;
        assert!(changes.paths.len() <= MAX_PATHS, "{}", changes.paths.len());
    }
}

#[tokio::test]
async fn a_reader_that_gives_up_waiting_loses_nothing() {
    let mut folder = Folder::new();
    // Cut off at every moment of the settling.
    for micros in (0..60_000).step_by(3_000) {
        folder.write("a.luau", "x");
        if let Ok(Some(changes)) =
            tokio::time::timeout(Duration::from_micros(micros), folder.watch.next()).await
        {
            folder.seen.extend(changes.paths);
        }
        folder.until_seen("a.luau").await;
        folder.seen.clear();
    }
}

#[tokio::test]
async fn dropping_the_watch_ends_it_at_once() {
    let folder = Folder::new();
    folder.write("a.luau", "");
    let begin = Instant::now();
    drop(folder.watch);
    assert!(begin.elapsed() < Duration::from_secs(5));
}
