//! What `ctx:confirm` is about: what a script wants to do, shown whole before somebody says yes to it.

use mlua::{Result as LuaResult, Table, Value};

use super::plan::{self, Plan};
use super::request::{Request, request};
use crate::access::Confirm;
use crate::api::Call;
use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::json;
use crate::api::options::{Options, text_of, whole};
use crate::api::shell;
use crate::asks::Digest;
use crate::asks::marked;

/// Asks for a yes to exactly this; `about` nothing: to the question alone.
pub(super) async fn confirm(
    call: Call,
    question: &str,
    about: Value,
    (approvers, timeout): (Option<String>, Option<std::time::Duration>),
) -> LuaResult<Outcome<bool>> {
    let plan = match plan_of(&call, &about, question)? {
        Ok(plan) => plan,
        Err(failure) => return Ok(failure.into()),
    };
    let asked = question.to_owned();
    let request = Request {
        question: marked(question),
        plan,
        again: Box::new(move |call| {
            // What cannot be read any more is not what was shown.
            plan_of(call, &about, &asked).ok()?.ok().map(|plan| plan.digest)
        }),
        approvers,
        timeout: timeout.unwrap_or(Confirm::TIMEOUT),
    };
    Ok(match self::request(call, request).await? {
        Ok(_) => Outcome::Value(true),
        Err(failure) if failure.kind == "refused" => Outcome::Value(false),
        Err(failure) => failure.into(),
    })
}

/// Made anew each time: a table is the script's, which may change it while people think.
fn plan_of(call: &Call, about: &Value, question: &str) -> LuaResult<Result<Plan, Failure>> {
    let wrong = |got: &str| {
        misuse(format!("option `about`: expected text or a table with what will happen, got {got}"))
    };
    Ok(Ok(match about {
        Value::Nil => {
            Plan { lines: Vec::new(), digest: Digest::of("question").with(question).hex() }
        }
        Value::String(text) if text.as_bytes().trim_ascii().is_empty() => {
            return Err(wrong("\"\""));
        }
        Value::String(text) => plan::of_text(&text.as_bytes()),
        Value::Table(table) if table.is_empty() => return Err(wrong("an empty one")),
        Value::Table(table) if is_command(table)? => {
            let mut command = Options::from(Some(table.clone()));
            // So that it can be the table that `ctx:stream` starts.
            command.value("title")?;
            command.value("attach")?;
            let command = shell::command(command)?;
            shell::may_start(call, &command)?;
            match plan::of_command(&command, call.host.world().is_some(), call.run.lang()) {
                Ok(plan) => plan,
                Err(error) => return Ok(Err(error.into())),
            }
        }
        Value::Table(table) => match items(table)? {
            Some(items) => plan::of_list(&items),
            None => {
                let named = json::from_lua(&call.lua, about);
                plan::of_json(&named.map_err(|error| match error {
                    mlua::Error::RuntimeError(why) => misuse(format!("option `about`: {why}")),
                    other => other,
                })?)
            }
        },
        other => {
            let text = text_of(other).ok_or_else(|| wrong(type_name(other)))?;
            plan::of_text(text.as_bytes())
        }
    }))
}

/// The items of a list of texts and numbers, such as names of files: of whatever bytes.
fn items(table: &Table) -> LuaResult<Option<Vec<Vec<u8>>>> {
    let mut items = Vec::with_capacity(table.raw_len());
    for (at, pair) in (1..).zip(table.pairs::<Value, Value>()) {
        let (key, item) = pair?;
        match (whole(&key), &item) {
            (Some(index), Value::String(text)) if index == at => {
                items.push(text.as_bytes().to_vec());
            }
            (Some(index), Value::Integer(_) | Value::Number(_)) if index == at => {
                items.push(text_of(&item).unwrap_or_default().into_bytes());
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(items))
}

/// Whether it is what `shell.run` takes: a list with options beside it.
fn is_command(table: &Table) -> LuaResult<bool> {
    if table.raw_len() == 0 {
        return Ok(false);
    }
    for pair in table.pairs::<Value, Value>() {
        if pair?.0.is_string() {
            return Ok(true);
        }
    }
    Ok(false)
}
