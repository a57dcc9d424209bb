//! What becomes of runs that the end of a host cut short: run again where that is safe, or asked for; else their people
//! are told, once, and how to run them again.

use rusqlite::Connection;

use super::decision::{self, Verdict};
use super::dispatch::Dispatch;
use super::outcome::say;
use super::phrases;
use crate::access::Record;
use crate::asks;
use crate::inbox;
use crate::inbox::Cut;
use crate::inbox::Fate;
use crate::inbox::Recovered;
use crate::inbox::Row;
use crate::message::Inbound;
use crate::message::Message;
use crate::message::StaffId;
use crate::outbox;
use crate::router::Handler;
use crate::script::OnCrash;
use crate::script::Snapshot;
use crate::script::Target;
use crate::store::Error;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

/// How often one message is taken up: a message that ends its host each time must not do so for ever.
pub(super) const ATTEMPTS: u32 = 3;

/// What a handler says of crashes.
pub(super) fn on_crash(snapshot: &Snapshot, handler: &Handler<Target>) -> OnCrash {
    snapshot
        .edition(handler.id)
        .and_then(|edition| edition.registration(handler.id.handler))
        .map_or_else(OnCrash::default, |registration| registration.options.on_crash)
}

impl Dispatch {
    /// Settles what the host before left running. Call it once, before [`Dispatch::run`].
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing was settled.
    pub async fn recover(&self) -> Result<Recovered, Error> {
        let this = self.clone();
        let outbox = self.outbox.clone();
        let posted = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mine = std::sync::Arc::clone(&posted);
        let settle = move |c: &Connection, cut: &Cut| {
            let fate = this.fate(cut);
            if fate == Fate::Again {
                outbox::insert_repeats(c, &cut.row.run)?;
            }
            if fate == Fate::Interrupted
                && let Inbound::Message(message) = &cut.row.inbound
            {
                let lang = this.languages.of_text(&message.sender, &message.text);
                let told = tell(c, &cut.row, message, lang)?;
                posted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(told);
            }
            Ok(fate)
        };
        let recovered = self.inbox.recover(settle).await?;
        let told =
            std::mem::take(&mut *mine.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for told in told {
            outbox.posted(told);
        }
        self.note_cut_short(&recovered);
        Ok(recovered)
    }

    /// One record for the end of each run that a crash cut short, with its person.
    fn note_cut_short(&self, recovered: &Recovered) {
        for row in &recovered.interrupted {
            let (who, chat) = match &row.inbound {
                Inbound::Message(message) => {
                    (message.sender.key(), Some(message.chat.id.to_string()))
                }
                Inbound::CardAction(click) => (
                    click.staff_id.as_ref().map_or("-", StaffId::as_str),
                    click.conversation_id.as_ref().map(ToString::to_string),
                ),
                Inbound::Event(_) => ("host", None),
            };
            let chat = chat.unwrap_or_default();
            let record = Record::event("end", "interrupted", who, "crash");
            self.access.audit().record(Record { run: row.run.clone(), chat, ..record });
        }
        for own in &recovered.own {
            let parts = [own.script.as_deref(), own.handler.as_deref()];
            let handler = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
            let record = Record::event("end", "interrupted", "host", "crash");
            self.access.audit().record(Record { run: own.run.clone(), handler, ..record });
        }
    }

    fn fate(&self, cut: &Cut) -> Fate {
        let row = &cut.row;
        // The question that it answered is gone; as a message by itself it would mean something else.
        if row.attempt >= ATTEMPTS || row.is_answer() {
            return Fate::Interrupted;
        }
        if !cut.began {
            return Fate::Again;
        }
        let Inbound::Message(message) = &row.inbound else { return Fate::Interrupted };
        // Asked as if it had come now: the rights and the scripts of today count.
        let snapshot = self.library.snapshot();
        let today = self.library.clock().now().with_timezone(&chrono::Local).date_naive();
        let decided =
            decision::decide(&self.access, &row.run, snapshot.routes(), message, today, false);
        let Ok((_, decision)) = decided else { return Fate::Interrupted };
        let Verdict::Run { handler, .. } = decision.verdict else { return Fate::Interrupted };
        // Another handler had it in the end: what that one did is not to be done twice.
        // While it waited its script was noted with it.
        let handed_on =
            cut.handler.as_deref().is_some_and(|served| !served.ends_with(handler.title()));
        if on_crash(&snapshot, handler) == OnCrash::Retry && !handed_on {
            Fate::Again
        } else {
            Fate::Interrupted
        }
    }

    /// Notes that a handler which may be run again has handed on to one that may not, before that one begins.
    pub(super) async fn note_handed_on(&self, row: &Row, handler: &Handler<Target>) {
        let (id, title) = (row.id, handler.title().to_owned());
        let noted = self.store.write(move |c| {
            let account = inbox::Account { handler: Some(&title), ..inbox::Account::default() };
            inbox::note(c, id, false, &account)
        });
        if let Err(error) = noted.await {
            tracing::warn!(run = row.run, %error, "it cannot be noted which handler has a message now");
        }
    }
}

/// Tells the sender of a message that was cut short, in the transaction that marks it.
fn tell(
    c: &Connection,
    row: &Row,
    message: &Message,
    lang: Lang,
) -> rusqlite::Result<outbox::Posted> {
    let said = phrases::quoted(&message.text);
    let text = match asks::lost(c, &row.run, now_ms())? {
        Some(question) => {
            words::approvals::question_lost(&row.run, &said, &phrases::quoted(&question), lang)
        }
        None => words::runs::interrupted(&row.run, &said, lang),
    };
    outbox::insert(c, &row.run, &[say(message, text)])
}
