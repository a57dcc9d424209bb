//! Events of the organisation.

use ring::digest;
use serde_json::{Map, Value};

use super::frame::Frame;
use super::inbound::{ParseError, Received, now_ms, parse_object, quota};
use super::lenient::{field, integer};
use super::sign;
use crate::message::{Event, Inbound};

/// Kinds of events that DingTalk pushes without counting them: those of the organisation's contacts.
const FREE: &[&str] = &[
    "industry_medical_dept_event",
    "industry_medical_dept_prop_event",
    "industry_medical_full_sync",
    "industry_medical_user_add",
    "industry_medical_user_dept_event",
    "industry_medical_user_prop_event",
    "label_conf_add",
    "label_conf_del",
    "label_conf_modify",
    "label_user_change",
    "org_admin_add",
    "org_admin_remove",
    "org_annual_certification_submission",
    "org_change",
    "org_dept_create",
    "org_dept_modify",
    "org_dept_remove",
    "user_active_org",
    "user_add_org",
    "user_leave_org",
    "user_modify_org",
];

/// Whether DingTalk pushes events of this kind without counting them against the month.
pub(super) fn is_free(kind: &str) -> bool {
    FREE.contains(&kind)
}

/// Reads an event. Its id and type are headers, its data is kept as it is.
pub(super) fn read(frame: &Frame) -> Result<Received, ParseError> {
    let data = parse_object(&frame.data)?;
    if let Some(quota) = quota(&data, "errCode", "errMsg") {
        return Ok(quota);
    }
    let headers = &frame.headers;
    let id = headers
        .get("eventId")
        .or_else(|| headers.message_id())
        .ok_or(ParseError::Missing("eventId"))?;
    let kind = headers.get("eventType").ok_or(ParseError::Missing("eventType"))?;
    let born_at_ms = headers
        .get("eventBornTime")
        .and_then(|time| time.trim().parse().ok())
        .or_else(|| headers.time_ms());
    Ok(Received::Inbound(Inbound::Event(Event {
        id: id.to_owned(),
        kind: kind.to_owned(),
        born_at_ms: born_at_ms.unwrap_or_else(now_ms),
        data: data.into(),
    })))
}

/// Verifies an address in the developer console; nothing has happened.
const CHECK_URL: &str = "check_url";
/// The same for apps of third parties, which want to hear a word back.
const CHECKS_WITH_WORD: [&str; 2] = ["check_create_suite_url", "check_update_suite_url"];

/// What the HTTP mode puts beside the fields of an event; over the Stream these are headers.
const ENVELOPE: [&str; 5] = ["EventType", "EventTime", "CorpId", "BizId", "eventId"];

/// Reads an event of the HTTP mode. There all is flat, and some kinds spell their fields with a capital letter.
pub(super) fn read_flat(plain: &str) -> Result<Received, ParseError> {
    let mut data = parse_object(plain)?;
    if let Some(quota) = quota(&data, "errCode", "errMsg") {
        return Ok(quota);
    }
    let kind = field(&data, "EventType").ok_or(ParseError::Missing("EventType"))?;
    if kind == CHECK_URL || CHECKS_WITH_WORD.contains(&kind.as_str()) {
        return Ok(Received::Ignored);
    }
    // Encrypted anew for each try, but the same inside.
    let id = field(&data, "eventId").unwrap_or_else(|| digest_of(plain));
    let born_at_ms = data.get("EventTime").and_then(integer).unwrap_or_else(now_ms);
    for name in ENVELOPE {
        data.remove(name);
    }
    if kind.starts_with("robot_msg_") {
        data = data.into_iter().map(|(name, value)| (small(&name), value)).collect::<Map<_, _>>();
    }
    Ok(Received::Inbound(Inbound::Event(Event { id, kind, born_at_ms, data: data.into() })))
}

/// What an event of the HTTP mode is answered with.
pub(super) fn answer_to(plain: &str) -> String {
    const DONE: &str = "success";
    let Ok(data) = parse_object(plain) else { return DONE.to_owned() };
    let kind = data.get("EventType").and_then(Value::as_str).unwrap_or_default();
    let word = field(&data, "Random").filter(|_| CHECKS_WITH_WORD.contains(&kind));
    word.unwrap_or_else(|| DONE.to_owned())
}

fn digest_of(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    sign::hex(&digest.as_ref()[..16])
}

/// With a small first letter.
fn small(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fixture(name: &str) -> String {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn an_event_is_the_same_over_http_as_over_the_stream() {
        let Ok(Received::Inbound(Inbound::Event(flat))) =
            read_flat(&fixture("http_event_plain_user_add_org"))
        else {
            panic!("an event")
        };
        let frame = Frame::parse(&fixture("event_user_add_org")).unwrap();
        let Ok(Received::Inbound(Inbound::Event(framed))) = read(&frame) else {
            panic!("an event")
        };
        assert_eq!(
            (&flat.kind, &flat.data, flat.born_at_ms),
            (&framed.kind, &framed.data, 1_767_852_000_000)
        );
        assert_eq!(flat.id, "c7c7120f2c07419ea1b2ebdba0318c83");

        let read_by = json!({ "EventType": "robot_msg_read", "UserId": "manager4220", "OperatTime": "1767852000000" });
        let Ok(Received::Inbound(Inbound::Event(event))) = read_flat(&read_by.to_string()) else {
            panic!("an event")
        };
        assert_eq!(event.data, json!({ "userId": "manager4220", "operatTime": "1767852000000" }));
        assert_eq!(event.id, digest_of(&read_by.to_string()));
    }

    #[test]
    fn checks_of_the_address_are_answered_and_are_no_events() {
        assert_eq!(read_flat(&fixture("http_event_plain_check_url")), Ok(Received::Ignored));
        assert_eq!(answer_to(&fixture("http_event_plain_check_url")), "success");
        let suite = json!({ "EventType": "check_create_suite_url", "Random": "aBcD" }).to_string();
        assert_eq!(
            (read_flat(&suite), answer_to(&suite).as_str()),
            (Ok(Received::Ignored), "aBcD")
        );
        let other = json!({ "EventType": "user_add_org", "Random": "aBcD" }).to_string();
        assert_eq!(answer_to(&other), "success");
        assert_eq!(answer_to("not json"), "success");
    }
}
