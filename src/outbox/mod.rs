//! Durable queue of replies on their way to DingTalk.
//!
//! Rows are written in the transaction that completes the message they answer, or earlier while its handler still runs;
//! so a crash between "handler returned" and "sent" repeats the send, never the handler: delivery is at-least-once. What
//! that means when an answer of DingTalk is lost is decided in `docs/decisions/0001-replies-at-least-once.md`.
//!
//! Within a conversation replies and new cards leave in order: while one waits to be tried again, the next ones wait with
//! it. A reply that cannot be sent is parked with its reason and lets them pass; it stays visible until somebody tries it
//! again or gives it up. What follows which answer of DingTalk is a table in [`reaction`].
//!
//! Knows nothing of Lua, nor of how the message came in.

mod attach;
mod budget;
mod card;
mod cards;
mod clicks;
mod cut;
mod deliver;
mod endings;
mod history;
mod notices;
#[cfg(test)]
mod outages;
mod pace;
mod question;
mod rate;
mod reaction;
mod rows;
mod spoken;
mod spool;
mod sweep;
#[cfg(test)]
mod trials;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::budget::Ledger;
use crate::config::Current;
use crate::config::Owner;
use crate::dingtalk::text;
use crate::language::Languages;
use crate::message::Address;
use crate::message::Body;
use crate::message::ConversationId;
use crate::message::Reply;
use crate::sink::{is_blank, spoken};
use crate::store::Error;
use crate::store::Lanes;
use crate::store::Store;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

pub use crate::dingtalk::Button;
pub use card::Card;
pub use cards::CardSettings;
pub use clicks::Clicked;
pub use deliver::Template;
pub use endings::{Ended, insert_endings, insert_repeats};
pub use history::{Said, of_run, sent_since};
pub use reaction::Timing;
pub use rows::{Counts, Unsent, Which, counts, unsent};
pub use spoken::{Spoken, Words};

/// Queued replies kept in memory beside their rows, to spare the way back through the database. The rest is read from
/// its row when its turn comes.
const FRESH: usize = 4096;

/// What is said instead of nothing: DingTalk refuses an empty message.
const EMPTY: &str = "(empty)";

/// Handle to the journal of replies; cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    store: Store,
    cards: Current<CardSettings>,
    spool: Option<spool::Spool>,
    timing: Timing,
    owner: Owner,
    languages: Languages,
    ledger: Ledger,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Ids of queued rows by conversation; agrees with the table after each commit.
    lanes: Mutex<Lanes>,
    /// The run and the content of rows that were not tried yet.
    fresh: Mutex<HashMap<i64, (String, Item)>>,
    /// Cards of this process that are not closed yet, by id.
    cards: Mutex<HashMap<String, Card>>,
    parked: AtomicUsize,
    /// Rows that wait for their next try.
    later: AtomicUsize,
    /// Somebody says that what DingTalk refused was put right.
    ask_again: AtomicBool,
    /// Where the owner last wrote from.
    owner_at: Mutex<Option<Address>>,
    told: Mutex<notices::Told>,
    /// The owner wrote while no call can be made: notices can go there.
    owner_heard: Notify,
    ready: Notify,
}

/// Something that a run says.
#[derive(Clone, Debug)]
pub enum Post {
    Reply(Reply),
    /// A card from [`Outbox::card`]: it appears in its place among the replies.
    Card(Card),
}

/// A row's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    Reply(Reply),
    /// What is left of a reply that DingTalk called too large: its pieces, in order.
    Parts {
        parts: Vec<Reply>,
    },
    Card {
        id: String,
    },
    /// The whole output of a card, as a file.
    Attachment(attach::Attachment),
}

/// Rows that were inserted and become deliverable once their transaction has committed.
#[derive(Debug, Default)]
#[must_use = "pass it to `Outbox::posted` after the commit, or nothing is sent before the next start"]
pub struct Posted {
    rows: Vec<(String, i64, Item)>,
    run: String,
}

impl Posted {
    /// Writes one more row.
    fn add(
        &mut self,
        c: &Connection,
        run: &str,
        conversation: &ConversationId,
        item: Item,
    ) -> rusqlite::Result<()> {
        let payload = serde_json::to_string(&item).expect("our own types have string keys only");
        c.prepare_cached(
            "INSERT INTO outbox (conversation, state, payload, run, created_at_ms) VALUES (?1, 'queued', ?2, ?3, ?4)",
        )?
        .execute(params![conversation.as_str(), payload, run, now_ms()])?;
        self.rows.push((conversation.as_str().to_owned(), c.last_insert_rowid(), item));
        Ok(())
    }
}

impl Outbox {
    /// Opens the journal on `store` and finds what still waits to be sent.
    pub async fn open(store: Store) -> Result<Self, Error> {
        let (waiting, parked) = store
            .read(|c| {
                let waiting = c
                    .prepare(
                        "SELECT id, conversation FROM outbox WHERE state = 'queued' ORDER BY id",
                    )?
                    .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                Ok((waiting, counts(c)?.parked))
            })
            .await?;
        let outbox = Self {
            store,
            cards: Current::default(),
            spool: None,
            timing: Timing::default(),
            owner: Owner::default(),
            languages: Languages::default(),
            ledger: Ledger::default(),
            shared: Arc::default(),
        };
        outbox.shared.parked.store(usize::try_from(parked).unwrap_or_default(), Ordering::Relaxed);
        for (id, conversation) in waiting {
            outbox.lanes().push(conversation, id);
        }
        Ok(outbox)
    }

    /// Names who is told of replies that cannot be sent.
    #[must_use]
    pub fn with_owner(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }

    /// Says in which language people are told.
    #[must_use]
    pub fn with_languages(self, languages: Languages) -> Self {
        Self { languages, ..self }
    }

    /// Keeps to what `ledger` allows.
    #[must_use]
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        Self { ledger, ..self }
    }

    /// The ledger of DingTalk's monthly budgets.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Replaces the times of retries, for tests.
    #[must_use]
    pub fn timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// Replaces the pace of card calls, for benches: DingTalk's limits are not theirs.
    #[must_use]
    pub fn card_pace(self, calls_per_second: f64) -> Self {
        self.cards.set(CardSettings { calls_per_second, ..self.cards.get() });
        self
    }

    /// Sets how cards are shown. Where their outputs cannot be kept on disk, none is attached.
    #[must_use]
    pub fn card_settings(mut self, settings: CardSettings) -> Self {
        self.spool = settings.spool.clone().and_then(|dir| {
            spool::Spool::start(dir, settings.attach_bytes)
                .inspect_err(|error| {
                    tracing::warn!(%error, "outputs of cards cannot be kept; they are not attached");
                })
                .ok()
        });
        self.cards.set(settings);
        self
    }

    /// From now on cards are shown so; those that are open keep what they began with. Where their outputs are kept stays.
    pub fn renew_cards(&self, settings: CardSettings) {
        if let Some(spool) = &self.spool {
            spool.renew(settings.attach_bytes);
        }
        self.cards.set(settings);
    }

    /// Journals what the run `run` says; returns once it is on disk, and on its way.
    ///
    /// # Cancel safety
    /// Once polled, it is said even if the future is dropped.
    pub async fn post(&self, run: &str, posts: Vec<Post>) -> Result<(), Error> {
        let run = run.to_owned();
        let outbox = self.clone();
        self.store
            .write_then(move |c| insert(c, &run, &posts), move |posted| outbox.posted(posted))
            .await
    }

    /// Sends what [`insert`] wrote, now that it is committed.
    pub fn posted(&self, posted: Posted) {
        if posted.rows.is_empty() {
            return;
        }
        {
            let mut fresh = self.shared.fresh.lock().expect("nobody panics holding this");
            let mut lanes = self.lanes();
            for (conversation, id, item) in posted.rows {
                if let Item::Reply(reply) = &item {
                    self.met(&reply.to);
                }
                if fresh.len() < FRESH {
                    fresh.insert(id, (posted.run.clone(), item));
                }
                lanes.push(conversation, id);
            }
        }
        self.shared.ready.notify_one();
    }

    /// Returns a new card of the run `run`, in whose language the host adds its own words. It is shown once it is posted;
    /// until then it only collects text.
    pub fn card(&self, to: Address, title: &str, run: &str, lang: Lang) -> Card {
        let card = Card::new(card::About {
            id: uuid::Uuid::new_v4().simple().to_string(),
            run: run.to_owned(),
            to,
            title: title.to_owned(),
            lang,
            spool: self.spool.clone(),
            attach: self.cards.get().attach,
            asks: None,
        });
        self.cards().insert(card.id().to_owned(), card.clone());
        card
    }

    /// Forgets a card that will not be posted.
    pub fn forget_card(&self, card: &Card) {
        self.cards().remove(card.id());
    }

    /// Cards of the run `run` that have come to their end, for [`insert_endings`] to commit with the run.
    pub fn endings(&self, run: &str) -> Vec<Ended> {
        let cards = self.cards();
        cards.values().filter(|card| card.run() == run).filter_map(endings::ended_as).collect()
    }

    /// Replies that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.lanes().waiting() + self.shared.later.load(Ordering::Relaxed)
    }

    /// Cards whose final frame has not been accepted yet.
    pub fn open_cards(&self) -> usize {
        self.cards().len()
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.shared.lanes.lock().expect("nobody panics holding this")
    }

    fn cards(&self) -> MutexGuard<'_, HashMap<String, Card>> {
        self.shared.cards.lock().expect("nobody panics holding this")
    }
}

/// Writes what `run` says inside the caller's transaction; give the result to [`Outbox::posted`] after the commit.
///
/// Texts over DingTalk's limits become several rows, so that a crash between two pieces repeats neither.
pub fn insert(c: &Connection, run: &str, posts: &[Post]) -> rusqlite::Result<Posted> {
    let mut posted = Posted { rows: Vec::new(), run: run.to_owned() };
    let now = now_ms();
    for post in posts {
        let (conversation, items) = match post {
            Post::Reply(reply) => (&reply.to.conversation_id, pieces(reply)),
            Post::Card(card) => {
                let address =
                    serde_json::to_string(card.to()).expect("our own types have string keys only");
                c.prepare_cached(
                    "INSERT INTO cards (id, address, title, run, lang, state, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, 'new', ?6)",
                )?
                .execute(params![card.id(), address, card.title(), run, card.lang().code(), now])?;
                (&card.to().conversation_id, vec![Item::Card { id: card.id().to_owned() }])
            }
        };
        for item in items {
            posted.add(c, run, conversation, item)?;
        }
    }
    Ok(posted)
}

/// The end of `text` in a card of so many characters, for tests that throw anything at it.
#[doc(hidden)]
pub fn fit_card(text: &str, chars: usize) -> String {
    let limit = cut::Limit { chars, ..cut::Limit::MOST };
    let note = |lines| words::cards::above(lines, Lang::En);
    cut::fit("", &cut::Above::default(), text, limit, note).text
}

/// Whether a card that shows this shows the end of `text`; for the same tests.
#[doc(hidden)]
pub fn is_card_of(shown: &str, text: &str) -> bool {
    cut::is_end("", shown, text, |lines| words::cards::above(lines, Lang::En))
}

/// Splits a reply into what fits into one message each. Only the first piece mentions people.
fn pieces(reply: &Reply) -> Vec<Item> {
    // Before it is cut: half a secret is not recognised any more.
    let body = readable(&reply.body);
    let piece = |(n, body): (usize, Body)| {
        let at = if n == 0 { reply.at.clone() } else { Vec::new() };
        Item::Reply(Reply { to: reply.to.clone(), body, at })
    };
    text::split(&body).into_iter().enumerate().map(piece).collect()
}

/// What is said, without what acts on a screen and without any secret of this host.
fn readable(body: &Body) -> Body {
    let clean = |text: &str| spoken(text).into_owned();
    let said = |text: &str| {
        Some(clean(text)).filter(|text| !is_blank(text)).unwrap_or_else(|| EMPTY.to_owned())
    };
    match body {
        Body::Text { text } => Body::Text { text: said(text) },
        Body::Markdown { title, text } => Body::Markdown { title: clean(title), text: said(text) },
        Body::File { media_id, name } => {
            Body::File { media_id: media_id.clone(), name: clean(name) }
        }
        Body::Image { media_id } => Body::Image { media_id: media_id.clone() },
    }
}
