//! The composition root: builds the stages, joins their tasks, and alone knows the order in which they end.
//!
//! Shutdown runs downstream: the transport stops taking, the dispatcher lets runs finish, the scripts say goodbye, the
//! outbox sends what is left, and the journal closes last. Each has a deadline; what is cut off is in the journal.

mod books;
mod cards;
mod fatal;
mod left;
mod report;
mod settings;
mod sweep;
mod take;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::access::Audit;
use crate::access::Consents;
use crate::access::Record;
use crate::access::audit;
use crate::access::claim;
use crate::api::Host;
use crate::api::Limits;
use crate::api::Names;
use crate::api::Outgoing;
use crate::api::Processes;
use crate::api::fs::roots::Roots;
use crate::api::http::{Network, OwnPorts};
use crate::asks;
use crate::asks::Asks;
use crate::budget::Ledger;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::Connection;
use crate::config::Current;
use crate::config::Language;
use crate::config::Mode;
use crate::console::Console;
use crate::console::Desk;
use crate::dingtalk::Client;
use crate::inbox::{self, Inbox};
use crate::language::Languages;
use crate::outage;
use crate::outbox::Outbox;
use crate::outbox::Template;
use crate::router::is_control;
use crate::script::Background;
use crate::script::Keeper;
use crate::script::Library;
use crate::store::Instance;
use crate::store::Store;
use crate::store::kv::Kv;
use crate::store::now_ms;
use crate::telemetry::status;
use crate::transport;
use crate::transport::Addresses;
use crate::transport::Link;
use crate::transport::Stream;
use crate::transport::Transport;
use crate::transport::Webhook;
use crate::worker::Alarms;
use crate::worker::Dispatch;
use crate::worker::Echoes;
use crate::worker::Late;
use crate::worker::LuaRuntime;
use crate::worker::Places;
use crate::worker::Running;
use crate::worker::Turns;
use crate::worker::keep_own_runs;
use crate::worker::tell_owner;
use crate::worker::tell_owner_of_budgets;
use crate::worker::tell_owner_of_runs;

pub use fatal::Fatal;
pub use left::Left;

use report::Report;
pub use settings::Reread;
use settings::Settings;
use sweep::Sweep;
use take::{take_app, take_processes};

/// Threads that run Lua: preempted every millisecond, two keep many scripts lively on any machine.
const LUA_THREADS: usize = 2;

/// What the Lua runtime may take at least to end its coroutines, whatever runs have left of their deadline.
const LUA_PATIENCE: Duration = Duration::from_secs(2);

/// What closing the journal may take: a disk that answers no more must not hold up the end.
const CLOSE: Duration = Duration::from_secs(3);

/// In the state folder: a folder for each script.
const FILES: &str = "files";

/// The command that plays: its DingTalk is made up and ends with it.
const DEV: &str = "dev";

/// A host, ready to run.
#[derive(Debug)]
pub struct App {
    config: Config,
    command: &'static str,
    url: Option<String>,
    started_at_ms: i64,
    // Before the journal in the order of drops: the next host may start only after everything else has ended.
    dispatch: Dispatch,
    outbox: Outbox,
    inbox: Inbox,
    client: Client,
    ledger: Ledger,
    library: Library,
    keeper: Keeper,
    transport: Transport,
    host: Host,
    connection: Current<Connection>,
    /// `None`: the settings are not read again.
    reread: Option<Reread>,
    lua: LuaRuntime,
    processes: Processes,
    consents: Consents,
    own_ports: OwnPorts,
    /// Ends of runs that no message started.
    own: broadcast::Receiver<Arc<Background>>,
    _instances: Vec<Instance>,
}

impl App {
    /// Takes the state folder, opens the journals, tells people what an earlier crash cut short, and loads the scripts.
    /// Nothing is connected until [`App::run`].
    ///
    /// # Errors
    /// When another host has the folder, the journal cannot be used, or a setting cannot be served.
    pub async fn open(
        config: Config,
        command: &'static str,
        url: Option<String>,
    ) -> Result<Self, Fatal> {
        Self::open_at(config, command, url, Clock::default()).await
    }

    /// As [`App::open`], with the months of `clock`: for tests, which cannot wait for the next one.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn open_at(
        config: Config,
        command: &'static str,
        url: Option<String>,
        months: Clock,
    ) -> Result<Self, Fatal> {
        let mut instances = vec![Instance::acquire(&config.state.dir, command)?];
        instances.extend(take_app(&config, command)?);
        let store = Store::open(&config.state.dir)?;
        let inbox =
            Inbox::open_after(store.clone(), is_control, Some(config.connection.late_after))
                .await?;
        let was_there = Audit::is_there(&config.state.dir);
        let audit = Audit::open(&config.state.dir)
            .map_err(|cause| Fatal::Audit { path: audit::folder(&config.state.dir), cause })?;
        if !was_there && store.read(inbox::has_ended).await? {
            // Somebody removed it: each run that ends has its record.
            let why = "the journal knows of runs, and no record was left of them";
            tracing::warn!("the audit is gone; a new one begins: {why}");
            audit.record(Record::event("gap", "", "host", why));
        }
        audit.record(Record::event("start", "", "host", env!("CARGO_PKG_VERSION")));
        let access = Arc::new(Access::open(&config, store.clone(), audit).await?);
        if let Some(claimed) = access.outvoted() {
            tracing::warn!(person.id = %claimed, "somebody else claimed this bot than `access.owner` names; the settings win");
        }
        let ledger =
            Ledger::open(store.clone(), config.budget.clone(), books::JOURNAL, months).await?;
        let languages = Languages::open(config.language, store.clone()).await?;
        for message in store.read(books::last_heard).await? {
            languages.hear(&message.sender, &message.text);
        }
        let proxy = config.proxy.as_ref();
        let client = Client::through(&config.dingtalk, proxy)?.metered(Arc::new(ledger.clone()));
        let outbox = Outbox::open(store.clone())
            .await?
            .with_owner(access.owner_cell().clone())
            .with_languages(languages.clone())
            .with_ledger(ledger.clone())
            .card_settings(cards::settings(&config, &client));
        let stops = outbox.clone();
        inbox.urgent(move |click| stops.is_stop(click) || asks::key(click).is_some());
        let asks = Asks::new(store.clone());
        let processes = take_processes(&config);
        // Before a script does anything, and before what was cut short may be run again.
        processes.end_left_behind().await;
        let lua = LuaRuntime::start(LUA_THREADS).map_err(Fatal::Lua)?;
        let consents = Consents::open(store.clone()).await?;
        let limits = Limits::from(config.limits);
        let own = OwnPorts::default();
        let network = Network::granting(config.scripts.private_hosts.clone()).except(own.clone());
        let host = Host::new(limits, config.limits.memory_bytes)
            .with_processes(processes.clone())
            .with_journal(outbox.clone(), Kv::new(store.clone()))
            .with_roots(roots(&config))
            .with_network(network)
            .with_secrets(config.secrets.clone())
            .with_access(Arc::clone(&access))
            .with_languages(languages.clone())
            .with_asked(&config.scripts.asked, Some(consents.clone()))
            .with_names(names(&inbox))
            .with_asks(asks.clone())
            .with_outgoing(Outgoing::new(config.limits.per_minute))
            .with_client(client.clone());
        let dialogs = host.dialogs().clone();
        let open = dialogs.clone();
        inbox.answers(move |lane| open.take_next(lane));
        let dir = config.scripts.dir.clone();
        let engine = lua.engine().clone();
        let live = engine.live();
        // From before the first hook runs.
        let ends = engine.background();
        // Loading runs the top level of every script.
        let scripts = host.clone();
        let loaded =
            tokio::task::spawn_blocking(move || Library::open(&dir, scripts, engine)).await;
        let (library, keeper) = loaded.map_err(|panic| Fatal::Load(panic.to_string()))??;
        let dispatch = Dispatch {
            late: Late::default(),
            dialogs,
            asks: asks.clone(),
            store,
            inbox: inbox.clone(),
            outbox: outbox.clone(),
            access,
            languages,
            library: library.clone(),
            limits: host.current_limits(),
            running: Running::default(),
            turns: Turns::default(),
            finish: config.shutdown.deadline,
            places: Places::default(),
            live,
            echoes: Echoes::default(),
            alarms: Alarms::default(),
        };
        // With the scripts: which of these runs may be run again is for their handlers to say.
        let recovered = dispatch.recover().await?;
        if !recovered.interrupted.is_empty() {
            tracing::warn!(
                runs = recovered.interrupted.len(),
                "the last host died with runs under way; they are marked interrupted and their people are told"
            );
        }
        if !recovered.own.is_empty() {
            tracing::warn!(
                runs = recovered.own.len(),
                "the last host died with runs of timers, schedules or hooks under way; they are marked interrupted"
            );
        }
        if recovered.again > 0 {
            tracing::warn!(
                runs = recovered.again,
                "the last host died with messages taken up that had not begun, or may be run twice; they run again"
            );
        }
        let connection = Current::from(config.connection.clone());
        let transport = way_in(&config, &client, &inbox, &dispatch, connection.clone()).await?;
        let started_at_ms = now_ms();
        Ok(Self {
            config,
            command,
            url,
            started_at_ms,
            dispatch,
            outbox,
            inbox,
            client,
            ledger,
            library,
            keeper,
            transport,
            host,
            connection,
            reread: None,
            lua,
            processes,
            consents,
            own_ports: own,
            own: ends,
            _instances: instances,
        })
    }

    /// What the scripts folder holds and what became of each save.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// A new claim code, for the terminal, whose reader chose `language`; `None`: somebody owns the bot.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn claim_code(
        &self,
        language: Option<Language>,
    ) -> Result<Option<claim::Code>, Fatal> {
        if self.dispatch.access.owner().is_some() {
            return Ok(None);
        }
        let code = self.dispatch.store.write(move |c| claim::renew(c, language, now_ms())).await?;
        self.dispatch.access.audit().record(Record::event("claim", "code", "local", "run"));
        Ok(Some(code))
    }

    /// Where DingTalk is to call, in HTTP mode.
    pub fn addresses(&self) -> Option<&Addresses> {
        self.transport.addresses()
    }

    /// A view of the way in.
    pub fn link(&self) -> Link {
        self.transport.link()
    }

    /// What is under way, to be told while the host ends.
    pub fn left(&self) -> Left {
        let Dispatch { running, live, .. } = &self.dispatch;
        Left { running: running.clone(), live: live.clone(), outbox: self.outbox.clone() }
    }

    /// Reads the settings again whenever they change.
    #[must_use]
    pub fn rereading(self, reread: Reread) -> Self {
        Self { reread: Some(reread), ..self }
    }

    /// Replaces the connection's times, for tests.
    #[must_use]
    pub fn timing(self, timing: transport::Timing) -> Self {
        Self { transport: self.transport.timing(timing), ..self }
    }

    /// Replaces how many rows may be under way, for tests.
    #[must_use]
    pub fn places(mut self, places: Places) -> Self {
        self.dispatch.places = places;
        self
    }

    /// Replaces the pace of card calls, for benches.
    #[must_use]
    pub fn card_pace(self, calls_per_second: f64) -> Self {
        Self { outbox: self.outbox.card_pace(calls_per_second), ..self }
    }

    /// Serves until `stop`, then ends stage by stage.
    ///
    /// # Errors
    /// When the host cannot go on by itself.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Fatal> {
        let template = self
            .config
            .dingtalk
            .card_template
            .clone()
            .map(|id| Template { id, key: self.config.dingtalk.card_key.clone() });
        let console = match Console::bind(self.config.console.listen, &self.config.state.dir).await
        {
            Ok(console) => Some(console),
            Err(error) => {
                tracing::error!(listen = %self.config.console.listen, "the console cannot listen: {error}; `GET /health` and commands that ask a running host do not work");
                None
            }
        };
        let settings = watch::Sender::new(status::Settings::default());
        let history = watch::Sender::new(self.config.history);
        self.own_ports.extend(console.as_ref().and_then(Console::port));
        if self.command == DEV {
            self.own_ports.extend(self.config.dingtalk.api_base.port());
        }
        if self.config.dingtalk.mode == Mode::Http {
            self.own_ports.extend([self.config.http.listen.port()]);
        }
        let report = Report {
            state_dir: self.config.state.dir.clone(),
            scripts_dir: self.config.scripts.dir.clone(),
            command: self.command,
            url: self.url.clone(),
            console: console.as_ref().map(Console::url),
            started_at_ms: self.started_at_ms,
            ledger: self.ledger.clone(),
            link: self.transport.link(),
            addresses: self.transport.addresses().cloned(),
            dispatch: self.dispatch.clone(),
            settings: settings.subscribe(),
        };
        let stages = Stages::default();
        let mut books = JoinSet::new();
        books.spawn(self.ledger.clone().run(stages.books.clone()));
        let store = self.dispatch.store.clone();
        let mut downstream = JoinSet::new();
        let outbox = self.outbox.clone().run(self.client.clone(), template, stages.outbox.clone());
        downstream.spawn(outbox);
        if let Some(console) = console {
            let (dispatch, report) = (self.dispatch.clone(), report.clone());
            let desk = Desk { moment: Box::new(move || report.moment()), dispatch };
            downstream.spawn(console.run(desk, stages.aside.clone()));
        }
        downstream.spawn(report.run(stages.aside.clone()));
        // A simulator that begins with this host has sent nothing before it.
        if self.command != DEV {
            let watch = outage::Watch {
                link: self.transport.link(),
                store: self.dispatch.store.clone(),
                outbox: self.outbox.clone(),
                owner: self.dispatch.access.owner_cell().clone(),
                languages: self.dispatch.languages.clone(),
                settings: self.connection.clone(),
            };
            downstream.spawn(watch.run(stages.aside.clone()));
        }
        let files = self.config.state.dir.join(FILES);
        let sweep = Sweep {
            inbox: self.inbox.clone(),
            outbox: self.outbox.clone(),
            asks: self.dispatch.asks.clone(),
            history: history.subscribe(),
            files,
        };
        downstream.spawn(sweep.run(stages.aside.clone()));
        downstream.spawn(self.dispatch.clone().note_progress(stages.aside.clone()));
        downstream.spawn(keep_own_runs(self.inbox.clone(), self.own, stages.aside.clone()));
        let access = Arc::clone(&self.dispatch.access);
        downstream.spawn(Arc::clone(&access).watch(stages.aside.clone()));
        if let Some(reread) = self.reread {
            let settings = Settings {
                reread,
                config: self.config.clone(),
                access: Arc::clone(&access),
                host: self.host.clone(),
                client: self.client.clone(),
                ledger: self.ledger.clone(),
                history,
                connection: self.connection.clone(),
                rules: self.transport.rules(),
                outbox: self.outbox.clone(),
                languages: self.dispatch.languages.clone(),
                told: settings,
                doubted: false,
            };
            downstream.spawn(settings.run(stages.aside.clone()));
        }
        if !self.config.scripts.asked.is_empty() {
            let (audit, library) = (access.audit().clone(), self.library.clone());
            let rescan = move || library.rescan();
            downstream.spawn(self.consents.watch(audit, stages.aside.clone(), rescan));
        }
        let (outbox, reports) = (self.outbox.clone(), self.library.reports());
        let runs = self.lua.engine().background();
        let languages = self.dispatch.languages.clone();
        downstream.spawn(languages.clone().run(stages.aside.clone()));
        downstream.spawn(tell_owner_of_runs(
            Arc::clone(&access),
            languages.clone(),
            outbox.clone(),
            runs,
            stages.aside.clone(),
        ));
        downstream.spawn(tell_owner_of_budgets(
            Arc::clone(&access),
            languages.clone(),
            self.dispatch.store.clone(),
            outbox.clone(),
            self.ledger.clone(),
            stages.aside.clone(),
        ));
        downstream.spawn(tell_owner(
            Arc::clone(&access),
            languages,
            outbox,
            self.config.scripts.asked.clone(),
            reports,
            stages.aside.clone(),
        ));
        let mut watching = JoinSet::new();
        watching.spawn(self.keeper.run(stages.scripts.clone()));
        let mut working = JoinSet::new();
        working.spawn(self.dispatch.run(stages.dispatch.clone()));

        // Returns when asked to, or when nothing can be stored any more.
        let ended = self.transport.run(stop).await;

        let stopping = Instant::now();
        stages.dispatch.cancel();
        while working.join_next().await.is_some() {}
        stages.scripts.cancel();
        while watching.join_next().await.is_some() {}
        drop(self.library);
        // Runs of timers have as long as those of messages.
        let left = self.config.shutdown.deadline.saturating_sub(stopping.elapsed());
        self.lua.stop(left.max(LUA_PATIENCE)).await;
        self.processes.close().await;
        stages.aside.cancel();
        stages.outbox.cancel();
        while downstream.join_next().await.is_some() {}
        stages.books.cancel();
        while books.join_next().await.is_some() {}
        access.audit().close();
        let _ = tokio::time::timeout(CLOSE, store.close()).await;
        status::Status::remove(&self.config.state.dir);
        Ok(ended?)
    }
}

/// Connected or bound, but nothing is taken in yet.
async fn way_in(
    config: &Config,
    client: &Client,
    inbox: &Inbox,
    dispatch: &Dispatch,
    connection: Current<Connection>,
) -> Result<Transport, Fatal> {
    if config.dingtalk.mode == Mode::Stream {
        let stream = Stream::new(client.clone(), inbox.clone()).late_after(connection);
        return Ok(Transport::Stream(Box::new(stream)));
    }
    let audit = dispatch.access.audit().clone();
    let store = dispatch.store.clone();
    let webhook = Webhook::bind(&config.http, client.clone(), inbox.clone(), audit, store).await?;
    Ok(Transport::Webhook(Box::new(webhook.late_after(connection))))
}

/// One token for each stage, cancelled in order.
#[derive(Default)]
struct Stages {
    dispatch: CancellationToken,
    scripts: CancellationToken,
    outbox: CancellationToken,
    aside: CancellationToken,
    books: CancellationToken,
}

/// What `fs` reaches: never the journal, the audit, the keys of the console, or the settings.
fn roots(config: &Config) -> Roots {
    let own = std::iter::once(config.state.dir.clone()).chain(config.scripts.closed.clone());
    Roots::only(&config.scripts.folders, config.state.dir.join(FILES)).closing(own)
}

/// Runs that no message started are named as the others are.
fn names(inbox: &Inbox) -> Names {
    let inbox = inbox.clone();
    Names::new(move |_| inbox.name_run())
}
