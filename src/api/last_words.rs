//! What stands last in a card whose run did not come to its own end.

use crate::api::limit::Limit;
use crate::words::Lang;
use crate::words::cards;

/// Why a run was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody who may said so: by a word, or with the button of a card.
    Person,
    /// A newer message took its place.
    Replaced,
    /// The host ends.
    Host,
    /// The host ends, and the next one runs it again.
    Postponed,
}

/// Of a run that was cancelled.
pub(super) fn stopped(why: Stop, run: &str, lang: Lang) -> String {
    match why {
        Stop::Person => cards::stopped(lang).to_owned(),
        Stop::Replaced => cards::replaced(lang).to_owned(),
        Stop::Host => cards::ends(run, lang),
        Stop::Postponed => cards::postponed(lang).to_owned(),
    }
}

/// Of a run that hit a limit.
pub(super) fn limited(limit: Limit, lang: Lang) -> String {
    cards::limited(&limit.text(lang), lang)
}

/// Of a run that failed. Only the owner sees why; the others learn the number to ask about.
pub(super) fn failed(why: Option<&str>, run: &str, lang: Lang) -> String {
    match why {
        Some(why) => format!("⚠️ {why}"),
        None => cards::failed(run, lang),
    }
}
