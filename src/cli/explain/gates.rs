//! The gates of a message, each with its answer, and the handler behind them.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value as Json;

use super::Place;
use super::causes;
use super::past::Past;
use crate::access::{Access, Actor, Denied, GROUP, OWNER};
use crate::inbox;
use crate::message::{ChatKind, Message};
use crate::outbox;
use crate::router::{Control, Handler, Kind, Routes};
use crate::script::{Queue, Registration, Snapshot, Target};
use crate::words::Lang;
use crate::worker::decision::{self, Decision, Verdict};

/// Patterns listed one by one; more would hide the answer.
const LISTED: usize = 12;

/// Everything that is told about one message.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    pub(super) text: Option<String>,
    pub(super) sender: Option<String>,
    pub(super) group: bool,
    /// `run` or `dev`.
    pub(super) host: &'static str,
    pub(super) host_runs: bool,
    pub(super) scripts_dir: PathBuf,
    /// What happened, when the message came from the journal; the rest is about the scripts as they are now.
    pub(super) past: Option<Past>,
    pub(super) gates: Vec<Gate>,
    pub(super) outcome: Option<Outcome>,
    pub(super) handler: Option<Chosen>,
    pub(super) hints: Vec<String>,
}

/// One question on the way of a message.
#[derive(Debug, Serialize)]
pub(super) struct Gate {
    #[serde(rename = "gate")]
    pub(super) name: Name,
    /// `None`: not asked, or not known here.
    pub(super) answer: Option<bool>,
    pub(super) why: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) details: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Name {
    Duplicate,
    Access,
    Control,
    Dialog,
    Command,
    Match,
    Fallback,
    Nobody,
}

#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// `runs`, `answered` (by moonbell itself), `bad_arguments`, `refused` or `nobody`.
    pub(super) kind: &'static str,
    pub(super) summary: String,
    /// What the person reads, where moonbell itself answers.
    pub(super) answer: Option<String>,
}

/// The handler that the message is for.
#[derive(Debug, Serialize)]
pub(super) struct Chosen {
    /// `command`, `match` or `fallback`.
    pub(super) kind: &'static str,
    /// As declared: usage of a command, pattern of a match.
    pub(super) declared: String,
    pub(super) script: String,
    pub(super) line: u32,
    /// The role that it asks for; `null`: any.
    pub(super) role: Option<String>,
    pub(super) has_role: bool,
    /// Where it may be used: `anywhere`, or places.
    pub(super) scope: String,
    /// How often one person may, if there is a limit.
    pub(super) rate: Option<String>,
    /// Whether its answers in a group go to the person alone.
    pub(super) quiet: bool,
    /// What somebody must say yes to before it runs, if anything, and who.
    pub(super) confirm: Option<String>,
    pub(super) approvers: Option<String>,
    pub(super) queue: &'static str,
    pub(super) timeout_ms: u128,
    pub(super) args: Option<Json>,
    /// Who would be asked if it hands on, which only running it can tell.
    pub(super) then: Option<String>,
    /// The version that the running host serves, and when it was loaded.
    pub(super) served_version: Option<u64>,
    pub(super) served_since_ms: Option<i64>,
}

impl Explanation {
    pub(super) fn new(
        place: &Place,
        access: &Access,
        snapshot: &Snapshot,
        message: Option<&(Lang, Message)>,
        past: Option<(inbox::Past, Vec<outbox::Said>)>,
    ) -> Self {
        let (lang, message) = message.map(|(lang, message)| (*lang, message)).unzip();
        let mut explanation = Self {
            text: message.map(|message| message.text.clone()),
            sender: message
                .and_then(|message| message.sender.staff_id.as_ref())
                .map(ToString::to_string),
            group: message.is_some_and(|message| message.chat.kind == ChatKind::Group),
            host: if place.dev { "dev" } else { "run" },
            host_runs: place.live.is_some(),
            scripts_dir: place.scripts.clone(),
            past: past.map(|(past, said)| Past::new(past, said)),
            gates: Vec::new(),
            outcome: None,
            handler: None,
            hints: Vec::new(),
        };
        if let Some(message) = message {
            explanation.decide(place, access, snapshot, message, lang.unwrap_or_default());
        }
        explanation.hints = causes::hints(place, snapshot, &explanation);
        explanation
    }

    /// Whether it was the answer to a question of a script.
    pub(super) fn was_answer(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.handler.as_deref() == Some("answer"))
    }

    fn decide(
        &mut self,
        place: &Place,
        access: &Access,
        snapshot: &Snapshot,
        message: &Message,
        lang: Lang,
    ) {
        let routes = snapshot.routes();
        let today = chrono::Local::now().date_naive();
        self.gates.push(duplicate(self.past.as_ref()));
        let (actor, decision) = match decision::decide(access, "", routes, message, today, false) {
            Ok(decided) => decided,
            Err(why) => {
                self.gates.push(Gate::no(Name::Access, denied(&why, place)));
                for gate in
                    [Name::Control, Name::Dialog, Name::Command, Name::Match, Name::Fallback]
                {
                    self.gates.push(Gate::unasked(gate, ""));
                }
                self.outcome = Some(Outcome {
                    kind: "refused",
                    summary: "refused: this person may not write to the bot".to_owned(),
                    answer: None,
                });
                return;
            }
        };
        self.gates.push(Gate::yes(Name::Access, admitted(access, &actor, message, place)));
        self.gates.extend(gates(access, routes, &decision, &actor, message));
        if self.was_answer()
            && let Some(gate) = self.gates.iter_mut().find(|gate| gate.name == Name::Dialog)
        {
            "it was the answer to a script's question; now none is open".clone_into(&mut gate.why);
        }
        let said = match &decision.verdict {
            Verdict::Control(control) => {
                decision::says(access, &actor, &message.chat, control, lang)
            }
            _ => Ok(()),
        };
        self.outcome = Some(match said {
            Ok(()) => {
                let answer = decision.verdict.answer(access, routes, &actor, &message.chat, lang);
                outcome(&decision.verdict, &actor, answer)
            }
            Err((why, told)) => {
                Outcome { kind: "refused", summary: refusal(&why, &actor), answer: Some(told) }
            }
        });
        self.handler = decision.verdict.handler().map(|handler| {
            chosen(access, place, snapshot, &actor, message, handler, &decision.verdict)
        });
    }
}

impl Gate {
    fn new(name: Name, answer: Option<bool>, why: impl Into<String>) -> Self {
        Self { name, answer, why: why.into(), details: Vec::new() }
    }

    fn yes(name: Name, why: impl Into<String>) -> Self {
        Self::new(name, Some(true), why)
    }

    fn no(name: Name, why: impl Into<String>) -> Self {
        Self::new(name, Some(false), why)
    }

    fn unasked(name: Name, why: impl Into<String>) -> Self {
        Self::new(name, None, why)
    }
}

fn duplicate(past: Option<&Past>) -> Gate {
    match past {
        None => Gate::no(Name::Duplicate, "this text was not sent by anybody"),
        Some(past) if past.deliveries > 1 => Gate::no(
            Name::Duplicate,
            format!(
                "new when it came; DingTalk delivered it {} times, and the repeats were dropped",
                past.deliveries
            ),
        ),
        Some(_) => Gate::no(Name::Duplicate, "delivered once"),
    }
}

/// Who this is here, and which settings say so.
fn admitted(access: &Access, actor: &Actor, message: &Message, place: &Place) -> String {
    let id = actor.id().to_string();
    if place.dev {
        if actor.is_owner() {
            return format!("`{id}` is the owner in the simulation");
        }
        let roles: Vec<String> = actor.roles().map(|role| format!("`{role}`")).collect();
        return format!("`{id}` is {} in the simulation", roles.join(", "));
    }
    let written = |key: &str| match place.loaded.places.get(key) {
        Some(at) => format!("`{key}`, {at}"),
        None => format!("`{key}`"),
    };
    let mut reasons: Vec<String> = Vec::new();
    if actor.is_owner() {
        let how = match &place.access.owner {
            Some(_) => written("access.owner"),
            None => "claimed by a code".to_owned(),
        };
        reasons.push(format!("is the owner ({how})"));
    }
    for role in actor.roles().filter(|role| *role != OWNER) {
        let ids = place.access.roles.get(role).map(Vec::as_slice).unwrap_or_default();
        let group = format!("{GROUP}{}", message.chat.id);
        let listed = |who: &str| ids.iter().any(|listed| listed == who);
        let how = if listed(&id) {
            ""
        } else if listed(&group) {
            ", as everyone in this group has"
        } else if listed("*") {
            ", as everyone has"
        } else {
            let given = access.changes();
            let own = given.iter().any(|one| one.subject == id && one.role == role);
            let whose = if own { "" } else { " to this group" };
            reasons.push(format!("has the role `{role}` (given{whose} from a chat)"));
            continue;
        };
        reasons.push(format!(
            "has the role `{role}`{how} ({})",
            written(&format!("access.roles.{role}"))
        ));
    }
    format!("`{id}` {}", reasons.join(" and "))
}

fn denied(why: &Denied, place: &Place) -> String {
    match why {
        Denied::Unclaimed if place.access.owner.is_none() => {
            "nobody owns this bot: `access.owner` is not set, and nobody claimed it".to_owned()
        }
        _ => why.to_string(),
    }
}

/// The gates behind access.
fn gates(
    access: &Access,
    routes: &Routes<Target>,
    decision: &Decision<'_>,
    actor: &Actor,
    message: &Message,
) -> Vec<Gate> {
    let verdict = &decision.verdict;
    let mut gates = Vec::new();
    let own = match verdict {
        Verdict::Control(control) => Some(meaning(control)),
        Verdict::Help { topic: None } => Some("lists what this person may use".to_owned()),
        Verdict::Help { topic: Some(topic) } => Some(format!("tells about `{topic}`")),
        _ => None,
    };
    if let Some(own) = own {
        gates.push(Gate::yes(Name::Control, own));
        let rest = [Name::Dialog, Name::Command, Name::Match, Name::Fallback];
        gates.extend(rest.map(|gate| Gate::unasked(gate, "")));
        return gates;
    }
    gates.push(Gate::no(Name::Control, "not a word of moonbell's own"));
    gates.push(dialog());
    let handler = verdict.handler();
    if let Some((handler, command)) =
        handler.and_then(|handler| Some((handler, handler.command()?)))
    {
        let mut gate =
            Gate::yes(Name::Command, format!("`{}`, {}", command.usage(), handler.place));
        if let Verdict::BadArguments { problem, .. } = verdict {
            gate.details.push(problem.text(Lang::En));
        }
        gates.push(gate);
        gates.push(Gate::unasked(Name::Match, ""));
        gates.push(Gate::unasked(Name::Fallback, ""));
        return gates;
    }
    gates.push(no_command(access, routes, actor, message));
    let (matched, details) = patterns(access, routes, decision, actor, message);
    let count = routes.asked(&message.text).count();
    gates.push(match matched {
        Some(handler) => Gate {
            details,
            ..Gate::yes(Name::Match, format!("`{}`, {}", handler.title(), handler.place))
        },
        None if count == 0 => Gate::no(Name::Match, "there are no patterns"),
        None => {
            Gate { details, ..Gate::no(Name::Match, "no pattern that this person may use matches") }
        }
    });
    let fallbacks: Vec<&Handler<Target>> = routes.fallbacks().collect();
    gates.push(match handler {
        Some(handler) if matches!(handler.kind, Kind::Fallback) => {
            Gate::yes(Name::Fallback, format!("the one of {}", handler.place))
        }
        Some(_) => Gate::unasked(Name::Fallback, ""),
        None if fallbacks.is_empty() => Gate::no(Name::Fallback, "there is none"),
        None => Gate::no(Name::Fallback, "none that this person may use"),
    });
    if handler.is_none() {
        gates.push(Gate::yes(Name::Nobody, "moonbell says so, and names the nearest command"));
    }
    gates
}

fn meaning(control: &Control) -> String {
    match control {
        Control::Stop(None) => "ends what runs for this person in this chat".to_owned(),
        Control::Stop(Some(id)) => format!("ends the run `{id}`"),
        Control::StopAll => {
            "ends what runs for this person in this chat, and drops what waits".to_owned()
        }
        Control::Cancel => "leaves an open dialog, or ends what runs".to_owned(),
        Control::Runs => "lists what runs".to_owned(),
        Control::Log(None) => "tells of the last run".to_owned(),
        Control::Log(Some(id)) => format!("tells of the run `{id}`"),
        Control::Again(None) => "runs the message of the last run again".to_owned(),
        Control::Again(Some(id)) => format!("runs the message of the run `{id}` again"),
        Control::Schedules => "lists what runs by the clock, for admins".to_owned(),
        Control::Trigger(name) => format!("runs the timer `{name}` now, for admins"),
        Control::Language(None) => "tells in which language this person is answered".to_owned(),
        Control::Language(Some(_)) => {
            "sets the language that this person is answered in".to_owned()
        }
        Control::Usage => "tells what was used of DingTalk's monthly budgets".to_owned(),
        Control::Parked(_) => "deals with replies that could not be sent, for admins".to_owned(),
        Control::Lock => "refuses everything until unlocked, for admins".to_owned(),
        Control::Unlock => "tells that only the computer unlocks".to_owned(),
        Control::Allow { .. } => "gives somebody a role, for the owner".to_owned(),
        Control::Deny { .. } => "takes a role from somebody, for the owner".to_owned(),
        Control::Who => "lists who has which role, for admins".to_owned(),
        Control::Yes(_) => {
            "allows what was asked with that number, for whoever was asked".to_owned()
        }
        Control::No(_) => {
            "refuses what was asked with that number, for whoever was asked".to_owned()
        }
        Control::Help(_) => "tells what there is".to_owned(),
    }
}

fn dialog() -> Gate {
    Gate::unasked(Name::Dialog, "only a running host knows whether a script waits for an answer")
}

fn no_command(access: &Access, routes: &Routes<Target>, actor: &Actor, message: &Message) -> Gate {
    let word = message.text.split_whitespace().next().unwrap_or_default();
    if word.is_empty() {
        return Gate::no(Name::Command, "the message has no text");
    }
    let near = |allowed: &dyn Fn(&Handler<Target>) -> bool| {
        let name = routes.nearest(word, allowed)?;
        Some(match routes.named(name) {
            Some(handler) => format!("`{name}` ({})", handler.place),
            None => format!("`{name}`"),
        })
    };
    let theirs = near(&|handler| decision::sees(access, actor, &message.chat, handler).is_ok());
    let all = near(&|_| true);
    let mut why = format!("no command is called `{word}`");
    if let Some(near) = &theirs {
        why = format!("{why}; the nearest is {near}");
    }
    let mut gate = Gate::no(Name::Command, why);
    if let Some(near) = all.filter(|near| theirs.as_ref() != Some(near)) {
        gate.details.push(format!("{near} is nearer, but not for this person"));
    }
    gate
}

/// The pattern that took the message, and what became of those before it.
fn patterns<'r>(
    access: &Access,
    routes: &'r Routes<Target>,
    decision: &Decision<'r>,
    actor: &Actor,
    message: &'r Message,
) -> (Option<&'r Handler<Target>>, Vec<String>) {
    let taken = decision.verdict.handler();
    let mut details = Vec::new();
    let mut unmatched = 0;
    let mut matched = None;
    for (handler, fits) in routes.asked(&message.text) {
        let is = |other: &&Handler<Target>| std::ptr::eq(*other, handler);
        if fits && taken.as_ref().is_some_and(is) {
            matched = Some(handler);
            break;
        }
        let told = format!("`{}`, {}", handler.title(), handler.place);
        if fits && decision.hidden.iter().any(is) {
            let why = decision::sees(access, actor, &message.chat, handler);
            let why = why.err().map(|why| why.to_string()).unwrap_or_default();
            details.push(format!("{told}: matches, but {why}"));
        } else if details.len() < LISTED {
            details.push(format!("{told}: does not match"));
        } else {
            unmatched += 1;
        }
    }
    if unmatched > 0 {
        details.push(format!("{unmatched} more do not match"));
    }
    (matched, details)
}

fn refusal(why: &Denied, actor: &Actor) -> String {
    match why {
        Denied::Role(_) => {
            let has: Vec<String> = actor.roles().map(|role| format!("`{role}`")).collect();
            format!("refused: {why}, and `{}` has {}", actor.id(), has.join(", "))
        }
        _ => format!("refused: {why}"),
    }
}

fn outcome(verdict: &Verdict<'_>, actor: &Actor, answer: Option<String>) -> Outcome {
    let (kind, summary) = match verdict {
        Verdict::Run { handler, .. } => {
            ("runs", format!("runs `{}` of {}", handler.title(), handler.place))
        }
        Verdict::Control(_) | Verdict::Help { .. } | Verdict::Answer => {
            ("answered", "moonbell answers itself".to_owned())
        }
        Verdict::NotForYou { why, .. } => ("refused", refusal(why, actor)),
        Verdict::BadArguments { .. } => {
            ("bad_arguments", "does not run: the arguments are wrong".to_owned())
        }
        Verdict::Nobody { .. } => ("nobody", "does not run: no handler takes it".to_owned()),
    };
    Outcome { kind, summary, answer }
}

fn chosen(
    access: &Access,
    place: &Place,
    snapshot: &Snapshot,
    actor: &Actor,
    message: &Message,
    handler: &Handler<Target>,
    verdict: &Verdict<'_>,
) -> Chosen {
    let registration =
        snapshot.edition(handler.id).and_then(|edition| edition.registration(handler.id.handler));
    let (kind, declared) = match &handler.kind {
        Kind::Command(command) => ("command", command.usage()),
        Kind::Match(pattern) => ("match", pattern.as_str().to_owned()),
        Kind::Fallback => ("fallback", "fallback".to_owned()),
    };
    let (args, then) = match verdict {
        Verdict::Run { args, after, .. } => {
            let next = decision::after(access, snapshot.routes(), actor, message, *after);
            let next = match next.verdict.handler() {
                Some(next) => format!("`{}` of {}", next.title(), next.place),
                None => "nobody".to_owned(),
            };
            (Some(args.clone()), Some(next))
        }
        _ => (None, None),
    };
    let script = snapshot.edition(handler.id).map(|edition| edition.script().to_string());
    let served = place.live.as_ref().and_then(|live| {
        live.scripts.iter().find(|one| Some(&one.name) == script.as_ref() && one.generation > 0)
    });
    Chosen {
        kind,
        declared,
        script: handler.place.script.clone(),
        line: handler.place.line,
        role: handler.terms.role.clone(),
        has_role: actor.has(handler.terms.role.as_deref()),
        scope: handler.terms.scope.to_string(),
        rate: handler.terms.rate.map(|rate| rate.to_string()),
        quiet: handler.terms.quiet,
        confirm: handler.terms.confirm.as_ref().map(|confirm| confirm.question.clone()),
        approvers: handler.terms.confirm.as_ref().and_then(|confirm| confirm.approvers.clone()),
        queue: registration
            .map_or("person in chat", |registration| queue(registration.options.queue)),
        timeout_ms: registration
            .and_then(Registration::timeout)
            .unwrap_or(place.loaded.config.limits.run_time)
            .as_millis(),
        args,
        then,
        served_version: served.map(|script| script.generation),
        served_since_ms: served.and_then(|script| script.loaded_at_ms),
    }
}

fn queue(queue: Queue) -> &'static str {
    match queue {
        Queue::Lane => "person in chat",
        Queue::Conversation => "conversation",
        Queue::Person => "person",
        Queue::None => "none",
        Queue::Replace => "replace",
    }
}
