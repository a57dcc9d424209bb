//! How much is said beyond answers: by one handler, and into one conversation.
//!
//! Whoever asks gets the first ten messages of an answer. What a run says beyond these, and all that runs say which no
//! message started, counts: so many in any minute, then the run that says one more is stopped. In memory: a restart
//! forgives.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Messages of an answer that are not counted.
pub(super) const ANSWER: usize = 10;

const WINDOW: Duration = Duration::from_mins(1);

/// Handlers and conversations remembered at once; those that have been quiet for a minute go first.
const REMEMBERED: usize = 10_000;

/// Cheap to clone; all share one count.
#[derive(Clone, Debug)]
pub struct Outgoing {
    most: Arc<AtomicUsize>,
    said: Arc<Mutex<HashMap<String, VecDeque<Instant>>>>,
}

impl Outgoing {
    /// So many in a minute, of each.
    pub fn new(most: usize) -> Self {
        Self { most: Arc::new(AtomicUsize::new(most)), said: Arc::default() }
    }

    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    pub(super) fn renew(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Counts a message of `handler` to `conversation`; `false`: it is one too many, and is not counted.
    pub(super) fn take(&self, handler: &str, conversation: &str) -> bool {
        let (now, most) = (Instant::now(), self.most());
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |times: &mut VecDeque<Instant>| {
            while times.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
                times.pop_front();
            }
            times.len()
        };
        if said.len() >= REMEMBERED {
            said.retain(|_, times| recent(times) > 0);
        }
        let keys = [format!("by {handler}"), format!("to {conversation}")];
        if keys.iter().any(|key| said.get_mut(key).is_some_and(|times| recent(times) >= most)) {
            return false;
        }
        for key in keys {
            said.entry(key).or_default().push_back(now);
        }
        true
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new(200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_in_any_minute_by_each_handler_and_into_each_conversation() {
        let outgoing = Outgoing::new(3);
        for chat in ["a", "b", "c"] {
            assert!(outgoing.take("hourly", chat));
        }
        assert!(!outgoing.take("hourly", "d"), "of one handler");
        assert!(outgoing.take("daily", "a") && outgoing.take("daily", "a"));
        assert!(!outgoing.take("weekly", "a"), "into one conversation");
        assert!(outgoing.take("weekly", "d"));
        tokio::time::advance(WINDOW).await;
        assert!(outgoing.take("hourly", "a"));
    }
}
