//! `moonbell logs`: the log of a host, as it grows, or what is in it of one run.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use regex::Regex;

use super::{Failed, Global, lang, runs, talk};
use crate::inbox;
use crate::sink::escape;
use crate::telemetry::file;
use crate::words::Lang;
use crate::words::commands::errors as w;

/// How often it is looked for new lines.
const GLANCE: Duration = Duration::from_millis(200);

/// Begins a line that goes on with the one before.
const CONTINUED: &str = "    | ";

/// Show the log of the host, as it grows with -f, or what is in it of one run
///
/// The host writes it into its state folder, 20 MB at most; it need not run any more.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell logs                    the last 100 lines
  moonbell logs -f                 and those to come
  moonbell logs --run 7k3fa        of one run, as answers and `moonbell runs` name it
  moonbell logs -n 100000 | grep error")]
pub(super) struct Logs {
    /// Go on with the lines to come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// How many lines to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: usize,
    /// Only lines of this run
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Ask for the host of `moonbell dev` (otherwise: `run`, or `dev` if only that is running or nothing is set up)
    #[arg(long)]
    dev: bool,
}

impl Logs {
    /// Of the host that a service runs, which is that of `run`.
    pub(super) fn of_the_service(follow: bool, lines: usize) -> Self {
        Self { follow, lines, run: None, dev: false }
    }

    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = global.place(self.dev)?;
        self.show(&state, w::start_one)
    }

    /// Shows the log in the folder `state`; `advice` is what to do where there is none.
    pub(super) fn show(&self, state: &Path, advice: fn(Lang) -> &'static str) -> Result<ExitCode> {
        let id = self.run.as_deref().map(|id| id.trim_start_matches('#').to_lowercase());
        let files = file::files(state);
        if files.is_empty() && !self.follow && id.is_none() {
            let lang = lang::here();
            return Err(Failed::new(w::no_log(&state.to_string_lossy(), lang))
                .hint(advice(lang))
                .into());
        }
        let mut filter = Filter::new(id.as_deref());
        // Opened before it is read: what is renamed meanwhile is read to its end.
        let mut tail = Tail::open(file::path(state));
        let mut last: VecDeque<String> = VecDeque::new();
        let mut found = false;
        for path in &files {
            let current = *path == tail.path;
            let text = if current { tail.rest()? } else { read(path)? };
            for line in text.lines().filter(|line| filter.wants(line)) {
                found = true;
                last.push_back(line.to_owned());
                if last.len() > self.lines {
                    last.pop_front();
                }
            }
        }
        if let Some(id) = id.as_deref().filter(|_| !found && !self.follow) {
            last.extend(kept(state, id)?);
        }
        if !print(last.iter().map(String::as_str)) || !self.follow {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            let text = tail.grown()?;
            if !print(text.lines().filter(|line| filter.wants(line))) {
                return Ok(ExitCode::SUCCESS);
            }
            std::thread::sleep(GLANCE);
        }
    }
}

/// What the journal keeps of a run whose lines are not in the log any more.
fn kept(state: &Path, id: &str) -> Result<Vec<String>> {
    let journal = runs::open(state)?;
    let past = journal.read(|c| inbox::of_run(c, id)).map_err(runs::failed)?;
    let past = past.ok_or_else(|| runs::unknown(id, state))?;
    let log = past.log.unwrap_or_default();
    Ok(log.lines().map(crate::worker::account::log_line).collect())
}

/// Prints lines; `false`: nobody reads them any more.
fn print<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let mut out = io::stdout().lock();
    for line in lines {
        // Whoever can write the file is its owner; all the same nothing in it acts on the terminal.
        let safe = escape(line);
        if writeln!(out, "{}", talk::fit(&safe)).is_err() {
            return false;
        }
    }
    out.flush().is_ok()
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path)
        .with_context(|| w::cannot_read(&path.to_string_lossy(), lang::here()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Which lines are wanted, and those that go on with them.
struct Filter {
    of_run: Option<Regex>,
    within: bool,
}

impl Filter {
    fn new(run: Option<&str>) -> Self {
        let of_run = run.map(|run| {
            let run = regex::escape(run);
            // As a field, or as people are told of it.
            Regex::new(&format!(r"(\brun(\.id)?=|\(run |\brun `?){run}(-\d+)?\b"))
                .expect("an escaped text is a pattern")
        });
        Self { of_run, within: true }
    }

    fn wants(&mut self, line: &str) -> bool {
        if let Some(of_run) = &self.of_run
            && !line.starts_with(CONTINUED)
        {
            self.within = of_run.is_match(line);
        }
        self.within
    }
}

/// A file that grows, and is replaced by an empty one when it is full.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// A line that has only begun.
    partial: Vec<u8>,
}

impl Tail {
    fn open(path: PathBuf) -> Self {
        let file = File::open(&path).ok();
        Self { path, file, partial: Vec::new() }
    }

    /// What there is of the file that is open: whole lines.
    fn rest(&mut self) -> Result<String> {
        let Some(file) = &mut self.file else { return Ok(String::new()) };
        let failed = || w::cannot_read(&self.path.to_string_lossy(), lang::here());
        file.read_to_end(&mut self.partial).with_context(failed)?;
        let end = self.partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let whole: Vec<u8> = self.partial.drain(..end).collect();
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }

    /// What has come since, also in files that have taken its place.
    fn grown(&mut self) -> Result<String> {
        let mut text = self.rest()?;
        if self.is_replaced() {
            // What came between the last look and the renaming.
            text.push_str(&self.rest()?);
            *self = Self::open(std::mem::take(&mut self.path));
            text.push_str(&self.rest()?);
        }
        Ok(text)
    }

    #[cfg(unix)]
    fn is_replaced(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(there) = std::fs::metadata(&self.path) else { return false };
        let mine = self.file.as_ref().and_then(|file| file.metadata().ok());
        mine.is_none_or(|mine| (mine.dev(), mine.ino()) != (there.dev(), there.ino()))
    }

    #[cfg(not(unix))]
    fn is_replaced(&self) -> bool {
        let Ok(there) = std::fs::metadata(&self.path) else { return false };
        let mine = self.file.as_ref().and_then(|file| file.metadata().ok());
        mine.is_none_or(|mine| mine.len() > there.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_run_come_with_what_goes_on_below_them() {
        let log = "1 error a handler failed run=7k3fa handler=x\n    | a.luau:1\n2  info other run=7k3fb\n    | no\n\
                   3  info said script=a run.id=7k3fa-2\n4  info run=07k3fa\n";
        let mut filter = Filter::new(Some("7k3fa"));
        let lines: Vec<&str> = log.lines().filter(|line| filter.wants(line)).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1] == "    | a.luau:1" && lines[2].starts_with('3'));
    }

    #[test]
    fn what_comes_is_followed_over_a_renaming() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut tail = Tail::open(path.clone());
        assert_eq!(tail.grown().unwrap(), "");
        std::fs::write(&path, "one\ntw").unwrap();
        assert_eq!(tail.grown().unwrap(), "one\n");
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"o\nthree\n").unwrap();
        std::fs::rename(&path, dir.path().join("log.1")).unwrap();
        std::fs::write(&path, "four\n").unwrap();
        assert_eq!(tail.grown().unwrap(), "two\nthree\nfour\n");
        assert_eq!(tail.grown().unwrap(), "");
    }
}
