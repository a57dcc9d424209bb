//! One request for a yes to something exact: who is asked and where, what they are shown, how it ends.
//!
//! It is bound by a digest to every byte of what is shown ([`super::plan`]), to its run, to whoever may decide, and to a time
//! that is shown. What it is about is looked at once more when the yes has come: was it changed meanwhile, the yes was
//! for something else.

use std::sync::Arc;
use std::time::Duration;

use mlua::Result as LuaResult;

use super::asking::{Asked, Asking, Heard, Shown};
use super::plan::Plan;
use super::read::yes_or_no;
use super::{TITLE_CHARS, TRIES, tell, unclear};
use crate::access::Actor;
use crate::access::Door;
use crate::api::Call;
use crate::api::failure::{Failure, misuse};
use crate::api::media;
use crate::api::options::Options;
use crate::asks::Ended;
use crate::asks::Kind;
use crate::asks::Open;
use crate::asks::Place;
use crate::asks::TooMany;
use crate::message::Address;
use crate::message::Body;
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

/// Makes a digest of what a request is about, anew.
pub(super) type Again = Box<dyn Fn(&Call) -> Option<String> + Send + Sync>;

/// What is asked for.
pub(super) struct Request {
    /// Made visible already.
    pub(super) question: String,
    pub(super) plan: Plan,
    /// The digest of the plan as it would be made now; `None`: it cannot be made any more.
    pub(super) again: Again,
    pub(super) approvers: Option<String>,
    pub(super) timeout: Duration,
}

/// Who said yes.
pub(super) struct Allowed {
    pub(super) by: StaffId,
    pub(super) name: String,
}

/// The option `approvers`: the role of those who decide.
pub(super) fn approvers_of(options: &mut Options) -> LuaResult<Option<String>> {
    let approvers = options.string("approvers")?;
    if approvers.as_deref().is_some_and(|role| role.trim().is_empty()) {
        return Err(misuse("option `approvers`: expected the name of a role, got \"\""));
    }
    Ok(approvers)
}

/// Asks, and waits for what is decided.
pub(super) async fn request(call: Call, request: Request) -> LuaResult<Result<Allowed, Failure>> {
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
    let posed = asking.pose(Asked {
        kind: Kind::Approve,
        question: &request.question,
        about: &request.plan.digest,
        place,
        approvers: request.approvers.clone(),
        buttons,
    });
    let (id, code, bound) = match posed {
        Ok(Open { waiting, .. }) => {
            (waiting.id.clone(), waiting.code.clone(), waiting.ask.digest.clone())
        }
        Err(TooMany) => {
            return Ok(Err(Failure::new("too_many", "too many approvals were asked for")
                .hint("wait until those that wait are decided")));
        }
    };
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
                let ids = (id.as_str(), bound.as_str());
                return Ok(settle(&mut asking, &request, ids, (index, by, name)).await);
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
            return Ok(match pressed {
                Ok(Heard::Button { index, by, name }) => {
                    let ids = (id.as_str(), bound.as_str());
                    settle(&mut asking, &request, ids, (index, by, name)).await
                }
                Ok(Heard::Text(_)) => Err(failure),
                Err(other) => Err(other),
            });
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

/// Takes the answer of a button or a number to the question `id` about `bound`.
async fn settle(
    asking: &mut Asking,
    request: &Request,
    (id, bound): (&str, &str),
    (index, by, name): (usize, StaffId, String),
) -> Result<Allowed, Failure> {
    let name = asking.called(&by, name);
    let who = tell::by(&name, &by, asking.now_ms());
    let allowed = index == 0;
    let still = (request.again)(&asking.call).as_ref() == Some(&request.plan.digest);
    let line = match (allowed, still) {
        (true, true) => words::approved(&who, asking.lang),
        (true, false) => words::other_now(asking.lang).to_owned(),
        (false, _) => words::refused(&who, asking.lang),
    };
    let on_card = asking.is_on_card();
    asking.answered(&escape_inline(&line));
    if allowed && still {
        return Ok(Allowed { by, name });
    }
    // Whoever said no by its number was told; whoever asked, if that is somebody else, was not.
    if !on_card && (allowed || by != asking.asker()) {
        let body = Body::Text { text: line };
        let _ = asking.call.run.reply(Reply { to: asking.here(), body, at: Vec::new() });
    }
    if !allowed {
        return Err(Failure::new("refused", "the person said no"));
    }
    // The yes is on disk and in the audit; that nothing comes of it has to be, too.
    if let Err(error) = asking.call.host.asks().overrule(id, asking.now_ms()).await {
        tracing::error!(%error, "that nothing comes of an approval cannot be noted");
    }
    if let Some(access) = asking.call.host.access() {
        let (chat, host) = (&asking.message.chat, Actor::host(Door::Answer));
        let why = ("deny", "changed");
        access.decided(&host, Some(chat.id.as_str()), asking.call.run.id(), bound, why);
    }
    Err(Failure::new("changed", "what was approved was changed while the question was open")
        .hint("what is to be allowed must be asked for again"))
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
    let mut question = request.question.clone();
    let mut plan = request.plan.lines.join("\n");
    let length = plan.chars().count() + question.chars().count();
    // As the card has it: a sign may be written as two there.
    if plan.chars().count() + on_card(&question).chars().count() > IN_MESSAGE {
        let name = format!("approval-{code}.txt");
        let all = format!("{question}\n\n{plan}\n\n{terms}\nsha256 {digest}\n");
        let sent_as = match media::attach(&asking.call, to, &name, &all).await? {
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
        if let Some((end, _)) = question.char_indices().nth(IN_MESSAGE / 2) {
            question.replace_range(end.., "…");
        }
    }
    let role_line = role.as_deref().map(|role| format!("\n{role}")).unwrap_or_default();
    let below = if plan.is_empty() { String::new() } else { format!("\n{plan}") };
    let text = format!("❓ {question}{below}\n{terms}{role_line}\n{}", words::how(code, lang));
    let short = question.chars().count() <= TITLE_CHARS && !question.contains('\n');
    let (title, head) = if short {
        (format!("❓ {question}"), String::new())
    } else {
        ("❓".to_owned(), format!("{}\n\n", on_card(&question)))
    };
    let role_line = role.map(|role| format!("  \n{}", escape_inline(&role))).unwrap_or_default();
    let block = if plan.is_empty() { String::new() } else { format!("{}\n\n", fenced(&plan)) };
    let body = format!(
        "{head}{block}{}{role_line}  \n{}",
        escape_inline(&terms),
        words::or_send(code, lang)
    );
    let labels = [words::approve(lang), words::refuse(lang)].map(str::to_owned).to_vec();
    Ok(Ok(Shown { text, title, body, labels }))
}

/// A question as the Markdown of a card.
fn on_card(question: &str) -> String {
    escape(question).replace('\n', "  \n")
}
