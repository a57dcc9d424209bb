//! The status in words, and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Local, TimeDelta, Utc};
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use crate::sink::escape;
use crate::telemetry::status::Budget;
use crate::telemetry::status::Connection;
use crate::telemetry::status::Settings;
use crate::telemetry::status::Spent;
use crate::telemetry::status::Status as Moment;
use crate::telemetry::status::Webhook;
use crate::words::thousands;

pub(super) fn as_json(
    live: bool,
    folder: &Path,
    moment: Option<&Moment>,
) -> Result<serde_json::Value> {
    let mut report = json!({ "running": live, "state_dir": folder });
    if let (Some(moment), Some(report)) = (moment, report.as_object_mut())
        && let serde_json::Value::Object(fields) = serde_json::to_value(moment)?
    {
        report.extend(fields);
    }
    Ok(report)
}

pub(super) fn as_text(pid: &str, moment: Option<&Moment>, now: DateTime<Utc>) -> String {
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
    if let Some(webhook) = &moment.webhook {
        text.push_str(&addresses(webhook));
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
    settings(&mut text, &moment.settings, now);
    let (scripts, folder) = (moment.scripts.len(), moment.scripts_dir.display());
    let _ = write!(text, "\nscripts  {scripts} in {folder}");
    let width = moment.scripts.iter().map(|script| escape(&script.name).width()).max();
    let width = width.unwrap_or_default();
    for script in &moment.scripts {
        let loaded = script.loaded_at_ms.and_then(DateTime::from_timestamp_millis).map_or_else(
            || "not loaded".to_owned(),
            |at| {
                let plural = if script.handlers == 1 { "" } else { "s" };
                let version = match script.generation {
                    0 | 1 => String::new(),
                    number => format!(", version {number}"),
                };
                format!(
                    "{} handler{plural}{version}, loaded {}",
                    script.handlers,
                    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S")
                )
            },
        );
        let name = escape(&script.name);
        let pad = width - name.width();
        let _ = write!(text, "\n  {name}{:pad$}  {loaded}", "");
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

/// What is copied into DingTalk's developer console.
fn addresses(webhook: &Webhook) -> String {
    let mut text = format!("\nwebhook  {}", escape(&webhook.robot));
    for (what, url) in [("events", &webhook.event), ("cards", &webhook.card)] {
        match url {
            Some(url) => {
                let _ = write!(text, "\n  {what:<6} {}", escape(url));
            }
            None => {
                let _ = write!(text, "\n  {what:<6} shut: its secret is not set");
            }
        }
    }
    let tls = if webhook.tls { "with TLS" } else { "without TLS" };
    let _ = write!(text, "\n  on     {}, {tls}; {} calls refused", webhook.listen, webhook.refused);
    if !webhook.public {
        text.push_str("\n  good on this computer only: set `http.public_url`");
    }
    text
}

fn settings(text: &mut String, settings: &Settings, now: DateTime<Utc>) {
    let Some(file) = &settings.file else { return };
    let read = clock(settings.read_at_ms, now).unwrap_or_default();
    let _ = write!(text, "\nsettings {}, read {read}", escape(&file.to_string_lossy()));
    if let Some(error) = &settings.error {
        for (at, line) in error.lines().enumerate() {
            let what = if at == 0 { "newest version not read: " } else { "  " };
            let _ = write!(text, "\n  {what}{}", escape(line));
        }
    }
    if !settings.restart.is_empty() {
        let keys = settings.restart.join(", ");
        let _ = write!(text, "\n  changed, and count from the next start on: {}", escape(&keys));
    }
}

/// The time of day, and the day if it is another.
pub(super) fn clock(at_ms: i64, now: DateTime<Utc>) -> Option<String> {
    let at = DateTime::from_timestamp_millis(at_ms)?.with_timezone(&Local);
    let today = at.date_naive() == now.with_timezone(&Local).date_naive();
    Some(at.format(if today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string())
}

/// The connection in words: a state that somebody has to wait for says until when, one that is bad since when.
pub(super) fn how(connection: &Connection, now: DateTime<Utc>) -> String {
    let clock = |at_ms| clock(at_ms, now);
    let mut text = escape(&connection.state.replace('_', " "));
    if let Some(until) = connection.until_ms.and_then(clock) {
        let _ = write!(text, " until {until}");
    }
    if connection.since_ms > 0
        && let Some(since) = clock(connection.since_ms)
    {
        let down = if connection.is_up() { "" } else { ", not connected" };
        let _ = write!(text, "{down} since {since}");
    }
    text
}

pub(super) fn gone(folder: &Path, moment: Option<&Moment>) -> String {
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
