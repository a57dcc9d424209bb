//! `moonbell status`: what the running host is doing, or that none runs.

mod live;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::Utc;
use clap::Args;

use super::remote::Remote;
use super::{Global, columns, lang, lock, talk};
use crate::access::Lock;
use crate::store::Instance;
use crate::telemetry::status::Status as Moment;
use crate::words::Lang;
use crate::words::commands::errors;
use crate::words::commands::run;
use crate::words::commands::status as w;

/// A host that has not answered by then is busy with something that its file may tell.
const PATIENCE: Duration = Duration::from_secs(2);

/// Show what the running host is doing
///
/// Exit code 0 when a host runs, 1 when none does.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell status
  moonbell status --watch                       as it changes, until Ctrl-C
  moonbell status --dev                         the host of `moonbell dev`
  moonbell status --json | jq -r .connection    for programs")]
pub(super) struct Status {
    /// Print JSON; with --watch, one object a line whenever something changes
    #[arg(long)]
    json: bool,
    /// Go on showing it: in place on a terminal, else a line whenever something changes
    #[arg(long)]
    watch: bool,
    /// Ask for the host of `moonbell dev` (otherwise: `run`, or `dev` if only that is running)
    #[arg(long)]
    dev: bool,
}

/// What is known of a host.
struct Seen {
    folder: PathBuf,
    /// The process that has the folder.
    holder: Option<String>,
    moment: Option<Moment>,
    lock: Lock,
}

impl Seen {
    fn is_live(&self) -> bool {
        self.holder.is_some()
    }

    /// For a person.
    fn text(&self) -> String {
        let (moment, lang) = (self.moment.as_ref(), lang::here());
        let locked = self.locked(lang);
        match &self.holder {
            Some(pid) => show::as_text(pid, moment, locked.as_deref(), Utc::now(), lang),
            None => show::gone(&self.folder, moment, locked.as_deref(), lang),
        }
    }

    /// That nobody is served, and by whom it was locked.
    fn locked(&self, lang: Lang) -> Option<String> {
        self.lock.is_locked().then(|| {
            let why = lock::why(&self.lock, lang).map(|why| run::why(&why, lang));
            w::locked(&why.unwrap_or_default(), lang)
        })
    }

    fn json(&self) -> Result<serde_json::Value> {
        show::as_json(self.is_live(), self.lock.is_locked(), &self.folder, self.moment.as_ref())
    }
}

/// Lines that fit the terminal, if there is one; what goes on begins below the text above it.
fn wrapped(text: &str) -> String {
    match talk::columns() {
        Some(width) => lines(text, width).join("\n"),
        None => text.to_owned(),
    }
}

fn lines(text: &str, width: usize) -> Vec<String> {
    let wrapped = text.lines().map(|line| {
        // The names of rows stand at the margin; all else is further in than what it belongs to.
        let margin = line.len() - line.trim_start().len();
        let indent = if margin == 0 { show::NAMES } else { margin + 2 };
        columns::wrap(line, 0, indent, width)
    });
    wrapped.collect()
}

impl Status {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = global.state()?;
        if self.watch {
            return live::watch(|| self.look(state.clone()), self.json);
        }
        let seen = self.look(state)?;
        if self.json {
            talk::data(serde_json::to_string_pretty(&seen.json()?)?);
        } else if seen.is_live() {
            talk::told(&wrapped(&talk::fit(&seen.text())));
        } else {
            talk::say(seen.text());
        }
        Ok(if seen.is_live() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn look(&self, state: PathBuf) -> Result<Seen> {
        let dev = state.join("dev");
        let only_dev = Instance::holder(&state).is_none() && Instance::holder(&dev).is_some();
        let folder = if self.dev || only_dev { dev } else { state };
        let holder = Instance::holder(&folder);
        // The host itself knows best; one that cannot be asked is seen through its file.
        let asked =
            Remote::find(&folder).and_then(|host| host.patience(PATIENCE).get::<Moment>("status"));
        let moment = match asked {
            Ok(moment) => Some(moment),
            Err(_) => Moment::read(&folder).with_context(|| {
                errors::cannot_read_status(&folder.to_string_lossy(), lang::here())
            })?,
        };
        // What an earlier host left behind says nothing about this one.
        let moment = moment.filter(|moment| {
            holder.as_deref().is_none_or(|holder| holder == moment.pid.to_string())
        });
        let lock = Lock::of(&folder);
        Ok(Seen { folder, holder, moment, lock })
    }
}
