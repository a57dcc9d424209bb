//! `moonbell outbox`: replies that have not arrived, and what is to become of them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::remote::Remote;
use super::{Failed, Global, lang, talk};
use crate::console::OutboxDone;
use crate::outbox::{Counts, Unsent, Which, counts, unsent};
use crate::sink::escape;
use crate::store::{Instance, Look, now_ms};
use crate::words::Lang;
use crate::words::commands::outbox as w;

/// Lines of one list: the newest of each kind.
const LISTED: u32 = 200;

/// Show replies that wait to be sent, and those that could not be
///
/// A reply is parked when DingTalk refuses it for good, or for too long. It stays here until you try it again or give it
/// up. Texts are shortened.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell outbox
  moonbell outbox --json | jq '.replies[] | select(.state == \"parked\")'
  moonbell outbox retry 12         try one again, after its reason was put right
  moonbell outbox retry all
  moonbell outbox drop 12          give it up

The list needs no running host; `retry` and `drop` ask the one that runs.")]
pub(super) struct Outbox {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Ask for the host of `moonbell dev` (otherwise: `run`, or `dev` if only that is running)
    #[arg(long, global = true)]
    dev: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Try parked replies again
    Retry(Meant),
    /// Give parked replies up for good
    Drop(Meant),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell outbox retry 12
  moonbell outbox drop all")]
struct Meant {
    /// Number of a reply, as `moonbell outbox` lists it, or `all`
    #[arg(value_name = "ID|all", value_parser = which)]
    which: Which,
}

fn which(text: &str) -> Result<Which, String> {
    Which::parse(text).ok_or_else(|| "expected the number of a reply, or `all`".to_owned())
}

impl Outbox {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let state = self.state_dir(global)?;
        let lang = lang::here();
        let (verb, done, meant): (_, fn(&str, Lang) -> String, _) = match &self.what {
            None => return self.list(&state),
            Some(What::Retry(meant)) => ("retry", w::queued_again, meant),
            Some(What::Drop(meant)) => ("drop", w::given_up, meant),
        };
        let which = match meant.which {
            Which::All => "all".to_owned(),
            Which::One(id) => id.to_string(),
        };
        let answer: OutboxDone =
            Remote::find(&state)?.post(&format!("outbox/{which}/{verb}"), &json!({}))?;
        if self.json {
            talk::data(serde_json::to_string_pretty(&answer)?);
        } else if answer.ids.is_empty() {
            talk::say(w::nothing_parked(lang));
        } else {
            let ids: Vec<String> = answer.ids.iter().map(|id| format!("#{id}")).collect();
            talk::say(done(&ids.join(", "), lang));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn state_dir(&self, global: &Global) -> Result<PathBuf> {
        let state = global.state()?;
        let dev = state.join("dev");
        let only_dev = Instance::holder(&state).is_none() && Instance::holder(&dev).is_some();
        Ok(if self.dev || only_dev { dev } else { state })
    }

    fn list(&self, state: &std::path::Path) -> Result<ExitCode> {
        let Some(look) = Look::open(state)? else {
            let lang = lang::here();
            return Err(Failed::new(w::no_journal(&state.to_string_lossy(), lang))
                .hint(w::no_journal_hint(lang))
                .into());
        };
        let (counts, replies) = look.read(|c| Ok((counts(c)?, unsent(c, LISTED)?)))?;
        if self.json {
            let report = json!({
                "state_dir": state, "queued": counts.queued, "parked": counts.parked, "replies": replies,
            });
            talk::data(serde_json::to_string_pretty(&report)?);
        } else {
            talk::told(&as_text(counts, &replies, now_ms(), lang::here()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn as_text(counts: Counts, replies: &[Unsent], now: i64, lang: Lang) -> String {
    if replies.is_empty() {
        return w::all_sent(lang).to_owned();
    }
    let mut text = w::sum(counts.parked, counts.queued, lang);
    for one in replies {
        let state = match one.state.as_str() {
            "parked" => w::parked(lang),
            "queued" => w::queued(lang),
            other => other,
        };
        let chat = match one.chat {
            "direct" => w::direct(lang),
            "group" => w::group(lang),
            other => other,
        };
        let (ago, run) = (span(now - one.created_at_ms, lang), escape(&one.run));
        let reply = w::reply(one.id, state, &ago, &run, chat, &escape(&one.to), one.kind, lang);
        let _ = write!(text, "\n{reply}");
        if !one.text.is_empty() {
            let _ = write!(text, ": {}", escape(&one.text));
        }
        if one.attempts > 0 {
            let tried = if one.attempts == 1 {
                w::tried_once(lang).to_owned()
            } else {
                w::tried(one.attempts, lang)
            };
            let _ = write!(text, "\n    {tried}");
            if let Some(due) = one.due_at_ms.filter(|due| *due > now && one.state == "queued") {
                text.push_str(&w::next_in(&span(due - now, lang), lang));
            }
        }
        if let Some(error) = &one.error {
            let _ = write!(text, "\n    {}", w::because(&escape(error), lang));
        }
        if let Some(hint) = &one.hint {
            let _ = write!(text, "\n    {}", w::hint(&escape(hint), lang));
        }
    }
    if counts.parked > 0 {
        let _ = write!(text, "\n{}", w::how(lang));
    }
    text
}

fn span(ms: i64, lang: Lang) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => w::seconds(seconds, lang),
        60..3_600 => w::minutes(seconds / 60, lang),
        3_600..86_400 => w::hours(seconds / 3_600, lang),
        _ => w::days(seconds / 86_400, lang),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_to_whom_how_often_and_why() {
        let parked = Unsent {
            id: 12,
            state: "parked".to_owned(),
            run: "7k3fa".to_owned(),
            chat: "direct",
            to: "manager4220".to_owned(),
            kind: "text",
            text: "the report".to_owned(),
            attempts: 1,
            unanswered: 0,
            created_at_ms: 0,
            due_at_ms: None,
            error: Some("the app lacks the permission".to_owned()),
            hint: Some("grant it".to_owned()),
        };
        let queued = Unsent {
            id: 13,
            state: "queued".to_owned(),
            attempts: 3,
            due_at_ms: Some(95_000),
            hint: None,
            ..parked.clone()
        };
        let counts = Counts { queued: 1, parked: 1 };
        insta::assert_snapshot!(as_text(counts, &[parked, queued], 90_000, Lang::En), @"
        1 parked, 1 queued
        #12  parked 1 min ago, run 7k3fa, to direct manager4220, text: the report
            tried once
            because: the app lacks the permission
            hint: grant it
        #13  queued 1 min ago, run 7k3fa, to direct manager4220, text: the report
            tried 3 times, next in 5 s
            because: the app lacks the permission
        try again with `moonbell outbox retry ID|all`, give up with `moonbell outbox drop ID|all`
        ");
        assert_eq!(as_text(Counts::default(), &[], 0, Lang::En), "every reply has been sent");
    }
}
