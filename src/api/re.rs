//! `re`: regular expressions in linear time, whoever wrote the pattern. See `re.d.luau`.
//!
//! Patterns are Rust's (`regex`), so none backtracks; compiled ones are kept per script. Short texts are searched at
//! once, longer ones on a thread that may take its time while other scripts go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mlua::{Lua, LuaString, Result as LuaResult, Table};
use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::api::failure::{Failure, Outcome, misuse};
use crate::api::module::Module;
use crate::api::options::Options;
use crate::api::{Call, Host};

/// Longer texts are files: search them with a program.
const MAX_TEXT_BYTES: usize = 8 << 20;
/// Longer patterns are generated, and then a list of words serves better.
const MAX_PATTERN_BYTES: usize = 4 << 10;
/// Compiled size: a dozen Unicode classes fit, `(\w{100}){100}` does not. It bounds the time spent on each byte.
const MAX_COMPILED_BYTES: usize = 1 << 20;
/// Matches in one answer: a table of more would fill the memory of a VM.
const MAX_MATCHES: usize = 100_000;
/// Texts up to here are searched on the Lua thread: less time than a slice.
const AT_ONCE_BYTES: usize = 16 << 10;
/// One call over all its matches; a single search is linear, but a hundred thousand of them need not be.
const PATIENCE: Duration = Duration::from_secs(5);
/// Patterns that one script keeps compiled.
const KEPT: usize = 64;

/// Compiled patterns of one VM.
#[derive(Clone, Default)]
struct Cache(Arc<Mutex<HashMap<String, Regex>>>);

impl Cache {
    fn get(&self, pattern: &str) -> Result<Regex, String> {
        if let Some(found) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(pattern) {
            return Ok(found.clone());
        }
        let compiled = compile(pattern)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            // Patterns made from user text come and go: begin anew rather than keep count.
            kept.clear();
        }
        kept.insert(pattern.to_owned(), compiled.clone());
        Ok(compiled)
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!(
            "the pattern has {} bytes; {MAX_PATTERN_BYTES} are the most",
            pattern.len()
        ));
    }
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("`{pattern}` is too big when compiled; use shorter repetitions")
            }
            error => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default();
                format!(
                    "`{pattern}` is no regular expression: {}",
                    why.trim_start_matches("error: ")
                )
            }
        })
}

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    let cache = Cache::default();
    let (first, all, replaced, parts, checked) =
        (cache.clone(), cache.clone(), cache.clone(), cache.clone(), cache);
    Module::new(lua, "re")?
        .async_function("match", &["text", "pattern"], move |call, (text, pattern): Args| {
            search(call, first.clone(), text, pattern)
        })?
        .async_function(
            "find_all",
            &["text", "pattern", "options"],
            move |call, (text, pattern, options): (LuaString, String, Options)| {
                find_all(call, all.clone(), text, pattern, options)
            },
        )?
        .async_function(
            "replace",
            &["text", "pattern", "with", "options"],
            move |call, (text, pattern, with, options): (LuaString, String, LuaString, Options)| {
                replace(call, replaced.clone(), (text, pattern, with), options)
            },
        )?
        .async_function(
            "split",
            &["text", "pattern", "options"],
            move |call, (text, pattern, options): (LuaString, String, Options)| {
                split(call, parts.clone(), text, pattern, options)
            },
        )?
        .function("check", &["pattern"], move |_, _, pattern: String| {
            Ok(match checked.get(&pattern) {
                Ok(_) => Outcome::Value(true),
                Err(why) => Failure::new("pattern", why).into(),
            })
        })?
        .function("escape", &["text"], |_, _, text: String| Ok(regex::escape(&text)))?
        .build()
}

type Args = (LuaString, String);

/// One match, cut out of its text so that it can leave the thread it was found on.
struct Match {
    start: usize,
    end: usize,
    groups: Vec<Option<Vec<u8>>>,
}

impl Match {
    fn of(found: &Captures<'_>) -> Self {
        let whole = found.get(0).expect("group 0 is the whole match");
        Self {
            start: whole.start(),
            end: whole.end(),
            groups: found
                .iter()
                .map(|group| group.map(|group| group.as_bytes().to_vec()))
                .collect(),
        }
    }

    /// `m.text`, `m[1]`, `m.named.name`, and where it is, counted as `string.sub` counts.
    fn table(&self, lua: &Lua, names: &[Option<String>]) -> LuaResult<Table> {
        let table = lua.create_table_with_capacity(self.groups.len(), 4)?;
        let named = lua.create_table()?;
        for (index, group) in self.groups.iter().enumerate() {
            let Some(group) = group else { continue };
            let text = lua.create_string(group)?;
            if let Some(Some(name)) = names.get(index) {
                named.raw_set(name.as_str(), &text)?;
            }
            if index == 0 {
                table.raw_set("text", text)?;
            } else {
                table.raw_set(index, text)?;
            }
        }
        table.raw_set("named", named)?;
        table.raw_set("start", self.start + 1)?;
        table.raw_set("finish", self.end)?;
        Ok(table)
    }
}

fn names_of(regex: &Regex) -> Vec<Option<String>> {
    regex.capture_names().map(|name| name.map(str::to_owned)).collect()
}

/// The compiled pattern and the text, both checked.
fn prepared(cache: &Cache, text: &LuaString, pattern: &str) -> LuaResult<(Regex, Vec<u8>)> {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(misuse(format!(
            "argument #1 (`text`): expected {MAX_TEXT_BYTES} bytes at most, got {}",
            bytes.len()
        )));
    }
    let regex = cache.get(pattern).map_err(|why| {
        misuse(format!(
            "argument #2 (`pattern`): {why}; `re.check` tells beforehand when somebody else wrote it"
        ))
    })?;
    Ok((regex, bytes.to_vec()))
}

/// Does the work where it disturbs nobody. Cancel safe: what is dropped ends by itself within [`PATIENCE`].
async fn work<T: Send + 'static>(
    call: &Call,
    size: usize,
    work: impl FnOnce() -> LuaResult<T> + Send + 'static,
) -> LuaResult<T> {
    if size <= AT_ONCE_BYTES {
        return work();
    }
    let _wait = call.host.wait();
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(misuse(format!("the search failed: {error}"))))
}

/// Raises once a call has taken too long.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn check(&self) -> LuaResult<()> {
        if self.0.elapsed() > PATIENCE {
            return Err(misuse(format!(
                "took more than {PATIENCE:?}; use a simpler pattern or a shorter text"
            )));
        }
        Ok(())
    }
}

async fn search(
    call: Call,
    cache: Cache,
    text: LuaString,
    pattern: String,
) -> LuaResult<Option<Table>> {
    let (regex, bytes) = prepared(&cache, &text, &pattern)?;
    let names = names_of(&regex);
    let found =
        work(&call, bytes.len(), move || Ok(regex.captures(&bytes).map(|found| Match::of(&found))));
    found.await?.map(|found| found.table(&call.lua, &names)).transpose()
}

async fn find_all(
    call: Call,
    cache: Cache,
    text: LuaString,
    pattern: String,
    mut options: Options,
) -> LuaResult<Vec<Table>> {
    let limit = limit(&mut options)?;
    options.finish()?;
    let (regex, bytes) = prepared(&cache, &text, &pattern)?;
    let names = names_of(&regex);
    let found = work(&call, bytes.len(), move || {
        let clock = Clock::start();
        let mut found = Vec::new();
        for captures in regex.captures_iter(&bytes).take(limit.unwrap_or(MAX_MATCHES + 1)) {
            clock.check()?;
            if found.len() == MAX_MATCHES {
                return Err(misuse(format!(
                    "found more than {MAX_MATCHES} matches; give a `limit`"
                )));
            }
            found.push(Match::of(&captures));
        }
        Ok(found)
    });
    found.await?.iter().map(|found| found.table(&call.lua, &names)).collect()
}

async fn replace(
    call: Call,
    cache: Cache,
    (text, pattern, with): (LuaString, String, LuaString),
    mut options: Options,
) -> LuaResult<LuaString> {
    let limit = limit(&mut options)?.unwrap_or(usize::MAX);
    let literal = options.bool("literal")?.unwrap_or(false);
    options.finish()?;
    let (regex, bytes) = prepared(&cache, &text, &pattern)?;
    let with = with.as_bytes().to_vec();
    let out = work(&call, bytes.len(), move || {
        let clock = Clock::start();
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for captures in regex.captures_iter(&bytes).take(limit) {
            clock.check()?;
            let whole = captures.get(0).expect("group 0 is the whole match");
            out.extend_from_slice(&bytes[from..whole.start()]);
            if literal {
                out.extend_from_slice(&with);
            } else {
                captures.expand(&with, &mut out);
            }
            from = whole.end();
            if out.len() > 2 * MAX_TEXT_BYTES {
                return Err(misuse(format!(
                    "the result has more than {} bytes",
                    2 * MAX_TEXT_BYTES
                )));
            }
        }
        out.extend_from_slice(&bytes[from..]);
        Ok(out)
    });
    call.lua.create_string(out.await?)
}

async fn split(
    call: Call,
    cache: Cache,
    text: LuaString,
    pattern: String,
    mut options: Options,
) -> LuaResult<Vec<LuaString>> {
    let limit = limit(&mut options)?;
    options.finish()?;
    let (regex, bytes) = prepared(&cache, &text, &pattern)?;
    let parts = work(&call, bytes.len(), move || {
        let clock = Clock::start();
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let parts_of = regex.splitn(&bytes, limit.unwrap_or(MAX_MATCHES + 1));
        for part in parts_of {
            clock.check()?;
            if limit.is_none() && parts.len() == MAX_MATCHES {
                return Err(misuse(format!("found more than {MAX_MATCHES} parts; give a `limit`")));
            }
            parts.push(part.to_vec());
        }
        Ok(parts)
    });
    parts.await?.into_iter().map(|part| call.lua.create_string(part)).collect()
}

fn limit(options: &mut Options) -> LuaResult<Option<usize>> {
    match options.count("limit")? {
        Some(0) => Err(misuse("option `limit`: expected 1 or more, got 0")),
        limit => {
            Ok(limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX).min(MAX_MATCHES)))
        }
    }
}
