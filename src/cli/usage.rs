//! `moonbell usage`: what was used of DingTalk's monthly budgets, and by whom. Read from the journal: no host need run.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Global, talk};
use crate::budget::{Month, Report, Spender, Spent};
use crate::config::{Budget, Need};
use crate::sink::escape;
use crate::store::{Instance, Look};
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
        let config = global.load(Need::Settings)?.config;
        let state = config.state.dir;
        let play = state.join("dev");
        let dev =
            self.dev || (Instance::holder(&state).is_none() && Instance::holder(&play).is_some());
        let (folder, limits) =
            if dev { (play, Budget::unlimited()) } else { (state, config.budget) };
        let month = self.month.unwrap_or_else(Month::now);
        let Some(look) = Look::open(&folder)? else {
            talk::say(format_args!(
                "no moonbell has kept a journal in `{}`\nhint: start one with `moonbell run`, or try `moonbell dev`",
                folder.display()
            ));
            return Ok(ExitCode::FAILURE);
        };
        let report = look.read(|c| Report::of(c, month, &limits))?;
        talk::data(if self.json { serde_json::to_string_pretty(&report)? } else { text(&report) });
        Ok(ExitCode::SUCCESS)
    }
}

fn text(report: &Report) -> String {
    let mut text = format!("{}, starts anew on {} (China)\n", report.month, report.turns);
    line(&mut text, "API calls", report.api_calls);
    line(&mut text, "Webhook & Stream", report.pushes);
    let share = (report.streaming * 100).checked_div(report.api_calls.used).unwrap_or(0);
    let _ =
        write!(text, "\n  streaming cards   {} API calls ({share} %)", thousands(report.streaming));
    if !report.may_stream {
        text.push_str(", switched off from 95 % on");
    }
    let uses: Vec<String> =
        report.uses.iter().map(|(kind, n)| format!("{kind} {}", thousands(*n))).collect();
    if !uses.is_empty() {
        let _ = write!(text, "\n  used for          {}", uses.join(", "));
    }
    table(&mut text, "handler", &report.handlers, "(moonbell itself)");
    table(&mut text, "person", &report.people, "(nobody: timers and the like)");
    text
}

fn line(text: &mut String, what: &str, spent: Spent) {
    let _ = write!(text, "\n  {what:<16}  {}", thousands(spent.used));
    match (spent.limit, spent.percent()) {
        (Some(limit), Some(share)) => {
            let _ = write!(text, " of {} ({share} %)", thousands(limit));
        }
        _ => text.push_str(", no limit"),
    }
    if spent.refused {
        text.push_str("; DingTalk said that they are used up");
    }
}

fn table(text: &mut String, what: &str, spenders: &[Spender], nobody: &str) {
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
        .collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(what.len());
    let _ = write!(text, "\n\n{what:width$}  API calls  for cards  messages");
    for (name, spender) in names.iter().zip(spenders) {
        let [calls, cards, pushes] =
            [spender.api_calls, spender.streaming, spender.pushes].map(thousands);
        let _ = write!(text, "\n{name:width$}  {calls:>9}  {cards:>9}  {pushes:>8}");
    }
}
