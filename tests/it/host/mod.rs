//! The whole host on real sockets, files and processes: what it promises to people, whatever happens around it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

mod access;
mod control;
mod crash;
mod delivery;
mod dialogs;
mod disk;
mod examples;
mod explain;
mod moments;
mod order;
mod process;
mod reach;
mod queues;
mod reload;
mod stage;
mod start;
mod stopping;
mod wire;
