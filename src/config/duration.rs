//! Times in settings: `"10s"`, `"1h30m"`, `"30d"`.

use std::time::Duration;

use super::check::Check;
use super::check::shown;
use crate::words::config::values as w;

const UNITS: [(&str, u64); 7] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

impl Check<'_> {
    /// A time from `least` to `most`; `None` when it is absent, or wrong and reported.
    pub(super) fn duration(
        &mut self,
        path: &'static str,
        least: Duration,
        most: Duration,
    ) -> Option<Duration> {
        let text = self.text(path)?;
        let value = shown(&text);
        let Some(duration) = parse(&text) else {
            self.wrong(path, |lang| w::not_a_time(path, &value, lang), w::time_hint);
            return None;
        };
        if duration < least || duration > most {
            let (least, most) = (spelled(least), spelled(most));
            self.wrong(
                path,
                |lang| w::time_out_of_bounds(path, &value, lang),
                |lang| w::bounds(&least, &most, lang),
            );
            return None;
        }
        Some(duration)
    }
}

/// Whole numbers with their units, one after another.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        total_ms = total_ms.checked_add(number.checked_mul(*unit_ms)?)?;
        rest = rest[letters..].trim_start();
    }
    Some(Duration::from_millis(total_ms))
}

/// As it is written in settings, in the largest unit that fits.
fn spelled(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    // Weeks are read, but nobody counts a year in them.
    let mut units = UNITS.iter().rev().filter(|(name, _)| !matches!(*name, "w" | "min"));
    let fits = units.find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit));
    fits.map_or_else(|| "0s".to_owned(), |(name, unit)| format!("{}{name}", ms / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, ms) in
            [("10s", 10_000), ("1h30m", 5_400_000), (" 2 d ", 172_800_000), ("250ms", 250)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "s", "10x", "1h30", "-5s", "1.5h", "99999999999999999999w", "十秒"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn bounds_are_spelled_as_they_would_be_written() {
        for (text, shown) in
            [("60s", "1m"), ("36500d", "36500d"), ("90s", "90s"), ("1h30m", "90m"), ("14d", "14d")]
        {
            let time = parse(text).unwrap();
            assert_eq!(spelled(time), shown);
            assert_eq!(parse(&spelled(time)), Some(time));
        }
        assert_eq!(spelled(Duration::ZERO), "0s");
    }
}
