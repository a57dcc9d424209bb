//! Messages that came so late that their senders no longer expect them to be acted on: told, and not run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Late messages of one lane that are answered; the rest is in the owner's notice. Each answer costs a call.
const ANSWERED: u32 = 5;
/// In so much time.
const WITHIN: Duration = Duration::from_mins(10);
/// Lanes remembered at once; a flood from more of them is answered in part.
const REMEMBERED: usize = 10_000;

/// Who was told lately.
#[derive(Clone, Debug, Default)]
pub struct Late {
    told: Arc<Mutex<HashMap<String, (Instant, u32)>>>,
}

impl Late {
    /// Whether another late message of `lane` is answered.
    pub(super) fn may_tell(&self, lane: &str) -> bool {
        self.may_tell_at(lane, Instant::now())
    }

    fn may_tell_at(&self, lane: &str, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, (first, _)| now.duration_since(*first) < WITHIN);
        if told.len() >= REMEMBERED && !told.contains_key(lane) {
            return false;
        }
        let (_, count) = told.entry(lane.to_owned()).or_insert((now, 0));
        *count += 1;
        *count <= ANSWERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_late_messages_is_answered_in_part() {
        let (late, start) = (Late::default(), Instant::now());
        let told = (0..100).filter(|_| late.may_tell_at("a", start)).count();
        assert_eq!(told, 5);
        assert!(late.may_tell_at("b", start));
        assert!(late.may_tell_at("a", start + WITHIN));
    }
}
