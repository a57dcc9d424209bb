//! Settings: defaults, then the file, then the environment, then flags; read raw, then checked into one [`Config`].
//!
//! Every problem is reported at once, with file and line. The keys are a contract: see `docs/config.md`.

mod address;
mod check;
mod current;
mod duration;
mod file;
mod http;
mod keys;
mod kind;
mod limits;
mod load;
mod network;
mod problem;
mod proxy;
mod reference;
mod secret;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::message::StaffId;

pub use address::{AddressError, ends_in_a_door, is_a_path, read_address};
pub use current::Current;
pub use load::{Loaded, Need, Places, Source, load};
pub use network::Network;
pub use problem::{Example, Place, Problem, Problems};
pub use proxy::{Proxy, ProxyError, ProxyKind};
pub use reference::reference;

/// All settings of one host, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub language: Language,
    pub dingtalk: DingTalk,
    pub cards: Cards,
    pub http: Http,
    pub scripts: Scripts,
    pub state: State,
    pub history: History,
    pub access: Access,
    pub console: Console,
    pub budget: Budget,
    pub connection: Connection,
    /// On the way to DingTalk; `None`: none is.
    pub proxy: Option<Proxy>,
    /// What is logged; `None`: the usual.
    pub log_filter: Option<String>,
    pub limits: Limits,
    pub shutdown: Shutdown,
    /// For scripts, by name; `None` when a value could not be read and was not needed.
    pub secrets: BTreeMap<String, Option<Secret>>,
}

impl Config {
    /// All defaults, no credentials, nobody allowed: for `dev` and tests, which fill in what they need.
    ///
    /// # Panics
    ///
    /// Never: the defaults are constants.
    pub fn new(scripts: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        let base = |text: &str| Url::parse(text).expect("a constant");
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            language: Language::Auto,
            dingtalk: DingTalk {
                client_id: String::new(),
                client_secret: Secret::new(""),
                corp_id: None,
                mode: Mode::Stream,
                api_base: base("https://api.dingtalk.com"),
                oapi_base: base("https://oapi.dingtalk.com"),
                card_template: None,
                card_key: "content".to_owned(),
            },
            cards: Cards {
                calls_per_second: 20.0,
                attach: Attach::Always,
                attach_bytes: 64 << 20,
                stop_actions: ["stop", "btn_stop"].map(str::to_owned).to_vec(),
                buttons: 0,
            },
            http: Http {
                listen: local(8787),
                path: "/dingtalk".to_owned(),
                public_url: None,
                window: Duration::from_mins(5),
                trusted_proxies: Vec::new(),
                allow: Vec::new(),
                token: None,
                aes_key: None,
                card_secret: None,
                tls: None,
            },
            scripts: Scripts {
                dir: scripts.into(),
                folders: vec!["/".into()],
                private_hosts: Vec::new(),
                closed: Vec::new(),
                asked: Vec::new(),
            },
            state: State::new(state),
            history: History::default(),
            access: Access::default(),
            console: Console { listen: local(7878) },
            budget: Budget::default(),
            connection: Connection::default(),
            proxy: None,
            log_filter: None,
            limits: Limits::default(),
            shutdown: Shutdown { deadline: Duration::from_secs(10) },
            secrets: BTreeMap::new(),
        }
    }
}

impl Config {
    /// All that nobody may be shown.
    pub fn every_secret(&self) -> impl Iterator<Item = &Secret> {
        let doors = [&self.http.token, &self.http.aes_key, &self.http.card_secret];
        let proxy = self.proxy.iter().flat_map(|proxy| &proxy.login);
        doors
            .into_iter()
            .flatten()
            .chain([&self.dingtalk.client_secret])
            .chain(self.secrets.values().flatten())
            .chain(proxy.map(|(_, password)| password))
    }
}

/// The language in which somebody wishes to be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The one they write in.
    #[default]
    Auto,
    Zh,
    En,
}

impl Language {
    /// As it is written in the file and kept in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Auto, Self::Zh, Self::En].into_iter().find(|language| language.word() == word)
    }
}

#[derive(Clone, Debug)]
pub struct DingTalk {
    pub client_id: String,
    pub client_secret: Secret,
    /// The organisation that the app belongs to; `None`: it is learnt from the owner.
    pub corp_id: Option<String>,
    pub mode: Mode,
    /// Base of the current API; endpoints handed out must be on this host (or DingTalk's own).
    pub api_base: Url,
    /// Base of the legacy API: webhooks, media.
    pub oapi_base: Url,
    /// Template id of the streaming card; `None`: Markdown instead of cards.
    pub card_template: Option<String>,
    /// The variable of the template that streams.
    pub card_key: String,
}

impl DingTalk {
    /// Which app this is, of those of every DingTalk: its client id, and the host of its API. Ports of one host are one.
    pub fn app(&self) -> String {
        format!("{}@{}", self.client_id, self.api_base.host_str().unwrap_or_default())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Stream,
    Http,
}

/// How cards are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Cards {
    /// Of all cards together.
    pub calls_per_second: f64,
    pub attach: Attach,
    /// Bytes of one output that are kept on disk.
    pub attach_bytes: u64,
    /// Action ids of the template's Stop button; empty: it has none.
    pub stop_actions: Vec<String>,
    /// Buttons that the template has for the answers to questions; 0: questions are asked in words.
    pub buttons: usize,
}

/// When the whole output of a card is sent as a file beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// Whenever it did not fit.
    #[default]
    Always,
    /// When it did not fit and the card did not end well.
    OnFailure,
    Never,
}

/// Where DingTalk's callbacks arrive; read when the mode is [`Mode::Http`].
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    pub listen: SocketAddr,
    /// Begins with `/`, does not end with one.
    pub path: String,
    /// What DingTalk calls in the place of `http://{listen}{path}`.
    pub public_url: Option<Url>,
    /// How old a call may be, by its signed time.
    pub window: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Who may call; empty: everyone.
    pub allow: Vec<Network>,
    /// Token and AES key of the event subscription: both or neither; without them that door stays shut.
    pub token: Option<Secret>,
    pub aes_key: Option<Secret>,
    /// Signs card callbacks; without it that door stays shut.
    pub card_secret: Option<Secret>,
    /// `None`: plain HTTP, behind a proxy or tunnel.
    pub tls: Option<Tls>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Scripts {
    pub dir: PathBuf,
    /// What `fs` reaches; `/` is everything that the user may.
    pub folders: Vec<PathBuf>,
    /// Private addresses that `http` may call, as `host` or `host:port`.
    pub private_hosts: Vec<String>,
    /// Files that no script reaches. Not a setting: that of the settings itself, once it is known.
    pub closed: Vec<PathBuf>,
    /// Folders in `dir` whose scripts are other people's: they get what was granted, and nothing else.
    pub asked: Vec<String>,
}

/// The one of `folders`, which are other people's, that a script is in; `script` is its path below the scripts folder.
pub fn asked_folder<'f>(folders: &'f [String], script: &str) -> Option<&'f str> {
    let folder = script.split_once('/')?.0;
    folders.iter().map(String::as_str).find(|asked| *asked == folder)
}

#[derive(Clone, Debug)]
pub struct State {
    pub dir: PathBuf,
    /// One for all hosts of this user, whatever their `dir`: who answers for which app.
    pub locks: PathBuf,
}

impl State {
    fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let locks = dir.join(LOCKS);
        Self { dir, locks }
    }
}

/// In the data folder of the user.
const LOCKS: &str = "locks";

/// How long it is remembered what ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub keep: Duration,
    /// Of the journal; `None`: no limit.
    pub max_bytes: Option<u64>,
}

impl Default for History {
    fn default() -> Self {
        Self { keep: Duration::from_hours(30 * 24), max_bytes: Some(512 << 20) }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Access {
    pub owner: Option<StaffId>,
    /// Role name to staff ids; `"*"` is everyone.
    pub roles: BTreeMap<String, Vec<String>>,
}

/// Who owns the bot, as everybody sees it who has a handle: whoever claims it is known to all at once.
pub type Owner = Current<Option<StaffId>>;

#[derive(Clone, Debug)]
pub struct Console {
    pub listen: SocketAddr,
}

/// What DingTalk gives the organisation each month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls of its API; `None`: no limit.
    pub api_calls: Option<u64>,
    /// Webhook & Stream messages; `None`: no limit.
    pub pushes: Option<u64>,
    /// Whether a message through a webhook counts among the latter.
    pub webhooks_count: bool,
}

impl Default for Budget {
    /// The free plan, since November 2025.
    fn default() -> Self {
        Self { api_calls: Some(5_000), pushes: Some(3_000), webhooks_count: true }
    }
}

impl Budget {
    /// Counted, but without limits: what is not DingTalk's costs nothing.
    pub fn unlimited() -> Self {
        Self { api_calls: None, pushes: None, ..Self::default() }
    }
}

/// What is made of messages that could not come in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// A message that took longer than this to come is not run.
    pub late_after: Duration,
    /// The owner is told of outages longer than this.
    pub tell_after: Duration,
    /// How long late messages are waited for before the owner is told. Not a setting: DingTalk repeats after 16 s, a
    /// minute, or two to three minutes.
    pub collect: Duration,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            late_after: Duration::from_mins(5),
            tell_after: Duration::from_mins(5),
            collect: Duration::from_mins(2),
        }
    }
}

/// How far scripts and people may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Of one run: from its start to its end, and of that, executing Lua.
    pub run_time: Duration,
    pub run_cpu: Duration,
    /// Bytes that one script may hold, with all its runs.
    pub memory_bytes: usize,
    /// Bytes that one script may keep in `kv`.
    pub kv_bytes: u64,
    /// Of one run: bytes that its programs may write, messages, and programs open at the same time.
    pub output_bytes: u64,
    pub replies: usize,
    pub processes: usize,
    /// Programs of all runs open at the same time.
    pub all_processes: usize,
    /// Runs under way at the same time, of one person and of one handler; `None`: no limit.
    pub person_runs: Option<u64>,
    pub handler_runs: Option<u64>,
    /// Runs that one person may start in any minute; `None`: no limit.
    pub person_per_minute: Option<u64>,
    /// Messages of one handler, and into one conversation, in a minute; answers are counted from the eleventh of a run.
    pub per_minute: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            run_time: Duration::from_mins(10),
            run_cpu: Duration::from_secs(10),
            memory_bytes: 64 << 20,
            kv_bytes: 64 << 20,
            output_bytes: 64 << 20,
            replies: 200,
            per_minute: 200,
            processes: 16,
            all_processes: 256,
            person_runs: Some(32),
            handler_runs: Some(4_096),
            person_per_minute: Some(60),
        }
    }
}

impl Limits {
    /// Nobody is refused for how much they ask: for tests and benches, in which few people say a lot.
    #[must_use]
    pub fn for_anybody(self) -> Self {
        Self { person_runs: None, handler_runs: None, person_per_minute: None, ..self }
    }
}

#[derive(Clone, Debug)]
pub struct Shutdown {
    /// How long runs may go on when the host is asked to stop; then they are interrupted.
    pub deadline: Duration,
}

/// A value that never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the wire, never for text that a person reads.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
