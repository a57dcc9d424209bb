//! The types an argument can have, and how a word becomes a value of one.

use std::fmt;
use std::time::Duration;

use chrono::{Days, NaiveDate};

use super::words;
use crate::words::Lang;
use crate::words::help as says;
use crate::words::list;

/// What a declared argument holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    String,
    Int,
    Number,
    Bool,
    Duration,
    Path,
    User,
    Date,
    /// One of two or more words: `dev|staging|prod`.
    Enum(Vec<String>),
}

/// A typed argument, as the handler gets it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Also the choice of an enum, spelt as it was declared.
    String(String),
    Int(i64),
    Number(f64),
    Bool(bool),
    Duration(Duration),
    /// As typed; where it may lead is the file API's to decide.
    Path(String),
    /// A staff id.
    User(String),
    Date(NaiveDate),
    /// The values of a typed rest argument.
    List(Vec<Self>),
}

/// Longer waits are mistakes, and far beyond this a duration no longer fits the clocks it is added to.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

impl Type {
    pub(super) const NAMES: [&'static str; 8] =
        ["string", "int", "number", "bool", "duration", "path", "user", "date"];

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "int" => Self::Int,
            "number" => Self::Number,
            "bool" => Self::Bool,
            "duration" => Self::Duration,
            "path" => Self::Path,
            "user" => Self::User,
            "date" => Self::Date,
            _ => return None,
        })
    }

    /// Reads a word as a value of this type; `None` when it is not one. `today` is what `tomorrow` counts from.
    pub(super) fn read(&self, word: &str, today: NaiveDate) -> Option<Value> {
        match self {
            Self::String => Some(Value::String(word.to_owned())),
            Self::Path => {
                (!word.is_empty() && !word.contains('\0')).then(|| Value::Path(word.to_owned()))
            }
            Self::Enum(choices) => {
                let folded = words::fold(word);
                let exact = choices.iter().find(|choice| *choice == word);
                let choice = exact
                    .or_else(|| choices.iter().find(|choice| words::fold(choice) == folded))?;
                Some(Value::String(choice.clone()))
            }
            Self::User => {
                let id = word.strip_prefix(['@', '＠']).unwrap_or(word);
                let fits = !id.is_empty()
                    && id.len() <= 128
                    && !id.chars().any(|c| words::is_space(c) || c.is_control());
                fits.then(|| Value::User(id.to_owned()))
            }
            Self::Int => words::narrow(word).parse().ok().map(Value::Int),
            Self::Number => {
                let number: f64 = words::narrow(word).parse().ok()?;
                // `inf` and `nan` parse too, and would surprise every handler.
                number.is_finite().then_some(Value::Number(number))
            }
            Self::Bool => bool(&words::fold(word)).map(Value::Bool),
            Self::Duration => duration(&words::fold(word)).map(Value::Duration),
            Self::Date => date(&words::fold(word), today).map(Value::Date),
        }
    }

    /// What a value of this type looks like, said to a person.
    pub(super) fn expected(&self, lang: Lang) -> String {
        let plain = match self {
            Self::String => says::string,
            Self::Int => says::int,
            Self::Number => says::number,
            Self::Bool => says::bool,
            Self::Duration => says::duration,
            Self::Path => says::path,
            Self::User => says::user,
            Self::Date => says::date,
            Self::Enum(choices) => return says::one_of(&list(choices, lang), lang),
        };
        plain(lang).to_owned()
    }

    /// A value of this type for an example line; `None` where only the argument's own name can stand for it.
    pub(super) fn example(&self) -> Option<String> {
        Some(match self {
            Self::String => return None,
            Self::Int => "3".to_owned(),
            Self::Number => "2.5".to_owned(),
            Self::Bool => "yes".to_owned(),
            Self::Duration => "10m".to_owned(),
            Self::Path => "~/notes.txt".to_owned(),
            Self::User => "@user".to_owned(),
            Self::Date => "2026-01-31".to_owned(),
            Self::Enum(choices) => words::quote(choices.first()?),
        })
    }
}

/// As written in a declaration: `int`, `dev|staging|prod`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Duration => "duration",
            Self::Path => "path",
            Self::User => "user",
            Self::Date => "date",
            Self::Enum(choices) => return f.write_str(&choices.join("|")),
        })
    }
}

fn bool(word: &str) -> Option<bool> {
    match word {
        "yes" | "y" | "true" | "on" | "1" | "是" | "对" | "开" | "真" | "好" => Some(true),
        "no" | "n" | "false" | "off" | "0" | "否" | "不" | "错" | "关" | "假" => Some(false),
        _ => None,
    }
}

/// `10m`, `1h30m`, `1.5h`, `500ms`, `2天`, `半小时`. A bare number is refused: ten what?
pub(super) fn duration(word: &str) -> Option<Duration> {
    let mut rest = word;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let (amount, tail) = match tail.strip_prefix('半') {
            Some(tail) if number.is_empty() => (0.5, tail),
            _ => (number.parse::<f64>().ok()?, tail),
        };
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '半').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ms" | "毫秒" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" | "秒" | "秒钟" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" | "分" | "分钟" => 60.0,
            "h" | "hr" | "hour" | "hours" | "时" | "小时" | "个小时" | "钟头" => 3_600.0,
            "d" | "day" | "days" | "天" | "日" => 86_400.0,
            "w" | "week" | "weeks" | "周" | "星期" => 604_800.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(amount * seconds).ok()?)?;
        rest = tail;
    }
    (!word.is_empty() && total <= LONGEST).then_some(total)
}

/// `2026-01-31`, `2026/1/31`, `2026年1月31日`, `1-31` and `1月31日` (this year), `today`, `明天`.
fn date(word: &str, today: NaiveDate) -> Option<NaiveDate> {
    match word {
        "today" | "今天" | "今日" => return Some(today),
        "tomorrow" | "明天" | "明日" => return today.checked_add_days(Days::new(1)),
        "后天" => return today.checked_add_days(Days::new(2)),
        "yesterday" | "昨天" | "昨日" => return today.checked_sub_days(Days::new(1)),
        "前天" => return today.checked_sub_days(Days::new(2)),
        _ => {}
    }
    let plain = word.replace(['年', '月', '/', '.'], "-");
    let plain = plain.strip_suffix(['日', '号']).unwrap_or(&plain);
    let parts: Vec<&str> = plain.split('-').collect();
    if parts
        .iter()
        .any(|part| part.is_empty() || part.len() > 4 || !part.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    match parts[..] {
        [year, month, day] if year.len() == 4 => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        }
        [month, day] => {
            let year = chrono::Datelike::year(&today);
            NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 12, 31).unwrap()
    }

    fn day(year: i32, month: u32, day: u32) -> Option<Value> {
        NaiveDate::from_ymd_opt(year, month, day).map(Value::Date)
    }

    fn seconds(seconds: f64) -> Option<Value> {
        Duration::try_from_secs_f64(seconds).ok().map(Value::Duration)
    }

    #[test]
    fn words_are_read_as_their_type_says() {
        let env = Type::Enum(vec!["dev".to_owned(), "Prod".to_owned(), "测试".to_owned()]);
        let string = |text: &str| Some(Value::String(text.to_owned()));
        let table: Vec<(Type, &str, Option<Value>)> = vec![
            (Type::String, "Ａｂc", string("Ａｂc")),
            (Type::Int, "42", Some(Value::Int(42))),
            (Type::Int, "-7", Some(Value::Int(-7))),
            (Type::Int, "４２", Some(Value::Int(42))),
            (Type::Int, "4.2", None),
            (Type::Int, "9223372036854775808", None),
            (Type::Int, "", None),
            (Type::Number, "2.5", Some(Value::Number(2.5))),
            (Type::Number, "1e3", Some(Value::Number(1000.0))),
            (Type::Number, "inf", None),
            (Type::Number, "NaN", None),
            (Type::Bool, "Yes", Some(Value::Bool(true))),
            (Type::Bool, "关", Some(Value::Bool(false))),
            (Type::Bool, "maybe", None),
            (Type::Duration, "10m", seconds(600.0)),
            (Type::Duration, "1h30m", seconds(5400.0)),
            (Type::Duration, "1.5h", seconds(5400.0)),
            (Type::Duration, "500ms", seconds(0.5)),
            (Type::Duration, "10分钟", seconds(600.0)),
            (Type::Duration, "1小时30分", seconds(5400.0)),
            (Type::Duration, "半小时", seconds(1800.0)),
            (Type::Duration, "１０Ｍ", seconds(600.0)),
            (Type::Duration, "10", None),
            (Type::Duration, "m", None),
            (Type::Duration, "", None),
            (Type::Duration, "-5m", None),
            (Type::Duration, "99999999999999999999d", None),
            (Type::Path, "~/a b", Some(Value::Path("~/a b".to_owned()))),
            (Type::Path, "a\0b", None),
            (Type::User, "@manager4220", Some(Value::User("manager4220".to_owned()))),
            (Type::User, "manager4220", Some(Value::User("manager4220".to_owned()))),
            (Type::User, "@", None),
            (Type::Date, "2026-01-31", day(2026, 1, 31)),
            (Type::Date, "2026年1月31日", day(2026, 1, 31)),
            (Type::Date, "1月31日", day(2026, 1, 31)),
            (Type::Date, "tomorrow", day(2027, 1, 1)),
            (Type::Date, "后天", day(2027, 1, 2)),
            (Type::Date, "2026-02-30", None),
            (Type::Date, "soon", None),
            (env.clone(), "prod", string("Prod")),
            (env.clone(), "ＤＥＶ", string("dev")),
            (env.clone(), "测试", string("测试")),
            (env, "prdo", None),
        ];
        for (kind, word, expected) in table {
            assert_eq!(kind.read(word, today()), expected, "{kind}: {word}");
        }
    }

    proptest! {
        #[test]
        fn no_word_panics(word in any::<String>()) {
            for name in Type::NAMES {
                let _ = Type::named(name).unwrap().read(&word, today());
            }
        }

        #[test]
        fn no_number_with_a_unit_panics(word in "[0-9.半]{0,40}(ms|s|m|h|d|w|分钟|年|月|日|-|/)[0-9.]{0,40}[dhm日]?") {
            let _ = (duration(&word), date(&word, today()));
        }
    }
}
