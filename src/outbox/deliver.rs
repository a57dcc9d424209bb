//! Sends what is queued: conversations side by side, each in order, cheapest path first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::params;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::card::Card;
use super::cards::Cards;
use super::{Item, Outbox};
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Client;
use crate::message::Address;
use crate::message::ChatKind;
use crate::message::Reply;
use crate::store::now_ms;

/// Conversations served at the same time: enough to hide DingTalk's latency, few enough to stay polite.
const SIDE_BY_SIDE: usize = 64;

/// A webhook is not used in its last minute: the clocks differ, and an expired one costs a call.
const WEBHOOK_MARGIN_MS: i64 = 60_000;

/// After "too fast" a custom robot's webhook is closed for ten minutes; the robot's own calls are counted apart.
const WEBHOOK_PENALTY: Duration = Duration::from_mins(10);

/// A reply that could not be sent for a day has lost its sense; it is parked.
const GIVE_UP_MS: i64 = 24 * 60 * 60 * 1000;

/// A call without an answer in time may have been executed. So many are made; then the reply counts as said, because a
/// person who reads the same answer for the sixth time is helped less than one who has to ask again.
const UNANSWERED: u32 = 5;

/// How long to wait before the journal is asked again, when the disk did not take or give something.
const DISK_AGAIN: Duration = Duration::from_secs(1);

/// After this long past the stop, what is left stays in the journal for the next start.
const DRAIN: Duration = Duration::from_secs(10);

/// How often files of outputs that nobody needs are swept out.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Serves an [`Outbox`].
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) outbox: Outbox,
    pub(super) client: Client,
    pub(super) cards: Arc<Cards>,
    throttled: Arc<Mutex<HashMap<String, Instant>>>,
}

/// How DingTalk shows cards: the template and its streaming variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: String,
    pub key: String,
}

impl Outbox {
    /// Sends until `stop`, then what is still queued or open, for ten seconds at most. The rest stays journaled.
    ///
    /// Without a `template`, cards become one Markdown message when they end.
    pub async fn run(self, client: Client, template: Option<Template>, stop: CancellationToken) {
        let cards = Arc::new(Cards::new(template, self.cards.calls_per_second));
        let sender = Sender { outbox: self, client, cards, throttled: Arc::default() };
        let mut deliveries = JoinSet::new();
        let mut streams = JoinSet::new();
        sender.sweep_files().await;
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.reset();
        for card in sender.cut_short().await {
            streams.spawn(sender.clone().end_cut_short(card));
        }
        let outbox = sender.outbox.clone();
        let mut deadline = None;
        loop {
            let room = SIDE_BY_SIDE - deliveries.len();
            let due = outbox.lanes().take(room);
            for (conversation, id) in due {
                deliveries.spawn(sender.clone().deliver(conversation, id));
            }
            if deadline.is_some() && deliveries.is_empty() && streams.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                () = stop.cancelled(), if deadline.is_none() => deadline = Some(Instant::now() + DRAIN),
                () = until(deadline), if deadline.is_some() => break,
                Some(ended) = deliveries.join_next() => match ended {
                    Ok(Some(card)) => { streams.spawn(sender.clone().stream(card)); }
                    Ok(None) => {}
                    Err(error) => tracing::error!(%error, "a delivery broke off; its row is sent after the next start"),
                },
                Some(ended) = streams.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a card broke off; it is ended after the next start");
                },
                () = outbox.shared.ready.notified() => {}
                _ = sweep.tick(), if deadline.is_none() => sender.sweep_files().await,
            }
        }
        let left = outbox.waiting() + deliveries.len();
        if left > 0 {
            tracing::warn!(
                left,
                "stopped with replies not sent yet; they go out after the next start"
            );
        }
    }
}

async fn until(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline).await;
    }
}

impl Sender {
    /// Sends one row, however long it takes. A card that was shown comes back to be streamed.
    async fn deliver(self, conversation: String, id: i64) -> Option<Card> {
        let card = match self.item(id).await {
            Ok((item, created_at_ms)) => self.deliver_item(id, item, created_at_ms).await,
            Err(error) => {
                tracing::error!(error, row = id, "a queued reply cannot be read; it is parked");
                self.ended(id, "parked", Some(error)).await;
                None
            }
        };
        self.outbox.lanes().release(&conversation);
        self.outbox.shared.ready.notify_one();
        card
    }

    async fn item(&self, id: i64) -> Result<(Item, i64), String> {
        let fresh =
            self.outbox.shared.fresh.lock().expect("nobody panics holding this").remove(&id);
        if let Some(item) = fresh {
            return Ok((item, now_ms()));
        }
        let select = "SELECT payload, created_at_ms FROM outbox WHERE id = ?1";
        let (payload, created_at_ms): (String, i64) = loop {
            let read = self
                .outbox
                .store
                .read(move |c| c.query_row(select, [id], |row| Ok((row.get(0)?, row.get(1)?))));
            match read.await {
                Ok(row) => break row,
                // The reply is there, only not to be had now.
                Err(error) if error.is_transient() => {
                    tracing::error!(%error, row = id, "a queued reply cannot be read yet");
                    tokio::time::sleep(DISK_AGAIN).await;
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        let item = serde_json::from_str(&payload).map_err(|error| error.to_string())?;
        Ok((item, created_at_ms))
    }

    async fn deliver_item(&self, id: i64, item: Item, created_at_ms: i64) -> Option<Card> {
        match item {
            Item::Reply(reply) => {
                let result = self.send_until_settled(id, &reply, created_at_ms).await;
                self.settled(id, result).await;
                None
            }
            Item::Attachment(attachment) => {
                let result = self.send_attachment(id, &attachment, created_at_ms).await;
                self.settled(id, result).await;
                None
            }
            Item::Card { id: card_id } => {
                let card = self.outbox.cards().get(&card_id).cloned();
                let Some(card) = card else {
                    // Its run ended with the host that started it, and the person was told.
                    self.ended(id, "parked", Some("the run of this card was cut short".to_owned()))
                        .await;
                    return None;
                };
                self.show(&card).await;
                self.ended(id, "sent", None).await;
                Some(card)
            }
        }
    }

    async fn settled(&self, id: i64, result: Result<(), ApiError>) {
        match result {
            Ok(()) => self.ended(id, "sent", None).await,
            Err(error) => {
                let hint = error.hint();
                tracing::error!(%error, hint, row = id, "a reply could not be sent; it is parked");
                self.ended(id, "parked", Some(error.to_string())).await;
            }
        }
    }

    pub(super) async fn send_until_settled(
        &self,
        id: i64,
        reply: &Reply,
        created_at_ms: i64,
    ) -> Result<(), ApiError> {
        let mut attempt = 0;
        let mut unanswered = 0;
        loop {
            let error = match self.send(reply).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            unanswered += u32::from(error.was_not_answered());
            if unanswered >= UNANSWERED {
                let message = format!(
                    "not answered {unanswered} times, so it may have been said: {}",
                    error.message
                );
                return Err(ApiError { message, ..error });
            }
            if !error.is_transient() || now_ms() - created_at_ms > GIVE_UP_MS {
                return Err(error);
            }
            attempt += 1;
            let wait = wait_before(attempt, &error);
            tracing::warn!(%error, attempt, ?wait, row = id, "a reply was not sent; trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// One try: the webhook while it lives and is not throttled, else as the robot.
    async fn send(&self, reply: &Reply) -> Result<(), ApiError> {
        let to = &reply.to;
        let mut webhook_error = None;
        if let Some(webhook) = &to.webhook
            && reply.body.fits_webhook()
            && now_ms() < webhook.expires_at_ms - WEBHOOK_MARGIN_MS
            && !self.is_throttled(to)
        {
            match self.client.send_webhook(webhook, &reply.body, &reply.at).await {
                Ok(()) => return Ok(()),
                // It may have been said already: repeating it on another path would say it twice.
                Err(error) if error.outcome_unknown() => return Err(error),
                Err(error) => {
                    if error.class == Class::Throttled {
                        self.throttle(to);
                    }
                    if matches!(error.class, Class::Rejected | Class::TooLarge) {
                        return Err(error);
                    }
                    tracing::info!(%error, "the webhook of this conversation did not take a reply; sending as the robot");
                    webhook_error = Some(error);
                }
            }
        }
        match self.send_as_robot(reply).await {
            None => Err(webhook_error.unwrap_or_else(unreachable_person)),
            Some(result) => result,
        }
    }

    /// `None`: there is no such way to this person.
    async fn send_as_robot(&self, reply: &Reply) -> Option<Result<(), ApiError>> {
        let to = &reply.to;
        let robot = to.robot_code.as_deref();
        let sent = match to.kind {
            ChatKind::Group => {
                self.client.send_to_group(robot, &to.conversation_id, &reply.body).await
            }
            ChatKind::Direct => {
                self.client.send_to_person(robot, to.staff_id.as_ref()?, &reply.body).await
            }
        };
        Some(sent.map(drop))
    }

    fn is_throttled(&self, to: &Address) -> bool {
        let mut throttled = self.throttled.lock().expect("nobody panics holding this");
        let now = Instant::now();
        throttled.retain(|_, until| *until > now);
        throttled.contains_key(to.conversation_id.as_str())
    }

    fn throttle(&self, to: &Address) {
        let until = Instant::now() + WEBHOOK_PENALTY;
        let conversation = to.conversation_id.as_str().to_owned();
        self.throttled.lock().expect("nobody panics holding this").insert(conversation, until);
    }

    /// Notes what became of a row. Tried until the disk takes it: a reply whose end is not noted is said again after the
    /// next start.
    async fn ended(&self, id: i64, state: &'static str, error: Option<String>) {
        loop {
            let error = error.clone();
            let note = move |c: &rusqlite::Connection| {
                c.prepare_cached(
                    "UPDATE outbox SET state = ?2, sent_at_ms = ?3, error = ?4 WHERE id = ?1",
                )?
                .execute(params![id, state, now_ms(), error])
            };
            let written = self.outbox.store.write_one(note, |_| ());
            let Err(error) = written.await else { return };
            tracing::error!(%error, row = id, "a reply went out but that could not be noted; trying again");
            if !error.is_transient() {
                return;
            }
            tokio::time::sleep(DISK_AGAIN).await;
        }
    }
}

/// A wait that doubles from a second to a minute, with jitter, and is never shorter than DingTalk asks for.
pub(super) fn wait_before(attempt: u32, error: &ApiError) -> Duration {
    let doubled =
        Duration::from_secs(1 << attempt.saturating_sub(1).min(6)).min(Duration::from_mins(1));
    let jittered = doubled.mul_f64(rand::random_range(0.5..1.0));
    error.retry_after.map_or(jittered, |asked| asked.max(jittered))
}

fn unreachable_person() -> ApiError {
    let why = "the webhook has expired and DingTalk sent no staff id to send to";
    ApiError::local("reply", Class::Gone, "no-way", why)
}
