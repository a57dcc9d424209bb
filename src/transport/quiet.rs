//! One line for what happens a thousand times a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often the same trouble is told of: nobody must overlook it, nor drown in it.
const AGAIN: Duration = Duration::from_secs(30);

/// Lets a log line through now and then.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    since: u64,
}

impl Quiet {
    /// Whether to tell it now; then with how many times it was not told.
    pub(super) fn tell(&self) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.at.is_some_and(|at| at.elapsed() < AGAIN) {
            told.since += 1;
            return None;
        }
        told.at = Some(Instant::now());
        Some(std::mem::take(&mut told.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thousand_are_told_as_one_and_the_rest_as_a_number() {
        let quiet = Quiet::default();
        let told: Vec<u64> = (0..1_000).filter_map(|_| quiet.tell()).collect();
        assert_eq!(told, [0]);
        tokio::time::advance(AGAIN).await;
        assert_eq!(quiet.tell(), Some(999));
        assert_eq!(quiet.tell(), None);
    }
}
