//! `shell`: programs on this computer. See `shell.d.luau`.

pub mod command;
pub mod output;
pub mod process;
