//! Who may do what. One decision for every door: [`Access::authorize`]; closed unless the owner opened it.
//!
//! Rights belong to staff ids inside the bot's own organisation, never to names: `senderNick` is free text, `isAdmin`
//! speaks of the organisation and not of this computer, and people outside it can carry the same staff id. Roles come from
//! the settings (`access.owner`, `access.roles`) and from the owner in a chat ([`grants`]); a role of a group holds for
//! what is written in that group, and nowhere else. The owner has every role; any other role, `admin` too, gives just
//! itself; a handler without a role serves whoever has some role.
//!
//! A run that was allowed holds a [`Permit`]. When its person loses the right, or the lock falls, it is stopped.

mod actor;
pub mod audit;
pub mod claim;
pub mod consents;
mod decision;
mod denied;
pub mod disguise;
mod grants;
mod launchers;
mod live;
mod lock;
pub mod needs;
mod organisation;
mod pending;
mod rates;
mod records;
mod refusals;
mod terms;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config;
use crate::config::Config;
use crate::config::Current;
use crate::message::Chat;
use crate::message::Person;
use crate::message::StaffId;
use crate::sink;
use crate::store::Error;
use crate::store::Store;

pub use actor::{Actor, Door};
pub use audit::{Audit, Record};
pub use consents::{Consent, Consents};
pub use decision::{Action, Handler};
pub use denied::Denied;
pub use grants::{GROUP, Grant, claimed_elsewhere, read as read_grants};
pub use live::Permit;
pub use lock::Lock;
pub use needs::{Need, Needs, Reach, ReachCell, Use};
pub use terms::{Confirm, Place, Rate, Scope, Terms};

use actor::Who;
use grants::Grants;
use live::Live;
use organisation::Organisation;
use pending::Pending;
use rates::Rates;
use refusals::Refusals;

/// Name of the role that the owner has.
pub const OWNER: &str = "owner";

/// Name of the role that may look after the host.
pub const ADMIN: &str = "admin";

/// How often the lock's file is looked for; a message looks by itself.
const LOOK: Duration = Duration::from_millis(250);

/// Answers "may this one do that?".
#[derive(Debug)]
pub struct Access {
    /// Owner and roles of the settings; their owner wins over whoever claimed.
    settings: RwLock<Arc<config::Access>>,
    /// Whose owner is meant: who claimed one app does not own another.
    app: String,
    /// The owner of the settings, or whoever claimed, for those who only write to the owner.
    told: config::Owner,
    grants: Grants,
    organisation: Organisation,
    rates: Rates,
    limits: Current<config::Limits>,
    refusals: Refusals,
    pending: Pending,
    live: Live,
    lock: Lock,
    /// Whether it was last told to be locked.
    told_locked: Mutex<bool>,
    audit: Audit,
    clock: Clock,
    store: Option<Store>,
    changed: Notify,
}

impl Access {
    /// What the settings say, and nothing else: no journal, no lock, no audit.
    pub fn new(lists: config::Access) -> Self {
        Self {
            app: String::new(),
            told: config::Owner::from(lists.owner.clone()),
            settings: RwLock::new(Arc::new(lists)),
            grants: Grants::default(),
            organisation: Organisation::default(),
            rates: Rates::default(),
            limits: config::Limits::default().for_anybody().into(),
            refusals: Refusals::default(),
            pending: Pending::default(),
            live: Live::default(),
            lock: Lock::default(),
            told_locked: Mutex::new(false),
            audit: Audit::default(),
            clock: Clock::default(),
            store: None,
            changed: Notify::new(),
        }
    }

    /// What the settings say, with what the journal holds for their app, the lock of the state folder, and its audit.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn open(config: &Config, store: Store, audit: Audit) -> Result<Self, Error> {
        let app = config.dingtalk.app();
        let grants = Grants::open(&store, &app).await?;
        let corp_id = config.dingtalk.corp_id.as_deref();
        let organisation = Organisation::open(&store, &app, corp_id).await?;
        let refusals = Refusals::open(&store, crate::store::now_ms()).await?;
        let lock = Lock::of(&config.state.dir);
        let told_locked = Mutex::new(lock.is_locked());
        let this = Self {
            app,
            grants,
            organisation,
            limits: config.limits.into(),
            refusals,
            lock,
            told_locked,
            audit,
            store: Some(store),
            ..Self::new(config.access.clone())
        };
        this.told.set(this.owner());
        Ok(this)
    }

    /// The same, where time is `clock`.
    #[must_use]
    pub fn on_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same, with what a journal that is only read holds of it.
    #[must_use]
    pub fn knowing(self, (claimed, list): (Option<StaffId>, Vec<Grant>)) -> Self {
        if let Some(owner) = claimed {
            self.grants.set_claimed(owner);
        }
        for grant in list {
            self.grants.put(grant);
        }
        self
    }

    /// Gives `person` a role in memory alone. The role of the owner is not given.
    pub fn grant(&self, role: &str, person: &StaffId) {
        self.grants.put(Grant {
            subject: person.to_string(),
            role: role.to_owned(),
            allowed: true,
            until_ms: None,
            by: String::new(),
        });
    }

    /// Who `person` is where they ask. That is no right yet.
    pub fn actor(&self, person: &Person, chat: Option<&Chat>, door: Door) -> Actor {
        let who = match Who::of(person) {
            Who::Person(_) if self.is_foreign(person) => Who::foreign(person),
            who => who,
        };
        self.known(who, chat, door)
    }

    fn known(&self, who: Who, chat: Option<&Chat>, door: Door) -> Actor {
        let roles = match &who {
            Who::Person(id) => {
                let lists = &self.settings().roles;
                let mut roles = self.grants.roles(id, chat, lists, self.clock.now_ms());
                // The owner is one person, named in one place: a list called `owner` gives nothing.
                roles.remove(OWNER);
                if self.owner().as_ref() == Some(id) {
                    roles.insert(OWNER.to_owned());
                }
                roles
            }
            Who::Local => return Actor::local(door),
            Who::Nameless | Who::Foreign(_) | Who::Host => {
                return Actor { who, ..Actor::host(door) };
            }
        };
        Actor { who, roles, door }
    }

    /// Stops the runs that would not be allowed now; returns how many.
    fn sweep(&self) -> usize {
        self.live.sweep(&self.audit, |run| {
            let actor = self.known(run.who.clone(), run.chat.as_ref(), Door::Message);
            let handler = run.terms.as_ref().map(|terms| Handler { name: &run.handler, terms });
            self.decide(&actor, run.chat.as_ref(), handler, Action::See)
        })
    }

    /// Keeps watch until `stop`: over the lock, and over what ends by itself.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        if self.lock.is_locked() {
            tracing::warn!("moonbell is locked: it serves nobody; `moonbell unlock` lifts it");
        }
        let mut looked_at = self.clock.now_ms();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            let locked = self.look();
            let now = self.clock.now_ms();
            // What has ended since the last look, and what was changed, is one sweep.
            let ended = self.grants.next_end(looked_at).is_some_and(|end| end <= now);
            looked_at = now;
            if locked || ended {
                self.sweep();
            }
        }
    }

    /// Looks whether it is locked, and tells when that has changed: before anything is decided by it.
    fn look(&self) -> bool {
        // Held while looking: who looked before a change must not tell after who looked behind it.
        let mut told = self.told_locked.lock().unwrap_or_else(PoisonError::into_inner);
        let locked = self.lock.look();
        if *told != locked {
            *told = locked;
            self.tell_lock(locked);
        }
        locked
    }

    fn tell_lock(&self, locked: bool) {
        let why = self.lock.why().unwrap_or_else(|| "by its file".to_owned());
        let why = sink::redact(&why).into_owned();
        if locked {
            tracing::warn!(
                "locked ({why}): all runs are stopped, nobody is served; `moonbell unlock` on this computer lifts it"
            );
            self.audit.record(Record::event("lock", "", "host", why));
        } else {
            tracing::warn!("unlocked: people are served again");
            self.audit.record(Record::event("unlock", "", "local", ""));
        }
    }

    /// Locks, because `actor` said so, and stops every run. The right to was asked for before.
    ///
    /// # Errors
    /// When it will not outlive this process.
    pub fn shut(&self, actor: &Actor) -> std::io::Result<()> {
        let made = self.lock.shut(&format!("by {} from a chat", actor.name()));
        self.look();
        self.sweep();
        self.changed.notify_one();
        made.map(drop)
    }

    pub fn is_locked(&self) -> bool {
        self.lock.is_locked()
    }

    /// Gives or takes a role, on disk before it counts. Runs that lose their right by it are stopped.
    ///
    /// # Errors
    /// When the journal does not take it: then nothing has changed.
    pub async fn change(&self, by: &Actor, grant: Grant) -> Result<(), Error> {
        if let Some(store) = &self.store {
            let (app, kept, now) = (self.app.clone(), grant.clone(), self.clock.now_ms());
            store.write(move |c| grants::insert(c, &app, &kept, now)).await?;
        }
        let verdict = if grant.allowed { "allow" } else { "deny" };
        let until = grant.until_ms.map(|at| format!(" until {at}")).unwrap_or_default();
        let reason = format!("{} {}{until}", grant.subject, grant.role);
        self.audit.record(Record { reason, ..Record::of("grant", verdict, by) });
        self.grants.put(grant);
        self.sweep();
        Ok(())
    }

    /// Keeps changes that `actor` asked for until they say yes in the same chat; returns the code that the yes needs.
    pub fn propose(&self, actor: &Actor, chat: &Chat, changes: Vec<Grant>) -> String {
        self.pending.put(actor.id(), &chat.id, changes, self.clock.now_ms())
    }

    /// The changes that `code`, said by `actor` in `chat`, confirms.
    pub fn confirmed(&self, actor: &Actor, chat: &Chat, code: &str) -> Option<Vec<Grant>> {
        self.pending.take(actor.person()?, &chat.id, code, self.clock.now_ms())
    }

    /// Forgets the changes of `actor` that wait for a yes in `chat`. Returns whether there were any.
    pub fn withdrawn(&self, actor: &Actor, chat: &Chat) -> bool {
        actor
            .person()
            .is_some_and(|person| self.pending.forget(person, &chat.id, self.clock.now_ms()))
    }

    /// The time by which grants end.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What was given and taken from a chat, and holds now.
    pub fn changes(&self) -> Vec<Grant> {
        self.grants.list(self.clock.now_ms())
    }

    /// Owner and roles as the settings have them.
    pub fn settings(&self) -> Arc<config::Access> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on people and handlers may have so many runs; those under way stay.
    pub fn renew_limits(&self, limits: config::Limits) {
        self.limits.set(limits);
    }

    /// Takes over what the settings say now. Runs that lose their right by it are stopped.
    pub fn renew(&self, settings: config::Access) {
        let reason = "owner or roles of the settings were changed";
        self.audit.record(Record::event("settings", "", "local", reason));
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.told.set(self.owner());
        self.sweep();
    }

    /// Whether a refused person is told so this time: once an hour, over restarts, so that a stranger costs one reply at
    /// most.
    pub async fn may_tell(&self, person: &Person) -> bool {
        self.refusals.may_tell(person.key(), crate::store::now_ms()).await
    }

    /// Who owns the bot: by the settings, or else whoever claimed it.
    pub fn owner(&self) -> Option<StaffId> {
        self.settings().owner.clone().or_else(|| self.grants.claimed())
    }

    /// The owner, followed by whoever has this.
    pub fn owner_cell(&self) -> &config::Owner {
        &self.told
    }

    /// Who claimed the bot, though the settings name somebody else.
    pub fn outvoted(&self) -> Option<StaffId> {
        let owner = self.settings().owner.clone()?;
        self.grants.claimed().filter(|claimed| *claimed != owner)
    }

    pub fn audit(&self) -> &Audit {
        &self.audit
    }
}
