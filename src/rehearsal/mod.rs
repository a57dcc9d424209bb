//! Scripts on a stage: messages go the whole way from inbox to outbox, and what is behind the scripts is played.
//!
//! [`suite`] finds tests (`NAME.test.luau` beside `NAME.luau`) and runs each on a [`stage`] of its own, [`replay`] puts
//! recorded messages on one. A stage is the real thing: inbox, dispatcher, scripts and the journal of replies, in a
//! folder that goes with it. Only three things are played: the clock stands until it is moved, programs and HTTP calls
//! are answered by the test.
//!
//! A stage lives in a runtime with one thread, so "nothing more happens by itself" is a fact and not a guess: the thread
//! parks, and neither the store nor the real world owes an answer ([`idle`]).
//!
//! Knows nothing of DingTalk's wire; prints nothing.

mod expect;
mod fakes;
mod idle;
mod object;
pub mod report;
mod stage;
pub mod suite;
mod transcript;
