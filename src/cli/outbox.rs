//! `moonbell outbox`: replies that have not arrived, and what is to become of them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::remote::Remote;
use super::{Failed, Global, talk};
use crate::console::OutboxDone;
use crate::outbox::{Counts, Unsent, Which, counts, unsent};
use crate::sink::escape;
use crate::store::{Instance, Look, now_ms};

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
        let (verb, done, meant) = match &self.what {
            None => return self.list(&state),
            Some(What::Retry(meant)) => ("retry", "queued again", meant),
            Some(What::Drop(meant)) => ("drop", "given up", meant),
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
            talk::say("nothing is parked");
        } else {
            let ids: Vec<String> = answer.ids.iter().map(|id| format!("#{id}")).collect();
            talk::say(format!("{done}: {}", ids.join(", ")));
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
            return Err(Failed::new(format!("there is no journal in `{}`", state.display()))
                .hint("it begins with the first `moonbell run` or `moonbell dev`")
                .into());
        };
        let (counts, replies) = look.read(|c| Ok((counts(c)?, unsent(c, LISTED)?)))?;
        if self.json {
            let report = json!({
                "state_dir": state, "queued": counts.queued, "parked": counts.parked, "replies": replies,
            });
            talk::data(serde_json::to_string_pretty(&report)?);
        } else {
            talk::data(as_text(counts, &replies, now_ms()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn as_text(counts: Counts, replies: &[Unsent], now: i64) -> String {
    if replies.is_empty() {
        return "every reply has been sent".to_owned();
    }
    let mut text = format!("{} parked, {} queued", counts.parked, counts.queued);
    for one in replies {
        let _ = write!(
            text,
            "\n#{}  {} {} ago, run {}, to {} {}, {}",
            one.id,
            one.state,
            span(now - one.created_at_ms),
            escape(&one.run),
            one.chat,
            escape(&one.to),
            one.kind,
        );
        if !one.text.is_empty() {
            let _ = write!(text, ": {}", escape(&one.text));
        }
        if one.attempts > 0 {
            let _ = write!(text, "\n    tried {}", times(one.attempts));
            if let Some(due) = one.due_at_ms.filter(|due| *due > now && one.state == "queued") {
                let _ = write!(text, ", next in {}", span(due - now));
            }
        }
        if let Some(error) = &one.error {
            let _ = write!(text, "\n    because: {}", escape(error));
        }
        if let Some(hint) = &one.hint {
            let _ = write!(text, "\n    hint: {}", escape(hint));
        }
    }
    if counts.parked > 0 {
        text.push_str("\ntry again with `moonbell outbox retry ID|all`, give up with `moonbell outbox drop ID|all`");
    }
    text
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
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
        insta::assert_snapshot!(as_text(counts, &[parked, queued], 90_000), @"
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
        assert_eq!(as_text(Counts::default(), &[], 0), "every reply has been sent");
    }
}
