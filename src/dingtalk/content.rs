//! The content of a message by kind: what the person wrote, what is attached, and what was only passed on.

use serde_json::{Map, Value};

use super::lenient::{self, field};
use crate::message::{File, Kind, Mention, Quoted, StaffId};

/// Content as far as it could be read; an element of unknown shape is skipped, its neighbours stay.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) files: Vec<File>,
    /// People mentioned inside of rich text.
    pub(super) mentions: Vec<Mention>,
    /// Something forwarded. The sender did not write it, so it is context like a quote and never a command.
    pub(super) forwarded: Option<String>,
}

impl Content {
    fn new(kind: Kind) -> Self {
        Self { kind, text: String::new(), files: Vec::new(), mentions: Vec::new(), forwarded: None }
    }

    fn forwarded(kind: Kind, text: String) -> Self {
        Self { forwarded: Some(text), ..Self::new(kind) }
    }

    /// The forwarded part as the shape that scripts know for other people's words.
    pub(super) fn take_forwarded(&mut self) -> Option<Quoted> {
        let text = self.forwarded.take().filter(|text| !text.is_empty())?;
        Some(Quoted {
            id: None,
            kind: self.kind,
            text: tidy(&text),
            files: Vec::new(),
            from_bot: false,
        })
    }
}

/// Reads the content of `message`, whose `msgtype` may be missing or new.
pub(super) fn read(message: &Map<String, Value>) -> Content {
    let part = |name: &str| message.get(name).and_then(lenient::object).unwrap_or_default();
    let kind = field(message, "msgtype").unwrap_or_default();
    let mut content = part("content");
    match kind.as_str() {
        "text" | "reply" => {
            let text = field(&part("text"), "content")
                .or_else(|| message.get("text").and_then(plain_string))
                .or_else(|| field(&content, "text"))
                .or_else(|| field(&content, "content"))
                .or_else(|| message.get("content").and_then(plain_string));
            Content { text: text.unwrap_or_default(), ..Content::new(Kind::Text) }
        }
        "richText" => rich_text(&content),
        "picture" | "image" => attachment(Kind::Picture, &content),
        "audio" | "voice" => Content {
            text: field(&content, "recognition").unwrap_or_default(),
            ..attachment(Kind::Audio, &content)
        },
        "video" => attachment(Kind::Video, &content),
        "file" => attachment(Kind::File, &content),
        "markdown" | "link" => {
            let text = field(&content, "text").or_else(|| field(&part("text"), "content"));
            Content::forwarded(
                Kind::Card,
                text.or_else(|| field(&content, "title")).unwrap_or_default(),
            )
        }
        "actionCard" => Content::forwarded(Kind::Card, action_card(&content)),
        "interactiveCard" => Content::forwarded(
            Kind::Card,
            field(&content, "biz_custom_action_url").unwrap_or_default(),
        ),
        "chatRecord" => Content::forwarded(Kind::ChatRecord, chat_record(&mut content)),
        _ => Content::new(Kind::Unknown),
    }
}

/// A string that is text itself, not an object sent as text.
fn plain_string(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| lenient::object(value).is_none() && !text.is_empty())
        .map(str::to_owned)
}

fn attachment(kind: Kind, content: &Map<String, Value>) -> Content {
    Content { files: file(kind, content).into_iter().collect(), ..Content::new(kind) }
}

/// The file that `element` describes, if it can be fetched at all.
pub(super) fn file(kind: Kind, element: &Map<String, Value>) -> Option<File> {
    let picture = field(element, "pictureDownloadCode");
    let (download_code, fallback_code) = match field(element, "downloadCode") {
        Some(code) => (code, picture),
        None => (picture?, None),
    };
    Some(File {
        kind,
        download_code,
        fallback_code,
        name: field(element, "fileName"),
        duration: element.get("duration").and_then(lenient::number),
    })
}

fn rich_text(content: &Map<String, Value>) -> Content {
    let elements = content.get("richText").or_else(|| content.get("richTextList"));
    let mut read = Content::new(Kind::RichText);
    for element in elements.and_then(lenient::list).unwrap_or_default() {
        if let Value::Object(element) = element {
            rich_element(&mut read, &element);
        }
    }
    read
}

/// Adds one element. Quotes spell the type `msgType` and the text `content`, messages `type` and `text`.
pub(super) fn rich_element(read: &mut Content, element: &Map<String, Value>) {
    let kind = field(element, "type").or_else(|| field(element, "msgType"));
    let text = field(element, "text").or_else(|| field(element, "content"));
    match kind.as_deref() {
        None | Some("text" | "emoji") => read.text.push_str(&text.unwrap_or_default()),
        Some("at") => {
            if let Some(name) = field(element, "atName") {
                read.text.extend(["@", name.trim_start_matches('@'), " "]);
            }
            if let Some(id) = element.get("atUserId").and_then(staff_id) {
                read.mentions.push(Mention {
                    staff_id: Some(id),
                    opaque_id: String::new(),
                    is_bot: false,
                });
            }
        }
        Some("picture" | "image") => read.files.extend(file(Kind::Picture, element)),
        Some("video") => read.files.extend(file(Kind::Video, element)),
        Some("audio" | "voice") => read.files.extend(file(Kind::Audio, element)),
        Some("file") => read.files.extend(file(Kind::File, element)),
        Some(_) => {}
    }
}

fn action_card(content: &Map<String, Value>) -> String {
    let mut lines = Vec::new();
    let text = field(content, "text");
    // The text usually repeats the title as its heading.
    lines.extend(
        field(content, "title")
            .filter(|title| text.as_ref().is_none_or(|text| !text.contains(title.as_str()))),
    );
    lines.extend(text);
    for action in content.get("actionUrlItemList").and_then(lenient::list).unwrap_or_default() {
        lines.extend(action.get("actionUrl").and_then(lenient::text));
    }
    lines.join("\n")
}

fn chat_record(content: &mut Map<String, Value>) -> String {
    let records = ["chatRecord", "records", "messages"]
        .iter()
        .find_map(|name| content.remove(*name).as_ref().and_then(lenient::list))
        .unwrap_or_default();
    let lines: Vec<String> =
        records.iter().filter_map(Value::as_object).filter_map(record).collect();
    if lines.is_empty() {
        return field(content, "summary").or_else(|| field(content, "title")).unwrap_or_default();
    }
    lines.join("\n")
}

fn record(record: &Map<String, Value>) -> Option<String> {
    let text = record.get("content").or_else(|| record.get("text"))?;
    let text = match text {
        Value::Object(inner) => field(inner, "text").or_else(|| field(inner, "content"))?,
        other => lenient::text(other)?,
    };
    let nick = field(record, "senderNick").or_else(|| field(record, "senderName"));
    Some(nick.map_or_else(|| text.clone(), |nick| format!("{nick}: {text}")))
}

/// Longer ids do not exist; whoever sends one gets no rights from it.
const MAX_ID_BYTES: usize = 256;

/// A staff id: only a string can be one, because rights hang on it.
pub(super) fn staff_id(value: &Value) -> Option<StaffId> {
    value.as_str().filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES).map(StaffId::new)
}

/// Folds Unicode's many spaces and line ends to the two that scripts expect, and trims.
pub(super) fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let folded: String = text
        .chars()
        .map(|c| match c {
            '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}' => ' ',
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            c => c,
        })
        .collect();
    // Invisible marks that some clients leave beside a mention.
    folded
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_of_all_kinds_become_plain_ones() {
        assert_eq!(tidy("\u{a0}\u{3000}sh\u{a0}ls\u{2003}-la \u{200b}"), "sh ls -la");
        assert_eq!(tidy("a\r\nb\u{2028}c"), "a\nb\nc");
        assert_eq!(tidy("two  spaces stay"), "two  spaces stay");
    }

    #[test]
    fn only_a_string_is_a_staff_id() {
        for none in ["null", "7", "[]", "{}", "\"\"", "true"] {
            assert_eq!(staff_id(&serde_json::from_str(none).unwrap()), None, "{none}");
        }
        assert_eq!(staff_id(&Value::from("x".repeat(10_000))), None);
        assert_eq!(
            staff_id(&Value::from(" manager")).unwrap().as_str(),
            " manager",
            "ids are not trimmed"
        );
    }
}
