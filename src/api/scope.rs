//! What host functions of one VM share, and one call of them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mlua::{Lua, Result as LuaResult};

use super::fs::roots::Roots;
use super::manifest::Manifest;
use super::{Host, Run, misuse};
use crate::access::{Need, Reach, ReachCell};

/// What host functions of one VM share: the host, the script, and the run whose turn it is.
#[derive(Clone)]
pub struct Scope(Arc<ScopeInner>);

struct ScopeInner {
    host: Host,
    script: Arc<str>,
    current: Mutex<Option<Arc<Run>>>,
    reach: ReachCell,
    manifest: Mutex<Manifest>,
}

impl Scope {
    pub(crate) fn new(host: Host, script: impl Into<Arc<str>>) -> Self {
        let script = script.into();
        let reach = ReachCell::default();
        if host.asked_folder(&script).is_some() {
            reach.set(Reach::Only(Arc::default()));
        }
        let (current, manifest) = (Mutex::new(None), Mutex::default());
        Self(Arc::new(ScopeInner { host, script, current, reach, manifest }))
    }

    /// The scope of the VM that calls.
    pub fn of(lua: &Lua) -> LuaResult<Self> {
        lua.app_data_ref::<Self>()
            .map(|scope| scope.clone())
            .ok_or_else(|| misuse("this VM has no scope"))
    }

    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// The script's path below the scripts folder, with `/`.
    pub fn script(&self) -> &Arc<str> {
        &self.0.script
    }

    /// What this version of the script may reach.
    pub(crate) fn reach_cell(&self) -> &ReachCell {
        &self.0.reach
    }

    pub(super) fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.0.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run whose turn it is; none while the script is loaded.
    pub fn run(&self) -> Option<Arc<Run>> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says whose turn it is: the driver does, around each poll.
    pub(crate) fn enter(&self, run: Option<Arc<Run>>) -> Option<Arc<Run>> {
        std::mem::replace(&mut *self.0.current.lock().unwrap_or_else(PoisonError::into_inner), run)
    }

    /// The call of the current run.
    ///
    /// # Errors
    ///
    /// At the top level, saying where to put the call; in a run that was stopped, naming why.
    pub(crate) fn call(&self, lua: &Lua) -> LuaResult<Call> {
        let run = self.run().ok_or_else(|| misuse(TOP_LEVEL))?;
        run.check()?;
        Ok(Call {
            lua: lua.clone(),
            host: self.0.host.clone(),
            script: Arc::clone(&self.0.script),
            scope: self.clone(),
            run,
        })
    }
}

/// Ends the message of every call that is refused at the top level; a load failure of this kind is recognised by it.
pub(crate) const TOP_LEVEL: &str = "cannot be called while the script loads: put it into a handler, or into `bot.on(\"start\", function() … end)`";

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("script", &self.0.script).finish_non_exhaustive()
    }
}

/// One call of a host function: who calls, from where.
#[derive(Clone, Debug)]
pub struct Call {
    pub lua: Lua,
    pub host: Host,
    /// The script's path below the scripts folder.
    pub script: Arc<str>,
    /// What the script may reach.
    pub(crate) scope: Scope,
    pub run: Arc<Run>,
}

impl Call {
    /// Asks whether the script may do this.
    ///
    /// # Errors
    /// With the line to add to the script.
    pub(crate) fn need(&self, need: &Need) -> LuaResult<()> {
        self.scope.need(need)
    }

    /// The folders that this script may use.
    pub(crate) fn roots(&self) -> Roots {
        self.host.roots().within(self.scope.reach())
    }
}
