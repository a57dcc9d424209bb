//! Which sentence is said to whoever answered a question: that it counted, or why not; the sentences are in `words`.

use chrono::{DateTime, Local};

use super::approvals::Refusal;
use super::phrases;
use crate::access::Denied;
use crate::asks::Ended;
use crate::asks::Past;
use crate::words::Lang;
use crate::words::{approvals, runs};

/// To whoever said yes or no with a number.
pub(super) fn decided(yes: bool, lang: Lang) -> String {
    let sentence = if yes { approvals::decided_yes } else { approvals::decided_no };
    sentence(lang).to_owned()
}

/// To whoever answered a question in vain.
pub(super) fn no_answer(refusal: &Refusal, lang: Lang) -> String {
    let sentence = match refusal {
        Refusal::Copied => approvals::copied,
        Refusal::NoButton => approvals::no_button,
        Refusal::Elsewhere => approvals::elsewhere,
        Refusal::Expired => approvals::has_expired,
        Refusal::Changed => approvals::script_changed,
        Refusal::Denied(Denied::NotAsked) => approvals::not_asked,
        Refusal::Denied(Denied::OwnRequest) => approvals::own_request,
        Refusal::Denied(Denied::Role(role)) => return approvals::only_role(role, lang),
        Refusal::Denied(why) => return phrases::denied("", why, lang),
        Refusal::Over(past) => return over(past, lang),
        Refusal::TooLate => approvals::too_late,
        Refusal::NotWritten => runs::not_written,
    };
    sentence(lang).to_owned()
}

/// Of a question that has ended.
fn over(past: &Past, lang: Lang) -> String {
    let by = past.decided_by.as_deref().map(|by| format!(" · {by}")).unwrap_or_default();
    let at = past.ended_at_ms.map(|at| format!(" · {}", clock_time(at))).unwrap_or_default();
    let sentence = match past.ended {
        Some(Ended::Allowed) => approvals::was_approved,
        Some(Ended::Refused) => approvals::was_refused,
        Some(Ended::Answered) => approvals::was_answered,
        Some(Ended::Expired) => approvals::was_late,
        Some(Ended::Withdrawn) => approvals::was_left,
        Some(Ended::Lost) => approvals::was_lost,
        // Its run ended, or somebody decides it in this very moment.
        None => approvals::has_ended,
    };
    sentence(&format!("{by}{at}"), &past.run, lang)
}

fn clock_time(at_ms: i64) -> String {
    let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    at.with_timezone(&Local).format("%H:%M").to_string()
}
