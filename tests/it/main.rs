//! One integration binary; a module per area of behaviour.

mod browser;
mod page;
mod sdk;
mod sim;
mod watch;
mod wire;
