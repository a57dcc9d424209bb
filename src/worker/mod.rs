//! The Lua runtime, and the runs on it: claims rows of the inbox, takes each through access and routing, drives its
//! handler as a coroutine, and commits what became of it.
//!
//! Workers pull: nothing is pushed into a queue per conversation, so a slow lane holds up no other. A handler's last
//! replies and the completion of its row commit in one transaction.

pub mod account;
mod alarms;
mod answers;
mod approvals;
mod clicks;
mod control;
pub mod decision;
mod dispatch;
mod echoes;
mod gate;
mod held;
mod late;
mod moments;
mod notices;
mod outcome;
mod own;
mod parked;
mod phrases;
mod places;
mod progress;
mod recover;
mod rights;
mod running;
mod runtime;
mod schedules;
mod served;
mod tongue;
mod turns;
mod usage;
mod verdicts;

pub use alarms::Alarms;
pub use control::Unfit;
pub use dispatch::Dispatch;
pub use echoes::Echoes;
pub use late::Late;
pub use notices::{tell_owner, tell_owner_of_runs};
pub use own::keep_own_runs;
pub use places::Places;
pub use running::{Entry, Running, Totals};
pub use runtime::LuaRuntime;
pub use turns::Turns;
pub use usage::tell_owner_of_budgets;
