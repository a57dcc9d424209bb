//! `json`, and the way of every value between Luau and JSON. See `json.d.luau`.

use mlua::{Lua, LuaSerdeExt as _, Result as LuaResult, Table, Value};
use serde_json::{Map, Number};

use crate::api::Host;
use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::module::Module;
use crate::api::options::Options;
use crate::api::secret::{expose, is_secret};

/// As deep as `serde_json` reads; deeper is a cycle or an attack.
const MAX_DEPTH: usize = 127;

/// What one call encodes or decodes at most: far below the memory limit of a VM.
const MAX_BYTES: usize = 16 << 20;

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    Module::new(lua, "json")?
        .function(
            "encode",
            &["value", "options"],
            |lua, _, (value, mut options): (Value, Options)| {
                let pretty = options.bool("pretty")?.unwrap_or(false);
                options.finish()?;
                let value = from_lua(lua, &value)?;
                let text = if pretty {
                    serde_json::to_string_pretty(&value)
                } else {
                    serde_json::to_string(&value)
                };
                text.map_err(|error| misuse(error.to_string()))
            },
        )?
        .function("decode", &["text"], |lua, _, text: mlua::LuaString| {
            if text.as_bytes().len() > MAX_BYTES {
                return Ok(Failure::new(
                    "too_large",
                    format!("the text has more than {MAX_BYTES} bytes"),
                )
                .into());
            }
            match serde_json::from_slice::<serde_json::Value>(&text.as_bytes()) {
                Ok(value) => to_lua(lua, &value, Null::Kept).map(Outcome::Value),
                Err(error) => {
                    Ok(Failure::new("syntax", format!("this is not JSON: {error}")).into())
                }
            }
        })?
        .function("array", &["list"], |lua, _, list: Option<Table>| {
            let list = list.map_or_else(|| lua.create_table(), Ok)?;
            let (mark, own) = (lua.array_metatable(), list.metatable());
            // `ctx` and the like are what their metatable makes of them, which no script takes away.
            let own = own.filter(|own| *own != mark);
            if own
                .is_some_and(|own| own.raw_get::<Value>("__metatable").is_ok_and(|it| !it.is_nil()))
            {
                return Err(misuse(
                    "argument #1 (`list`): expected a list of your own, got an object of moonbell",
                ));
            }
            list.set_metatable(Some(mark))?;
            Ok(list)
        })?
        .value("null", Value::NULL)?
        .build()
}

/// Converts a Luau value to JSON. Objects are sorted by key, and whole numbers are written without a fraction, so equal
/// values have equal text.
///
/// # Errors
///
/// Raises for what JSON cannot hold, naming the place: functions, NaN, cycles, mixed keys, text that is not UTF-8.
pub fn from_lua(lua: &Lua, value: &Value) -> LuaResult<serde_json::Value> {
    let array = lua.array_metatable();
    Encoder { array, exposes: false, path: Vec::new(), open: Vec::new(), bytes: 0 }.encode(value)
}

/// The same with secrets as they are: only for what leaves this host on behalf of a script.
pub(crate) fn from_lua_exposed(lua: &Lua, value: &Value) -> LuaResult<serde_json::Value> {
    let array = lua.array_metatable();
    Encoder { array, exposes: true, path: Vec::new(), open: Vec::new(), bytes: 0 }.encode(value)
}

struct Encoder {
    array: Table,
    /// Whether secrets are written.
    exposes: bool,
    path: Vec<String>,
    /// Tables that are being encoded: meeting one again is a cycle.
    open: Vec<*const std::ffi::c_void>,
    bytes: usize,
}

impl Encoder {
    fn fail(&self, why: &str) -> mlua::Error {
        let place = if self.path.is_empty() {
            "the value".to_owned()
        } else {
            format!("`{}`", self.path.join("."))
        };
        misuse(format!("{place} cannot be JSON: {why}"))
    }

    fn encode(&mut self, value: &Value) -> LuaResult<serde_json::Value> {
        self.bytes += 8;
        if self.bytes > MAX_BYTES {
            return Err(self.fail(&format!("it has more than {} MiB", MAX_BYTES >> 20)));
        }
        Ok(match value {
            Value::Nil => serde_json::Value::Null,
            value if value.is_null() => serde_json::Value::Null,
            Value::Boolean(flag) => (*flag).into(),
            Value::Integer(number) => (*number).into(),
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => {
                self.bytes += text.as_bytes().len();
                if self.bytes > MAX_BYTES {
                    return Err(self.fail(&format!("it has more than {} MiB", MAX_BYTES >> 20)));
                }
                let text = text.to_str().map_err(|_| self.fail("the text is not UTF-8"))?;
                serde_json::Value::String(text.to_owned())
            }
            Value::Table(table) => self.table(table)?,
            value if is_secret(value) => match expose(value) {
                Some(text) if self.exposes => serde_json::Value::String(text),
                _ => return Err(self.fail("it is a secret, which is not shown")),
            },
            other => return Err(self.fail(&format!("it is a {}", type_name(other)))),
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    fn number(&self, number: f64) -> LuaResult<serde_json::Value> {
        if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
            return Ok((number as i64).into());
        }
        Number::from_f64(number)
            .map(serde_json::Value::Number)
            .ok_or_else(|| self.fail(&format!("it is {number}")))
    }

    fn table(&mut self, table: &Table) -> LuaResult<serde_json::Value> {
        let pointer = table.to_pointer();
        if self.open.contains(&pointer) {
            return Err(self.fail("it contains itself"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fail(&format!("it is nested more than {MAX_DEPTH} deep")));
        }
        self.open.push(pointer);
        let length = table.raw_len();
        let is_array =
            length > 0 || table.metatable().is_some_and(|metatable| metatable == self.array);
        let value = if is_array {
            let mut items = Vec::new();
            for pair in table.pairs::<Value, Value>() {
                let (key, _) = pair?;
                let index = crate::api::options::number(&key)
                    .filter(|index| index.fract() == 0.0 && *index >= 1.0);
                #[expect(clippy::cast_precision_loss, reason = "a table has fewer than 2^53 items")]
                if index.is_none_or(|index| index > length as f64) {
                    return Err(self.fail("it has both a list part and other keys, or holes"));
                }
            }
            for index in 1..=length {
                self.path.push(index.to_string());
                items.push(self.encode(&table.raw_get(index)?)?);
                self.path.pop();
            }
            serde_json::Value::Array(items)
        } else {
            let mut object = Map::new();
            for pair in table.pairs::<Value, Value>() {
                let (key, value) = pair?;
                let Value::String(key) = &key else {
                    return Err(self.fail(&format!("it has a key that is a {}", type_name(&key))));
                };
                let key = key.to_str().map_err(|_| self.fail("a key is not UTF-8"))?.to_owned();
                self.path.push(key);
                let value = self.encode(&value)?;
                object.insert(self.path.pop().unwrap_or_default(), value);
            }
            serde_json::Value::Object(object)
        };
        self.open.pop();
        Ok(value)
    }
}

/// What becomes of `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    /// `json.null`, so that lists keep their places.
    Kept,
    /// `nil`.
    Nil,
}

/// Converts JSON to Luau.
pub fn to_lua(lua: &Lua, value: &serde_json::Value, null: Null) -> LuaResult<Value> {
    Ok(match value {
        serde_json::Value::Null if null == Null::Kept => Value::NULL,
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => Value::Boolean(*flag),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::String(lua.create_string(text)?),
        serde_json::Value::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item, null)?)?;
            }
            if items.is_empty() {
                table.set_metatable(Some(lua.array_metatable()))?;
            }
            Value::Table(table)
        }
        serde_json::Value::Object(object) => {
            let table = lua.create_table_with_capacity(0, object.len())?;
            for (key, item) in object {
                table.raw_set(key.as_str(), to_lua(lua, item, null)?)?;
            }
            Value::Table(table)
        }
    })
}
