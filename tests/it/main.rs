//! One integration binary; a module per area of behaviour.

mod shell;
mod engine;
mod runaways;
mod watch;
