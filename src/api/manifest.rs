//! `bot.script`: what a script says about itself, and so what it may reach. See `bot.d.luau`.
//!
//! Who declares `needs` gets those and nothing else; a script of other people gets nothing that it does not declare, and
//! none of it before the owner has granted it, which is the loader's business. Every function that reaches out asks
//! [`Scope::need`] first.

use std::sync::Arc;

use mlua::{Lua, Result as LuaResult, Table, Value};

use super::Scope;
use super::bot::Collector;
use super::failure::{Failure, misuse, type_name};
use super::options::Options;
use crate::access::{Need, Needs, Reach};

/// The version of what scripts can call. It grows when something that worked would work otherwise.
pub const API: u64 = 1;

/// More than anybody reads before saying yes.
const MAX_NEEDS: usize = 100;

/// `err.kind` of what a function below could only return: [`raised`] makes an error of it.
pub(super) const MISSING: &str = "needs";

/// `bot.script`, while the script loads, before anything else of it.
pub(super) fn script(lua: &Lua, scope: &Scope, mut options: Options) -> LuaResult<()> {
    let api = options.value("api")?;
    let needs = options.table("needs")?;
    options.finish()?;
    let (at, empty) = {
        let Some(collector) = lua.app_data_ref::<Collector>() else {
            return Err(misuse(
                "says what a script is, so it works only at the top level of it, while it loads",
            ));
        };
        // 0 is this function, 1 the wrapper that raises, 2 the file.
        let at = lua.inspect_stack(2, |frame| {
            let source = frame.source();
            source.source.as_deref().unwrap_or_default().trim_start_matches(['@', '=']).to_owned()
        });
        (at, collector.0.is_empty())
    };
    if at.as_deref() != Some(&**scope.script()) {
        return Err(misuse(
            "belongs into the script itself: a file that it requires acts with its rights",
        ));
    }
    if scope.manifest().said {
        return Err(misuse("was said already; a script says it once"));
    }
    if !empty || scope.manifest().asked {
        return Err(misuse(
            "comes before everything else that the script does: move it to the top",
        ));
    }
    match api {
        Value::Nil => {}
        value => match super::options::whole(&value) {
            Some(1..=API) => {}
            Some(newer) if newer > API => {
                return Err(misuse(format!(
                    "option `api`: this script is written for version {newer} of the script API, and this moonbell has {API}; update moonbell"
                )));
            }
            _ => {
                return Err(misuse(format!(
                    "option `api`: expected a whole number from 1, the version of the script API, got {}",
                    type_name(&value)
                )));
            }
        },
    }
    scope.declare(needs.map(|list| needs_of(&list)).transpose()?);
    Ok(())
}

fn needs_of(list: &Table) -> LuaResult<Needs> {
    let length = list.raw_len();
    if length > MAX_NEEDS {
        return Err(misuse(format!("option `needs`: expected {MAX_NEEDS} at most, got {length}")));
    }
    if list.pairs::<Value, Value>().count() != length {
        return Err(misuse("option `needs`: expected a list of texts, such as { \"shell:git\" }"));
    }
    list.sequence_values::<Value>().map(|one| need_of(&one?)).collect()
}

fn need_of(value: &Value) -> LuaResult<Need> {
    let wrong = |why: String| misuse(format!("option `needs`: {why}"));
    let text = value.as_string().and_then(|text| text.to_str().ok().map(|text| text.to_owned()));
    let text = text
        .ok_or_else(|| wrong(format!("expected a list of texts, with a {}", type_name(value))))?;
    Need::parse(&text).map_err(wrong)
}

/// What a script said about itself.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// `bot.script` was called.
    said: bool,
    /// What it named there; `None`: it named nothing.
    needs: Option<Needs>,
    /// Something that takes a right was done while the script loaded.
    asked: bool,
}

impl Scope {
    /// Asks whether the script may do this. The first question of everything that reaches out of it.
    ///
    /// # Errors
    /// With the line to add to the script.
    pub(crate) fn need(&self, need: &Need) -> LuaResult<()> {
        if self.run().is_none() {
            self.manifest().asked = true;
        }
        self.reach().ask(need).map_err(misuse)
    }

    /// What the script may reach now.
    pub(crate) fn reach(&self) -> Reach {
        self.reach_cell().get()
    }

    fn declare(&self, needs: Option<Needs>) {
        // Without needs it reaches what its folder gives it.
        if let Some(needs) = &needs {
            self.reach_cell().set(Reach::Only(Arc::new(needs.clone())));
        }
        let mut manifest = self.manifest();
        manifest.said = true;
        manifest.needs = needs;
    }

    /// What it asks for, if it says so.
    pub(crate) fn needs(&self) -> Option<Needs> {
        self.manifest().needs.clone()
    }
}

/// That a script may not do this, for a place that can only answer with a failure.
pub(super) fn failure(why: impl Into<String>) -> Failure {
    Failure::new(MISSING, why)
}

/// Raises what is the script's own mistake: what it did not ask for.
pub(super) fn raised<T>(result: Result<T, Failure>) -> LuaResult<Result<T, Failure>> {
    match result {
        Err(failure) if failure.kind == MISSING => Err(misuse(failure.message)),
        other => Ok(other),
    }
}
