//! Who answered, and when, as a question shows it.

use chrono::{DateTime, Local};

use crate::asks::marked;
use crate::dingtalk::text::shorten;
use crate::message::StaffId;
use crate::sink::markdown::escape_inline;

/// Characters of a name.
const NAME_CHARS: usize = 30;

/// A time of today, or of another day.
pub(super) fn clock_time(at_ms: i64, now_ms: i64) -> String {
    let local = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default().with_timezone(&Local);
    let (at, now) = (local(at_ms), local(now_ms));
    let today = at.date_naive() == now.date_naive();
    at.format(if today { "%H:%M" } else { "%m-%d %H:%M" }).to_string()
}

/// A person, as what they call themselves: it is free text, so it is shown as it is and in short.
pub(super) fn name(name: &str, id: &StaffId) -> String {
    let name = if name.trim().is_empty() { id.as_str() } else { name };
    shorten(&marked(name).replace('\n', " "), NAME_CHARS)
}

/// The same behind the id, which tells them apart from anybody who calls themselves so.
pub(super) fn name_and_id(said: &str, id: &StaffId) -> String {
    let (name, id) = (name(said, id), marked(id.as_str()));
    if name == id { name } else { format!("{id} ({name})") }
}

/// Who answered, and when.
pub(super) fn by(said: &str, id: &StaffId, at_ms: i64) -> String {
    format!("{} · {}", name(said, id), clock_time(at_ms, at_ms))
}

/// The last line of the card of a question that was answered.
pub(super) fn chosen(label: &str, by: &str) -> String {
    escape_inline(&format!("→ {} · {by}", label.replace('\n', " ")))
}
