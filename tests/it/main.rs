//! One integration binary; a module per area of behaviour.

#![allow(clippy::unwrap_used, reason = "helpers outside of `#[test]` functions are tests too")]
#![allow(
    clippy::unnecessary_debug_formatting,
    reason = "a path in quotes is what Lua and TOML want"
)]
#![allow(clippy::unused_self, reason = "a guard that is consumed reads as a sentence")]
#![allow(clippy::type_complexity, reason = "a table of cases says its type once")]
#![allow(clippy::format_collect, reason = "what a test puts together is short")]

mod answers;
mod api_cron;
mod api_fs;
mod api_http;
mod api_media;
mod api_misuse;
mod api_re;
mod api_secret;
mod api_text;
mod api_watch;
mod architecture;
mod browser;
mod check;
mod cli;
mod config;
mod corpus;
mod docs;
mod engine;
mod home;
mod host;
mod manifest;
mod newcomer;
mod page;
mod reliability;
mod reload;
mod replay;
mod rest;
mod runaways;
mod screenshots;
mod sdk;
// Its terminal is made with setsid(1), its service is systemd's.
#[cfg(target_os = "linux")]
mod setup;
mod shell;
mod sim;
mod starters;
mod stream;
mod trials;
mod watch;
mod wire;
