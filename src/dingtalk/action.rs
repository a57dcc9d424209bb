//! Clicks on cards.

use serde_json::{Map, Value};

use super::content::staff_id;
use super::inbound::{ParseError, Received, parse_object};
use super::lenient::{self, field};
use crate::message::{CardAction, ConversationId, Inbound};

/// Reads the callback of a card, which came with the delivery of this name. Anything but a click is ignored.
pub(super) fn read(data: &str, delivery: &str) -> Result<Received, ParseError> {
    let data = parse_object(data)?;
    if field(&data, "type").is_some_and(|kind| kind != "actionCallback") {
        return Ok(Received::Ignored);
    }
    let card_id = field(&data, "outTrackId").ok_or(ParseError::Missing("outTrackId"))?;
    let payload = ["content", "value"].iter().find_map(|name| {
        data.get(*name).and_then(lenient::object).filter(|payload| !payload.is_empty())
    });
    let payload = payload.unwrap_or_default();
    let private = payload.get("cardPrivateData").and_then(lenient::object).unwrap_or_default();
    let action_ids: Vec<String> = private
        .get("actionIds")
        .and_then(lenient::list)
        .map(|ids| ids.iter().filter_map(lenient::text).collect())
        .unwrap_or_default();
    // A documented variant has the parameters beside the private data.
    let params: Map<String, Value> = [&private, &payload]
        .iter()
        .find_map(|place| place.get("params").and_then(lenient::object))
        .unwrap_or_default();
    // 1 is a staff id, and what a card without the field has; 2 a union id, which is another name space.
    let is_staff_id = field(&data, "userIdType").is_none_or(|kind| kind == "1");
    let user = data.get("userId").and_then(staff_id).filter(|_| is_staff_id);
    // The data itself does not tell two clicks apart, so the delivery's id is part of the key.
    let id = [
        card_id.as_str(),
        user.as_ref().map_or("", |user| user.as_str()),
        &action_ids.join(","),
        delivery,
    ]
    .join("\u{1f}");
    Ok(Received::Inbound(Inbound::CardAction(CardAction {
        id,
        card_id,
        staff_id: user,
        corp_id: field(&data, "corpId"),
        conversation_id: field(&data, "spaceId").map(ConversationId::new),
        action_ids,
        params,
    })))
}
