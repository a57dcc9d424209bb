//! `moonbell replay`: messages that came, through the scripts of today.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use super::explain::Place;
use super::{Failed, Global, errors, lang, talk};
use crate::api::time::parse_duration;
use crate::inbox;
use crate::outbox;
use crate::rehearsal::recording::Recording;
use crate::rehearsal::replay::{self, Difference};
use crate::rehearsal::report::Paint;
use crate::store::{Look, now_ms};
use crate::words;
use crate::words::Lang;
use crate::words::commands::errors as says;
use crate::words::commands::replay as w;
use crate::words::commands::runs;

/// Play recorded messages through the scripts of today; nothing happens
///
/// Takes the messages of the journal (they are kept for a day), or of a file that --save has written. Programs and HTTP
/// calls are only listed, and answered with an empty success; nothing is sent. Tells for each message which handler took
/// it then, which takes it now, and what that would say.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell replay                             before you save a change: what of today would go otherwise?
  moonbell replay --since 2h --save today.json
  moonbell replay --from today.json           in the repository of your scripts, as a regression test
  moonbell replay --run 7k3fa --json | jq .messages[0].now

A saved file holds no ids, names or webhooks, and nothing that looks like a secret; what people wrote stays, so read it
before you share it. Exit codes: 0 all is handled as it was, 1 something that was handled no longer is, 2 misuse.")]
pub(super) struct Replay {
    /// Messages of this long
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = parse_duration, conflicts_with_all = ["run", "from"])]
    since: Duration,
    /// One message: the id of its run
    #[arg(long, value_name = "ID", conflicts_with = "from")]
    run: Option<String>,
    /// Messages of a file that --save has written
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write the messages into this file, without names
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    save: Option<PathBuf>,
    /// Messages of the host of `moonbell dev`
    #[arg(long)]
    dev: bool,
    /// Play them through the scripts of this folder
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What people wrote is nobody else's to read, also where a file was before.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;

    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        file.set_permissions(mode)?;
    }
    file.write_all(text.as_bytes())
}

impl Replay {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        global.heed_language();
        let lang = lang::here();
        let (recording, scripts, host) = match &self.from {
            Some(path) => {
                let file = path.to_string_lossy();
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Failed::new(w::cannot_read(&file, &error.to_string(), lang)).misuse()
                })?;
                let recording = Recording::parse(&text).map_err(|error| {
                    Failed::new(w::no_recording(&file, &error.to_string(), lang))
                        .hint(w::save_writes_them(lang))
                        .misuse()
                })?;
                let scripts = match &self.scripts {
                    Some(dir) => dir.clone(),
                    None => super::test::scripts(global)?,
                };
                // Where nothing is set up there are no scripts of other people.
                let place = Place::find(global, self.dev, Some(&scripts));
                let host = place.and_then(|place| place.host()).unwrap_or_default();
                (recording, scripts, host)
            }
            None => {
                let place = Place::find(global, self.dev, self.scripts.as_deref())?;
                (self.recorded(&place)?, place.scripts.clone(), place.host()?)
            }
        };
        if recording.messages.is_empty() {
            talk::say(w::nothing(lang));
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(path) = &self.save {
            write_private(path, &recording.scrubbed().to_json())
                .with_context(|| says::cannot_write(&path.to_string_lossy(), lang))?;
            talk::say(w::saved(recording.messages.len(), &path.to_string_lossy(), lang));
        }
        if !scripts.is_dir() {
            return Err(Failed::new(says::no_folder(&scripts.to_string_lossy(), lang))
                .hint(w::name_the_folder(lang))
                .misuse()
                .into());
        }
        let replayed = replay::run(&recording, &scripts, &host).map_err(Failed::new)?;
        if self.json {
            talk::data(serde_json::to_string_pretty(&replay::as_json(&replayed))?);
        } else {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let paint = Paint(std::io::stdout().is_terminal() && !no_color);
            talk::shown(replay::human(&replayed, paint, lang));
            talk::data(format_args!("\n{}", replay::summary(&replayed, paint, lang)));
        }
        let broken = replayed.count(Difference::Broken);
        Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What the journal holds.
    fn recorded(&self, place: &Place) -> Result<Recording> {
        let (lang, state) = (lang::here(), place.state.to_string_lossy());
        let failed = |error: crate::store::Error| errors::of_journal(&error);
        let nothing = || Failed::new(says::no_journal(&state, lang)).hint(w::no_journal_hint(lang));
        let journal = Look::open(&place.state).map_err(failed)?.ok_or_else(nothing)?;
        let past = match &self.run {
            Some(id) => {
                let id = id.trim_start_matches('#').to_lowercase();
                let found = journal.read(|c| inbox::of_run(c, &id)).map_err(failed)?;
                let missing =
                    || Failed::new(runs::unknown(&id, &state, lang)).hint(w::kept_for_a_day(lang));
                vec![found.ok_or_else(missing)?]
            }
            None => {
                let ago = i64::try_from(self.since.as_millis()).unwrap_or(i64::MAX);
                let since = now_ms().saturating_sub(ago);
                journal.read(|c| inbox::since(c, since)).map_err(failed)?
            }
        };
        let access = place.who_may()?;
        // A usage error is an answer of the host's own, by the name of the handler.
        let explained = |past: &inbox::Past, _: &crate::message::Message| {
            let said =
                past.run.as_ref().and_then(|run| journal.read(|c| outbox::of_run(c, run)).ok());
            let usage =
                [Lang::Zh, Lang::En].map(|lang| format!("\n{}", words::help::usage("", lang)));
            let about = |text: &str| usage.iter().any(|usage| text.contains(usage.as_str()));
            said.is_some_and(|said| matches!(&said[..], [one] if about(&one.text)))
        };
        Ok(Recording::from_journal(past, &access, explained))
    }
}
