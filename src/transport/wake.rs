//! Notices that the computer slept: the wall clock has moved on, and nothing here has.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How often the clocks are compared: a socket that outlived a sleep is useless for so long at most.
const EVERY: Duration = Duration::from_secs(2);

/// Returns once the clocks show a gap of more than `jump` in which nothing ran, with its length. Also after the process
/// was suspended, or the clock was put forward: neither does harm to a connection that is opened anew.
///
/// # Cancel safety
/// Cancel safe, but a gap before the call is not seen.
pub(super) async fn slept(jump: Duration) -> Duration {
    loop {
        let (clock, wall) = (Instant::now(), SystemTime::now());
        tokio::time::sleep(EVERY).await;
        let passed = clock.elapsed();
        // Some systems let the monotonic clock stand while they sleep, some do not.
        let passed = wall.elapsed().unwrap_or(passed).max(passed);
        if passed > EVERY + jump {
            return passed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_a_sleep_and_ordinary_time_is_none() {
        let jump = Duration::from_secs(15);
        let watching = slept(jump);
        tokio::pin!(watching);
        let hour = Duration::from_hours(1);
        assert!(tokio::time::timeout(hour, &mut watching).await.is_err());
        tokio::time::advance(hour).await;
        assert!(watching.await >= hour);
    }
}
