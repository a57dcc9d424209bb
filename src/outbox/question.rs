//! Cards that ask: their buttons, and what is said where no card can be shown.
//!
//! The words say how to answer without a button, so that a question is heard whatever DingTalk does to its card.

use super::card::{About, Card};
use super::deliver::{Sender, Template};
use super::{Outbox, Post};
use crate::config::Attach;
use crate::dingtalk;
use crate::dingtalk::ApiError;
use crate::dingtalk::Button;
use crate::message::Address;
use crate::message::Body;
use crate::message::Reply;
use crate::words::Lang;

/// What a card asks.
#[derive(Clone, Debug)]
pub(super) struct Question {
    buttons: Vec<Button>,
    /// The question and how to answer it, as a message.
    words: String,
}

impl Outbox {
    /// How many answers of a question can have a button.
    pub fn buttons(&self) -> usize {
        self.cards.get().buttons
    }

    /// A card that asks, in a place among the replies of the run `run` as [`Outbox::card`]. Where it cannot be shown,
    /// `words` are said.
    pub fn question(
        &self,
        to: Address,
        title: &str,
        (run, lang): (&str, Lang),
        buttons: Vec<Button>,
        words: String,
    ) -> Card {
        let card = Card::new(About {
            id: uuid::Uuid::new_v4().simple().to_string(),
            run: run.to_owned(),
            to,
            title: title.to_owned(),
            lang,
            // All of it is in the card.
            spool: None,
            attach: Attach::Never,
            asks: Some(Question { buttons, words }),
        });
        self.cards().insert(card.id().to_owned(), card.clone());
        card
    }
}

impl Sender {
    /// Asks in a message what a card could not.
    pub(super) async fn ask_in_words(&self, card: &Card) {
        let Some(question) = card.asks().filter(|_| !card.is_shown() && card.is_open()) else {
            return;
        };
        let body = Body::Text { text: question.words.clone() };
        let reply = Reply { to: card.to().clone(), body, at: Vec::new() };
        self.tell(card.id(), card.run(), vec![Post::Reply(reply)], None).await;
    }

    /// A card of this process, as DingTalk is told of it.
    pub(super) fn wire_with(&self, card: &Card, template: &Template) -> dingtalk::Card {
        let wire = self.wire_named(card.id(), template);
        match card.asks() {
            Some(question) => {
                let buttons = question.buttons.clone();
                // What is asked is left by `cancel`, or by saying no: one button more would only be in the way.
                dingtalk::Card {
                    buttons,
                    places: self.outbox.cards.get().buttons,
                    stop: false,
                    ..wire
                }
            }
            None => wire,
        }
    }

    /// One of another process: whether it asked nobody knows any more.
    pub(super) fn wire_of_another(&self, id: &str) -> Result<dingtalk::Card, ApiError> {
        let wire = self.wire_named(id, self.template()?);
        Ok(dingtalk::Card { places: self.outbox.cards.get().buttons, ..wire })
    }

    fn wire_named(&self, id: &str, template: &Template) -> dingtalk::Card {
        dingtalk::Card {
            id: id.to_owned(),
            template: template.id.clone(),
            key: template.key.clone(),
            stop: !self.outbox.cards.get().stop_actions.is_empty(),
            ..dingtalk::Card::default()
        }
    }
}
