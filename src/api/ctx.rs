//! `ctx`: what a handler is given. See `ctx.d.luau`.
//!
//! Plain tables of data with methods behind them. A `ctx` is good for its own run only: kept over its end, or used by
//! another run, every method says so instead of answering in the wrong chat.

use std::sync::Arc;

use mlua::{Lua, LuaString, Result as LuaResult, Table, Value};

use crate::api::attachment::{self, Attachment};
use crate::api::dialog;
use crate::api::failure::{failure_text, misuse, type_name};
use crate::api::json::{Null, to_lua};
use crate::api::media;
use crate::api::module::Class;
use crate::api::options::{Options, text_of};
use crate::api::run::Run;
use crate::api::stream::stream;
use crate::api::{Call, strict};
use crate::dingtalk::text::title as title_of;
use crate::message::Address;
use crate::message::Body;
use crate::message::File;
use crate::message::Message;
use crate::message::Reply;
use crate::message::StaffId;
use crate::outbox::Card;
use crate::sink::markdown;

/// Longer is not a reply: DingTalk takes 20 KB, and the rest is split.
const MAX_TEXT_BYTES: usize = 256 << 10;

/// Classes of the objects that belong to a run, built once in each VM.
#[derive(Clone, Debug)]
pub(crate) struct Classes {
    pub(crate) ctx: Class,
    pub(crate) card: Class,
    pub(crate) file: Class,
    pub(crate) approval: Class,
}

impl Classes {
    pub(super) fn new(lua: &Lua) -> LuaResult<Self> {
        let ctx = Class::new(lua, "ctx")?
            .method("reply", &["message"], |_, call, this: Owned<()>, message: Value| {
                this.check(call, "ctx")?;
                reply(call, message)
            })?
            .method("card", &["options"], |lua, call, this: Owned<()>, options: Options| {
                this.check(call, "ctx")?;
                card(lua, call, options)
            })?
            .async_method(
                "stream",
                &["command"],
                async |call, this: Owned<()>, options: Options| {
                    this.check(&call, "ctx")?;
                    stream(call, options).await
                },
            )?
            .async_method(
                "send_file",
                &["path", "options"],
                async |call, this: Owned<()>, args: (LuaString, Options)| {
                    this.check(&call, "ctx")?;
                    media::send_file(call, args).await
                },
            )?
            .async_method(
                "send_image",
                &["path"],
                async |call, this: Owned<()>, path: LuaString| {
                    this.check(&call, "ctx")?;
                    media::send_image(call, path).await
                },
            )?
            .async_method(
                "ask",
                &["question", "options"],
                async |call, this: Owned<()>, args: (Value, Options)| {
                    this.check(&call, "ctx")?;
                    dialog::ask(call, args).await
                },
            )?
            .async_method(
                "choose",
                &["question", "choices", "options"],
                async |call, this: Owned<()>, args: (Value, Value, Options)| {
                    this.check(&call, "ctx")?;
                    dialog::choose(call, args).await
                },
            )?
            .async_method(
                "confirm",
                &["question", "options"],
                async |call, this: Owned<()>, args: (Value, Options)| {
                    this.check(&call, "ctx")?;
                    dialog::confirm(call, args).await
                },
            )?
            .async_method(
                "approve",
                &["command", "options"],
                async |call, this: Owned<()>, args: (Options, Options)| {
                    this.check(&call, "ctx")?;
                    dialog::approve(call, args).await
                },
            )?
            .async_method(
                "react",
                &["text", "options"],
                async |call, this: Owned<()>, args: (String, Options)| {
                    this.check(&call, "ctx")?;
                    attachment::react(call, args).await
                },
            )?
            .build()?;
        let card = Class::new(lua, "card")?
            .method("append", &["text"], |_, call, this: Owned<Card>, text: Value| {
                Ok(this.check(call, "card")?.append(&shown(&text)?))
            })?
            .method("set", &["text"], |_, call, this: Owned<Card>, text: Value| {
                Ok(this.check(call, "card")?.set(&shown(&text)?))
            })?
            .method(
                "progress",
                &["fraction", "label"],
                |_, call, this: Owned<Card>, (part, label): (f64, Option<String>)| {
                    if part.is_nan() {
                        return Err(misuse(
                            "argument #1 (`fraction`): expected a number from 0 to 1, got nan",
                        ));
                    }
                    Ok(this.check(call, "card")?.progress(part, label.as_deref()))
                },
            )?
            .method("finish", &["text"], |_, call, this: Owned<Card>, text: Option<Value>| {
                let card = this.check(call, "card")?;
                if let Some(text) = text.filter(|text| !text.is_nil()) {
                    card.set(&shown(&text)?);
                }
                Ok(card.finish())
            })?
            .method("fail", &["reason"], |_, call, this: Owned<Card>, reason: Option<Value>| {
                let reason = reason
                    .filter(|reason| !reason.is_nil())
                    .map(|reason| shown(&reason))
                    .transpose()?;
                // Mostly an error, which quotes what it likes.
                let reason =
                    reason.map_or_else(|| "failed".to_owned(), |why| markdown::escape(&why));
                Ok(this.check(call, "card")?.fail(&reason))
            })?
            .build()?;
        let file = Class::new(lua, "file")?
            .async_method(
                "save",
                &["options"],
                async |call, this: Owned<Attachment>, options: Options| {
                    let attachment = this.check(&call, "file")?.clone();
                    attachment::save(call, attachment, options).await
                },
            )?
            .build()?;
        let approval = Class::new(lua, "approval")?.build()?;
        Ok(Self { ctx, card, file, approval })
    }
}

/// Something that belongs to one run.
#[derive(Clone, Debug)]
pub(crate) struct Owned<T> {
    pub(crate) run: Arc<Run>,
    pub(crate) value: T,
}

impl<T> Owned<T> {
    /// The thing itself, when its own run asks.
    pub(crate) fn check(&self, call: &Call, what: &str) -> LuaResult<&T> {
        if Arc::ptr_eq(&self.run, &call.run) {
            return Ok(&self.value);
        }
        let ended = if self.run.over().is_cancelled() { ", which has ended" } else { "" };
        Err(misuse(format!(
            "this `{what}` belongs to run `{}`{ended}, but run `{}` uses it; keep the data you need, not the `{what}`",
            self.run.id(),
            call.run.id()
        )))
    }
}

/// The `ctx` of a run.
pub(crate) fn create(
    lua: &Lua,
    run: &Arc<Run>,
    message: &Message,
    args: &serde_json::Value,
) -> LuaResult<Table> {
    let ctx = lua.create_table_with_capacity(0, 7)?;
    ctx.raw_set("text", message.text.as_str())?;
    let args = match args {
        serde_json::Value::Null => Value::Table(lua.create_table()?),
        args => to_lua(lua, args, Null::Nil)?,
    };
    ctx.raw_set("args", args)?;
    ctx.raw_set("run_id", run.id())?;
    ctx.raw_set("attempt", run.attempt())?;

    let user = lua.create_table_with_capacity(0, 4)?;
    user.raw_set("id", message.sender.staff_id.as_ref().map(StaffId::as_str))?;
    user.raw_set("name", message.sender.nick.as_str())?;
    user.raw_set("role", run.role())?;
    user.raw_set("lang", run.lang().code())?;
    strict(lua, "ctx.user", &["id", "name", "role", "lang"], &user)?;
    ctx.raw_set("user", user)?;

    let chat = lua.create_table_with_capacity(0, 3)?;
    chat.raw_set("id", message.chat.id.as_str())?;
    chat.raw_set("kind", message.chat.kind.as_str())?;
    chat.raw_set("title", message.chat.title.as_deref())?;
    strict(lua, "ctx.chat", &["id", "kind", "title"], &chat)?;
    ctx.raw_set("chat", chat)?;

    ctx.raw_set("message", message_table(lua, run, message)?)?;
    let behind = Owned { run: Arc::clone(run), value: () };
    classes(lua)?.ctx.instance(lua, ctx, &[], behind)
}

pub(crate) fn classes(lua: &Lua) -> LuaResult<Classes> {
    lua.app_data_ref::<Classes>()
        .map(|classes| classes.clone())
        .ok_or_else(|| misuse("this VM has no classes"))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit the 53 bits of a number"
)]
fn message_table(lua: &Lua, run: &Arc<Run>, message: &Message) -> LuaResult<Table> {
    const NAMES: &[&str] = &["id", "kind", "files", "quoted", "mentions", "sent_at"];
    let table = lua.create_table_with_capacity(0, NAMES.len())?;
    table.raw_set("id", message.id.as_str())?;
    table.raw_set("kind", message.kind.as_str())?;
    let robot = message.robot_code.as_ref();
    table.raw_set("files", files(lua, run, &message.files, robot)?)?;
    table.raw_set("sent_at", message.sent_at_ms as f64 / 1000.0)?;
    let mentions = lua.create_table()?;
    for mention in message.mentions.iter().filter(|mention| !mention.is_bot) {
        let one = lua.create_table()?;
        one.raw_set("id", mention.staff_id.as_ref().map(StaffId::as_str))?;
        strict(lua, "mention", &["id"], &one)?;
        mentions.raw_push(one)?;
    }
    table.raw_set("mentions", mentions)?;
    if let Some(quoted) = &message.quoted {
        let one = lua.create_table()?;
        one.raw_set("kind", quoted.kind.as_str())?;
        one.raw_set("text", quoted.text.as_str())?;
        one.raw_set("files", files(lua, run, &quoted.files, robot)?)?;
        one.raw_set("from_bot", quoted.from_bot)?;
        strict(lua, "ctx.message.quoted", &["kind", "text", "files", "from_bot"], &one)?;
        table.raw_set("quoted", one)?;
    }
    strict(lua, "ctx.message", NAMES, &table)?;
    Ok(table)
}

/// Names and kinds; the codes that fetch them stay on this side.
fn files(
    lua: &Lua,
    run: &Arc<Run>,
    files: &[File],
    robot_code: Option<&String>,
) -> LuaResult<Table> {
    if files.is_empty() {
        return lua.create_table();
    }
    let class = classes(lua)?.file;
    let list = lua.create_table_with_capacity(files.len(), 0)?;
    for file in files {
        let one = lua.create_table()?;
        one.raw_set("kind", file.kind.as_str())?;
        one.raw_set("name", file.name.as_deref())?;
        let attachment =
            Attachment { file: Arc::new(file.clone()), robot_code: robot_code.cloned() };
        let behind = Owned { run: Arc::clone(run), value: attachment };
        list.raw_push(class.instance(lua, one, &["kind", "name"], behind)?)?;
    }
    Ok(list)
}

/// `ctx:reply`: queues; it leaves when the handler next waits, or with its end.
fn reply(call: &Call, message: Value) -> LuaResult<()> {
    say(call, address(call)?, message)
}

/// Queues a message to somebody.
pub(super) fn say(call: &Call, to: Address, message: Value) -> LuaResult<()> {
    let (body, at) = match message {
        Value::Table(ref table) if failure_text(&message).is_none() => {
            let mut options = Options::from(Some(table.clone()));
            let text = options.value("text")?;
            let markdown = options.value("markdown")?;
            let title = options.string("title")?;
            let at = mentioned(call, &options.value("at")?)?;
            options.finish()?;
            let body = match (text, markdown) {
                (text, Value::Nil) if !text.is_nil() => {
                    if title.is_some() {
                        return Err(misuse("option `title`: only a reply with `markdown` has one"));
                    }
                    Body::Text { text: said(&text)? }
                }
                (Value::Nil, markdown) if !markdown.is_nil() => {
                    let text = said(&markdown)?;
                    let title = title.unwrap_or_else(|| title_of(&text));
                    Body::Markdown { title, text }
                }
                _ => return Err(misuse("expected either `text = …` or `markdown = …`")),
            };
            (body, at)
        }
        text => (Body::Text { text: said(&text)? }, Vec::new()),
    };
    call.run.reply(Reply { to, body, at })
}

fn card(lua: &Lua, call: &Call, mut options: Options) -> LuaResult<Table> {
    let title = options.string("title")?.filter(|title| !title.trim().is_empty());
    options.finish()?;
    let title = title.unwrap_or_else(|| call.script.trim_end_matches(".luau").to_owned());
    let card = call.run.open_card(call.host.outbox()?, address(call)?, &title)?;
    let behind = Owned { run: Arc::clone(&call.run), value: card };
    classes(lua)?.card.instance(lua, lua.create_table()?, &[], behind)
}

pub(super) fn address(call: &Call) -> LuaResult<Address> {
    call.run
        .address()
        .ok_or_else(|| misuse("no message started this run, so there is nobody to answer"))
}

/// Text of a reply.
fn said(value: &Value) -> LuaResult<String> {
    let text = shown(value)?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(misuse(format!(
            "the reply has {} bytes, {MAX_TEXT_BYTES} are the most; shorten it or use a card, which keeps the tail",
            text.len()
        )));
    }
    Ok(text)
}

/// Text of what a script wants to show. Bytes that are not UTF-8 (a program's output) become `�`.
fn shown(value: &Value) -> LuaResult<String> {
    match value {
        Value::String(text) => Ok(text.to_string_lossy()),
        other => {
            text_of(other).ok_or_else(|| misuse(format!("expected text, got {}", type_name(other))))
        }
    }
}

fn mentioned(call: &Call, at: &Value) -> LuaResult<Vec<StaffId>> {
    const EXPECTED: &str = "option `at`: expected true (whoever asked) or a list of staff ids";
    let one = |value: &Value| match value {
        Value::String(id) => Ok(StaffId::new(id.to_string_lossy())),
        other => Err(misuse(format!("{EXPECTED}, got {}", type_name(other)))),
    };
    match at {
        Value::Nil | Value::Boolean(false) => Ok(Vec::new()),
        Value::Boolean(true) => Ok(call
            .run
            .message()
            .and_then(|message| message.sender.staff_id.clone())
            .into_iter()
            .collect()),
        Value::Table(list) => list.sequence_values::<Value>().map(|value| one(&value?)).collect(),
        other => one(other).map(|id| vec![id]),
    }
}
