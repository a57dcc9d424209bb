//! The whole host on real sockets, files and processes: what it promises to people, whatever happens around it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

mod access;
mod around;
#[path = "../attacks/mod.rs"]
mod attacks;
mod budgets;
mod cards;
mod console;
mod control;
mod crash;
mod delivery;
mod dialogs;
mod disk;
mod doctor;
mod examples;
mod explain;
mod files;
mod flood;
mod handover;
mod kills;
mod language;
mod letters;
mod moments;
mod network;
mod offline;
mod order;
mod outbox;
mod process;
mod protocol;
mod proxy;
mod queues;
mod reach;
mod reload;
mod rights;
mod runs;
mod secrets;
mod settings;
mod stage;
mod start;
mod stopping;
mod timers;
mod transcript;
mod tunnel;
mod upgrade;
mod watching;
mod ways;
mod webhook;
mod wire;
