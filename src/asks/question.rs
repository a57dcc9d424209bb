//! What a question is: asked of whom, where, until when; how it is answered, and how it ends.

use super::table::Past;
use crate::message::Chat;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::StaffId;
use crate::words::Lang;

/// What a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ask,
    Choose,
    Confirm,
    /// Something exact is to be allowed.
    Approve,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Choose => "choose",
            Self::Confirm => "confirm",
            Self::Approve => "approve",
        }
    }
}

/// Where an answer may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One group.
    Group(ConversationId),
    /// The direct chat of one person with the bot.
    With(StaffId),
}

impl Place {
    /// Whether `person`, writing in `chat`, is there.
    pub(super) fn holds(&self, chat: &Chat, person: &StaffId) -> bool {
        match self {
            Self::Group(id) => chat.kind == ChatKind::Group && *id == chat.id,
            Self::With(one) => chat.kind == ChatKind::Direct && one == person,
        }
    }

    /// Whether a click of `person`, said to have been made in `chat`, is from there. Of a direct chat a callback does not
    /// tell reliably which it is; but nobody else is in it. One that names no chat is from no group.
    pub fn is_of(&self, chat: Option<&ConversationId>, person: &StaffId) -> bool {
        match self {
            Self::Group(id) => chat == Some(id),
            Self::With(one) => one == person,
        }
    }
}

/// What is asked, of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub run: String,
    pub kind: Kind,
    /// In a line.
    pub question: String,
    pub lang: Lang,
    /// Whoever's run it is.
    pub asker: StaffId,
    pub place: Place,
    /// The role of those who decide, and then never the asker; `None`: whoever asked.
    pub approvers: Option<String>,
    /// Of all that it is bound to, as hexadecimal digits.
    pub digest: String,
    pub until_ms: i64,
    /// How many answers have a button.
    pub buttons: usize,
}

/// A question that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub id: String,
    pub ask: Ask,
    pub code: String,
    /// The card that has its buttons, once there is one.
    pub card: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This one of the answers, counted from 0.
    Choice { index: usize, by: StaffId, name: String },
    /// Whoever asked wants it no more.
    Withdrawn,
    /// The script is not the one any more that asked.
    Changed,
}

/// How a question ended, on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Answered,
    Allowed,
    Refused,
    Expired,
    Withdrawn,
    Lost,
}

impl Ended {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Lost => "lost",
        }
    }
}

/// What a button or a number belongs to.
#[derive(Clone, Debug)]
pub enum Found {
    /// A question that waits, and which of its answers.
    Waits(Waiting, usize),
    /// One that waits, but was asked in another chat, or on other buttons.
    Elsewhere(Waiting),
    /// One that has ended.
    Over(Past),
    Nothing,
}
