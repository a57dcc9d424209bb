//! The pace of card calls: so many in a second for each client id, with a part that only final frames may use.
//!
//! A bucket that refills evenly lets a burst and a second's worth pass in the same second, and DingTalk counts seconds. So
//! the calls of the last second are counted instead: never more than the limit in any second, frames never more than
//! three quarters of it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Card calls per second, unless the settings say otherwise: DingTalk's standard limit for an app.
pub(super) const PER_SECOND: f64 = 20.0;

/// After DingTalk says "too many", nothing is called for so long; doubled while it goes on saying so.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Bucket {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    per_second: f64,
    /// Calls in each `window`.
    most: usize,
    window: Duration,
    /// When the newest calls were made, oldest first.
    calls: VecDeque<Instant>,
    /// Calls allowed in a window at present: fewer after DingTalk refused some.
    allowed: usize,
    closed_until: Option<Instant>,
    pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// One of many; the next one says more.
    Frame,
    /// Must go out.
    Final,
}

impl State {
    fn new(per_second: f64) -> Self {
        // Benches ask for as many as they can get.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let most = per_second.clamp(1.0, 100_000.0) as usize;
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let window = Duration::from_secs_f64(most as f64 / per_second.clamp(0.01, 100_000.0));
        let (calls, closed_until, pause) = (VecDeque::new(), None, PAUSE);
        Self { per_second, most, window, calls, allowed: most, closed_until, pause }
    }
}

impl Bucket {
    pub(super) fn new(per_second: f64) -> Self {
        Self { state: Mutex::new(State::new(per_second)) }
    }

    /// From now on so many may be made. What was learnt of refusals is forgotten with a new number only.
    pub(super) fn renew(&self, per_second: f64) {
        let mut state = self.state.lock().expect("nobody panics holding this");
        if state.per_second.to_bits() != per_second.to_bits() {
            let calls = std::mem::take(&mut state.calls);
            let closed_until = state.closed_until;
            *state = State { calls, closed_until, ..State::new(per_second) };
        }
    }

    /// Waits until `call` may be made.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is taken until it returns.
    pub(super) async fn take(&self, call: Call) {
        while let Err(until) = self.try_take(call) {
            tokio::time::sleep_until(until).await;
        }
    }

    fn try_take(&self, call: Call) -> Result<(), Instant> {
        let mut guard = self.state.lock().expect("nobody panics holding this");
        let state = &mut *guard;
        let now = Instant::now();
        if let Some(until) = state.closed_until {
            if now < until {
                return Err(until);
            }
            state.closed_until = None;
        }
        while state.calls.front().is_some_and(|made| *made + state.window <= now) {
            state.calls.pop_front();
        }
        let reserve = match call {
            Call::Frame if state.allowed > 1 => state.allowed.div_ceil(4),
            _ => 0,
        };
        let may = state.allowed - reserve;
        if state.calls.len() < may {
            state.calls.push_back(now);
            return Ok(());
        }
        // When the one leaves that has to.
        Err(state.calls[state.calls.len() - may] + state.window)
    }

    /// DingTalk took a call.
    pub(super) fn went_well(&self) {
        let mut state = self.state.lock().expect("nobody panics holding this");
        state.allowed = (state.allowed + 1).min(state.most);
        if state.allowed == state.most {
            state.pause = PAUSE;
        }
    }

    /// DingTalk refused a call as one too many: everybody waits, and then fewer are made.
    pub(super) fn was_throttled(&self, asked: Option<Duration>) {
        let mut state = self.state.lock().expect("nobody panics holding this");
        let now = Instant::now();
        // Those that were under way say the same thing once more.
        if state.closed_until.is_some_and(|until| now < until) {
            return;
        }
        let pause = asked.unwrap_or_default().max(state.pause);
        state.closed_until = Some(now + pause);
        state.pause = (state.pause * 2).min(LONGEST_PAUSE);
        state.allowed = (state.allowed / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_calls_than_allowed_and_final_ones_find_room() {
        let bucket = Bucket::new(20.0);
        let mut made = Vec::new();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(5) {
            bucket.take(Call::Frame).await;
            made.push(Instant::now());
            // One final frame for each ten.
            if made.len() % 10 == 0 {
                let before = Instant::now();
                bucket.take(Call::Final).await;
                assert_eq!(before, Instant::now(), "a final frame waited behind frames");
                made.push(Instant::now());
            }
        }
        for first in &made {
            let second =
                made.iter().filter(|at| *at >= first && **at < *first + Duration::from_secs(1));
            assert!(second.count() <= 20);
        }
        assert!(made.len() >= 5 * 15, "{}", made.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_number_counts_at_once_and_what_was_made_counts_too() {
        let bucket = Bucket::new(2.0);
        let started = Instant::now();
        for _ in 0..2 {
            bucket.take(Call::Final).await;
        }
        bucket.renew(4.0);
        for _ in 0..2 {
            bucket.take(Call::Final).await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        bucket.take(Call::Final).await;
        assert_eq!(started.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_everybody_waits_and_fewer_are_made_until_it_is_well() {
        let bucket = Bucket::new(20.0);
        let started = Instant::now();
        let mut calls = 0;
        // Refused for five seconds.
        while started.elapsed() < Duration::from_secs(5) {
            bucket.take(Call::Final).await;
            calls += 1;
            bucket.was_throttled(None);
        }
        assert!(calls <= 3, "{calls} calls");
        for _ in 0..100 {
            bucket.take(Call::Final).await;
            bucket.went_well();
        }
        let before = Instant::now();
        for _ in 0..40 {
            bucket.take(Call::Final).await;
        }
        assert!(before.elapsed() <= Duration::from_millis(2_100), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_below_one_a_second_is_kept() {
        let bucket = Bucket::new(0.5);
        bucket.take(Call::Frame).await;
        let before = Instant::now();
        bucket.take(Call::Final).await;
        assert_eq!(before.elapsed(), Duration::from_secs(2));
    }
}
