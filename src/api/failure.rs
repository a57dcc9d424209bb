//! What the outside world did wrong, as a script sees it: `nil, err`.
//!
//! Misuse by the script raises instead ([`misuse`]); a limit or a cancelled run raises too and cannot be survived.

use mlua::{
    Error, IntoLua, IntoLuaMulti, Lua, MetaMethod, MultiValue, Result as LuaResult, Table, Value,
};

/// A refusal of the outside world: a table with `kind`, `message`, `hint` that prints as its message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// One of the closed, documented set of the function that returns it.
    pub kind: &'static str,
    pub message: String,
    /// The reader's next step.
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Under this name the one metatable of all failures of a VM is kept.
const METATABLE: &str = "moonbell.failure";

/// What a script sees in place of that metatable; it can set this on no table of its own.
const PROTECTED: &str = "failure";

impl IntoLua for Failure {
    fn into_lua(self, lua: &Lua) -> LuaResult<Value> {
        let table = lua.create_table_with_capacity(0, 3)?;
        table.raw_set("kind", self.kind)?;
        table.raw_set("message", self.message)?;
        table.raw_set("hint", self.hint)?;
        let kept = lua.named_registry_value::<Option<Table>>(METATABLE)?;
        let metatable = kept.map_or_else(|| failure_metatable(lua), Ok)?;
        table.set_metatable(Some(metatable))?;
        Ok(Value::Table(table))
    }
}

fn failure_metatable(lua: &Lua) -> LuaResult<Table> {
    let metatable = lua.create_table()?;
    let text = lua.create_function(|_, failure: Table| {
        failure.raw_get::<Option<mlua::LuaString>>("message")
    })?;
    let joined = lua.create_function(|lua, (left, right): (Value, Value)| {
        let mut text = joinable(&left)?;
        text.extend(joinable(&right)?);
        lua.create_string(text)
    })?;
    metatable.raw_set(MetaMethod::ToString.name(), text)?;
    metatable.raw_set(MetaMethod::Concat.name(), joined)?;
    metatable.raw_set("__metatable", PROTECTED)?;
    metatable.set_readonly(true);
    lua.set_named_registry_value(METATABLE, &metatable)?;
    Ok(metatable)
}

/// The message, if this is a failure: it may stand wherever text does.
pub fn failure_text(value: &Value) -> Option<String> {
    let table = value.as_table()?;
    let name: Value = table.metatable()?.raw_get("__metatable").ok()?;
    let ours = name.as_string().is_some_and(|name| name == PROTECTED);
    ours.then(|| table.raw_get::<String>("message").ok()).flatten()
}

/// One side of `"it failed: " .. err`.
fn joinable(value: &Value) -> LuaResult<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => Ok(value.to_string()?.into_bytes()),
        other => failure_text(other).map(String::into_bytes).ok_or_else(|| {
            misuse(format!("attempt to concatenate {} with a failure", type_name(other)))
        }),
    }
}

/// What a host function returns whose work the world may refuse: the value, or `nil, err`.
#[derive(Debug)]
pub enum Outcome<T> {
    Value(T),
    Failed(Failure),
}

impl<T> From<Result<T, Failure>> for Outcome<T> {
    fn from(result: Result<T, Failure>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(failure) => Self::Failed(failure),
        }
    }
}

impl<T> From<Failure> for Outcome<T> {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<T: IntoLuaMulti> IntoLuaMulti for Outcome<T> {
    fn into_lua_multi(self, lua: &Lua) -> LuaResult<MultiValue> {
        match self {
            Self::Value(value) => value.into_lua_multi(lua),
            Self::Failed(failure) => (Value::Nil, failure).into_lua_multi(lua),
        }
    }
}

/// An error to raise in the script: it was written wrongly. The builder puts the function's name in front.
pub fn misuse(message: impl Into<String>) -> Error {
    Error::RuntimeError(message.into())
}

/// Luau's word for the type of a value, for "expected …, got …".
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        secret if crate::api::secret::is_secret(secret) => "a secret",
        other => other.type_name(),
    }
}

/// Longer ones are no slip of a name.
const LONGEST_NAME: usize = 64;

/// "; did you mean `timeout`? it takes `headers`, `timeout`": the end of every complaint about a name.
pub fn suggestion(wrong: &str, right: &[&str]) -> String {
    // Of ten megabytes nothing is near, and finding that out would take minutes.
    let comparable = wrong.len() <= LONGEST_NAME;
    let nearest = right
        .iter()
        .filter(|_| comparable)
        .map(|name| {
            (strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase()), name)
        })
        .filter(|(distance, name)| {
            *distance <= 2.max(name.chars().count() / 3) && *distance < name.chars().count()
        })
        .min()
        .map(|(_, name)| format!("; did you mean `{name}`?"));
    let mut right = right.to_vec();
    right.sort_unstable();
    let names: Vec<String> = right.iter().map(|name| format!("`{name}`")).collect();
    match (nearest, names.is_empty()) {
        (Some(nearest), _) => format!("{nearest} it takes {}", names.join(", ")),
        (None, true) => "; it takes none".to_owned(),
        (None, false) => format!("; it takes {}", names.join(", ")),
    }
}
