//! `moonbell check`: what is wrong with the scripts, before a message finds out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::{Failed, Global, errors, lang, starter, talk};
use crate::access::{Consents, consents};
use crate::api::Host;
use crate::config::{Config, Need};
use crate::script::check::{self, Checked, Finding, Severity};
use crate::store::Look;
use crate::words::Lang;
use crate::words::commands::check as w;
use crate::words::doctor::scripts::{files, handlers};

/// Check scripts without running them: mistakes, types, conflicts, code that nothing reaches
///
/// Each script is loaded as a host would load it (its top level runs, its handlers do not), and thrown away again.
/// Without PATH: ./scripts if that folder exists, else the folder of your settings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell check
  moonbell check scripts/deploy.luau             one script, as it stands among the others
  moonbell check --json | jq '.findings[].rule'  for programs

A comment `-- moonbell: allow RULE` silences a rule on its own line and the next.
Exit codes: 0 nothing found, 1 something found, 2 misuse.")]
pub(super) struct Check {
    /// A folder of scripts, or one script
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        global.heed_language();
        let (dir, only, host) = match &self.path {
            Some(path) => {
                let (dir, only) = place(path)?;
                (dir, only, None)
            }
            None => {
                let config = global.load(Need::Settings)?.config;
                let dir = starter::dev_folder(false, &config.scripts.dir);
                // Which scripts wait for a grant is known of the folder that is served.
                let ours = dir == config.scripts.dir;
                (dir, None, ours.then_some(config))
            }
        };
        // Processes of a host are looked after on a runtime; no script starts one while it loads.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(crate::words::commands::errors::no_threads(lang::here()))?;
        let checked = {
            let _runtime = runtime.enter();
            let host = match &host {
                Some(config) => granted(config)?,
                None => Host::default(),
            };
            check::folder(&dir, only.as_deref(), &host)
                .map_err(|error| errors::of_folder(&error))?
        };
        if self.json {
            talk::data(serde_json::to_string_pretty(&as_json(&dir, &checked))?);
        } else {
            for finding in &checked.findings {
                talk::finding(finding);
            }
            talk::say(summary(&checked, lang::here()));
        }
        Ok(if checked.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A host that knows which scripts are other people's, and what was granted to them.
pub(super) fn granted(config: &Config) -> Result<Host> {
    let failed = |error: crate::store::Error| errors::of_journal(&error);
    let list = match Look::open(&config.state.dir).map_err(failed)? {
        Some(journal) => journal.read(consents::read).map_err(failed)?,
        None => Vec::new(),
    };
    Ok(Host::default().with_asked(&config.scripts.asked, Some(Consents::known(list))))
}

/// The folder to check, and the script in it if just one is asked for.
fn place(path: &Path) -> Result<(PathBuf, Option<String>)> {
    let path = std::path::absolute(path)?;
    if path.is_dir() {
        return Ok((path, None));
    }
    let lang = lang::here();
    let missing = || {
        Failed::new(w::missing(&path.to_string_lossy(), lang)).hint(w::missing_hint(lang)).misuse()
    };
    let name = path.file_name().filter(|_| path.is_file()).ok_or_else(missing)?;
    let name = name.to_string_lossy().into_owned();
    if !check::is_script(&name) && !check::is_test(&name) {
        return Err(Failed::new(w::no_script(&name, lang))
            .hint(w::no_script_hint(lang))
            .misuse()
            .into());
    }
    let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
    Ok((dir, Some(name)))
}

fn count(checked: &Checked, severity: Severity) -> usize {
    checked.findings.iter().filter(|finding| finding.severity == severity).count()
}

fn summary(checked: &Checked, lang: Lang) -> String {
    let (files, handlers) = (files(checked.files, lang), handlers(checked.handlers, lang));
    match (count(checked, Severity::Error), count(checked, Severity::Warning)) {
        (0, 0) => w::sound(&files, &handlers, lang),
        (errors, warnings) => w::found(
            &files,
            &handlers,
            &w::errors(errors, lang),
            &w::warnings(warnings, lang),
            lang,
        ),
    }
}

fn as_json(dir: &Path, checked: &Checked) -> serde_json::Value {
    let place = |at: Option<(usize, usize)>| {
        at.map(|(line, column)| json!({ "line": line, "column": column }))
    };
    let one = |finding: &Finding| {
        json!({
            "severity": finding.severity.as_str(),
            "rule": finding.rule,
            "path": finding.path,
            "start": place(finding.start),
            "end": place(finding.end),
            "message": finding.message.pick(Lang::En),
            "hint": finding.hint.as_ref().map(|hint| hint.pick(Lang::En)),
        })
    };
    json!({
        "scripts_dir": dir,
        "files": checked.files,
        "handlers": checked.handlers,
        "errors": count(checked, Severity::Error),
        "warnings": count(checked, Severity::Warning),
        "findings": checked.findings.iter().map(one).collect::<Vec<_>>(),
    })
}
