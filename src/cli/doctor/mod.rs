//! `moonbell doctor`: what is wrong, what to do about it, and where.
//!
//! Checks run side by side, each with its own deadline; one that hangs on another that failed is skipped and says so.
//! Nothing is delivered to anybody unless `--card` asks for it.

mod card;
mod check;
mod disks;
mod files;
mod host;
mod journal;
mod link;
mod scripts;
mod show;
mod there;
mod webhook;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use self::check::{Check, Fix, IDS, Said, State};
use super::remote::Remote;
use super::{Global, lang, talk};
use crate::budget::Aside;
use crate::config::{Loaded, Need, Problem, Problems};
use crate::store::{Instance, Look};
use crate::telemetry::status::Status as Moment;
use crate::words::Lang;
use crate::words::commands::errors;
use crate::words::doctor::report as w;

/// A host that has not answered by then is seen through its file.
const PATIENCE: Duration = Duration::from_secs(2);

/// Find out what is wrong, and what to do about it
///
/// Looks at the settings, this computer, the way to DingTalk, the app's permissions and the connection, in about ten
/// seconds. Changes nothing without --fix, and sends nothing to anybody without --card. Makes four API calls at most, which
/// `moonbell usage` counts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell doctor
  moonbell doctor --fix                                    file modes, missing folders, stale files
  moonbell doctor --card                                   does the card show in DingTalk?
  moonbell doctor --json | jq '.checks[] | select(.state == \"failed\")'

docs/troubleshooting.md explains every id. Exit codes: 0 nothing failed, 1 something did, 2 misuse.")]
pub(super) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Put right what is safe to: file modes, missing folders, files that a dead host left
    #[arg(long)]
    fix: bool,
    /// Send the owner a card, to see whether it shows
    #[arg(long)]
    card: bool,
    /// Wait this many seconds for a frame, when no host runs
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=120))]
    listen: u64,
}

/// How the settings say that a secret is not read for its file's mode, of which `file-modes` speaks.
const OPEN: &str = "other users of this computer can read";

/// What every check may look at.
#[derive(Debug)]
struct Facts {
    /// Without secrets.
    loaded: Loaded,
    /// Whether a host has the state folder.
    runs: bool,
    /// What that host says of itself.
    moment: Option<Moment>,
}

impl Facts {
    fn gather(loaded: Loaded) -> Self {
        let state = &loaded.config.state.dir;
        let holder = Instance::holder(state);
        let moment = holder.as_ref().and_then(|pid| {
            let asked = Remote::find(state).and_then(|host| host.patience(PATIENCE).get("status"));
            let moment = asked.ok().or_else(|| Moment::read(state).ok().flatten())?;
            (moment.pid.to_string() == *pid).then_some(moment)
        });
        Self { runs: holder.is_some(), moment, loaded }
    }
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let (mut checks, runs) = self.examine(global)?;
        checks.sort_by_key(|check| {
            (IDS.iter().position(|id| *id == check.id), check.state != State::Failed)
        });
        // Where two saw the same thing, what failed is what counts.
        checks.dedup_by_key(|check| check.id);
        if self.json {
            talk::data(serde_json::to_string_pretty(&show::json(&checks, runs))?);
        } else {
            talk::told(&show::text(&checks, lang::here(), talk::width()));
        }
        let failed = checks.iter().any(Check::is_bad);
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn examine(&self, global: &Global) -> Result<(Vec<Check>, bool)> {
        let fix = Fix(self.fix);
        let read = global.read(Need::Settings);
        if std::io::stderr().is_terminal() {
            talk::say(w::checking(lang::here()));
        }
        let loaded = match read {
            Ok(loaded) => loaded,
            Err(error) => {
                let wrong = match error.downcast_ref::<Problems>() {
                    Some(problems) => unusable("config", problems),
                    None => Check::failed("config", |_| error.to_string()).todo(w::see_config),
                };
                let mut checks = vec![wrong];
                checks.extend(IDS[1..].iter().map(|id| Check::after(id, "config")));
                return Ok((checks, false));
            }
        };
        let facts = Facts::gather(loaded);
        let mut checks = vec![files::file_modes(&facts, fix)];
        // After the modes: a secret that others may read is not read.
        let account = global.read(Need::Account);
        let account = match account {
            Ok(loaded) => {
                checks.push(settings(&facts, &loaded.warnings));
                Ok(loaded.config)
            }
            Err(error) => match error.downcast::<Problems>() {
                Ok(problems) => {
                    checks.push(settings(&facts, &facts.loaded.warnings));
                    Err(problems)
                }
                Err(error) => return Err(error),
            },
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context(errors::no_threads(lang::here()))?;
        let listen = Duration::from_secs(self.listen);
        let meter = Aside::default();
        let remote = async {
            match &account {
                Ok(config) => {
                    let (mut found, webhook) = tokio::join!(
                        there::all(&facts, config, &meter, listen),
                        webhook::look(&facts, config),
                    );
                    found.extend([webhook::certificate(config), webhook]);
                    found
                }
                Err(problems) => without_account(problems, checks[0].is_bad()),
            }
        };
        let (local, remote) = std::thread::scope(|scope| {
            let local = scope.spawn(|| {
                // Processes of scripts are looked after on a runtime; none starts while they are only checked.
                let _runtime = runtime.enter();
                local(&facts, fix)
            });
            let remote = runtime.block_on(Box::pin(remote));
            (local.join().unwrap_or_default(), remote)
        });
        checks.extend(local);
        checks.extend(remote);
        if let Ok(config) = &account {
            runtime.block_on(card::ask(&mut checks, &facts, config, &meter, self.card, self.json));
        }
        if let Err(error) = meter.write(&facts.loaded.config.state.dir) {
            tracing::warn!(%error, "the calls of the checks are not in `moonbell usage`");
        }
        runtime.shutdown_background();
        Ok((checks, facts.runs))
    }
}

fn local(facts: &Facts, fix: Fix) -> Vec<Check> {
    let look = Look::open(&facts.loaded.config.state.dir);
    let journal = journal::journal(&look);
    let look = look.ok().flatten();
    let look = look.as_ref();
    vec![
        journal,
        disks::shared_disk(facts),
        disks::disk(facts, fix),
        files::stale_files(facts, fix),
        scripts::scripts(facts, fix),
        host::console(facts),
        host::owner(facts, look),
        host::lock(facts),
        host::service(),
        journal::published(look),
        journal::outbox(facts, look),
        journal::budget(facts, look),
    ]
}

/// Of a secret in a file that others may read `file-modes` speaks.
fn settings(facts: &Facts, warnings: &[Problem]) -> Check {
    let ours = |problem: &&Problem| !problem.message.pick(Lang::En).contains(OPEN);
    let warnings: Vec<Problem> = warnings.iter().filter(ours).cloned().collect();
    if !warnings.is_empty() {
        return listed("config", State::Warning, &warnings);
    }
    match &facts.loaded.file {
        Some(file) => Check::ok("config", |_| file.display().to_string()),
        None => Check::ok("config", w::no_settings_file),
    }
}

fn unusable(id: &'static str, problems: &Problems) -> Check {
    let check = listed(id, State::Failed, &problems.list);
    // On a computer where moonbell has never been.
    if problems.example.as_ref().is_some_and(|example| example.is_new) {
        return check.todo(w::start_with_init);
    }
    check
}

fn listed(id: &'static str, state: State, problems: &[Problem]) -> Check {
    let all = problems
        .iter()
        .map(|problem| Said::new(|lang| problem.line(lang)))
        .reduce(|all, more| all.and(&more));
    let check =
        Check::new(id, state, Said::new(|lang| all.as_ref().map_or("", |all| all.pick(lang))));
    let mut hints: Vec<&Said> = Vec::new();
    for hint in problems.iter().filter_map(|problem| problem.hint.as_ref()) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    let hints = hints.into_iter().cloned().reduce(|all, more| all.and(&more));
    match hints {
        Some(hints) => check.todo(|lang| hints.pick(lang)),
        // A whole file to paste is for `run` to show.
        None => check.todo(w::see_config),
    }
}

/// The settings are sound, but what the account needs is not there; perhaps only because others may read it (`open`).
fn without_account(problems: &Problems, open: bool) -> Vec<Check> {
    let (proxy, rest): (Vec<_>, Vec<_>) = problems
        .list
        .iter()
        .cloned()
        .partition(|problem| problem.message.pick(Lang::En).starts_with("`network.proxy`"));
    let (open, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|problem| open && problem.message.pick(Lang::En).contains(OPEN));
    let mut checks = Vec::new();
    for (id, list, example) in [("proxy", proxy, None), ("secret", rest, problems.example.clone())]
    {
        if !list.is_empty() {
            checks.push(unusable(id, &Problems { list, example, ..Problems::default() }));
        }
    }
    let last = if open.is_empty() { "secret" } else { "file-modes" };
    let first = checks.first().map_or(last, |check| check.id);
    let local = ["published", "budget", "outbox"];
    let from = IDS.iter().position(|id| *id == "proxy").unwrap_or_default();
    for id in IDS[from..].iter().filter(|id| !local.contains(id)) {
        if !checks.iter().any(|check| check.id == *id) {
            checks.push(Check::after(id, first));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Place, Problem};

    #[test]
    fn of_several_mistakes_each_has_its_way_out_once() {
        let problem =
            |hint: &'static str| Problem::new(Place::Default, |_| "wrong").hint(move |_| hint);
        let list = vec![
            problem("quote it"),
            problem("is it `x`?"),
            problem("quote it"),
            problem("move it"),
        ];
        let check = unusable("config", &Problems { list, ..Problems::default() });
        assert_eq!(check.todo.unwrap().pick(Lang::En), "quote it; is it `x`? move it");
    }
}
