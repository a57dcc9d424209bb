//! The status in words, and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Local, TimeDelta, Utc};
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use crate::cli::{columns, talk};
use crate::sink::escape;
use crate::telemetry::status::Budget;
use crate::telemetry::status::Connection;
use crate::telemetry::status::Script;
use crate::telemetry::status::Settings;
use crate::telemetry::status::Spent;
use crate::telemetry::status::Status as Moment;
use crate::telemetry::status::Webhook;
use crate::words::Lang;
use crate::words::commands::errors;
use crate::words::commands::status as w;
use crate::words::dingtalk::retold;
use crate::words::doctor::scripts::handlers;
use crate::words::thousands;

pub(super) fn as_json(
    live: bool,
    locked: bool,
    folder: &Path,
    moment: Option<&Moment>,
) -> Result<serde_json::Value> {
    let mut report = json!({ "running": live, "locked": locked, "state_dir": folder });
    if let (Some(moment), Some(report)) = (moment, report.as_object_mut())
        && let serde_json::Value::Object(fields) = serde_json::to_value(moment)?
    {
        report.extend(fields);
    }
    Ok(report)
}

/// Columns of the names of rows, and where what belongs to a row begins.
pub(super) const NAMES: usize = 9;

pub(super) fn as_text(
    pid: &str,
    moment: Option<&Moment>,
    locked: Option<&str>,
    now: DateTime<Utc>,
    lang: Lang,
) -> String {
    let Some(moment) = moment else {
        let mut text = Lines(w::starting(pid, lang));
        if let Some(locked) = locked {
            text.below(locked);
        }
        return text.0;
    };
    let link = &moment.connection;
    let how = how(link, now, lang);
    let up = since(moment.started_at_ms, now, lang);
    let mut text = Lines(w::head(&how, &moment.version, &moment.command, pid, &up, lang));
    if let Some(locked) = locked {
        text.below(locked);
    }
    let reason = link.error.as_ref().map(|error| retold(error, lang));
    let warning = link.warning.as_ref().map(|warning| retold(warning, lang));
    let advice = link.hint.as_ref().map(|hint| retold(hint, lang));
    let said = [
        (w::reason as fn(&str, Lang) -> String, &reason),
        (w::warning, &warning),
        (w::hint, &advice),
    ];
    for (says, what) in said {
        if let Some(what) = what {
            text.below(&says(&escape(what), lang));
        }
    }
    if let Some(mode) = w::mode_of(&moment.mode, lang) {
        text.row(w::mode(lang), mode);
    }
    if let Some(url) = &moment.url {
        text.row(w::page(lang), &escape(url));
    }
    if let Some(webhook) = &moment.webhook {
        addresses(&mut text, webhook, lang);
    }
    if let Some(url) = &moment.console {
        text.row(w::console(lang), &escape(url));
    }
    text.row(w::runs(lang), &counts(moment, lang));
    text.row(
        w::outbox(lang),
        &match moment.parked {
            0 => w::waiting(moment.outbox, lang),
            parked => w::waiting_and_parked(moment.outbox, parked, lang),
        },
    );
    if !moment.budget.month.is_empty() {
        budget(&mut text, &moment.budget, lang);
    }
    settings(&mut text, &moment.settings, now, lang);
    scripts(&mut text, moment, lang);
    text.0
}

/// What is shown, line below line.
struct Lines(String);

impl Lines {
    fn row(&mut self, name: &str, value: &str) {
        let _ = write!(self.0, "\n{}{value}", columns::pad(name, NAMES));
    }

    /// What belongs to the row above.
    fn below(&mut self, what: &str) {
        let _ = write!(self.0, "\n  {what}");
    }

    fn beneath(&mut self, name: &str, value: &str) {
        self.below(&format!("{}{value}", columns::pad(name, NAMES - 2)));
    }
}

pub(super) fn counts(moment: &Moment, lang: Lang) -> String {
    let runs = moment.runs;
    w::counts(runs.running, runs.queued, runs.done, runs.failed, lang)
}

fn scripts(text: &mut Lines, moment: &Moment, lang: Lang) {
    let folder = moment.scripts_dir.to_string_lossy();
    text.row(w::scripts(lang), &w::scripts_in(moment.scripts.len(), &escape(&folder), lang));
    let name = |script: &Script| talk::fit(&escape(&script.name)).into_owned();
    let width = moment.scripts.iter().map(|script| name(script).width()).max().unwrap_or_default();
    let (broken, well): (Vec<_>, Vec<_>) =
        moment.scripts.iter().partition(|script| script.error.is_some());
    // Those with errors first: a terminal may not have room for all.
    for script in broken.into_iter().chain(well) {
        let at = script.loaded_at_ms.and_then(DateTime::from_timestamp_millis);
        let loaded = at.map_or_else(
            || w::not_loaded(lang).to_owned(),
            |at| {
                let at = at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string();
                let handlers = handlers(script.handlers, lang);
                w::loaded(&handlers, script.generation, &at, lang)
            },
        );
        text.below(&format!("{}  {loaded}", columns::pad(&name(script), width)));
        if let Some(error) = &script.error {
            let first = error.lines().next().unwrap_or_default();
            text.below(&format!("  {}", w::script_wrong(&escape(first), lang)));
        }
    }
}

fn budget(text: &mut Lines, budget: &Budget, lang: Lang) {
    let line = |spent: &Spent| {
        let used = thousands(spent.used);
        let mut text = match spent.limit {
            Some(limit) if limit > 0 => {
                let share = spent.used.saturating_mul(100) / limit;
                w::used_of(&used, &thousands(limit), share, lang)
            }
            _ => used,
        };
        if spent.refused {
            text.push_str(w::used_up(lang));
        }
        text
    };
    let (calls, pushes) = (line(&budget.api_calls), line(&budget.pushes));
    text.row(w::budget(lang), &w::used(&escape(&budget.month), &calls, &pushes, lang));
    if !budget.may_stream {
        text.row("", w::no_streaming(lang));
    }
}

/// What is copied into DingTalk's developer console.
fn addresses(text: &mut Lines, webhook: &Webhook, lang: Lang) {
    text.row(w::webhook(lang), &escape(&webhook.robot));
    for (what, url) in [(w::events(lang), &webhook.event), (w::cards(lang), &webhook.card)] {
        match url {
            Some(url) => text.beneath(what, &escape(url)),
            None => text.beneath(what, w::shut(lang)),
        }
    }
    let tls = if webhook.tls { w::with_tls(lang) } else { w::without_tls(lang) };
    text.beneath(w::on(lang), &w::listens(&webhook.listen, tls, webhook.refused, lang));
    if !webhook.public {
        text.below(w::local_only(lang));
    }
}

fn settings(text: &mut Lines, settings: &Settings, now: DateTime<Utc>, lang: Lang) {
    let Some(file) = &settings.file else { return };
    let read = clock(settings.read_at_ms, now).unwrap_or_default();
    text.row(w::settings(lang), &w::settings_read(&escape(&file.to_string_lossy()), &read, lang));
    let error = settings.error_zh.as_ref().filter(|_| lang == Lang::Zh);
    if let Some(error) = error.or(settings.error.as_ref()) {
        for (at, line) in error.lines().enumerate() {
            let line = escape(line);
            text.below(&if at == 0 { w::settings_wrong(&line, lang) } else { format!("  {line}") });
        }
    }
    if !settings.restart.is_empty() {
        text.below(&w::settings_restart(&escape(&settings.restart.join(", ")), lang));
    }
}

/// The time of day, and the day if it is another.
pub(super) fn clock(at_ms: i64, now: DateTime<Utc>) -> Option<String> {
    let at = DateTime::from_timestamp_millis(at_ms)?.with_timezone(&Local);
    let today = at.date_naive() == now.with_timezone(&Local).date_naive();
    Some(at.format(if today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string())
}

/// The connection in words: a state that somebody has to wait for says until when, one that is bad since when.
pub(super) fn how(connection: &Connection, now: DateTime<Utc>, lang: Lang) -> String {
    let mut text = escape(&w::state(&connection.state, lang));
    if let Some(until) = connection.until_ms.and_then(|at_ms| clock(at_ms, now)) {
        text = w::until(&text, &until, lang);
    }
    if connection.since_ms > 0
        && let Some(since) = clock(connection.since_ms, now)
    {
        let says = if connection.is_up() { w::since } else { w::down_since };
        text = says(&text, &since, lang);
    }
    text
}

pub(super) fn gone(
    folder: &Path,
    moment: Option<&Moment>,
    locked: Option<&str>,
    lang: Lang,
) -> String {
    let mut text = errors::no_host(&folder.to_string_lossy(), lang);
    if let Some(at) =
        moment.and_then(|moment| DateTime::from_timestamp_millis(moment.updated_at_ms))
    {
        // A host that ends in order takes its file away.
        let at = at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string();
        text.push_str(&w::gone_since(&at, lang));
    }
    if let Some(locked) = locked {
        let _ = write!(text, "\n{locked}");
    }
    let _ = write!(text, "\n{}{}", errors::label_hint(lang), errors::start_one(lang));
    text
}

fn since(started_at_ms: i64, now: DateTime<Utc>, lang: Lang) -> String {
    let up =
        DateTime::from_timestamp_millis(started_at_ms).map_or(TimeDelta::zero(), |at| now - at);
    let minutes = up.num_minutes().max(0);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => w::seconds(up.num_seconds().max(0), lang),
        (0, 0, m) => w::minutes(m, lang),
        (0, h, m) => w::hours(h, m, lang),
        (d, h, _) => w::days(d, h, lang),
    }
}
