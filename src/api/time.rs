//! `time`: the clock, waiting, durations. See `time.d.luau`.

use std::time::Duration;

use chrono::{DateTime, Local};
use mlua::{Lua, Result as LuaResult, Table, Value};

use crate::api::failure::misuse;
use crate::api::module::Module;
use crate::api::options::duration;
use crate::api::{Call, Host};
use crate::clock::Clock;

/// Who sleeps for less hardly leaves the processor to others.
const LONG: Duration = Duration::from_secs(1);

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    Module::new(lua, "time")?
        .function("now", &[], |_, scope, ()| Ok(now(scope.host().clock())))?
        .function(
            "format",
            &["when", "format"],
            |_, scope, (when, format): (Option<f64>, Option<String>)| {
                let when = when.unwrap_or_else(|| now(scope.host().clock()));
                format_time(when, format.as_deref())
            },
        )?
        .function("parse_duration", &["text"], |_, _, text: Value| {
            duration(&text).map(|duration| duration.as_secs_f64()).map_err(misuse)
        })?
        .function("format_duration", &["duration"], |_, _, value: Value| {
            duration(&value).map(format_duration).map_err(misuse)
        })?
        .async_function("sleep", &["duration"], sleep)?
        .build()
}

/// Seconds since 1970, with a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds since 1970 fit the 53 bits of a number until 2255"
)]
fn now(clock: &Clock) -> f64 {
    clock.now().timestamp_micros() as f64 / 1e6
}

/// `time.sleep`: hours are fine, a wait holds no thread.
async fn sleep(call: Call, value: Value) -> LuaResult<()> {
    let duration =
        duration(&value).map_err(|why| misuse(format!("argument #1 (`duration`): {why}")))?;
    let _rest = (duration >= LONG).then(|| call.run.rest());
    call.host.clock().sleep(duration).await;
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "out of range is refused by `from_timestamp_millis`"
)]
fn format_time(when: f64, format: Option<&str>) -> LuaResult<String> {
    use std::fmt::Write;
    let time = DateTime::from_timestamp_millis((when * 1000.0).round() as i64)
        .filter(|_| when.is_finite())
        .ok_or_else(|| {
            misuse(format!("argument #1 (`when`): expected seconds since 1970, got {when}"))
        })?;
    let local = time.with_timezone(&Local);
    let format = format.unwrap_or("%Y-%m-%d %H:%M:%S");
    let mut text = String::new();
    write!(text, "{}", local.format(format)).map_err(|_| {
        misuse(format!("argument #2 (`format`): `{format}` is no time format; expected one such as \"%Y-%m-%d %H:%M\""))
    })?;
    Ok(text)
}

const UNITS: &[(&str, f64)] = &[
    ("ms", 0.001),
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86400.0),
    ("w", 604_800.0),
];

/// Reads `10s`, `1h30m`, `250ms`, `1.5h`, `2d`.
///
/// # Errors
///
/// Says what was expected and what was found.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let fail = || {
        format!(
            "expected a duration such as \"10s\" or \"1h30m\" (units ms, s, m, h, d, w), got {text:?}"
        )
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fail());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fail)?;
        let number: f64 = rest[..digits].parse().map_err(|_| fail())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = rest[..letters].to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fail)?;
        seconds += number * factor;
        rest = rest[letters..].trim_start();
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| fail())
}

/// Writes a duration as people say it: `1h 30m`, `12s`, `250ms`.
pub fn format_duration(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{}ms", duration.as_millis());
    }
    let seconds = duration.as_secs();
    let parts = [
        ("d", seconds / 86400),
        ("h", seconds / 3600 % 24),
        ("m", seconds / 60 % 60),
        ("s", seconds % 60),
    ];
    let said: Vec<String> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(unit, count)| format!("{count}{unit}"))
        .collect();
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("10s", 10.0),
            ("1h30m", 5400.0),
            ("250ms", 0.25),
            ("1.5h", 5400.0),
            (" 2 d ", 172_800.0),
            ("5min", 300.0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in
            ["", "10", "s", "10x", "1h30", "-5s", "1..5s", "9e9s", "99999999999999999999w", "十秒"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_people_say_them() {
        assert_eq!(format_duration(Duration::from_mins(90)), "1h 30m");
        assert_eq!(format_duration(Duration::from_millis(250)), "250ms");
        assert_eq!(format_duration(Duration::from_secs(90_061)), "1d 1h 1m 1s");
    }
}
