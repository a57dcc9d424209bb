//! One integration binary; a module per area of behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod architecture;
mod browser;
mod cli;
mod config;
mod page;
mod rest;
mod screenshots;
mod shell;
mod starters;
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
mod engine;
mod runaways;
mod watch;
mod wire;
