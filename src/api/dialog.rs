//! `ctx:ask`, `ctx:choose`, `ctx:confirm`: questions to the person who wrote, answered in the same chat.
//!
//! A question is open for one person in one chat (a lane); their next message there is the answer and goes past the
//! run that waits for it. What they had sent before the question is no answer and waits for its turn as ever. While a
//! question is open the run's wall clock stands still.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mlua::{LuaString, Result as LuaResult, Value};
use tokio::sync::{Notify, oneshot};

use crate::api::Call;
use crate::api::ctx::address;
use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::options::{Options, text_of};
use crate::api::time::format_duration;
use crate::clock::Stopwatch;
use crate::message::Address;
use crate::message::Body;
use crate::message::ChatKind;
use crate::message::Reply;
use crate::words;
use crate::words::Lang;

/// How long a question stays open, unless the script says otherwise.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Who has not answered after a day will not.
const LONGEST: Duration = Duration::from_hours(24);

/// How often somebody is asked before an answer that makes no sense counts as none.
const TRIES: usize = 3;

/// More than anybody chooses from on a phone.
const MAX_CHOICES: usize = 50;

/// What came to a question.
#[derive(Debug)]
enum Answer {
    Text(String),
    /// The person left the dialog: `cancel`, `取消`.
    Cancelled,
}

/// The questions that are open, by lane; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Dialogs(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<HashMap<String, Open>>,
    /// Wakes whoever waits until another run's question in the lane is closed.
    closed: Notify,
}

#[derive(Debug)]
struct Open {
    answer: oneshot::Sender<Answer>,
    /// A message that came after the question is on its way to be the answer.
    coming: bool,
}

impl Dialogs {
    /// Whether a message of this lane that has just come is the answer to a question; the one after it is not.
    pub fn take_next(&self, lane: &str) -> bool {
        match self.open().get_mut(lane) {
            Some(open) if !open.coming => {
                open.coming = true;
                true
            }
            _ => false,
        }
    }

    /// Whether the answer that [`Dialogs::take_next`] announced is still waited for.
    pub fn awaits(&self, lane: &str) -> bool {
        self.open().get(lane).is_some_and(|open| open.coming)
    }

    /// What was announced is no answer after all; the next message may be one.
    pub fn put_back(&self, lane: &str) {
        if let Some(open) = self.open().get_mut(lane) {
            open.coming = false;
        }
    }

    /// Hands over the answer; `false`: nobody waits for it any more.
    pub fn answer(&self, lane: &str, text: &str) -> bool {
        self.end(lane, Answer::Text(text.to_owned()))
    }

    /// The person does not want to answer; `false`: nothing was asked.
    pub fn cancel(&self, lane: &str) -> bool {
        self.end(lane, Answer::Cancelled)
    }

    fn end(&self, lane: &str, answer: Answer) -> bool {
        let open = self.open().remove(lane);
        self.0.closed.notify_waiters();
        open.is_some_and(|open| open.answer.send(answer).is_ok())
    }

    /// Opens a question in `lane`, once there is no other.
    async fn begin(&self, lane: &str) -> Question {
        loop {
            let closed = self.0.closed.notified();
            tokio::pin!(closed);
            // Before looking, or the wake-up between the two is lost.
            closed.as_mut().enable();
            if let Some(question) = self.try_begin(lane) {
                return question;
            }
            closed.await;
        }
    }

    fn try_begin(&self, lane: &str) -> Option<Question> {
        let mut open = self.open();
        if open.contains_key(lane) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        open.insert(lane.to_owned(), Open { answer, coming: false });
        Some(Question { dialogs: self.clone(), lane: lane.to_owned(), answered })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open question; dropping it closes it.
#[derive(Debug)]
struct Question {
    dialogs: Dialogs,
    lane: String,
    answered: oneshot::Receiver<Answer>,
}

impl Drop for Question {
    fn drop(&mut self) {
        // Closed first: so it is this question's entry whose receiver is gone, and not the next one's.
        self.answered.close();
        let mut open = self.dialogs.open();
        if open.get(&self.lane).is_some_and(|open| open.answer.is_closed()) {
            open.remove(&self.lane);
        }
        drop(open);
        self.dialogs.0.closed.notify_waiters();
    }
}

/// A conversation of one call: what is asked again takes no new time.
struct Asking {
    call: Call,
    lane: String,
    lang: Lang,
    since: Stopwatch,
    timeout: Duration,
}

impl Asking {
    fn new(call: Call, timeout: Option<Duration>) -> LuaResult<Self> {
        let message = call.run.message();
        let Some(message) = message else {
            return Err(misuse("no message started this run, so there is nobody to ask"));
        };
        let (lane, lang) = (message.lane(), call.run.lang());
        let timeout = timeout.unwrap_or(TIMEOUT);
        if timeout > LONGEST {
            return Err(misuse("option `timeout`: 24h are the most"));
        }
        let since = call.host.clock().start();
        Ok(Self { call, lane, lang, since, timeout })
    }

    /// Says `text` and waits for the next message of this person in this chat.
    async fn ask(&self, text: String) -> LuaResult<Result<String, Failure>> {
        let run = &self.call.run;
        let _patience = run.waits_for_a_person();
        let left = self.timeout.saturating_sub(self.since.elapsed());
        let late = self.since.clock().sleep(left);
        tokio::pin!(late);
        let mut question = tokio::select! {
            question = self.call.host.dialogs().begin(&self.lane) => question,
            () = &mut late => return Ok(Err(self.late())),
        };
        self.say(text).await?;
        let answered = tokio::select! {
            biased; // an answer in the last moment is one
            answered = &mut question.answered => answered,
            () = &mut late => return Ok(Err(self.late())),
        };
        Ok(match answered {
            Ok(Answer::Text(text)) => Ok(text),
            // The sender goes only with an answer; whatever else happens is no answer either.
            Ok(Answer::Cancelled) | Err(_) => {
                Err(Failure::new("cancelled", "the person left the question"))
            }
        })
    }

    /// On disk before an answer can come, after whatever the run said before.
    async fn say(&self, text: String) -> LuaResult<()> {
        let run = &self.call.run;
        // Where the answer will come from, also when the results go to the person alone.
        let to = match run.message() {
            Some(message) => Address::from(&**message),
            None => address(&self.call)?,
        };
        let at = match (to.kind, run.message()) {
            // In a group it is seen who is asked.
            (ChatKind::Group, Some(message)) => message.sender.staff_id.iter().cloned().collect(),
            _ => Vec::new(),
        };
        run.reply(Reply { to, body: Body::Text { text }, at })?;
        let outbox = self.call.host.outbox()?;
        let said = outbox.post(run.id(), run.take_pending()).await;
        said.map_err(|error| misuse(format!("the question was not kept: {error}")))
    }

    fn late(&self) -> Failure {
        Failure::new("timeout", format!("no answer within {}", format_duration(self.timeout)))
            .hint("ask again, or give the person longer: `timeout = \"1h\"`")
    }
}

fn unclear() -> Failure {
    Failure::new("unclear", format!("no clear answer after {TRIES} tries"))
}

/// `ctx:ask`, see `ctx.d.luau`. Cancel safe: dropped, the question is closed.
pub(super) async fn ask(
    call: Call,
    (question, mut options): (Value, Options),
) -> LuaResult<Outcome<String>> {
    let question = question_of(&question)?;
    let timeout = options.duration("timeout")?;
    options.finish()?;
    Ok(Asking::new(call, timeout)?.ask(question).await?.into())
}

/// `ctx:choose`, see `ctx.d.luau`.
pub(super) async fn choose(
    call: Call,
    (question, choices, mut options): (Value, Value, Options),
) -> LuaResult<Outcome<String>> {
    let question = question_of(&question)?;
    let choices = choices_of(&choices)?;
    let timeout = options.duration("timeout")?;
    options.finish()?;
    let asking = Asking::new(call, timeout)?;
    let mut text = question;
    for (n, choice) in choices.iter().enumerate() {
        let _ = write!(text, "\n{}. {choice}", n + 1);
    }
    for _ in 0..TRIES {
        let answer = match asking.ask(text).await? {
            Ok(answer) => answer,
            Err(failure) => return Ok(failure.into()),
        };
        match pick(&answer, &choices) {
            Ok(n) => return Ok(Outcome::Value(choices[n].clone())),
            Err(near) => {
                text = words::dialogs::again(
                    near.map(|n| choices[n].as_str()),
                    choices.len(),
                    asking.lang,
                );
            }
        }
    }
    Ok(unclear().into())
}

/// `ctx:confirm`, see `ctx.d.luau`. Only a message that is nothing but a yes is one.
pub(super) async fn confirm(
    call: Call,
    (question, mut options): (Value, Options),
) -> LuaResult<Outcome<bool>> {
    let question = question_of(&question)?;
    let timeout = options.duration("timeout")?;
    options.finish()?;
    let asking = Asking::new(call, timeout)?;
    let how = words::dialogs::yes_or_no(asking.lang);
    let mut text = format!("{question} {how}");
    for _ in 0..TRIES {
        let answer = match asking.ask(std::mem::take(&mut text)).await? {
            Ok(answer) => answer,
            Err(failure) => return Ok(failure.into()),
        };
        if let Some(said) = yes_or_no(&answer) {
            return Ok(Outcome::Value(said));
        }
        let again = words::dialogs::just_yes_or_no(asking.lang);
        again.clone_into(&mut text);
    }
    Ok(unclear().into())
}

fn question_of(value: &Value) -> LuaResult<String> {
    let wrong = |got: &str| misuse(format!("argument #1 (`question`): expected text, got {got}"));
    let text = match value {
        Value::String(text) => text.to_string_lossy(),
        other => text_of(other).ok_or_else(|| wrong(type_name(other)))?,
    };
    if text.trim().is_empty() { Err(wrong("\"\"")) } else { Ok(text) }
}

fn choices_of(value: &Value) -> LuaResult<Vec<String>> {
    let wrong = |got: &str| {
        misuse(format!(
            "argument #2 (`choices`): expected a list of 1 to {MAX_CHOICES} texts, got {got}"
        ))
    };
    let Value::Table(list) = value else { return Err(wrong(type_name(value))) };
    let choices: Vec<String> = list
        .sequence_values::<LuaString>()
        .map(|choice| choice.map(|choice| choice.to_string_lossy()))
        .collect::<LuaResult<_>>()
        .map_err(|_| wrong("something that is no text"))?;
    match choices.len() {
        1..=MAX_CHOICES => Ok(choices),
        n => Err(wrong(&format!("{n}"))),
    }
}

/// As it is compared: half-width, small letters, nothing around it.
fn plain(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    let text: String = text.chars().map(narrow).flat_map(char::to_lowercase).collect();
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || matches!(c, '.' | ',' | '!' | '?' | '。' | '，' | '、' | '~' | '"' | '“' | '”')
    })
    .to_owned()
}

/// The choice that somebody means: its number, its text or its beginning; else the nearest, to be asked about.
fn pick(answer: &str, choices: &[String]) -> Result<usize, Option<usize>> {
    let said = plain(answer);
    let names: Vec<String> = choices.iter().map(|choice| plain(choice)).collect();
    // A choice that is a number itself is meant before the one in that place.
    if let Some(n) = names.iter().position(|name| *name == said) {
        return Ok(n);
    }
    let number = said.trim_end_matches(['.', ')', '、']).parse::<usize>().ok();
    if let Some(n) = number.filter(|n| (1..=choices.len()).contains(n)) {
        return Ok(n - 1);
    }
    let mut begin =
        names.iter().enumerate().filter(|(_, name)| !said.is_empty() && name.starts_with(&said));
    if let (Some((n, _)), None) = (begin.next(), begin.next()) {
        return Ok(n);
    }
    let distance = |name: &String| strsim::damerau_levenshtein(name, &said);
    let near = (0..names.len()).min_by_key(|&n| distance(&names[n]));
    // One sign is one slip away from any other.
    let guess = |n: &usize| {
        said.chars().count() > 1 && distance(&names[*n]) <= 1 + names[*n].chars().count() / 3
    };
    Err(near.filter(guess))
}

fn yes_or_no(answer: &str) -> Option<bool> {
    match plain(answer).as_str() {
        "yes" | "y" | "ok" | "okay" | "sure" | "是" | "是的" | "好" | "好的" | "对" | "行"
        | "可以" | "确认" | "确定" | "同意" => Some(true),
        "no" | "n" | "nope" | "否" | "不" | "不是" | "不要" | "不行" | "不可以" | "不好"
        | "不同意" | "别" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_taken_by_number_text_and_beginning_and_guessed_at_otherwise() {
        let choices: Vec<String> = ["staging", "prod", "7", "生产"].map(str::to_owned).into();
        for (said, expected) in [
            ("1", Ok(0)),
            ("２。", Ok(1)),
            ("PROD", Ok(1)),
            ("st", Ok(0)),
            ("7", Ok(2)),
            ("生产！", Ok(3)),
            ("prdo", Err(Some(1))),
            ("5", Err(None)),
            ("", Err(None)),
            ("whatever", Err(None)),
        ] {
            assert_eq!(pick(said, &choices), expected, "`{said}`");
        }
    }

    #[test]
    fn only_a_message_that_is_nothing_but_a_yes_is_one() {
        for yes in ["yes", "Y", " OK! ", "是", "好的。", "ｙｅｓ", "确认"] {
            assert_eq!(yes_or_no(yes), Some(true), "{yes}");
        }
        for no in ["no", "N", "否", "不", "不要！", "不行"] {
            assert_eq!(yes_or_no(no), Some(false), "{no}");
        }
        for neither in ["", "yes please", "not yes", "不是不行", "maybe", "y n", "👍"] {
            assert_eq!(yes_or_no(neither), None, "{neither}");
        }
    }

    #[tokio::test]
    async fn one_message_answers_one_question_and_a_closed_one_takes_none() {
        let dialogs = Dialogs::default();
        assert!(!dialogs.take_next("a") && !dialogs.answer("a", "x"));
        let mut first = dialogs.begin("a").await;
        assert!(!dialogs.awaits("a"), "nothing has come");
        assert!(dialogs.take_next("a") && dialogs.awaits("a"));
        assert!(!dialogs.take_next("a"), "the second message is none");
        assert!(!dialogs.take_next("b"), "nor is another person's");
        assert!(dialogs.answer("a", "x"));
        assert!(matches!((&mut first.answered).await, Ok(Answer::Text(text)) if text == "x"));
        // The next question is not closed by the end of the last one.
        let second = dialogs.begin("a").await;
        drop(first);
        assert!(dialogs.take_next("a"));
        drop(second);
        assert!(!dialogs.awaits("a") && !dialogs.cancel("a"));
    }
}
