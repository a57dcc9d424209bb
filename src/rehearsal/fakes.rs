//! What a test plays in place of programs and other computers, and a record of what was asked for.

use std::fmt;
use std::time::Duration;

use mlua::{Function, Lua, Result as LuaResult, Table, Value};

use crate::api::Options;
use crate::api::json;
use crate::api::misuse;
use crate::api::world::Answer;
use crate::api::world::Program;

/// One answer, or a function that makes it.
#[derive(Clone)]
pub(super) enum Played<T> {
    Always(T),
    By(Function),
}

impl<T: fmt::Debug> fmt::Debug for Played<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(answer) => answer.fmt(f),
            Self::By(_) => f.write_str("By(function)"),
        }
    }
}

impl<T> Played<T> {
    /// Reads what a test gives: a table or a function.
    pub(super) fn read(
        value: Value,
        read: impl FnOnce(Options) -> LuaResult<T>,
    ) -> LuaResult<Self> {
        match value {
            Value::Function(function) => Ok(Self::By(function)),
            Value::Table(table) => read(Options::from(Some(table))).map(Self::Always),
            Value::Nil => read(Options::from(None)).map(Self::Always),
            other => Err(misuse(format!(
                "expected a table such as {{ … }}, or a function that returns one, got {}",
                other.type_name()
            ))),
        }
    }
}

/// Programs whose arguments begin so.
#[derive(Clone, Debug)]
pub(super) struct FakeProgram {
    pub(super) argv: Vec<String>,
    pub(super) played: Played<Program>,
}

impl FakeProgram {
    pub(super) fn is_for(&self, argv: &[String]) -> bool {
        begins(argv, &self.argv)
    }
}

/// Whether `argv` begins with `prefix`; a program may be named without its folder.
pub(super) fn begins(argv: &[String], prefix: &[String]) -> bool {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    argv.len() >= prefix.len()
        && argv.iter().zip(prefix).enumerate().all(|(n, (word, wanted))| {
            word == wanted || (n == 0 && !wanted.contains('/') && name(word) == *wanted)
        })
}

/// Calls to this address.
#[derive(Clone, Debug)]
pub(super) struct FakeCall {
    /// In capitals; `*` is any.
    pub(super) method: String,
    /// May end in `*`.
    pub(super) url: String,
    pub(super) played: Played<Answer>,
}

impl FakeCall {
    pub(super) fn is_for(&self, method: &str, url: &str) -> bool {
        (self.method == "*" || self.method == method) && fits(&self.url, url)
    }
}

/// Whether `url` is the one that `pattern` means, or begins as `pattern` says with a `*` at its end.
pub(super) fn fits(pattern: &str, url: &str) -> bool {
    let exact = |text: &str| url::Url::parse(text).map_or_else(|_| text.to_owned(), String::from);
    match pattern.strip_suffix('*') {
        Some(begin) => url.starts_with(begin),
        None => exact(pattern) == exact(url),
    }
}

pub(super) fn program(mut options: Options) -> LuaResult<Program> {
    let code = options.number("code")?.unwrap_or(0.0);
    if code.fract() != 0.0 || !(0.0..=255.0).contains(&code) {
        return Err(misuse(format!("option `code`: expected 0 to 255, got {code}")));
    }
    let program = Program {
        out: options.bytes("stdout")?.unwrap_or_default(),
        err: options.bytes("stderr")?.unwrap_or_default(),
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        code: code as i32,
        signal: options.string("signal")?.map(|name| signal(&name)).transpose()?,
        takes: options.duration("takes")?.unwrap_or_default(),
        missing: options.bool("missing")?.unwrap_or(false),
    };
    options.finish()?;
    Ok(program)
}

fn signal(name: &str) -> LuaResult<i32> {
    const SIGNALS: &[(&str, i32)] = &[
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("SEGV", 11),
        ("TERM", 15),
    ];
    let bare = name.strip_prefix("SIG").unwrap_or(name);
    SIGNALS.iter().find(|(known, _)| *known == bare).map(|(_, number)| *number).ok_or_else(|| {
        let names: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
        misuse(format!("option `signal`: expected one of {}, got {name:?}", names.join(", ")))
    })
}

pub(super) fn answer(lua: &Lua, mut options: Options) -> LuaResult<Answer> {
    let status = options.count("status")?;
    let headers = options.strings("headers")?.unwrap_or_default();
    let body = options.bytes("body")?;
    let json = options.value("json")?;
    let chunks = options.table("chunks")?;
    let takes = options.duration("takes")?.unwrap_or(Duration::ZERO);
    let error = match options.string("error")?.as_deref() {
        None => None,
        Some("timeout") => Some("timeout"),
        Some("network") => Some("network"),
        Some(other) => {
            return Err(misuse(format!(
                "option `error`: expected \"timeout\" or \"network\", got {other:?}"
            )));
        }
    };
    options.finish()?;
    if usize::from(body.is_some()) + usize::from(!json.is_nil()) + usize::from(chunks.is_some()) > 1
    {
        return Err(misuse("expected one of `body`, `json` and `chunks`, got several"));
    }
    let mut headers: Vec<(String, String)> = headers.into_iter().collect();
    let chunks = if !json.is_nil() {
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        vec![json::from_lua(lua, &json)?.to_string().into_bytes()]
    } else if let Some(chunks) = chunks {
        pieces(&chunks)?
    } else {
        body.into_iter().collect()
    };
    let status = u16::try_from(status.unwrap_or(200)).ok().filter(|code| (100..600).contains(code));
    let status = status.ok_or_else(|| misuse("option `status`: expected 100 to 599"))?;
    Ok(Answer { status, headers, chunks, takes, error })
}

fn pieces(chunks: &Table) -> LuaResult<Vec<Vec<u8>>> {
    let one = |value: Value| match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        other => {
            Err(misuse(format!("option `chunks`: expected strings, got {}", other.type_name())))
        }
    };
    chunks.sequence_values::<Value>().map(|value| one(value?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_program_is_known_by_the_beginning_of_its_arguments() {
        for (argv, prefix, expected) in [
            ("make deploy ENV=prod", "make deploy", true),
            ("make deploy", "make deploy ENV=prod", false),
            ("make deployed", "make deploy", false),
            ("/bin/sh -c x", "sh -c", true),
            ("/bin/sh -c x", "/usr/bin/sh -c", false),
        ] {
            assert_eq!(begins(&words(argv), &words(prefix)), expected, "{argv} {prefix}");
        }
    }

    #[test]
    fn an_address_is_meant_exactly_or_by_its_beginning() {
        for (pattern, url, expected) in [
            ("https://a.example", "https://a.example/", true),
            ("https://a.example/x", "https://a.example/x?y=1", false),
            ("https://a.example/x*", "https://a.example/x?y=1", true),
            ("*", "https://a.example/", true),
            ("https://a.example/", "https://b.example/", false),
        ] {
            assert_eq!(fits(pattern, url), expected, "{pattern} {url}");
        }
    }
}
