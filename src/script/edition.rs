//! One version of one script as it is served: its number, its VM, and its handlers as routes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Local};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::access::{Confirm, Needs, Reach, ReachCell};
use crate::router::Command;
use crate::router::Handler;
use crate::router::Help;
use crate::router::Kind;
use crate::router::Opt;
use crate::router::Parameter;
use crate::router::Pattern;
use crate::router::Place;

use super::diagnostic::{LoadError, LoadErrorKind};
use super::generation::{Engine, Generation};
use super::registration::{Declared, HandlerKey, Registration};
use super::vm::Vm;

/// How a route leads to a function: the edition and the handler in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// [`Edition::id`].
    pub edition: u64,
    pub handler: HandlerKey,
}

/// A loaded version of a script. Whoever runs one of its handlers holds it, or its [`Generation`].
pub struct Edition {
    id: u64,
    number: u64,
    loaded_at: DateTime<Local>,
    generation: Arc<Generation>,
    handlers: Vec<Arc<Handler<Target>>>,
    needs: Needs,
    reach: ReachCell,
    /// Whether another one, or none, serves in its place.
    replaced: AtomicBool,
    /// Cancelled when nobody holds it any more.
    left: CancellationToken,
    _held: DropGuard,
}

/// A loaded script whose handlers may yet conflict with those of others. Dropping it leaves nothing behind.
pub(super) struct Candidate {
    id: u64,
    vm: Vm,
    handlers: Vec<Arc<Handler<Target>>>,
}

impl Candidate {
    /// Turns what `vm` declared into routes.
    ///
    /// # Errors
    /// The first declaration or pattern that makes no sense, at its line; `text` finds the source of a file.
    pub(super) fn new(
        id: u64,
        vm: Vm,
        text: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, LoadError> {
        let mut handlers = Vec::new();
        for registration in vm.registrations() {
            routes_of(id, registration, &mut handlers).map_err(|message| {
                let error =
                    LoadError::new(LoadErrorKind::Declaration, registration.path.clone(), message);
                error.at(registration.line, text(&registration.path).as_deref())
            })?;
        }
        Ok(Self { id, vm, handlers })
    }

    pub(super) fn script(&self) -> &Arc<str> {
        self.vm.path()
    }

    pub(super) fn handlers(&self) -> &[Arc<Handler<Target>>] {
        &self.handlers
    }

    /// Gives it a task of its own: from now on it can run.
    pub(super) fn serve(mut self, number: u64, engine: &Engine) -> Arc<Edition> {
        self.vm.number = number;
        let left = CancellationToken::new();
        Arc::new(Edition {
            id: self.id,
            number,
            loaded_at: Local::now(),
            needs: self.vm.needs(),
            reach: self.vm.reach().clone(),
            generation: Generation::spawn(self.vm, engine),
            handlers: self.handlers,
            replaced: AtomicBool::new(false),
            _held: left.clone().drop_guard(),
            left,
        })
    }
}

impl Edition {
    /// Unlike that of any other edition in this library.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Path below the scripts folder.
    pub fn script(&self) -> &Arc<str> {
        self.generation.path()
    }

    /// Counts the versions of this script that have served, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn loaded_at(&self) -> DateTime<Local> {
        self.loaded_at
    }

    /// What runs its handlers.
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    pub fn handlers(&self) -> &[Arc<Handler<Target>>] {
        &self.handlers
    }

    pub fn registration(&self, handler: HandlerKey) -> Option<&Registration> {
        self.generation.registrations().iter().find(|registration| registration.handler == handler)
    }

    /// What it asked for, and got.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Takes back what it may reach: runs under way can do nothing more but end.
    pub(super) fn disarm(&self) {
        self.reach.set(Reach::Nothing);
    }

    pub(super) fn replace(&self) {
        self.replaced.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::SeqCst)
    }

    /// Cancelled when everything that it was found for, and those who held it, have ended.
    pub(super) fn left(&self) -> CancellationToken {
        self.left.clone()
    }
}

impl fmt::Debug for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edition")
            .field("script", self.script())
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

fn routes_of(
    edition: u64,
    registration: &Registration,
    handlers: &mut Vec<Arc<Handler<Target>>>,
) -> Result<(), String> {
    let kinds = match &registration.declared {
        Declared::Command { declaration } => {
            let command = Command::parse(declaration);
            vec![Kind::Command(command.map_err(|error| {
                format!("the command is declared wrongly: {error}\n{}", error.caret())
            })?)]
        }
        Declared::Match { patterns } => {
            let patterns = patterns.iter().map(|pattern| Pattern::new(pattern).map(Kind::Match));
            patterns.collect::<Result<_, _>>().map_err(|error| error.to_string())?
        }
        Declared::Fallback => vec![Kind::Fallback],
        Declared::Start
        | Declared::Stop
        | Declared::Event { .. }
        | Declared::Card
        | Declared::Watch { .. }
        | Declared::Save
        | Declared::Restore
        | Declared::Every { .. }
        | Declared::Cron { .. } => Vec::new(),
    };
    let place = Place {
        script: registration.path.clone(),
        line: u32::try_from(registration.line).unwrap_or(u32::MAX),
    };
    let help = |language: &str| registration.help().get(language).cloned();
    if let Some(confirm) = &registration.options.terms.confirm {
        for kind in &kinds {
            check_confirm(confirm, kind)?;
        }
    }
    for kind in kinds {
        handlers.push(Arc::new(Handler {
            id: Target { edition, handler: registration.handler },
            kind,
            priority: registration.options.priority,
            place: place.clone(),
            terms: registration.options.terms.clone(),
            // A plain string serves whoever reads it.
            help: Help { zh: help("zh").or_else(|| help("")), en: help("en").or_else(|| help("")) },
            aliases: Vec::new(),
            example: registration.options.example.clone(),
        }));
    }
    Ok(())
}

/// Names in the question are arguments of the handler.
fn check_confirm(confirm: &Confirm, kind: &Kind) -> Result<(), String> {
    let mut names: Vec<String> = match kind {
        Kind::Command(command) => {
            let parameters = command.parameters.iter().map(Parameter::key);
            parameters.chain(command.options.iter().map(Opt::key)).collect()
        }
        Kind::Match(pattern) => pattern.groups(),
        Kind::Fallback => Vec::new(),
    };
    names.dedup();
    let known = |name: &str| names.iter().any(|known| known == name).then(String::new);
    confirm.fill(known).map(drop).map_err(|why| {
        let there = if names.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has `{}`", names.join("`, `"))
        };
        format!("the question of `confirm`: {why}; {there}")
    })
}
