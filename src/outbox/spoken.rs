//! What was said, read from the journal instead of being sent: for a stage without a chat.

use super::{Item, Outbox};
use crate::message::Reply;
use crate::outbox::Card;
use crate::store::Error;

/// A row of the journal.
#[derive(Clone, Debug)]
pub struct Spoken {
    pub id: i64,
    /// The run that said it.
    pub run: String,
    pub words: Words,
}

#[derive(Clone, Debug)]
pub enum Words {
    Reply(Reply),
    /// It may still change.
    Card(Card),
}

impl Outbox {
    /// Rows after `id`, in their order. Cards of an earlier process are left out.
    pub async fn spoken_after(&self, id: i64) -> Result<Vec<Spoken>, Error> {
        let rows: Vec<(i64, String, String)> = self
            .store
            .read(move |c| {
                c.prepare_cached("SELECT id, run, payload FROM outbox WHERE id > ?1 ORDER BY id")?
                    .query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect()
            })
            .await?;
        let words = |payload: &str| match serde_json::from_str(payload).ok()? {
            Item::Reply(reply) => Some(Words::Reply(reply)),
            // Only what DingTalk refused is in parts.
            Item::Parts { parts } => parts.into_iter().next().map(Words::Reply),
            Item::Card { id } => self.cards().get(&id).cloned().map(Words::Card),
            Item::Attachment(_) => None,
        };
        let rows = rows.into_iter().filter_map(|(id, run, payload)| {
            words(&payload).map(|words| Spoken { id, run, words })
        });
        Ok(rows.collect())
    }
}
