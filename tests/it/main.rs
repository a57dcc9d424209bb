//! One integration binary; a module per area of behaviour.

mod browser;
mod page;
mod watch;
mod wire;
