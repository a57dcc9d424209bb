//! `secret`: values of the settings that scripts use and never see. See `secret.d.luau`.
//!
//! A secret is an opaque value that prints as `***`. It becomes text only where it leaves for what needs it: a header or
//! a body of `http`, the environment or the standard input of a program. There is no way to read it as a string: what a
//! script cannot hold, it cannot say by mistake. (A program can be made to print it; what it prints is redacted where it
//! is shown.)

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlua::{
    Lua, MetaMethod, Result as LuaResult, Table, UserData, UserDataFields, UserDataMethods, Value,
    Variadic,
};

use crate::access::Need;
use crate::api::failure::{Failure, Outcome, misuse, suggestion, type_name};
use crate::api::module::Module;
use crate::api::options::text_of;
use crate::api::{Host, Scope};
use crate::config::Secret;
use crate::sink::hide;
use crate::sink::hide_passing;

/// As long as those of the settings may be; each is looked for in everything that is said.
const MAX_BYTES: usize = 16 << 10;

/// Secrets by name; `None` where a name is there and its value could not be read.
pub type Secrets = BTreeMap<String, Option<Secret>>;

/// From now on nothing shows them.
pub(super) fn hide_all(secrets: &Secrets) {
    for value in secrets.values().flatten() {
        hide(value.expose());
    }
}

/// What a script holds.
#[derive(Clone, Debug)]
pub(crate) struct Opaque(Arc<Secret>);

impl Opaque {
    fn new(value: impl Into<String>) -> Self {
        let value = Secret::new(value);
        hide_passing(value.expose());
        Self(Arc::new(value))
    }

    fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl UserData for Opaque {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "secret");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_function(MetaMethod::ToString, |_, _: Value| Ok("***"));
        methods.add_meta_function(MetaMethod::Concat, |_, _: (Value, Value)| {
            Err::<(), _>(misuse(
                "a secret is not joined with text, which would show it; `secret.join(\"Bearer \", token)` makes a secret of both",
            ))
        });
    }
}

/// Whether a value is a secret.
pub(crate) fn is_secret(value: &Value) -> bool {
    value.as_userdata().is_some_and(mlua::AnyUserData::is::<Opaque>)
}

/// The text of a secret, for what leaves this host on behalf of a script. `None` for everything else.
pub(crate) fn expose(value: &Value) -> Option<String> {
    let opaque = value.as_userdata()?.borrow::<Opaque>().ok()?;
    Some(opaque.expose().to_owned())
}

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    Module::new(lua, "secret")?
        .function("get", &["name"], |_, scope, name: String| {
            scope.need(&Need::Secret(Some(name.clone())))?;
            Ok(get(scope, &name))
        })?
        .function("join", &["parts"], |_, _, parts: Variadic<Value>| {
            let mut joined = String::new();
            for (index, part) in parts.iter().enumerate() {
                let text = expose(part).or_else(|| text_of(part)).ok_or_else(|| {
                    misuse(format!(
                        "argument #{}: expected text or a secret, got {}",
                        index + 1,
                        type_name(part)
                    ))
                })?;
                joined.push_str(&text);
                if joined.len() > MAX_BYTES {
                    return Err(misuse(format!("a secret has at most {MAX_BYTES} bytes")));
                }
            }
            Ok(Opaque::new(joined))
        })?
        .function("basic", &["user", "password"], |_, _, (user, password): (String, Value)| {
            let password = expose(&password).ok_or_else(|| {
                misuse(format!(
                    "argument #2 (`password`): expected a secret, got {}",
                    type_name(&password)
                ))
            })?;
            if user.len() + password.len() > MAX_BYTES {
                return Err(misuse(format!("a secret has at most {MAX_BYTES} bytes")));
            }
            let encoded = STANDARD.encode(format!("{user}:{password}"));
            hide_passing(&encoded);
            Ok(Opaque::new(format!("Basic {encoded}")))
        })?
        .build()
}

fn get(scope: &Scope, name: &str) -> Outcome<Opaque> {
    let Some(secrets) = scope.host().secrets() else {
        // Scripts are only checked here: which secrets there are is the settings' business.
        return Outcome::Value(Opaque(Arc::new(Secret::new(""))));
    };
    match secrets.get(name) {
        Some(Some(value)) => Outcome::Value(Opaque(Arc::new(value.clone()))),
        Some(None) => Failure::new("unset", format!("the secret `{name}` has no value here"))
            .hint("its environment variable or file, named in [secrets] of the settings, is not there")
            .into(),
        None => {
            let names: Vec<&str> = secrets.keys().map(String::as_str).collect();
            let known = suggestion(name, &names).replace("it takes none", "there are none");
            let known = known.replace("it takes", "there are");
            let shown: String = name.chars().take(64).collect();
            Failure::new("not_found", format!("there is no secret `{shown}`{known}"))
                .hint("write it into [secrets] of the settings")
                .into()
        }
    }
}
