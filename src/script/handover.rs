//! What one version of a script leaves to the next: `bot.save` and `bot.restore`.
//!
//! Only plain values cross, copied through JSON: nothing of the old VM lives on in the new one. In memory only; what has
//! to survive the process belongs into `kv`. A hook that fails is told of like any run that nobody's message started, and
//! the new version serves without what it would have got.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mlua::chunk::ChunkMode;
use mlua::{Function, Result as LuaResult, Value};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::api::json;
use crate::api::run::{Limits, Run};
use crate::script::background::Ends;
use crate::script::drive::{Ended, Failed, drive, drive_function};
use crate::script::generation::tell;
use crate::script::leave::leave;
use crate::script::registration::Declared;
use crate::script::vm::Vm;

/// What either hook may take: messages wait for it.
const PATIENCE: Duration = Duration::from_secs(2);

fn hook(vm: &Vm, wanted: &Declared) -> Option<usize> {
    let mut all = vm.registrations().iter();
    all.find(|one| one.declared == *wanted).map(|one| one.handler.0)
}

/// Whether the script wants what the version before it saved.
pub(super) fn wants(vm: &Vm) -> bool {
    hook(vm, &Declared::Restore).is_some()
}

fn run_of(vm: &Vm, what: &str) -> Arc<Run> {
    let limits = vm.scope.host().limits();
    let limits = Limits { wall: PATIENCE.min(limits.wall), ..limits };
    let id = vm.scope.host().names().name(what);
    Run::new(id, None, None, limits, CancellationToken::new())
}

/// Calls `bot.save`; `None`: there is none, it returned nothing, or it failed.
pub(super) async fn save(vm: &Vm, ends: &Ends) -> Option<Json> {
    let index = hook(vm, &Declared::Save)?;
    let kept: Arc<Mutex<Option<Result<Json, String>>>> = Arc::default();
    let run = run_of(vm, "save");
    let leave = leave(vm, index, &run)?;
    let mut ended = match keeping(vm, index, &kept) {
        Ok(function) => drive_function(vm, &run, &function, &Declared::Save, &Json::Null).await,
        Err(error) => Ended::Failed(Failed::new(error.to_string())),
    };
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    let state = match kept {
        Some(Ok(state)) if ended == Ended::Done => Some(state),
        Some(Err(why)) if ended == Ended::Done => {
            let place = &vm.registrations()[index];
            let why = format!("{}:{}: what `bot.save` returned: {why}", place.path, place.line);
            ended = Ended::Failed(Failed::new(why));
            None
        }
        _ => None,
    };
    leave.ended(&ended);
    tell(vm, index, &run, &ended, ends);
    state.filter(|state| !state.is_null())
}

/// The script's function, whose result is kept as JSON.
fn keeping(
    vm: &Vm,
    index: usize,
    kept: &Arc<Mutex<Option<Result<Json, String>>>>,
) -> LuaResult<Function> {
    let kept = Arc::clone(kept);
    let keep = vm.lua.create_function(move |lua, value: Value| {
        let state = json::from_lua(lua, &value).map_err(|error| match error {
            mlua::Error::RuntimeError(why) => why,
            other => other.to_string(),
        });
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        Ok(())
    })?;
    vm.lua
        .load("local save, keep = ... return function() keep((save())) end")
        .set_name(crate::api::module::GLUE)
        .set_mode(ChunkMode::Text)
        .call((vm.functions[index].clone(), keep))
}

/// Calls `bot.restore` with what was saved, if it was.
pub(super) async fn restore(vm: &Vm, state: Option<Json>, ends: &Ends) {
    let (Some(index), Some(state)) = (hook(vm, &Declared::Restore), state) else { return };
    let run = run_of(vm, "restore");
    let Some(leave) = leave(vm, index, &run) else { return };
    let ended = drive(vm, &run, index, &state).await;
    leave.ended(&ended);
    tell(vm, index, &run, &ended, ends);
}
