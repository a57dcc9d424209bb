//! The limits of a run, which one it hit, and how that is said.

use std::fmt;
use std::time::Duration;

use crate::config;
use crate::words::Lang;
use crate::words::cards;

/// How far a run may go. They come from outside the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall clock from start to end.
    pub wall: Duration,
    /// Time spent executing Lua.
    pub cpu: Duration,
    /// Bytes that the script may keep in `kv`.
    pub kv_bytes: u64,
    /// Bytes of output of all processes of the run.
    pub output_bytes: u64,
    /// Processes open at the same time.
    pub processes: usize,
    /// Replies of one run: a loop that answers for ever stops here.
    pub replies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        config::Limits::default().into()
    }
}

impl From<config::Limits> for Limits {
    fn from(limits: config::Limits) -> Self {
        let config::Limits {
            run_time, run_cpu, kv_bytes, output_bytes, processes, replies, ..
        } = limits;
        Self { wall: run_time, cpu: run_cpu, kv_bytes, output_bytes, processes, replies }
    }
}

/// Why a run may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Wall(Duration),
    Cpu(Duration),
    Memory(usize),
    Output(u64),
    Replies(usize),
    /// Of its handler or its conversation.
    Outgoing(usize),
    /// A host function panicked: a mistake of ours, and the end of this run alone.
    Panic,
}

impl Limit {
    /// Which one it is, said to a person.
    pub fn text(self, lang: Lang) -> String {
        match self {
            Self::Wall(most) => cards::wall(&format!("{most:?}"), lang),
            Self::Cpu(most) => cards::cpu(&format!("{most:?}"), lang),
            Self::Memory(most) => cards::memory(most >> 20, lang),
            Self::Output(most) => cards::output(most >> 10, lang),
            Self::Replies(most) => cards::replies(most, lang),
            Self::Outgoing(most) => cards::outgoing(most, lang),
            Self::Panic => cards::panicked(lang).to_owned(),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}
