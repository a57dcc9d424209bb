//! One conversation of a run with people: what is shown of the question, who is listened to, how it ends.
//!
//! A question is shown once: as a card with buttons where the template has enough of them, else in words. What is asked
//! again because an answer made no sense is said below it and takes no new time; its buttons stay good.

use std::sync::Arc;
use std::time::Duration;

use mlua::Result as LuaResult;

use super::open::{Answer, Question};
use super::tell;
use crate::api::Call;
use crate::api::failure::{Failure, misuse};
use crate::api::time::format_duration;
use crate::asks;
use crate::asks::Ask;
use crate::asks::Digest;
use crate::asks::Ended;
use crate::asks::Kind;
use crate::asks::Open;
use crate::asks::Place;
use crate::asks::TooMany;
use crate::clock::Stopwatch;
use crate::message::Address;
use crate::message::Body;
use crate::message::ChatKind;
use crate::message::Message;
use crate::message::Reply;
use crate::message::StaffId;
use crate::outbox::Button;
use crate::outbox::Card;
use crate::words::Lang;
use crate::words::approvals;

/// How long a question stays open, unless the script says otherwise.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Who has not answered after a day will not.
const LONGEST: Duration = Duration::from_hours(24);

/// Characters of a label: what is longer is no button.
const LABEL_CHARS: usize = 30;

/// Characters of a question that are kept for whoever asks later what it was.
const LINE_CHARS: usize = 200;

/// A conversation of one call.
pub(super) struct Asking {
    pub(super) call: Call,
    pub(super) message: Arc<Message>,
    pub(super) lang: Lang,
    pub(super) timeout: Duration,
    since: Stopwatch,
    pub(super) until_ms: i64,
    /// Once it is asked.
    posed: Option<Posed>,
    /// The next message of the lane is an answer.
    listening: Option<Question>,
}

/// What is asked, of whom.
pub(super) struct Asked<'a> {
    pub(super) kind: Kind,
    pub(super) question: &'a str,
    /// The digest of what it is about; empty: of itself.
    pub(super) about: &'a str,
    pub(super) place: Place,
    pub(super) approvers: Option<String>,
    /// How many of its answers can have one.
    pub(super) buttons: usize,
}

struct Posed {
    open: Open,
    card: Option<Card>,
}

/// What a question looks like.
pub(super) struct Shown {
    /// In words: how to answer is among them.
    pub(super) text: String,
    /// The first line of the card.
    pub(super) title: String,
    /// Markdown below it.
    pub(super) body: String,
    pub(super) labels: Vec<String>,
}

/// What came.
pub(super) enum Heard {
    Text(String),
    Button { index: usize, by: StaffId, name: String },
}

impl Asking {
    pub(super) fn new(call: Call, timeout: Option<Duration>) -> LuaResult<Self> {
        let Some(message) = call.run.message().cloned() else {
            return Err(misuse("no message started this run, so there is nobody to ask"));
        };
        let lang = call.run.lang();
        let timeout = timeout.unwrap_or(TIMEOUT);
        if timeout > LONGEST {
            return Err(misuse("option `timeout`: 24h are the most"));
        }
        let clock = call.host.clock();
        let since = clock.start();
        let length_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let until_ms = clock.now_ms().saturating_add(length_ms);
        Ok(Self { call, message, lang, timeout, since, until_ms, posed: None, listening: None })
    }

    /// Where the answer will come from, also when the results go to the person alone.
    pub(super) fn here(&self) -> Address {
        Address::from(&*self.message)
    }

    /// Whoever's run it is.
    pub(super) fn asker(&self) -> StaffId {
        let sender = &self.message.sender;
        sender.staff_id.clone().unwrap_or_else(|| StaffId::new(sender.key()))
    }

    /// What somebody is called: of whoever asked that is known for sure.
    pub(super) fn called(&self, by: &StaffId, name: String) -> String {
        if *by == self.asker() { self.message.sender.nick.clone() } else { name }
    }

    /// The chat of the message, as a place of answers.
    pub(super) fn place(&self) -> Place {
        match self.message.chat.kind {
            ChatKind::Group => Place::Group(self.message.chat.id.clone()),
            ChatKind::Direct => Place::With(self.asker()),
        }
    }

    /// From now on the next message of this person in this chat is an answer; waits while another run asks them.
    pub(super) async fn listen(&mut self) -> Result<(), Failure> {
        let (late, lane) = (self.rest(), self.message.lane());
        let listening = tokio::select! {
            question = self.call.host.dialogs().begin(&lane) => Some(question),
            () = late => None,
        };
        self.listening = listening;
        if self.listening.is_some() { Ok(()) } else { Err(self.late()) }
    }

    /// Opens the question, bound to all that it says, to its run, to who may answer where, and until when.
    pub(super) fn pose(&mut self, asked: Asked<'_>) -> Result<&mut Open, TooMany> {
        let line = asks::marked(&asked.question.replace('\n', " "));
        let place = match &asked.place {
            Place::Group(id) => Digest::of("group").with(id.as_str()),
            Place::With(person) => Digest::of("with").with(person.as_str()),
        };
        let bound = Digest::of("question")
            .with(self.call.run.id())
            .with(self.asker().as_str())
            .with_some(asked.approvers.as_deref())
            .with(place.hex())
            .with(self.until_ms.to_be_bytes())
            .with(asked.question)
            .with(asked.about);
        let ask = Ask {
            run: self.call.run.id().to_owned(),
            kind: asked.kind,
            question: line.chars().take(LINE_CHARS).collect(),
            lang: self.lang,
            asker: self.asker(),
            place: asked.place,
            approvers: asked.approvers,
            digest: String::new(),
            until_ms: self.until_ms,
            buttons: asked.buttons,
        };
        let open = self.call.host.asks().begin(ask, self.call.host.clock().now_ms())?;
        let open = &mut self.posed.insert(Posed { open, card: None }).open;
        let digest = bound.with(&open.waiting.id).hex();
        open.update(|waiting| waiting.ask.digest.clone_from(&digest));
        Ok(open)
    }

    /// How many of these answers can have a button: all of them or none.
    pub(super) fn buttons(&self, labels: &[String]) -> LuaResult<usize> {
        let fit = labels.len() <= self.call.host.outbox()?.buttons()
            && labels.iter().all(|label| label.chars().count() <= LABEL_CHARS);
        Ok(if fit { labels.len() } else { 0 })
    }

    /// Shows it in the chat `to`, after whatever the run said before. On disk before an answer can come.
    pub(super) async fn show(&mut self, shown: Shown, to: Address) -> LuaResult<()> {
        let (run, outbox) = (&self.call.run, self.call.host.outbox()?.clone());
        let posed = self.posed.as_mut().expect("a question is shown once it is posed");
        if posed.open.actions.is_empty() {
            let at = match to.kind {
                // In a group it is seen who is asked.
                ChatKind::Group => self.message.sender.staff_id.iter().cloned().collect(),
                ChatKind::Direct => Vec::new(),
            };
            run.reply(Reply { to, body: Body::Text { text: shown.text }, at })?;
        } else {
            let actions = posed.open.actions.iter().cloned();
            let button = |(label, action)| Button { label, action };
            let buttons = shown.labels.into_iter().zip(actions).map(button).collect();
            let card =
                outbox.question(to, &shown.title, (run.id(), self.lang), buttons, shown.text);
            card.append(&shown.body);
            posed.open.update(|waiting| waiting.card = Some(card.id().to_owned()));
            posed.card = Some(card);
        }
        let not_kept = |error| misuse(format!("the question was not kept: {error}"));
        posed.open.keep(self.call.host.clock().now_ms()).await.map_err(not_kept)?;
        if let Some(card) = posed.card.clone() {
            run.show_card(&outbox, card)?;
        }
        outbox.post(run.id(), run.take_pending()).await.map_err(not_kept)
    }

    /// Says something below the question.
    pub(super) async fn say(&self, text: String) -> LuaResult<()> {
        let run = &self.call.run;
        run.reply(Reply { to: self.here(), body: Body::Text { text }, at: Vec::new() })?;
        let said = self.call.host.outbox()?.post(run.id(), run.take_pending()).await;
        said.map_err(|error| misuse(format!("the question was not kept: {error}")))
    }

    /// Waits for a button, a number or, if it listens, a message.
    pub(super) async fn hear(&mut self) -> Result<Heard, Failure> {
        let late = self.rest();
        let mut listening = self.listening.take();
        let posed = self.posed.as_mut().expect("an answer is heard once a question is posed");
        let said = async {
            match &mut listening {
                Some(question) => (&mut question.answered).await,
                None => std::future::pending().await,
            }
        };
        let cancelled = || Failure::new("cancelled", "the person left the question");
        tokio::select! {
            biased; // an answer in the last moment is one
            answer = posed.open.answer() => of_answer(answer),
            said = said => match said {
                Ok(Answer::Text(text)) => Ok(Heard::Text(text)),
                // The sender goes only with an answer; whatever else happens is no answer either.
                Ok(Answer::Cancelled) | Err(_) => Err(cancelled()),
            },
            () = late => Err(self.late()),
        }
    }

    /// Ends it: on disk, and on its card with `line`, unless somebody pressed a button in the same moment.
    pub(super) async fn end(
        &mut self,
        ended: Ended,
        by: Option<&StaffId>,
        line: &str,
    ) -> Option<Result<Heard, Failure>> {
        self.listening = None;
        let Posed { open, card } = self.posed.take()?;
        let now_ms = self.call.host.clock().now_ms();
        if let Some(answer) = open.close(ended, by, now_ms).await {
            self.conclude(card, &answer);
            return Some(of_answer(answer));
        }
        if let Some(card) = card {
            card.conclude(line);
            card.finish();
        }
        None
    }

    /// Ends it, as somebody has just answered it by a button or a number.
    pub(super) fn answered(&mut self, line: &str) {
        self.listening = None;
        if let Some(Posed { card: Some(card), .. }) = self.posed.take() {
            card.conclude(line);
            card.finish();
        }
    }

    fn conclude(&self, card: Option<Card>, answer: &asks::Answer) {
        let Some(card) = card else { return };
        let line = match answer {
            asks::Answer::Choice { by, name, .. } => {
                tell::by(&self.called(by, name.clone()), by, self.now_ms())
            }
            asks::Answer::Withdrawn | asks::Answer::Changed => {
                approvals::cancelled(self.lang).to_owned()
            }
        };
        card.conclude(&line);
        card.finish();
    }

    /// Whether its question is on a card.
    pub(super) fn is_on_card(&self) -> bool {
        self.posed.as_ref().is_some_and(|posed| posed.card.is_some())
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.call.host.clock().now_ms()
    }

    /// That nobody answered in time.
    pub(super) fn late_line(&self) -> String {
        approvals::late(&tell::clock_time(self.until_ms, self.until_ms), self.lang)
    }

    fn rest(&self) -> impl Future<Output = ()> + Send + 'static {
        let left = self.timeout.saturating_sub(self.since.elapsed());
        let clock = self.since.clock().clone();
        async move { clock.sleep(left).await }
    }

    fn late(&self) -> Failure {
        Failure::new("timeout", format!("no answer within {}", format_duration(self.timeout)))
            .hint("ask again, or give the person longer: `timeout = \"1h\"`")
    }
}

fn of_answer(answer: asks::Answer) -> Result<Heard, Failure> {
    match answer {
        asks::Answer::Choice { index, by, name } => Ok(Heard::Button { index, by, name }),
        asks::Answer::Withdrawn => Err(Failure::new("cancelled", "the person left the question")),
        asks::Answer::Changed => {
            Err(Failure::new("changed", "the script was changed while the question was open")
                .hint("what is to be allowed must be asked for again"))
        }
    }
}
