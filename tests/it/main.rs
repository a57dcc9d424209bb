//! One integration binary; a module per area of behaviour.

mod architecture;
mod browser;
mod cli;
mod config;
mod page;
mod rest;
mod screenshots;
mod shell;
mod stream;
mod sdk;
mod sim;
mod shell;
mod stream;
mod sim;
mod screenshots;
mod shell;
mod sim;
mod stream;
mod watch;
mod wire;
