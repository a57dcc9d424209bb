//! What `check` has to say about a file, said when it is saved.
//!
//! Looks at files by themselves, one after another, after the save has been taken in: types are never waited for, and
//! never stop a script.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use super::check;
use super::report::{Outcome, Report};
use super::require::{Folder, Resolver};
use super::scan;

/// More than this of one file scrolls away what was said first.
const SHOWN: usize = 10;

#[derive(Debug)]
pub(super) struct Reviews {
    dir: PathBuf,
    /// One at a time: a checkout of many scripts must not take every core from the runs.
    task: JoinSet<(String, u64, Vec<Report>)>,
    waiting: BTreeSet<String>,
    /// The content of each file that was last looked at: a module that many scripts require is one file.
    known: HashMap<String, u64>,
}

impl Reviews {
    pub(super) fn new(dir: &Path) -> Self {
        let (task, waiting, known) = (JoinSet::new(), BTreeSet::new(), HashMap::new());
        Self { dir: dir.to_owned(), task, waiting, known }
    }

    /// Has these files looked at, as they will be by then.
    pub(super) fn want(&mut self, paths: impl IntoIterator<Item = String>) {
        self.waiting.extend(paths);
        self.start();
    }

    /// The findings of the next file; `None` while none is looked at.
    ///
    /// # Cancel safety
    /// What has ended is handed out by the next call.
    pub(super) async fn next(&mut self) -> Option<Vec<Report>> {
        let done = self.task.join_next().await?;
        self.start();
        // A panic while checking is the checker's mistake, not the script's.
        let (path, content, reports) = done.ok()?;
        self.known.insert(path, content);
        Some(reports)
    }

    fn start(&mut self) {
        if !self.task.is_empty() {
            return;
        }
        let Some(path) = self.waiting.pop_first() else { return };
        let (folder, known) = (Folder::new(&self.dir), self.known.get(&path).copied());
        self.task.spawn_blocking(move || {
            let Ok(bytes) = folder.read(&path) else { return (path, 0, Vec::new()) };
            let content = scan::content(&bytes);
            let reports = match String::from_utf8(bytes) {
                Ok(text) if known != Some(content) => review(&path, &text),
                _ => Vec::new(),
            };
            (path, content, reports)
        });
    }
}

fn review(path: &str, text: &str) -> Vec<Report> {
    let report = |message: String| Report::new(path, Outcome::Warning { message });
    let findings = check::text(path, text);
    let more = findings.len().saturating_sub(SHOWN);
    let shown = findings.iter().take(SHOWN).map(|finding| report(finding.to_string()));
    let rest = (more > 0).then(|| report(format!("{path}: and {more} more; see `moonbell check`")));
    shown.chain(rest).collect()
}
