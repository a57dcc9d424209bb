//! What a script declares: its routes, its hooks and its timers, as data for the router and the library.

use std::collections::BTreeMap;
use std::time::Duration;

pub use crate::api::bot::{Declared, HandlerOptions, OnCrash, Queue};
use crate::api::time::format_duration;

/// A handler in the VM of its generation. Means nothing to another VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandlerKey(pub(super) usize);

/// One declaration, with the place that the owner is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    pub declared: Declared,
    pub options: HandlerOptions,
    /// The file that declares it: the script, or one that it requires.
    pub path: String,
    pub line: usize,
    pub handler: HandlerKey,
}

impl Registration {
    pub fn help(&self) -> &BTreeMap<String, String> {
        &self.options.help
    }

    /// What it is for, as the owner is told when it fails: `on user_add_org`, `cron 0 9 * * *`.
    pub fn title(&self) -> String {
        match &self.declared {
            Declared::Command { declaration } => declaration.clone(),
            Declared::Match { patterns } => patterns.join(" "),
            Declared::Fallback => "fallback".to_owned(),
            Declared::Start => "on start".to_owned(),
            Declared::Stop => "on stop".to_owned(),
            Declared::Event { kind } => format!("on {}", kind.as_deref().unwrap_or("event")),
            Declared::Card => "on card".to_owned(),
            Declared::Every { .. } | Declared::Cron { .. } if self.options.name.is_some() => {
                self.options.name.clone().unwrap_or_default()
            }
            Declared::Every { interval } => format!("every {}", format_duration(*interval)),
            Declared::Watch { patterns, .. } => format!("watch {}", patterns.join(" ")),
            Declared::Save => "save".to_owned(),
            Declared::Restore => "restore".to_owned(),
            Declared::Cron { schedule } => format!("cron {}", schedule.expression()),
        }
    }

    /// The wall-clock limit that the handler asks for.
    pub fn timeout(&self) -> Option<Duration> {
        self.options.timeout
    }
}
