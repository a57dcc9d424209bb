//! What becomes of a row, and how the host's own words are put.

use super::served::Served;
use crate::inbox::State;
use crate::message::Address;
use crate::message::Body;
use crate::message::Message;
use crate::message::Reply;
use crate::outbox::Post;
use crate::router::Handler;

/// What became of a row: committed as a whole.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) served: Served,
    pub(super) error: Option<String>,
    /// Somebody's rights were not enough.
    pub(super) refused: bool,
    pub(super) posts: Vec<Post>,
    /// It waits for the next host instead; `true`: its handler had begun, so that is another attempt.
    pub(super) requeue: Option<bool>,
}

impl Outcome {
    pub(super) fn new(state: State) -> Self {
        let (served, posts) = (Served::default(), Vec::new());
        Self { state, served, error: None, refused: false, posts, requeue: None }
    }

    pub(super) fn saying(message: &Message, text: String) -> Self {
        Self { posts: vec![say(message, text)], ..Self::new(State::Done) }
    }

    pub(super) fn by<I>(mut self, handler: &Handler<I>) -> Self {
        self.served.handler = Some(handler.title().to_owned());
        self
    }

    pub(super) fn denied(self, why: &dyn std::fmt::Display) -> Self {
        Self { error: Some(format!("denied: {why}")), refused: true, ..self }
    }
}

/// The host's own words, as plain text: they hold what people typed.
pub(super) fn say(message: &Message, text: String) -> Post {
    Post::Reply(Reply { to: Address::from(message), body: Body::Text { text }, at: Vec::new() })
}
