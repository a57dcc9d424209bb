//! Who gets a message: the one decision, for the dispatcher that acts on it and for `explain` that only tells.
//!
//! The gates stand in this order: who it is, control words, an open dialog, commands, matches, fallbacks, and then nobody. A gate that
//! took the message says by its [`Verdict`] that those before it did not; what was there but not for this person is in
//! [`Decision::hidden`]. Nothing is collected that a decision does not need, so telling costs the dispatcher nothing.

use chrono::NaiveDate;
use serde_json::{Map, Value as Json};

use super::phrases;
use super::rights;
use crate::access;
use crate::access::Access;
use crate::access::Action;
use crate::access::Actor;
use crate::access::Denied;
use crate::access::Door;
use crate::message::Chat;
use crate::message::Message;
use crate::router::After;
use crate::router::Args;
use crate::router::Asked;
use crate::router::Captures;
use crate::router::Choice;
use crate::router::Control;
use crate::router::Handler;
use crate::router::Problem;
use crate::router::Routes;
use crate::router::Value;
use crate::script::Target;
use crate::words::Lang;

/// What becomes of a message of somebody who may write to the bot.
#[derive(Debug)]
pub struct Decision<'r> {
    pub verdict: Verdict<'r>,
    /// Patterns and fallbacks that would have taken it, but are not there for this person; in the order of asking.
    pub hidden: Vec<&'r Handler<Target>>,
}

#[derive(Debug)]
pub enum Verdict<'r> {
    /// A word of the host's own.
    Control(Control),
    Help {
        topic: Option<String>,
    },
    /// It answers a question that a script has asked.
    Answer,
    /// A command that is not for this person, or not here.
    NotForYou {
        handler: &'r Handler<Target>,
        why: Denied,
    },
    /// A command, but not as it was written.
    BadArguments {
        handler: &'r Handler<Target>,
        problem: Problem,
    },
    /// This handler runs; when it hands on, [`after`] says who is next.
    Run {
        handler: &'r Handler<Target>,
        args: Json,
        after: After,
    },
    /// Nobody wants it. Empty when the message has no text.
    Nobody {
        word: String,
    },
}

impl<'r> Verdict<'r> {
    /// The handler that runs, or for which the message was meant.
    pub fn handler(&self) -> Option<&'r Handler<Target>> {
        match self {
            Self::NotForYou { handler, .. }
            | Self::BadArguments { handler, .. }
            | Self::Run { handler, .. } => Some(handler),
            Self::Control(_) | Self::Help { .. } | Self::Answer | Self::Nobody { .. } => None,
        }
    }

    /// What the host answers itself; `None` when that depends on more than the message.
    pub fn answer(
        &self,
        access: &Access,
        routes: &Routes<Target>,
        actor: &Actor,
        chat: &Chat,
        lang: Lang,
    ) -> Option<String> {
        let allowed = |handler: &Handler<Target>| sees(access, actor, chat, handler).is_ok();
        match self {
            Self::Control(_) | Self::Answer | Self::Run { .. } => None,
            Self::Help { topic } => Some(routes.help(topic.as_deref(), lang, allowed)),
            Self::NotForYou { handler, why } => Some(phrases::denied(handler.title(), why, lang)),
            Self::BadArguments { handler, problem } => Some(handler.explain(problem, lang)),
            Self::Nobody { word } if word.is_empty() => Some(routes.help(None, lang, allowed)),
            Self::Nobody { word } => Some(routes.unknown(word, lang, allowed)),
        }
    }
}

/// Decides about a message that has just been claimed; `asked_for`: a question waits for it.
///
/// # Errors
/// When its sender may not write to the bot at all.
pub fn decide<'r>(
    access: &Access,
    run: &str,
    routes: &'r Routes<Target>,
    message: &Message,
    today: NaiveDate,
    asked_for: bool,
) -> Result<(Actor, Decision<'r>), Denied> {
    let door = if asked_for { Door::Answer } else { Door::Message };
    let actor = access.actor(&message.sender, Some(&message.chat), door);
    access.authorize(&actor, Some(&message.chat), None, Action::Speak { run })?;
    let decision = choose(access, routes, &actor, message, today);
    let decision = match decision.verdict {
        Verdict::Control(_) | Verdict::Help { .. } => decision,
        _ if asked_for => Decision { verdict: Verdict::Answer, hidden: Vec::new() },
        _ => decision,
    };
    Ok((actor, decision))
}

/// Whether a handler is there for this person, in this chat.
///
/// # Errors
/// Why not.
pub fn sees(
    access: &Access,
    actor: &Actor,
    chat: &Chat,
    handler: &Handler<Target>,
) -> Result<(), Denied> {
    let asked = access::Handler { name: handler.title(), terms: &handler.terms };
    access.authorize(actor, Some(chat), Some(asked), Action::See)
}

/// Whether this person may say this word of the host's own, and what they read if not. (Whose run it is about only the
/// running host looks up.)
///
/// # Errors
/// Why not.
pub fn says(
    access: &Access,
    actor: &Actor,
    chat: &Chat,
    control: &Control,
    lang: Lang,
) -> Result<(), (Denied, String)> {
    let (word, role) = (rights::word_of(control), rights::role_for(control));
    let action = Action::Control { word, role, run: "" };
    access.authorize(actor, Some(chat), None, action).map_err(|why| {
        let told = phrases::denied(word, &why, lang);
        (why, told)
    })
}

/// Decides for somebody who may write, with no question open.
pub fn choose<'r>(
    access: &Access,
    routes: &'r Routes<Target>,
    actor: &Actor,
    message: &Message,
    today: NaiveDate,
) -> Decision<'r> {
    let asked = Asked { today, mentions: &message.mentions };
    let choice = routes.choose(&message.text, &asked);
    settle(access, routes, actor, message, choice)
}

/// Decides again, after a handler that handed on.
pub fn after<'r>(
    access: &Access,
    routes: &'r Routes<Target>,
    actor: &Actor,
    message: &Message,
    after: After,
) -> Decision<'r> {
    settle(access, routes, actor, message, routes.choose_after(&message.text, after))
}

fn settle<'r>(
    access: &Access,
    routes: &'r Routes<Target>,
    actor: &Actor,
    message: &Message,
    mut choice: Choice<'r, Target>,
) -> Decision<'r> {
    let sees = |handler: &Handler<Target>| sees(access, actor, &message.chat, handler);
    let text = message.text.as_str();
    let mut hidden = Vec::new();
    let verdict = loop {
        choice = match choice {
            Choice::Control(control) => break Verdict::Control(control),
            Choice::Help { topic } => break Verdict::Help { topic },
            Choice::Unknown { word } => break Verdict::Nobody { word },
            Choice::Command { handler, .. } | Choice::BadArguments { handler, .. }
                if let Err(why) = sees(handler) =>
            {
                break Verdict::NotForYou { handler, why };
            }
            // What is not for this person is not there for this person.
            Choice::Match { handler, after, .. } | Choice::Fallback { handler, after }
                if sees(handler).is_err() =>
            {
                hidden.push(handler);
                routes.choose_after(text, after)
            }
            Choice::BadArguments { handler, problem } => {
                break Verdict::BadArguments { handler, problem };
            }
            Choice::Command { handler, args, after } => {
                break Verdict::Run { handler, args: json_of(&args), after };
            }
            Choice::Match { handler, captures, after } => {
                break Verdict::Run { handler, args: json_of_captures(&captures), after };
            }
            Choice::Fallback { handler, after } => {
                break Verdict::Run { handler, args: Json::Object(Map::new()), after };
            }
        };
    };
    Decision { verdict, hidden }
}

/// Arguments as the script gets them: durations in seconds, dates as `2026-01-31`.
fn json_of(args: &Args) -> Json {
    args.iter()
        .map(|(name, value)| (name.to_owned(), json_of_value(value)))
        .collect::<Map<_, _>>()
        .into()
}

fn json_of_value(value: &Value) -> Json {
    match value {
        Value::String(text) | Value::Path(text) | Value::User(text) => text.as_str().into(),
        Value::Int(n) => (*n).into(),
        Value::Number(n) => (*n).into(),
        Value::Bool(b) => (*b).into(),
        Value::Duration(d) => d.as_secs_f64().into(),
        Value::Date(date) => date.to_string().into(),
        Value::List(list) => list.iter().map(json_of_value).collect::<Vec<_>>().into(),
    }
}

/// A pattern's groups: by name if any has one, else as a list (`ctx.args[1]` is the first).
fn json_of_captures(captures: &Captures) -> Json {
    if captures.named.is_empty() {
        let groups = captures.groups.iter().skip(1);
        return groups
            .map(|group| group.as_deref().map_or(Json::Null, Json::from))
            .collect::<Vec<_>>()
            .into();
    }
    captures
        .named
        .iter()
        .map(|(name, group)| (name.clone(), Json::from(group.as_str())))
        .collect::<Map<_, _>>()
        .into()
}
