//! What the bot puts into a chat, whichever way it came.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::call::text;
use super::files::StoredFile;
use super::messages::StoredMessage;
use super::messages::new_message_id;
use super::now_ms;
use super::people::direct_chat;
use super::render;
use super::view;
use super::view::MessageKind;
use super::world::World;

/// A message of the bot, before it has an id.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) kind: MessageKind,
    pub(super) title: Option<String>,
    pub(super) text: String,
    pub(super) at: Vec<String>,
    pub(super) files: Vec<StoredFile>,
    pub(super) card: Option<String>,
}

impl Post {
    pub(super) fn new(kind: MessageKind, title: Option<&str>, text: impl Into<String>) -> Self {
        Self {
            kind,
            title: title.map(str::to_owned),
            text: text.into(),
            at: Vec::new(),
            files: Vec::new(),
            card: None,
        }
    }

    /// The title and Markdown of a card with links for buttons.
    pub(super) fn action_card(card: &Map<String, Value>, buttons: &[(String, String)]) -> Self {
        let mut body = text(card, "text").unwrap_or_default().to_owned();
        for (title, url) in buttons {
            body.push_str("\n\n[");
            body.push_str(title);
            body.push_str("](");
            body.push_str(url);
            body.push(')');
        }
        Self::new(MessageKind::ActionCard, text(card, "title"), body)
    }

    pub(super) fn link(title: &str, body: &str, url: &str) -> Self {
        Self::new(MessageKind::Link, Some(title), format!("**[{title}]({url})**\n\n{body}"))
    }
}

impl World {
    /// Shows a message of the bot in a chat.
    pub(super) fn post(&mut self, chat: &str, post: Post, query_key: Option<String>) -> String {
        let id = new_message_id();
        let html = match post.kind {
            MessageKind::Text | MessageKind::File | MessageKind::Picture => {
                render::plain(&post.text)
            }
            _ => render::markdown(&post.text, &self.files.media_urls()),
        };
        let is_card = post.kind == MessageKind::Card;
        self.add_message(StoredMessage {
            quoted_type: if is_card { "interactiveCard" } else { "text" },
            quoted_content: json!({ "text": post.text }),
            query_key,
            view: view::Message {
                id: id.clone(),
                chat: chat.to_owned(),
                from: view::BOT.to_owned(),
                at_ms: now_ms(),
                kind: post.kind,
                title: post.title,
                html,
                text: post.text,
                at: post.at,
                files: post.files.iter().map(StoredFile::view).collect(),
                card: post.card,
                quote: None,
                recalled: false,
                reactions: Vec::new(),
            },
        });
        id
    }

    /// The chat behind a space of a card: `IM_GROUP` with a conversation, `IM_ROBOT` with a person.
    pub(super) fn space_chat(
        &self,
        space_type: &str,
        id: &str,
        user_id_type: i64,
    ) -> Option<String> {
        match space_type {
            "IM_GROUP" => self.organisation.group(id).map(|chat| chat.id.clone()),
            "ONE_BOX" => self.organisation.chat(id).map(|chat| chat.id.clone()),
            "IM_ROBOT" => self
                .organisation
                .person_by(id, user_id_type)
                .map(|person| direct_chat(&person.staff_id)),
            _ => None,
        }
    }

    /// Who is mentioned: asked for *and* marked in the text, else the client shows nothing.
    pub(super) fn mentioned_by_bot(
        &self,
        chat: &str,
        body: &Map<String, Value>,
        shown: &str,
    ) -> Vec<String> {
        let Some(at) = body.get("at").and_then(Value::as_object) else { return Vec::new() };
        let members =
            self.organisation.chat(chat).map(|chat| chat.members.clone()).unwrap_or_default();
        if at.get("isAtAll").and_then(Value::as_bool) == Some(true) {
            return members;
        }
        let asked = super::call::texts(at, "atUserIds");
        asked
            .into_iter()
            .filter(|id| members.contains(id) && shown.contains(&format!("@{id}")))
            .collect()
    }
}
