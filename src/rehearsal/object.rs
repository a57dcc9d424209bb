//! `test` and `t`: what a test file is written with. See `api/test.d.luau`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{Local, NaiveDateTime, TimeZone as _, Utc};
use mlua::{Function, Lua, Result as LuaResult, Table, Value};

use super::expect::{self, ExpectedCall, ExpectedCard, ExpectedReply, person_of};
use super::fakes::{self, FakeCall, FakeProgram, Played};
use super::stage::{OWNER, Real, Stage};
use super::transcript::{Event, Zone};
use crate::api::Call;
use crate::api::Class;
use crate::api::Module;
use crate::api::Options;
use crate::api::cron;
use crate::api::misuse;
use crate::api::options::duration;
use crate::asks;
use crate::config::Language;
use crate::config::Secret;
use crate::message::Chat;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::File;
use crate::message::Kind;
use crate::message::Mention;
use crate::message::Message;
use crate::message::MessageId;
use crate::message::Person;
use crate::message::Quoted;
use crate::message::StaffId;

/// A test as its file declares it.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) function: Function,
}

/// Filled while a test file loads.
pub(super) type Tests = Arc<Mutex<Vec<Declared>>>;

/// Declares that many and no more: a loop that forgot to stop.
const MOST_TESTS: usize = 10_000;

/// Makes the global `test`, which adds to `tests`.
pub(super) fn declare(lua: &Lua, tests: &Tests) -> LuaResult<Value> {
    let tests = Arc::clone(tests);
    let module = Module::globals(lua)?.function(
        "test",
        &["name", "run"],
        move |lua, scope, (name, function): (String, Function)| {
            if scope.run().is_some() {
                return Err(misuse("tests are declared at the top of the file, not in a test"));
            }
            // 0 is this function, 1 the wrapper that raises, 2 the file.
            let line = lua.inspect_stack(2, |frame| frame.current_line().unwrap_or(0));
            let mut tests = tests.lock().unwrap_or_else(PoisonError::into_inner);
            if name.trim().is_empty() {
                return Err(misuse("argument #1 (`name`): expected what the test shows, got \"\""));
            }
            if let Some(earlier) = tests.iter().find(|test| test.name == name) {
                return Err(misuse(format!(
                    "there is a test of that name already, in line {}",
                    earlier.line
                )));
            }
            if tests.len() >= MOST_TESTS {
                return Err(misuse(format!("a file has {MOST_TESTS} tests at most")));
            }
            tests.push(Declared { name, line: line.unwrap_or(0), function });
            Ok(())
        },
    )?;
    module.build()?.raw_get("test")
}

/// Makes the `t` of one test.
pub(super) fn create(lua: &Lua, stage: Stage) -> LuaResult<Table> {
    let user = user_class(lua)?;
    let class = Class::new(lua, "t")?
        .method("user", &["name", "options"], move |lua, _, stage: Stage, (name, options): (String, Options)| {
            let person = person(&stage, name, options)?;
            let fields = lua.create_table()?;
            fields.raw_set("name", person.name.as_str())?;
            fields.raw_set("id", person.id.as_str())?;
            fields.raw_set("role", person.role.as_deref())?;
            user.instance(lua, fields, &["role"], User { stage, person: Arc::new(person) })
        })?
        .method("process", &["argv", "answer"], |_, _, stage: Stage, (argv, answer): (Table, Value)| {
            let argv = argv_of(&argv)?;
            let played = Played::read(answer, fakes::program)?;
            stage.play().programs.push(FakeProgram { argv, played });
            Ok(())
        })?
        .method(
            "http",
            &["method", "url", "answer"],
            |lua, _, stage: Stage, (method, url, answer): (String, String, Value)| {
                let played = Played::read(answer, |options| fakes::answer(lua, options))?;
                let method = method.to_uppercase();
                stage.play().calls.push(FakeCall { method, url, played });
                Ok(())
            },
        )?
        .method("secret", &["name", "value"], |_, _, stage: Stage, args: (String, String)| {
            let (name, value) = args;
            if stage.has_begun() {
                return Err(misuse(
                    "call it before anybody says something: the script runs already",
                ));
            }
            stage.play().secrets.insert(name, Some(Secret::new(value)));
            Ok(())
        })?
        .method("file", &["path", "content"], |_, _, stage: Stage, (path, content): (String, mlua::LuaString)| {
            let path = stage.file(&path).map_err(misuse)?;
            let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            folder
                .and_then(|()| std::fs::write(&path, content.as_bytes()))
                .map_err(|error| misuse(format!("cannot write the file: {error}")))
        })?
        .method("read", &["path"], |lua, _, stage: Stage, path: String| {
            let full = stage.file(&path).map_err(misuse)?;
            match std::fs::read(&full) {
                Ok(content) => lua.create_string(content).map(Some),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(misuse(format!("cannot read `{path}`: {error}"))),
            }
        })?
        .method("real", &["what"], |_, _, stage: Stage, what: String| {
            let real = match what.as_str() {
                "process" => Real::Process,
                "http" => Real::Http,
                "time" => Real::Time,
                "fs" => Real::Fs,
                other => {
                    return Err(misuse(format!(
                        "argument #1 (`what`): expected \"process\", \"http\", \"time\" or \"fs\", got {other:?}"
                    )));
                }
            };
            if stage.has_begun() {
                return Err(misuse("call it before anybody says something: the script runs already"));
            }
            stage.play().real.insert(real);
            Ok(())
        })?
        .async_method("start", &[], async |_, stage: Stage, ()| {
            doing(&stage, "t:start()".to_owned(), stage.begin()).await
        })?
        .async_method("advance", &["duration"], async |_, stage: Stage, by: Value| {
            let by = duration(&by).map_err(|why| misuse(format!("argument #1 (`duration`): {why}")))?;
            doing(&stage, format!("t:advance({})", seconds(by)), stage.advance(by)).await
        })?
        .async_method("set_time", &["time", "zone"], async |_, stage: Stage, (time, zone): (String, Option<String>)| {
            let zone = match zone {
                Some(name) => Zone::Named(
                    cron::zone(&name).map_err(|why| misuse(format!("argument #2 (`zone`): {why}")))?,
                ),
                None => stage.play().zone,
            };
            let now = moment(&time, zone)?;
            doing(&stage, "t:set_time(…)".to_owned(), stage.set_time(now, zone)).await
        })?
        .method("expect_reply", &["reply"], |_, _, stage: Stage, reply: Value| {
            let expected = ExpectedReply::read(reply)?;
            expected.check(&mut stage.play()).map_err(misuse)
        })?
        .method("expect_no_reply", &[], |_, _, stage: Stage, ()| {
            expect::no_reply(&stage.play()).map_err(misuse)
        })?
        .method("expect_card", &["card"], |_, _, stage: Stage, options: Options| {
            let expected = ExpectedCard::read(options)?;
            expected.check(&mut stage.play()).map_err(misuse)
        })?
        .method("expect_process", &["argv"], |_, _, stage: Stage, argv: Table| {
            let argv = argv_of(&argv)?;
            expect::process(&mut stage.play(), &argv).map_err(misuse)
        })?
        .method("expect_http", &["call"], |_, _, stage: Stage, options: Options| {
            let expected = ExpectedCall::read(options)?;
            expected.check(&mut stage.play()).map_err(misuse)
        })?
        .build()?;
    class.instance(lua, lua.create_table()?, &[], stage)
}

#[derive(Clone)]
struct User {
    stage: Stage,
    person: Arc<Somebody>,
}

struct Somebody {
    id: String,
    name: String,
    /// `None`: a stranger.
    role: Option<String>,
}

fn user_class(lua: &Lua) -> LuaResult<Class> {
    Class::new(lua, "user")?
        .async_method(
            "says",
            &["text", "options"],
            async |call: Call, user: User, (text, options): (String, Options)| {
                says(&call, user, text, options).await
            },
        )?
        .async_method("approves", &[], async |call: Call, user: User, ()| {
            decides(&call, user, "yes").await
        })?
        .async_method("refuses", &[], async |call: Call, user: User, ()| {
            decides(&call, user, "no").await
        })?
        .build()
}

/// Says yes or no to what waits for approval, as people do: with its number, in the chat where it was asked.
async fn decides(call: &Call, user: User, word: &str) -> LuaResult<()> {
    let waiting = user.stage.approval().await.map_err(misuse)?;
    let waiting = waiting.ok_or_else(|| misuse("nothing waits for approval"))?;
    let options = call.lua.create_table()?;
    if let asks::Place::Group(id) = &waiting.ask.place {
        let title = user.stage.play().names.get(id.as_str()).cloned();
        options.raw_set("group", title)?;
    }
    says(call, user, format!("{word} {}", waiting.code), Options::from(Some(options))).await
}

/// Remembers what the test waits for while it does.
async fn doing(
    stage: &Stage,
    what: String,
    work: impl Future<Output = Result<(), String>>,
) -> LuaResult<()> {
    stage.play().doing = Some(what);
    let done = work.await;
    stage.play().doing = None;
    done.map_err(misuse)
}

fn person(stage: &Stage, name: String, mut options: Options) -> LuaResult<Somebody> {
    let role = match options.value("role")? {
        Value::Nil => Some("guest".to_owned()),
        Value::Boolean(false) => None,
        Value::String(role) if !role.to_string_lossy().trim().is_empty() => {
            Some(role.to_string_lossy())
        }
        other => {
            return Err(misuse(format!(
                "option `role`: expected the name of a role, or false for a stranger, got {}",
                other.to_string().unwrap_or_default()
            )));
        }
    };
    let id = options.string("id")?;
    let lang = match options.string("lang")? {
        None => None,
        Some(lang) => Some(Language::from_word(&lang).ok_or_else(|| {
            misuse(format!("option `lang`: expected \"zh\", \"en\" or \"auto\", got {lang:?}"))
        })?),
    };
    options.finish()?;
    if name.trim().is_empty() {
        return Err(misuse("argument #1 (`name`): expected a name, got \"\""));
    }
    let is_owner = role.as_deref() == Some(OWNER);
    let id = match id {
        Some(id) if is_owner && id != OWNER => {
            return Err(misuse(format!(
                "option `id`: that of the owner is \"{OWNER}\", got {id:?}"
            )));
        }
        Some(id) => id,
        None if is_owner => OWNER.to_owned(),
        None if name == OWNER => {
            return Err(misuse(
                "this name is the owner's: add { role = \"owner\" }, or take another",
            ));
        }
        None => name.clone(),
    };
    let mut play = stage.play();
    if play.names.contains_key(&id) {
        return Err(misuse(format!("there is somebody with the id `{id}` already")));
    }
    play.names.insert(id.clone(), name.clone());
    drop(play);
    if let Some(lang) = lang {
        stage.languages().suppose(&StaffId::new(&id), lang);
    }
    if let Some(role) = role.as_deref().filter(|_| !is_owner) {
        stage.grant(role, &StaffId::new(&id));
    }
    Ok(Somebody { id, name, role })
}

async fn says(call: &Call, user: User, text: String, mut options: Options) -> LuaResult<()> {
    let User { stage, person } = user;
    let group = options.string("group")?;
    let at = mentions(options.table("at")?)?;
    let number = stage.next_message();
    let files = files(&stage, number, options.table("files")?)?;
    let quoted = options.string("quotes")?;
    options.finish()?;
    let chat = match &group {
        Some(title) => {
            let id = format!("group:{title}");
            stage.play().names.insert(id.clone(), title.clone());
            Chat { id: ConversationId::new(id), kind: ChatKind::Group, title: Some(title.clone()) }
        }
        None => Chat {
            id: ConversationId::new(format!("dm:{}", person.id)),
            kind: ChatKind::Direct,
            title: None,
        },
    };
    stage.begin().await.map_err(misuse)?;
    stage.note(
        Event::Said {
            who: person.name.clone(),
            role: person.role.clone().unwrap_or_else(|| "a stranger".to_owned()),
            place: group.map(|title| format!("in {title}")).unwrap_or_default(),
            text: text.clone(),
        },
        None,
    );
    let message = Message {
        id: MessageId::new(format!("m{number}")),
        chat,
        sender: Person {
            staff_id: Some(StaffId::new(&person.id)),
            opaque_id: format!("$:{}", person.id),
            nick: person.name.clone(),
            same_org: true,
            corp_id: None,
        },
        kind: files.first().map_or(Kind::Text, |file| file.kind),
        text: text.trim().to_owned(),
        files,
        mentions: at,
        quoted: quoted.map(|text| Quoted {
            id: None,
            kind: Kind::Text,
            text,
            files: Vec::new(),
            from_bot: false,
        }),
        robot_code: Some("robot".to_owned()),
        sent_at_ms: call.host.clock().now_ms(),
        webhook: None,
    };
    doing(
        &stage,
        format!("{}:says({})", person.name, super::stage::quoted(&text)),
        stage.accept(message),
    )
    .await
}

fn mentions(at: Option<Table>) -> LuaResult<Vec<Mention>> {
    let Some(at) = at else { return Ok(Vec::new()) };
    let mut mentions = Vec::new();
    for one in at.sequence_values::<Value>() {
        let id = match one? {
            Value::String(id) => Some(id.to_string_lossy()),
            Value::Table(table) => person_of(&table).map(|(id, _)| id),
            _ => None,
        };
        let id = id.ok_or_else(|| {
            misuse("option `at`: expected a list of people from `t:user`, or staff ids")
        })?;
        let opaque_id = format!("$:{id}");
        mentions.push(Mention { staff_id: Some(StaffId::new(id)), opaque_id, is_bot: false });
    }
    Ok(mentions)
}

/// Files by name, or with what is in them: that goes to the stage.
fn files(stage: &Stage, number: u64, files: Option<Table>) -> LuaResult<Vec<File>> {
    let Some(files) = files else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (index, one) in files.sequence_values::<Value>().enumerate() {
        let (name, content) = match one? {
            Value::String(name) => (name.to_string_lossy(), Vec::new()),
            Value::Table(table) => {
                let mut options = Options::from(Some(table));
                let name = options.string("name")?;
                let content = options.bytes("content")?.unwrap_or_default();
                options.finish()?;
                let why = "option `files`: option `name`: expected a string, got nil";
                (name.ok_or_else(|| misuse(why))?, content)
            }
            other => {
                return Err(misuse(format!(
                    "option `files`: expected a list of names, or of {{ name = …, content = … }}, got a {}",
                    other.type_name()
                )));
            }
        };
        let end = name.rsplit_once('.').map(|(_, end)| end.to_lowercase()).unwrap_or_default();
        let kind = match end.as_str() {
            "png" | "jpg" | "jpeg" | "gif" | "bmp" => Kind::Picture,
            _ => Kind::File,
        };
        let download_code = format!("file-{number}-{index}");
        stage.play().files.insert(download_code.clone(), content);
        let name = Some(name);
        found.push(File { kind, download_code, fallback_code: None, name, duration: None });
    }
    Ok(found)
}

fn argv_of(table: &Table) -> LuaResult<Vec<String>> {
    let mut options = Options::from(Some(table.clone()));
    let items = options.items()?;
    options.finish()?;
    let words: Vec<String> = items
        .iter()
        .map(|value| {
            crate::api::options::text_of(value).ok_or_else(|| {
                misuse(format!("argument #1 (`argv`): expected strings, got {}", value.type_name()))
            })
        })
        .collect::<LuaResult<_>>()?;
    if words.is_empty() {
        return Err(misuse(
            "argument #1 (`argv`): expected the program and the first of its arguments, such as { \"git\", \"pull\" }",
        ));
    }
    Ok(words)
}

/// A time as it is written down: `2026-03-01 08:59`, with seconds if need be.
fn moment(text: &str, zone: Zone) -> LuaResult<chrono::DateTime<Utc>> {
    let read = |format| NaiveDateTime::parse_from_str(text.trim(), format).ok();
    let naive = read("%Y-%m-%d %H:%M").or_else(|| read("%Y-%m-%d %H:%M:%S"));
    let found = naive.and_then(|naive| match zone {
        Zone::Local => {
            Local.from_local_datetime(&naive).earliest().map(|at| at.with_timezone(&Utc))
        }
        Zone::Named(zone) => {
            zone.from_local_datetime(&naive).earliest().map(|at| at.with_timezone(&Utc))
        }
    });
    found.ok_or_else(|| {
        misuse(format!(
            "argument #1 (`time`): expected a time such as \"2026-03-01 08:59\", got {text:?}"
        ))
    })
}

fn seconds(duration: Duration) -> String {
    format!("\"{}s\"", duration.as_secs_f64())
}
