//! The pace of the robot's own calls, for all conversations together: DingTalk counts an app, not a chat.
//!
//! Two things slow them down. A standing limit gives each call a moment of its own, so that a thousand replies at once
//! become eighteen a second. And "too many calls" stops them all: after the pause one call goes first, and only when it is
//! taken do the others follow. Sixty-four conversations that each tried again by themselves would be what got the app
//! throttled in the first place.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::reaction::Timing;
use crate::dingtalk::ApiError;

/// A call that goes first and is never heard of again (its task was dropped) holds up the others for this long.
const PROBE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Pace {
    timing: Timing,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Moments of calls are given out up to here.
    given_to: Instant,
    /// No call before this.
    paused_until: Instant,
    /// Pauses in a row.
    streak: u32,
    /// Until when the call that goes first is waited for.
    probing_until: Option<Instant>,
}

/// Leave to make one call; [`Pace::left`] takes it back.
#[derive(Debug)]
#[must_use = "give it to `Pace::left` with what became of the call"]
pub(super) struct Leave {
    /// The pauses before the call: one that was under way when a pause began says nothing new about it.
    streak: u32,
}

/// When to ask again, and whether that moment is kept for who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) until: Instant,
    pub(super) kept: bool,
}

impl Pace {
    pub(super) fn new(timing: Timing) -> Self {
        let now = Instant::now();
        let given_to = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        let state = State { given_to, paused_until: now, streak: 0, probing_until: None };
        Self { timing, state: Mutex::new(state) }
    }

    /// Leave to call now, or when to ask again. `kept`: an earlier answer kept this moment for the call.
    pub(super) fn ask(&self, kept: bool) -> Result<Leave, Wait> {
        let now = Instant::now();
        let mut state = self.state();
        if now < state.paused_until {
            return Err(Wait { until: state.paused_until, kept: false });
        }
        if state.streak > 0 {
            if let Some(until) = state.probing_until.filter(|until| now < *until) {
                let soon = (now + self.timing.backoff / 8).min(until);
                return Err(Wait { until: soon, kept: false });
            }
            state.probing_until = Some(now + PROBE);
            return Ok(Leave { streak: state.streak });
        }
        if kept {
            return Ok(Leave { streak: 0 });
        }
        let gap = Duration::from_secs_f64(1.0 / self.timing.robot_calls_per_second);
        // After a quiet moment two may go at once: the second reply need not wait for what nobody counts.
        let earliest = now.checked_sub(2 * gap).unwrap_or(now);
        let moment = state.given_to.max(earliest) + gap;
        state.given_to = moment;
        if moment <= now {
            return Ok(Leave { streak: 0 });
        }
        Err(Wait { until: moment, kept: true })
    }

    /// Notes what became of a call. `throttled`: DingTalk says that the whole app calls too often.
    pub(super) fn left(&self, leave: &Leave, throttled: Option<&ApiError>, taken: bool) {
        let now = Instant::now();
        let mut state = self.state();
        let probe = leave.streak > 0 && leave.streak == state.streak;
        if probe {
            state.probing_until = None;
        }
        match throttled {
            Some(error) if leave.streak == state.streak => {
                state.streak += 1;
                let wait = self.timing.wait(state.streak, error);
                state.paused_until = state.paused_until.max(now + wait);
                tracing::warn!(?wait, %error, "DingTalk throttles this app: nothing is sent as the robot until then");
            }
            Some(error) => {
                let asked = error.retry_after.unwrap_or_default().mul_f64(self.timing.asked);
                state.paused_until = state.paused_until.max(now + asked);
            }
            None if probe && taken => state.streak = 0,
            None => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics holding this")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dingtalk::Class;

    fn throttled() -> ApiError {
        let error = ApiError::local("call", Class::Throttled, "QpsLimit", "");
        ApiError { retry_after: Some(Duration::from_secs(2)), ..error }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_replies_at_once_keep_to_the_limit_of_twenty_calls_a_second() {
        let pace = Pace::new(Timing::default());
        let started = Instant::now();
        let mut moments: Vec<Instant> = (0..1000)
            .map(|_| match pace.ask(false) {
                Ok(_) => started,
                Err(wait) => {
                    assert!(wait.kept);
                    wait.until
                }
            })
            .collect();
        moments.sort();
        for tenth in 0..500 {
            let from = started + Duration::from_millis(100 * tenth);
            let to = from + Duration::from_secs(1);
            let calls = moments.iter().filter(|at| (from..to).contains(at)).count();
            assert!((17..=20).contains(&calls), "{calls} calls in a second from {tenth}");
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(pace.ask(true).expect("a moment that was kept is there"));
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_calls_stop_everybody_then_one_goes_first() {
        let pace = Pace::new(Timing::default());
        tokio::time::advance(Duration::from_secs(2)).await;
        let under_way: Vec<Leave> = (0..2).map(|_| pace.ask(false).unwrap()).collect();
        let before = Instant::now();
        for leave in &under_way {
            pace.left(leave, Some(&throttled()), false);
        }
        let wait = pace.ask(false).unwrap_err().until - before;
        assert!((2..=3).contains(&wait.as_secs()), "two refusals of one moment are one: {wait:?}");
        tokio::time::advance(wait).await;
        let first = pace.ask(false).unwrap();
        assert!(!pace.ask(false).unwrap_err().kept);
        pace.left(&first, Some(&throttled()), false);
        let again = pace.ask(false).unwrap_err().until - Instant::now();
        assert!((2..=4).contains(&again.as_secs()), "the pause grows: {again:?}");
        tokio::time::advance(again).await;
        let first = pace.ask(false).unwrap();
        pace.left(&first, None, true);
        drop((pace.ask(false).unwrap(), pace.ask(false).unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_call_that_is_dropped_does_not_hold_up_the_others_for_ever() {
        let pace = Pace::new(Timing::default());
        tokio::time::advance(Duration::from_secs(2)).await;
        let leave = pace.ask(false).unwrap();
        pace.left(&leave, Some(&throttled()), false);
        tokio::time::advance(Duration::from_secs(3)).await;
        drop(pace.ask(false).unwrap());
        pace.ask(false).unwrap_err();
        tokio::time::advance(PROBE).await;
        drop(pace.ask(false).unwrap());
    }
}
