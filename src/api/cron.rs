//! Schedules: cron expressions in a time zone. Pure: the clock belongs to whoever asks.

use std::fmt;
use std::str::FromStr as _;

use chrono::{DateTime, Local, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

pub use crate::store::schedules::Schedules;

/// What becomes of times that passed while the host was down or the computer slept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// Nothing: the next time is the next one.
    #[default]
    Skip,
    /// One run makes up for all of them, at once.
    Once,
}

/// When something is due.
#[derive(Clone, PartialEq)]
pub struct Schedule {
    cron: Box<Cron>,
    expression: String,
    /// `None`: the computer's own.
    zone: Option<Tz>,
    pub missed: Missed,
}

impl Schedule {
    /// Reads `minute hour day month weekday`, with seconds in front if there are six fields, or `@daily` and the like.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the expression.
    pub fn parse(expression: &str, zone: Option<Tz>, missed: Missed) -> Result<Self, String> {
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .build()
            .parse(expression)
            .map_err(|error| format!("`{expression}` is no schedule: {error}; expected such as \"0 9 * * 1-5\" (minute hour day month weekday)"))?;
        let schedule =
            Self { cron: Box::new(cron), expression: expression.to_owned(), zone, missed };
        if schedule.next(Utc::now()).is_none() {
            return Err(format!("`{expression}` is never due"));
        }
        Ok(schedule)
    }

    /// The first time after `from` that it is due.
    ///
    /// On the day that clocks go forward, a time that does not exist is due when they have; on the day that they go
    /// back, a time that exists twice is due once.
    pub fn next(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.zone {
            Some(zone) => self
                .cron
                .find_next_occurrence(&from.with_timezone(&zone), false)
                .ok()
                .map(|time| time.with_timezone(&Utc)),
            None => self
                .cron
                .find_next_occurrence(&from.with_timezone(&Local), false)
                .ok()
                .map(|time| time.with_timezone(&Utc)),
        }
    }

    /// As it was written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The same for equal schedules, whatever line they are on.
    pub fn name(&self) -> String {
        format!("{} {}", self.expression, self.zone.map_or("local", |zone| zone.name()))
    }
}

/// Reads the name of a time zone.
///
/// # Errors
///
/// Names what was expected.
pub fn zone(name: &str) -> Result<Tz, String> {
    Tz::from_str(name)
        .map_err(|_| format!("there is no time zone `{name}`; expected such as \"Asia/Shanghai\""))
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({}, {:?})", self.name(), self.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
        let schedule =
            Schedule::parse(expression, Some(zone(zone_name).unwrap()), Missed::Skip).unwrap();
        let mut at = DateTime::parse_from_rfc3339(from).unwrap().with_timezone(&Utc);
        let mut times = Vec::new();
        for _ in 0..count {
            at = schedule.next(at).unwrap();
            times.push(at.format("%m-%dT%H:%M").to_string());
        }
        times
    }

    #[test]
    fn schedules_are_due_by_the_clock_on_the_wall() {
        assert_eq!(
            times("0 9 * * 1-5", "Asia/Shanghai", "2026-01-02T00:30:00Z", 3),
            ["01-02T01:00", "01-05T01:00", "01-06T01:00"]
        );
        assert_eq!(times("0 9 * * *", "Asia/Shanghai", "2026-01-02T01:00:00Z", 1), ["01-03T01:00"]);
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_due_once_and_one_that_comes_twice_too() {
        // Berlin: 02:00 becomes 03:00 on 29 March 2026, 03:00 becomes 02:00 on 25 October.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            ["03-28T01:30", "03-29T01:00", "03-30T00:30"]
        );
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 3),
            ["10-24T00:30", "10-25T00:30", "10-26T01:30"]
        );
    }

    #[test]
    fn hours_over_a_change_of_the_clocks_are_neither_left_out_nor_doubled() {
        // New York: 02:00 becomes 03:00 on 8 March 2026, 02:00 becomes 01:00 on 1 November.
        assert_eq!(
            times("0 * * * *", "America/New_York", "2026-03-08T05:30:00Z", 3),
            ["03-08T06:00", "03-08T07:00", "03-08T08:00"]
        );
        assert_eq!(
            times("0 9 * * *", "America/New_York", "2026-10-31T12:00:00Z", 3),
            ["10-31T13:00", "11-01T14:00", "11-02T14:00"]
        );
        assert_eq!(
            times("15 1 * * *", "America/New_York", "2026-11-01T04:00:00Z", 2),
            ["11-01T05:15", "11-02T06:15"]
        );
        assert_eq!(
            times("15 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", 2),
            ["03-08T07:00", "03-09T06:15"]
        );
    }

    #[test]
    fn a_wrong_schedule_says_what_is_wrong() {
        for expression in
            ["", "9 o'clock", "* * * *", "61 * * * *", "0 0 30 2 *", "* * * * * * * *"]
        {
            assert!(Schedule::parse(expression, None, Missed::Skip).is_err(), "{expression}");
        }
        assert!(zone("Mars/Olympus").unwrap_err().contains("Asia/Shanghai"));
    }
}
