//! What served a message, with what, and what it wrote: the account of a run, on its way into the journal.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::api::Noted;
use crate::api::Run;
use crate::inbox::Account;
use crate::inbox::End;
use crate::inbox::State;
use crate::sink::{redact, redact_begun};

/// Characters of the arguments that are kept.
const ARGS_CHARS: usize = 2_000;

/// As it is known so far.
#[derive(Clone, Debug, Default)]
pub struct Served {
    pub script: Option<Arc<str>>,
    pub version: Option<u64>,
    pub handler: Option<String>,
    /// As JSON.
    pub args: Option<String>,
    pub said: usize,
    pub noted: Noted,
}

/// The same without any secret of this host.
#[derive(Debug)]
pub(super) struct Blanked {
    served: Served,
    error: Option<String>,
}

impl Served {
    /// Takes what the run has written.
    pub(super) fn wrote(&mut self, run: &Run) {
        self.said = run.said();
        self.noted = run.noted();
    }

    /// Adds another run of the same row.
    pub(super) fn join(&mut self, other: Self) {
        let text = |one: Option<String>, other: Option<String>| match (one, other) {
            (Some(one), Some(other)) => Some(format!("{one}\n{other}")),
            (one, other) => one.or(other),
        };
        self.said += other.said;
        // Of several scripts none is the one.
        (self.script, self.version) = match (self.script.take(), other.script) {
            (None, script) => (script, other.version),
            (Some(script), Some(same)) if script == same => (Some(script), self.version),
            _ => (Some("".into()), None),
        };
        let mine = std::mem::take(&mut self.noted);
        self.noted = Noted {
            log: text(mine.log, other.noted.log),
            output: text(mine.output, other.noted.output),
            exit: other.noted.exit.or(mine.exit),
            changes: mine.changes + other.noted.changes,
        };
    }

    pub(super) fn blanked(&self, error: Option<&str>) -> Blanked {
        let clean = |text: &Option<String>| text.as_deref().map(|text| redact(text).into_owned());
        let served = Self {
            script: self.script.clone().filter(|script| !script.is_empty()),
            version: self.version,
            handler: self.handler.clone(),
            args: clean(&self.args),
            said: self.said,
            noted: Noted {
                log: clean(&self.noted.log),
                // It may be looked at while it is half written.
                output: self.noted.output.as_deref().map(|text| redact_begun(text).into_owned()),
                exit: self.noted.exit.clone(),
                changes: self.noted.changes,
            },
        };
        Blanked { served, error: error.map(|error| redact(error).into_owned()) }
    }
}

impl Blanked {
    pub(super) fn account(&self) -> Account<'_> {
        let served = &self.served;
        Account {
            script: served.script.as_deref(),
            version: served.version,
            handler: served.handler.as_deref(),
            args: served.args.as_deref(),
            exit: served.noted.exit.as_deref(),
            replies: served.said,
            log: served.noted.log.as_deref(),
            output: served.noted.output.as_deref(),
        }
    }

    pub(super) fn end(&self, state: State) -> End<'_> {
        End { account: self.account(), error: self.error.as_deref(), ..End::new(state) }
    }
}

/// Arguments as they are kept; none are not.
pub(super) fn args_text(args: &Json) -> Option<String> {
    let empty = match args {
        Json::Null => true,
        Json::Object(map) => map.is_empty(),
        Json::Array(list) => list.is_empty(),
        _ => false,
    };
    if empty {
        return None;
    }
    let text = args.to_string();
    // Before it is cut: half a secret is not recognised any more.
    let text = if text.len() > ARGS_CHARS { redact(&text).into_owned() } else { text };
    Some(match text.char_indices().nth(ARGS_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}
