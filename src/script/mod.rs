//! Scripts: one VM per file, loaded, checked, served as a generation, and swapped on change.
//!
//! [`Vm::load`] turns a file into a VM and its declarations, or into a [`LoadError`] that shows the line. A
//! [`Generation`] owns a loaded VM in one task on the Lua runtime and drives every run of it as a coroutine.

mod asked;
mod background;
pub mod check;
mod diagnostic;
mod drive;
mod edition;
mod eyes;
mod generation;
mod handover;
mod leave;
mod library;
mod loader;
mod preempt;
mod registration;
mod report;
mod require;
mod review;
mod scan;
mod timetable;
mod vm;

pub use asked::{Asked, asked};
pub use background::{Background, Finish, Live, UnderWay};
pub use diagnostic::{LoadError, LoadErrorKind, Raised};
pub use drive::{Ended, Failed};
pub use edition::{Edition, Target};
pub use generation::{Beat, Engine, Generation};
pub use library::{Keeper, Library, Serving, Snapshot, Status};
pub use preempt::bump;
pub use registration::{Declared, HandlerKey, HandlerOptions, OnCrash, Queue, Registration};
pub use report::{Outcome, Report};
pub use require::{Folder, Resolver};
pub use scan::FolderError;
pub use vm::{Build, MAX_BYTES, Source, Vm};

pub use crate::api::Host;
pub use crate::api::limit::Limit;
pub use crate::api::run::{Limits, Run};
