//! `moonbell usage`: what was used of DingTalk's monthly budgets, and by whom. Read from the journal: no host need run.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use unicode_width::UnicodeWidthStr as _;

use super::{Global, Readable, columns, lang, talk};
use crate::budget::{Month, Report, Spender, Spent};
use crate::config::Budget;
use crate::sink::escape;
use crate::store::{Instance, Look};
use crate::words::Lang;
use crate::words::commands::errors;
use crate::words::commands::usage as w;
use crate::words::thousands;

/// Show what was used of DingTalk's monthly budgets, by handler and by person
///
/// As counted by this host; a running one writes its count every second. Other apps of the organisation use the same
/// budgets: the whole is on open-dev.dingtalk.com.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell usage
  moonbell usage --month 2026-10
  moonbell usage --json | jq '.api_calls.used, .handlers[0]'")]
pub(super) struct Usage {
    /// The month to show, by the calendar of China (otherwise: the current one)
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Ask for the host of `moonbell dev` (otherwise: `run`, or `dev` if only that is running)
    #[arg(long)]
    dev: bool,
}

impl Usage {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let Readable { config, .. } = global.readable()?;
        let (state, lang) = (config.state.dir, lang::here());
        let play = state.join("dev");
        let dev =
            self.dev || (Instance::holder(&state).is_none() && Instance::holder(&play).is_some());
        let (folder, limits) =
            if dev { (play, Budget::unlimited()) } else { (state, config.budget) };
        let month = self.month.unwrap_or_else(Month::now);
        let Some(look) = Look::open(&folder)? else {
            talk::say(w::no_journal(&folder.to_string_lossy(), lang));
            talk::advise(errors::start_one(lang));
            return Ok(ExitCode::FAILURE);
        };
        let report = look.read(|c| Report::of(c, month, &limits))?;
        if self.json {
            talk::data(serde_json::to_string_pretty(&report)?);
        } else {
            talk::told(&text(&report, lang));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Columns of what is counted.
const NAMES: usize = 16;

fn text(report: &Report, lang: Lang) -> String {
    let mut text = w::head(&report.month.to_string(), &report.turns.to_string(), lang);
    text.push('\n');
    row(&mut text, w::api_calls(lang), &spent(report.api_calls, lang));
    row(&mut text, w::pushes(lang), &spent(report.pushes, lang));
    let share = (report.streaming * 100).checked_div(report.api_calls.used).unwrap_or(0);
    let mut streamed = w::streamed(&thousands(report.streaming), share, lang);
    if !report.may_stream {
        streamed.push_str(w::switched_off(lang));
    }
    row(&mut text, w::streaming_cards(lang), &streamed);
    let uses: Vec<String> =
        report.uses.iter().map(|(kind, n)| format!("{kind} {}", thousands(*n))).collect();
    if !uses.is_empty() {
        row(&mut text, w::used_for(lang), &uses.join(", "));
    }
    table(&mut text, w::handler(lang), &report.handlers, w::itself(lang), lang);
    table(&mut text, w::person(lang), &report.people, w::nobody(lang), lang);
    text
}

fn row(text: &mut String, what: &str, value: &str) {
    let _ = write!(text, "\n  {}  {value}", columns::pad(what, NAMES));
}

fn spent(spent: Spent, lang: Lang) -> String {
    let used = thousands(spent.used);
    let mut text = match (spent.limit, spent.percent()) {
        (Some(limit), Some(share)) => w::used_of(&used, &thousands(limit), share, lang),
        _ => w::no_limit(&used, lang),
    };
    if spent.refused {
        text.push_str(w::used_up(lang));
    }
    text
}

fn table(text: &mut String, what: &str, spenders: &[Spender], nobody: &str, lang: Lang) {
    if spenders.is_empty() {
        return;
    }
    let names: Vec<String> = spenders
        .iter()
        .map(|spender| match &spender.name {
            Some(name) => format!("{} ({})", escape(name), escape(&spender.id)),
            None if spender.id.is_empty() => nobody.to_owned(),
            None => escape(&spender.id),
        })
        .map(|name| talk::fit(&name).into_owned())
        .collect();
    let width = names.iter().map(|name| name.width()).max().unwrap_or(0).max(what.width());
    let heads = [w::api_calls(lang), w::for_cards(lang), w::messages(lang)];
    let widths = heads.map(|head| head.width().max(9));
    let mut line = |name: &str, cells: [&str; 3]| {
        let _ = write!(text, "\n{}", columns::pad(name, width));
        for (cell, width) in cells.into_iter().zip(widths) {
            let _ = write!(text, "  {}", columns::right(cell, width));
        }
    };
    line(what, heads);
    for (name, spender) in names.iter().zip(spenders) {
        let cells = [spender.api_calls, spender.streaming, spender.pushes].map(thousands);
        line(name, [&cells[0], &cells[1], &cells[2]]);
    }
}
