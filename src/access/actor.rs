//! Who asks, and through which door.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use super::GROUP;
use super::OWNER;
use crate::message::Person;
use crate::message::StaffId;

/// The way by which something comes in. Rights are the same behind each; the audit names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    Message,
    /// An answer to a question of a script.
    Answer,
    /// A click on a card.
    Card,
    /// A timer: `bot.every`, `bot.cron`, `trigger`.
    Schedule,
    /// Files that changed: `bot.watch`.
    File,
    /// Something happened in the organisation.
    Event,
    /// A script begins or ends: `bot.on("start")` and its like.
    Hook,
    Console,
    Cli,
}

impl Door {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Answer => "answer",
            Self::Card => "card",
            Self::Schedule => "schedule",
            Self::File => "file",
            Self::Event => "event",
            Self::Hook => "hook",
            Self::Console => "console",
            Self::Cli => "cli",
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody, or something, that wants to do something here: who it is, what roles it has where it asks, by which door.
///
/// Being an actor says nothing of what one may do: that is asked of [`super::Access::authorize`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub(super) who: Who,
    pub(super) roles: BTreeSet<String>,
    pub(super) door: Door,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Person(StaffId),
    /// DingTalk says too little to know who it is.
    Nameless,
    /// Of another organisation than the bot, where the same staff id is somebody else. By both, for the audit.
    Foreign(String),
    /// Nobody asked: a timer, a file, an event.
    Host,
    /// Whoever sits at this computer, as the user that moonbell runs as.
    Local,
}

impl Who {
    pub(super) fn of(person: &Person) -> Self {
        match person.staff_id.as_ref().filter(|id| !id.as_str().is_empty()) {
            None => Self::Nameless,
            // What stands for a group in lists is nobody's id.
            Some(id) if id.as_str().starts_with(GROUP) => Self::Nameless,
            Some(_) if !person.same_org => Self::foreign(person),
            Some(id) => Self::Person(id.clone()),
        }
    }

    pub(super) fn foreign(person: &Person) -> Self {
        let corp_id = person.corp_id.as_deref().unwrap_or("?");
        Self::Foreign(format!("{}@{corp_id}", person.key()))
    }
}

impl Actor {
    /// What happens by itself. It has no role: nobody lends it theirs.
    pub fn host(door: Door) -> Self {
        Self { who: Who::Host, roles: BTreeSet::new(), door }
    }

    /// Whoever sits at this computer: the owner's rights, since they could read and change everything anyway.
    pub fn local(door: Door) -> Self {
        Self { who: Who::Local, roles: BTreeSet::from([OWNER.to_owned()]), door }
    }

    /// Whether a handler that asks for `role` (`None`: for any) is for them.
    pub fn has(&self, role: Option<&str>) -> bool {
        match role {
            None => !self.roles.is_empty(),
            Some(role) => self.is_owner() || self.roles.contains(role),
        }
    }

    pub fn is_owner(&self) -> bool {
        self.roles.contains(OWNER)
    }

    /// The one role that scripts see: owner before admin before the first of the others. Empty for who has none.
    pub fn role(&self) -> &str {
        [OWNER, "admin"]
            .into_iter()
            .find(|role| self.roles.contains(*role))
            .or_else(|| self.roles.first().map(String::as_str))
            .unwrap_or_default()
    }

    /// All roles, by name.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }

    /// The person's staff id; an empty one, which nobody has, for what is no person.
    pub fn id(&self) -> &StaffId {
        static NOBODY: LazyLock<StaffId> = LazyLock::new(|| StaffId::new(""));
        self.person().unwrap_or(&NOBODY)
    }

    /// The person, if it is one who can be known.
    pub fn person(&self) -> Option<&StaffId> {
        match &self.who {
            Who::Person(id) => Some(id),
            _ => None,
        }
    }

    pub fn door(&self) -> Door {
        self.door
    }

    /// The same, by another door.
    #[must_use]
    pub fn by(mut self, door: Door) -> Self {
        self.door = door;
        self
    }

    /// How the audit calls them: a staff id, or `host`, `local`, `-`.
    pub(super) fn name(&self) -> &str {
        match &self.who {
            Who::Person(id) => id.as_str(),
            Who::Foreign(name) => name,
            Who::Nameless => "-",
            Who::Host => "host",
            Who::Local => "local",
        }
    }
}
