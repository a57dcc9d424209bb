//! `moonbell lock` and `moonbell unlock`: everything off, and on again.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Failed, Global, talk};
use crate::access::{self, Audit, Record};
use crate::sink::escape;
use crate::store::Instance;

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
        let fresh = lock
            .shut("by `moonbell lock` on this computer")
            .with_context(|| format!("cannot lock `{}`; stop moonbell instead", state.display()))?;
        // A running host sees the file within a moment, stops its runs and records it.
        if fresh {
            record(&state, "lock");
        }
        talk::say(match (fresh, Instance::holder(&state)) {
            (true, Some(pid)) => {
                format!("locked: process {pid} stops its runs and serves nobody; `moonbell unlock` lifts it")
            }
            (true, None) => "locked: no host runs, and one that starts serves nobody; `moonbell unlock` lifts it".to_owned(),
            (false, _) => {
                let why = lock.why().map(|why| format!(" ({})", escape(&why))).unwrap_or_default();
                format!("it is locked already{why}; `moonbell unlock` lifts it")
            }
        });
        Ok(ExitCode::SUCCESS)
    }
}

impl Unlock {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = folder(global, self.dev)?;
        let lock = access::Lock::of(&state);
        let lifted = lock
            .lift()
            .with_context(|| format!("cannot remove the lock of `{}`", state.display()))?;
        if !lifted {
            return Err(Failed::new(format!("`{}` is not locked", state.display())).into());
        }
        record(&state, "unlock");
        talk::say("unlocked: people are served again, with the rights that they had");
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
        talk::say(format_args!("warning: it was not recorded in the audit: {error}"));
    }
}
