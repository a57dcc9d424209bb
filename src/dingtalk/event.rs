//! Events of the organisation.

use super::frame::Frame;
use super::inbound::{ParseError, Received, now_ms, parse_object, quota};
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
