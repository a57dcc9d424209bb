//! What the terminal of `dev` and `run` shows of the scripts: what serves at the start, and what becomes of saves, which is
//! in the log too and so in English.

use std::collections::HashMap;
use std::path::Path;

use tokio::sync::broadcast::error::RecvError;

use super::talk;
use crate::script::Library;
use crate::script::Outcome;
use crate::script::Report;
use crate::script::Snapshot;
use crate::script::Status;
use crate::transport::{Addresses, Link, Phase, State};
use crate::words::Lang;
use crate::words::commands::run as w;
use crate::words::dingtalk;
use crate::words::doctor::scripts::handlers as handlers_of;

/// The folder and what of it serves, in one line.
pub(super) fn folder(dir: &Path, fresh: bool, library: &Library, lang: Lang) -> String {
    let snapshot = library.snapshot();
    let serving = snapshot.scripts().iter().filter_map(|script| script.serving);
    let (scripts, handlers) =
        serving.fold((0, 0), |(scripts, handlers), one| (scripts + 1, handlers + one.handlers));
    let (dir, scripts) = (dir.to_string_lossy(), w::count_scripts(scripts, lang));
    let handlers = handlers_of(handlers, lang);
    let says = if fresh { w::serves_fresh } else { w::serves };
    says(&dir, &scripts, &handlers, lang)
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
                    talk::now(w::more_loaded(missed, Lang::En));
                }
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Prints how the connection is, whenever that changes, for whom the log does not say it in their language. Never ends.
pub(super) async fn link(mut link: Link, addresses: Option<Addresses>, lang: Lang) {
    if lang == Lang::En {
        return std::future::pending().await;
    }
    let mut told = None;
    loop {
        let State { phase, .. } = link.now();
        let (kind, said, hint) = match phase {
            Phase::Connected => ("up", w::connected(lang).to_owned(), None),
            Phase::Registered => {
                let robot = addresses.as_ref().map_or("", |addresses| addresses.robot.as_str());
                ("up", w::registered(robot, lang), None)
            }
            Phase::Refused { reason, hint, .. } => {
                ("refused", w::refused(&dingtalk::retold(&reason, lang), lang), hint)
            }
            Phase::BackingOff { reason, .. } | Phase::Deaf { reason } => {
                ("down", w::not_connected(&dingtalk::retold(&reason, lang), lang), None)
            }
            Phase::Connecting | Phase::Stopped => (told.unwrap_or(""), String::new(), None),
        };
        if told.replace(kind) != Some(kind) && !said.is_empty() {
            talk::say(said);
            if let Some(hint) = hint {
                talk::advise(dingtalk::retold(&hint, lang));
            }
        }
        if !link.changed().await {
            break;
        }
    }
    std::future::pending::<()>().await;
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
