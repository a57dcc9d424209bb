//! From a frame's data to the host's nouns.
//!
//! Only three fields must be there: the ids of message and conversation, and the conversation's type. Everything else
//! may be missing, new or of another type, and then costs that field alone.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::content::{self, staff_id, tidy};
use super::frame::{Frame, Topic};
use super::lenient::{self, field, integer};
use super::{action, event, quote};
use crate::message::{
    Chat, ChatKind, ConversationId, Inbound, Mention, Message, MessageId, Person, Webhook,
};

/// How long webhooks live in every public sample, for the message that does not say.
const WEBHOOK_LIFETIME_MS: i64 = 90 * 60 * 1000;

/// What a frame turned out to carry.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "moved once, from the parser into the inbox")]
pub enum Received {
    /// Work for the inbox.
    Inbound(Inbound),
    /// The bot's own message, which is nobody's command.
    Own,
    /// The organisation's quota of pushes is used up; there is nothing inside, but the operator must know.
    QuotaExhausted { message: String },
    /// A callback of a card that is not a click.
    Ignored,
}

/// Why data could not be read. It holds nothing of the content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the data is not a JSON object")]
    NotAnObject,
    #[error("the field `{0}` is missing or empty")]
    Missing(&'static str),
    #[error("the field `{field}` is `{found}`; expected {expected}")]
    Unexpected { field: &'static str, found: String, expected: &'static str },
}

/// Reads the data of a business frame.
///
/// # Errors
/// [`ParseError`] when it cannot be told what happened or where.
pub fn receive(frame: &Frame) -> Result<Received, ParseError> {
    match frame.topic() {
        Topic::Robot => robot_message(&frame.data),
        Topic::Card => action::read(&frame.data, frame.headers.message_id().unwrap_or_default()),
        Topic::Event => event::read(frame),
        Topic::Ping | Topic::Disconnect | Topic::Notice | Topic::Unknown => Ok(Received::Ignored),
    }
}

/// Parses JSON text that should be an object.
pub(super) fn parse_object(data: &str) -> Result<Map<String, Value>, ParseError> {
    serde_json::from_str(data).map_err(|_| ParseError::NotAnObject)
}

/// `errorCode` 20001: an envelope without content.
pub(super) fn quota(object: &Map<String, Value>, code: &str, message: &str) -> Option<Received> {
    (field(object, code).as_deref() == Some("20001"))
        .then(|| Received::QuotaExhausted { message: field(object, message).unwrap_or_default() })
}

/// Reads a robot message, as the Stream and the HTTP callback both bring it.
///
/// # Errors
/// [`ParseError`] when a field that must be there is not.
pub fn robot_message(data: &str) -> Result<Received, ParseError> {
    let message = parse_object(data)?;
    if let Some(quota) = quota(&message, "errorCode", "errorMessage") {
        return Ok(quota);
    }
    let need = |name: &'static str| field(&message, name).ok_or(ParseError::Missing(name));
    let id = MessageId::new(need("msgId")?);
    let conversation = ConversationId::new(need("conversationId")?);
    let kind = match need("conversationType")?.as_str() {
        "1" => ChatKind::Direct,
        "2" => ChatKind::Group,
        other => {
            let found = other.chars().take(20).collect();
            return Err(ParseError::Unexpected {
                field: "conversationType",
                found,
                expected: "`1` or `2`",
            });
        }
    };
    let sender = person(&message);
    let bot = field(&message, "chatbotUserId");
    if !sender.opaque_id.is_empty() && bot.as_deref() == Some(sender.opaque_id.as_str()) {
        return Ok(Received::Own);
    }

    let mut content = content::read(&message);
    let mut mentions = mentions(&message, bot.as_deref());
    for inside in std::mem::take(&mut content.mentions) {
        if !mentions.iter().any(|known| known.staff_id == inside.staff_id) {
            mentions.push(inside);
        }
    }
    let mut text = tidy(&content.text);
    if kind == ChatKind::Group && content.kind == crate::message::Kind::RichText {
        text = without_leading_mention(&text);
    }
    let sent_at_ms = message.get("createAt").and_then(integer).unwrap_or_else(now_ms);
    Ok(Received::Inbound(Inbound::Message(Message {
        id,
        chat: Chat { id: conversation, kind, title: field(&message, "conversationTitle") },
        sender,
        kind: content.kind,
        text,
        mentions,
        quoted: quote::read(&message).or_else(|| content.take_forwarded()),
        files: content.files,
        robot_code: field(&message, "robotCode"),
        sent_at_ms,
        webhook: webhook(&message, sent_at_ms),
    })))
}

fn person(message: &Map<String, Value>) -> Person {
    let corp = field(message, "senderCorpId");
    Person {
        staff_id: message.get("senderStaffId").and_then(staff_id),
        opaque_id: field(message, "senderId").unwrap_or_default(),
        nick: field(message, "senderNick").unwrap_or_default(),
        same_org: corp.is_some() && corp == field(message, "chatbotCorpId"),
        corp_id: corp,
    }
}

fn mentions(message: &Map<String, Value>, bot: Option<&str>) -> Vec<Mention> {
    let users = message.get("atUsers").and_then(lenient::list).unwrap_or_default();
    users
        .iter()
        .filter_map(Value::as_object)
        .filter_map(|user| {
            let opaque_id = field(user, "dingtalkId")?;
            let is_bot = bot == Some(opaque_id.as_str());
            Some(Mention { staff_id: user.get("staffId").and_then(staff_id), opaque_id, is_bot })
        })
        .collect()
}

fn webhook(message: &Map<String, Value>, sent_at_ms: i64) -> Option<Webhook> {
    let url = message.get("sessionWebhook")?.as_str().filter(|url| !url.is_empty())?.to_owned();
    let expires_at_ms = message
        .get("sessionWebhookExpiredTime")
        .and_then(integer)
        .unwrap_or_else(|| sent_at_ms.saturating_add(WEBHOOK_LIFETIME_MS));
    Some(Webhook { url, expires_at_ms })
}

/// In text the server removes mentions; in rich text the one that addresses the bot can stay in front as `@name`.
fn without_leading_mention(text: &str) -> String {
    let Some(rest) = text.strip_prefix('@') else { return text.to_owned() };
    rest.split_once(char::is_whitespace)
        .map_or_else(String::new, |(_, rest)| rest.trim_start().to_owned())
}

pub(super) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
