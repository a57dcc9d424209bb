//! `moonbell runs`: what runs and what ran, from the journal; and to end one, or run one again, through the host.

mod show;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::remote::Remote;
use super::{Failed, Global, lang, talk};
use crate::api::time::parse_duration;
use crate::inbox::{self, Filter, Past};
use crate::outbox;
use crate::store::{Look, now_ms};
use crate::words::commands::errors;
use crate::words::commands::runs as w;

/// States that a run can have.
const STATES: [&str; 9] = [
    "queued",
    "running",
    "waiting",
    "done",
    "refused",
    "failed",
    "cancelled",
    "interrupted",
    "parked",
];

/// Runs of a list, unless told otherwise.
const LIMIT: usize = 20;

/// List what runs and what ran, or tell all about one run
///
/// Reads the journal: a host need not run. `stop` and `again` ask the host that runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell runs                                 the newest 20
  moonbell runs 7k3fa                           all about one, with its log and the end of its output
  moonbell runs --state failed --since 2h
  moonbell runs --json --limit 100 | jq -r '.[].handler'
  moonbell runs stop 7k3fa
  moonbell runs again 7k3fa                     as you, the owner

Exit codes: 0 done, 1 no such run or no host, 2 misuse.")]
pub(super) struct Runs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Tell all about this run
    #[arg(value_name = "ID", conflicts_with_all = ["state", "since", "limit"])]
    id: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only those that are, or ended, so
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Option<String>,
    /// Only those of the last so long: 2h, 30m, 7d
    #[arg(long, value_name = "TIME", value_parser = span)]
    since: Option<Duration>,
    /// How many at most, the newest
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
    /// Ask for the host of `moonbell dev` (otherwise: `run`, or `dev` if only that is running or nothing is set up)
    #[arg(long, global = true)]
    dev: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// End a run that has not ended, with every program that it started
    Stop {
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Run the message of a run again, as the owner
    Again {
        #[arg(value_name = "ID")]
        id: String,
    },
}

fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

impl Runs {
    /// What was said that is about a list or one run, and not about `stop` and `again`.
    fn of_a_list(&self) -> Option<&str> {
        let given = [
            (self.id.is_some(), "ID"),
            (self.json, "--json"),
            (self.state.is_some(), "--state"),
            (self.since.is_some(), "--since"),
            (self.limit != LIMIT, "--limit"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = global.place(self.dev)?;
        let lang = lang::here();
        if let (Some(_), Some(extra)) = (&self.action, self.of_a_list()) {
            return Err(Failed::new(w::not_of_an_order(extra, lang)).misuse().into());
        }
        match &self.action {
            Some(Action::Stop { id }) => {
                ask(&state, id, "stop")?;
                talk::say(w::stopped(&plain(id), lang));
                return Ok(ExitCode::SUCCESS);
            }
            Some(Action::Again { id }) => {
                let answer = ask(&state, id, "again")?;
                talk::say(w::again(&plain(id), lang));
                talk::data(answer["run"].as_str().unwrap_or_default());
                return Ok(ExitCode::SUCCESS);
            }
            None => {}
        }
        let journal = open(&state)?;
        if let Some(id) = &self.id {
            let id = plain(id);
            let name = id.clone();
            let found = journal.read(|c| inbox::of_run(c, &name)).map_err(failed)?;
            let past = found.ok_or_else(|| unknown(&id, &state))?;
            let said = journal.read(|c| outbox::of_run(c, &id)).map_err(failed)?;
            if self.json {
                talk::data(serde_json::to_string_pretty(&show::as_json(&past, Some(&said)))?);
            } else {
                talk::quoted(&show::all(&past, &said));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let since_ms = self.since.map(|since| {
            now_ms().saturating_sub(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        });
        let filter =
            Filter { state: self.state.clone(), since_ms, limit: self.limit, ..Filter::default() };
        let runs: Vec<Past> = journal.read(|c| inbox::list(c, &filter)).map_err(failed)?;
        if self.json {
            let list: Vec<Value> = runs.iter().map(|past| show::as_json(past, None)).collect();
            talk::data(serde_json::to_string_pretty(&list)?);
        } else if runs.is_empty() {
            talk::say(if self.state.is_some() || self.since.is_some() {
                w::none_like_that(lang)
            } else {
                w::none_yet(lang)
            });
        } else {
            talk::shown(show::table(&runs));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// As people type it: with a sign of the number, in capitals.
fn plain(id: &str) -> String {
    id.trim_start_matches('#').to_lowercase()
}

fn ask(state: &Path, id: &str, action: &str) -> Result<Value> {
    let id = plain(id);
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        let lang = lang::here();
        return Err(Failed::new(w::no_id(&id, lang)).hint(w::listed(lang)).misuse().into());
    }
    Remote::find(state)?.post(&format!("runs/{id}/{action}"), &Value::Null)
}

/// The journal of that host.
pub(super) fn open(state: &Path) -> Result<Look> {
    let lang = lang::here();
    Ok(Look::open(state).map_err(failed)?.ok_or_else(|| {
        Failed::new(errors::no_journal(&state.to_string_lossy(), lang))
            .hint(errors::start_one(lang))
    })?)
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` wants")]
pub(super) fn failed(error: crate::store::Error) -> Failed {
    super::errors::of_journal(&error)
}

pub(super) fn unknown(id: &str, state: &Path) -> Failed {
    let lang = lang::here();
    Failed::new(w::unknown(id, &state.to_string_lossy(), lang)).hint(w::unknown_hint(lang))
}
