//! `moonbell types`: definitions and settings for editors.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Failed, Global, editor, lang, starter, talk};
use crate::config::Need;
use crate::words::commands::errors;
use crate::words::commands::types as w;

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
        global.heed_language();
        let (lang, folder) = (lang::here(), dir.to_string_lossy());
        if !dir.is_dir() {
            return Err(Failed::new(errors::no_folder(&folder, lang))
                .hint(w::no_folder_hint(lang))
                .misuse()
                .into());
        }
        let written = editor::write(&dir).map_err(|error| {
            Failed::new(w::cannot_write(&folder, &error.to_string(), lang))
                .hint(w::cannot_write_hint(lang))
        })?;
        for file in &written.files {
            talk::data(file.display());
        }
        if written.files.is_empty() && written.left.is_empty() {
            talk::say(w::current(lang));
        }
        for (file, lines) in &written.left {
            talk::say(w::left(&file.to_string_lossy(), lines.trim_end(), lang));
        }
        talk::say(w::next(
            &folder,
            &dir.join(editor::DEFINITIONS).to_string_lossy(),
            &dir.join(editor::DOCUMENTATION).to_string_lossy(),
            lang,
        ));
        Ok(if written.left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
