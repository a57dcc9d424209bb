//! The world as a stage has it: programs and HTTP calls meet what the test plays, and leave a line in the transcript.

use std::collections::BTreeSet;
use std::time::Duration;

use mlua::{Result as LuaResult, Table, Value};

use super::fakes::{FakeCall, FakeProgram, Played, answer, program};
use super::stage::{Called, Real, Seen, Stage, Unknown, WeakStage, quoted};
use super::transcript::{Event, command_line};
use crate::api::Call;
use crate::api::Options;
use crate::api::World;
use crate::api::misuse;
use crate::api::shell::command::Command;
use crate::api::shell::command::Stdin;
use crate::api::time::format_duration;
use crate::api::world::Answer;
use crate::api::world::Asked;
use crate::api::world::Program;
use crate::script::Raised;
use crate::script::Vm;

/// Stands in for the world of a stage.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) stage: WeakStage,
    pub(super) real: BTreeSet<Real>,
}

impl Outside {
    fn stage(&self) -> LuaResult<Stage> {
        self.stage.upgrade().ok_or_else(|| misuse("this test has ended"))
    }
}

impl World for Outside {
    fn program(&self, call: &Call, command: &Command) -> LuaResult<Option<Program>> {
        let stage = self.stage()?;
        let argv: Vec<String> =
            command.argv.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let fake = {
            let mut play = stage.play();
            play.ran.push(Seen::new(argv.clone(), call.run.id()));
            play.programs.iter().rev().find(|fake| fake.is_for(&argv)).cloned()
        };
        let place = Some((call.run.id().to_owned(), call.run.said()));
        let played = match fake {
            None if self.real.contains(&Real::Process) => {
                stage.note(Event::Ran { argv, how: "really".to_owned() }, place);
                return Ok(None);
            }
            None if stage.unknown() == Unknown::Empty => Program::default(),
            None => {
                stage.note(Event::Ran { argv: argv.clone(), how: "not played".to_owned() }, place);
                let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
                let what = format!(
                    "the test plays no program `{}`; add to it:\n  t:process({{ {} }}, {{ stdout = \"\", code = 0 }})",
                    command_line(&argv),
                    words.join(", ")
                );
                stage.surprise(what.clone());
                return Err(misuse(what));
            }
            Some(FakeProgram { played: Played::Always(program), .. }) => program,
            Some(FakeProgram { played: Played::By(function), .. }) => {
                let stdin = match &command.stdin {
                    Stdin::Bytes(bytes) => Some(bytes.clone()),
                    Stdin::Null | Stdin::Pipe => None,
                };
                made(&stage, |vm| {
                    let stdin = stdin.map(|bytes| vm.lua().create_string(bytes)).transpose()?;
                    let answer: Value = vm.call(&function, (argv.clone(), stdin))?;
                    program(options(answer)?)
                })?
            }
        };
        stage.note(Event::Ran { argv, how: ended(&played) }, place);
        Ok(Some(played))
    }

    fn answer(&self, call: &Call, asked: &Asked<'_>) -> LuaResult<Option<Answer>> {
        let stage = self.stage()?;
        let body = String::from_utf8_lossy(asked.body.unwrap_or_default()).into_owned();
        let (method, url) = (asked.method.to_owned(), asked.url.to_owned());
        let what = format!("{method} {url}");
        let fake = {
            let mut play = stage.play();
            let called = Called { method: method.clone(), url: url.clone(), body: body.clone() };
            play.called.push(Seen::new(called, call.run.id()));
            play.calls.iter().rev().find(|fake| fake.is_for(&method, &url)).cloned()
        };
        let place = Some((call.run.id().to_owned(), call.run.said()));
        let played = match fake {
            None if self.real.contains(&Real::Http) => {
                stage.note(Event::Called { what, how: "really".to_owned() }, place);
                return Ok(None);
            }
            None if stage.unknown() == Unknown::Empty => Answer {
                status: 200,
                headers: Vec::new(),
                chunks: Vec::new(),
                takes: Duration::ZERO,
                error: None,
            },
            None => {
                let how = "not played".to_owned();
                stage.note(Event::Called { what: what.clone(), how }, place);
                let what = format!(
                    "the test plays no answer to `{what}`; add to it:\n  t:http({}, {}, {{ status = 200, body = \"\" }})",
                    quoted(&method),
                    quoted(&url)
                );
                stage.surprise(what.clone());
                return Err(misuse(what));
            }
            Some(FakeCall { played: Played::Always(answer), .. }) => answer,
            Some(FakeCall { played: Played::By(function), .. }) => {
                let headers: Vec<(String, String)> = asked.headers.to_vec();
                made(&stage, |vm| {
                    let lua = vm.lua();
                    let request = lua.create_table()?;
                    request.raw_set("method", method)?;
                    request.raw_set("url", url)?;
                    request.raw_set("headers", lua.create_table_from(headers)?)?;
                    request.raw_set("body", asked.body.map(|_| body))?;
                    let made: Value = vm.call(&function, request)?;
                    answer(lua, options(made)?)
                })?
            }
        };
        let how = match played.error {
            Some("timeout") => "no answer in time".to_owned(),
            Some(_) => "no connection".to_owned(),
            None => played.status.to_string(),
        };
        stage.note(Event::Called { what, how }, place);
        Ok(Some(played))
    }

    fn upload(&self, _: &Call, name: &str, _: &[u8]) -> Option<String> {
        Some(format!("@{name}"))
    }

    fn download(&self, code: &str) -> Option<Vec<u8>> {
        let stage = self.stage().ok()?;
        let content = stage.play().files.get(code).cloned();
        Some(content.unwrap_or_default())
    }

    fn react(&self, call: &Call, text: &str, remove: bool) -> bool {
        let Ok(stage) = self.stage() else { return true };
        let text = if remove { format!("{text}, taken back") } else { text.to_owned() };
        stage.note(Event::Reacted { text }, Some((call.run.id().to_owned(), call.run.said())));
        true
    }

    fn failed(&self, script: &str, line: usize, what: &str, why: &str) {
        let Ok(stage) = self.stage() else { return };
        let what = format!("`bot.{what}` of {script}:{line} failed: {why}");
        stage.note(Event::Failed { what: what.clone() }, None);
        stage.surprise(what);
    }
}

/// Stands in for the world of a test's own code, which plays the world to its script and has none itself but what
/// `t:real` asked for: who runs the tests of others has not agreed to more.
#[derive(Debug)]
pub(super) struct Apart {
    pub(super) stage: WeakStage,
}

impl Apart {
    fn real(&self, real: Real, what: &str) -> LuaResult<()> {
        let asked = self.stage.upgrade().is_some_and(|stage| stage.play().real.contains(&real));
        if asked {
            return Ok(());
        }
        Err(misuse(format!(
            "the test's own code has no {what} unless `t:real` asks for it; what its script does is played"
        )))
    }
}

impl World for Apart {
    fn program(&self, _: &Call, _: &Command) -> LuaResult<Option<Program>> {
        self.real(Real::Process, "programs").map(|()| None)
    }

    fn answer(&self, _: &Call, _: &Asked<'_>) -> LuaResult<Option<Answer>> {
        self.real(Real::Http, "HTTP").map(|()| None)
    }

    fn upload(&self, _: &Call, name: &str, _: &[u8]) -> Option<String> {
        Some(format!("@{name}"))
    }

    fn download(&self, _: &str) -> Option<Vec<u8>> {
        Some(Vec::new())
    }

    fn react(&self, _: &Call, _: &str, _: bool) -> bool {
        true
    }

    fn failed(&self, _: &str, _: usize, _: &str, _: &str) {}
}

fn options(value: Value) -> LuaResult<Options> {
    match value {
        Value::Table(table) => Ok(Options::from(Some(table))),
        Value::Nil => Ok(Options::from(None::<Table>)),
        other => Err(misuse(format!(
            "expected it to return a table such as {{ … }}, got {}",
            other.type_name()
        ))),
    }
}

/// How a played program ends, in a word.
fn ended(program: &Program) -> String {
    let took = if program.takes.is_zero() {
        String::new()
    } else {
        format!(" after {}", format_duration(program.takes))
    };
    if program.missing {
        "no such program".to_owned()
    } else if let Some(signal) = program.signal {
        format!("signal {signal}{took}")
    } else {
        format!("exit {}{took}", program.code)
    }
}

/// What a function of the test makes; one that fails is a surprise.
fn made<T>(stage: &Stage, make: impl FnOnce(&Vm) -> LuaResult<T>) -> LuaResult<T> {
    let vm = stage.vm().ok_or_else(|| misuse("this test has ended"))?;
    make(&vm).map_err(|error| {
        let why = Raised::from_error(&error).short();
        let what = format!("the function that answers for it failed: {why}");
        stage.surprise(what.clone());
        misuse(what)
    })
}
