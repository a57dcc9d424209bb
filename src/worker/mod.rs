//! The Lua runtime, and the runs on it: claims rows of the inbox, takes each through access and routing, drives its
//! handler as a coroutine, and commits what became of it.
//!
//! Workers pull: nothing is pushed into a queue per conversation, so a slow lane holds up no other. A handler's last
//! replies and the completion of its row commit in one transaction.

pub mod decision;
mod dispatch;
mod held;
mod late;
mod moments;
mod notices;
mod parked;
mod phrases;
mod running;
mod runtime;
mod schedules;
mod turns;
mod usage;

pub use dispatch::{Dispatch, Places};
pub use late::Late;
pub use notices::{tell_owner, tell_owner_of_runs};
pub use phrases::interrupted;
pub use running::{Entry, Running, Totals};
pub use runtime::LuaRuntime;
pub use turns::Turns;
pub use usage::tell_owner_of_budgets;
