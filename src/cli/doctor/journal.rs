//! What the journal tells: whether it can be read, who writes, what was not sent, what was used of the month.

use super::Facts;
use super::check::{Check, Page};
use crate::budget::{Month, Report, Spent};
use crate::cli::errors;
use crate::inbox::{Filter, list};
use crate::message::Inbound;
use crate::outbox::counts;
use crate::store::{Error, Look};
use crate::words::commands::errors as says;
use crate::words::doctor::journal as w;

/// Messages that tell whether the app is published.
const LOOK_BACK: usize = 200;

pub(super) fn journal(look: &Result<Option<Look>, Error>) -> Check {
    match look {
        Ok(None) => Check::ok("journal", w::none_yet),
        Ok(Some(look)) => match look.read(counts) {
            Ok(_) => Check::ok("journal", w::readable),
            Err(error) => broken(&error),
        },
        Err(error) => broken(error),
    }
}

fn broken(error: &Error) -> Check {
    let check = Check::failed("journal", |lang| errors::journal(error, lang));
    match error.hint() {
        Some(hint) => check.todo(|lang| says::retold(hint, lang)),
        None => check,
    }
}

/// Before an app is published, DingTalk does not say who somebody is.
pub(super) fn published(look: Option<&Look>) -> Check {
    const ID: &str = "published";
    let filter = Filter { limit: LOOK_BACK, ..Filter::default() };
    let runs = look.and_then(|look| look.read(|c| list(c, &filter)).ok()).unwrap_or_default();
    let senders: Vec<bool> = runs
        .iter()
        .filter_map(|run| match &run.inbound {
            Some(Inbound::Message(message)) => Some(message.sender.staff_id.is_some()),
            _ => None,
        })
        .collect();
    if senders.is_empty() {
        Check::skipped(ID, w::no_message_yet)
    } else if senders.contains(&true) {
        Check::ok(ID, w::senders_known)
    } else {
        Check::failed(ID, |lang| w::senders_unknown(senders.len(), lang))
            .todo(w::publish)
            .page(Page::Publish)
    }
}

pub(super) fn outbox(facts: &Facts, look: Option<&Look>) -> Check {
    const ID: &str = "outbox";
    let parked = facts.moment.as_ref().map(|moment| moment.parked);
    let parked = parked.or_else(|| Some(look?.read(counts).ok()?.parked)).unwrap_or_default();
    if parked == 0 {
        return Check::ok(ID, w::none_parked);
    }
    Check::warning(ID, |lang| w::parked(parked, lang)).todo(w::retry_parked)
}

/// By our own count; what DingTalk says itself is found by the calls.
pub(super) fn budget(facts: &Facts, look: Option<&Look>) -> Check {
    const ID: &str = "budget";
    let limits = &facts.loaded.config.budget;
    let report = look.and_then(|look| look.read(|c| Report::of(c, Month::now(), limits)).ok());
    let spent = match (&facts.moment, report) {
        (Some(moment), _) if !moment.budget.month.is_empty() => {
            let budget = &moment.budget;
            [budget.api_calls, budget.pushes].map(|one| Spent {
                used: one.used,
                limit: one.limit,
                refused: one.refused,
            })
        }
        (_, Some(report)) => [report.api_calls, report.pushes],
        _ => [
            Spent { limit: limits.api_calls, ..Spent::default() },
            Spent { limit: limits.pushes, ..Spent::default() },
        ],
    };
    let line = |one: &Spent| match one.limit {
        Some(limit) => format!("{}/{limit}", one.used),
        None => one.used.to_string(),
    };
    let [calls, pushes] = [line(&spent[0]), line(&spent[1])];
    let share = spent.iter().filter_map(Spent::percent).max().unwrap_or(0);
    if spent.iter().any(|one| one.refused) || share >= 100 {
        Check::failed(ID, |lang| w::month_used_up(&calls, &pushes, lang))
            .todo(w::buy)
            .page(Page::Resources)
    } else if share >= 80 {
        Check::warning(ID, |lang| w::month(&calls, &pushes, lang))
            .todo(w::used_by_whom)
            .page(Page::Resources)
    } else {
        Check::ok(ID, |lang| w::month(&calls, &pushes, lang))
    }
}
