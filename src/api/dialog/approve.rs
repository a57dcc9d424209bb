//! Approvals: somebody sees exactly what is to happen, and says yes to that and nothing else.
//!
//! An approval is bound by a digest to every byte of what is run ([`super::plan`]), to its run, to whoever may give it, and
//! to a time that is shown. It is used once. A handler with `confirm` runs with the arguments that were approved; what
//! `ctx:approve` gives is compared with what is started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mlua::{Result as LuaResult, Table};
use serde_json::Value as Json;

use super::asking::{Asking, Heard, Shown};
use super::plan::{self, Plan};
use super::read::yes_or_no;
use super::{TITLE_CHARS, TRIES, tell, unclear};
use crate::access::Actor;
use crate::access::Confirm;
use crate::access::Door;
use crate::access::Need;
use crate::api::Call;
use crate::api::ctx::{Owned, classes};
use crate::api::failure::{Failure, Outcome, misuse};
use crate::api::media;
use crate::api::options::Options;
use crate::api::run::Run;
use crate::api::shell;
use crate::api::shell::command::{Command, SpawnError};
use crate::asks::Digest;
use crate::asks::Ended;
use crate::asks::Kind;
use crate::asks::Place;
use crate::asks::TooMany;
use crate::asks::marked;
use crate::message::Address;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::Reply;
use crate::message::StaffId;
use crate::sink::markdown::{escape, escape_inline, fenced};
use crate::words::approvals as words;

/// Characters of what will happen that stand in the message itself: all that a card surely shows.
const IN_MESSAGE: usize = 1_500;

/// Digits of the digest that a question shows.
const DIGEST_DIGITS: usize = 12;

/// What `ctx:approve` gives: leave to start one program, once.
#[derive(Clone, Debug)]
pub struct Approval {
    run: Arc<Run>,
    digest: String,
    used: Arc<AtomicBool>,
}

impl Approval {
    /// Uses it up for `command`.
    ///
    /// # Errors
    /// Raises when it is no leave for that. The inner error: the program cannot be started at all.
    pub(crate) fn spend(
        &self,
        call: &Call,
        command: &Command,
    ) -> LuaResult<Result<(), SpawnError>> {
        if !Arc::ptr_eq(&self.run, &call.run) {
            return Err(misuse(
                "option `approved`: this approval belongs to another run; ask again",
            ));
        }
        let digest = match plan::digest(command, call.host.world().is_some()) {
            Ok(digest) => digest,
            Err(error) => return Ok(Err(error)),
        };
        if digest != self.digest {
            return Err(misuse(
                "option `approved`: this is not what was approved; ask again with exactly what is to run",
            ));
        }
        if self.used.swap(true, Ordering::SeqCst) {
            return Err(misuse("option `approved`: this approval was used already; ask again"));
        }
        Ok(Ok(()))
    }
}

/// What is asked for.
struct Request {
    /// Made visible already.
    question: String,
    plan: Plan,
    approvers: Option<String>,
    timeout: Duration,
}

/// Who said yes.
struct Allowed {
    by: StaffId,
    name: String,
}

/// `ctx:approve`, see `ctx.d.luau`. Cancel safe: dropped, nothing is asked any more.
pub(in crate::api) async fn approve(
    call: Call,
    (mut command, mut options): (Options, Options),
) -> LuaResult<Outcome<Table>> {
    // So that what is asked for and what `ctx:stream` starts can be one table.
    command.value("title")?;
    command.value("attach")?;
    let command = shell::command(command)?;
    let question = options.string("question")?.filter(|text| !text.trim().is_empty());
    let approvers = options.string("approvers")?;
    if approvers.as_deref().is_some_and(|role| role.trim().is_empty()) {
        return Err(misuse("option `approvers`: expected the name of a role, got \"\""));
    }
    let timeout = options.duration("timeout")?.unwrap_or(Confirm::TIMEOUT);
    options.finish()?;
    let program = command.argv.first().map(|program| String::from_utf8_lossy(program).into_owned());
    // What the script may not start is not asked for.
    call.need(&Need::Shell(program))?;
    let play = call.host.world().is_some();
    let plan = match plan::of_command(&command, play, call.run.lang()) {
        Ok(plan) => plan,
        Err(error) => return Ok(Failure::from(error).into()),
    };
    let digest = plan.digest.clone();
    let question = question.unwrap_or_else(|| words::run_this(call.run.lang()).to_owned());
    let question = marked(&question);
    let (lua, run) = (call.lua.clone(), Arc::clone(&call.run));
    Ok(match request(call, Request { question, plan, approvers, timeout }).await? {
        Ok(Allowed { by, name }) => {
            let fields = lua.create_table()?;
            fields.raw_set("by", by.as_str())?;
            fields.raw_set("name", name)?;
            let approval = Approval { run: Arc::clone(&run), digest, used: Arc::default() };
            let behind = Owned { run, value: approval };
            Outcome::Value(classes(&lua)?.approval.instance(&lua, fields, &[], behind)?)
        }
        Err(failure) => failure.into(),
    })
}

/// What comes of the question that a handler asks before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// It runs.
    Go,
    /// It does not; what there is to say was said. Why, for the journal.
    Not(String),
    Failed(String),
}

/// Asks whether the handler that was `declared` so may run with these arguments.
pub(crate) async fn before(call: Call, confirm: &Confirm, declared: &str, args: &Json) -> Before {
    let lang = call.run.lang();
    let value = |name: &str| {
        let value = match args {
            Json::Array(list) => list.get(name.parse::<usize>().ok()?.checked_sub(1)?),
            args => args.get(name),
        };
        Some(value.map_or_else(|| "—".to_owned(), plan::in_short))
    };
    let question = match confirm.fill(value) {
        Ok(question) => question,
        Err(why) => return Before::Failed(format!("option `confirm`: {why}")),
    };
    let message = call.run.message().map_or("", |message| message.id.as_str()).to_owned();
    let plan = plan::of_handler(&call.script, declared, args, &message);
    let approved = plan.digest.clone();
    let (approvers, timeout) = (confirm.approvers.clone(), confirm.timeout);
    let (run, script) = (Arc::clone(&call.run), Arc::clone(&call.script));
    let request = Request { question: marked(&question), plan, approvers, timeout };
    match self::request(call, request).await {
        Ok(Ok(_)) if plan::of_handler(&script, declared, args, &message).digest == approved => {
            Before::Go
        }
        Ok(Ok(_)) => Before::Failed("what was approved is not what is to run".to_owned()),
        Ok(Err(failure)) => {
            // What nobody was asked is told here; the rest is where it was asked.
            let told = match failure.kind {
                "too_many" => Some(words::too_many(lang)),
                "nobody" => Some(words::nobody(lang)),
                "not_shown" => Some(words::not_shown(lang)),
                _ => None,
            };
            if let (Some(text), Some(to)) = (told, run.address()) {
                let body = crate::message::Body::Text { text: text.to_owned() };
                let _ = run.reply(Reply { to, body, at: Vec::new() });
            }
            Before::Not(format!("not approved: {}", failure.kind))
        }
        Err(error) => Before::Failed(error.to_string()),
    }
}

async fn request(call: Call, request: Request) -> LuaResult<Result<Allowed, Failure>> {
    let mut asking = Asking::new(call, Some(request.timeout))?;
    let run = Arc::clone(&asking.call.run);
    let _patience = run.waits_for_a_person();
    let (lang, asker) = (asking.lang, asking.asker());
    let Some((to, place)) = whom(&asking, request.approvers.as_deref()) else {
        return Ok(Err(Failure::new(
            "nobody",
            "somebody else must approve it, and in a direct chat there is only the owner to ask",
        )
        .hint("ask in a group, where others are")));
    };
    let elsewhere = to.conversation_id != asking.message.chat.id;
    // Others are not kept from whatever they write meanwhile.
    let listens = request.approvers.is_none();
    if listens && let Err(late) = asking.listen().await {
        // Another question stood in its way all the time: it was never asked.
        asking
            .say(words::expired(&tell::clock_time(asking.until_ms, asking.now_ms()), lang))
            .await?;
        return Ok(Err(late));
    }
    let buttons = if asking.call.host.outbox()?.buttons() >= 2 { 2 } else { 0 };
    let approvers = request.approvers.clone();
    let open = match asking.pose(Kind::Approve, &request.question, (place, approvers), buttons) {
        Ok(open) => open,
        Err(TooMany) => {
            return Ok(Err(Failure::new("too_many", "too many approvals were asked for")
                .hint("wait until those that wait are decided")));
        }
    };
    let (id, code) = (open.waiting.id.clone(), open.waiting.code.clone());
    let bound = Digest::of("approval")
        .with(&id)
        .with(run.id())
        .with(asker.as_str())
        .with_some(request.approvers.as_deref())
        .with(to.conversation_id.as_str())
        .with(asking.until_ms.to_be_bytes())
        .with(&request.question)
        .with(&request.plan.digest)
        .hex();
    if let Some(open) = asking.open() {
        open.update(|waiting| waiting.ask.digest.clone_from(&bound));
    }
    let shown = match shown(&asking, &request, &code, &bound, &to).await? {
        Ok(shown) => shown,
        Err(failure) => return Ok(Err(failure)),
    };
    asking.show(shown, to).await?;
    let until = tell::clock_time(asking.until_ms, asking.now_ms());
    if elsewhere {
        asking.say(words::waits_for_owner(&until, lang)).await?;
    }
    let mut unclear_ones = 0;
    loop {
        let heard = asking.hear().await;
        let ended = match heard {
            Ok(Heard::Button { index, by, name }) => {
                return Ok(settle(&mut asking, index, by, name));
            }
            Ok(Heard::Text(text)) if yes_or_no(&text) == Some(false) => {
                (Ended::Refused, Failure::new("refused", "the person said no"))
            }
            Ok(Heard::Text(_)) if unclear_ones + 1 < TRIES => {
                unclear_ones += 1;
                if let Err(late) = asking.listen().await {
                    (Ended::Expired, late)
                } else {
                    asking.say(words::how(&code, lang)).await?;
                    continue;
                }
            }
            Ok(Heard::Text(_)) => (Ended::Withdrawn, unclear()),
            Err(failure) => match failure.kind {
                "timeout" => (Ended::Expired, failure),
                _ => (Ended::Withdrawn, failure),
            },
        };
        let (ended, failure) = ended;
        let now = asking.now_ms();
        let line = match (ended, failure.kind) {
            (Ended::Refused, _) => {
                let by = tell::by(&asking.message.sender.nick, &asker, now);
                words::refused(&by, lang)
            }
            (Ended::Expired, _) => words::expired(&until, lang),
            (_, "changed") => words::changed(lang).to_owned(),
            _ => words::not_run(lang).to_owned(),
        };
        let by = (ended == Ended::Refused).then_some(&asker);
        let on_card = asking.is_on_card();
        if let Some(pressed) = asking.end(ended, by, &escape_inline(&line)).await {
            // Somebody was a moment faster than the clock.
            return Ok(pressed.and_then(|heard| match heard {
                Heard::Button { index, by, name } => settle(&mut asking, index, by, name),
                Heard::Text(_) => Err(failure),
            }));
        }
        // Whoever found the script changed is in the audit already.
        if failure.kind != "changed" {
            record(&asking, ended, &bound);
        }
        // Whoever cancelled, or found the script changed, was answered; the others hear of it here.
        let told = match failure.kind {
            "cancelled" => true,
            "changed" => request.approvers.is_none(),
            _ => false,
        };
        if !on_card && !told {
            asking.say(line).await?;
        }
        return Ok(Err(failure));
    }
}

/// Where the question is asked, and where it may be answered; `None`: there is nobody to ask.
fn whom(asking: &Asking, approvers: Option<&str>) -> Option<(Address, Place)> {
    if approvers.is_none() || asking.message.chat.kind == ChatKind::Group {
        return Some((asking.here(), asking.place()));
    }
    // Of those with the role only the owner can be found: has every role, and is one person.
    let owner = asking.call.host.owner().filter(|owner| *owner != asking.asker())?;
    let to = Address {
        conversation_id: ConversationId::new(format!("to:{owner}")),
        kind: ChatKind::Direct,
        staff_id: Some(owner.clone()),
        robot_code: asking.message.robot_code.clone(),
        webhook: None,
    };
    Some((to, Place::With(owner)))
}

fn settle(
    asking: &mut Asking,
    index: usize,
    by: StaffId,
    name: String,
) -> Result<Allowed, Failure> {
    let name = asking.called(&by, name);
    let who = tell::by(&name, &by, asking.now_ms());
    let line = if index == 0 {
        words::approved(&who, asking.lang)
    } else {
        words::refused(&who, asking.lang)
    };
    let on_card = asking.is_on_card();
    asking.answered(&escape_inline(&line));
    if index == 0 {
        return Ok(Allowed { by, name });
    }
    // Whoever said no by its number was told; whoever asked, if that is somebody else, was not.
    if !on_card && by != asking.asker() {
        let body = crate::message::Body::Text { text: line };
        let _ = asking.call.run.reply(Reply { to: asking.here(), body, at: Vec::new() });
    }
    Err(Failure::new("refused", "the person said no"))
}

/// The audit of what nobody decided by a button or a number.
fn record(asking: &Asking, ended: Ended, digest: &str) {
    let Some(access) = asking.call.host.access() else { return };
    let chat = &asking.message.chat;
    let (actor, verdict) = match ended {
        Ended::Refused => {
            (access.actor(&asking.message.sender, Some(chat), Door::Answer), "refuse")
        }
        Ended::Expired => (Actor::host(Door::Answer), "expire"),
        _ => (access.actor(&asking.message.sender, Some(chat), Door::Answer), "withdraw"),
    };
    access.decided(&actor, Some(chat.id.as_str()), asking.call.run.id(), digest, (verdict, ""));
}

/// What the people who decide are shown: all of it, in the message or in a file that comes before it.
async fn shown(
    asking: &Asking,
    request: &Request,
    code: &str,
    digest: &str,
    to: &Address,
) -> LuaResult<Result<Shown, Failure>> {
    let (lang, now) = (asking.lang, asking.now_ms());
    let asker = tell::name_and_id(&asking.message.sender.nick, &asking.asker());
    let until = tell::clock_time(asking.until_ms, now);
    let terms = words::terms(&asker, &until, &digest[..DIGEST_DIGITS.min(digest.len())], lang);
    let role = request.approvers.as_deref().map(|role| words::for_role(role, lang));
    let mut plan = request.plan.lines.join("\n");
    let length = plan.chars().count() + request.question.chars().count();
    if length > IN_MESSAGE {
        let name = format!("approval-{code}.txt");
        let all = format!("{}\n\n{plan}\n\n{terms}\nsha256 {digest}\n", request.question);
        let sent_as = match media::attach(&asking.call, to, &name, all.into_bytes()).await? {
            Ok(sent_as) => sent_as,
            Err(failure) => {
                return Ok(Err(Failure::new(
                    "not_shown",
                    format!(
                        "what is to be approved is too long for a message, and its file was not sent: {failure}"
                    ),
                )));
            }
        };
        plan = words::in_file(&sent_as, length, lang);
    }
    let question = match request.question.char_indices().nth(IN_MESSAGE / 2) {
        Some((end, _)) => format!("{}…", &request.question[..end]),
        None => request.question.clone(),
    };
    let role_line = role.as_deref().map(|role| format!("\n{role}")).unwrap_or_default();
    let text = format!("❓ {question}\n{plan}\n{terms}{role_line}\n{}", words::how(code, lang));
    let short = question.chars().count() <= TITLE_CHARS && !question.contains('\n');
    let (title, head) = if short {
        (format!("❓ {question}"), String::new())
    } else {
        ("❓".to_owned(), format!("{}\n\n", escape(&question).replace('\n', "  \n")))
    };
    let role_line = role.map(|role| format!("  \n{}", escape_inline(&role))).unwrap_or_default();
    let body = format!(
        "{head}{}\n\n{}{role_line}  \n{}",
        fenced(&plan),
        escape_inline(&terms),
        words::or_send(code, lang)
    );
    let labels = [words::approve(lang), words::refuse(lang)].map(str::to_owned).to_vec();
    Ok(Ok(Shown { text, title, body, labels }))
}
