//! How often somebody has used a handler lately. In memory: a restart forgives.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::terms::Rate;

/// Pairs of person and handler remembered at once; those whose window has passed go first.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Rates {
    used: Mutex<HashMap<(String, String), Used>>,
}

#[derive(Debug)]
struct Used {
    at_ms: VecDeque<i64>,
    window_ms: i64,
    /// Whether one too many was refused since the last that was not.
    refused: bool,
}

/// What became of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Counted,
    /// One too many; the first since the last that was counted, or another.
    Refused {
        first: bool,
    },
}

impl Rates {
    /// Counts a use, unless it is one too many.
    pub(super) fn take(&self, person: &str, handler: &str, rate: Rate, now_ms: i64) -> Taken {
        let window_ms = i64::try_from(rate.per.as_millis()).unwrap_or(i64::MAX);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (person.to_owned(), handler.to_owned());
        if !used.contains_key(&key) && used.len() >= REMEMBERED {
            used.retain(|_, used| {
                used.at_ms.back().is_some_and(|at| within(*at, used.window_ms, now_ms))
            });
            if used.len() >= REMEMBERED {
                // More people than any organisation has at once: whoever is new waits.
                return Taken::Refused { first: true };
            }
        }
        let fresh = || Used { at_ms: VecDeque::new(), window_ms, refused: false };
        let used = used.entry(key).or_insert_with(fresh);
        used.window_ms = window_ms;
        while used.at_ms.front().is_some_and(|at| !within(*at, window_ms, now_ms)) {
            used.at_ms.pop_front();
        }
        if used.at_ms.len() >= rate.times as usize {
            return Taken::Refused { first: !std::mem::replace(&mut used.refused, true) };
        }
        used.at_ms.push_back(now_ms);
        used.refused = false;
        Taken::Counted
    }
}

/// Whether `at` still counts. A clock that was set back must not shut anybody out for longer than the window.
fn within(at_ms: i64, window_ms: i64, now_ms: i64) -> bool {
    (0..window_ms).contains(&now_ms.saturating_sub(at_ms))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_in_any_window_each_person_and_handler_for_itself() {
        let (rates, rate) = (Rates::default(), Rate { times: 2, per: Duration::from_mins(1) });
        let take = |person, handler, at| rates.take(person, handler, rate, at) == Taken::Counted;
        assert!(take("ann", "a", 0) && take("ann", "a", 30_000));
        assert!(!take("ann", "a", 59_999));
        assert!(take("bob", "a", 59_999) && take("ann", "b", 59_999));
        assert!(take("ann", "a", 60_000));
        assert!(!take("ann", "a", 60_001));
        assert_eq!(rates.take("ann", "a", rate, 60_002), Taken::Refused { first: false });
        // The clock was set back by a day.
        assert!(take("ann", "a", -86_400_000));
    }
}
