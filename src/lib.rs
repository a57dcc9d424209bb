//! moonbell: Lua that answers DingTalk.
//!
//! The life of one message, module by module:
//!
//! ```text
//! DingTalk ──frame──▶ transport ──commit──▶ inbox ──claim──▶ worker ──call──▶ script ──▶ api
//!                         └──ack──▶ DingTalk   access allows, router picks the handler    │
//! DingTalk ◀──REST── dingtalk ◀──drain── outbox ◀──── replies, in one transaction ────────┘
//! ```
//!
//! [`transport`] reads a frame and hands a [`message::Message`] to the [`inbox`]; once that row is committed the frame
//! is acknowledged. [`worker`] claims rows, asks [`access`] whether this person may, lets [`router`] pick the handler,
//! and drives it as a coroutine in the Luau VM of its [`script`]. What the handler calls lives in [`api`]; what it says
//! goes through the [`outbox`] and [`dingtalk`] back to the chat. [`store`] is the SQLite journal under inbox and
//! outbox, [`asks`] holds the questions that wait for people, [`console`] is the local door for monitors and commands,
//! [`sim`] is a DingTalk of our own on loopback.

pub mod access;
pub mod api;
pub mod app;
pub mod asks;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod dingtalk;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
pub mod inbox;
pub mod language;
pub mod message;
pub mod outage;
pub mod outbox;
pub mod rehearsal;
pub mod router;
pub mod script;
pub mod sim;
pub mod sink;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod watch;
pub mod words;
pub mod worker;
