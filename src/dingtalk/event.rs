//! Events of the organisation.

use super::frame::Frame;
use super::inbound::{ParseError, Received, now_ms, parse_object, quota};
use crate::message::{Event, Inbound};

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
