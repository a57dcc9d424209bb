//! `moonbell status`: what the running host is doing, or that none runs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Local, TimeDelta, Utc};
use clap::Args;
use serde_json::json;

use super::remote::Remote;
use super::{Global, talk};
use crate::config::Need;
use crate::sink::escape;
use crate::store::Instance;
use crate::telemetry::status::Budget;
use crate::telemetry::status::Connection;
use crate::telemetry::status::Spent;
use crate::telemetry::status::Status as Moment;
use crate::words::thousands;

/// A host that has not answered by then is busy with something that its file may tell.
const PATIENCE: Duration = Duration::from_secs(2);

/// Show what the running host is doing
///
/// Exit code 0 when a host runs, 1 when none does.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell status
  moonbell status --dev                         the host of `moonbell dev`
  moonbell status --json | jq -r .connection    for programs")]
pub(super) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Ask for the host of `moonbell dev` (otherwise: `run`, or `dev` if only that is running)
    #[arg(long)]
    dev: bool,
}

impl Status {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = global.load(Need::Settings)?.config.state.dir;
        let dev = state.join("dev");
        let folder = if self.dev
            || (Instance::holder(&state).is_none() && Instance::holder(&dev).is_some())
        {
            dev
        } else {
            state
        };
        let holder = Instance::holder(&folder);
        // The host itself knows best; one that cannot be asked is seen through its file.
        let asked =
            Remote::find(&folder).and_then(|host| host.patience(PATIENCE).get::<Moment>("status"));
        let moment = match asked {
            Ok(moment) => Some(moment),
            Err(_) => Moment::read(&folder).with_context(|| {
                format!("cannot read the status of the host in `{}`", folder.display())
            })?,
        };
        // What an earlier host left behind says nothing about this one.
        let live = holder.is_some();
        let current = moment
            .filter(|moment| holder.as_deref() == Some(moment.pid.to_string().as_str()) || !live);
        if self.json {
            talk::data(as_json(live, &folder, current.as_ref())?);
        } else if live {
            talk::data(as_text(
                holder.as_deref().unwrap_or_default(),
                current.as_ref(),
                Utc::now(),
            ));
        } else {
            talk::say(gone(&folder, current.as_ref()));
        }
        Ok(if live { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn as_json(live: bool, folder: &Path, moment: Option<&Moment>) -> Result<String> {
    let mut report = json!({ "running": live, "state_dir": folder });
    if let (Some(moment), Some(report)) = (moment, report.as_object_mut())
        && let serde_json::Value::Object(fields) = serde_json::to_value(moment)?
    {
        report.extend(fields);
    }
    Ok(serde_json::to_string_pretty(&report)?)
}

fn as_text(pid: &str, moment: Option<&Moment>, now: DateTime<Utc>) -> String {
    let Some(moment) = moment else {
        return format!("starting, process {pid}");
    };
    let up = since(moment.started_at_ms, now);
    let mut text = format!(
        "{} (moonbell {} {}, process {pid}, up {up})",
        how(&moment.connection, now),
        moment.version,
        moment.command
    );
    if let Some(error) = &moment.connection.error {
        let _ = write!(text, "\n  reason: {}", escape(error));
    }
    if let Some(warning) = &moment.connection.warning {
        let _ = write!(text, "\n  warning: {}", escape(warning));
    }
    if let Some(hint) = &moment.connection.hint {
        let _ = write!(text, "\n  hint: {}", escape(hint));
    }
    if let Some(url) = &moment.url {
        let _ = write!(text, "\npage     {}", escape(url));
    }
    if let Some(url) = &moment.console {
        let _ = write!(text, "\nconsole  {}", escape(url));
    }
    let parked = match moment.parked {
        0 => String::new(),
        parked => format!(", {parked} parked (see `moonbell outbox`)"),
    };
    let _ = write!(
        text,
        "\nruns     {} running, {} queued, {} done, {} failed\noutbox   {} waiting{parked}",
        moment.runs.running,
        moment.runs.queued,
        moment.runs.done,
        moment.runs.failed,
        moment.outbox
    );
    if !moment.budget.month.is_empty() {
        text.push_str(&budget(&moment.budget));
    }
    let (scripts, folder) = (moment.scripts.len(), moment.scripts_dir.display());
    let _ = write!(text, "\nscripts  {scripts} in {folder}");
    let width = moment.scripts.iter().map(|script| escape(&script.name).chars().count()).max();
    let width = width.unwrap_or_default();
    for script in &moment.scripts {
        let loaded = script.loaded_at_ms.and_then(DateTime::from_timestamp_millis).map_or_else(
            || "not loaded".to_owned(),
            |at| {
                let plural = if script.handlers == 1 { "" } else { "s" };
                format!(
                    "{} handler{plural}, loaded {}",
                    script.handlers,
                    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S")
                )
            },
        );
        let _ = write!(text, "\n  {:width$}  {loaded}", escape(&script.name));
        if let Some(error) = &script.error {
            let first = error.lines().next().unwrap_or_default();
            let _ = write!(text, "\n    newest version not loaded: {}", escape(first));
        }
    }
    text
}

fn budget(budget: &Budget) -> String {
    let line = |spent: &Spent| {
        let used = thousands(spent.used);
        let mut text = match spent.limit {
            Some(limit) if limit > 0 => {
                let share = spent.used.saturating_mul(100) / limit;
                format!("{used} of {} ({share} %)", thousands(limit))
            }
            _ => used,
        };
        if spent.refused {
            text.push_str(", DingTalk says: used up");
        }
        text
    };
    let mut text = format!(
        "\nbudget   {}: API calls {}; Webhook & Stream {}",
        escape(&budget.month),
        line(&budget.api_calls),
        line(&budget.pushes)
    );
    if !budget.may_stream {
        text.push_str(
            "\n         streaming is off: output comes as one message when it is complete",
        );
    }
    text
}

/// The connection in words: a state that somebody has to wait for says until when, one that is bad since when.
fn how(connection: &Connection, now: DateTime<Utc>) -> String {
    let clock = |at_ms: i64| {
        let at = DateTime::from_timestamp_millis(at_ms)?.with_timezone(&Local);
        let today = at.date_naive() == now.with_timezone(&Local).date_naive();
        Some(at.format(if today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string())
    };
    let mut text = escape(&connection.state.replace('_', " "));
    if let Some(until) = connection.until_ms.and_then(clock) {
        let _ = write!(text, " until {until}");
    }
    if !connection.is_up()
        && connection.since_ms > 0
        && let Some(since) = clock(connection.since_ms)
    {
        let _ = write!(text, ", not connected since {since}");
    }
    text
}

fn gone(folder: &Path, moment: Option<&Moment>) -> String {
    let mut text = format!("no moonbell runs on `{}`", folder.display());
    if let Some(at) =
        moment.and_then(|moment| DateTime::from_timestamp_millis(moment.updated_at_ms))
    {
        // A host that ends in order takes its file away.
        let at = at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S");
        let _ = write!(text, "; the last one ended without saying so, some time after {at}");
    }
    text.push_str("\nhint: start one with `moonbell run`, or try `moonbell dev`");
    text
}

fn since(started_at_ms: i64, now: DateTime<Utc>) -> String {
    let up =
        DateTime::from_timestamp_millis(started_at_ms).map_or(TimeDelta::zero(), |at| now - at);
    let minutes = up.num_minutes().max(0);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", up.num_seconds().max(0)),
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}
