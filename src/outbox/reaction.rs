//! What the outbox does about each answer of DingTalk: one reaction to a class, decided here and nowhere else.
//!
//! | class | on the webhook | as the robot |
//! |---|---|---|
//! | throttled, this chat | the webhook rests for ten minutes; at once as the robot | again, when DingTalk says |
//! | throttled, the app | at once as the robot | again, and nobody is sent anything before then |
//! | throttled, the computer (ban) | again when the ban ends, and no call of any kind before | the same |
//! | token | (needs none) | the client has fetched a new one and repeated once; then again, with growing waits |
//! | transient, nobody knows whether it was done (no answer, a broken connection) | again on the webhook; parked after five such calls | again; parked after five such calls |
//! | transient, a gateway's page | again on the webhook, with growing waits, for a day | again, with growing waits, for a day |
//! | transient, refused (busy, no connection) | at once as the robot | again, with growing waits, for a day |
//! | gone | not used again; at once as the robot | parked |
//! | too large | in smaller pieces; parked when there is nothing to split | the same |
//! | rejected (content) | parked, the person is told | the same |
//! | permanent | at once as the robot | parked, the person is told |
//! | scope, quota, credentials, address | at once as the robot | parked; the client makes no such call for half an hour |
//!
//! Whenever something parks the owner is told, once an hour for each kind of reason. Waits double from two seconds to
//! thirty, less up to half of it by chance, and are never shorter than DingTalk asks for. The conversation of a reply that
//! waits waits with it: its next reply may be the second half of a sentence.

use std::time::Duration;

use crate::dingtalk::{ApiError, Class, Reach};

/// A call without an answer in time may have been executed. So many are made; then the reply counts as said, because a
/// person who reads the same answer for the sixth time is helped less than one who has to ask again.
pub(super) const UNANSWERED: u32 = 5;

/// A reply that could not be sent for a day has lost its sense; it is parked.
const GIVE_UP_MS: i64 = 24 * 60 * 60 * 1000;

/// Times of the outbox; replaced in tests only.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The first wait, which doubles up to `ceiling`.
    pub backoff: Duration,
    pub ceiling: Duration,
    /// How long a webhook rests after "too fast": custom robots are shut out so long.
    pub webhook_rest: Duration,
    /// How often the owner hears of one kind of trouble.
    pub tell_again: Duration,
    /// How much of the wait that DingTalk asks for is kept: all of it.
    pub asked: f64,
    /// Calls per second as the robot, all conversations together. DingTalk's standard limit is 20 for each API.
    pub robot_calls_per_second: f64,
    /// Before a card that could not be ended for some minutes is ended again; it doubles, up to ten times this.
    pub late: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            backoff: Duration::from_secs(2),
            ceiling: Duration::from_secs(30),
            webhook_rest: Duration::from_mins(10),
            tell_again: Duration::from_hours(1),
            asked: 1.0,
            robot_calls_per_second: 18.0,
            late: Duration::from_mins(1),
        }
    }
}

impl Timing {
    /// The wait before try `attempt` + 1, with jitter, and never shorter than DingTalk asks for.
    pub(super) fn wait(&self, attempt: u32, error: &ApiError) -> Duration {
        let doubled =
            self.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(self.ceiling);
        let jittered = doubled.mul_f64(rand::random_range(0.5..1.0));
        // Those who were sent away together do not come back together.
        let spread = self.asked * rand::random_range(1.0..1.1);
        let asked = error.retry_after.map(|asked| asked.mul_f64(spread));
        asked.map_or(jittered, |asked| asked.max(jittered))
    }
}

/// What follows a try on the webhook that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterWebhook {
    /// This try is over; [`reaction`] says what follows.
    Settle,
    /// The robot tries at once.
    AsRobot(Rest),
}

/// For how long the webhook is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    No,
    /// The conversation's webhooks, for [`Timing::webhook_rest`].
    Conversation,
    /// This webhook, for ever.
    ForEver,
}

pub(super) fn after_webhook(error: &ApiError) -> AfterWebhook {
    // It may have been said already: repeating it on another path would say it twice.
    if error.outcome_unknown() {
        return AfterWebhook::Settle;
    }
    match error.class {
        Class::Throttled if error.reach() == Reach::Computer => AfterWebhook::Settle,
        Class::Throttled if error.reach() == Reach::Chat => {
            AfterWebhook::AsRobot(Rest::Conversation)
        }
        Class::TooLarge | Class::Rejected => AfterWebhook::Settle,
        Class::Gone => AfterWebhook::AsRobot(Rest::ForEver),
        _ => AfterWebhook::AsRobot(Rest::No),
    }
}

/// What follows a try that failed on every path it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Again, after a wait.
    Again,
    /// Again at once, in smaller pieces; where there are none, it is parked.
    Smaller,
    Park {
        /// The person who waits for it is told that it does not come, for other texts do get through.
        tell: bool,
    },
}

/// Decides about a row that failed with `error` after `unanswered` calls without an answer and `age_ms` of trying.
pub(super) fn reaction(error: &ApiError, unanswered: u32, age_ms: i64) -> Reaction {
    let again = if age_ms > GIVE_UP_MS { Reaction::Park { tell: false } } else { Reaction::Again };
    match error.class {
        _ if unanswered >= UNANSWERED => Reaction::Park { tell: false },
        Class::Throttled | Class::Transient | Class::Token => again,
        Class::TooLarge => Reaction::Smaller,
        Class::Rejected | Class::Permanent => Reaction::Park { tell: true },
        Class::Gone | Class::Quota | Class::Credentials | Class::Scope(_) | Class::IpNotAllowed => {
            Reaction::Park { tell: false }
        }
    }
}

/// The name of a kind of trouble: of each the owner hears once in a while, not with every reply.
pub(super) fn kind(error: &ApiError) -> String {
    match &error.class {
        Class::Scope(scopes) => format!("scope {}", scopes.join(" ")),
        Class::Permanent => format!("permanent {}", error.code),
        class => format!("{class:?}"),
    }
}

/// Whether the robot's own calls cannot work at all, whatever is said with them.
pub(super) fn robot_is_shut(error: &ApiError) -> bool {
    match error.class {
        // Cards have permissions of their own.
        Class::Scope(_) => !error.endpoint.starts_with("/v1.0/card"),
        Class::Quota | Class::Credentials | Class::IpNotAllowed => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: Class, code: &str) -> ApiError {
        ApiError::local("call", class, code, "")
    }

    #[test]
    fn waits_double_to_a_ceiling_with_jitter_and_keep_what_dingtalk_asks_for() {
        let timing = Timing::default();
        let busy = error(Class::Transient, "system.busy");
        for (attempt, from, to) in
            [(1, 1, 2), (2, 2, 4), (3, 4, 8), (4, 8, 16), (5, 15, 30), (99, 15, 30)]
        {
            for _ in 0..100 {
                let wait = timing.wait(attempt, &busy);
                let range = Duration::from_secs(from)..=Duration::from_secs(to);
                assert!(range.contains(&wait), "{attempt}: {wait:?}");
            }
        }
        let asked = ApiError { retry_after: Some(Duration::from_mins(1)), ..busy };
        let range = Duration::from_mins(1)..=Duration::from_secs(66);
        assert!(range.contains(&timing.wait(1, &asked)));
    }

    #[test]
    fn each_class_has_its_reaction() {
        use AfterWebhook::{AsRobot, Settle};
        let park = |tell| Reaction::Park { tell };
        for (class, code, webhook, robot) in [
            (
                Class::Throttled,
                "Forbidden.AccessDenied.QpsLimitForApi",
                AsRobot(Rest::No),
                Reaction::Again,
            ),
            (Class::Throttled, "130101", AsRobot(Rest::Conversation), Reaction::Again),
            (Class::Throttled, "1111", Settle, Reaction::Again),
            (Class::Transient, "timeout", Settle, Reaction::Again),
            (Class::Transient, "broken", Settle, Reaction::Again),
            (Class::Transient, "gateway", Settle, Reaction::Again),
            (Class::Transient, "connect", AsRobot(Rest::No), Reaction::Again),
            (Class::Transient, "system.busy", AsRobot(Rest::No), Reaction::Again),
            (Class::Token, "InvalidAuthentication", AsRobot(Rest::No), Reaction::Again),
            (Class::Gone, "300001", AsRobot(Rest::ForEver), park(false)),
            (Class::TooLarge, "460101", Settle, Reaction::Smaller),
            (Class::Rejected, "430101", Settle, park(true)),
            (Class::Permanent, "40035", AsRobot(Rest::No), park(true)),
            (Class::Scope(Vec::new()), "60011", AsRobot(Rest::No), park(false)),
            (Class::Quota, "90020", AsRobot(Rest::No), park(false)),
            (Class::Credentials, "40096", AsRobot(Rest::No), park(false)),
            (Class::IpNotAllowed, "60020", AsRobot(Rest::No), park(false)),
        ] {
            let error = error(class, code);
            assert_eq!(after_webhook(&error), webhook, "{error:?}");
            assert_eq!(reaction(&error, 0, 0), robot, "{error:?}");
        }
    }

    #[test]
    fn what_fails_for_a_day_or_five_times_without_an_answer_is_parked() {
        let silent = error(Class::Transient, "timeout");
        assert_eq!(reaction(&silent, UNANSWERED - 1, 0), Reaction::Again);
        assert_eq!(reaction(&silent, UNANSWERED, 0), Reaction::Park { tell: false });
        let busy = error(Class::Throttled, "90018");
        assert_eq!(reaction(&busy, 0, GIVE_UP_MS), Reaction::Again);
        assert_eq!(reaction(&busy, 0, GIVE_UP_MS + 1), Reaction::Park { tell: false });
    }
}
