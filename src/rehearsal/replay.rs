//! Recorded messages through the scripts of today: who takes them now, what these would say, and nothing happens.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Local};
use serde_json::{Value as Json, json};

use super::idle::Idle;
use super::recording::{Recorded, Recording};
use super::report::Paint;
use super::stage::{Setting, Stage, Unknown};
use super::suite::PATIENCE;
use super::transcript::{command_line, words};
use crate::access::OWNER;
use crate::api::Host;
use crate::inbox::Past;
use crate::message::Inbound;
use crate::sink::escape;
use crate::words::Lang;
use crate::words::commands::replay as w;
use crate::words::commands::runs;
use crate::worker::decision;
use crate::worker::decision::Verdict;

/// How long after the last message those who still wait are waited for.
const AFTERWARDS: Duration = Duration::from_hours(24);

/// Lines of one answer that are shown.
const SHOWN_LINES: usize = 6;

/// What became of each message.
#[derive(Debug)]
pub struct Replayed {
    pub messages: Vec<Compared>,
    /// Scripts that do not load.
    pub broken: Vec<String>,
}

/// A message then and now.
#[derive(Debug)]
pub struct Compared {
    pub then: Recorded,
    /// `None`: a stranger's.
    pub role: Option<String>,
    pub now: Now,
}

/// What becomes of a message now.
#[derive(Clone, Debug, Default)]
pub struct Now {
    pub handler: Option<String>,
    pub ran: bool,
    /// As the journal calls it; `running` of one that still waits for something.
    pub state: String,
    pub error: Option<String>,
    pub says: Vec<String>,
    pub runs: Vec<String>,
    pub calls: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    Same,
    /// Another handler, or none where none was well before.
    Changed,
    /// It was handled, and is no more.
    Broken,
}

impl Compared {
    pub fn difference(&self) -> Difference {
        let handled = self.now.ran && matches!(self.now.state.as_str(), "done" | "running");
        if self.then.was_handled() && !handled {
            Difference::Broken
        } else if self.then.handler != self.now.handler || self.then.ran != self.now.ran {
            Difference::Changed
        } else {
            Difference::Same
        }
    }
}

impl Replayed {
    pub fn count(&self, difference: Difference) -> usize {
        self.messages.iter().filter(|one| one.difference() == difference).count()
    }
}

/// Plays `recording` through the scripts of `dir`. Blocks.
///
/// # Errors
/// When the stage cannot be set up.
pub fn run(recording: &Recording, dir: &Path, host: &Host) -> Result<Replayed, String> {
    let idle = Idle::default();
    let parking = idle.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || parking.parking())
        .build()
        .map_err(|error| format!("the system gives no threads: {error}"))?;
    let setting = Setting {
        scripts: dir.to_owned(),
        only: None,
        owner: recording.owner(),
        unknown: Unknown::Empty,
        alive: false,
        asked: (host.asked().to_vec(), host.consents().cloned()),
    };
    let replayed = runtime.block_on(async {
        let stage = Stage::new(setting, idle).map_err(|error| error.to_string())?;
        play(&stage, recording).await
    });
    runtime.shutdown_background();
    replayed
}

async fn play(stage: &Stage, recording: &Recording) -> Result<Replayed, String> {
    for (person, roles) in &recording.roles {
        for role in roles.iter().filter(|role| *role != OWNER) {
            stage.grant(role, &crate::message::StaffId::new(person));
        }
    }
    if let Some(first) = recording.messages.first() {
        stage.set_time(moment(first), super::transcript::Zone::Local).await?;
    }
    // On the stage each message is one of its own, whatever it was called before.
    let mut late = Vec::new();
    for (number, recorded) in recording.messages.iter().enumerate() {
        let mut message = recorded.message.clone();
        message.id = crate::message::MessageId::new(number.to_string());
        message.webhook = None;
        let gap = (moment(recorded) - stage.clock().now()).to_std().unwrap_or_default();
        let played = async {
            stage.advance(gap).await?;
            stage.accept(message).await
        };
        late.push(tokio::time::timeout(PATIENCE, played).await.is_err());
    }
    let until = crate::clock::later(stage.clock().now(), AFTERWARDS);
    while let Some(due) = stage.next_due().filter(|due| *due <= until) {
        let gap = (due - stage.clock().now()).to_std().unwrap_or_default();
        if tokio::time::timeout(PATIENCE, stage.advance(gap)).await.is_err() {
            break;
        }
    }
    let past: HashMap<String, Past> = stage
        .records()
        .await?
        .into_iter()
        .filter_map(|past| match &past.inbound {
            Some(Inbound::Message(message)) => Some((message.id.to_string(), past)),
            _ => None,
        })
        .collect();
    let mut messages = Vec::with_capacity(recording.messages.len());
    for (number, recorded) in recording.messages.iter().enumerate() {
        let now = match past.get(&number.to_string()) {
            Some(past) => now(stage, recorded, past, late[number]).await?,
            None => Now { state: "lost".to_owned(), ..Now::default() },
        };
        let id = recorded.message.sender.key();
        let role = recording.roles.get(id).and_then(|roles| roles.first().cloned());
        messages.push(Compared { then: recorded.clone(), role, now });
    }
    Ok(Replayed { messages, broken: stage.play().broken.clone() })
}

fn moment(recorded: &Recorded) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp_millis(recorded.received_at_ms).unwrap_or(DateTime::UNIX_EPOCH)
}

async fn now(stage: &Stage, recorded: &Recorded, past: &Past, late: bool) -> Result<Now, String> {
    let snapshot = stage.library().await?.snapshot();
    let day = moment(recorded).with_timezone(&Local).date_naive();
    let access = stage.access().await?;
    let decided = decision::decide(access, "", snapshot.routes(), &recorded.message, day, false);
    let verdict = decided.ok().map(|(_, decided)| decided.verdict);
    let ran = matches!(verdict, Some(Verdict::Run { .. }));
    let answered = is_answer(past.handler.as_deref())
        && past.state == "done"
        && !verdict
            .and_then(|verdict| verdict.handler())
            .is_some_and(|meant| is_answer(Some(meant.title())));
    let run = past.run.clone().unwrap_or_default();
    let play = stage.play();
    let replies = play.replies.iter().filter(|seen| seen.run == run);
    let mut says: Vec<String> = replies.map(|seen| words(&seen.what.body)).collect();
    says.extend(play.cards.iter().filter(|seen| seen.run == run).map(|seen| {
        let (text, state) = seen.what.look();
        format!("[card \"{}\", {state}]\n{text}", seen.what.title()).trim_end().to_owned()
    }));
    let runs = play.ran.iter().filter(|seen| seen.run == run);
    let calls = play.called.iter().filter(|seen| seen.run == run);
    let error = late.then(|| format!("it did not come to rest within {PATIENCE:?} of real time"));
    Ok(Now {
        // A handler that is still at work is not in the journal yet.
        handler: past
            .handler
            .clone()
            .or_else(|| recorded.handler.clone().filter(|_| past.state == "running")),
        // What answers a script's question is done with that, and no handler is asked.
        ran: ran || past.state == "running" || answered,
        state: if late { "failed".to_owned() } else { past.state.clone() },
        error: error.or_else(|| past.error.clone()),
        says,
        runs: runs.map(|seen| command_line(&seen.what)).collect(),
        calls: calls.map(|seen| format!("{} {}", seen.what.method, seen.what.url)).collect(),
    })
}

/// Whether this is what the journal calls an answer to a script's question.
fn is_answer(handler: Option<&str>) -> bool {
    handler == Some("answer")
}

/// Each message in some lines.
pub fn human(replayed: &Replayed, paint: Paint, lang: Lang) -> String {
    let mut out = String::new();
    for script in &replayed.broken {
        let _ = writeln!(
            out,
            "{} {}\n",
            paint.bad(w::does_not_load(lang)),
            super::report::safe(script)
        );
    }
    for one in &replayed.messages {
        let (sign, then) = (one.difference(), &one.then);
        let sign = match sign {
            Difference::Same => paint.quiet(w::same(lang)),
            Difference::Changed => paint.strong(w::changed(lang)),
            Difference::Broken => paint.bad(w::broken(lang)),
        };
        let at = moment(then).with_timezone(&Local).format("%m-%d %H:%M").to_string();
        let (who, text) = (escape(&then.message.sender.nick), escape(&then.message.text));
        let role = one.role.as_deref().unwrap_or(w::stranger(lang));
        let said = match &then.message.chat.title {
            Some(chat) => w::said_in(&at, &who, role, &escape(chat), &text, lang),
            None => w::said_by(&at, &who, role, &text, lang),
        };
        let _ = writeln!(out, "{sign} {said}");
        let before = told(then.handler.as_deref(), then.ran, &then.state, None, lang);
        let after = told(
            one.now.handler.as_deref(),
            one.now.ran,
            &one.now.state,
            one.now.error.as_deref(),
            lang,
        );
        if one.difference() == Difference::Same && (before == after || then.handler.is_none()) {
            let _ = writeln!(out, "         {}", paint.quiet(&after));
        } else {
            let (then, now) = (w::then(lang), w::now(lang));
            let apart = if then.len() == now.len() { "" } else { " " };
            let gap = lang.pick("", " ");
            let _ =
                writeln!(out, "         {then}{gap}{before}\n         {now}{apart}{gap}{after}");
        }
        let gap = lang.pick("", " ");
        for line in &one.now.runs {
            let _ = writeln!(out, "         {}{gap}{gap}{}", w::would_run(lang), escape(line));
        }
        for line in &one.now.calls {
            let _ = writeln!(out, "         {}{gap}{}", w::would_call(lang), escape(line));
        }
        for text in &one.now.says {
            for (n, line) in shown(text, lang).iter().enumerate() {
                let lead = if n == 0 {
                    format!("{}{gap}{gap}", w::would_say(lang))
                } else {
                    " ".repeat(lang.pick(8, 12))
                };
                let _ = writeln!(out, "{}", format!("         {lead}{line}").trim_end());
            }
        }
    }
    out
}

fn shown(text: &str, lang: Lang) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().take(SHOWN_LINES).map(escape).collect();
    let more = text.lines().count().saturating_sub(SHOWN_LINES);
    if more > 0 {
        lines.push(w::more_lines(more, lang));
    }
    lines
}

fn told(handler: Option<&str>, ran: bool, state: &str, error: Option<&str>, lang: Lang) -> String {
    let error = error.and_then(|error| error.lines().next()).map(escape);
    let why = |what: &str| match &error {
        Some(error) => w::because(what, error, lang),
        None => what.to_owned(),
    };
    match (handler, ran) {
        (None, _) if error.is_some() => why(w::nobody(lang)),
        (None, _) => w::moonbell_itself(lang).to_owned(),
        (Some(handler), false) if error.is_some() => why(&format!("`{handler}`")),
        (Some(handler), false) => w::usage_of(handler, lang),
        (handler, true) if is_answer(handler) && state == "done" => {
            w::answers_a_question(lang).to_owned()
        }
        (Some(handler), true) if state == "done" => format!("`{handler}`"),
        (Some(handler), true) if state == "running" => w::still_waiting(handler, lang),
        (Some(handler), true) => why(&w::ended(handler, runs::state_of(state, lang), lang)),
    }
}

/// The last line.
pub fn summary(replayed: &Replayed, paint: Paint, lang: Lang) -> String {
    let count = |difference| replayed.count(difference);
    let (same, broken) = (count(Difference::Same), count(Difference::Broken));
    let mut text = match replayed.messages.len() {
        1 => w::one_message(same, lang),
        all => w::many_messages(all, same, lang),
    };
    if count(Difference::Changed) > 0 {
        text.push_str(&w::some_changed(count(Difference::Changed), lang));
    }
    if broken > 0 {
        text.push_str(w::and(lang));
        text.push_str(&paint.bad(&w::some_broken(broken, lang)));
    }
    text
}

/// Everything as one document.
pub fn as_json(replayed: &Replayed) -> Json {
    let one = |one: &Compared| {
        let (then, now) = (&one.then, &one.now);
        json!({
            "difference": match one.difference() {
                Difference::Same => "same",
                Difference::Changed => "changed",
                Difference::Broken => "broken",
            },
            "run": then.run,
            "received_at_ms": then.received_at_ms,
            "sender": then.message.sender.nick,
            "role": one.role.as_deref().unwrap_or(w::stranger(Lang::En)),
            "chat": then.message.chat.kind.as_str(),
            "text": then.message.text,
            "then": { "handler": then.handler, "ran": then.ran, "state": then.state },
            "now": {
                "handler": now.handler,
                "ran": now.ran,
                "state": now.state,
                "error": now.error,
                "would_say": now.says,
                "would_run": now.runs,
                "would_call": now.calls,
            },
        })
    };
    json!({
        "same": replayed.count(Difference::Same),
        "changed": replayed.count(Difference::Changed),
        "broken": replayed.count(Difference::Broken),
        "scripts_that_do_not_load": replayed.broken,
        "messages": replayed.messages.iter().map(one).collect::<Vec<_>>(),
    })
}
