//! One integration binary; a module per area of behaviour.

mod architecture;
mod browser;
mod cli;
mod config;
mod engine;
mod host;
mod page;
mod reload;
mod rest;
mod runaways;
mod screenshots;
mod sdk;
mod shell;
mod sim;
mod starters;
mod stream;
mod watch;
mod wire;
