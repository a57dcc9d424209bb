//! Who gets a message, and with which arguments: a pure function of the text and the routes.
//!
//! Scripts declare handlers ([`Handler`]): commands with typed arguments ([`Command`]), patterns, fallbacks. They are
//! compiled together into [`Routes`], which choose in this order: control words (`stop`, `取消`, `help`…), commands
//! (longest name first), matches (priority, then file, then line), fallbacks, and then nobody ([`Choice`]).
//! What a person typed wrong comes back as a [`Problem`] that can be said in their language; it never reaches a handler.
//!
//! Knows no clock, no I/O and no Lua: today's date and the people mentioned come in with the [`Asked`].

mod arguments;
mod control;
mod declaration;
mod help;
mod index;

mod problem;
mod reach;
mod routes;
mod value;
mod words;

#[cfg(test)]
mod tests;

pub use arguments::Args;
pub use control::{Control, Parked, Speak, is_control};
pub use declaration::{Command, DeclarationError, Opt, Parameter};
pub use help::Help;

pub use problem::Problem;
pub use reach::Warning;
pub use routes::{
    After, Asked, Captures, Choice, Fault, Handler, Kind, Pattern, PatternError, Place, Routes,
};
pub use value::{Type, Value};
pub use words::{caret, quote};
