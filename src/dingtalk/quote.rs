//! The message that was replied to: found in four shapes, all optional. A broken quote never costs the message.

use serde_json::{Map, Value};

use super::content::{self, Content, tidy};
use super::lenient::{self, field};
use crate::message::{Kind, MessageId, Quoted};

/// Reads what `message` replies to.
pub(super) fn read(message: &Map<String, Value>) -> Option<Quoted> {
    let bot = field(message, "chatbotUserId");
    // Text messages carry the quote under `text`, rich text under `content`.
    let places: Vec<Map<String, Value>> = ["text", "content"]
        .iter()
        .filter_map(|name| message.get(*name).and_then(lenient::object))
        .collect();
    let replied = places.iter().find_map(|place| place.get("repliedMsg").and_then(lenient::object));
    let is_reply =
        places.iter().any(|place| place.get("isReplyMsg").and_then(lenient::boolean) == Some(true));
    let original = field(message, "originalMsgId").map(MessageId::new);
    if let Some(replied) = replied {
        let mut quoted = quoted(&replied, bot.as_deref());
        quoted.id = quoted.id.or(original);
        return Some(quoted);
    }
    if is_reply {
        // Quotes of rich media come without their content. The id alone, without the flag, is a thread's coordinate.
        return Some(Quoted { id: original, ..empty(Kind::Unknown) });
    }
    message
        .get("quoteMessage")
        .and_then(lenient::object)
        .map(|legacy| quoted(&legacy, bot.as_deref()))
}

fn empty(kind: Kind) -> Quoted {
    Quoted { id: None, kind, text: String::new(), files: Vec::new(), from_bot: false }
}

fn quoted(replied: &Map<String, Value>, bot: Option<&str>) -> Quoted {
    let sender = field(replied, "senderId");
    let content = quoted_content(replied);
    Quoted {
        id: field(replied, "msgId").map(MessageId::new),
        kind: content.kind,
        text: tidy(&content.text),
        files: content.files,
        from_bot: sender.is_some() && sender.as_deref() == bot,
    }
}

fn quoted_content(replied: &Map<String, Value>) -> Content {
    let kind = field(replied, "msgType").or_else(|| field(replied, "msgtype"));
    // The shapes are those of messages, with other names for the kind and the text's place.
    let mut message = replied.clone();
    message.insert("msgtype".to_owned(), kind.clone().unwrap_or_else(|| "text".to_owned()).into());
    let mut read = content::read(&message);
    if let Some(forwarded) = read.forwarded.take() {
        read.text = forwarded;
    }
    if kind.as_deref() == Some("interactiveCard") {
        let content = replied.get("content").and_then(lenient::object).unwrap_or_default();
        let text = card_text(&content);
        if !text.is_empty() {
            read.text = text;
        }
    }
    read
}

/// The words of a quoted card: runs of text and links, without its layout.
fn card_text(content: &Map<String, Value>) -> String {
    let mut blocks = Vec::new();
    for element in content.get("cardContent").and_then(lenient::list).unwrap_or_default() {
        let mut block = String::new();
        for child in element.get("children").and_then(lenient::list).unwrap_or_default() {
            let kind = child.get("elementType").and_then(Value::as_str).unwrap_or_default();
            if matches!(kind, "TEXT" | "LINK") {
                block.push_str(&child.get("value").and_then(lenient::text).unwrap_or_default());
            }
        }
        if !block.is_empty() {
            blocks.push(block);
        }
    }
    if blocks.is_empty() {
        let data = content.get("cardData").and_then(lenient::object).unwrap_or_default();
        let variables = data.get("cardParamMap").and_then(lenient::object).unwrap_or_default();
        return field(&variables, "content").unwrap_or_default();
    }
    blocks.join("\n")
}
