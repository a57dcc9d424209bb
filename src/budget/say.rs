//! What is said of budgets: to the owner, to people, in the journal.

use std::fmt::Write as _;

use super::month::Month;
use super::report::{Report, Spender, Spent};
use super::tally::{Budget, Level, STREAMING_ENDS, Warning};
use crate::words::Lang;
use crate::words::budget as says;
use crate::words::thousands;

/// Spenders in one answer: what a phone shows without scrolling.
const TOP: usize = 5;

/// Begins the reason of a reply that waits for the next month.
pub const PARKED: &str = "budget: ";

pub(super) fn limit_reached(budget: Budget, limit: u64, month: Month) -> String {
    let limit = thousands(limit);
    match budget {
        Budget::ApiCalls => format!("the {limit} API calls of {month} are used up"),
        Budget::Pushes => format!("the {limit} Webhook & Stream messages of {month} are used up"),
    }
}

pub(super) fn dingtalk_refuses(budget: Budget, month: Month) -> String {
    match budget {
        Budget::ApiCalls => format!("DingTalk says that the API calls of {month} are used up"),
        Budget::Pushes => {
            format!("DingTalk says that the Webhook & Stream messages of {month} are used up")
        }
    }
}

/// Why a reply waits, for the journal. `refused`: DingTalk says so itself, whatever the settings allow.
pub fn parked(why: &str, month: Month, refused: bool) -> String {
    let sooner = if refused {
        "DingTalk takes calls again, because a package was bought"
    } else {
        "the budget is raised (`budget.api_calls`)"
    };
    format!("{PARKED}{why}; it is sent from {} on, or once {sooner}", month.turns())
}

/// To the person whose answer waits, where there is a way to tell.
pub fn waits(month: Month, lang: Lang) -> String {
    says::waits(&month.turns().to_string(), lang)
}

/// A warning to the owner.
pub fn warning(warning: &Warning, lang: Lang) -> String {
    let Warning { month, budget, limit, used, level } = *warning;
    let (used, limit) = (thousands(used), thousands(limit));
    let (month, turns) = (month.to_string(), month.turns().to_string());
    let share = match (level, budget) {
        (Level::Refused, Budget::ApiCalls) => {
            return says::calls_refused(&month, &used, &turns, lang);
        }
        (Level::Refused, Budget::Pushes) => {
            return says::pushes_refused(&month, &used, &turns, lang);
        }
        (Level::Share(share), _) => share,
    };
    let then = match (share, budget) {
        (100.., Budget::ApiCalls) => says::only_notices(lang),
        (100.., Budget::Pushes) => says::calls_instead(lang),
        (STREAMING_ENDS.., Budget::ApiCalls) => says::streaming_ends(lang),
        _ => "",
    };
    let sign = if share >= STREAMING_ENDS { "⚠️" } else { "ℹ️" };
    says::low(sign, name(budget, lang), &month, share, &used, &limit, &turns, then, lang)
}

fn name(budget: Budget, lang: Lang) -> &'static str {
    match budget {
        Budget::ApiCalls => says::api_calls(lang),
        Budget::Pushes => says::pushes(lang),
    }
}

/// The answer to `usage`, for whoever may see everything.
pub fn usage(report: &Report, lang: Lang) -> String {
    let mut text = says::usage(&report.month.to_string(), &report.turns.to_string(), lang);
    for (budget, spent) in [(Budget::ApiCalls, report.api_calls), (Budget::Pushes, report.pushes)] {
        let _ = write!(text, "\n{}", line(budget, spent, lang));
    }
    let share = (report.streaming * 100).checked_div(report.api_calls.used).unwrap_or(0);
    let _ = write!(text, "\n{}", says::streaming(&thousands(report.streaming), share, lang));
    if !report.may_stream {
        text.push_str(says::switched_off(lang));
    }
    for (title, spenders, nobody) in [
        (says::by_handler(lang), &report.handlers, says::itself(lang)),
        (says::by_person(lang), &report.people, says::nobody(lang)),
    ] {
        if spenders.is_empty() {
            continue;
        }
        let _ = write!(text, "\n\n{title}");
        for spender in spenders.iter().take(TOP) {
            let name = name_of(spender, nobody);
            let (calls, pushes) = (thousands(spender.api_calls), thousands(spender.pushes));
            let _ = write!(text, "\n{name}  {calls} · {pushes}");
        }
        if spenders.len() > TOP {
            let _ = write!(text, "\n… +{}", spenders.len() - TOP);
        }
    }
    text
}

fn name_of<'a>(spender: &'a Spender, nobody: &'a str) -> &'a str {
    match &spender.name {
        Some(name) => name,
        None if spender.id.is_empty() => nobody,
        None => &spender.id,
    }
}

fn line(budget: Budget, spent: Spent, lang: Lang) -> String {
    let (what, used) = (name(budget, lang), thousands(spent.used));
    let mut text = match (spent.limit, spent.percent()) {
        (Some(limit), Some(share)) => says::used_of(what, &used, &thousands(limit), share, lang),
        _ => says::used(what, &used, lang),
    };
    if spent.refused {
        text.push_str(says::used_up(lang));
    }
    text
}

/// The answer to `usage`, for anybody else.
pub fn own(report: &Report, person: &str, lang: Lang) -> String {
    let mine = report.of_person(person);
    let [calls, streaming, pushes] = [mine.api_calls, mine.streaming, mine.pushes].map(thousands);
    says::own(&report.month.to_string(), &calls, &streaming, &pushes, lang)
}
