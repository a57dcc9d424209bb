//! The command line: one file per command, each with its arguments and `run(self, …) -> Result<ExitCode>`.
//!
//! stdout is data, stderr is talk. Exit code 0: done; 1: failed; 2: misuse, which includes settings that cannot be
//! used, so that a service manager knows not to try again.

mod audit;
mod browser;
mod check;
mod claim;
mod columns;
mod completions;
mod dev;
mod doctor;
mod editor;
mod errors;
mod explain;
mod grant;
mod help;
mod host;
mod init;
mod lang;
mod letters;
mod lock;
mod logs;
mod modes;
mod news;
mod outbox;
mod remote;
mod replay;
mod run;
mod runs;
mod service;
mod starter;
mod status;
mod talk;
mod test;
mod types;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Loaded, Need, Place, Places, Problems, Source};
use crate::sink;
use crate::store::Instance;
use crate::telemetry;
use crate::words::commands::errors as w;

pub use talk::Failed;

/// Lua that answers DingTalk: a message in a chat runs your Luau handler on this computer.
#[derive(Debug, Parser)]
#[command(name = "moonbell", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  moonbell dev                 try it: a simulated DingTalk in your browser, no account needed
  moonbell init                set up the real thing: an app at DingTalk by a QR code, settings, the first message
  moonbell run                 answer the real DingTalk, with the app of your settings file
  moonbell doctor              what is wrong with settings, network, app or connection, and what to do
  moonbell check               what is wrong with your scripts, types included
  moonbell test                conversations with your scripts, played without DingTalk
  moonbell explain --last      why did, or did not, the last message run?
  moonbell runs                what ran, and how it ended
  moonbell logs -f             the log of the host, as it grows
  moonbell status --json       what the running host is doing
  moonbell lock                stop everything and refuse everybody, at once
  moonbell audit --denied      who was refused, and why
  moonbell grant               let scripts of other people do what they ask for
  moonbell usage               what was used of DingTalk's monthly budgets, and by whom

Settings: docs/config.md. Every key is also an environment variable, MOONBELL_<TABLE>_<KEY>.
Exit codes: 0 done, 1 failed, 2 misuse.";

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Read settings from this file instead of the default one
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MOONBELL_CONFIG",
        hide_env_values = true
    )]
    config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, off, or a list such as `info,moonbell::sim=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "MOONBELL_LOG",
        hide_env_values = true
    )]
    log: Option<String>,
}

/// Settings as far as they can be read.
#[derive(Debug)]
struct Readable {
    config: Config,
    /// Where each key was written, if there is no mistake.
    places: BTreeMap<String, Place>,
    /// The keys that mistakes are about.
    mistakes: Option<BTreeSet<String>>,
}

impl Global {
    /// Where settings are read from.
    fn source(&self) -> Source {
        Source {
            places: Places::of_this_user(),
            file: self.config.clone(),
            environment: std::env::vars_os().collect(),
        }
    }

    /// Reads the settings.
    fn read(&self, need: Need) -> Result<Loaded> {
        let mut loaded = config::load(&self.source(), need)
            .inspect_err(|problems| lang::settle(problems.language))?;
        lang::settle(loaded.config.language);
        loaded.config.scripts.closed.extend(loaded.file.clone());
        loaded.config.scripts.closed.extend(loaded.secret_files.iter().cloned());
        for secret in loaded.config.every_secret() {
            sink::hide(secret.expose());
        }
        // Passwords of proxies stand in addresses that programs print.
        for (name, value) in &self.source().environment {
            let is_proxy = name.to_string_lossy().to_ascii_uppercase().ends_with("_PROXY");
            let address = value.to_str().filter(|_| is_proxy).and_then(|text| text.parse().ok());
            if let Some(password) = address.as_ref().and_then(url::Url::password) {
                sink::hide(password);
                let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
                sink::hide(&decoded);
            }
        }
        telemetry::refilter(loaded.config.log_filter.as_deref())?;
        Ok(loaded)
    }

    /// Reads the settings and speaks their warnings.
    fn load(&self, need: Need) -> Result<Loaded> {
        let loaded = self.read(need)?;
        for warning in &loaded.warnings {
            talk::warning(warning);
        }
        Ok(loaded)
    }

    /// As far as that is known without having read the arguments.
    fn of_variables() -> Self {
        Self { config: std::env::var_os("MOONBELL_CONFIG").map(PathBuf::from), log: None }
    }

    /// For commands that take nothing but their language from the settings: mistakes there are not theirs to tell.
    fn heed_language(&self) {
        let read = config::load(&self.source(), Need::Settings);
        lang::settle(read.map_or_else(|problems| problems.language, |read| read.config.language));
    }

    /// The state folder, for commands that need nothing else: mistakes elsewhere in the settings are warnings then, for a
    /// host may go on with what it read before them.
    fn state(&self) -> Result<PathBuf> {
        Ok(self.state_and_whether_set_up()?.0)
    }

    /// The state folder of the host that is asked about, for the same commands: that of `dev` if it is asked for, or if only
    /// that one runs or nothing is set up.
    fn place(&self, dev: bool) -> Result<PathBuf> {
        let (state, is_set_up) = self.state_and_whether_set_up()?;
        let play = state.join("dev");
        let plays = Instance::holder(&play).is_some() || (!is_set_up && play.exists());
        Ok(if dev || (plays && Instance::holder(&state).is_none()) { play } else { state })
    }

    fn state_and_whether_set_up(&self) -> Result<(PathBuf, bool)> {
        let Readable { config, mistakes, .. } = self.readable()?;
        let says_so = config.access.owner.is_some() || !config.access.roles.is_empty();
        // Who makes mistakes in the settings has some.
        Ok((config.state.dir, says_so || mistakes.is_some()))
    }

    /// The settings, or what mistakes in them leave, which are warnings then: wherever it is certain where the state is.
    fn readable(&self) -> Result<Readable> {
        let error = match self.load(Need::Settings) {
            Ok(Loaded { config, places, .. }) => {
                return Ok(Readable { config, places, mistakes: None });
            }
            Err(error) => error,
        };
        let mut problems = error.downcast::<Problems>()?;
        let Some(config) = problems.rest.take() else { return Err(problems.into()) };
        for problem in &problems.list {
            talk::warning(problem);
        }
        Ok(Readable { config: *config, places: BTreeMap::new(), mistakes: Some(problems.wrong) })
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Init(Box<init::Init>),
    Run(run::Run),
    Doctor(doctor::Doctor),
    Status(status::Status),
    Service(service::ServiceCommand),
    Claim(claim::Claim),
    Lock(lock::Lock),
    Unlock(lock::Unlock),
    Audit(audit::Audit),
    Grant(grant::Grant),
    Runs(runs::Runs),
    Logs(logs::Logs),
    Usage(usage::Usage),
    Outbox(outbox::Outbox),
    Check(check::Check),
    Test(test::Test),
    Explain(explain::Explain),
    Replay(replay::Replay),
    Types(types::Types),
    Completions(completions::Completions),
}

/// Reads the arguments of this process and does what they say.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

fn main_with(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            return talk::usage(&help::told(error, &arguments));
        }
    };
    letters::look();
    let code = run(cli).unwrap_or_else(|error| talk::error(&error));
    if letters::were_hidden() {
        talk::advise(w::letters_hidden(lang::here()));
    }
    code
}

fn run(cli: Cli) -> Result<ExitCode> {
    // Tests show what happened themselves.
    let quiet = matches!(cli.command, Command::Test(_) | Command::Replay(_)).then_some("off");
    telemetry::init(cli.global.log.as_deref().or(quiet), talk::fit_talk)?;
    telemetry::panics::report(|what| talk::failed_now(what));
    match cli.command {
        Command::Dev(command) => command.run(&cli.global),
        Command::Init(command) => command.run(&cli.global),
        Command::Run(command) => command.run(&cli.global),
        Command::Doctor(command) => command.run(&cli.global),
        Command::Status(command) => command.run(&cli.global),
        Command::Service(command) => command.run(&cli.global),
        Command::Claim(command) => command.run(&cli.global),
        Command::Lock(command) => command.run(&cli.global),
        Command::Unlock(command) => command.run(&cli.global),
        Command::Audit(command) => command.run(&cli.global),
        Command::Grant(command) => command.run(&cli.global),
        Command::Runs(command) => command.run(&cli.global),
        Command::Logs(command) => command.run(&cli.global),
        Command::Usage(command) => command.run(&cli.global),
        Command::Outbox(command) => command.run(&cli.global),
        Command::Check(command) => command.run(&cli.global),
        Command::Test(command) => command.run(&cli.global),
        Command::Explain(command) => command.run(&cli.global),
        Command::Replay(command) => command.run(&cli.global),
        Command::Types(command) => command.run(&cli.global),
        Command::Completions(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("moonbell "), "`{}` has no example", command.get_name());
        }
    }
}
