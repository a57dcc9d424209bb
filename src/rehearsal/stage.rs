//! One stage: a whole host without a wire, for one test or one replay, and what happened on it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Local, TimeZone as _, Utc};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fakes::{FakeCall, FakeProgram};
use super::idle::Idle;
use super::outside::{Apart, Outside};
use super::transcript::{Entry, Event, Transcript, Zone, clock_time};
use crate::access::Access;
use crate::access::Consents;
use crate::api::Host;
use crate::api::Limits;
use crate::api::MEMORY_BYTES;
use crate::api::World;
use crate::api::fs::roots::Roots;
use crate::api::secret::Secrets;
use crate::api::time::format_duration;
use crate::asks::Asks;
use crate::asks::Waiting;
use crate::clock::Clock;
use crate::clock::later;
use crate::config;
use crate::inbox;
use crate::inbox::Inbox;
use crate::inbox::Past;
use crate::language::Languages;
use crate::message::ChatKind;
use crate::message::Inbound;
use crate::message::Message;
use crate::message::Reply;
use crate::message::StaffId;
use crate::outbox::Card;
use crate::outbox::Outbox;
use crate::outbox::Words;
use crate::router::is_control;
use crate::script::Engine;
use crate::script::Library;
use crate::script::Outcome;
use crate::script::Vm;
use crate::store::Store;
use crate::store::kv::Kv;
use crate::worker::Alarms;
use crate::worker::Dispatch;
use crate::worker::Echoes;
use crate::worker::Late;
use crate::worker::Places;
use crate::worker::Running;
use crate::worker::Turns;

/// Staff id of the one owner.
pub(super) const OWNER: &str = "owner";

/// What a test may ask to be real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Real {
    Process,
    Http,
    Time,
    Fs,
}

/// What stands behind unanswered programs and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// They are mistakes of the test.
    Refused,
    /// They succeed with nothing to say.
    Empty,
}

/// What a stage is for.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// Folder of the scripts.
    pub(super) scripts: PathBuf,
    /// The script to serve; `None`: all of the folder.
    pub(super) only: Option<String>,
    pub(super) owner: StaffId,
    pub(super) unknown: Unknown,
    /// Whether scripts act by themselves: start hooks, timers, schedules.
    pub(super) alive: bool,
    /// The folders of other people's scripts, and what was granted to them.
    pub(super) asked: (Vec<String>, Option<Consents>),
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Stage(Arc<Inner>);

/// A stage that may have ended.
#[derive(Clone, Debug)]
pub(super) struct WeakStage(Weak<Inner>);

impl WeakStage {
    pub(super) fn upgrade(&self) -> Option<Stage> {
        self.0.upgrade().map(Stage)
    }
}

#[derive(Debug)]
struct Inner {
    setting: Setting,
    clock: Clock,
    languages: Languages,
    idle: Idle,
    folder: tempfile::TempDir,
    play: Mutex<Play>,
    live: OnceCell<Live>,
    /// Where functions that a test gave as answers run.
    vm: OnceLock<Weak<Vm>>,
}

/// What has been set up, and what happened.
#[derive(Debug, Default)]
pub(super) struct Play {
    pub(super) real: BTreeSet<Real>,
    pub(super) zone: Zone,
    pub(super) programs: Vec<FakeProgram>,
    pub(super) calls: Vec<FakeCall>,
    pub(super) transcript: Transcript,
    pub(super) replies: Vec<Seen<Reply>>,
    pub(super) cards: Vec<Seen<Card>>,
    pub(super) ran: Vec<Seen<Vec<String>>>,
    pub(super) called: Vec<Seen<Called>>,
    /// Roles that were given before the stage began.
    grants: Vec<(String, StaffId)>,
    /// Secrets of the settings.
    pub(super) secrets: Secrets,
    /// What is in files that people sent, by the code that fetches them.
    pub(super) files: HashMap<String, Vec<u8>>,
    /// Names of people and titles of groups, by their ids.
    pub(super) names: HashMap<String, String>,
    /// The first thing that the test did not foresee: it fails, whatever it expects later.
    pub(super) surprise: Option<String>,
    /// What the test is doing, for one that does not end.
    pub(super) doing: Option<String>,
    /// Scripts that did not load.
    pub(super) broken: Vec<String>,
    /// The last row of the outbox that was seen.
    last: i64,
    /// Runs whose failure was seen.
    complained: HashSet<String>,
    /// How much of each run was seen.
    seen: HashMap<String, usize>,
    messages: u64,
}

/// Something that was seen, and whether the test has expected it.
#[derive(Clone, Debug)]
pub(super) struct Seen<T> {
    pub(super) what: T,
    /// The run that did it.
    pub(super) run: String,
    pub(super) expected: bool,
}

impl<T> Seen<T> {
    pub(super) fn new(what: T, run: &str) -> Self {
        Self { what, run: run.to_owned(), expected: false }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Called {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) body: String,
}

/// The host, once something has happened.
#[derive(Debug)]
struct Live {
    store: Store,
    inbox: Inbox,
    outbox: Outbox,
    asks: Asks,
    access: Arc<Access>,
    library: Library,
    clock: Clock,
    _dispatch: JoinSet<()>,
}

impl Stage {
    /// An empty stage. It is Monday morning.
    pub(super) fn new(setting: Setting, idle: Idle) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("moonbell-test-").tempdir()?;
        for inside in ["home", "files", "state"] {
            std::fs::create_dir(folder.path().join(inside))?;
        }
        let monday = Local.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).earliest();
        let monday = monday.map_or(DateTime::UNIX_EPOCH, |local| local.with_timezone(&Utc));
        Ok(Self(Arc::new(Inner {
            setting,
            clock: Clock::standing(monday),
            languages: Languages::default(),
            idle,
            folder,
            play: Mutex::default(),
            live: OnceCell::new(),
            vm: OnceLock::new(),
        })))
    }

    /// Functions that answer for programs and calls live in this VM.
    pub(super) fn answers_from(&self, vm: &Arc<Vm>) {
        let _ = self.0.vm.set(Arc::downgrade(vm));
    }

    pub(super) fn vm(&self) -> Option<Arc<Vm>> {
        self.0.vm.get().and_then(Weak::upgrade)
    }

    pub(super) fn unknown(&self) -> Unknown {
        self.0.setting.unknown
    }

    pub(super) fn play(&self) -> MutexGuard<'_, Play> {
        self.0.play.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn languages(&self) -> &Languages {
        &self.0.languages
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.live.initialized()
    }

    /// Gives a person a role.
    pub(super) fn grant(&self, role: &str, person: &StaffId) {
        match self.0.live.get() {
            Some(live) => live.access.grant(role, person),
            None => self.play().grants.push((role.to_owned(), person.clone())),
        }
    }

    /// Opens the journal, loads the scripts and runs their start hooks, once.
    pub(super) async fn begin(&self) -> Result<(), String> {
        self.live().await.map(drop)
    }

    async fn live(&self) -> Result<&Live, String> {
        let fresh = !self.has_begun();
        let live = self.0.live.get_or_try_init(|| self.open()).await?;
        if fresh {
            // What `bot.on("start")` does comes before everything else.
            self.settle_with(live).await?;
        }
        Ok(live)
    }

    /// The folders of this stage.
    fn roots(&self) -> Roots {
        let path = |name: &str| self.0.folder.path().join(name);
        Roots::only(&[path("home"), path("files")], path("files")).with_home(path("home"))
    }

    /// What the test's own code runs on: the clock and the folders of this stage, and no world.
    pub(super) fn host_of_test(&self, limits: Limits) -> Host {
        let world = Arc::new(Apart { stage: WeakStage(Arc::downgrade(&self.0)) });
        Host::new(limits, MEMORY_BYTES)
            .with_roots(self.roots())
            .with_world(self.0.clock.clone(), world)
    }

    async fn open(&self) -> Result<Live, String> {
        let inner = &self.0;
        let real = self.play().real.clone();
        let clock = if real.contains(&Real::Time) { Clock::default() } else { inner.clock.clone() };
        let path = |name: &str| inner.folder.path().join(name);
        let text = |error: crate::store::Error| error.to_string();
        let store = Store::open_scratch(&path("state")).map_err(text)?;
        let inbox = Inbox::open(store.clone(), is_control).await.map_err(text)?;
        let outbox = Outbox::open(store.clone()).await.map_err(text)?;
        let roots =
            if real.contains(&Real::Fs) { Roots::everything(path("files")) } else { self.roots() };
        let Setting { scripts, only, owner, alive, asked: (asked, consents), .. } =
            inner.setting.clone();
        let limits = Limits::default();
        let world: Arc<dyn World> =
            Arc::new(Outside { stage: WeakStage(Arc::downgrade(inner)), real });
        let lists = config::Access { owner: Some(owner), ..config::Access::default() };
        let access = Arc::new(Access::new(lists).on_clock(clock.clone()));
        let host = Host::new(limits, MEMORY_BYTES)
            .with_journal(outbox.clone(), Kv::new(store.clone()).on_clock(clock.clone()))
            .with_roots(roots)
            .with_access(Arc::clone(&access))
            .with_asks(Asks::new(store.clone()))
            .with_languages(inner.languages.clone())
            .with_asked(&asked, consents)
            .with_world(clock.clone(), world);
        // A replay knows none: there each is a secret of nothing.
        let host = match inner.setting.unknown {
            Unknown::Refused => host.with_secrets(self.play().secrets.clone()),
            Unknown::Empty => host,
        };
        let asks = host.asks().clone();
        let (dialogs, open) = (host.dialogs().clone(), host.dialogs().clone());
        inbox.answers(move |lane| open.take_next(lane));
        let (waits, journal) = (host.clone(), store.clone());
        inner.idle.watch(move || journal.in_flight() + waits.waiting() > 0);
        let engine = Engine::new(tokio::runtime::Handle::current(), TaskTracker::new());
        let beside = engine.live();
        let opened = Library::open_still(&scripts, only.as_deref(), alive, host, engine).await;
        let (library, reports) = opened.map_err(|error| error.to_string())?;
        for report in reports {
            if let Outcome::Failed { error, .. } = report.outcome {
                // Of a whole folder the others serve on, as they do in a host.
                if only.is_some() {
                    return Err(error.to_string());
                }
                self.play().broken.push(error.to_string());
            }
        }
        for (role, person) in std::mem::take(&mut self.play().grants) {
            access.grant(&role, &person);
        }
        let dispatch = Dispatch {
            late: Late::default(),
            dialogs,
            asks: asks.clone(),
            store: store.clone(),
            inbox: inbox.clone(),
            outbox: outbox.clone(),
            access: Arc::clone(&access),
            languages: inner.languages.clone(),
            library: library.clone(),
            limits: limits.into(),
            running: Running::default(),
            turns: Turns::default(),
            live: beside,
            finish: Duration::ZERO,
            places: Places::default(),
            echoes: Echoes::default(),
            alarms: Alarms::default(),
        };
        let mut tasks = JoinSet::new();
        // Ends with the stage: there is nobody to say goodbye to.
        tasks.spawn(dispatch.run(CancellationToken::new()));
        Ok(Live { store, inbox, outbox, asks, access, library, clock, _dispatch: tasks })
    }

    /// A message comes in; returns when nothing more happens by itself.
    pub(super) async fn accept(&self, message: Message) -> Result<(), String> {
        let live = self.live().await?;
        let accepted = live.inbox.accept(Inbound::Message(message)).await;
        accepted.map_err(|error| error.to_string())?;
        self.settle_with(live).await
    }

    /// The approval that was asked for last, and waits.
    pub(super) async fn approval(&self) -> Result<Option<Waiting>, String> {
        Ok(self.live().await?.asks.newest())
    }

    /// A number that no other message of this stage has.
    pub(super) fn next_message(&self) -> u64 {
        let mut play = self.play();
        play.messages += 1;
        play.messages
    }

    /// Lets time pass: what falls due happens in its order.
    pub(super) async fn advance(&self, by: Duration) -> Result<(), String> {
        let live = self.live().await?;
        let later_by = format!("{} later", format_duration(by));
        self.note(Event::Moved { by: later_by }, None);
        if !live.clock.stands() {
            tokio::time::sleep(by).await;
            return self.settle_with(live).await;
        }
        let until = later(live.clock.now(), by);
        while live.clock.next_due().is_some_and(|due| due <= until) {
            live.clock.fire();
            self.settle_with(live).await?;
        }
        live.clock.set(until);
        self.settle_with(live).await
    }

    /// Who may do what on this stage.
    pub(super) async fn access(&self) -> Result<&Access, String> {
        self.live().await.map(|live| &*live.access)
    }

    /// When the first of those who wait is due.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.0.clock.next_due()
    }

    /// Sets the clock; what was due by then happens at once.
    pub(super) async fn set_time(&self, now: DateTime<Utc>, zone: Zone) -> Result<(), String> {
        self.play().zone = zone;
        self.0.clock.set(now);
        if self.has_begun() { self.settle().await } else { Ok(()) }
    }

    pub(super) async fn settle(&self) -> Result<(), String> {
        let live = self.live().await?;
        self.settle_with(live).await
    }

    /// Waits until nothing more happens by itself, and sees what was said. An error is a surprise.
    async fn settle_with(&self, live: &Live) -> Result<(), String> {
        self.0.idle.wait().await;
        self.see(live).await?;
        self.play().surprise.clone().map_or(Ok(()), Err)
    }

    async fn see(&self, live: &Live) -> Result<(), String> {
        let last = self.play().last;
        let said = live.outbox.spoken_after(last).await.map_err(|error| error.to_string())?;
        let complaints =
            live.store.read(inbox::complaints).await.map_err(|error| error.to_string())?;
        let mut play = self.play();
        let at = clock_time(live.clock.now(), play.zone);
        for row in said {
            play.last = row.id;
            let seen = play.seen.entry(row.run.clone()).or_default();
            let number = *seen;
            *seen += 1;
            let event = match row.words {
                Words::Reply(reply) => {
                    let event = Event::Reply { to: play.place(&reply), body: reply.body.clone() };
                    play.replies.push(Seen::new(reply, &row.run));
                    event
                }
                Words::Card(card) => {
                    let to = play.place_of(card.to());
                    play.cards.push(Seen::new(card.clone(), &row.run));
                    Event::Card { to, card }
                }
            };
            play.transcript.add_said(Entry { at, event, run: None }, &row.run, number);
        }
        for (run, why) in complaints {
            if play.complained.insert(run) {
                play.transcript.add(Entry { at, event: Event::Failed { what: why }, run: None });
            }
        }
        play.transcript.settle();
        Ok(())
    }

    /// What came in and what became of it, from the journal of this stage.
    pub(super) async fn records(&self) -> Result<Vec<Past>, String> {
        let live = self.live().await?;
        live.store.read(|c| inbox::since(c, 0)).await.map_err(|error| error.to_string())
    }

    /// The scripts of the stage.
    pub(super) async fn library(&self) -> Result<&Library, String> {
        self.live().await.map(|live| &live.library)
    }

    /// Adds to the transcript; `run` is the one that did it.
    pub(super) fn note(&self, event: Event, run: Option<(String, usize)>) {
        let now = self.0.live.get().map_or(&self.0.clock, |live| &live.clock).now();
        let mut play = self.play();
        let at = clock_time(now, play.zone);
        play.transcript.add(Entry { at, event, run });
    }

    /// Notes what the test did not foresee; the first stays.
    pub(super) fn surprise(&self, what: String) {
        self.play().surprise.get_or_insert(what);
    }

    /// Where a path of the script is: under `~`, or in its own folder. Others are not the test's.
    pub(super) fn file(&self, path: &str) -> Result<PathBuf, String> {
        let (base, rest) = match path.strip_prefix("~/") {
            Some(rest) => ("home".to_owned(), rest),
            None => {
                let script = self.0.setting.only.as_deref().unwrap_or_default();
                let own = script.trim_end_matches(".luau").replace(['/', '\\', ':'], "%");
                (format!("files/{own}"), path)
            }
        };
        let inside = |path: &Path| path.components().all(|c| matches!(c, Component::Normal(_)));
        if rest.is_empty() || !inside(Path::new(rest)) {
            return Err(format!(
                "expected a path below the home folder, such as \"~/notes.txt\", or a relative one, got {path:?}"
            ));
        }
        Ok(self.0.folder.path().join(base).join(rest))
    }
}

impl Play {
    fn place(&self, reply: &Reply) -> String {
        self.place_of(&reply.to)
    }

    fn place_of(&self, to: &crate::message::Address) -> String {
        let name = |id: &str| self.names.get(id).cloned();
        let chat = to.conversation_id.as_str();
        match to.kind {
            ChatKind::Group => name(chat).unwrap_or_else(|| chat.to_owned()),
            ChatKind::Direct => {
                let id = to.staff_id.as_ref().map_or(chat, StaffId::as_str);
                name(id).unwrap_or_else(|| id.to_owned())
            }
        }
    }
}

/// As a string of Luau.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend(format!("\\u{{{:x}}}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
