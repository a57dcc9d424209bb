//! One integration binary; a module per area of behaviour.

mod browser;
mod page;
mod screenshots;
mod watch;
mod wire;
