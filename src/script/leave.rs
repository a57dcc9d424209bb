//! Leave to run for what nobody asked for: timers, watched files, hooks. While the host is locked there is none.

use crate::access::{Door, Permit};
use crate::api::run::Run;
use crate::script::drive::Ended;
use crate::script::registration::Declared;
use crate::script::vm::Vm;

/// Leave for a run that nobody asked for; `None`: it may not run, which is said in the log.
pub(super) fn leave(vm: &Vm, index: usize, run: &Run) -> Option<Leave> {
    let registration = &vm.registrations()[index];
    let door = match registration.declared {
        Declared::Every { .. } | Declared::Cron { .. } => Door::Schedule,
        Declared::Watch { .. } => Door::File,
        Declared::Event { .. } => Door::Event,
        Declared::Card => Door::Card,
        _ => Door::Hook,
    };
    let name = format!("{} {}", vm.path(), registration.title());
    match vm.scope.host().begin(door, &name, run) {
        Ok(permit) => Some(Leave(permit)),
        Err(why) => {
            tracing::debug!(script = %vm.path(), run.id = run.id(), "`bot.{}` did not run: {why}", registration.title());
            None
        }
    }
}

/// See [`leave`].
#[derive(Debug)]
pub(super) struct Leave(Option<Permit>);

impl Leave {
    pub(super) fn ended(self, ended: &Ended) {
        let how = match ended {
            Ended::Done | Ended::Passed => "done",
            Ended::Failed(_) => "failed",
            Ended::Cancelled | Ended::NotApproved(_) => "cancelled",
        };
        if let Some(permit) = self.0 {
            permit.ended(how);
        }
    }
}
