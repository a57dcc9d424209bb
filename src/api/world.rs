//! The one seam behind the host functions: what stands in for programs, other computers and uploads in a rehearsal.
//!
//! A host without a [`World`] has the real one. A world says of each thing whether it plays it ([`Some`]) or lets it
//! happen ([`None`]). Time is apart: it is the host's [`Clock`](crate::clock::Clock).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mlua::Result as LuaResult;

use super::Call;
use super::shell::command::{Command, SpawnError};

/// Stands in for the world.
pub trait World: fmt::Debug + Send + Sync {
    /// Plays a program.
    ///
    /// # Errors
    ///
    /// Raises when it neither plays it nor lets it run.
    fn program(&self, call: &Call, command: &Command) -> LuaResult<Option<Program>>;

    /// Plays the answer to an HTTP call.
    ///
    /// # Errors
    ///
    /// As [`World::program`].
    fn answer(&self, call: &Call, asked: &Asked<'_>) -> LuaResult<Option<Answer>>;

    /// Takes a file or picture for DingTalk, and names it.
    fn upload(&self, call: &Call, name: &str, content: &[u8]) -> Option<String>;

    /// What is in a file that somebody sent; `None`: it is fetched.
    fn download(&self, code: &str) -> Option<Vec<u8>>;

    /// Takes note of a reaction; `false`: it is sent.
    fn react(&self, call: &Call, text: &str, remove: bool) -> bool;

    /// Something that no message started failed: a hook or a timer of `script`.
    fn failed(&self, script: &str, line: usize, what: &str, why: &str);
}

/// What a program that is not run does.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub code: i32,
    /// It ends by this signal instead of with a code.
    pub signal: Option<i32>,
    /// From its start to its end; what it says it says at once.
    pub takes: Duration,
    /// It cannot even be started: there is no such program.
    pub missing: bool,
}

impl Program {
    /// Why it does not start.
    pub(super) fn refusal(&self, command: &Command) -> Option<SpawnError> {
        let program = command.argv.first().map(|name| String::from_utf8_lossy(name).into_owned());
        self.missing.then(|| SpawnError::NotFound { program: program.unwrap_or_default() })
    }
}

/// An HTTP call about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(String, String)],
    pub body: Option<&'a [u8]>,
}

/// The answer to a call that is not made.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The body, in the pieces in which it arrives.
    pub chunks: Vec<Vec<u8>>,
    /// Until the answer begins.
    pub takes: Duration,
    /// No answer comes: "timeout" or "network".
    pub error: Option<&'static str>,
}

/// Counts what a host waits for in the real world, so that a rehearsal knows when nothing more will come by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(Arc<AtomicUsize>);

/// One such wait, until it is dropped.
#[derive(Debug)]
pub(crate) struct Wait(Arc<AtomicUsize>);

impl Waits {
    pub(crate) fn begin(&self) -> Wait {
        self.0.fetch_add(1, Ordering::SeqCst);
        Wait(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
