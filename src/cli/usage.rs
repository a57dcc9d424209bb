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
use crate::words;
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
    let uses: Vec<String> = report
        .uses
        .iter()
        .map(|(kind, n)| format!("{} {}", w::use_of(kind, lang), thousands(*n)))
        .collect();
    if !uses.is_empty() {
        row(&mut text, w::used_for(lang), &words::list(&uses, lang));
    }
    let tables = [
        (w::handler(lang), &report.handlers, w::itself(lang)),
        (w::person(lang), &report.people, w::nobody(lang)),
    ];
    let heads = [w::api_calls(lang), w::for_cards(lang), w::messages(lang)];
    let widths = heads.map(|head| head.width().max(9));
    // A longer name would push the numbers into the next line.
    let others = widths.iter().map(|width| width + 2).sum::<usize>();
    let room = talk::columns().map_or(usize::MAX, |width| width.saturating_sub(others).max(12));
    let names = tables.map(|(_, spenders, nobody)| names(spenders, nobody));
    let widest = names.iter().flatten().map(|name| name.width()).max().unwrap_or_default();
    // The numbers of both stand below one another.
    let width = tables.iter().map(|(what, ..)| what.width()).max().unwrap_or_default();
    let width = width.max(widest).min(room);
    let mut line = |name: &str, cells: [&str; 3]| {
        let _ = write!(text, "\n{}", columns::fit(name, width));
        for (cell, width) in cells.into_iter().zip(widths) {
            let _ = write!(text, "  {}", columns::right(cell, width));
        }
    };
    for ((what, spenders, _), names) in tables.into_iter().zip(&names) {
        if spenders.is_empty() {
            continue;
        }
        line(what, heads);
        for (name, spender) in names.iter().zip(spenders) {
            let cells = [spender.api_calls, spender.streaming, spender.pushes].map(thousands);
            line(name, [&cells[0], &cells[1], &cells[2]]);
        }
    }
    text
}

fn names(spenders: &[Spender], nobody: &str) -> Vec<String> {
    let name = |spender: &Spender| match &spender.name {
        Some(name) => format!("{} ({})", escape(name), escape(&spender.id)),
        None if spender.id.is_empty() => nobody.to_owned(),
        None => escape(&spender.id),
    };
    spenders.iter().map(|spender| talk::fit(&name(spender)).into_owned()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_both_tables_stand_below_one_another_in_either_language() {
        let one = |id: &str| Spender { id: id.to_owned(), api_calls: 12, ..Spender::default() };
        let month = Month::now();
        let report = Report {
            month,
            turns: chrono::NaiveDate::default(),
            api_calls: Spent::default(),
            pushes: Spent::default(),
            streaming: 0,
            may_stream: true,
            uses: [("card".to_owned(), 3), ("frame".to_owned(), 36)].into(),
            handlers: vec![one("deploy <env:dev|staging|prod> [tag] --force")],
            people: vec![one("ann")],
        };
        for (lang, uses) in [(Lang::En, "card 3, frame 36"), (Lang::Zh, "卡片 3、卡片更新 36")]
        {
            let text = text(&report, lang);
            assert!(text.contains(uses), "{text}");
            let width =
                |begins: &str| text.lines().find(|line| line.starts_with(begins)).unwrap().width();
            let handler = w::handler(lang);
            for begins in ["deploy", "ann", w::person(lang)] {
                assert_eq!(width(begins), width(handler), "{text}");
            }
        }
    }
}
