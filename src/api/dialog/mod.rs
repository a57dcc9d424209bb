//! `ctx:ask`, `ctx:choose`, `ctx:confirm`, `ctx:approve`: questions to people, answered in the same chat; and the question
//! that a handler with `confirm` asks before it runs.
//!
//! A question is open for one person in one chat (a lane); their next message there is the answer and goes past the
//! run that waits for it. What they had sent before the question is no answer and waits for its turn as ever. While a
//! question is open the run's wall clock stands still. Where the card template has buttons, they answer as well.
//!
//! What is asked is never cut, bears the time until which it can be answered, and is bound to both. An approval is about
//! something exact, and may be for somebody else to give ([`request`]).

mod about;
mod approve;
mod asking;
mod open;
mod plan;
mod read;
mod request;
mod tell;

use std::fmt::Write as _;

use mlua::{LuaString, Result as LuaResult, Value};

use crate::api::Call;
use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::media;
use crate::api::options::{Options, text_of};
use crate::asks;
use crate::asks::Ended;
use crate::asks::Kind;
use crate::dingtalk::text::PIECE_CHARS;
use crate::sink::clean;
use crate::sink::markdown::escape;
use crate::words;
use crate::words::Lang;

use asking::{Asked, Asking, Heard, Shown};
use read::{pick, yes_or_no};

pub use approve::Approval;
pub(crate) use approve::{Before, before};
pub use open::Dialogs;

pub(super) use approve::approve;

/// How often somebody is asked before an answer that makes no sense counts as none.
const TRIES: usize = 3;

/// More than anybody chooses from on a phone.
const MAX_CHOICES: usize = 50;

/// Characters of a question that stand in the first line of its card.
const TITLE_CHARS: usize = 90;

/// Characters that a card surely shows whole, as Markdown.
const CARD_CHARS: usize = 2_000;

/// Characters of a question that stand in a message, if all of it is in a file.
const BEGINNING: usize = 500;

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
    let shown = Shown {
        text: question.clone(),
        title: String::new(),
        body: String::new(),
        labels: Vec::new(),
    };
    let answered = converse(call, timeout, Kind::Ask, &question, shown, |heard, _| match heard {
        Heard::Text(text) => Ok(text),
        Heard::Button { .. } => Err(String::new()),
    });
    Ok(answered.await?.into())
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
    let mut text = question.clone();
    for (n, choice) in choices.iter().enumerate() {
        let _ = write!(text, "\n{}. {choice}", n + 1);
    }
    let list = text[question.len()..].to_owned();
    let labels = choices.iter().map(|choice| asks::marked(choice)).collect();
    let shown = shown(&question, &list, text, labels);
    let answered = converse(call, timeout, Kind::Choose, &question, shown, |heard, lang| {
        let chosen = match heard {
            Heard::Button { index, .. } => Some(index),
            Heard::Text(text) => match pick(&text, &choices) {
                Ok(n) => Some(n),
                Err(near) => {
                    let near = near.map(|n| choices[n].as_str());
                    return Err(words::dialogs::again(near, choices.len(), lang));
                }
            },
        };
        chosen.and_then(|n| choices.get(n).cloned()).ok_or_else(String::new)
    });
    Ok(answered.await?.into())
}

/// `ctx:confirm`, see `ctx.d.luau`. A plain one is a question to whoever wrote, and only a message that is nothing but a yes
/// is one; about something exact, or for others to decide, it is an approval.
pub(super) async fn confirm(
    call: Call,
    (question, mut options): (Value, Options),
) -> LuaResult<Outcome<bool>> {
    let question = question_of(&question)?;
    let timeout = options.duration("timeout")?;
    let about = options.value("about")?;
    let approvers = request::approvers_of(&mut options)?;
    options.finish()?;
    if !about.is_nil() || approvers.is_some() {
        return about::confirm(call, &question, about, (approvers, timeout)).await;
    }
    let lang = call.run.lang();
    let how = words::dialogs::yes_or_no(lang);
    let labels = [words::approvals::yes(lang), words::approvals::no(lang)];
    let labels = labels.map(str::to_owned).to_vec();
    let shown = shown(&question, "", format!("{question} {how}"), labels);
    let answered = converse(call, timeout, Kind::Confirm, &question, shown, |heard, lang| {
        let said = match heard {
            Heard::Button { index, .. } => Some(index == 0),
            Heard::Text(text) => yes_or_no(&text),
        };
        said.ok_or_else(|| words::dialogs::just_yes_or_no(lang).to_owned())
    });
    Ok(answered.await?.into())
}

/// Asks whoever wrote until `read` understands an answer, a few times at most; what it says instead is said.
async fn converse<T>(
    call: Call,
    timeout: Option<std::time::Duration>,
    kind: Kind,
    question: &str,
    shown: Shown,
    read: impl Fn(Heard, Lang) -> Result<T, String>,
) -> LuaResult<Result<T, Failure>> {
    let mut asking = Asking::new(call, timeout)?;
    let run = std::sync::Arc::clone(&asking.call.run);
    let _patience = run.waits_for_a_person();
    let labels = shown.labels.clone();
    if let Err(late) = asking.listen().await {
        return Ok(Err(late));
    }
    let shown = whole(&asking, question, shown).await?;
    let fits = shown.title.chars().count() + shown.body.chars().count() <= CARD_CHARS;
    let buttons = if labels.is_empty() || !fits { 0 } else { asking.buttons(&labels)? };
    let place = asking.place();
    let asked = Asked { kind, question, about: "", place, approvers: None, buttons };
    asking.pose(asked).map(drop).expect("only approvals are counted");
    asking.show(shown, asking.here()).await?;
    for left in (0..TRIES).rev() {
        let heard = match asking.hear().await {
            Ok(heard) => heard,
            Err(failure) => {
                let (ended, line) = match failure.kind {
                    "timeout" => (Ended::Expired, asking.late_line()),
                    _ => (Ended::Withdrawn, words::approvals::cancelled(asking.lang).to_owned()),
                };
                let Some(pressed) = asking.end(ended, None, &line).await else {
                    return Ok(Err(failure));
                };
                return Ok(
                    pressed.and_then(|heard| read(heard, asking.lang).map_err(|_| unclear()))
                );
            }
        };
        let (by, name, pressed) = match &heard {
            Heard::Button { by, name, .. } => (by.clone(), asking.called(by, name.clone()), true),
            Heard::Text(_) => (asking.asker(), asking.message.sender.nick.clone(), false),
        };
        let label = match &heard {
            Heard::Button { index, .. } => labels.get(*index).cloned().unwrap_or_default(),
            Heard::Text(text) => clean(&text.chars().take(40).collect::<String>()).into_owned(),
        };
        match read(heard, asking.lang) {
            Ok(value) => {
                let line = tell::chosen(&label, &tell::by(&name, &by, asking.now_ms()));
                if pressed {
                    asking.answered(&line);
                } else if let Some(Ok(heard)) = asking.end(Ended::Answered, Some(&by), &line).await
                {
                    // A button was a moment faster.
                    return Ok(read(heard, asking.lang).map_err(|_| unclear()));
                }
                return Ok(Ok(value));
            }
            // Nothing is asked once more after the last try.
            Err(_) if left == 0 => {}
            Err(again) => {
                if let Err(late) = asking.listen().await {
                    asking.end(Ended::Expired, None, &asking.late_line()).await;
                    return Ok(Err(late));
                }
                asking.say(again).await?;
            }
        }
    }
    asking.end(Ended::Withdrawn, None, words::approvals::cancelled(asking.lang)).await;
    Ok(Err(unclear()))
}

/// The question with its end under it, and all of it: what no message holds goes before it as a file.
async fn whole(asking: &Asking, question: &str, shown: Shown) -> LuaResult<Shown> {
    let lang = asking.lang;
    let until = tell::clock_time(asking.until_ms, asking.now_ms());
    let until = words::approvals::open_until(&until, lang);
    let length = shown.text.chars().count();
    let mut text = shown.text;
    if length > PIECE_CHARS {
        let name = format!("question-{}.txt", asking.call.run.id());
        let all = format!("{text}\n\n{until}\n");
        // Where no file can be sent it is said in several messages.
        if let Ok(file) = media::attach(&asking.call, &asking.here(), &name, &all).await? {
            let beginning: String = question.chars().take(BEGINNING).collect();
            text = format!("{beginning}…\n{}", words::approvals::in_file(&file, length, lang));
        }
    }
    Ok(Shown {
        text: format!("{text}\n{until}"),
        body: format!("{}\n\n{until}", shown.body),
        ..shown
    })
}

/// A question in words, and as a card: in its first line, or below if it is long.
fn shown(question: &str, below: &str, text: String, labels: Vec<String>) -> Shown {
    let short = question.chars().count() <= TITLE_CHARS && !question.contains('\n');
    let (title, head) = if short { (question, "") } else { ("", question) };
    let body = escape(format!("{head}{below}").trim_start_matches('\n'));
    // Lines of a list are lines of Markdown too.
    Shown { text, title: title.to_owned(), body: body.replace('\n', "  \n"), labels }
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
