//! One integration binary; a module per area of behaviour.

// `allow-unwrap-in-tests` covers test functions; the helpers they share are tests too.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod architecture;
mod browser;
mod check;
mod cli;
mod config;
mod engine;
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
