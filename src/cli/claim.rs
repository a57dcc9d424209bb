//! `moonbell claim`: a new code that makes its sender the owner of the bot.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Failed, Global, Readable, errors, init, lang, talk};
use crate::access::{Audit, Record, claim, read_grants};
use crate::store::{Instance, Look, Store, note, now_ms};
use crate::words::commands::claim as w;

/// Print a code that makes its sender the owner of the bot
///
/// Send it to the bot in a direct message. It works once, for ten minutes, and for five tries in all; a new one ends the
/// one before. Works beside a running host and without one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell claim
  moonbell claim --replace      somebody owns the bot already: whoever sends the new code takes it over

Exit codes: 0 printed, 1 failed or not needed, 2 misuse.")]
pub(super) struct Claim {
    /// Print a code though somebody has claimed the bot already
    #[arg(long)]
    replace: bool,
}

/// Keys that say whose bot it is: beside a mistake in one of them nobody can tell whether a code is needed.
const DECIDE: [&str; 3] = ["access.owner", "dingtalk.client_id", "dingtalk.api_base"];

impl Claim {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let Readable { config, places, mistakes } = global.readable()?;
        let lang = lang::here();
        let mistakes = mistakes.unwrap_or_default();
        if let Some(key) = DECIDE.iter().find(|key| mistakes.contains(**key)) {
            return Err(Failed::new(w::cannot_be_told(key, lang)).hint(w::mend_it(lang)).into());
        }
        if let Some(owner) = &config.access.owner {
            let place = places.get("access.owner").map(|at| w::at(&at.text(lang), lang));
            return Err(Failed::new(w::set(owner.as_str(), lang))
                .hint(w::set_hint(&place.unwrap_or_default(), lang))
                .into());
        }
        let state = &config.state.dir;
        let failed = |error: crate::store::Error| errors::of_journal(&error);
        // Of a folder that nobody holds, this process is the one that may record.
        let instance = match Instance::holder(state) {
            Some(_) => None,
            None => {
                let instance = Instance::acquire(state, "claim")?;
                // Makes the journal, or brings it to this version.
                drop(Store::open(state).map_err(failed)?);
                Some(instance)
            }
        };
        let owner = match Look::open(state).map_err(failed)? {
            Some(journal) => {
                journal.read(|c| read_grants(c, &config.dingtalk.app())).map_err(failed)?.0
            }
            None => None,
        };
        if let Some(owner) = owner.filter(|_| !self.replace) {
            return Err(Failed::new(w::claimed_already(owner.as_str(), lang))
                .hint(w::claimed_already_hint(lang))
                .into());
        }
        let code =
            note(state, |c| claim::renew(c, init::chosen(state), now_ms())).map_err(failed)?;
        if instance.is_some() {
            let audit = Audit::open(state)?;
            audit.record(Record::event("claim", "code", "local", "moonbell claim"));
            audit.close();
        }
        talk::data(code.show());
        talk::say(w::send_it(lang));
        if instance.is_some() {
            talk::advise(w::no_host_runs(lang));
        }
        Ok(ExitCode::SUCCESS)
    }
}
