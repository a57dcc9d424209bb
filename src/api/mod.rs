//! What scripts can call.
//!
//! A module is a table of plain functions, one file here with its `.d.luau` beside it, registered in [`MODULES`] and
//! nowhere else. `api/` converts and limits; logic lives in the stage that owns it.
//!
//! ```text
//! pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
//!     Module::new(lua, "http")?
//!         .function("escape", &["text"], |_, _, text: String| Ok(escape(&text)))? // pure: anywhere
//!         .async_function("get", &["url", "options"], get)?                       // waits: only in a run
//!         .build()
//! }
//!
//! /// `http.get`, see `http.d.luau`. Cancel safe: dropped with the run, and the connection with it.
//! async fn get(call: Call, (url, mut options): (String, Options)) -> LuaResult<Outcome<String>> {
//!     let timeout = options.duration("timeout")?;       // wrong type: raises, naming option, expected and got
//!     options.finish()?;                                // unknown option: raises with the nearest name
//!     Ok(fetch(&call.host, &url, timeout).await.into()) // Result<T, Failure>: the value, or `nil, err`
//! }
//! ```
//!
//! Objects with methods (`p:lines()`) come from [`Class`]: `Class::new(lua, "process")?.async_method("wait", &[], wait)?
//! .build()?`, then `class.instance(lua, fields, &[], Arc<Process>)?`; `wait` is `async fn(Call, Arc<Process>, ())`.
//!
//! The builder finds the current run (the driver names it before each poll), refuses the call at the top level, asks
//! [`Run::check`], catches panics, and drops the future the moment the run ends. What outlives a future (a child, a
//! file) goes to [`Run::track`] or listens to [`Run::over`].

mod attachment;
pub mod bot;
pub mod cron;
pub mod ctx;
pub mod definitions;
pub mod dialog;
pub mod failure;
pub mod fs;
mod handler;
pub mod http;
pub mod json;
pub mod kv;
mod last_words;
pub mod limit;
pub mod log;
pub mod manifest;
mod media;
pub mod module;
pub mod moment;
mod names;
pub mod notes;
pub mod options;
mod outgoing;
pub mod re;
pub mod reference;
mod rest;
pub mod run;
mod scope;
pub mod secret;
pub mod shell;
mod stream;
mod terms;
pub mod text;
pub mod time;
pub mod world;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use mlua::{Lua, Result as LuaResult, Table};

use crate::access::Access;
use crate::access::Actor;
use crate::access::Consents;
use crate::access::Denied;
use crate::access::Door;
use crate::access::Handler;
use crate::access::Permit;
use crate::access::Terms;
use crate::asks::Asks;
use crate::clock::Clock;
use crate::config;
use crate::config::Current;
use crate::dingtalk::Client;
use crate::language::Languages;
use crate::message::StaffId;
use crate::outbox::Outbox;
use crate::store::kv::Kv;
use crate::words::Lang;

use fs::roots::Roots;
use http::Network;
use world::{Wait, Waits};

pub use dialog::Dialogs;
pub use failure::{Failure, Outcome, misuse};
pub use last_words::Stop;
pub use limit::Limit;
pub use module::{Class, Module};
pub use names::Names;
pub use notes::Noted;
pub use options::Options;
pub use outgoing::Outgoing;
pub use rest::{Rest, Resting};
pub use run::{Limits, Run};
pub(crate) use scope::TOP_LEVEL;
pub use scope::{Call, Scope};
pub use shell::process::Processes;
pub use world::World;

/// A module: its global name, its table, and its definition.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    pub name: &'static str,
    pub build: fn(&Lua, &Host) -> LuaResult<Table>,
    /// The `.d.luau` file: for the checker, the editor and the docs.
    pub definition: &'static str,
}

/// Every module that a script has: the only registration.
pub const MODULES: &[Registration] = &[
    Registration { name: "bot", build: bot::module, definition: include_str!("bot.d.luau") },
    Registration { name: "fs", build: fs::module, definition: include_str!("fs/fs.d.luau") },
    Registration {
        name: "http",
        build: http::module,
        definition: include_str!("http/http.d.luau"),
    },
    Registration { name: "json", build: json::module, definition: include_str!("json.d.luau") },
    Registration { name: "kv", build: kv::module, definition: include_str!("kv.d.luau") },
    Registration { name: "log", build: log::module, definition: include_str!("log.d.luau") },
    Registration { name: "re", build: re::module, definition: include_str!("re.d.luau") },
    Registration {
        name: "secret",
        build: secret::module,
        definition: include_str!("secret.d.luau"),
    },
    Registration {
        name: "shell",
        build: shell::module,
        definition: include_str!("shell/shell.d.luau"),
    },
    Registration { name: "text", build: text::module, definition: include_str!("text.d.luau") },
    Registration { name: "time", build: time::module, definition: include_str!("time.d.luau") },
];

/// Definitions of what test files are written with.
pub const TESTS: &str = include_str!("test.d.luau");

/// Definitions of what handlers are given: `ctx` and its objects.
pub const CONTEXT: &str = include_str!("ctx.d.luau");

/// Services of the process that modules use. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Host {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    limits: Current<Limits>,
    memory_bytes: usize,
    journal: Option<Journal>,
    processes: Processes,
    roots: Roots,
    http: http::Caller,
    access: Option<Arc<Access>>,
    languages: Languages,
    /// `None`: scripts are only checked.
    /// Shared: a new value is everybody's at once.
    secrets: Option<Arc<RwLock<secret::Secrets>>>,
    client: Option<Client>,
    dialogs: Dialogs,
    asks: Asks,
    clock: Clock,
    world: Option<Arc<dyn World>>,
    waits: Waits,
    names: Names,
    /// Folders below the scripts folder whose scripts get only what was granted.
    asked: Arc<[String]>,
    consents: Option<Consents>,
    outgoing: Outgoing,
    /// Fetches files of messages: a network of its own, which knows the addresses of the client.
    downloads: http::Caller,
}

#[derive(Clone, Debug)]
struct Journal {
    outbox: Outbox,
    kv: Kv,
}

impl Host {
    /// A host without a journal: it loads and checks scripts, and runs what neither replies nor stores.
    pub fn new(limits: Limits, memory_bytes: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                limits: limits.into(),
                memory_bytes,
                journal: None,
                processes: Processes::new(),
                roots: Roots::default(),
                http: http::Caller::new(Network::default()),
                access: None,
                languages: Languages::default(),
                secrets: None,
                client: None,
                dialogs: Dialogs::default(),
                asks: Asks::default(),
                clock: Clock::default(),
                world: None,
                waits: Waits::default(),
                names: Names::default(),
                asked: Arc::default(),
                consents: None,
                outgoing: Outgoing::default(),
                downloads: http::Caller::new(Network::default().encrypted()),
            }),
        }
    }

    /// The same host with the journal that replies, cards and `kv` go to.
    #[must_use]
    pub fn with_journal(&self, outbox: Outbox, kv: Kv) -> Self {
        let mut inner = (*self.inner).clone();
        inner.journal = Some(Journal { outbox, kv });
        Self { inner: Arc::new(inner) }
    }

    /// The same host, which starts programs as one of these.
    #[must_use]
    pub fn with_processes(&self, processes: Processes) -> Self {
        let mut inner = (*self.inner).clone();
        inner.processes = processes;
        Self { inner: Arc::new(inner) }
    }

    /// The same host, whose scripts reach these folders. Unless told, they reach what the user may, and have no folder of
    /// their own.
    #[must_use]
    pub fn with_roots(&self, roots: Roots) -> Self {
        let mut inner = (*self.inner).clone();
        inner.roots = roots;
        Self { inner: Arc::new(inner) }
    }

    /// The same host, whose scripts say no more than this.
    #[must_use]
    pub fn with_outgoing(&self, outgoing: Outgoing) -> Self {
        let mut inner = (*self.inner).clone();
        inner.outgoing = outgoing;
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn outgoing(&self) -> &Outgoing {
        &self.inner.outgoing
    }

    /// The same host, whose scripts may also call these addresses.
    #[must_use]
    pub fn with_network(&self, network: Network) -> Self {
        let mut inner = (*self.inner).clone();
        inner.http = http::Caller::new(network);
        Self { inner: Arc::new(inner) }
    }

    /// The same host, which names the runs that no message started in this way.
    #[must_use]
    pub fn with_names(&self, names: Names) -> Self {
        let mut inner = (*self.inner).clone();
        inner.names = names;
        Self { inner: Arc::new(inner) }
    }

    /// The same host, where the scripts in these folders below the scripts folder are other people's: they reach what they
    /// declare and nothing else, and serve only once `consents` has all of it. Without consents, all of it is.
    #[must_use]
    pub fn with_asked(&self, folders: &[String], consents: Option<Consents>) -> Self {
        let mut inner = (*self.inner).clone();
        inner.asked = folders.into();
        inner.consents = consents;
        Self { inner: Arc::new(inner) }
    }

    /// Folders of other people's scripts.
    pub fn asked(&self) -> &[String] {
        &self.inner.asked
    }

    /// The folder of other people's scripts that this one is in, if it is in one.
    pub fn asked_folder(&self, script: &str) -> Option<&str> {
        config::asked_folder(&self.inner.asked, script)
    }

    /// What the owner granted to other people's scripts; `None`: here that is not asked.
    pub fn consents(&self) -> Option<&Consents> {
        self.inner.consents.as_ref()
    }

    /// What names a run that no message started.
    pub(crate) fn names(&self) -> &Names {
        &self.inner.names
    }

    /// The same host, where `access` says who owns it and whether anything may run.
    #[must_use]
    pub fn with_access(&self, access: Arc<Access>) -> Self {
        let mut inner = (*self.inner).clone();
        inner.access = Some(access);
        Self { inner: Arc::new(inner) }
    }

    /// The same host, where `languages` says in which language people are spoken to.
    #[must_use]
    pub fn with_languages(&self, languages: Languages) -> Self {
        let mut inner = (*self.inner).clone();
        inner.languages = languages;
        Self { inner: Arc::new(inner) }
    }

    /// The language of what no message started: the owner's.
    pub(crate) fn own_lang(&self) -> Lang {
        self.inner.languages.of(self.owner().as_ref())
    }

    /// The same host with the secrets that its scripts may use. From now on nothing shows them.
    #[must_use]
    pub fn with_secrets(&self, secrets: secret::Secrets) -> Self {
        secret::hide_all(&secrets);
        let mut inner = (*self.inner).clone();
        inner.secrets = Some(Arc::new(RwLock::new(secrets)));
        Self { inner: Arc::new(inner) }
    }

    /// Other values from now on, for whoever asks. The old ones are not shown either.
    pub fn renew_secrets(&self, secrets: secret::Secrets) {
        secret::hide_all(&secrets);
        if let Some(held) = &self.inner.secrets {
            *held.write().unwrap_or_else(PoisonError::into_inner) = secrets;
        }
    }

    pub(crate) fn secrets(&self) -> Option<RwLockReadGuard<'_, secret::Secrets>> {
        let held = self.inner.secrets.as_ref()?;
        Some(held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same host, whose scripts may upload files to DingTalk.
    #[must_use]
    pub fn with_client(&self, client: Client) -> Self {
        let mut inner = (*self.inner).clone();
        let hosts = client.bases().filter_map(|base| {
            Some(format!("{}:{}", base.host_str()?, base.port_or_known_default()?))
        });
        inner.downloads =
            http::Caller::new(Network::granting(hosts.collect::<Vec<_>>()).encrypted());
        inner.client = Some(client);
        Self { inner: Arc::new(inner) }
    }

    /// Leave for a run that nobody asked for, for as long as it is held; `None`: nobody is asked here.
    ///
    /// # Errors
    /// When it may not run.
    pub(crate) fn begin(
        &self,
        door: Door,
        handler: &str,
        run: &Run,
    ) -> Result<Option<Permit>, Denied> {
        let Some(access) = &self.inner.access else { return Ok(None) };
        let terms = Terms::default();
        let handler = Handler { name: handler, terms: &terms };
        access.begin(&Actor::host(door), None, handler, run.id(), run.cancel()).map(Some)
    }

    /// The same host, whose questions are kept in `asks`.
    #[must_use]
    pub fn with_asks(&self, asks: Asks) -> Self {
        let mut inner = (*self.inner).clone();
        inner.asks = asks;
        Self { inner: Arc::new(inner) }
    }

    /// Who may answer the questions that are open, and how.
    pub fn asks(&self) -> &Asks {
        &self.inner.asks
    }

    /// Who may do what; `None`: nobody is asked here.
    pub(crate) fn access(&self) -> Option<&Access> {
        self.inner.access.as_deref()
    }

    /// The questions that scripts have asked people and that are open.
    pub fn dialogs(&self) -> &Dialogs {
        &self.inner.dialogs
    }

    /// The same host, for which time is `clock`.
    #[must_use]
    pub fn with_clock(&self, clock: Clock) -> Self {
        let mut inner = (*self.inner).clone();
        inner.clock = clock;
        Self { inner: Arc::new(inner) }
    }

    /// The same host in a rehearsal: time is `clock`, and `world` stands in for what is outside.
    #[must_use]
    pub fn with_world(&self, clock: Clock, world: Arc<dyn World>) -> Self {
        let mut inner = (*self.inner).clone();
        inner.clock = clock;
        inner.world = Some(world);
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        self.inner.client.as_ref()
    }

    /// The time of its scripts.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// What stands in for the world; `None`: nothing does.
    pub(crate) fn world(&self) -> Option<&dyn World> {
        self.inner.world.as_deref()
    }

    /// Counts a wait for the real world until the guard is dropped.
    pub(crate) fn wait(&self) -> Wait {
        self.inner.waits.begin()
    }

    /// How much of the real world its scripts wait for at this moment.
    pub fn waiting(&self) -> usize {
        self.inner.waits.count()
    }

    /// What fetches the files of messages.
    pub(crate) fn downloads(&self) -> &http::Caller {
        &self.inner.downloads
    }

    /// Runs work on the runtime of sockets. Cancel safe: dropped, the work is aborted.
    pub(crate) async fn on_sockets<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> LuaResult<T> {
        let _wait = self.wait();
        let done = self.inner.http.on_sockets(work).await;
        done.map_err(|error| misuse(format!("the call was cut short: {error}")))
    }

    /// Whom `bot.send("owner", …)` reaches.
    pub(crate) fn owner(&self) -> Option<StaffId> {
        self.inner.access.as_ref()?.owner()
    }

    /// What makes the HTTP calls of scripts.
    pub(crate) fn http(&self) -> &http::Caller {
        &self.inner.http
    }

    /// Folders that scripts may use.
    pub(crate) fn roots(&self) -> &Roots {
        &self.inner.roots
    }

    /// Limits of a run, unless its handler says less.
    pub fn limits(&self) -> Limits {
        self.inner.limits.get()
    }

    /// The same, as they are at each moment.
    pub fn current_limits(&self) -> Current<Limits> {
        self.inner.limits.clone()
    }

    /// Other limits for runs that begin from now on. What one VM may allocate stays.
    pub fn renew_limits(&self, limits: config::Limits) {
        self.inner.limits.set(limits.into());
        self.inner.outgoing.renew(limits.per_minute);
    }

    /// Owner of every process that a script starts; supervised on the runtime that the host was made in. To be closed
    /// when the host shuts down.
    pub fn processes(&self) -> &Processes {
        &self.inner.processes
    }

    /// What one VM may allocate.
    pub fn memory_bytes(&self) -> usize {
        self.inner.memory_bytes
    }

    /// Where replies go.
    ///
    /// # Errors
    ///
    /// When this host has no journal, as in `check`.
    pub fn outbox(&self) -> LuaResult<&Outbox> {
        self.journal().map(|journal| &journal.outbox)
    }

    /// What scripts keep.
    ///
    /// # Errors
    ///
    /// When this host has no journal, as in `check`.
    pub fn kv(&self) -> LuaResult<&Kv> {
        self.journal().map(|journal| &journal.kv)
    }

    /// When schedules were last due; `None` without a journal.
    pub(crate) fn schedules(&self) -> Option<cron::Schedules> {
        let journal = self.inner.journal.as_ref()?;
        Some(cron::Schedules::new(journal.kv.store().clone()))
    }

    fn journal(&self) -> LuaResult<&Journal> {
        self.inner
            .journal
            .as_ref()
            .ok_or_else(|| misuse("there is no journal here: scripts are only checked"))
    }
}

/// 64 MiB: far beyond what a handler needs, and a hundred spinning allocators still fit a small computer.
pub const MEMORY_BYTES: usize = 64 << 20;

impl Default for Host {
    fn default() -> Self {
        Self::new(Limits::default(), MEMORY_BYTES)
    }
}

/// Builds every module into the globals of a fresh VM.
pub(crate) fn install(lua: &Lua, host: &Host) -> LuaResult<()> {
    for module in MODULES {
        lua.globals().raw_set(module.name, (module.build)(lua, host)?)?;
    }
    log::install_print(lua)?;
    lua.set_app_data(ctx::Classes::new(lua)?);
    Ok(())
}

/// Makes a plain table strict: reading a name that is not in `names` raises with the nearest. All tables of one `kind`
/// share a metatable.
pub(crate) fn strict(
    lua: &Lua,
    kind: &'static str,
    names: &[&str],
    table: &Table,
) -> LuaResult<()> {
    let key = format!("moonbell.strict.{kind}");
    let metatable = if let Some(metatable) = lua.named_registry_value::<Option<Table>>(&key)? {
        metatable
    } else {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let metatable = module::strict_metatable(lua, kind, names)?;
        lua.set_named_registry_value(&key, &metatable)?;
        metatable
    };
    table.set_metatable(Some(metatable))
}
