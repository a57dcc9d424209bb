//! Questions of runs to people, while they wait: whose answer counts, by which button or number, until when.
//!
//! What a click sends back is a key and nothing else: 128 random bits, looked up here. Whose it is, what it allows and when
//! it ends stays on this side. An answer counts once: whoever takes the question has it ([`Asks::decide`]), and it is on
//! disk before the run hears of it. A question lives as long as its run waits ([`Open`]); one that a dead host left open is
//! lost, and its person is told which it was ([`lost`]).
//!
//! Knows nothing of Lua, of cards on the wire, nor of rights: who may answer is asked of `access`, by whoever has the answer.

mod digest;
mod question;
mod table;
mod visible;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::message::CardAction;
use crate::message::Chat;
use crate::message::ChatKind;
use crate::message::StaffId;
use crate::store::Error;
use crate::store::Store;

pub use digest::Digest;
pub use question::{Answer, Ask, Ended, Found, Kind, Place, Waiting};
pub use table::{Past, lost};
pub use visible::{marked, quoted};

/// Approvals that one person may have waiting: more is a mistake, or somebody who wants a tired yes.
pub const MOST_OPEN: usize = 5;

/// Approvals that one person may ask for in [`WINDOW_MS`].
pub const MOST_ASKED: usize = 30;

const WINDOW_MS: i64 = 60 * 60 * 1000;

/// Parameter of a callback that carries the key.
const PARAMETER: &str = "action";

/// One person has too many waiting, or asked for too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// The questions of a host; cheap to clone. The default keeps nothing on disk.
#[derive(Clone, Debug, Default)]
pub struct Asks {
    store: Option<Store>,
    shared: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    open: HashMap<String, One>,
    /// When each person asked for approvals, not longer ago than [`WINDOW_MS`].
    asked: HashMap<StaffId, Vec<i64>>,
}

#[derive(Debug)]
struct One {
    waiting: Waiting,
    actions: Vec<String>,
    answer: oneshot::Sender<Answer>,
}

/// A question while its run waits for the answer; dropping it closes it.
#[derive(Debug)]
pub struct Open {
    asks: Asks,
    pub waiting: Waiting,
    /// What its buttons send back, in the order of the answers.
    pub actions: Vec<String>,
    answered: oneshot::Receiver<Answer>,
    /// The answer was taken out of there.
    heard: bool,
}

impl Asks {
    pub fn new(store: Store) -> Self {
        Self { store: Some(store), shared: Arc::default() }
    }

    /// Opens a question. Nobody can answer it before [`Open::keep`].
    ///
    /// # Errors
    /// When this person has too many approvals waiting, or asked for too many in an hour.
    pub fn begin(&self, ask: Ask, now_ms: i64) -> Result<Open, TooMany> {
        let mut held = self.held();
        if ask.kind == Kind::Approve {
            held.may_ask(&ask.asker, now_ms)?;
        }
        let actions: Vec<String> = (0..ask.buttons).map(|_| random()).collect();
        let code = held.fresh_code();
        let waiting = Waiting { id: random(), ask, code, card: None };
        let (answer, answered) = oneshot::channel();
        let one = One { waiting: waiting.clone(), actions: actions.clone(), answer };
        held.open.insert(waiting.id.clone(), one);
        Ok(Open { asks: self.clone(), waiting, actions, answered, heard: false })
    }

    /// The question whose button sends `action` back.
    pub async fn by_action(&self, action: &str) -> Found {
        {
            let held = self.held();
            let mut all = held.open.values();
            let found = all.find_map(|one| {
                let choice = one.actions.iter().position(|own| own == action)?;
                Some((one.waiting.clone(), choice))
            });
            if let Some((waiting, choice)) = found {
                return Found::Waits(waiting, choice);
            }
        }
        let action = action.to_owned();
        self.past(move |c| table::by_action(c, &action)).await
    }

    /// The question that a card asks, whatever was pressed there: it waits [`Found::Elsewhere`], on its own buttons.
    pub async fn by_card(&self, card: &str) -> Found {
        {
            let held = self.held();
            let mut all = held.open.values().map(|one| &one.waiting);
            if let Some(waiting) = all.find(|one| one.card.as_deref() == Some(card)) {
                return Found::Elsewhere(waiting.clone());
            }
        }
        let card = card.to_owned();
        self.past(move |c| table::by_card(c, &card)).await
    }

    /// The approval that has this number, for somebody who says it in `chat`.
    pub async fn by_code(&self, code: &str, chat: &Chat, person: &StaffId) -> Found {
        {
            let held = self.held();
            let numbered = |one: &&Waiting| one.ask.kind == Kind::Approve && one.code == code;
            let all = held.open.values().map(|one| &one.waiting);
            let mut found: Vec<&Waiting> = all.filter(numbered).collect();
            found.sort_by_key(|one| !one.ask.place.holds(chat, person));
            match found.first() {
                Some(one) if one.ask.place.holds(chat, person) => {
                    return Found::Waits((*one).clone(), 0);
                }
                // Of others' questions nobody learns where they are.
                Some(one) if one.ask.asker == *person => return Found::Elsewhere((*one).clone()),
                _ => {}
            }
        }
        let (code, person) = (code.to_owned(), person.to_string());
        self.past(move |c| table::by_code(c, &code, &person)).await
    }

    async fn past<F>(&self, find: F) -> Found
    where
        F: FnOnce(&rusqlite::Connection) -> rusqlite::Result<Option<Past>> + Send + 'static,
    {
        let Some(store) = &self.store else { return Found::Nothing };
        match store.read(find).await {
            Ok(Some(past)) => Found::Over(past),
            Ok(None) => Found::Nothing,
            Err(error) => {
                tracing::error!(%error, "a question cannot be looked up");
                Found::Nothing
            }
        }
    }

    /// Gives the question `id` its answer, on disk first. `false`: somebody was faster, or its run has ended.
    ///
    /// # Errors
    /// When the journal does not take it: then it waits on.
    pub async fn decide(&self, id: &str, answer: Answer, now_ms: i64) -> Result<bool, Error> {
        let Some(one) = self.held().open.remove(id) else { return Ok(false) };
        let ended = ended(one.waiting.ask.kind, &answer);
        let by = match &answer {
            Answer::Choice { by, .. } => Some(by.to_string()),
            Answer::Withdrawn | Answer::Changed => None,
        };
        if let Err(error) = self.write_end(id, ended, by, now_ms).await {
            if !one.answer.is_closed() {
                self.held().open.insert(id.to_owned(), one);
            }
            return Err(error);
        }
        if one.answer.send(answer).is_err() {
            // Its run ended in this very moment: nothing comes of the answer.
            self.write_end(id, Ended::Withdrawn, None, now_ms).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Withdraws the approvals that `person` has waiting in `chat`; `false`: there is none.
    pub async fn withdraw(&self, person: &StaffId, chat: &Chat, now_ms: i64) -> bool {
        let mine: Vec<String> = {
            let held = self.held();
            let all = held.open.values().map(|one| &one.waiting);
            all.filter(|one| {
                one.ask.kind == Kind::Approve
                    && one.ask.asker == *person
                    && match &one.ask.place {
                        Place::Group(id) => *id == chat.id,
                        Place::With(_) => chat.kind == ChatKind::Direct,
                    }
            })
            .map(|one| one.id.clone())
            .collect()
        };
        let mut some = false;
        for id in mine {
            match self.decide(&id, Answer::Withdrawn, now_ms).await {
                Ok(withdrawn) => some |= withdrawn,
                Err(error) => tracing::error!(%error, "an approval cannot be withdrawn"),
            }
        }
        some
    }

    /// What was allowed turns out to be another thing: nothing comes of it, and whoever tries it again is told so.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn overrule(&self, id: &str, now_ms: i64) -> Result<(), Error> {
        self.write_end(id, Ended::Refused, None, now_ms).await
    }

    /// The approval that was asked for last and waits.
    pub fn newest(&self) -> Option<Waiting> {
        let held = self.held();
        let all = held.open.values().map(|one| &one.waiting);
        all.filter(|one| one.ask.kind == Kind::Approve).max_by_key(|one| one.ask.until_ms).cloned()
    }

    /// Forgets what was asked before `before_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn sweep(&self, before_ms: i64) -> Result<(), Error> {
        let Some(store) = &self.store else { return Ok(()) };
        store.write(move |c| table::sweep(c, before_ms)).await
    }

    async fn write_end(
        &self,
        id: &str,
        ended: Ended,
        by: Option<String>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let Some(store) = &self.store else { return Ok(()) };
        let id = id.to_owned();
        store.write(move |c| table::end(c, &id, ended, by.as_deref(), now_ms)).await
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Counts one more for this person.
    fn may_ask(&mut self, person: &StaffId, now_ms: i64) -> Result<(), TooMany> {
        let waiting = self.open.values().map(|one| &one.waiting.ask);
        let waiting = waiting.filter(|ask| ask.kind == Kind::Approve && ask.asker == *person);
        if waiting.count() >= MOST_OPEN {
            return Err(TooMany);
        }
        self.asked.retain(|_, times| {
            times.retain(|at| (0..WINDOW_MS).contains(&(now_ms - at)));
            !times.is_empty()
        });
        let times = self.asked.entry(person.clone()).or_default();
        if times.len() >= MOST_ASKED {
            return Err(TooMany);
        }
        times.push(now_ms);
        Ok(())
    }

    /// A number that no open question has.
    fn fresh_code(&self) -> String {
        loop {
            let code = rand::random_range(1000..=9999).to_string();
            let taken = self.open.values().any(|one| one.waiting.code == code);
            // More than nine thousand that wait are told apart by chat and person, as far as that goes.
            if !taken || self.open.len() >= 9_000 {
                return code;
            }
        }
    }
}

impl Open {
    /// Adds what was not known when it was opened.
    pub fn update(&mut self, change: impl Fn(&mut Waiting)) {
        change(&mut self.waiting);
        if let Some(one) = self.asks.held().open.get_mut(&self.waiting.id) {
            change(&mut one.waiting);
        }
    }

    /// Writes it down: before anybody can see it.
    ///
    /// # Errors
    /// When the journal does not take it.
    pub async fn keep(&self, now_ms: i64) -> Result<(), Error> {
        let Some(store) = &self.asks.store else { return Ok(()) };
        let (waiting, actions) = (self.waiting.clone(), self.actions.clone());
        store.write(move |c| table::insert(c, &waiting, &actions, now_ms)).await
    }

    /// Waits for the answer of a button or a number.
    ///
    /// # Cancel safety
    /// Cancel safe: what was answered meanwhile is found by the next call, until one has returned.
    pub async fn answer(&mut self) -> Answer {
        if !self.heard {
            let answer = (&mut self.answered).await;
            self.heard = true;
            if let Ok(answer) = answer {
                return answer;
            }
        }
        // Taken from the list without an answer: only by its own end.
        std::future::pending().await
    }

    /// Ends it otherwise: by a message, by the clock. What was decided in the same moment wins, and is returned.
    pub async fn close(
        mut self,
        ended: Ended,
        by: Option<&StaffId>,
        now_ms: i64,
    ) -> Option<Answer> {
        if self.heard {
            return None;
        }
        let id = self.waiting.id.clone();
        if self.asks.held().open.remove(&id).is_none() {
            // Somebody has taken it: what they say is on its way.
            return (&mut self.answered).await.ok();
        }
        let by = by.map(ToString::to_string);
        if let Err(error) = self.asks.write_end(&id, ended, by, now_ms).await {
            tracing::error!(%error, "the end of a question cannot be noted");
        }
        None
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.asks.held().open.remove(&self.waiting.id);
    }
}

fn ended(kind: Kind, answer: &Answer) -> Ended {
    match (kind, answer) {
        (Kind::Approve, Answer::Choice { index: 0, .. }) => Ended::Allowed,
        (Kind::Approve, Answer::Choice { .. }) | (_, Answer::Changed) => Ended::Refused,
        (_, Answer::Choice { .. }) => Ended::Answered,
        (_, Answer::Withdrawn) => Ended::Withdrawn,
    }
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The key that a click sends back, if it can be one of ours.
pub fn key(action: &CardAction) -> Option<&str> {
    let key = action.params.get(PARAMETER).and_then(Value::as_str)?;
    let fits = key.len() == 32 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    fits.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Lang;

    fn ask(person: &str, kind: Kind) -> Ask {
        Ask {
            run: "run".to_owned(),
            kind,
            question: "really?".to_owned(),
            lang: Lang::En,
            asker: StaffId::new(person),
            place: Place::With(StaffId::new(person)),
            approvers: None,
            digest: String::new(),
            until_ms: 1_000,
            buttons: 2,
        }
    }

    #[tokio::test]
    async fn an_answer_counts_once_and_a_closed_question_takes_none() {
        let asks = Asks::default();
        let mut open = asks.begin(ask("ann", Kind::Approve), 0).unwrap();
        let Found::Waits(found, 1) = asks.by_action(&open.actions[1]).await else {
            panic!("it waits")
        };
        assert!(matches!(asks.by_action(&"0".repeat(32)).await, Found::Nothing));
        let yes = || Answer::Choice { index: 0, by: StaffId::new("ann"), name: String::new() };
        assert!(asks.decide(&found.id, yes(), 1).await.unwrap());
        assert!(!asks.decide(&found.id, yes(), 1).await.unwrap(), "once");
        assert_eq!(open.answer().await, yes());
        let open = asks.begin(ask("ann", Kind::Approve), 2).unwrap();
        let id = open.waiting.id.clone();
        drop(open);
        assert!(!asks.decide(&id, yes(), 3).await.unwrap());
        // What was decided in the moment of the end wins.
        let open = asks.begin(ask("ann", Kind::Approve), 4).unwrap();
        assert!(asks.decide(&open.waiting.id, yes(), 5).await.unwrap());
        assert_eq!(open.close(Ended::Expired, None, 5).await, Some(yes()));
    }

    #[test]
    fn j5_one_person_has_few_approvals_waiting_and_asks_for_not_too_many() {
        let asks = Asks::default();
        let begin = |who, now| asks.begin(ask(who, Kind::Approve), now);
        let mut waiting: Vec<Open> = (0..MOST_OPEN).map(|_| begin("ann", 0).unwrap()).collect();
        assert_eq!(begin("ann", 1).unwrap_err(), TooMany);
        assert!(begin("bob", 1).is_ok() && asks.begin(ask("ann", Kind::Ask), 1).is_ok());
        waiting.clear();
        for n in MOST_OPEN..MOST_ASKED {
            assert!(begin("ann", 2).is_ok(), "{n}");
        }
        assert_eq!(begin("ann", 3).unwrap_err(), TooMany);
        assert!(begin("ann", WINDOW_MS).is_ok(), "the first ones are an hour ago");
    }

    #[test]
    fn a_key_is_128_bits_and_nothing_else() {
        let click = |action: Value| CardAction {
            id: String::new(),
            card_id: String::new(),
            staff_id: None,
            corp_id: None,
            conversation_id: None,
            action_ids: Vec::new(),
            params: [("action".to_owned(), action)].into_iter().collect(),
        };
        assert!(key(&click(random().into())).is_some());
        for other in [
            Value::Null,
            7.into(),
            "stop".into(),
            "".into(),
            random().to_uppercase().replace(char::is_numeric, "A").into(),
            format!("{} ", random()).into(),
            vec![random()].into(),
        ] {
            assert!(key(&click(other.clone())).is_none(), "{other}");
        }
    }
}
