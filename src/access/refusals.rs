//! Who was told "no" lately.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A stranger costs one reply per hour: each counts against the organisation's monthly budget.
const EVERY: Duration = Duration::from_hours(1);

/// People remembered at once. Past that, strangers are refused in silence: a flood must not cost memory or replies.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Refusals {
    told: Mutex<HashMap<String, Instant>>,
}

impl Refusals {
    pub(super) fn may_tell(&self, person: &str) -> bool {
        self.may_tell_at(person, Instant::now())
    }

    fn may_tell_at(&self, person: &str, now: Instant) -> bool {
        let mut told = self.told.lock().expect("nobody panics holding this");
        told.retain(|_, at| now.duration_since(*at) < EVERY);
        if told.contains_key(person) || told.len() >= REMEMBERED {
            return false;
        }
        told.insert(person.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_told_once_an_hour() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert!(refusals.may_tell_at("a", start));
        assert!(!refusals.may_tell_at("a", start + Duration::from_mins(59)));
        assert!(refusals.may_tell_at("b", start + Duration::from_mins(59)));
        assert!(refusals.may_tell_at("a", start + Duration::from_hours(1)));
    }

    #[test]
    fn a_crowd_of_strangers_is_refused_in_silence() {
        let refusals = Refusals::default();
        let now = Instant::now();
        let told =
            (0..REMEMBERED + 50).filter(|n| refusals.may_tell_at(&n.to_string(), now)).count();
        assert_eq!(told, REMEMBERED);
    }
}
