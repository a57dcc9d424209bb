//! `schedules` and `trigger NAME`: what runs by the clock, for the owner and admins, and running it by hand.

use std::sync::Arc;

use chrono::{DateTime, Local, Utc};

use super::dispatch::Dispatch;
use crate::api::failure::suggestion;
use crate::router::Control;
use crate::script::Declared;
use crate::script::Edition;
use crate::script::Registration;
use crate::words;
use crate::words::Lang;

/// Lines of one list: more is more than a chat shows.
const LISTED: usize = 50;

impl Dispatch {
    /// Answers a control word about timers, to somebody who may use it.
    pub(super) async fn timers(&self, control: &Control, lang: Lang) -> String {
        let snapshot = self.library.snapshot();
        let is_timer = |declared: &Declared| {
            matches!(declared, Declared::Every { .. } | Declared::Cron { .. })
        };
        let timers = snapshot.declaring(is_timer);
        match control {
            Control::Trigger(name) => self.trigger(name, &timers, lang).await,
            _ => list(&timers, lang),
        }
    }

    async fn trigger(
        &self,
        name: &str,
        timers: &[(&Arc<Edition>, &Registration)],
        lang: Lang,
    ) -> String {
        let named = || timers.iter().filter(|(_, timer)| timer.options.name.is_some());
        let full = |edition: &Edition, timer: &Registration| {
            format!("{}:{}", edition.script(), timer.title())
        };
        let found: Vec<_> = named()
            .filter(|(edition, timer)| timer.title() == name || full(edition, timer) == name)
            .collect();
        match found.as_slice() {
            [] => {
                let names: Vec<String> = named().map(|(_, timer)| timer.title()).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let hint = suggestion(name, &names);
                let nearest = hint.split('`').nth(1).filter(|_| hint.contains("did you mean"));
                match nearest {
                    Some(nearest) => words::timers::did_you_mean(name, nearest, lang),
                    None => words::timers::no_such(name, lang),
                }
            }
            [(edition, timer)] => {
                if edition.generation().trigger(timer.handler).await {
                    words::timers::triggered(&timer.title(), lang)
                } else {
                    words::timers::runs_already(&timer.title(), lang)
                }
            }
            several => {
                let names: Vec<String> =
                    several.iter().map(|(edition, timer)| full(edition, timer)).collect();
                words::timers::which(&words::list(&names, lang), lang)
            }
        }
    }
}

fn list(timers: &[(&Arc<Edition>, &Registration)], lang: Lang) -> String {
    if timers.is_empty() {
        return words::timers::none(lang).to_owned();
    }
    let time = |at: Option<DateTime<Utc>>| {
        at.map_or_else(
            || "—".to_owned(),
            |at| at.with_timezone(&Local).format("%m-%d %H:%M:%S").to_string(),
        )
    };
    let mut lines: Vec<String> = timers
        .iter()
        .take(LISTED)
        .map(|(edition, timer)| {
            let beat = edition.generation().beat(timer.handler);
            let (name, script) = (timer.title(), edition.script());
            let (next, last) = (time(beat.next), time(beat.last));
            words::timers::line(&name, script, &next, &last, lang)
        })
        .collect();
    if timers.len() > LISTED {
        lines.push(format!("… +{}", timers.len() - LISTED));
    }
    lines.join("\n")
}
