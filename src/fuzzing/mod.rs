//! What hostile bytes are thrown at: the ways to functions that read what others wrote, each with what must hold whatever
//! comes. For `fuzz/` and for the test that replays its corpus; nothing else calls this.

mod commands;
mod paths;
mod requests;
mod secrets;
mod texts;
mod wire;

pub use self::commands::commands;
pub use self::paths::paths;
pub use self::requests::requests;
pub use self::secrets::secrets;
pub use self::texts::{cards, texts};
pub use self::wire::{callbacks, events, frames, messages};

/// A target: its name, as in `fuzz/corpus/NAME`, and what is behind it.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("frames", frames),
    ("messages", messages),
    ("callbacks", callbacks),
    ("requests", requests),
    ("events", events),
    ("commands", commands),
    ("texts", texts),
    ("cards", cards),
    ("paths", paths),
    ("secrets", secrets),
];
