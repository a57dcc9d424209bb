//! `moonbell audit`: what was decided, by whom it was asked, and whether the record of it is whole.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Local};
use clap::{Args, Subcommand};

use super::{Failed, Global, lang, talk};
use crate::access::audit::{self, Entry};
use crate::api::time::parse_duration;
use crate::inbox;
use crate::sink::escape;
use crate::store::{Look, now_ms};
use crate::words::Lang;
use crate::words::commands::audit as w;

/// Show who asked for what, and what was decided
///
/// One line for each decision, run end, change of rights and lock; ids and handlers, never what a message said. A host
/// need not run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell audit                             the last decisions
  moonbell audit --denied --since 1d         who was refused since yesterday
  moonbell audit --who manager4220 --json | jq -r .handler
  moonbell audit verify                      whether a record was changed or removed

Exit codes: 0 shown, or whole; 1 failed, or broken; 2 misuse.")]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON, a record per line
    #[arg(long)]
    json: bool,
    /// Only what this person did: a staff id, or `host` or `local`
    #[arg(long, value_name = "STAFF_ID")]
    who: Option<String>,
    /// Only what is newer than this: 30m, 12h, 7d
    #[arg(long, value_name = "AGE", value_parser = age)]
    since: Option<Duration>,
    /// Only what was refused, stopped or taken
    #[arg(long)]
    denied: bool,
    /// The last N of them
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    last: usize,
    /// Read the audit of `moonbell dev`
    #[arg(long, global = true)]
    dev: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the chain of records; names the first that was changed, or that others are missing before
    #[command(after_help = "Examples:
  moonbell audit verify")]
    Verify,
}

fn age(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

impl Audit {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let mut state = global.state()?;
        if self.dev {
            state.push("dev");
        }
        let folder = audit::folder(&state);
        let lang = lang::here();
        let read = || w::cannot_read(&folder.to_string_lossy(), lang);
        if matches!(self.command, Some(Command::Verify)) {
            return verify(&state, &folder, self.json, read);
        }
        let since = self
            .since
            .map(|age| now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
        let found = audit::entries(&folder, self.last, |record| {
            self.who.as_ref().is_none_or(|who| record.who == *who)
                && since.is_none_or(|since| record.at_ms >= since)
                && (!self.denied || matches!(record.verdict.as_str(), "deny" | "refuse"))
        })
        .with_context(read)?;
        if found.entries.is_empty() && !self.json {
            talk::say(w::none_like_that(&folder.to_string_lossy(), lang));
        }
        for entry in &found.entries {
            if self.json {
                talk::data(serde_json::to_string(entry)?);
            } else {
                talk::data(line(entry, lang));
            }
        }
        if found.damaged > 0 {
            return Err(Failed::new(w::damaged(found.damaged, lang))
                .hint(w::damaged_hint(lang))
                .into());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn verify(
    state: &Path,
    folder: &Path,
    json: bool,
    unreadable: impl FnOnce() -> String,
) -> Result<ExitCode> {
    let lang = lang::here();
    let verified = audit::verify(folder).with_context(unreadable)?;
    let gone = verified.records == 0 && verified.broken.is_none() && has_history(state);
    if json {
        talk::data(serde_json::to_string_pretty(&verified)?);
        let whole = verified.broken.is_none() && verified.missing == 0 && !gone;
        return Ok(ExitCode::from(u8::from(!whole)));
    }
    if gone {
        return Err(Failed::new(w::gone(&folder.to_string_lossy(), lang)).into());
    }
    if let Some(broken) = verified.broken {
        let place = format!("{}:{}", broken.file.display(), broken.line);
        return Err(Failed::new(w::broken(&place, broken.n, &w::retold(&broken.why, lang), lang))
            .hint(w::broken_hint(verified.records, lang))
            .into());
    }
    if verified.missing > 0 {
        return Err(Failed::new(w::cut(verified.missing, lang))
            .hint(w::cut_hint(verified.records, verified.first, lang))
            .into());
    }
    talk::data(match verified.first {
        0 | 1 => w::whole(verified.records, verified.files, lang),
        first => w::whole_from(verified.records, verified.files, first, lang),
    });
    Ok(ExitCode::SUCCESS)
}

/// Whether the journal knows of runs; each has records.
fn has_history(state: &Path) -> bool {
    let journal = Look::open(state).ok().flatten();
    journal.is_some_and(|journal| journal.read(inbox::has_ended).unwrap_or(false))
}

/// `2026-01-31 09:00:00  deny   message  015412345604  deploy.luau deploy <env>  no_role  (run 7k3fa)`
fn line(Entry { record, .. }: &Entry, lang: Lang) -> String {
    let at = DateTime::from_timestamp_millis(record.at_ms).map_or_else(
        || record.at_ms.to_string(),
        |at| at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
    );
    let what = match record.event.as_str() {
        "decision" => String::new(),
        event => format!("{} ", w::word(event, lang)),
    };
    let verdict = w::word(&record.verdict, lang);
    let mut parts = vec![at, format!("{what}{verdict}").trim().to_owned()];
    let reason = w::reason(&record.reason, lang);
    for part in [w::door(&record.door, lang), &record.who, &record.handler, &reason] {
        if !part.is_empty() {
            parts.push(part.to_owned());
        }
    }
    if !record.digest.is_empty() {
        parts.push(format!("#{}", record.digest.chars().take(12).collect::<String>()));
    }
    if !record.run.is_empty() {
        parts.push(w::run(&record.run, lang));
    }
    if record.left_out > 0 {
        parts.push(w::left_out(record.left_out, lang));
    }
    escape(&parts.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Record;

    #[test]
    fn a_record_is_told_in_the_language_of_whoever_reads_it() {
        let record = Record {
            door: "message".to_owned(),
            ..Record::event("decision", "deny", "ann", "role: admin")
        };
        let entry = Entry { n: 1, record };
        assert!(line(&entry, Lang::En).ends_with("  deny  message  ann  role: admin"));
        assert!(line(&entry, Lang::Zh).ends_with("  拒绝  消息  ann  角色：admin"));
        let end = Entry { n: 2, record: Record::event("end", "done", "ann", "") };
        assert!(line(&end, Lang::Zh).ends_with("  结束 完成  ann"), "{}", line(&end, Lang::Zh));
        assert!(line(&end, Lang::En).ends_with("  end done  ann"));
    }
}
