//! What people see of the simulated organisation: the JSON of the page API, and what tests look at.
//!
//! Plain data with public fields. The page, the control API and [`super::Sim`] all speak these types, so a field that
//! changes here changes for all three at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Map;
use serde_json::Value;

use super::faults::ActiveFaults;

/// Everything at one moment: `GET /sim/api/state`, and the first event of `GET /sim/api/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub bot: Bot,
    pub people: Vec<Person>,
    pub chats: Vec<Chat>,
    pub messages: Vec<Message>,
    pub cards: Vec<Card>,
    pub faults: ActiveFaults,
    pub counters: Counters,
}

impl State {
    /// Returns what the bot posted into a chat, oldest first; a card counts with the text it shows now.
    pub fn replies(&self, chat: &str) -> Vec<&str> {
        self.messages
            .iter()
            .filter(|message| message.chat == chat && message.from == BOT)
            .map(|message| {
                let card = message
                    .card
                    .as_ref()
                    .and_then(|id| self.cards.iter().find(|card| card.id == *id));
                card.map_or(message.text.as_str(), |card| card.text.as_str())
            })
            .collect()
    }

    /// Returns the card with this `outTrackId`.
    pub fn card(&self, id: &str) -> Option<&Card> {
        self.cards.iter().find(|card| card.id == id)
    }
}

/// `from` of everything that the bot says.
pub const BOT: &str = "bot";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bot {
    pub name: String,
    pub client_id: String,
    /// Whether a stream connection that takes bot messages is open; in HTTP mode, whether the last call found somebody.
    pub connected: bool,
    /// Stream connections that are open, whatever they take.
    #[serde(default)]
    pub connections: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub staff_id: String,
    pub nick: String,
    /// What this person is good for when trying things out: `owner`, `member`, `external`.
    pub role_hint: String,
    /// CSS colour of the avatar.
    pub color: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    pub id: String,
    pub kind: ChatKind,
    pub title: String,
    pub members: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    Dm,
    Group,
}

/// One message in a chat, of a person or of the bot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub chat: String,
    /// A staff id, or [`BOT`].
    pub from: String,
    pub at_ms: i64,
    pub kind: MessageKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// As it was written: plain text, or Markdown source.
    pub text: String,
    /// The same, rendered and sanitised: safe to put into a page.
    pub html: String,
    pub at: Vec<String>,
    pub files: Vec<File>,
    /// `outTrackId` of the card that this message shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    #[serde(default)]
    pub recalled: bool,
    pub reactions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    Text,
    Markdown,
    RichText,
    Picture,
    File,
    Card,
    ActionCard,
    Link,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    pub size: usize,
    /// On this server, with its own key: usable in `<img src>` as it is.
    pub url: String,
    pub picture: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub id: String,
    pub from: String,
    pub text: String,
}

/// An interactive card as a client of DingTalk would show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// `outTrackId`.
    pub id: String,
    /// The first chat it was delivered to; empty until then.
    pub chat: String,
    pub template: String,
    pub state: CardState,
    pub text: String,
    pub html: String,
    /// The public variables.
    pub params: BTreeMap<String, String>,
    pub buttons: Vec<Button>,
    pub updated_ms: i64,
    /// Calls that touched this card, creation included.
    pub calls: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardState {
    Processing,
    Inputing,
    Finished,
    Failed,
}

impl CardState {
    /// Whether the card has come to an end; the others spin for ever in front of the reader.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// The action id that a click sends.
    pub id: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Parameters that a click sends.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

/// One line of the wire log: a frame, an acknowledgement, a call or its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wire {
    /// Counts up from 1; a gap means that older lines were dropped.
    pub seq: u64,
    pub at_ms: i64,
    pub dir: Direction,
    pub kind: WireKind,
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub body: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the bot.
    In,
    /// To the bot.
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireKind {
    Frame,
    Ack,
    Http,
}

/// What the free plan would have been charged for, and what went wrong so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Calls that count against the monthly budget: all but tokens and connections.
    pub api_calls: u64,
    /// Frames pushed to the bot, against the other monthly budget.
    pub pushes: u64,
    pub acks: u64,
    /// Answers on the socket that DingTalk would not understand; the wire log says why.
    pub bad_acks: u64,
    pub redelivered: u64,
    pub dropped: u64,
    pub connections_opened: u64,
    pub tokens_issued: u64,
    pub throttled: u64,
    /// Calls by `METHOD path`, whatever the answer was.
    pub calls: BTreeMap<String, u64>,
}

/// A live change: the event name and data of `GET /sim/api/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Change {
    Message(Message),
    Card(Card),
    Wire(Wire),
    Connection(Bot),
    /// Boxed: it is the largest by far, and the rarest.
    State(Box<State>),
}

impl Change {
    /// Returns the name of the server-sent event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Card(_) => "card",
            Self::Wire(_) => "wire",
            Self::Connection(_) => "connection",
            Self::State(_) => "state",
        }
    }
}
