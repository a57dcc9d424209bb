//! Approvals: somebody sees exactly what is to happen, and says yes to that and nothing else ([`super::request`]).
//!
//! It is used once. A handler with `confirm` runs with the arguments that were approved; what `ctx:approve` gives is
//! compared with what is started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mlua::{Result as LuaResult, Table};
use serde_json::Value as Json;

use super::plan;
use super::request::{Allowed, Request, approvers_of, request};
use crate::access::Confirm;
use crate::api::Call;
use crate::api::ctx::{Owned, classes};
use crate::api::failure::{Failure, Outcome, misuse};
use crate::api::options::Options;
use crate::api::run::Run;
use crate::api::shell;
use crate::api::shell::command::{Command, SpawnError};
use crate::asks::marked;
use crate::message::Body;
use crate::message::Reply;
use crate::words::approvals as words;

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
    let approvers = approvers_of(&mut options)?;
    let timeout = options.duration("timeout")?.unwrap_or(Confirm::TIMEOUT);
    options.finish()?;
    shell::may_start(&call, &command)?;
    let play = call.host.world().is_some();
    let plan = match plan::of_command(&command, play, call.run.lang()) {
        Ok(plan) => plan,
        Err(error) => return Ok(Failure::from(error).into()),
    };
    let digest = plan.digest.clone();
    let question = question.unwrap_or_else(|| words::run_this(call.run.lang()).to_owned());
    let question = marked(&question);
    let (lua, run) = (call.lua.clone(), Arc::clone(&call.run));
    let again = Box::new(move |_: &Call| plan::digest(&command, play).ok());
    Ok(match request(call, Request { question, plan, again, approvers, timeout }).await? {
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
    let run = Arc::clone(&call.run);
    let again = {
        let (script, declared) = (Arc::clone(&call.script), declared.to_owned());
        let args = args.clone();
        Box::new(move |_: &Call| Some(plan::of_handler(&script, &declared, &args, &message).digest))
    };
    let request = Request {
        question: marked(&question),
        plan,
        again,
        approvers: confirm.approvers.clone(),
        timeout: confirm.timeout,
    };
    match self::request(call, request).await {
        Ok(Ok(_)) => Before::Go,
        Ok(Err(failure)) => {
            // What nobody was asked is told here; the rest is where it was asked.
            let told = match failure.kind {
                "too_many" => Some(words::too_many(lang)),
                "nobody" => Some(words::nobody(lang)),
                "not_shown" => Some(words::not_shown(lang)),
                _ => None,
            };
            if let (Some(text), Some(to)) = (told, run.address()) {
                let body = Body::Text { text: text.to_owned() };
                let _ = run.reply(Reply { to, body, at: Vec::new() });
            }
            Before::Not(format!("not approved: {}", failure.kind))
        }
        Err(error) => Before::Failed(error.to_string()),
    }
}
