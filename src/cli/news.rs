//! What the terminal of `dev` and `run` shows of the scripts: what serves at the start, and what becomes of saves.

use std::collections::HashMap;
use std::path::Path;

use tokio::sync::broadcast::error::RecvError;

use super::talk;
use crate::script::Library;
use crate::script::Outcome;
use crate::script::Report;
use crate::script::Snapshot;
use crate::script::Status;

/// The folder and what of it serves, in one line.
pub(super) fn folder(dir: &Path, fresh: bool, library: &Library) -> String {
    let snapshot = library.snapshot();
    let serving = snapshot.scripts().iter().filter_map(|script| script.serving);
    let (scripts, handlers) =
        serving.fold((0, 0), |(scripts, handlers), one| (scripts + 1, handlers + one.handlers));
    let made = if fresh { "created with the starter handlers; " } else { "" };
    format!(
        "{} ({made}{}, {})",
        dir.display(),
        count(scripts, "script"),
        count(handlers, "handler")
    )
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Prints what becomes of saves. Never ends.
///
/// Listens from the call on, not from the first poll: mistakes of the first load are told too. What loaded well then is
/// in [`folder`]'s line already.
pub(super) fn tell(library: &Library) -> impl Future<Output = ()> + use<> {
    // Numbers only: the snapshot itself would keep the first version of every script alive.
    let first = serving(&library.snapshot());
    let mut reports = library.reports();
    async move {
        loop {
            match reports.recv().await {
                Ok(report) if is_known(&first, &report) => {}
                Ok(report) if report.is_failure() => talk::failed_now(&*report),
                Ok(report) if report.is_warning() => talk::warned_now(&*report),
                Ok(report) => talk::now(&*report),
                Err(RecvError::Lagged(missed)) => {
                    talk::now(format_args!("({missed} more scripts were loaded)"));
                }
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// The version of each script that serves.
fn serving(snapshot: &Snapshot) -> HashMap<String, u64> {
    let one = |script: &Status| Some((script.script.clone(), script.serving?.number));
    snapshot.scripts().iter().filter_map(one).collect()
}

fn is_known(first: &HashMap<String, u64>, report: &Report) -> bool {
    let Outcome::Loaded { number, .. } = report.outcome else { return false };
    first.get(&report.script) == Some(&number)
}
