//! A simulated DingTalk, folders of its own, and a host between them: in this process, or as the real binary.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use moonbell::app::{App, Fatal};
use moonbell::clock::Clock;
use moonbell::config::{Config, Need, Source, load};
use moonbell::sim::{
    self, CARD_TEMPLATE, FaultOrder, HttpFault, HttpFaultKind, Options, Say, Sim, State,
};
use moonbell::transport::Timing;
use moonbell::worker::Places;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::process::{HostProcess, settings};
use super::tunnel::Tunnel;

pub(super) const OWNER: &str = "manager4220";
pub(super) const ALICE: &str = "015412345601";
pub(super) const LINA: &str = "015412345602";
pub(super) const BOB: &str = "015412345603";
/// Of the organisation, but without a role.
pub(super) const STRANGER: &str = "015412345604";

/// Far more than a busy machine needs.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// The keys of a host in HTTP mode.
pub(super) const TOKEN: &str = "token-of-tests";
pub(super) const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
pub(super) const CARD_SECRET: &str = "card-secret-of-tests";

/// How messages come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Stream,
    Http,
}

/// Handlers that most tests use. `{home}` becomes the folder of the test.
const BASICS: &str = r#"
bot.command("echo <text...>", function(ctx) ctx:reply(ctx.args.text) end)

-- Leaves a trace on disk, so that a second run of the same message would be seen.
bot.command("trace <text...>", function(ctx)
    shell.sh("echo \"$1\" >> $2", ctx.args.text, "{home}/ran")
    ctx:reply("did " .. ctx.args.text)
end)

-- Waits at a gate of the test.
bot.command("hold <name>", function(ctx)
    shell.sh("echo $1 >> $2/entered; cat $2/$1.gate", ctx.args.name, "{home}")
    ctx:reply("released " .. ctx.args.name)
end)

-- The same, with an open card that has already shown something.
bot.command("card <name>", function(ctx)
    local card = ctx:card({ title = "work" })
    card:append("half way through " .. ctx.args.name)
    shell.sh("echo $1 >> $2/entered; cat $2/$1.gate", ctx.args.name, "{home}")
    card:append(", all of it")
    card:finish()
end)
"#;

/// Changes the settings of a host in this process; the second argument is the folder of the test.
type Settings = fn(&mut Config, &Path);

/// How a test wants its host.
#[derive(Debug)]
pub(super) struct Setup {
    options: Options,
    scripts: Vec<(String, String)>,
    template: Option<String>,
    guests: Vec<String>,
    timing: Timing,
    toml: Vec<String>,
    settings: Option<Settings>,
    places: Option<Places>,
    way: Way,
}

impl Setup {
    pub(super) fn new() -> Self {
        let mut options = Options::default();
        // What is not acknowledged comes again quickly, and often enough for any test.
        options.clocks.redelivery = Some(Duration::from_secs(1));
        options.clocks.redelivery_attempts = 1_000;
        options.clocks.disconnect = Duration::from_millis(300);
        Self {
            options,
            scripts: vec![("basics.luau".to_owned(), BASICS.to_owned())],
            template: Some(CARD_TEMPLATE.to_owned()),
            guests: [ALICE, LINA, BOB].map(str::to_owned).to_vec(),
            timing: quick(),
            toml: Vec::new(),
            settings: None,
            places: None,
            way: Way::Stream,
        }
    }

    /// How messages come in.
    pub(super) fn over(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    pub(super) fn script(mut self, name: &str, text: &str) -> Self {
        self.scripts.push((name.to_owned(), text.to_owned()));
        self
    }

    /// More of the settings file, for either kind of host; it wins over what the stage says. `{home}` becomes the folder of
    /// the test.
    pub(super) fn toml(mut self, text: &str) -> Self {
        self.toml.push(text.to_owned());
        self
    }

    /// Changes the settings of a host in this process: what no file can say. Else [`Setup::toml`].
    pub(super) fn settings(mut self, change: Settings) -> Self {
        self.settings = Some(change);
        self
    }

    pub(super) fn template(mut self, id: &str) -> Self {
        self.template = Some(id.to_owned());
        self
    }

    /// How many rows may be under way in a host of this process.
    pub(super) fn places(mut self, places: Places) -> Self {
        self.places = Some(places);
        self
    }

    /// Who may write to the bot; `"*"` is everyone.
    pub(super) fn guests(mut self, guests: &[&str]) -> Self {
        self.guests = guests.iter().map(|&guest| guest.to_owned()).collect();
        self
    }

    pub(super) fn without_template(mut self) -> Self {
        self.template = None;
        self
    }

    pub(super) fn sim(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    pub(super) fn timing(mut self, change: impl FnOnce(&mut Timing)) -> Self {
        change(&mut self.timing);
        self
    }

    /// The simulator and the folders, without a host yet.
    pub(super) async fn stage(self) -> Stage {
        let home = TempDir::new().unwrap();
        let scripts = home.path().join("scripts");
        fs::create_dir(&scripts).unwrap();
        let sim = Sim::start(self.options).await.unwrap();
        let tunnel = match self.way {
            Way::Stream => None,
            Way::Http => Some(Tunnel::open().await),
        };
        let stage = Stage {
            home,
            sim,
            tunnel,
            template: self.template,
            guests: self.guests,
            timing: self.timing,
            toml: self.toml,
            settings: self.settings,
            places: self.places,
        };
        for (name, text) in &self.scripts {
            stage.write(name, text);
        }
        stage
    }

    pub(super) async fn start(self) -> TestHost {
        self.stage().await.start().await
    }

    /// The real binary.
    pub(super) async fn spawn(self) -> HostProcess {
        self.stage().await.spawn().await
    }
}

/// Everything around the host; it stays when the host goes.
#[derive(Debug)]
pub(super) struct Stage {
    // Before the folder: sockets end first.
    pub(super) sim: Sim,
    pub(super) home: TempDir,
    /// In HTTP mode.
    pub(super) tunnel: Option<Tunnel>,
    pub(super) template: Option<String>,
    pub(super) guests: Vec<String>,
    timing: Timing,
    pub(super) toml: Vec<String>,
    pub(super) settings: Option<Settings>,
    places: Option<Places>,
}

/// What can be seen in the chats.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) state: &'a State,
    stage: &'a Stage,
}

impl Seen<'_> {
    /// What the bot said in the direct chat with `person`; a card counts with its text.
    pub(super) fn to(&self, person: &str) -> Vec<&str> {
        self.state.replies(&self.stage.sim.direct_chat(person))
    }

    /// The same, of questions what their script asked: without the time until which they can be answered.
    pub(super) fn asked(&self, person: &str) -> Vec<&str> {
        fn question(said: &str) -> &str {
            said.rsplit_once("\nuntil ").map_or(said, |(question, _)| question)
        }
        self.to(person).into_iter().map(question).collect()
    }

    pub(super) fn in_group(&self, index: usize) -> Vec<&str> {
        self.state.replies(&self.stage.sim.group(index))
    }

    /// Everything that the bot said anywhere.
    pub(super) fn all(&self) -> Vec<&str> {
        self.state.chats.iter().flat_map(|chat| self.state.replies(&chat.id)).collect()
    }
}

/// A place where a handler waits until the test lets it go on. Dropping it opens it too.
#[derive(Debug)]
pub(super) struct Gate {
    path: PathBuf,
    _writer: fs::File,
}

impl Gate {
    pub(super) fn open(self) {
        drop(self);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Who has the pipe open reads its end when the writer goes; who comes later finds an empty file.
        let empty = self.path.with_extension("open");
        let _ = fs::write(&empty, "").and_then(|()| fs::rename(empty, &self.path));
    }
}

impl Stage {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a script, in one step as an editor would.
    pub(super) fn write(&self, name: &str, text: &str) {
        let home = self.home.path().to_str().unwrap();
        let fresh = self.path("new-script");
        fs::write(&fresh, text.replace("{home}", home)).unwrap();
        fs::rename(fresh, self.path("scripts").join(name)).unwrap();
    }

    /// The settings as the real binary reads them, and what a test changes in them.
    pub(super) fn config(&self) -> Config {
        let source = Source { file: Some(settings(self)), ..Source::default() };
        let mut config = load(&source, Need::Account).unwrap().config;
        if let Some(settings) = &self.settings {
            settings(&mut config, self.home.path());
        }
        config
    }

    /// From now on DingTalk calls the host that listens there; `None`: nobody is there to be called.
    pub(super) fn is_called_at(&self, host: Option<SocketAddr>) {
        let Some(tunnel) = &self.tunnel else { return };
        tunnel.leads_to(host);
        let app = match host {
            None => sim::App::Stream,
            Some(_) => sim::App::Http {
                robot: format!("{}/robot", tunnel.url()),
                event: Some(format!("{}/event", tunnel.url())),
                token: TOKEN.to_owned(),
                aes_key: AES_KEY.to_owned(),
            },
        };
        self.sim.app(app).unwrap();
    }

    pub(super) async fn start(self) -> TestHost {
        self.start_at(Clock::default()).await
    }

    /// The real binary.
    pub(super) async fn spawn(self) -> HostProcess {
        HostProcess::spawn(self).await
    }

    /// A host whose months are those of `clock`.
    pub(super) async fn start_at(self, clock: Clock) -> TestHost {
        let app = App::open_at(self.config(), "run", None, clock).await.unwrap();
        let app = app.timing(self.timing.clone()).places(self.places.unwrap_or_default());
        let stop = CancellationToken::new();
        self.is_called_at(app.addresses().map(|addresses| addresses.listen));
        let mut running = JoinSet::new();
        running.spawn(Box::pin(app.run(stop.clone())));
        let host = TestHost { running, stop, stage: self };
        host.until("the host is connected", |seen| seen.state.bot.connected).await;
        host
    }

    /// `person` says something in the direct chat; returns the msgId.
    #[track_caller]
    pub(super) fn say(&self, person: &str, text: &str) -> String {
        self.sim.say(&Say::direct(person, text)).unwrap()
    }

    /// `person` says something to the bot in a group.
    #[track_caller]
    pub(super) fn say_in(&self, group: usize, person: &str, text: &str) -> String {
        self.sim.say(&Say::in_chat(self.sim.group(group), person, text)).unwrap()
    }

    /// From now on, the next so many calls whose path starts so fail so.
    pub(super) fn fail(&self, path: &str, kind: HttpFaultKind, calls: u32) {
        let fault = HttpFault::new(kind).on(path).calls(calls);
        self.sim.faults(&FaultOrder { http: vec![fault], ..FaultOrder::default() });
    }

    /// Waits until the chats look so; past the deadline it fails with the transcript.
    #[track_caller]
    pub(super) fn until(
        &self,
        what: &str,
        mut wanted: impl FnMut(&Seen<'_>) -> bool,
    ) -> impl Future<Output = ()> {
        let place = Location::caller();
        let seen =
            self.sim.until_within(PATIENCE, move |state| wanted(&Seen { state, stage: self }));
        async move {
            if let Err(error) = seen.await {
                panic!("{place}: never seen: {what}\n{error}{}", self.notes());
            }
        }
    }

    /// Waits for something that only the disk shows.
    #[track_caller]
    pub(super) fn until_true(
        &self,
        what: &str,
        mut wanted: impl FnMut() -> bool,
    ) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let deadline = tokio::time::Instant::now() + PATIENCE;
            while !wanted() {
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "{place}: never true: {what}\n{}{}",
                    self.sim.transcript(),
                    self.notes()
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Seen<'_>) -> T) -> T {
        look(&Seen { state: &self.sim.state(), stage: self })
    }

    /// Handlers that say `hold NAME` or `card NAME` will wait at this gate.
    pub(super) fn hold(&self, name: &str) -> Gate {
        let path = self.path(&format!("{name}.gate"));
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Open in both directions it blocks nobody here, and readers wait for as long as it is open.
        let writer = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Gate { path, _writer: writer }
    }

    /// Waits until so many handlers have arrived at their gates since the start.
    #[track_caller]
    pub(super) fn entered(&self, names: &[&str]) -> impl Future<Output = ()> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        self.until_true("they wait at their gates", move || {
            let entered = self.lines("entered");
            names.iter().all(|name| entered.contains(name))
        })
    }

    /// The lines of a file in the folder of the test; none if it is not there.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What the journals hold, for a test that fails.
    fn notes(&self) -> String {
        let mut text = String::new();
        for file in ["err", "ran", "entered"] {
            let lines = self.lines(file);
            if !lines.is_empty() {
                let _ = writeln!(text, "== {file}\n{}", lines.join("\n"));
            }
        }
        text
    }

    /// Asks the journal in the state folder.
    #[track_caller]
    pub(super) fn journal(&self, question: &str) -> i64 {
        count(&self.state_dir(), question)
    }
}

#[track_caller]
pub(super) fn count(state: &Path, question: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection =
        rusqlite::Connection::open_with_flags(state.join("moonbell.db"), flags).unwrap();
    connection.query_row(question, [], |row| row.get(0)).unwrap()
}

/// A host in this process.
#[derive(Debug)]
pub(super) struct TestHost {
    // Ends before what it stands on.
    running: JoinSet<Result<(), Fatal>>,
    stop: CancellationToken,
    stage: Stage,
}

impl Deref for TestHost {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl TestHost {
    /// Asks it to stop; [`TestHost::ended`] waits.
    pub(super) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits for its end in order; what is around it stays.
    pub(super) async fn ended(mut self) -> Stage {
        let ended = tokio::time::timeout(PATIENCE, self.running.join_next()).await;
        match ended {
            Ok(Some(Ok(Ok(())))) => {
                self.stage.is_called_at(None);
                self.stage
            }
            other => {
                panic!("the host did not end in order: {other:?}\n{}", self.stage.sim.transcript())
            }
        }
    }

    pub(super) async fn stop(self) -> Stage {
        self.ask_to_stop();
        self.ended().await
    }
}

/// As the real ones, but nobody waits for them.
pub(super) fn quick() -> Timing {
    Timing {
        backoff: Duration::from_millis(10),
        backoff_cap: Duration::from_millis(200),
        commit_retry: Duration::from_millis(50),
        ..Timing::default()
    }
}
