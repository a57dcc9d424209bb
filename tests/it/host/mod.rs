//! The whole host on real sockets, files and processes: what it promises to people, whatever happens around it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

mod access;
mod around;
mod cards;
mod console;
mod control;
mod crash;
mod delivery;
mod dialogs;
mod disk;
mod examples;
mod explain;
mod files;
mod handover;
mod moments;
mod order;
mod process;
mod queues;
mod reach;
mod reload;
mod secrets;
mod stage;
mod start;
mod stopping;
mod transcript;
mod wire;
