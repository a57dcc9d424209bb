//! The gates of a message, each with its answer, and the handler behind them.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value as Json;

use super::Place;
use super::causes;
use super::past::Past;
use super::refusals;
use crate::access::{Access, Actor, Denied, GROUP, Lock, OWNER};
use crate::cli::lock;
use crate::inbox;
use crate::message::{ChatKind, Message};
use crate::outbox;
use crate::router::{Control, Handler, Kind, Routes};
use crate::script::{Queue, Registration, Snapshot, Target};
use crate::words;
use crate::words::Lang;
use crate::words::explain::gates as w;
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
    Lock,
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
    /// `message` comes with the language in which its sender is answered; `lang` is that of who reads this.
    pub(super) fn new(
        place: &Place,
        access: &Access,
        snapshot: &Snapshot,
        message: Option<&(Lang, Message)>,
        past: Option<(inbox::Past, Vec<outbox::Said>)>,
        lang: Lang,
    ) -> Self {
        let (theirs, message) = message.map(|(lang, message)| (*lang, message)).unzip();
        let mut explanation = Self {
            text: message.map(|message| message.text.clone()),
            sender: message
                .and_then(|message| message.sender.staff_id.as_ref())
                .map(ToString::to_string),
            group: message.is_some_and(|message| message.chat.kind == ChatKind::Group),
            host: if place.dev { "dev" } else { "run" },
            host_runs: place.live.is_some(),
            scripts_dir: place.scripts.clone(),
            past: past.map(|(past, said)| Past::new(past, said, lang)),
            gates: Vec::new(),
            outcome: None,
            handler: None,
            hints: Vec::new(),
        };
        if let Some(message) = message {
            let told = Told { place, access, lang, theirs: theirs.unwrap_or_default() };
            explanation.decide(&told, snapshot, message);
        }
        explanation.hints = causes::hints(place, snapshot, &explanation, lang);
        explanation
    }

    /// Whether it was the answer to a question of a script.
    pub(super) fn was_answer(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.handler.as_deref() == Some("answer"))
    }

    /// Behind what refuses everything.
    fn nothing_more(&mut self) {
        let rest = [Name::Control, Name::Dialog, Name::Command, Name::Match, Name::Fallback];
        self.gates.extend(rest.map(|gate| Gate::unasked(gate, "")));
    }

    fn decide(&mut self, told: &Told<'_>, snapshot: &Snapshot, message: &Message) {
        let Told { place, access, lang, theirs } = *told;
        let routes = snapshot.routes();
        let today = chrono::Local::now().date_naive();
        self.gates.push(duplicate(self.past.as_ref(), lang));
        let lock = Lock::of(&place.state);
        if lock.is_locked() {
            let why = lock::why(&lock, lang).unwrap_or_else(|| w::by_a_file(lang).to_owned());
            self.gates.push(Gate::yes(Name::Lock, why));
            self.gates.push(Gate::unasked(Name::Access, ""));
            self.nothing_more();
            self.outcome = Some(Outcome {
                kind: "refused",
                summary: w::all_locked(lang).to_owned(),
                answer: Some(words::access::locked(theirs).to_owned()),
            });
            return;
        }
        let (actor, decision) = match decision::decide(access, "", routes, message, today, false) {
            Ok(decided) => decided,
            Err(why) => {
                self.gates.push(Gate::no(Name::Access, denied(&why, place, lang)));
                self.nothing_more();
                self.outcome = Some(Outcome {
                    kind: "refused",
                    summary: w::may_not_write(lang).to_owned(),
                    answer: None,
                });
                return;
            }
        };
        self.gates.push(Gate::yes(Name::Access, admitted(told, &actor, message)));
        self.gates.extend(gates(told, routes, &decision, &actor, message));
        if self.was_answer()
            && let Some(gate) = self.gates.iter_mut().find(|gate| gate.name == Name::Dialog)
        {
            w::was_answer(lang).clone_into(&mut gate.why);
        }
        let said = match &decision.verdict {
            Verdict::Control(control) => {
                decision::says(access, &actor, &message.chat, control, theirs)
            }
            _ => Ok(()),
        };
        self.outcome = Some(match said {
            Ok(()) => {
                let answer = decision.verdict.answer(access, routes, &actor, &message.chat, theirs);
                outcome(&decision.verdict, &actor, answer, lang)
            }
            Err((why, said)) => Outcome {
                kind: "refused",
                summary: refusal(&why, &actor, lang),
                answer: Some(said),
            },
        });
        self.handler = decision
            .verdict
            .handler()
            .map(|handler| chosen(told, snapshot, &actor, message, handler, &decision.verdict));
    }
}

/// By what is decided, and for whom it is told.
#[derive(Clone, Copy)]
struct Told<'a> {
    place: &'a Place,
    access: &'a Access,
    /// Of whoever reads this.
    lang: Lang,
    /// Of whoever sent the message.
    theirs: Lang,
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

fn duplicate(past: Option<&Past>, lang: Lang) -> Gate {
    match past {
        None => Gate::no(Name::Duplicate, w::not_sent(lang)),
        Some(past) if past.deliveries > 1 => {
            Gate::no(Name::Duplicate, w::delivered_often(past.deliveries, lang))
        }
        Some(_) => Gate::no(Name::Duplicate, w::delivered_once(lang)),
    }
}

/// Who this is here, and which settings say so.
fn admitted(told: &Told<'_>, actor: &Actor, message: &Message) -> String {
    let Told { place, access, lang, .. } = *told;
    let id = actor.id().to_string();
    if place.dev {
        if actor.is_owner() {
            return w::owner_in_simulation(&id, lang);
        }
        return w::roles_in_simulation(&id, &roles_of(actor, lang), lang);
    }
    let written = |key: &str| match place.loaded.places.get(key) {
        Some(at) => w::at(key, &at.text(lang), lang),
        None => format!("`{key}`"),
    };
    let mut reasons: Vec<String> = Vec::new();
    if actor.is_owner() {
        let how = match &place.access.owner {
            Some(_) => written("access.owner"),
            None => w::by_code(lang).to_owned(),
        };
        reasons.push(w::is_owner(&how, lang));
    }
    for role in actor.roles().filter(|role| *role != OWNER) {
        let ids = place.access.roles.get(role).map(Vec::as_slice).unwrap_or_default();
        let group = format!("{GROUP}{}", message.chat.id);
        let listed = |who: &str| ids.iter().any(|listed| listed == who);
        let says = if listed(&id) {
            w::has_role
        } else if listed(&group) {
            w::has_role_as_group
        } else if listed("*") {
            w::has_role_as_everyone
        } else {
            let given = access.changes();
            let own = given.iter().any(|one| one.subject == id && one.role == role);
            reasons.push(if own { w::was_given } else { w::group_was_given }(role, lang));
            continue;
        };
        reasons.push(says(role, &written(&format!("access.roles.{role}")), lang));
    }
    format!("`{id}` {}", reasons.join(w::and(lang)))
}

fn roles_of(actor: &Actor, lang: Lang) -> String {
    let roles: Vec<String> = actor.roles().map(|role| format!("`{role}`")).collect();
    words::list(&roles, lang)
}

fn denied(why: &Denied, place: &Place, lang: Lang) -> String {
    match why {
        Denied::Unclaimed if place.access.owner.is_none() => w::no_owner(lang).to_owned(),
        _ => refusals::text(why, lang),
    }
}

/// The gates behind access.
fn gates(
    told: &Told<'_>,
    routes: &Routes<Target>,
    decision: &Decision<'_>,
    actor: &Actor,
    message: &Message,
) -> Vec<Gate> {
    let lang = told.lang;
    let verdict = &decision.verdict;
    let mut gates = Vec::new();
    let own = match verdict {
        Verdict::Control(control) => Some(meaning(control, lang)),
        Verdict::Help { topic: None } => Some(w::lists_help(lang).to_owned()),
        Verdict::Help { topic: Some(topic) } => Some(w::tells_about(topic, lang)),
        _ => None,
    };
    if let Some(own) = own {
        gates.push(Gate::yes(Name::Control, own));
        let rest = [Name::Dialog, Name::Command, Name::Match, Name::Fallback];
        gates.extend(rest.map(|gate| Gate::unasked(gate, "")));
        return gates;
    }
    gates.push(Gate::no(Name::Control, w::no_word(lang)));
    gates.push(Gate::unasked(Name::Dialog, w::only_a_host_knows(lang)));
    let handler = verdict.handler();
    if let Some((handler, command)) =
        handler.and_then(|handler| Some((handler, handler.command()?)))
    {
        let place = handler.place.to_string();
        let mut gate = Gate::yes(Name::Command, w::handler(&command.usage(), &place, lang));
        if let Verdict::BadArguments { problem, .. } = verdict {
            gate.details.push(problem.text(lang));
        }
        gates.push(gate);
        gates.push(Gate::unasked(Name::Match, ""));
        gates.push(Gate::unasked(Name::Fallback, ""));
        return gates;
    }
    gates.push(no_command(told, routes, actor, message));
    let (matched, details) = patterns(told, routes, decision, actor, message);
    let count = routes.asked(&message.text).count();
    gates.push(match matched {
        Some(handler) => Gate {
            details,
            ..Gate::yes(Name::Match, w::handler(handler.title(), &handler.place.to_string(), lang))
        },
        None if count == 0 => Gate::no(Name::Match, w::no_patterns(lang)),
        None => Gate { details, ..Gate::no(Name::Match, w::no_pattern_matches(lang)) },
    });
    let fallbacks: Vec<&Handler<Target>> = routes.fallbacks().collect();
    gates.push(match handler {
        Some(handler) if matches!(handler.kind, Kind::Fallback) => {
            Gate::yes(Name::Fallback, w::fallback_of(&handler.place.to_string(), lang))
        }
        Some(_) => Gate::unasked(Name::Fallback, ""),
        None if fallbacks.is_empty() => Gate::no(Name::Fallback, w::no_fallback(lang)),
        None => Gate::no(Name::Fallback, w::no_fallback_of_theirs(lang)),
    });
    if handler.is_none() {
        gates.push(Gate::yes(Name::Nobody, w::moonbell_says_so(lang)));
    }
    gates
}

fn meaning(control: &Control, lang: Lang) -> String {
    let says = match control {
        Control::Stop(Some(id)) => return w::stop_run(id, lang),
        Control::Log(Some(id)) => return w::log_of(id, lang),
        Control::Again(Some(id)) => return w::again_of(id, lang),
        Control::Trigger(name) => return w::trigger(name, lang),
        Control::Stop(None) => w::stop,
        Control::StopAll => w::stop_all,
        Control::Cancel => w::cancel,
        Control::Runs => w::runs,
        Control::Log(None) => w::log,
        Control::Again(None) => w::again,
        Control::Schedules => w::schedules,
        Control::Language(None) => w::language,
        Control::Language(Some(_)) => w::set_language,
        Control::Usage => w::usage,
        Control::Parked(_) => w::parked,
        Control::Lock => w::lock,
        Control::Unlock => w::unlock,
        Control::Allow { .. } => w::allow,
        Control::Deny { .. } => w::deny,
        Control::Who => w::who,
        Control::Yes(_) => w::say_yes,
        Control::No(_) => w::say_no,
        Control::Help(_) => w::help,
    };
    says(lang).to_owned()
}

fn no_command(told: &Told<'_>, routes: &Routes<Target>, actor: &Actor, message: &Message) -> Gate {
    let Told { access, lang, .. } = *told;
    let word = message.text.split_whitespace().next().unwrap_or_default();
    if word.is_empty() {
        return Gate::no(Name::Command, w::no_text(lang));
    }
    let near = |allowed: &dyn Fn(&Handler<Target>) -> bool| {
        let name = routes.nearest(word, allowed)?;
        Some(match routes.named(name) {
            Some(handler) => w::named_at(name, &handler.place.to_string(), lang),
            None => format!("`{name}`"),
        })
    };
    let theirs = near(&|handler| decision::sees(access, actor, &message.chat, handler).is_ok());
    let all = near(&|_| true);
    let why = match &theirs {
        Some(near) => w::no_command_but(word, near, lang),
        None => w::no_command(word, lang),
    };
    let mut gate = Gate::no(Name::Command, why);
    if let Some(near) = all.filter(|near| theirs.as_ref() != Some(near)) {
        gate.details.push(w::nearer_but_not_theirs(&near, lang));
    }
    gate
}

/// The pattern that took the message, and what became of those before it.
fn patterns<'r>(
    told: &Told<'_>,
    routes: &'r Routes<Target>,
    decision: &Decision<'r>,
    actor: &Actor,
    message: &'r Message,
) -> (Option<&'r Handler<Target>>, Vec<String>) {
    let Told { access, lang, .. } = *told;
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
        let told = w::handler(handler.title(), &handler.place.to_string(), lang);
        if fits && decision.hidden.iter().any(is) {
            let why = decision::sees(access, actor, &message.chat, handler);
            let why = why.err().map(|why| refusals::text(&why, lang)).unwrap_or_default();
            details.push(w::matches_but(&told, &why, lang));
        } else if details.len() < LISTED {
            details.push(w::does_not_match(&told, lang));
        } else {
            unmatched += 1;
        }
    }
    if unmatched > 0 {
        details.push(w::more_do_not_match(unmatched, lang));
    }
    (matched, details)
}

fn refusal(why: &Denied, actor: &Actor, lang: Lang) -> String {
    let told = refusals::text(why, lang);
    match why {
        Denied::Role(_) => {
            w::refused_with(&told, &actor.id().to_string(), &roles_of(actor, lang), lang)
        }
        _ => w::refused(&told, lang),
    }
}

fn outcome(verdict: &Verdict<'_>, actor: &Actor, answer: Option<String>, lang: Lang) -> Outcome {
    let (kind, summary) = match verdict {
        Verdict::Run { handler, .. } => {
            ("runs", w::runs_handler(handler.title(), &handler.place.to_string(), lang))
        }
        Verdict::Control(_) | Verdict::Help { .. } | Verdict::Answer => {
            ("answered", w::answers_itself(lang).to_owned())
        }
        Verdict::NotForYou { why, .. } => ("refused", refusal(why, actor, lang)),
        Verdict::BadArguments { .. } => ("bad_arguments", w::wrong_arguments(lang).to_owned()),
        Verdict::Nobody { .. } => ("nobody", w::nobody_takes_it(lang).to_owned()),
    };
    Outcome { kind, summary, answer }
}

fn chosen(
    told: &Told<'_>,
    snapshot: &Snapshot,
    actor: &Actor,
    message: &Message,
    handler: &Handler<Target>,
    verdict: &Verdict<'_>,
) -> Chosen {
    let Told { place, access, lang, .. } = *told;
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
                Some(next) => w::next(next.title(), &next.place.to_string(), lang),
                None => w::no_next(lang).to_owned(),
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
