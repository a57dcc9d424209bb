//! What `bot.watch` sees: files that match, compared with how they were a moment ago.
//!
//! The system only says where to look ([`crate::watch`]); what became of each file is found by looking, so an editor that
//! writes another file and renames it, a folder that comes back and a burst too large to name all lead to what is true
//! when it is quiet again. Changes that come while a handler runs are one batch after it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::api::fs::Stamp;
use crate::api::fs::roots::Roots;
use crate::api::fs::survey;
use crate::api::fs::survey_base;
use crate::script::vm::Vm;
use crate::watch::{Changes, Watch};

/// Changes named in one batch; the rest are counted.
const NAMED: usize = 1_000;

/// Files that never get quiet are looked at this often all the same, in multiples of the quiet that was asked for.
const LONGEST: u32 = 20;

/// How long to wait before a folder that cannot be watched is tried again.
const AGAIN: Duration = Duration::from_secs(10);

type Files = BTreeMap<String, Stamp>;

/// The files of one `bot.watch`.
pub(super) struct Eyes {
    patterns: Arc<[String]>,
    debounce: Duration,
    script: Arc<str>,
    roots: Roots,
    /// Folder → with all folders in it? A path that becomes a folder is watched otherwise than a file.
    bases: BTreeMap<PathBuf, bool>,
    watches: Vec<Watch>,
    /// As they were when they were last looked at; `None`: not yet.
    known: Option<Files>,
}

impl Eyes {
    pub(super) fn new(vm: &Vm, patterns: &[String], debounce: Duration) -> Self {
        Self {
            patterns: patterns.into(),
            debounce,
            script: Arc::clone(vm.path()),
            roots: vm.scope.host().roots().within(vm.scope.reach()),
            bases: BTreeMap::new(),
            watches: Vec::new(),
            known: None,
        }
    }

    /// Waits for the next changes, as the handler's arguments.
    ///
    /// # Errors
    /// Why the files cannot be watched, in words. The next call tries again, after a while.
    ///
    /// # Cancel safety
    /// What was not returned is found by the next call.
    pub(super) async fn next(&mut self) -> Result<Json, String> {
        let opened = self.open().await;
        if opened.is_err() {
            self.watches.clear();
        }
        // Other folders are watched than at the last look, so what changed since then may have been told to nobody.
        let mut unsure = opened?;
        loop {
            if !std::mem::take(&mut unsure) {
                self.sign().await?;
            }
            self.quiet().await?;
            self.aim().await?;
            let now = self.look().await?;
            let then = self.known.replace(now);
            let now = self.known.as_ref().expect("it was put there");
            if let Some(then) = then
                && let Some(batch) = compare(&then, now)
            {
                return Ok(batch);
            }
        }
    }

    /// What to do after an error, before the next call.
    pub(super) async fn rest() {
        tokio::time::sleep(AGAIN).await;
    }

    /// Begins to watch, then looks for the first time: nothing falls between the two. `true`: the look is older than
    /// the watching.
    async fn open(&mut self) -> Result<bool, String> {
        let anew = self.aim().await?;
        if self.known.is_some() {
            return Ok(anew);
        }
        self.known = Some(self.look().await?);
        Ok(false)
    }

    /// Watches the folders of the patterns as they are now; `true`: they are others than before.
    async fn aim(&mut self) -> Result<bool, String> {
        let (roots, script) = (self.roots.clone(), Arc::clone(&self.script));
        let patterns = Arc::clone(&self.patterns);
        let known = if self.watches.is_empty() { BTreeMap::new() } else { self.bases.clone() };
        let aimed = tokio::task::spawn_blocking(move || {
            let mut bases = BTreeMap::new();
            for pattern in &*patterns {
                let (base, deep) =
                    survey_base(&roots, &script, pattern).map_err(|failure| failure.to_string())?;
                *bases.entry(base).or_insert(false) |= deep;
            }
            if bases == known {
                return Ok(None);
            }
            let watches = bases.iter().map(|(base, deep)| {
                let watch = if *deep { Watch::start(base) } else { Watch::start_flat(base) };
                watch.map_err(|error| format!("{error}; {}", error.hint()))
            });
            Ok(Some((watches.collect::<Result<Vec<_>, String>>()?, bases)))
        });
        let aimed: Result<_, String> = aimed.await.map_err(|error| error.to_string())?;
        let Some((watches, bases)) = aimed? else { return Ok(false) };
        (self.watches, self.bases) = (watches, bases);
        Ok(true)
    }

    /// Waits until nothing changes for a while.
    async fn quiet(&mut self) -> Result<(), String> {
        let first = Instant::now();
        while first.elapsed() < self.debounce * LONGEST {
            match tokio::time::timeout(self.debounce, self.sign()).await {
                Ok(sign) => sign?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Waits for a change.
    async fn sign(&mut self) -> Result<(), String> {
        let mut signs: FuturesUnordered<_> = self.watches.iter_mut().map(Watch::next).collect();
        match signs.next().await {
            Some(Some(Changes { problem: None, .. })) => Ok(()),
            Some(Some(Changes { problem: Some(problem), .. })) => {
                Err(format!("{problem}; {}", problem.hint()))
            }
            _ => {
                drop(signs);
                self.watches.clear();
                Err("the files are no longer watched".to_owned())
            }
        }
    }

    async fn look(&self) -> Result<Files, String> {
        let (roots, script) = (self.roots.clone(), Arc::clone(&self.script));
        let patterns = Arc::clone(&self.patterns);
        let stop = CancellationToken::new();
        let _dropped = stop.clone().drop_guard();
        let looked = tokio::task::spawn_blocking(move || {
            let mut files = Files::new();
            for pattern in &*patterns {
                let found = survey(&roots, &script, pattern, stop.clone());
                files.extend(found.map_err(|failure| failure.to_string())?);
            }
            Ok(files)
        });
        looked.await.map_err(|error| error.to_string())?
    }
}

/// What became of the files, by path; `None`: nothing.
fn compare(then: &Files, now: &Files) -> Option<Json> {
    let mut changes: Vec<(&String, &str)> = Vec::new();
    for (path, stamp) in now {
        match then.get(path) {
            None => changes.push((path, "created")),
            Some(before) if before != stamp => changes.push((path, "changed")),
            Some(_) => {}
        }
    }
    changes
        .extend(then.keys().filter(|path| !now.contains_key(*path)).map(|path| (path, "removed")));
    if changes.is_empty() {
        return None;
    }
    changes.sort_unstable();
    let more = changes.len().saturating_sub(NAMED);
    changes.truncate(NAMED);
    let changes: Vec<Json> =
        changes.into_iter().map(|(path, kind)| json!({ "path": path, "kind": kind })).collect();
    Some(json!({ "changes": changes, "more": more }))
}
