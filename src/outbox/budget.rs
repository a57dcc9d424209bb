//! What becomes of replies for which the month has no room: they wait, whoever can be told is told, and they go out once
//! there is room again.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Outbox;
use super::deliver::Sender;
use crate::budget;
use crate::budget::Month;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::message::Address;
use crate::message::Body;
use crate::message::Message;
use crate::message::NOTICES;
use crate::message::Reply;
use crate::message::Webhook;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

/// A webhook is not used in its last minute: the clocks differ, and an expired one costs a call.
const WEBHOOK_MARGIN_MS: i64 = 60_000;

/// How soon a webhook that rests is looked at again when there is no other way.
pub(super) const WEBHOOK_RESTS: Duration = Duration::from_mins(1);

/// What goes out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Released {
    All,
    Notices,
}

/// Conversations that are remembered as told. Past them some are told once more.
const MOST_TOLD: usize = 4_096;

/// Conversations that were told this month that something waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<(Option<Month>, HashSet<String>)>>);

impl Told {
    /// Whether this conversation has not been told in this month; from now on it has.
    fn is_news(&self, conversation: &str, month: Month) -> bool {
        let (of, told) = &mut *self.0.lock().expect("nobody panics holding this");
        if *of != Some(month) || told.len() >= MOST_TOLD {
            told.clear();
        }
        *of = Some(month);
        told.insert(conversation.to_owned())
    }
}

/// Whether a webhook will still take something.
pub(super) fn is_alive(webhook: &Webhook) -> bool {
    now_ms() < webhook.expires_at_ms - WEBHOOK_MARGIN_MS
}

impl Outbox {
    /// Notes where the owner has last written in the direct chat: notices go there, which costs no API call.
    pub fn heard_owner(&self, message: &Message) {
        self.met(&Address::from(message));
        if !self.ledger.has_room() {
            self.shared.owner_heard.notify_one();
        }
    }

    /// Queues again what waits for the budget: everything, or the notices for which the owner has opened a webhook.
    pub(super) async fn release(self, which: Released) {
        let lanes = match which {
            Released::All => "",
            Released::Notices => NOTICES,
        };
        let released = self.store.write(move |c| {
            // They begin anew: what is a day old is not given up at its first failure.
            let mut rows = c
                .prepare(
                    "UPDATE outbox SET state = 'queued', error = NULL, sent_at_ms = NULL, retried_at_ms = ?1,
                            attempts = 0, unanswered = 0, due_at_ms = NULL, hint = NULL
                     WHERE state = 'parked' AND substr(error, 1, length(?2)) = ?2
                       AND substr(conversation, 1, length(?3)) = ?3 RETURNING id, conversation",
                )?
                .query_map(
                    rusqlite::params![now_ms(), budget::PARKED, lanes],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
                )?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            rows.sort_unstable();
            Ok(rows)
        });
        match released.await {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => {
                tracing::info!(
                    replies = rows.len(),
                    "the budget has room: replies that waited for it are sent"
                );
                let count = rows.len();
                let parked = &self.shared.parked;
                let _ = parked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                    Some(n.saturating_sub(count))
                });
                let mut lanes = self.lanes();
                for (id, conversation) in rows {
                    lanes.push(conversation, id);
                }
                drop(lanes);
                self.shared.ready.notify_one();
            }
            Err(error) => {
                tracing::error!(%error, "replies that wait for the budget cannot be queued; they are after the next start");
            }
        }
    }
}

impl Sender {
    /// The webhook to try first.
    pub(super) fn webhook_of(&self, reply: &Reply) -> Option<Webhook> {
        let to = &reply.to;
        if to.webhook.is_some() || !to.is_notice() {
            return to.webhook.clone();
        }
        let met = self.outbox.shared.owner_at.lock().expect("nobody panics holding this");
        met.as_ref().and_then(|to| to.webhook.clone())
    }

    /// Why a reply waits, for the journal; says so in the chat if a webhook is left. The ledger tells the owner.
    pub(super) async fn reason(&self, run: &str, reply: &Reply, error: &ApiError) -> String {
        let (month, calls, _) = self.outbox.ledger().now();
        self.tell_that_it_waits(run, reply, month).await;
        // Of DingTalk's own word all is kept, its code and the request too.
        let why =
            if error.code == ApiError::BUDGET { error.message.clone() } else { error.to_string() };
        budget::parked(&why, month, calls.refused)
    }

    /// What the owner can do about a reply that is parked. A call that was not made because DingTalk has refused the ones
    /// before is not helped by another setting.
    pub(super) fn next_step(&self, error: &ApiError) -> Option<String> {
        let (_, calls, _) = self.outbox.ledger().now();
        if error.class == Class::Quota && calls.refused {
            return Some(words::dingtalk::used_up(Lang::En).to_owned());
        }
        error.hint()
    }

    async fn tell_that_it_waits(&self, run: &str, reply: &Reply, month: Month) {
        let Some(webhook) = self.webhook_of(reply).filter(|_| !reply.to.is_notice()) else {
            return;
        };
        if !is_alive(&webhook) {
            return;
        }
        // Once: who waits for ten pictures need not read it ten times.
        if !self.told.is_news(reply.to.conversation_id.as_str(), month) {
            return;
        }
        let body = Body::Text {
            text: budget::waits(month, self.outbox.languages.of(reply.to.staff_id.as_ref())),
        };
        // Best effort: the reply itself is kept in any case.
        if let Err(error) = self.client.for_run(run).send_webhook(&webhook, &body, &reply.at).await
        {
            tracing::info!(%error, "somebody could not be told that a reply waits");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_conversation_is_told_once_a_month_and_not_all_are_remembered_for_ever() {
        let told = Told::default();
        let november = Month::of("2026-11-20T04:00:00Z".parse().unwrap());
        let december = Month::of("2026-12-20T04:00:00Z".parse().unwrap());
        let news = |chat: &str, month| told.is_news(chat, month);
        assert_eq!([news("a", november), news("a", november)], [true, false]);
        assert_eq!([news("a", december), news("a", december)], [true, false]);
        for n in 0..3 * MOST_TOLD {
            told.is_news(&format!("c{n}"), december);
        }
        assert!(told.0.lock().unwrap().1.len() <= MOST_TOLD);
    }
}
