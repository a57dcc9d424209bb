//! Rows for those who look after them: what waits, what is parked and why; sending it again, or giving it up.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::{Item, Outbox};
use crate::message::{Body, ChatKind, Reply};
use crate::store::{Error, now_ms};

/// A reply that has not arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsent {
    pub id: i64,
    /// `queued` or `parked`.
    pub state: String,
    /// The run that said it.
    pub run: String,
    /// `direct` or `group`.
    pub chat: &'static str,
    /// The staff id of a person, the conversation id of a group.
    pub to: String,
    /// `text`, `markdown`, `file`, `image` or `card`.
    pub kind: &'static str,
    /// Its text, or the name of a file, on one line and shortened.
    pub text: String,
    pub attempts: u32,
    /// Of these, calls of which nobody knows whether they arrived.
    pub unanswered: u32,
    /// Unix time, UTC.
    pub created_at_ms: i64,
    /// When the next try is due, of a queued one that has failed.
    pub due_at_ms: Option<i64>,
    /// Why the last try failed.
    pub error: Option<String>,
    pub hint: Option<String>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub queued: u64,
    pub parked: u64,
}

/// Which parked replies are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    One(i64),
}

impl Which {
    /// Reads `all` or a number, with or without `#`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim_start_matches('#') {
            "all" | "全部" => Some(Self::All),
            number => number.parse().ok().map(Self::One),
        }
    }
}

/// Characters of a reply that a list shows.
const SHOWN_CHARS: usize = 60;

/// Queued and parked replies, the newest `limit` of each state, in their order.
pub fn unsent(c: &Connection, limit: u32) -> rusqlite::Result<Vec<Unsent>> {
    let mut select = c.prepare(
        "SELECT id, state, run, payload, attempts, unanswered, created_at_ms, due_at_ms, error, hint, conversation FROM (
             SELECT * FROM (SELECT * FROM outbox WHERE state = 'parked' ORDER BY id DESC LIMIT ?1)
             UNION ALL
             SELECT * FROM (SELECT * FROM outbox WHERE state = 'queued' ORDER BY id DESC LIMIT ?1)
         ) ORDER BY id",
    )?;
    let mut rows = select.query([limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let payload: String = row.get(3)?;
        let item: Option<Item> = serde_json::from_str(&payload).ok();
        let conversation: String = row.get(10)?;
        let what = match &item {
            Some(Item::Reply(reply)) => of_reply(reply),
            Some(Item::Parts { parts }) => match parts.first() {
                Some(reply) => of_reply(reply),
                None => ("group", conversation, "text", String::new()),
            },
            Some(Item::Card { id }) => {
                let title = c
                    .query_row("SELECT title FROM cards WHERE id = ?1", [id], |row| row.get(0))
                    .optional()?;
                ("group", conversation, "card", title.unwrap_or_default())
            }
            Some(Item::Attachment(attachment)) => of_reply(&attachment.reply(String::new())),
            None => ("group", conversation, "text", String::new()),
        };
        let (chat, to, kind, text) = what;
        found.push(Unsent {
            id: row.get(0)?,
            state: row.get(1)?,
            run: row.get(2)?,
            chat,
            to,
            kind,
            text: shortened(&text),
            attempts: row.get(4)?,
            unanswered: row.get(5)?,
            created_at_ms: row.get(6)?,
            due_at_ms: row.get(7)?,
            error: row.get(8)?,
            hint: row.get(9)?,
        });
    }
    Ok(found)
}

fn of_reply(reply: &Reply) -> (&'static str, String, &'static str, String) {
    let (kind, text) = match &reply.body {
        Body::Text { text } => ("text", text.clone()),
        Body::Markdown { text, .. } => ("markdown", text.clone()),
        Body::File { name, .. } => ("file", name.clone()),
        Body::Image { .. } => ("image", String::new()),
    };
    let conversation = reply.to.conversation_id.to_string();
    match reply.to.kind {
        ChatKind::Group => ("group", conversation, kind, text),
        ChatKind::Direct => {
            let person = reply.to.staff_id.as_ref().map(ToString::to_string);
            ("direct", person.unwrap_or(conversation), kind, text)
        }
    }
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

pub fn counts(c: &Connection) -> rusqlite::Result<Counts> {
    let count = |state: &'static str| -> rusqlite::Result<u64> {
        let query = match state {
            "queued" => "SELECT count(*) FROM outbox WHERE state = 'queued'",
            _ => "SELECT count(*) FROM outbox WHERE state = 'parked'",
        };
        let count: i64 = c.prepare_cached(query)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    Ok(Counts { queued: count("queued")?, parked: count("parked")? })
}

impl Outbox {
    /// Replies that are parked, as of the last change that this process made.
    pub fn parked(&self) -> usize {
        self.shared.parked.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Queued and parked replies, for a list.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn unsent(&self, limit: u32) -> Result<Vec<Unsent>, Error> {
        self.store.read(move |c| unsent(c, limit)).await
    }

    /// Queues parked replies again, in their old place before what waits for the same conversation. Refusals for lack of
    /// a permission are not believed any more. Returns their ids.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn retry(&self, which: Which) -> Result<Vec<i64>, Error> {
        let outbox = self.clone();
        let (clause, id) = clause(which);
        let update = format!(
            "UPDATE outbox SET state = 'queued', attempts = 0, unanswered = 0, due_at_ms = NULL, sent_at_ms = NULL,
                 retried_at_ms = ?2 WHERE state = 'parked' AND {clause} RETURNING id, conversation"
        );
        let work = move |c: &Connection| {
            let mut update = c.prepare(&update)?;
            let rows =
                update.query_map(params![id, now_ms()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, String)>>>()
        };
        let queued = self
            .store
            .write_then(work, move |mut rows| {
                rows.sort_unstable();
                outbox.fewer_parked(rows.len());
                // Before the first of them can be taken.
                outbox.shared.ask_again.store(true, std::sync::atomic::Ordering::SeqCst);
                let mut lanes = outbox.lanes();
                for (id, conversation) in &rows {
                    lanes.push(conversation.clone(), *id);
                }
                drop(lanes);
                rows.into_iter().map(|(id, _)| id).collect::<Vec<i64>>()
            })
            .await?;
        self.shared.ready.notify_one();
        Ok(queued)
    }

    /// Gives parked replies up for good. Returns their ids.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn drop_parked(&self, which: Which) -> Result<Vec<i64>, Error> {
        let outbox = self.clone();
        let (clause, id) = clause(which);
        let update = format!(
            "UPDATE outbox SET state = 'dropped', sent_at_ms = ?2 WHERE state = 'parked' AND {clause} RETURNING id"
        );
        let work = move |c: &Connection| {
            let mut update = c.prepare(&update)?;
            let rows = update.query_map(params![id, now_ms()], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<i64>>>()
        };
        self.store
            .write_then(work, move |mut ids| {
                ids.sort_unstable();
                outbox.fewer_parked(ids.len());
                ids
            })
            .await
    }

    pub(super) fn fewer_parked(&self, count: usize) {
        self.shared.parked.fetch_sub(count, std::sync::atomic::Ordering::Relaxed);
    }
}

fn clause(which: Which) -> (&'static str, i64) {
    match which {
        // Both ways the parameter is used, for SQLite counts them.
        Which::All => ("?1 = ?1", 0),
        Which::One(id) => ("id = ?1", id),
    }
}
