//! `moonbell lock` and `moonbell unlock`: everything off, and on again.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Failed, Global, lang, talk};
use crate::access::{self, Audit, Record};
use crate::sink::escape;
use crate::store::Instance;
use crate::words::Lang;
use crate::words::commands::lock as w;
use crate::words::commands::run;

/// Stop every run and refuse everybody, at once
///
/// Works with and without a running host, and holds over restarts, until `moonbell unlock` on this computer. The owner and
/// admins can also send `lock` to the bot.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell lock
  moonbell lock --dev      the host of `moonbell dev`

Without moonbell: create a file called `locked` in the state folder.")]
pub(super) struct Lock {
    /// Lock the host of `moonbell dev`
    #[arg(long)]
    dev: bool,
}

/// Serve people again after `lock`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell unlock
  moonbell unlock --dev    the host of `moonbell dev`")]
pub(super) struct Unlock {
    /// Unlock the host of `moonbell dev`
    #[arg(long)]
    dev: bool,
}

/// Written into the lock, which the log quotes: in English.
const HERE: &str = "by `moonbell lock` on this computer";

/// By whom it was locked, where that is known.
pub(super) fn why(lock: &access::Lock, lang: Lang) -> Option<String> {
    Some(match lock.why()? {
        why if why == HERE => w::by_this_computer(lang).to_owned(),
        why => escape(&why),
    })
}

fn folder(global: &Global, dev: bool) -> Result<PathBuf> {
    let mut state = global.state()?;
    if dev {
        state.push("dev");
    }
    Ok(state)
}

impl Lock {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = folder(global, self.dev)?;
        let lock = access::Lock::of(&state);
        let lang = lang::here();
        let fresh =
            lock.shut(HERE).with_context(|| w::cannot_lock(&state.to_string_lossy(), lang))?;
        // A running host sees the file within a moment, stops its runs and records it.
        if fresh {
            record(&state, "lock");
        }
        talk::say(match (fresh, Instance::holder(&state)) {
            (true, Some(pid)) => w::locked(&pid, lang),
            (true, None) => w::locked_without_host(lang).to_owned(),
            (false, _) => {
                let why = why(&lock, lang).map(|why| run::why(&why, lang)).unwrap_or_default();
                w::locked_already(&why, lang)
            }
        });
        Ok(ExitCode::SUCCESS)
    }
}

impl Unlock {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = folder(global, self.dev)?;
        let lock = access::Lock::of(&state);
        let (folder, lang) = (state.to_string_lossy(), lang::here());
        if !lock.lift().with_context(|| w::cannot_unlock(&folder, lang))? {
            return Err(Failed::new(w::not_locked(&folder, lang)).into());
        }
        record(&state, "unlock");
        talk::say(w::unlocked(lang));
        Ok(ExitCode::SUCCESS)
    }
}

/// A running host records by itself; the audit has one writer.
fn record(state: &std::path::Path, event: &str) {
    if Instance::holder(state).is_some() {
        return;
    }
    let written =
        Instance::acquire(state, event).map_err(anyhow::Error::from).and_then(|_instance| {
            let audit = Audit::open(state)?;
            audit.record(Record::event(event, "", "local", format!("moonbell {event}")));
            audit.close();
            Ok(())
        });
    if let Err(error) = written {
        talk::warn(w::not_recorded(&error.to_string(), lang::here()));
    }
}
