//! Sends what is queued: conversations side by side, each in order, cheapest path first.

mod park;
mod upload;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::params;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::budget::{Released, Told, WEBHOOK_RESTS, is_alive};
use super::card::Card;
use super::cards::Cards;
use super::pace::{Pace, Wait};
use super::reaction::{AfterWebhook, Reaction, Rest, UNANSWERED, after_webhook, reaction};
use super::{Item, Outbox};
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Client;
use crate::dingtalk::Reach;
use crate::dingtalk::text;
use crate::message::ChatKind;
use crate::message::Reply;
use crate::message::Webhook;
use crate::store::now_ms;

/// Conversations served at the same time: enough to hide DingTalk's latency, few enough to stay polite. One that waits
/// for a retry does not count.
const SIDE_BY_SIDE: usize = 64;

/// Webhooks that DingTalk has forgotten before their time; more are not remembered, and cost one call each.
const DEAD_WEBHOOKS: usize = 1024;

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
    pace: Arc<Pace>,
    resting: Arc<Mutex<Resting>>,
    pub(super) told: Told,
}

/// Webhooks that are not used although they have not expired.
#[derive(Debug, Default)]
struct Resting {
    conversations: HashMap<String, Instant>,
    dead: HashMap<String, i64>,
}

/// How DingTalk shows cards: the template and its streaming variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: String,
    pub key: String,
}

/// A row whose turn it is.
#[derive(Clone, Debug)]
struct Turn {
    conversation: String,
    id: i64,
    /// The pace has kept this moment for it.
    kept: bool,
}

/// What became of a turn.
#[derive(Debug)]
enum Delivered {
    /// The row has come to its end. A card that was shown is to be streamed.
    Settled(Option<Card>),
    /// Its conversation waits with it.
    Later(Instant, Turn),
}

/// A row as it is read when its turn comes.
#[derive(Debug)]
struct Row {
    item: Item,
    run: String,
    /// Since when it is tried.
    since_ms: i64,
    attempts: u32,
    unanswered: u32,
    due_at_ms: Option<i64>,
    /// Journaled by this process and not tried yet.
    fresh: bool,
}

/// A try that was not made, or failed.
enum Failed {
    /// It is not its time yet; nothing was called.
    NotYet(Wait),
    With(ApiError),
}

impl Outbox {
    /// Sends until `stop`, then what is still queued or open, for ten seconds at most. The rest stays journaled.
    ///
    /// Without a `template`, cards become one Markdown message when they end.
    pub async fn run(self, client: Client, template: Option<Template>, stop: CancellationToken) {
        let cards = Arc::new(Cards::new(template, self.cards.clone()));
        let pace = Arc::new(Pace::new(self.timing.clone()));
        let sender = Sender {
            outbox: self,
            client,
            cards,
            pace,
            resting: Arc::default(),
            told: Told::default(),
        };
        let mut deliveries = JoinSet::new();
        let mut streams = JoinSet::new();
        sender.sweep_files().await;
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.reset();
        for card in sender.cut_short().await {
            streams.spawn(sender.clone().end_cut_short(card));
        }
        let outbox = sender.outbox.clone();
        let mut opened = outbox.ledger.opened();
        if outbox.ledger.has_room() {
            streams.spawn(outbox.clone().release(Released::All));
        }
        let mut later: BTreeMap<(Instant, i64), Turn> = BTreeMap::new();
        let mut deadline: Option<Instant> = None;
        loop {
            let now = Instant::now();
            outbox.shared.later.store(later.len(), Ordering::Relaxed);
            while deliveries.len() < SIDE_BY_SIDE
                && let Some(first) = later.first_entry()
                && first.key().0 <= now
            {
                deliveries.spawn(sender.clone().deliver(first.remove()));
            }
            let due = outbox.lanes().take(SIDE_BY_SIDE - deliveries.len());
            // After the look: who asked had said so before the row was there.
            if outbox.shared.ask_again.swap(false, Ordering::SeqCst) {
                sender.ask_again();
            }
            for (conversation, id) in due {
                deliveries.spawn(sender.clone().deliver(Turn { conversation, id, kept: false }));
            }
            let next = later.first_key_value().map(|((at, _), _)| *at);
            let in_time = |deadline| next.is_some_and(|at| at <= deadline);
            if let Some(deadline) = deadline
                && deliveries.is_empty()
                && streams.is_empty()
                && !in_time(deadline)
            {
                break;
            }
            tokio::select! {
                biased;
                () = stop.cancelled(), if deadline.is_none() => deadline = Some(Instant::now() + DRAIN),
                () = until(deadline), if deadline.is_some() => break,
                Some(ended) = deliveries.join_next() => match ended {
                    Ok(Delivered::Settled(Some(card))) => { streams.spawn(sender.clone().stream(card)); }
                    Ok(Delivered::Settled(None)) => {}
                    Ok(Delivered::Later(at, turn)) => { later.insert((at, turn.id), turn); }
                    Err(error) => tracing::error!(%error, "a delivery broke off; its row is sent after the next start"),
                },
                Some(ended) = streams.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a card broke off; it is ended after the next start");
                },
                Ok(()) = opened.changed(), if deadline.is_none() => {
                    sender.ask_again();
                    streams.spawn(outbox.clone().release(Released::All));
                }
                () = outbox.shared.owner_heard.notified() => { streams.spawn(outbox.clone().release(Released::Notices)); }
                () = outbox.shared.ready.notified() => {}
                _ = sweep.tick(), if deadline.is_none() => sender.sweep_files().await,
                () = until(next), if next.is_some() && deliveries.len() < SIDE_BY_SIDE => {}
            }
            // What the month has no room for is told by the ledger.
            for refusal in sender.client.refusals() {
                if refusal.class != Class::Quota {
                    outbox.tell_refused(&refusal).await;
                }
            }
        }
        outbox.shared.later.store(later.len(), Ordering::Relaxed);
        let left = outbox.waiting() + deliveries.len();
        if left > 0 {
            tracing::warn!(
                left,
                "stopped with replies not sent yet; they go out after the next start"
            );
        }
    }
}

async fn until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment).await;
    }
}

impl Sender {
    /// The same, whose calls are counted for the run `run`.
    pub(super) fn for_run(&self, run: &str) -> Self {
        Self { client: self.client.for_run(run), ..self.clone() }
    }

    /// Believes no refusal any more.
    fn ask_again(&self) {
        self.client.ask_again();
        self.cards.ask_again();
    }

    /// Tries one row once. A conversation whose row is to be tried again stays taken.
    async fn deliver(self, turn: Turn) -> Delivered {
        let id = turn.id;
        let delivered = match self.row(id).await {
            Ok(row) => self.deliver_row(&turn, row).await,
            Err(error) => {
                tracing::error!(error, row = id, "a queued reply cannot be read; it is parked");
                self.ended(id, "parked", Some((error, None))).await;
                Delivered::Settled(None)
            }
        };
        if matches!(delivered, Delivered::Settled(_)) {
            self.outbox.lanes().release(&turn.conversation);
            self.outbox.shared.ready.notify_one();
        }
        delivered
    }

    async fn row(&self, id: i64) -> Result<Row, String> {
        let fresh = self.fresh().remove(&id);
        if let Some((run, item)) = fresh {
            let (since_ms, due_at_ms) = (now_ms(), None);
            return Ok(Row {
                item,
                run,
                since_ms,
                attempts: 0,
                unanswered: 0,
                due_at_ms,
                fresh: true,
            });
        }
        let select = "SELECT payload, run, coalesce(retried_at_ms, created_at_ms), attempts, unanswered, due_at_ms
                      FROM outbox WHERE id = ?1";
        loop {
            let read = self.outbox.store.read(move |c| {
                c.query_row(select, [id], |row| {
                    let payload: String = row.get(0)?;
                    Ok(serde_json::from_str::<Item>(&payload).map(|item| Row {
                        item,
                        run: row.get(1).unwrap_or_default(),
                        since_ms: row.get(2).unwrap_or_default(),
                        attempts: row.get(3).unwrap_or_default(),
                        unanswered: row.get(4).unwrap_or_default(),
                        due_at_ms: row.get(5).unwrap_or_default(),
                        fresh: false,
                    }))
                })
            });
            match read.await {
                Ok(row) => return row.map_err(|error| error.to_string()),
                // The reply is there, only not to be had now.
                Err(error) if error.is_transient() => {
                    tracing::error!(%error, row = id, "a queued reply cannot be read yet");
                    tokio::time::sleep(DISK_AGAIN).await;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    async fn deliver_row(&self, turn: &Turn, row: Row) -> Delivered {
        let wait = row.due_at_ms.map_or(0, |due| due - now_ms());
        if let Ok(wait @ 1..) = u64::try_from(wait) {
            // The clock may have been set meanwhile: no wait is longer than one that was meant.
            let wait = Duration::from_millis(wait).min(Duration::from_mins(10));
            return Delivered::Later(Instant::now() + wait, turn.clone());
        }
        match row.item {
            Item::Card { id: card_id } => {
                let card = self.outbox.cards().get(&card_id).cloned();
                let Some(card) = card else {
                    // Its run ended with the host that started it, and the person was told.
                    let why = "the run of this card was cut short".to_owned();
                    self.ended(turn.id, "dropped", Some((why, None))).await;
                    return Delivered::Settled(None);
                };
                self.show(&card).await;
                self.ask_in_words(&card).await;
                self.ended(turn.id, "sent", None).await;
                Delivered::Settled(Some(card))
            }
            Item::Reply(ref reply) => {
                let reply = reply.clone();
                self.deliver_parts(turn, row, vec![reply]).await
            }
            Item::Parts { ref parts } => {
                let parts = parts.clone();
                self.deliver_parts(turn, row, parts).await
            }
            Item::Attachment(ref attachment) => {
                let attachment = attachment.clone();
                self.deliver_attachment(turn, row, &attachment).await
            }
        }
    }

    async fn deliver_parts(&self, turn: &Turn, mut row: Row, mut parts: Vec<Reply>) -> Delivered {
        if row.unanswered >= UNANSWERED
            && let Some(reply) = parts.first()
        {
            let why = "the host ended while it was being said";
            let error = ApiError::local("reply", Class::Transient, "interrupted", why);
            return self.park(turn, &row, reply, error, false).await;
        }
        while !parts.is_empty() {
            let failed = match self.send(turn, &row, &parts[0]).await {
                Ok(()) => {
                    parts.remove(0);
                    if !parts.is_empty() {
                        // On disk before the next piece is said: a crash repeats one of them at most.
                        self.rewrite(turn.id, &parts).await;
                        (row.attempts, row.unanswered) = (0, 0);
                    }
                    continue;
                }
                Err(Failed::NotYet(wait)) => {
                    if row.fresh
                        && let Item::Reply(_) = row.item
                    {
                        self.fresh().insert(turn.id, (row.run, row.item));
                    }
                    return Delivered::Later(wait.until, Turn { kept: wait.kept, ..turn.clone() });
                }
                Err(Failed::With(error)) => error,
            };
            row.attempts += 1;
            row.unanswered += u32::from(failed.was_not_answered());
            row.fresh = false;
            match reaction(&failed, row.unanswered, now_ms() - row.since_ms) {
                Reaction::Again => {
                    let wait = self.outbox.timing.wait(row.attempts, &failed);
                    tracing::warn!(error = %failed, attempt = row.attempts, ?wait, row = turn.id, "a reply was not sent; trying again");
                    self.failed(turn.id, &row, &failed, wait).await;
                    return Delivered::Later(
                        Instant::now() + wait,
                        Turn { kept: false, ..turn.clone() },
                    );
                }
                Reaction::Smaller => {
                    let Some(smaller) = text::smaller(&parts[0].body) else {
                        return self.park(turn, &row, &parts[0], failed, true).await;
                    };
                    tracing::info!(error = %failed, row = turn.id, pieces = smaller.len(), "a reply was too large; it is sent in smaller pieces");
                    let first = parts.remove(0);
                    let pieces = smaller.into_iter().enumerate().map(|(n, body)| {
                        let at = if n == 0 { first.at.clone() } else { Vec::new() };
                        Reply { to: first.to.clone(), body, at }
                    });
                    parts.splice(0..0, pieces);
                    self.rewrite(turn.id, &parts).await;
                }
                Reaction::Park { tell } => {
                    return self.park(turn, &row, &parts[0], failed, tell).await;
                }
            }
        }
        self.ended(turn.id, "sent", None).await;
        Delivered::Settled(None)
    }

    /// One try: the webhook while it lives and is not resting, else as the robot.
    async fn send(&self, turn: &Turn, row: &Row, reply: &Reply) -> Result<(), Failed> {
        let to = &reply.to;
        let client = self.client.for_run(&row.run);
        // The owner hears of it even when nothing else may be said.
        let client = if to.is_notice() { client.owed() } else { client };
        let webhook = self.webhook_of(reply);
        let webhook = webhook.filter(|webhook| reply.body.fits_webhook() && is_alive(webhook));
        let mut webhook_error = None;
        if let Some(webhook) = &webhook
            && !self.is_resting(&turn.conversation, webhook)
        {
            self.about_to(turn.id, row).await;
            match client.send_webhook(webhook, &reply.body, &reply.at).await {
                Ok(()) => return Ok(()),
                Err(error) => match after_webhook(&error) {
                    AfterWebhook::Settle => return Err(Failed::With(error)),
                    AfterWebhook::AsRobot(rest) => {
                        self.rest(&turn.conversation, webhook, rest);
                        tracing::info!(%error, "the webhook of this conversation did not take a reply; sending as the robot");
                        webhook_error = Some(error);
                    }
                },
            }
        }
        if to.kind == ChatKind::Direct && to.staff_id.is_none() {
            return Err(Failed::With(webhook_error.unwrap_or_else(unreachable_person)));
        }
        let leave = match self.pace.ask(turn.kept) {
            Ok(leave) => leave,
            Err(wait) => {
                // Where only the robot is left, its moment comes; where the webhook failed just now, that was a try.
                return Err(match webhook_error {
                    Some(error) if error.is_transient() => {
                        let wait = wait.until.saturating_duration_since(Instant::now());
                        Failed::With(ApiError { retry_after: Some(wait), ..error })
                    }
                    _ => Failed::NotYet(wait),
                });
            }
        };
        if webhook_error.is_none() {
            self.about_to(turn.id, row).await;
        }
        let robot = to.robot_code.as_deref();
        let sent = match (to.kind, &to.staff_id) {
            (ChatKind::Direct, Some(person)) => {
                client.send_to_person(robot, person, &reply.body).await
            }
            _ => client.send_to_group(robot, &to.conversation_id, &reply.body).await,
        };
        let throttled = sent
            .as_ref()
            .err()
            .filter(|error| error.class == Class::Throttled && error.reach() != Reach::Chat);
        self.pace.left(&leave, throttled, sent.is_ok());
        match sent {
            // The robot has no calls left, but the webhook only rests for some minutes.
            Err(error)
                if error.class == Class::Quota
                    && webhook.is_some_and(|webhook| {
                        self.is_resting_a_while(&turn.conversation, &webhook)
                    }) =>
            {
                let class = Class::Throttled;
                Err(Failed::With(ApiError { class, retry_after: Some(WEBHOOK_RESTS), ..error }))
            }
            sent => sent.map(drop).map_err(Failed::With),
        }
    }

    /// Whether a webhook will be used again before it expires.
    fn is_resting_a_while(&self, conversation: &str, webhook: &Webhook) -> bool {
        let resting = self.resting();
        resting.conversations.contains_key(conversation) && !resting.dead.contains_key(&webhook.url)
    }

    fn is_resting(&self, conversation: &str, webhook: &Webhook) -> bool {
        let mut resting = self.resting();
        let now = Instant::now();
        resting.conversations.retain(|_, until| *until > now);
        resting.conversations.contains_key(conversation) || resting.dead.contains_key(&webhook.url)
    }

    fn rest(&self, conversation: &str, webhook: &Webhook, rest: Rest) {
        let mut resting = self.resting();
        match rest {
            Rest::No => {}
            Rest::Conversation => {
                let until = Instant::now() + self.outbox.timing.webhook_rest;
                resting.conversations.insert(conversation.to_owned(), until);
            }
            Rest::ForEver => {
                let now = now_ms();
                if resting.dead.len() >= DEAD_WEBHOOKS {
                    resting.dead.retain(|_, expires_at_ms| *expires_at_ms > now);
                }
                if resting.dead.len() < DEAD_WEBHOOKS {
                    resting.dead.insert(webhook.url.clone(), webhook.expires_at_ms);
                }
            }
        }
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().expect("nobody panics holding this")
    }

    fn fresh(&self) -> MutexGuard<'_, HashMap<i64, (String, Item)>> {
        self.outbox.shared.fresh.lock().expect("nobody panics holding this")
    }

    /// Notes a call before it is made, as one without an answer, unless it is the first one of the process that journaled
    /// the row. So a reply that a crash interrupts again and again is said a few times and then parked, and the usual
    /// reply costs no write of its own. Tried until the disk takes it.
    async fn about_to(&self, id: i64, row: &Row) {
        if row.fresh {
            return;
        }
        let update = "UPDATE outbox SET attempts = ?2, unanswered = ?3 WHERE id = ?1";
        let (attempts, unanswered) = (row.attempts + 1, row.unanswered + 1);
        self.write_down("a try", id, move |c| {
            c.prepare_cached(update)?.execute(params![id, attempts, unanswered])
        })
        .await;
    }

    /// Notes a try that failed and when the next one is due.
    async fn failed(&self, id: i64, row: &Row, error: &ApiError, wait: Duration) {
        let update = "UPDATE outbox SET attempts = ?2, unanswered = ?3, due_at_ms = ?4, error = ?5, hint = ?6 WHERE id = ?1";
        let (attempts, unanswered) = (row.attempts, row.unanswered);
        let due_at_ms = now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
        let (error, hint) = (error.to_string(), error.hint());
        self.write_down("a try that failed", id, move |c| {
            let values = params![id, attempts, unanswered, due_at_ms, error, hint];
            c.prepare_cached(update)?.execute(values)
        })
        .await;
    }

    async fn count_attempts(&self, id: i64, row: &Row) {
        let update =
            "UPDATE outbox SET attempts = ?2, unanswered = ?3, due_at_ms = NULL WHERE id = ?1";
        let (attempts, unanswered) = (row.attempts, row.unanswered);
        self.write_down("a try", id, move |c| {
            c.prepare_cached(update)?.execute(params![id, attempts, unanswered])
        })
        .await;
    }

    /// Keeps only `parts` of a row that is sent in pieces.
    async fn rewrite(&self, id: i64, parts: &[Reply]) {
        let item = Item::Parts { parts: parts.to_vec() };
        let payload = serde_json::to_string(&item).expect("our own types have string keys only");
        let update = "UPDATE outbox SET payload = ?2, attempts = 0, unanswered = 0 WHERE id = ?1";
        self.write_down("a piece of a reply", id, move |c| {
            c.prepare_cached(update)?.execute(params![id, payload])
        })
        .await;
    }

    /// Notes what became of a row: a reply whose end is not noted is said again after the next start.
    async fn ended(&self, id: i64, state: &'static str, why: Option<(String, Option<String>)>) {
        let (error, hint) = why.unzip();
        let hint = hint.flatten();
        if state == "parked" {
            self.outbox.shared.parked.fetch_add(1, Ordering::Relaxed);
        }
        let update =
            "UPDATE outbox SET state = ?2, sent_at_ms = ?3, error = ?4, hint = ?5 WHERE id = ?1";
        self.write_down("the end of a reply", id, move |c| {
            c.prepare_cached(update)?.execute(params![id, state, now_ms(), error, hint])
        })
        .await;
    }

    /// Writes until the disk takes it.
    async fn write_down<F>(&self, what: &'static str, id: i64, work: F)
    where
        F: Fn(&rusqlite::Connection) -> rusqlite::Result<usize> + Clone + Send + 'static,
    {
        loop {
            let Err(error) = self.outbox.store.write_one(work.clone(), |_| ()).await else {
                return;
            };
            tracing::error!(%error, row = id, "{what} could not be noted; trying again");
            if !error.is_transient() {
                return;
            }
            tokio::time::sleep(DISK_AGAIN).await;
        }
    }
}

fn unreachable_person() -> ApiError {
    let why = "the webhook has expired and DingTalk sent no staff id to send to";
    ApiError::local("reply", Class::Gone, "no-way", why)
}
