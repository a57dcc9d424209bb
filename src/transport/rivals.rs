//! Notices what looks like a second host on the same app: somewhere else, so no lock can tell.
//!
//! A newer connection of an app may push the older one out, and two hosts then do so to each other for ever. What can be
//! seen of it is a server that keeps closing connections soon after they were opened. Where DingTalk shares messages out
//! among connections instead, nothing can be seen here.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A connection that the server closed sooner than this was not closed for balancing: that is hours apart. Above the
/// longest wait between two attempts of another host.
const SHORT: Duration = Duration::from_secs(90);
/// So many of them …
const MANY: usize = 5;
/// … in so much time.
pub(super) const WITHIN: Duration = Duration::from_mins(10);

/// When the server closed connections that were new.
#[derive(Debug, Default)]
pub(super) struct Rivals(VecDeque<Instant>);

impl Rivals {
    /// The server closed a connection that lived so long. Returns how many it closed too soon lately, if that is more
    /// than chance.
    pub(super) fn closed(&mut self, lived: Duration) -> Option<usize> {
        let now = Instant::now();
        self.0.retain(|at| now.duration_since(*at) < WITHIN);
        if lived < SHORT {
            self.0.push_back(now);
        }
        (self.0.len() >= MANY).then_some(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_balances_raises_no_suspicion_and_one_that_evicts_does() {
        let mut rivals = Rivals::default();
        for _ in 0..50 {
            tokio::time::advance(Duration::from_hours(2)).await;
            assert_eq!(rivals.closed(Duration::from_hours(2)), None);
        }
        // A burst of three, as servers do.
        for _ in 0..3 {
            assert_eq!(rivals.closed(Duration::from_secs(5)), None);
        }
        tokio::time::advance(WITHIN).await;
        for _ in 0..4 {
            tokio::time::advance(Duration::from_mins(1)).await;
            assert_eq!(rivals.closed(Duration::from_mins(1)), None);
        }
        assert_eq!(rivals.closed(Duration::from_mins(1)), Some(5));
    }
}
