//! `moonbell types`: definitions and settings for editors.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Failed, Global, editor, starter, talk};
use crate::config::Need;

/// Write definitions and editor settings, so that an editor completes and documents every name
///
/// Writes moonbell.d.luau, moonbell.docs.json, .luaurc and .vscode/settings.json into the scripts folder, for luau-lsp
/// (1.50 or newer), the language server of all common editors. Your own settings stay; run it again after an update of moonbell. Without DIR: ./scripts if that folder exists, else the folder of your settings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell types
  moonbell types ~/handlers

Visual Studio Code: install the extension JohnnyMorganz.luau-lsp and open the folder.
Neovim, Zed, Helix, Sublime Text and others: docs/editors.md has the lines to paste; they start
  luau-lsp lsp --definitions:@moonbell=moonbell.d.luau --docs=moonbell.docs.json")]
pub(super) struct Types {
    /// The scripts folder
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Types {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let dir = match &self.dir {
            Some(dir) => std::path::absolute(dir)?,
            None => {
                let configured = global.load(Need::Settings)?.config.scripts.dir;
                starter::dev_folder(false, &configured)
            }
        };
        if !dir.is_dir() {
            return Err(Failed::new(format!("there is no folder `{}`", dir.display()))
                .hint("make it, or let `moonbell dev` create one with starter handlers")
                .misuse()
                .into());
        }
        let written = editor::write(&dir).map_err(|error| {
            Failed::new(format!("cannot write to `{}`: {error}", dir.display()))
                .hint("check the permissions of the folder and of what is in it")
        })?;
        for file in &written.files {
            talk::data(file.display());
        }
        if written.files.is_empty() && written.left.is_empty() {
            talk::say("everything is current");
        }
        for (file, lines) in &written.left {
            talk::say(format_args!(
                "`{}` is not plain JSON and stays as it is; add to it:\n{}",
                file.display(),
                lines.trim_end()
            ));
        }
        talk::say(format_args!(
            "next: open `{}` in Visual Studio Code with the extension JohnnyMorganz.luau-lsp;\n      in another editor, start `luau-lsp lsp --definitions:@moonbell={} --docs={}`",
            dir.display(),
            dir.join(editor::DEFINITIONS).display(),
            dir.join(editor::DOCUMENTATION).display()
        ));
        Ok(if written.left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
