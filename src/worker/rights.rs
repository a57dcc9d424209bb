//! `allow`, `deny`, `who` and `lock`: the owner's words about who may do what, and the code that makes somebody the owner.
//!
//! A change is shown in full and done only when its asker says yes with the number that was shown: what a phone that lies
//! about starts by accident, or by somebody else's words, ends there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Local};

use super::dispatch::Dispatch;
use super::phrases;
use crate::access::ADMIN;
use crate::access::Actor;
use crate::access::GROUP;
use crate::access::Grant;
use crate::access::OWNER;
use crate::access::claim;
use crate::config::Language;
use crate::message::ChatKind;
use crate::message::Message;
use crate::router::Control;
use crate::router::Handler;
use crate::script::Target;
use crate::words;
use crate::words::Lang;

/// Lines of `who`: more is more than a chat shows.
const LISTED: usize = 60;

/// Who may use a word of the host's own; `None`: whoever may write.
pub(super) fn role_for(control: &Control) -> Option<&'static str> {
    match control {
        Control::Allow { .. } | Control::Deny { .. } | Control::Yes(_) => Some(OWNER),
        Control::Schedules
        | Control::Trigger(_)
        | Control::Parked(_)
        | Control::Lock
        | Control::Who => Some(ADMIN),
        _ => None,
    }
}

/// The word itself, for the audit and for whoever may not use it.
pub(super) fn word_of(control: &Control) -> &'static str {
    match control {
        Control::Stop(_) | Control::StopAll => "stop",
        Control::Cancel => "cancel",
        Control::Runs => "runs",
        Control::Log(_) => "log",
        Control::Again(_) => "again",
        Control::Schedules => "schedules",
        Control::Trigger(_) => "trigger",
        Control::Parked(_) => "parked",
        Control::Usage => "usage",
        Control::Language(_) => "language",
        Control::Lock => "lock",
        Control::Unlock => "unlock",
        Control::Allow { .. } => "allow",
        Control::Deny { .. } => "deny",
        Control::Who => "who",
        Control::Yes(_) => "yes",
        Control::No(_) => "no",
        Control::Help(_) => "help",
    }
}

impl Dispatch {
    /// Tries a code that a message holds; `None`: it is a message like any other, also when the code was wrong.
    pub(super) async fn claim(&self, message: &Message, lang: Lang) -> Option<String> {
        let code = claim::read(&message.text)?;
        let direct = message.chat.kind == ChatKind::Direct;
        match self.access.claim(&message.sender, &code, direct).await {
            Ok(claim::Tried::Claimed(language)) => {
                Some(self.claimed(message, language, lang).await)
            }
            Ok(claim::Tried::Burnt) => Some(words::access::burnt(lang).to_owned()),
            Ok(claim::Tried::Wrong { .. } | claim::Tried::Closed) => None,
            Err(error) => {
                tracing::error!(%error, "a claim code cannot be checked");
                None
            }
        }
    }

    /// Greets the owner, in the language that they chose at the computer from now on.
    async fn claimed(&self, message: &Message, language: Option<Language>, lang: Lang) -> String {
        let (Some(language), Some(person)) = (language, &message.sender.staff_id) else {
            return words::access::claimed(lang).to_owned();
        };
        if let Err(error) = self.languages.choose(person, language).await {
            tracing::error!(%error, "the language that the owner chose cannot be kept");
            return words::access::claimed(lang).to_owned();
        }
        let lang = self.languages.of(Some(person));
        let (greeting, how) = (words::access::claimed(lang), words::language::how(lang));
        format!("{greeting}\n\n{}\n{how}", words::language::chosen(lang))
    }

    /// Answers a word about rights, whose sayer may use it; `None`: it is another word.
    pub(super) async fn rights(
        &self,
        control: &Control,
        message: &Message,
        actor: &Actor,
        lang: Lang,
    ) -> Option<String> {
        Some(match control {
            Control::Lock => match self.access.shut(actor) {
                Ok(()) => words::access::locked_now(lang).to_owned(),
                Err(error) => {
                    tracing::error!(%error, "the lock cannot be written: it holds until this process ends, no longer");
                    words::access::locked_for_now(lang).to_owned()
                }
            },
            Control::Unlock => words::access::not_from_here(lang).to_owned(),
            Control::Who => self.who(lang),
            Control::Allow { words, lasts } => {
                match self.allowing(message, actor, words, *lasts, lang) {
                    Ok(changes) => self.proposal(message, actor, changes, lang),
                    Err(why) => why,
                }
            }
            Control::Deny { words } => match self.denying(message, actor, words, lang) {
                Ok(changes) => self.proposal(message, actor, changes, lang),
                Err(why) => why,
            },
            Control::Yes(code) => self.confirmed(message, actor, code, lang).await,
            Control::No(code) => match self.access.confirmed(actor, &message.chat, code) {
                Some(_) => words::runs::left(lang).to_owned(),
                None => words::access::nothing_to_confirm(lang).to_owned(),
            },
            _ => return None,
        })
    }

    fn allowing(
        &self,
        message: &Message,
        actor: &Actor,
        words: &[String],
        lasts: Option<Duration>,
        lang: Lang,
    ) -> Result<Vec<Grant>, String> {
        let usage = || words::access::how_to_allow(lang).to_owned();
        let (subjects, rest) = subjects(message, words).ok_or_else(usage)?;
        let [role] = rest else { return Err(usage()) };
        if !is_role(role) {
            return Err(words::access::no_role(&phrases::quoted(role), lang));
        }
        if subjects.iter().any(|subject| self.is_owner(subject)) {
            return Err(words::access::is_the_owner(lang).to_owned());
        }
        let until_ms = lasts
            .map(|lasts| i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
            .map(|lasts| self.access.now_ms().saturating_add(lasts));
        Ok(grants(subjects, role, true, until_ms, actor))
    }

    fn denying(
        &self,
        message: &Message,
        actor: &Actor,
        words: &[String],
        lang: Lang,
    ) -> Result<Vec<Grant>, String> {
        let usage = || words::access::how_to_deny(lang).to_owned();
        let (subjects, rest) = subjects(message, words).ok_or_else(usage)?;
        let role = match rest {
            [] => "*",
            [role] if is_role(role) => role,
            _ => return Err(usage()),
        };
        if subjects.iter().any(|subject| self.is_owner(subject)) {
            return Err(words::access::is_the_owner(lang).to_owned());
        }
        Ok(grants(subjects, role, false, None, actor))
    }

    /// Whether something asks for `role`: the host, a handler, the settings, or what was given before.
    fn knows_role(&self, role: &str) -> bool {
        let asks = |handler: &Handler<Target>| {
            let terms = &handler.terms;
            terms.role.as_deref() == Some(role)
        };
        role == ADMIN
            || self.access.settings().roles.contains_key(role)
            || self.access.changes().iter().any(|grant| grant.allowed && grant.role == role)
            || self.library.snapshot().routes().handlers().any(asks)
    }

    fn is_owner(&self, subject: &str) -> bool {
        self.access.owner().is_some_and(|owner| owner.as_str() == subject)
    }

    fn proposal(
        &self,
        message: &Message,
        actor: &Actor,
        changes: Vec<Grant>,
        lang: Lang,
    ) -> String {
        let mut told: Vec<String> = changes.iter().map(|change| told(change, lang)).collect();
        // A slip of the keyboard is seen before the yes.
        let unknown = changes.iter().find(|one| one.allowed && !self.knows_role(&one.role));
        told.extend(unknown.map(|one| words::access::asked_by_nothing(&one.role, lang)));
        let code = self.access.propose(actor, &message.chat, changes);
        words::access::say_yes(&told.join("\n"), &code, lang)
    }

    async fn confirmed(&self, message: &Message, actor: &Actor, code: &str, lang: Lang) -> String {
        let Some(changes) = self.access.confirmed(actor, &message.chat, code) else {
            return words::access::nothing_to_confirm(lang).to_owned();
        };
        let mut lines = Vec::new();
        for change in changes {
            let line = told(&change, lang);
            match self.access.change(actor, change).await {
                Ok(()) => lines.push(format!("✅ {line}")),
                Err(error) => {
                    tracing::error!(%error, "a role was not changed");
                    lines.push(words::access::not_changed(&line, lang));
                }
            }
        }
        lines.join("\n")
    }

    /// Every role with those who have it.
    fn who(&self, lang: Lang) -> String {
        let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (role, ids) in self.access.settings().roles.iter().filter(|(role, _)| *role != OWNER) {
            roles.entry(role.clone()).or_default().extend(ids.iter().cloned());
        }
        let mut taken = Vec::new();
        for grant in self.access.changes() {
            if grant.allowed {
                let until = grant.until_ms.map(|at| until(at, lang)).unwrap_or_default();
                let of_role = roles.entry(grant.role.clone()).or_default();
                of_role.retain(|id| *id != grant.subject);
                of_role.push(format!("{}{until}", grant.subject));
            } else {
                taken.push(told(&grant, lang));
            }
        }
        let owner = self.access.owner().map_or_else(|| "—".to_owned(), |id| id.to_string());
        let mut text = format!("{OWNER}: {owner}");
        for (n, (role, ids)) in roles.iter().enumerate() {
            if n >= LISTED {
                let _ = write!(text, "\n… +{}", roles.len() - n);
                break;
            }
            let shown: Vec<&str> = ids.iter().take(LISTED).map(String::as_str).collect();
            let more = ids.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" … +{more}") } else { String::new() };
            let _ = write!(text, "\n{role}: {}{more}", shown.join(", "));
        }
        for line in taken.iter().take(LISTED) {
            let _ = write!(text, "\n{line}");
        }
        text
    }
}

/// Whom a change is about, and the words behind: who is mentioned, or the first word; `here` is this group.
fn subjects<'w>(message: &Message, words: &'w [String]) -> Option<(Vec<String>, &'w [String])> {
    let mentioned: Vec<String> = message
        .mentions
        .iter()
        .filter(|mention| !mention.is_bot)
        .map(|mention| mention.staff_id.as_ref().map(ToString::to_string))
        .collect::<Option<_>>()?; // somebody without a staff id cannot be given anything
    if !mentioned.is_empty() {
        return Some((mentioned, words));
    }
    let (first, rest) = words.split_first()?;
    let id = first.trim_start_matches(['@', '＠']);
    let subject = match (id, message.chat.kind) {
        ("here" | "本群", ChatKind::Group) => format!("{GROUP}{}", message.chat.id),
        ("here" | "本群" | "" | "*", _) => return None,
        (id, _) if id.chars().any(|c| c.is_control() || c.is_whitespace()) => return None,
        (id, _) => id.to_owned(),
    };
    Some((vec![subject], rest))
}

/// A role that can be given: a word that is not the owner's, and cannot be taken for anything else where it is shown.
fn is_role(role: &str) -> bool {
    role != OWNER
        && (1..=40).contains(&role.chars().count())
        && role.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn grants(
    subjects: Vec<String>,
    role: &str,
    allowed: bool,
    until_ms: Option<i64>,
    by: &Actor,
) -> Vec<Grant> {
    let by = by.id().to_string();
    subjects
        .into_iter()
        .map(|subject| {
            let (role, by) = (role.to_owned(), by.clone());
            Grant { subject, role, allowed, until_ms, by }
        })
        .collect()
}

/// One change in words.
fn told(grant: &Grant, lang: Lang) -> String {
    let Grant { subject, role, allowed, until_ms, .. } = grant;
    let subject = match subject.strip_prefix(GROUP) {
        Some(chat) => words::access::group(chat, lang),
        None => subject.clone(),
    };
    let until = until_ms.map(|at| until(at, lang)).unwrap_or_default();
    match (allowed, role.as_str()) {
        (true, role) => words::access::gets(&subject, role, lang) + &until,
        (false, "*") => words::access::loses_all(&subject, lang),
        (false, role) => words::access::loses(&subject, role, lang),
    }
}

fn until(at_ms: i64, lang: Lang) -> String {
    let at = DateTime::from_timestamp_millis(at_ms)
        .map(|at| at.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default();
    words::access::until(&at, lang)
}
