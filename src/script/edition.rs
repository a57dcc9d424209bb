//! One version of one script as it is served: its number, its VM, and its handlers as routes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Local};
use tokio_util::sync::CancellationToken;

use crate::router::Command;
use crate::router::Handler;
use crate::router::Help;
use crate::router::Kind;
use crate::router::Pattern;
use crate::router::Place;

use super::diagnostic::{LoadError, LoadErrorKind};
use super::registration::{Declared, HandlerKey, Registration};
use super::vm::Vm;

/// How a route leads to a function: the edition and the handler in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// [`Edition::id`].
    pub edition: u64,
    pub handler: HandlerKey,
}

/// A loaded version of a script. Whoever runs one of its handlers holds it; the VM goes with the last holder.
pub struct Edition {
    id: u64,
    script: Arc<str>,
    number: u64,
    loaded_at: DateTime<Local>,
    vm: Vm,
    pub(super) handlers: Vec<Arc<Handler<Target>>>,
    retired: CancellationToken,
    _counted: Counted,
}

impl Edition {
    /// Turns what `vm` declared into routes.
    ///
    /// # Errors
    /// The first declaration or pattern that makes no sense, at its line; `text` finds the source of a file.
    pub(super) fn new(
        id: u64,
        number: u64,
        vm: Vm,
        live: &Arc<AtomicUsize>,
        text: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, LoadError> {
        let mut handlers = Vec::new();
        for registration in vm.registrations() {
            routes_of(id, registration, &mut handlers).map_err(|message| {
                let error = LoadError::new(LoadErrorKind::Declaration, registration.path.clone(), message);
                error.at(registration.line, text(&registration.path).as_deref())
            })?;
        }
        let script = Arc::clone(vm.path());
        let retired = CancellationToken::new();
        Ok(Self { id, script, number, loaded_at: Local::now(), vm, handlers, retired, _counted: Counted::new(live) })
    }

    /// Unlike any other edition of this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Path below the scripts folder.
    pub fn script(&self) -> &Arc<str> {
        &self.script
    }

    /// Counts the versions of this script that have served, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn loaded_at(&self) -> DateTime<Local> {
        self.loaded_at
    }

    pub fn vm(&self) -> &Vm {
        &self.vm
    }

    /// Cancelled when a newer version serves, or none: its timers end, runs that began go on.
    pub fn retired(&self) -> &CancellationToken {
        &self.retired
    }

    pub fn registration(&self, handler: HandlerKey) -> Option<&Registration> {
        self.vm.registrations().iter().find(|registration| registration.handler == handler)
    }

    pub(super) fn hooks(&self, wanted: &Declared) -> Vec<HandlerKey> {
        let all = self.vm.registrations().iter();
        all.filter(|one| one.declared == *wanted).map(|one| one.handler).collect()
    }

    pub(super) fn timers(&self) -> Vec<(Duration, HandlerKey)> {
        let all = self.vm.registrations().iter();
        all.filter_map(|one| match one.declared {
            Declared::Every { interval } => Some((interval, one.handler)),
            _ => None,
        })
        .collect()
    }
}

impl fmt::Debug for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edition").field("script", &self.script).field("number", &self.number).finish_non_exhaustive()
    }
}

fn routes_of(edition: u64, registration: &Registration, handlers: &mut Vec<Arc<Handler<Target>>>) -> Result<(), String> {
    let kinds = match &registration.declared {
        Declared::Command { declaration } => {
            let command = Command::parse(declaration);
            vec![Kind::Command(command.map_err(|error| format!("the command is declared wrongly: {error}\n{}", error.caret()))?)]
        }
        Declared::Match { patterns } => {
            let patterns = patterns.iter().map(|pattern| Pattern::new(pattern).map(Kind::Match));
            patterns.collect::<Result<_, _>>().map_err(|error| error.to_string())?
        }
        Declared::Fallback => vec![Kind::Fallback],
        Declared::Start | Declared::Stop | Declared::Every { .. } => Vec::new(),
    };
    let place = Place {
        script: registration.path.clone(),
        line: u32::try_from(registration.line).unwrap_or(u32::MAX),
    };
    let help = |language: &str| registration.help().get(language).cloned();
    for kind in kinds {
        handlers.push(Arc::new(Handler {
            id: Target { edition, handler: registration.handler },
            kind,
            priority: registration.options.priority,
            place: place.clone(),
            role: registration.options.role.clone(),
            // A plain string serves whoever reads it.
            help: Help { zh: help("zh").or_else(|| help("")), en: help("en").or_else(|| help("")) },
            aliases: Vec::new(),
            example: None,
        }));
    }
    Ok(())
}

/// Counts the editions that are alive, so that a leak shows.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(live))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
