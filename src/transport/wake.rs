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
    slept_by(jump, SystemTime::now).await
}

async fn slept_by(jump: Duration, mut wall: impl FnMut() -> SystemTime) -> Duration {
    loop {
        let (clock, before) = (Instant::now(), wall());
        tokio::time::sleep(EVERY).await;
        let passed = clock.elapsed();
        // Some systems let the monotonic clock stand while they sleep, some do not.
        let passed = wall().duration_since(before).unwrap_or(passed).max(passed);
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

    #[tokio::test(start_paused = true)]
    async fn a_gap_that_only_the_wall_clock_shows_is_a_sleep_and_a_clock_that_is_set_back_is_none()
    {
        let jump = Duration::from_secs(15);
        let hour = Duration::from_hours(1);
        // Looks come in pairs, before the wait and after it.
        let moves = |by: fn(SystemTime) -> SystemTime| {
            let (mut wall, mut looks) = (SystemTime::now(), 0);
            move || {
                looks += 1;
                wall += if looks % 2 == 0 { EVERY } else { Duration::ZERO };
                if looks == 20 {
                    wall = by(wall);
                }
                wall
            }
        };
        let on = |wall: SystemTime| wall + Duration::from_hours(1);
        assert!(slept_by(jump, moves(on)).await >= hour);
        let back = |wall: SystemTime| wall - Duration::from_hours(1);
        assert!(tokio::time::timeout(hour, slept_by(jump, moves(back))).await.is_err());
    }
}
