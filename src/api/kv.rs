//! `kv`: what a script keeps between runs and restarts. See `kv.d.luau`.
//!
//! Values are JSON; each script has keys of its own. Single calls are atomic.

use mlua::{IntoLuaMulti, Lua, LuaString, Result as LuaResult, Table, Value};

use crate::api::failure::{Failure, Outcome, misuse};
use crate::api::json::{Null, from_lua, to_lua};
use crate::api::module::Module;
use crate::api::options::Options;
use crate::api::{Call, Host};
use crate::store::Error;
use crate::store::kv::Kv;

/// Long enough for a path, short enough for an index.
const MAX_KEY_BYTES: usize = 512;

/// What does not fit belongs into a file.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// Entries of one listing, unless asked for fewer.
const MAX_LISTED: u64 = 1000;

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    Module::new(lua, "kv")?
        .async_function("get", &["key"], get)?
        .async_function("set", &["key", "value", "options"], set)?
        .async_function("delete", &["key"], delete)?
        .async_function("incr", &["key", "by"], incr)?
        .async_function("cas", &["key", "old", "new"], cas)?
        .async_function("list", &["prefix", "options"], list)?
        .build()
}

async fn get(call: Call, key: LuaString) -> LuaResult<Outcome<Value>> {
    let key = checked_key(&key)?;
    Ok(match call.host.kv()?.get(&call.script, &key).await {
        Ok(Some(text)) => Outcome::Value(decoded(&call.lua, &text)?),
        Ok(None) => Outcome::Value(Value::Nil),
        Err(error) => failed(&error).into(),
    })
}

async fn set(
    call: Call,
    (key, value, mut options): (LuaString, Value, Options),
) -> LuaResult<Outcome<bool>> {
    let key = checked_key(&key)?;
    let ttl = options.duration("ttl")?;
    options.finish()?;
    if value.is_nil() {
        return Err(misuse(
            "argument #2 (`value`): expected a value, got nil; use `kv.delete` to remove a key",
        ));
    }
    let text = encoded(&call.lua, &value)?;
    let ttl_ms = ttl.map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
    answered(of_script(&call)?.set(&call.script, &key, &text, ttl_ms).await.map(|()| true))
}

async fn delete(call: Call, key: LuaString) -> LuaResult<Outcome<bool>> {
    let key = checked_key(&key)?;
    Ok(call.host.kv()?.delete(&call.script, &key).await.map_err(|error| failed(&error)).into())
}

async fn incr(call: Call, (key, by): (LuaString, Option<f64>)) -> LuaResult<Outcome<f64>> {
    let key = checked_key(&key)?;
    let by = by.unwrap_or(1.0);
    if !by.is_finite() {
        return Err(misuse(format!("argument #2 (`by`): expected a finite number, got {by}")));
    }
    match of_script(&call)?.incr(&call.script, &key, by).await {
        Ok(None) => {
            Ok(Failure::new("type", format!("`{key}` holds something that is not a number")).into())
        }
        sum => answered(sum.map(Option::unwrap_or_default)),
    }
}

async fn cas(call: Call, (key, old, new): (LuaString, Value, Value)) -> LuaResult<Outcome<bool>> {
    let key = checked_key(&key)?;
    let old = if old.is_nil() { None } else { Some(encoded(&call.lua, &old)?) };
    if new.is_nil() {
        return Err(misuse("argument #3 (`new`): expected a value, got nil"));
    }
    let new = encoded(&call.lua, &new)?;
    answered(of_script(&call)?.cas(&call.script, &key, old.as_deref(), &new).await)
}

async fn list(
    call: Call,
    (prefix, mut options): (Option<String>, Options),
) -> LuaResult<mlua::MultiValue> {
    let limit = options.count("limit")?.unwrap_or(MAX_LISTED).min(MAX_LISTED);
    options.finish()?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let entries = match call.host.kv()?.list(&call.script, &prefix.unwrap_or_default(), limit).await
    {
        Ok(entries) => entries,
        Err(error) => return Outcome::<Value>::Failed(failed(&error)).into_lua_multi(&call.lua),
    };
    let table = call.lua.create_table()?;
    for (index, entry) in entries.iter().enumerate() {
        let row = call.lua.create_table()?;
        row.raw_set("key", entry.key.as_str())?;
        row.raw_set("value", decoded(&call.lua, &entry.value)?)?;
        table.raw_set(index + 1, row)?;
    }
    table.into_lua_multi(&call.lua)
}

fn checked_key(key: &LuaString) -> LuaResult<String> {
    let length = key.as_bytes().len();
    if length == 0 || length > MAX_KEY_BYTES {
        return Err(misuse(format!(
            "argument #1 (`key`): expected 1 to {MAX_KEY_BYTES} bytes, got {length}"
        )));
    }
    let key = key.to_str().map_err(|_| misuse("argument #1 (`key`): expected UTF-8 text"))?;
    Ok(key.to_owned())
}

fn encoded(lua: &Lua, value: &Value) -> LuaResult<String> {
    let text = from_lua(lua, value)?.to_string();
    if text.len() > MAX_VALUE_BYTES {
        return Err(misuse(format!(
            "the value is {} bytes of JSON; kv takes {MAX_VALUE_BYTES} at most",
            text.len()
        )));
    }
    Ok(text)
}

fn decoded(lua: &Lua, text: &str) -> LuaResult<Value> {
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| misuse(format!("the stored value is damaged: {error}")))?;
    to_lua(lua, &value, Null::Kept)
}

/// The values of scripts, with as much room for each as the settings say now.
fn of_script(call: &Call) -> LuaResult<Kv> {
    Ok(call.host.kv()?.clone().within(call.host.limits().kv_bytes))
}

/// What does not fit raises, as other limits do: a script that goes on without it would lose what it means to keep.
fn answered<T>(result: Result<T, Error>) -> LuaResult<Outcome<T>> {
    match result {
        Err(error @ Error::KvFull { .. }) => {
            Err(misuse(format!("{error}; {}", error.hint().unwrap_or_default())))
        }
        other => Ok(other.map_err(|error| failed(&error)).into()),
    }
}

fn failed(error: &Error) -> Failure {
    let failure = Failure::new("storage", error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
