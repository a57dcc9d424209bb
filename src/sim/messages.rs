//! What was said: messages of people and of the bot, and the session webhooks that answer them.

use std::collections::HashMap;
use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

use super::now_ms;
use super::view::Message;

#[derive(Debug)]
pub(super) struct StoredMessage {
    pub(super) view: Message,
    /// Handle of a message that the bot sent through the robot API or as a card; webhooks give none.
    pub(super) query_key: Option<String>,
    /// `content` of this message when it is quoted, in the shape of protocol C.5.
    pub(super) quoted_type: &'static str,
    pub(super) quoted_content: Value,
}

#[derive(Debug)]
pub(super) struct Messages {
    list: VecDeque<StoredMessage>,
    sessions: HashMap<String, Session>,
    capacity: usize,
}

#[derive(Clone, Debug)]
struct Session {
    chat: String,
    expires_ms: i64,
}

impl Messages {
    pub(super) fn new(capacity: usize) -> Self {
        Self { list: VecDeque::new(), sessions: HashMap::new(), capacity: capacity.max(1) }
    }

    pub(super) fn push(&mut self, message: StoredMessage) {
        if self.list.len() >= self.capacity {
            self.list.pop_front();
        }
        self.list.push_back(message);
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &StoredMessage> {
        self.list.iter()
    }

    // The newest is the one that is asked for.
    pub(super) fn get(&self, id: &str) -> Option<&StoredMessage> {
        self.list.iter().rev().find(|message| message.view.id == id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut StoredMessage> {
        self.list.iter_mut().rev().find(|message| message.view.id == id)
    }

    pub(super) fn by_query_key<'a>(
        &'a mut self,
        key: &'a str,
    ) -> impl Iterator<Item = &'a mut StoredMessage> {
        self.list.iter_mut().filter(move |message| message.query_key.as_deref() == Some(key))
    }

    pub(super) fn open_session(&mut self, chat: &str, lifetime_ms: i64) -> (String, i64) {
        let now = now_ms();
        if self.sessions.len() >= self.capacity {
            self.sessions.retain(|_, session| session.expires_ms > now);
        }
        let session = Uuid::new_v4().simple().to_string();
        let expires_ms = now + lifetime_ms;
        self.sessions.insert(session.clone(), Session { chat: chat.to_owned(), expires_ms });
        (session, expires_ms)
    }

    /// The chat that a webhook posts to; `None` once it has expired.
    pub(super) fn session_chat(&self, session: &str) -> Option<&str> {
        let session = self.sessions.get(session)?;
        (session.expires_ms > now_ms()).then_some(session.chat.as_str())
    }

    pub(super) fn expire_sessions(&mut self) {
        self.sessions.clear();
    }
}

pub(super) fn new_message_id() -> String {
    format!("msg{}", STANDARD.encode(Uuid::new_v4().as_bytes()))
}

pub(super) fn new_query_key() -> String {
    STANDARD.encode(Uuid::new_v4().simple().to_string())
}
