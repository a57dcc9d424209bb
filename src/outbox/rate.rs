//! The pace of card calls: a token bucket per client id, with a reserve that only final frames may touch.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Card calls per second. DingTalk's standard limit is 20 for everything an app calls; this leaves room for replies.
pub(super) const PER_SECOND: f64 = 15.0;

/// Calls kept back for final frames: a card that cannot end is worse than one that moves slowly.
const RESERVE: f64 = 5.0;

#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    filled_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// One of many; the next one says more.
    Frame,
    /// Must go out.
    Final,
}

impl Bucket {
    pub(super) fn new(per_second: f64) -> Self {
        let state = State { tokens: per_second, filled_at: Instant::now() };
        Self { per_second, state: Mutex::new(state) }
    }

    /// Waits until `call` may be made.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is taken until it returns.
    pub(super) async fn take(&self, call: Call) {
        while let Err(wait) = self.try_take(call) {
            tokio::time::sleep(wait).await;
        }
    }

    fn try_take(&self, call: Call) -> Result<(), Duration> {
        let needed = match call {
            Call::Frame => 1.0 + RESERVE,
            Call::Final => 1.0,
        };
        let mut state = self.state.lock().expect("nobody panics holding this");
        let now = Instant::now();
        let grown = (now - state.filled_at).as_secs_f64() * self.per_second;
        state.tokens = (state.tokens + grown).min(self.per_second);
        state.filled_at = now;
        if state.tokens >= needed {
            state.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((needed - state.tokens) / self.per_second)
            .max(Duration::from_millis(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn frames_keep_to_the_pace_and_leave_room_for_final_ones() {
        let bucket = Bucket::new(PER_SECOND);
        let started = Instant::now();
        for _ in 0..40 {
            bucket.take(Call::Frame).await;
        }
        let pace = started.elapsed().as_secs_f64();
        assert!((1.9..2.2).contains(&pace), "40 frames took {pace} s");
        let before = Instant::now();
        for _ in 0..4 {
            bucket.take(Call::Final).await;
        }
        assert!(before.elapsed() < Duration::from_millis(5), "final frames find their reserve");
    }
}
