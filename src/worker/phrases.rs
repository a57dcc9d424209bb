//! Which of the host's sentences is said: the choice; the sentences are in `words`.

use super::control::Unfit;
use crate::access::Denied;
use crate::words::Lang;
use crate::words::{access, runs};

/// Characters of what somebody typed that are quoted back.
const QUOTED_CHARS: usize = 40;

/// To somebody who may not do something, not now or not here.
pub(super) fn denied(name: &str, why: &Denied, lang: Lang) -> String {
    match why {
        Denied::Scope(_) => access::not_here(name, lang),
        Denied::Rate(_) => access::too_often(name, lang),
        Denied::Flood { most, .. } => access::too_fast(*most, lang),
        Denied::PersonRuns(most) => access::person_runs(*most, lang),
        Denied::HandlerRuns(most) => access::handler_runs(name, *most, lang),
        Denied::Locked => access::locked(lang).to_owned(),
        Denied::UnknownOrganisation => access::write_first(lang).to_owned(),
        why if why.is_stranger() => access::refused(lang).to_owned(),
        _ => access::not_for_you(name, lang),
    }
}

/// To somebody whose click no handler of a script takes.
pub(super) fn not_your_button(why: &Denied, lang: Lang) -> String {
    match why {
        Denied::Role(_) | Denied::Scope(_) => access::not_your_button(lang).to_owned(),
        Denied::Rate(_) => access::too_often_pressed(lang).to_owned(),
        why => denied("", why, lang),
    }
}

/// To the person whose run was stopped because they may not any more.
pub(super) fn taken(run: &str, why: &Denied, lang: Lang) -> String {
    match why {
        Denied::Locked => access::stopped_by_the_lock(run, lang),
        _ => access::taken(run, lang),
    }
}

/// A handler failed. The owner sees why; others learn the number to ask about.
pub(super) fn failed(run: &str, why: Option<&str>, lang: Lang) -> String {
    match why {
        Some(why) => runs::failed_because(run, why, lang),
        None => runs::failed(run, lang),
    }
}

/// What somebody typed, short enough to be quoted.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS).filter(|c| !c.is_control() && *c != '`').collect()
}

/// There is none, or it is somebody else's: nobody learns which.
pub(super) fn unknown_run(id: Option<&str>, lang: Lang) -> String {
    match id {
        Some(id) => runs::unknown_run(id, lang),
        None => runs::none_yet(lang).to_owned(),
    }
}

/// It cannot be run again.
pub(super) fn unfit(run: &str, why: Unfit, lang: Lang) -> String {
    match why {
        Unfit::Unfinished => runs::unfinished(run, lang),
        Unfit::NoMessage => runs::no_message(run, lang),
        Unfit::Forgotten => runs::forgotten(run, lang),
        Unfit::Control => runs::was_control(run, lang),
    }
}
