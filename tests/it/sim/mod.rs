//! The simulator, rule by rule, seen by a client of bare calls and frames.

mod bot;
mod calls;
mod cards;
mod doors;
mod robot;
mod stream;
