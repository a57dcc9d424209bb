//! The audit: what was decided and how runs ended, one record each, in files that are only added to.
//!
//! A record names who, where, by which door, which handler, the verdict and its reason: ids and names of handlers, never
//! what a message said, nor a secret. Each is chained to the one before it by a hash ([`chain`]), over all files, so that a
//! change in the middle is seen. One thread writes; whoever decides only hands over, in order.
//!
//! What a crash may lose. A record is handed to the writer before the handler it allows begins. The writer writes at once
//! what it has, so the end of the process alone (`kill -9`, a panic) loses the records of the last milliseconds; it asks
//! the disk for safety once a second, so a power cut may lose that second. What ran then is in the journal all the same,
//! and the next start records it as interrupted. A record that was half written is cut off, and that is recorded too. What
//! is counted instead of written ([`thrift`]) is kept beside the files twice a second, and told by the next start.

mod chain;
mod counted;
mod file;
mod read;
mod thrift;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::denied::Denied;
use crate::message::Chat;
use crate::sink::redact;
use crate::store::now_ms;

pub use chain::{Broken, Verified, verify};
pub use read::{Entry, Found, entries};

/// In the state folder.
const FOLDER: &str = "audit";

/// Records on their way to the disk. A disk that takes none for so long has other news; past it they are counted.
const WAITING: usize = 16_384;

/// Letters of one field: ids and names are shorter, and what is not is no id.
const FIELD: usize = 200;

/// One record, but for its place in the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Unix time in milliseconds.
    pub at_ms: i64,
    /// `decision`, `approval`, `end`, `stopped`, `claim`, `grant`, `consent`, `lock`, `unlock`, `start`, `mended`, `gap`.
    pub event: String,
    /// Of a decision `allow` or `deny`; of an approval too, or `refuse`, `expire`; of an end how it ended.
    #[serde(default)]
    pub verdict: String,
    #[serde(default)]
    pub door: String,
    /// A staff id, `host`, `local`, or `-` where nobody can be named.
    #[serde(default)]
    pub who: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chat: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub handler: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Of an approval: SHA-256 over what it was about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// So many like it since the last one were not written by themselves.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Where records go; cheap to clone. The default goes nowhere: for rehearsals and explanations.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    writer: Option<Arc<Writer>>,
}

#[derive(Debug)]
struct Writer {
    // `None` once it ends: then the thread writes what is left.
    records: Mutex<Option<SyncSender<file::Item>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thrift: Arc<Mutex<thrift::Thrift>>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn close(&self) {
        let rest = self.thrift.lock().unwrap_or_else(PoisonError::into_inner).rest(now_ms());
        if let Some(records) = &*self.records.lock().unwrap_or_else(PoisonError::into_inner) {
            for record in rest {
                let _ = records.send(file::Item::Record(Box::new(record)));
            }
        }
        drop(self.records.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The folder of the audit of a state folder.
pub fn folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}

impl Audit {
    /// Opens the audit of the state folder `state`, mends its end if a crash tore it, and starts its writer. For the one
    /// process that holds the folder. Blocks.
    ///
    /// # Errors
    /// When the folder or its last file cannot be written.
    pub fn open(state: &Path) -> std::io::Result<Self> {
        let file = file::File::open(&folder(state), file::SIZE)?;
        let (records, queue) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let thrift = Arc::<Mutex<thrift::Thrift>>::default();
        let (gaps, counted) = (Arc::clone(&lost), Arc::clone(&thrift));
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || file::write(file, &queue, &gaps, &counted))?;
        let writer = Writer {
            records: Mutex::new(Some(records)),
            thread: Mutex::new(Some(thread)),
            thrift,
            lost,
        };
        Ok(Self { writer: Some(Arc::new(writer)) })
    }

    /// Whether the folder of `state` has records.
    pub fn is_there(state: &Path) -> bool {
        file::files(&folder(state)).is_ok_and(|files| {
            files.iter().any(|file| file.metadata().is_ok_and(|found| found.len() > 0))
        })
    }

    /// Hands a record to the writer. Never waits: what does not fit is counted, and the count is recorded.
    pub fn record(&self, mut record: Record) {
        let Some(writer) = &self.writer else { return };
        if record.at_ms == 0 {
            record.at_ms = now_ms();
        }
        for field in [
            &mut record.who,
            &mut record.chat,
            &mut record.handler,
            &mut record.run,
            &mut record.reason,
            &mut record.digest,
        ] {
            *field = fit(field);
        }
        let passed = {
            let mut thrift = writer.thrift.lock().unwrap_or_else(PoisonError::into_inner);
            match thrift.pass(record) {
                Some(record) => file::Item::Record(Box::new(record)),
                None if thrift.has_news() => file::Item::Counted,
                None => return,
            }
        };
        // Held while sending: the order of records is that of the decisions.
        let records = writer.records.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(records) = &*records else { return };
        // That something was counted the writer sees itself, while there is so much for it.
        if let Err(
            TrySendError::Full(file::Item::Record(_))
            | TrySendError::Disconnected(file::Item::Record(_)),
        ) = records.try_send(passed)
        {
            writer.lost.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until all is on disk; what is recorded afterwards goes nowhere. Blocks.
    pub fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close();
        }
    }

    /// Records a decision.
    pub(super) fn decision(
        &self,
        actor: &Actor,
        chat: Option<&Chat>,
        handler: &str,
        run: &str,
        verdict: Result<(), &Denied>,
    ) {
        let reason = verdict.map_or_else(told, |()| String::new());
        let verdict = if verdict.is_ok() { "allow" } else { "deny" };
        self.record(Record {
            chat: chat.map(|chat| chat.id.to_string()).unwrap_or_default(),
            handler: handler.to_owned(),
            run: run.to_owned(),
            reason,
            ..Record::of("decision", verdict, actor)
        });
    }
}

impl Record {
    pub(super) fn of(event: &str, verdict: &str, actor: &Actor) -> Self {
        Self {
            event: event.to_owned(),
            verdict: verdict.to_owned(),
            door: actor.door().as_str().to_owned(),
            who: actor.name().to_owned(),
            ..Self::default()
        }
    }

    /// One of the host's own: `event` happened.
    pub fn event(event: &str, verdict: &str, who: &str, reason: impl Into<String>) -> Self {
        Self {
            event: event.to_owned(),
            verdict: verdict.to_owned(),
            who: who.to_owned(),
            reason: reason.into(),
            ..Self::default()
        }
    }
}

/// The reason of a denial: its word, and what it is about.
pub(super) fn told(why: &Denied) -> String {
    match why {
        Denied::Role(about) | Denied::Scope(about) | Denied::Rate(about) => {
            format!("{}: {about}", why.code())
        }
        _ => why.code().to_owned(),
    }
}

fn fit(text: &str) -> String {
    let text = redact(text);
    if text.chars().count() <= FIELD {
        return text.into_owned();
    }
    text.chars().take(FIELD).chain(['…']).collect()
}
