//! The nouns that every stage shares: what came in, who sent it, where, and the ids of it all.
//!
//! Plain data, already normalised: DingTalk's spellings, its JSON and its oddities stop at `dingtalk/`.
//! Everything here is stored as JSON in the inbox, so fields are added with `#[serde(default)]` and never change
//! their meaning: a newer binary reads what an older one wrote.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

id! {
    /// DingTalk's id of a message (`msgId`): the same in every redelivery, so the key of de-duplication.
    MessageId
}
id! {
    /// Id of a chat, direct or group. Case-sensitive: compared byte by byte, never lower-cased.
    ConversationId
}
id! {
    /// A person's id inside the organisation (`senderStaffId`, `userId`): the only id that rights are given to.
    StaffId
}

/// What a transport delivers and the inbox keeps.
#[expect(clippy::large_enum_variant, reason = "messages are the rule, and each lives once")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Inbound {
    Message(Message),
    CardAction(CardAction),
    Event(Event),
}

/// A message that a person sent to the bot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub chat: Chat,
    pub sender: Person,
    pub kind: Kind,
    /// What the person typed or said: mention of the bot removed, Unicode spaces folded, trimmed. May be empty.
    pub text: String,
    #[serde(default)]
    pub files: Vec<File>,
    #[serde(default)]
    pub mentions: Vec<Mention>,
    #[serde(default)]
    pub quoted: Option<Quoted>,
    /// The robot that was addressed; sends and downloads must name the same one.
    #[serde(default)]
    pub robot_code: Option<String>,
    /// Unix time in milliseconds, by DingTalk's clock.
    pub sent_at_ms: i64,
    #[serde(default)]
    pub webhook: Option<Webhook>,
}

impl Message {
    /// The order key: one person in one conversation. Messages of a lane run one after another.
    pub fn lane(&self) -> String {
        format!("{}\u{1f}{}", self.chat.id, self.sender.key())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    pub id: ConversationId,
    pub kind: ChatKind,
    /// Only groups have one.
    #[serde(default)]
    pub title: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    Direct,
    Group,
}

impl ChatKind {
    /// The name that scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "dm",
            Self::Group => "group",
        }
    }
}

/// The sender of a message, as far as DingTalk tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Absent for people outside the organisation, and for everybody until the app is published.
    #[serde(default)]
    pub staff_id: Option<StaffId>,
    /// Encrypted, always present; good for comparing, never for sending.
    pub opaque_id: String,
    /// Free text that the person chose: for display, never an identity.
    #[serde(default)]
    pub nick: String,
    /// Whether the sender belongs to the organisation of the bot (`senderCorpId == chatbotCorpId`).
    #[serde(default)]
    pub same_org: bool,
    /// The sender's organisation (`senderCorpId`); absent for people outside, and for whom the host names itself.
    #[serde(default)]
    pub corp_id: Option<String>,
}

impl Person {
    /// A stable key for ordering and rate limits, whether or not there is a staff id.
    pub fn key(&self) -> &str {
        self.staff_id.as_ref().map_or(self.opaque_id.as_str(), StaffId::as_str)
    }
}

/// What kind of content a message holds, by the name that scripts see in `ctx.message.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    RichText,
    Picture,
    Audio,
    Video,
    File,
    Card,
    ChatRecord,
    Unknown,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::RichText => "rich_text",
            Self::Picture => "picture",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
            Self::Card => "card",
            Self::ChatRecord => "chat_record",
            Self::Unknown => "unknown",
        }
    }
}

/// Something attached to a message. It is fetched by its code, and only through the robot that received it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub kind: Kind,
    pub download_code: String,
    /// Pictures have a second code, to try when the first fails.
    #[serde(default)]
    pub fallback_code: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    /// As sent; DingTalk's sources disagree on the unit, so a hint at most.
    #[serde(default)]
    pub duration: Option<f64>,
}

/// Somebody mentioned beside the bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    #[serde(default)]
    pub staff_id: Option<StaffId>,
    pub opaque_id: String,
    /// Whether this is the bot itself.
    #[serde(default)]
    pub is_bot: bool,
}

/// The message that was replied to. Its text is somebody else's: context, never a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quoted {
    #[serde(default)]
    pub id: Option<MessageId>,
    pub kind: Kind,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub files: Vec<File>,
    #[serde(default)]
    pub from_bot: bool,
}

/// A capability to answer in the chat that a message came from: whoever has the URL can post, so it is never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub url: String,
    pub expires_at_ms: i64,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &"***")
            .field("expires_at_ms", &self.expires_at_ms)
            .finish()
    }
}

/// A click on a button of a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardAction {
    /// Id of this click: the same in every redelivery.
    pub id: String,
    pub card_id: String,
    /// Absent where DingTalk names the person by another kind of id (`userIdType`).
    pub staff_id: Option<StaffId>,
    /// The organisation of whoever clicked (`corpId`).
    #[serde(default)]
    pub corp_id: Option<String>,
    pub conversation_id: Option<ConversationId>,
    pub action_ids: Vec<String>,
    #[serde(default)]
    pub params: serde_json::Map<String, serde_json::Value>,
}

/// Something that happened in the organisation (a person joined, a message was read).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    /// DingTalk's event type, such as `user_add_org`.
    pub kind: String,
    pub born_at_ms: i64,
    pub data: serde_json::Value,
}

/// Where a reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub conversation_id: ConversationId,
    pub kind: ChatKind,
    /// In a direct chat, the person to send to once the webhook has expired.
    #[serde(default)]
    pub staff_id: Option<StaffId>,
    #[serde(default)]
    pub robot_code: Option<String>,
    #[serde(default)]
    pub webhook: Option<Webhook>,
}

/// Begins the lane of the host's own notices in the outbox; no conversation of DingTalk's is called so.
pub const NOTICES: &str = "owner:";

impl Address {
    /// For what the host itself has to tell the owner. Sent by the staff id, in a lane of its own; it goes out even when
    /// nothing else may.
    pub fn notice(owner: &StaffId) -> Self {
        Self {
            conversation_id: ConversationId::new(format!("{NOTICES}{owner}")),
            kind: ChatKind::Direct,
            staff_id: Some(owner.clone()),
            robot_code: None,
            webhook: None,
        }
    }

    /// Whether it is one from [`Address::notice`].
    pub fn is_notice(&self) -> bool {
        self.conversation_id.as_str().starts_with(NOTICES)
    }
}

impl From<&Message> for Address {
    fn from(message: &Message) -> Self {
        Self {
            conversation_id: message.chat.id.clone(),
            kind: message.chat.kind,
            staff_id: message.sender.staff_id.clone(),
            robot_code: message.robot_code.clone(),
            webhook: message.webhook.clone(),
        }
    }
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum Body {
    Text {
        text: String,
    },
    Markdown {
        title: String,
        text: String,
    },
    /// A file that was uploaded; only the robot can send it, no webhook.
    File {
        media_id: String,
        name: String,
    },
    /// A picture that was uploaded; as a file.
    Image {
        media_id: String,
    },
}

impl Body {
    /// Whether a webhook can carry it.
    pub fn fits_webhook(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Markdown { .. })
    }
}

/// One reply on its way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub to: Address,
    pub body: Body,
    /// People to mention. Only a webhook can mention; elsewhere the names stay plain text.
    #[serde(default)]
    pub at: Vec<StaffId>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_a_form_are_kept_to_their_last_digit() {
        for number in [
            "12345678901234567890123",
            "123456789012345678901234567890.5",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e308",
            "-18446744073709551616",
        ] {
            let data: serde_json::Value = serde_json::from_str(number).unwrap();
            let event = Event {
                id: "1".to_owned(),
                kind: "x".to_owned(),
                born_at_ms: 0,
                data: json!([data]),
            };
            let inbound = Inbound::Event(event);
            let kept = serde_json::to_string(&inbound).unwrap();
            assert_eq!(serde_json::from_str::<Inbound>(&kept).unwrap(), inbound, "{number}");
        }
    }
}
