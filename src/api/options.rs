//! Strict option tables: every key is read by name, and one that nobody read raises with the nearest right name.

use std::collections::BTreeMap;
use std::time::Duration;

use mlua::{FromLua, Function, Lua, Result as LuaResult, Table, Value};

use crate::api::failure::{failure_text, misuse, suggestion, type_name};
use crate::api::secret::expose;
use crate::api::time::parse_duration;

/// The last argument of most functions: `{ timeout = "10s", … }`, or nothing at all.
///
/// Take each option once, then call [`Options::finish`].
#[derive(Debug)]
pub struct Options {
    table: Option<Table>,
    known: Vec<&'static str>,
    takes_items: bool,
}

impl FromLua for Options {
    fn from_lua(value: Value, _: &Lua) -> LuaResult<Self> {
        match value {
            Value::Nil => Ok(Self::from(None)),
            Value::Table(table) => Ok(Self::from(Some(table))),
            other => Err(misuse(format!("expected a table of options, got {}", type_name(&other)))),
        }
    }
}

impl From<Option<Table>> for Options {
    fn from(table: Option<Table>) -> Self {
        Self { table, known: Vec::new(), takes_items: false }
    }
}

impl Options {
    /// The raw value of an option; `Nil` when it is not given.
    pub fn value(&mut self, name: &'static str) -> LuaResult<Value> {
        self.known.push(name);
        self.table.as_ref().map_or(Ok(Value::Nil), |table| table.raw_get(name))
    }

    fn typed<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> LuaResult<Option<T>> {
        match self.value(name)? {
            Value::Nil => Ok(None),
            value => read(value).map(Some).map_err(|value| wrong(name, expected, &value)),
        }
    }

    /// Text; must be UTF-8.
    pub fn string(&mut self, name: &'static str) -> LuaResult<Option<String>> {
        self.typed(name, "a string (UTF-8)", |value| match &value {
            Value::String(text) => {
                text.to_str().map(|text| text.to_owned()).map_err(|_| value.clone())
            }
            _ => Err(value),
        })
    }

    /// Any bytes.
    pub fn bytes(&mut self, name: &'static str) -> LuaResult<Option<Vec<u8>>> {
        self.typed(name, "a string", |value| match &value {
            Value::String(text) => Ok(text.as_bytes().to_vec()),
            _ => Err(value),
        })
    }

    /// Any bytes, or a secret: only for what leaves this host on behalf of the script.
    pub fn bytes_or_secret(&mut self, name: &'static str) -> LuaResult<Option<Vec<u8>>> {
        self.typed(name, "a string or a secret", |value| match &value {
            Value::String(text) => Ok(text.as_bytes().to_vec()),
            _ => expose(&value).map(String::into_bytes).ok_or(value),
        })
    }

    /// A finite number.
    pub fn number(&mut self, name: &'static str) -> LuaResult<Option<f64>> {
        self.typed(name, "a number", |value| {
            number(&value).filter(|number| number.is_finite()).ok_or(value)
        })
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, name: &'static str) -> LuaResult<Option<u64>> {
        self.typed(name, "a whole number, 0 or more", |value| whole(&value).ok_or(value))
    }

    pub fn bool(&mut self, name: &'static str) -> LuaResult<Option<bool>> {
        self.typed(name, "true or false", |value| value.as_boolean().ok_or(value))
    }

    /// A duration: `"10s"`, `"1h30m"`, or seconds.
    pub fn duration(&mut self, name: &'static str) -> LuaResult<Option<Duration>> {
        match self.value(name)? {
            Value::Nil => Ok(None),
            value => {
                duration(&value).map(Some).map_err(|why| misuse(format!("option `{name}`: {why}")))
            }
        }
    }

    pub fn table(&mut self, name: &'static str) -> LuaResult<Option<Table>> {
        self.typed(name, "a table", |value| value.as_table().cloned().ok_or(value))
    }

    pub fn function(&mut self, name: &'static str) -> LuaResult<Option<Function>> {
        self.typed(name, "a function", |value| value.as_function().cloned().ok_or(value))
    }

    /// A table of strings by name, such as `env = { LANG = "C" }`; numbers and booleans become text.
    pub fn strings(&mut self, name: &'static str) -> LuaResult<Option<BTreeMap<String, String>>> {
        self.named(name, text_of)
    }

    /// The same, where a value may be a secret: only for what leaves this host on behalf of the script.
    pub fn strings_or_secrets(
        &mut self,
        name: &'static str,
    ) -> LuaResult<Option<BTreeMap<String, String>>> {
        self.named(name, |value| expose(value).or_else(|| text_of(value)))
    }

    fn named(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Option<String>,
    ) -> LuaResult<Option<BTreeMap<String, String>>> {
        let Some(table) = self.table(name)? else { return Ok(None) };
        let mut strings = BTreeMap::new();
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            let Value::String(key) = &key else {
                return Err(misuse(format!(
                    "option `{name}`: expected names as keys, got a {}",
                    type_name(&key)
                )));
            };
            let key = key.to_string_lossy();
            let text = read(&value).ok_or_else(|| {
                misuse(format!(
                    "option `{name}`: `{key}`: expected a string (UTF-8), got {}",
                    type_name(&value)
                ))
            })?;
            strings.insert(key, text);
        }
        Ok(Some(strings))
    }

    /// The list part of the table: `{ "ls", "-la", cwd = "/" }` gives `ls`, `-la`.
    pub fn items(&mut self) -> LuaResult<Vec<Value>> {
        self.takes_items = true;
        let Some(table) = &self.table else { return Ok(Vec::new()) };
        (1..=table.raw_len()).map(|index| table.raw_get(index)).collect()
    }

    /// Raises for the first key that no getter asked for.
    ///
    /// # Errors
    ///
    /// Names the key, the nearest right one and all right ones.
    pub fn finish(self) -> LuaResult<()> {
        let Some(table) = &self.table else { return Ok(()) };
        let length = table.raw_len();
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            match &key {
                Value::String(name) => {
                    let name = name.to_string_lossy();
                    if !self.known.contains(&name.as_str()) {
                        return Err(misuse(format!(
                            "unknown option `{name}`{}",
                            suggestion(&name, &self.known)
                        )));
                    }
                }
                key if self.takes_items
                    && whole(key).is_some_and(|index| (1..=length as u64).contains(&index)) => {}
                _ => {
                    return Err(misuse(format!(
                        "unexpected {} in the options: write `name = value`{}",
                        type_name(&value),
                        suggestion("", &self.known)
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Reads a duration from a string with units or a number of seconds.
///
/// # Errors
///
/// Says what was expected and what was found.
pub fn duration(value: &Value) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a duration such as \"10s\" or \"1h30m\", or seconds";
    match value {
        Value::String(text) => parse_duration(&text.to_string_lossy()),
        Value::Integer(_) | Value::Number(_) => {
            let seconds = number(value).unwrap_or(f64::NAN);
            Duration::try_from_secs_f64(seconds).map_err(|_| format!("{EXPECTED}; got {seconds}"))
        }
        other => Err(format!("{EXPECTED}; got {}", type_name(other))),
    }
}

/// Text of a string, number or boolean.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.to_str().ok().map(|text| text.to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        other => failure_text(other),
    }
}

/// Any number; mlua hands over whole ones as integers, which `Value::as_number` does not take.
#[expect(
    clippy::cast_precision_loss,
    reason = "every number of Luau is a 64-bit float: it was one before"
)]
pub fn number(value: &Value) -> Option<f64> {
    match *value {
        Value::Integer(number) => Some(number as f64),
        Value::Number(number) => Some(number),
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and in range"
)]
pub fn whole(value: &Value) -> Option<u64> {
    number(value)
        .filter(|number| number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(number))
        .map(|number| number as u64)
}

fn wrong(name: &str, expected: &str, value: &Value) -> mlua::Error {
    misuse(format!("option `{name}`: expected {expected}, got {}", type_name(value)))
}
