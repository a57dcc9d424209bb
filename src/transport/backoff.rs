//! How long to wait before the next attempt: doubling, jittered, capped.

use std::time::Duration;

#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, attempt: 0 }
    }

    /// Forgets earlier failures: the last connection was a good one.
    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Returns the next wait. Up to a quarter more or less, so that many hosts do not come back at the same moment.
    pub(super) fn next(&mut self) -> Duration {
        let wait =
            self.first.saturating_mul(2u32.saturating_pow(self.attempt.min(16))).min(self.cap);
        self.attempt = self.attempt.saturating_add(1);
        wait.mul_f64(rand::random_range(0.75..1.25)).min(self.cap)
    }

    /// The wait after a connection that the server asked to renew: none at first, so that nothing is missed, and then
    /// like any other, so that a storm of such requests burns no budget.
    pub(super) fn next_unless_first(&mut self) -> Duration {
        if self.attempt == 0 {
            self.attempt = 1;
            return Duration::ZERO;
        }
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over_after_health() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        for expected in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0] {
            let wait = backoff.next().as_secs_f64();
            assert!(
                (expected * 0.75..=expected * 1.25).contains(&wait),
                "{wait} is not about {expected}"
            );
        }
        for _ in 0..100 {
            let wait = backoff.next();
            assert!(wait >= Duration::from_secs(45) && wait <= Duration::from_mins(1));
        }
        backoff.reset();
        assert_eq!(backoff.next_unless_first(), Duration::ZERO);
        assert!(backoff.next_unless_first() > Duration::from_secs(1));
    }
}
