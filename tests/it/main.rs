//! One integration binary; a module per area of behaviour.

mod architecture;
mod browser;
mod cli;
mod config;
mod page;
mod reload;
mod shell;
mod stream;
mod sim;
mod watch;
mod wire;
