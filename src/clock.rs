//! What time it is, and waiting until later: by the computer's clock, or by one that stands still until it is moved.
//!
//! Whatever a script can notice of time goes through a [`Clock`]: `time`, timers, schedules, the age of kept values,
//! limits of runs. Sockets, retries and the like keep the computer's own.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// Cheap to clone; clones of one that stands still are the same clock.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Standing>>);

#[derive(Default)]
struct Standing(Mutex<Hands>);

#[derive(Default)]
struct Hands {
    now: DateTime<Utc>,
    /// Who waits, by the moment and the order of asking.
    waiting: BTreeMap<(DateTime<Utc>, u64), Waker>,
    asked: u64,
}

impl Clock {
    /// A clock that shows `now` until it is moved.
    pub fn standing(now: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(Standing(Mutex::new(Hands { now, ..Hands::default() })))))
    }

    /// Whether it is one that is moved by hand.
    pub fn stands(&self) -> bool {
        self.0.is_some()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.0.as_ref().map_or_else(Utc::now, |standing| standing.hands().now)
    }

    /// Unix time in milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }

    /// Waits for `duration`.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is left behind.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            None => tokio::time::sleep(duration).await,
            Some(standing) => {
                let due = later(standing.hands().now, duration);
                Nap { standing: Arc::clone(standing), due, key: None }.await;
            }
        }
    }

    /// Begins to measure.
    pub fn start(&self) -> Stopwatch {
        Stopwatch { clock: self.clone(), instant: Instant::now(), at: self.now() }
    }

    /// When the first of those who wait is due; `None` of the computer's clock, too.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        let standing = self.0.as_ref()?;
        standing.hands().waiting.keys().next().map(|(due, _)| *due)
    }

    /// Moves a standing clock to where the first of those who wait is due, and wakes that one alone.
    pub fn fire(&self) {
        let Some(standing) = &self.0 else { return };
        let first = {
            let mut hands = standing.hands();
            let first = hands.waiting.pop_first();
            if let Some(((due, _), _)) = &first {
                hands.now = hands.now.max(*due);
            }
            first
        };
        if let Some((_, waker)) = first {
            waker.wake();
        }
    }

    /// Sets a standing clock; whoever was due by then is woken. It may go back: who waits, waits for the same moment.
    pub fn set(&self, now: DateTime<Utc>) {
        let Some(standing) = &self.0 else { return };
        standing.hands().now = now;
        while self.next_due().is_some_and(|due| due <= now) {
            let first = standing.hands().waiting.pop_first();
            if let Some((_, waker)) = first {
                waker.wake();
            }
        }
    }
}

/// `after` by `duration`; as far as dates go.
pub fn later(after: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| after.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Clock"),
            Some(standing) => write!(f, "Clock(stands at {})", standing.hands().now),
        }
    }
}

impl Standing {
    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time since [`Clock::start`].
#[derive(Clone, Debug)]
pub struct Stopwatch {
    clock: Clock,
    /// The computer's clock may be set; this one only goes on.
    instant: Instant,
    at: DateTime<Utc>,
}

impl Stopwatch {
    pub fn elapsed(&self) -> Duration {
        if self.clock.stands() {
            (self.clock.now() - self.at).to_std().unwrap_or_default()
        } else {
            self.instant.elapsed()
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Waits for a standing clock.
struct Nap {
    standing: Arc<Standing>,
    due: DateTime<Utc>,
    key: Option<u64>,
}

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut hands = this.standing.hands();
        if hands.now >= this.due {
            return Poll::Ready(()); // forgotten when dropped
        }
        let key = *this.key.get_or_insert_with(|| {
            hands.asked += 1;
            hands.asked
        });
        hands.waiting.insert((this.due, key), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Nap {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let left = self.standing.hands().waiting.remove(&(self.due, key));
            drop(left); // a waker may drop a task: outside the lock
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn those_who_wait_for_a_standing_clock_wake_in_order_one_by_one() {
        let clock = Clock::standing(DateTime::UNIX_EPOCH);
        let (mut long, mut short, mut also) = (
            Box::pin(clock.sleep(MINUTE * 2)),
            Box::pin(clock.sleep(MINUTE)),
            Box::pin(clock.sleep(MINUTE)),
        );
        assert!(poll!(&mut long).is_pending() && poll!(&mut short).is_pending());
        assert!(poll!(&mut also).is_pending());
        assert_eq!(clock.next_due(), Some(later(DateTime::UNIX_EPOCH, MINUTE)));
        clock.fire();
        assert!(poll!(&mut short).is_ready() && poll!(&mut long).is_pending());
        drop(also);
        assert_eq!(clock.next_due(), Some(later(DateTime::UNIX_EPOCH, MINUTE * 2)));
        clock.set(later(DateTime::UNIX_EPOCH, MINUTE * 9));
        assert!(poll!(&mut long).is_ready());
        assert_eq!(clock.next_due(), None);
    }

    #[test]
    fn a_stopwatch_goes_with_its_clock() {
        let clock = Clock::standing(DateTime::UNIX_EPOCH);
        let watch = clock.start();
        clock.set(later(clock.now(), MINUTE));
        assert_eq!(watch.elapsed(), MINUTE);
        assert_eq!(later(clock.now(), Duration::MAX), DateTime::<Utc>::MAX_UTC);
    }
}
