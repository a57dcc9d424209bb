//! What became of a save, for the terminal and the owner.

use std::fmt;

use chrono::{DateTime, Local};

use super::diagnostic::{LoadError, LoadErrorKind};

/// One outcome of a load. `Display` is what the terminal shows.
#[derive(Clone, Debug)]
pub struct Report {
    /// The script, as its path below the scripts folder; the folder itself when it is about all of it.
    pub script: String,
    pub at: DateTime<Local>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
pub enum Outcome {
    /// Serves now.
    Loaded { number: u64, handlers: usize },
    /// Its file went, and its handlers with it.
    Removed,
    /// Not loaded. `serving` is when the version was loaded that answers on, if one does.
    Failed {
        error: LoadError,
        serving: Option<DateTime<Local>>,
        /// Whether the save before had the very same mistake: worth a line in the terminal, not another message.
        repeated: bool,
    },
    /// The folder cannot be read or watched: changes are not seen until that is mended.
    Folder { problem: String, hint: &'static str },
    /// Works, but hardly as meant.
    Warning { message: String },
}

impl Report {
    pub(super) fn new(script: impl Into<String>, outcome: Outcome) -> Self {
        Self { script: script.into(), at: Local::now(), outcome }
    }

    /// Whether something is wrong.
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. } | Outcome::Folder { .. })
    }

    /// Whether it is a finding, which stops nothing.
    pub fn is_warning(&self) -> bool {
        matches!(self.outcome, Outcome::Warning { .. })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Loaded { number, handlers } => {
                let plural = if *handlers == 1 { "" } else { "s" };
                write!(f, "{}: version {number} serves, {handlers} handler{plural}", self.script)
            }
            Outcome::Removed => write!(f, "{}: is gone; its handlers no longer serve", self.script),
            Outcome::Failed { error, serving, .. } => {
                if error.path != self.script {
                    write!(f, "{}: not loaded because of ", self.script)?;
                }
                writeln!(f, "{error}")?;
                match serving {
                    None if error.kind == LoadErrorKind::Ungranted => {
                        f.write_str("until then its handlers do not serve")
                    }
                    Some(at) => write!(f, "still running the version of {}", at.format("%H:%M")),
                    None => f.write_str("its handlers do not serve until this is mended"),
                }
            }
            Outcome::Folder { problem, hint } => write!(f, "{problem}\nhint: {hint}"),
            // A finding says itself how bad it is, after its place.
            Outcome::Warning { message }
                if message.starts_with(&self.script) && !self.script.is_empty() =>
            {
                f.write_str(message)
            }
            Outcome::Warning { message } => write!(f, "warning: {message}"),
        }
    }
}
