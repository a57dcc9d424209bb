//! The month that DingTalk counts by.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, Utc};
use serde::{Serialize, Serializer};

/// A calendar month in China.
///
/// DingTalk gives budgets "per calendar month" and says no more; its own clocks and its console are on China's time, so a
/// month turns there for everybody, wherever this computer is. China has no daylight saving time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

/// Not a month.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a month such as `2026-11`")]
pub struct NotAMonth;

fn china() -> FixedOffset {
    FixedOffset::east_opt(8 * 60 * 60).expect("eight hours are less than a day")
}

impl Month {
    /// The month in which `moment` falls.
    pub fn of(moment: DateTime<Utc>) -> Self {
        let there = moment.with_timezone(&china());
        Self { year: there.year(), month: there.month() }
    }

    pub fn now() -> Self {
        Self::of(Utc::now())
    }

    /// The month `months` before this one.
    pub(super) fn before(self, months: u32) -> Self {
        let count = self.year * 12 + i32::try_from(self.month).unwrap_or(1) - 1;
        let count = count - i32::try_from(months).unwrap_or(i32::MAX);
        let month = u32::try_from(count.rem_euclid(12)).unwrap_or(0) + 1;
        Self { year: count.div_euclid(12), month }
    }

    /// The day on which the next one begins.
    pub fn turns(self) -> NaiveDate {
        let (year, month) =
            if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        NaiveDate::from_ymd_opt(year, month, 1).unwrap_or(NaiveDate::MAX)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.trim().split_once('-').ok_or(NotAMonth)?;
        let year = year.parse().ok().filter(|year| (2000..=9999).contains(year));
        let month = month.parse().ok().filter(|month| (1..=12).contains(month));
        match (year, month) {
            (Some(year), Some(month)) => Ok(Self { year, month }),
            _ => Err(NotAMonth),
        }
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_turns_at_midnight_in_china() {
        let at = |text: &str| Month::of(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-11-30T15:59:59Z"), "2026-11");
        assert_eq!(at("2026-11-30T16:00:00Z"), "2026-12");
        assert_eq!(at("2026-12-31T16:00:00Z"), "2027-01");
    }

    #[test]
    fn months_are_read_as_they_are_written() {
        for text in ["2026-11", "2027-01"] {
            assert_eq!(text.parse::<Month>().unwrap().to_string(), text);
        }
        for wrong in ["", "2026", "2026-13", "2026-00", "november", "11-2026", "2026-11-01"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month.turns().to_string(), "2027-01-01");
        assert_eq!(month.before(12).to_string(), "2025-12");
        assert_eq!(month.before(11).to_string(), "2026-01");
    }
}
