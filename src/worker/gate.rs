//! Leave to run, as the dispatcher asks for it, and where a run that has it says things.

use crate::access;
use crate::access::Access;
use crate::access::Actor;
use crate::access::Denied;
use crate::access::Permit;
use crate::api::Run;
use crate::inbox::State;
use crate::message::Address;
use crate::message::Body;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::Message;
use crate::message::Reply;
use crate::outbox::Post;
use crate::router::Handler;
use crate::script::Target;

/// A handler as the audit names it, and rates count it.
pub(super) fn name_of(handler: &Handler<Target>) -> String {
    format!("{} {}", handler.place.script, handler.title())
}

/// Leave for `run`, which answers `message` with `handler`. What a quiet one says in a group goes to the person alone.
///
/// # Errors
/// Why it may not run.
pub(super) fn begin(
    access: &Access,
    actor: &Actor,
    message: &Message,
    handler: &Handler<Target>,
    run: &Run,
) -> Result<Permit, Denied> {
    let name = name_of(handler);
    let asked = access::Handler { name: &name, terms: &handler.terms };
    let permit = access.begin(actor, Some(&message.chat), asked, run.id(), run.cancel())?;
    if let Some(person) = actor.person()
        && handler.terms.quiet
        && message.chat.kind == ChatKind::Group
    {
        run.answer_to(Address {
            // Messages to one person keep their order; sending goes by the staff id.
            conversation_id: ConversationId::new(format!("to:{person}")),
            kind: ChatKind::Direct,
            staff_id: Some(person.clone()),
            robot_code: message.robot_code.clone(),
            webhook: None,
        });
    }
    Ok(permit)
}

/// The host's words about a run, where the run itself answers.
pub(super) fn say_where(run: &Run, message: &Message, text: String) -> Post {
    let to = run.address().unwrap_or_else(|| Address::from(message));
    Post::Reply(Reply { to, body: Body::Text { text }, at: Vec::new() })
}

/// How a run ended, in the word of the audit.
pub(super) fn how(state: State) -> &'static str {
    match state {
        State::Done => "done",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
        State::Interrupted => "interrupted",
        State::Parked => "parked",
    }
}
