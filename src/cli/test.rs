//! `moonbell test`: conversations with scripts, played without DingTalk.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Failed, Global, lang, starter, talk};
use crate::config::{Need, asked_folder};
use crate::rehearsal::report::{self, Paint, Totals};
use crate::rehearsal::suite::{self, FindError, TestFile};
use crate::sink::escape;
use crate::words;
use crate::words::commands::{check, errors, trials as w};

/// Test scripts: messages go the whole way through them, while time, programs and HTTP are played
///
/// Tests of `deploy.luau` are in `deploy.test.luau` beside it; docs/testing.md shows how they are written. Needs neither
/// settings nor credentials. Without PATH: ./scripts if that folder exists, else the folder of your settings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell test
  moonbell test scripts/deploy.luau       the tests of one script
  moonbell test --filter prod             tests with `prod` in their name, or in their file's
  moonbell test --json | jq 'select(.ok | not).name'
  moonbell test --junit results.xml       for a service that builds and tests

Exit codes: 0 all passed, 1 some failed, 2 misuse, which includes that there are no tests.")]
pub(super) struct Test {
    /// Test files, scripts that have one, or folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests whose name, or file, contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print one JSON object a line for each test
    #[arg(long)]
    json: bool,
    /// Write the results into this file, too, as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Test {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let paths = if self.paths.is_empty() { vec![scripts(global)?] } else { self.paths };
        global.heed_language();
        let lang = lang::here();
        let files = suite::find(&paths).map_err(|error| not_found(&error))?;
        let files = without_theirs(files, global)?;
        if files.is_empty() {
            let places: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
            return Err(Failed::new(w::no_tests(&words::list(&places, lang), lang))
                .hint(w::no_tests_hint(lang))
                .misuse()
                .into());
        }
        let begun = Instant::now();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paint = Paint(std::io::stdout().is_terminal() && !no_color);
        let (mut totals, mut results) = (Totals::default(), Vec::new());
        let mut is_apart = false;
        suite::run(&files, self.filter.as_deref(), |file| {
            totals.add(file);
            if self.json {
                report::lines(file).iter().for_each(talk::data);
            } else {
                let text = report::human(file, paint, lang);
                is_apart = text.ends_with("\n\n");
                talk::shown(text);
            }
            if self.junit.is_some() {
                results.push(file.clone());
            }
        });
        let took = begun.elapsed();
        if let Some(path) = &self.junit {
            std::fs::write(path, report::junit(&results, took))
                .with_context(|| errors::cannot_write(&path.to_string_lossy(), lang))?;
        }
        if totals.passed + totals.failed == 0 {
            let filter = self.filter.unwrap_or_default();
            return Err(Failed::new(w::none_named(&filter, totals.left_out, lang))
                .hint(w::none_named_hint(lang))
                .misuse()
                .into());
        }
        if self.json {
            talk::say(report::summary(totals, took, Paint(false), lang));
        } else {
            let apart = if is_apart { "" } else { "\n" };
            talk::data(format_args!("{apart}{}", report::summary(totals, took, paint, lang)));
        }
        Ok(if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Leaves out what lies in a folder of other people's scripts, unless that folder itself, or a file in it, was named: a
/// test is a program, and nobody has said yes to theirs. Which folder is a scripts folder is not known here, as `dev` takes
/// `./scripts` for it: so each folder on the way to a test may be.
fn without_theirs(files: Vec<TestFile>, global: &Global) -> Result<Vec<TestFile>> {
    let asked = global.load(Need::Settings)?.config.scripts.asked;
    let is_theirs = |file: &TestFile| {
        let starts = file.name.match_indices('/').map(|(at, _)| at + 1);
        starts.chain([0]).any(|at| asked_folder(&asked, &file.name[at..]).is_some())
    };
    let (theirs, own): (Vec<_>, Vec<_>) = files.into_iter().partition(is_theirs);
    for file in &theirs {
        talk::warn(w::of_others(&escape(&file.shown), lang::here()));
    }
    Ok(own)
}

fn not_found(error: &FindError) -> Failed {
    let lang = lang::here();
    let (told, hint) = match error {
        FindError::Missing(path) => {
            (check::missing(&path.to_string_lossy(), lang), w::name_tests(lang))
        }
        FindError::NoTest { path, expected } => {
            (w::without_test(&path.to_string_lossy(), expected, lang), w::where_tests_are(lang))
        }
        FindError::NotATest(path) => {
            (w::no_test(&path.to_string_lossy(), lang), w::where_tests_are(lang))
        }
        FindError::Unreadable { path, reason } => {
            (w::cannot_read(&path.to_string_lossy(), reason, lang), w::may_read(lang))
        }
    };
    Failed::new(told).hint(hint).misuse()
}

/// The folder to look in when none is named. The settings are asked only if there is no folder here.
pub(super) fn scripts(global: &Global) -> Result<PathBuf> {
    let here = Path::new("scripts");
    if here.is_dir() {
        return Ok(here.to_owned());
    }
    let configured = global.load(Need::Settings)?.config.scripts.dir;
    Ok(starter::dev_folder(false, &configured))
}
