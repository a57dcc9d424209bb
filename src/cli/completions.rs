//! `moonbell completions`: the shell's side of the command line.

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell completions bash > ~/.local/share/bash-completion/completions/moonbell
  moonbell completions zsh > ~/.zfunc/_moonbell
  moonbell completions fish > ~/.config/fish/completions/moonbell.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<ExitCode> {
        // Into memory first: a reader that goes away (`| head`) must not make the generator panic.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "moonbell", &mut script);
        match io::Write::write_all(&mut io::stdout(), &script) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}
