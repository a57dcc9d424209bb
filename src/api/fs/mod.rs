//! `fs`: files and folders of this computer. See `fs.d.luau`.
//!
//! Every path goes through [`roots`]; the work is done on threads that may block, and stops when its run does. Only
//! regular files are read and written: a device or a pipe would never end.

mod files;
pub mod inbox;
mod links;
pub(crate) mod name;
pub mod roots;
mod survey;

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use mlua::{Lua, LuaString, Result as LuaResult, Table, Value};
use tokio_util::sync::CancellationToken;

use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::fs::files::{Entry, Stop};
use crate::api::fs::roots::Roots;
use crate::api::manifest::raised;
use crate::api::module::Module;
use crate::api::options::{Options, text_of};
use crate::api::{Call, Host};

pub use survey::Stamp;
pub(crate) use survey::{check_pattern, survey, survey_base, watched_base};

/// Where a path of `script` leads, if it may; for tests that throw anything at it.
#[doc(hidden)]
pub fn reached(roots: &Roots, script: &str, text: &str) -> Option<std::path::PathBuf> {
    roots
        .resolve(script, text, roots::Last::Follow, crate::access::Use::Read)
        .ok()
        .map(|place| place.full)
}

/// What a file of somebody else is called here; for the same tests.
#[doc(hidden)]
pub fn safe_name(text: &str) -> String {
    name::safe(text, "file")
}

/// Read at once unless a script says otherwise.
const READ_BYTES: u64 = 8 << 20;
/// Read at once at most: half of what a VM may hold.
const MAX_READ_BYTES: u64 = 32 << 20;

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    Module::new(lua, "fs")?
        .async_function("read", &["path", "options"], read)?
        .async_function(
            "write",
            &["path", "content"],
            async |call, (path, content): (Path, Value)| {
                let content = content_of(&content)?;
                done(call, move |roots, script, _| files::write(roots, script, &path.0, &content))
                    .await
            },
        )?
        .async_function(
            "append",
            &["path", "content"],
            async |call, (path, content): (Path, Value)| {
                let content = content_of(&content)?;
                done(call, move |roots, script, _| files::append(roots, script, &path.0, &content))
                    .await
            },
        )?
        .async_function("list", &["path"], async |call, path: Path| {
            let found = on_disk(&call, move |roots, script, stop| {
                files::list(roots, script, &path.0, stop)
            });
            entries(&call.lua, found.await?)
        })?
        .async_function("glob", &["pattern"], async |call, pattern: Path| {
            let found = on_disk(&call, move |roots, script, stop| {
                files::glob(roots, script, &pattern.0, stop)
            });
            Ok(Outcome::from(found.await?))
        })?
        .async_function("stat", &["path"], async |call, path: Path| {
            let found = on_disk(&call, move |roots, script, _| files::stat(roots, script, &path.0));
            Ok(match found.await? {
                Ok(entry) => Outcome::Value(entry_table(&call.lua, &entry)?),
                Err(failure) => failure.into(),
            })
        })?
        .async_function("exists", &["path"], async |call, path: Path| {
            let found = on_disk(&call, move |roots, script, _| files::stat(roots, script, &path.0));
            Ok(match found.await? {
                Ok(_) => Outcome::Value(true),
                Err(failure) if failure.kind == "not_found" => Outcome::Value(false),
                Err(failure) => failure.into(),
            })
        })?
        .async_function("mkdir", &["path"], async |call, path: Path| {
            done(call, move |roots, script, _| files::mkdir(roots, script, &path.0)).await
        })?
        .async_function(
            "move",
            &["from", "to", "options"],
            async |call, (from, to, mut options): (Path, Path, Options)| {
                let overwrite = options.bool("overwrite")?.unwrap_or(false);
                options.finish()?;
                done(call, move |roots, script, stop| {
                    files::rename(roots, script, [&from.0, &to.0], overwrite, stop)
                })
                .await
            },
        )?
        .async_function(
            "copy",
            &["from", "to", "options"],
            async |call, (from, to, mut options): (Path, Path, Options)| {
                let overwrite = options.bool("overwrite")?.unwrap_or(false);
                options.finish()?;
                done(call, move |roots, script, stop| {
                    files::copy(roots, script, [&from.0, &to.0], overwrite, stop)
                })
                .await
            },
        )?
        .async_function(
            "remove",
            &["path", "options"],
            async |call, (path, mut options): (Path, Options)| {
                let recursive = options.bool("recursive")?.unwrap_or(false);
                options.finish()?;
                done(call, move |roots, script, stop| {
                    files::remove(roots, script, &path.0, recursive, stop)
                })
                .await
            },
        )?
        .build()
}

/// A path as a script gives it: text.
struct Path(String);

impl mlua::FromLua for Path {
    fn from_lua(value: Value, _: &Lua) -> LuaResult<Self> {
        match &value {
            Value::String(text) => text
                .to_str()
                .map(|text| Self(text.to_owned()))
                .map_err(|_| misuse("expected a path (UTF-8), got other bytes")),
            other => Err(misuse(format!("expected a path (string), got {}", type_name(other)))),
        }
    }
}

fn content_of(value: &Value) -> LuaResult<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        other => text_of(other).map(String::into_bytes).ok_or_else(|| {
            misuse(format!("argument #2 (`content`): expected text, got {}", type_name(other)))
        }),
    }
}

async fn read(call: Call, (path, mut options): (Path, Options)) -> LuaResult<Outcome<LuaString>> {
    let max = options.count("max")?.unwrap_or(READ_BYTES);
    options.finish()?;
    if max > MAX_READ_BYTES {
        return Err(misuse(format!(
            "option `max`: expected {MAX_READ_BYTES} bytes at most, got {max}"
        )));
    }
    let content =
        on_disk(&call, move |roots, script, stop| files::read(roots, script, &path.0, max, stop));
    Ok(match content.await? {
        Ok(bytes) => Outcome::Value(call.lua.create_string(bytes)?),
        Err(failure) => failure.into(),
    })
}

/// A whole file, for functions that send it on.
pub(super) async fn read_file(
    call: &Call,
    path: String,
    max: u64,
) -> LuaResult<Result<Vec<u8>, Failure>> {
    on_disk(call, move |roots, script, stop| files::read(roots, script, &path, max, stop)).await
}

/// Work that answers `true`.
async fn done(
    call: Call,
    work: impl FnOnce(&Roots, &str, &Stop) -> Result<(), Failure> + Send + 'static,
) -> LuaResult<Outcome<bool>> {
    Ok(on_disk(&call, work).await?.map(|()| true).into())
}

/// Does the work on a thread that may block. Cancel safe: dropped with the run, and long work ends at its next step.
async fn on_disk<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(&Roots, &str, &Stop) -> Result<T, Failure> + Send + 'static,
) -> LuaResult<Result<T, Failure>> {
    let (roots, script) = (call.roots(), Arc::clone(&call.script));
    let _wait = call.host.wait();
    let stop = CancellationToken::new();
    let _dropped = stop.clone().drop_guard();
    let worked = tokio::task::spawn_blocking(move || work(&roots, &script, &Stop(stop))).await;
    raised(worked.map_err(|error| misuse(format!("the disk work failed: {error}")))?)
}

fn entries(lua: &Lua, found: Result<Vec<Entry>, Failure>) -> LuaResult<Outcome<Vec<Table>>> {
    Ok(match found {
        Ok(found) => Outcome::Value(
            found.iter().map(|entry| entry_table(lua, entry)).collect::<LuaResult<_>>()?,
        ),
        Err(failure) => failure.into(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "sizes fit the 53 bits of a number")]
fn entry_table(lua: &Lua, entry: &Entry) -> LuaResult<Table> {
    let table = lua.create_table_with_capacity(0, 5)?;
    table.raw_set("name", entry.name.as_str())?;
    table.raw_set("path", entry.path.as_str())?;
    table.raw_set("kind", entry.kind)?;
    table.raw_set("size", entry.size as f64)?;
    let modified = entry.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    table.raw_set("modified", modified.map(|since| since.as_secs_f64()))?;
    super::strict(lua, "file entry", &["name", "path", "kind", "size", "modified"], &table)?;
    Ok(table)
}
