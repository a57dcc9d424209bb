//! A stand-in for DingTalk on real loopback sockets, for `moonbell dev`, examples and tests.
//!
//! It speaks the wire of `api.dingtalk.com`, `oapi.dingtalk.com` and the stream gateway well enough that a client
//! needs nothing but another base URL: tokens, connections, frames with acknowledgements and redelivery, session
//! webhooks, robot sends, media, and cards with their state machine, limits and errors. Around it there is a
//! made-up organisation with a chat page, a control API, and faults on demand.
//!
//! It shares no parsing with `dingtalk/`: a stand-in that shares the client's mistakes proves nothing. And it refuses
//! credentials that could be real ones, so that it can never be mistaken for DingTalk.

mod answer;
mod api;
mod apps;
mod call;
mod caller;
mod card_calls;
mod cards;
mod connections;
mod control;
mod doors;
mod error;
mod faults;
mod files;
mod gateway;
mod media;
mod messages;
mod options;
mod orders;
mod page;
mod people;
mod posts;
mod registration;
mod render;
mod robot;
mod scan;
mod seal;
mod server;
mod socket;
mod templates;
mod view;
mod wire;
mod world;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use axum::serve::ListenerExt;
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::broadcast;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::doors::Answered;
pub use self::doors::App;
pub use self::doors::Crook;
pub use self::doors::Crooked;
pub use self::doors::Door;
pub use self::error::NotSeen;
pub use self::error::OrderError;
pub use self::error::StartError;
pub use self::faults::ActiveFaults;
pub use self::faults::FaultOrder;
pub use self::faults::HttpFault;
pub use self::faults::HttpFaultKind;
pub use self::options::CLIENT_ID_PREFIX;
pub use self::options::CLIENT_SECRET_PREFIX;
pub use self::options::Clocks;
pub use self::options::Limits;
pub use self::options::NewGroup;
pub use self::options::NewPerson;
pub use self::options::Options;
pub use self::options::Registration;
pub use self::orders::Click;
pub use self::orders::Clicked;
pub use self::orders::Say;
pub use self::registration::Scanned;
#[doc(hidden)]
pub use self::seal::EventKeys;
pub(crate) use self::seal::{card_sign, robot_sign};
pub use self::socket::RawFrame;
pub use self::templates::Family;
pub use self::templates::Template;
pub use self::templates::{CARD_BUTTONS, CARD_TEMPLATE};
pub use self::view::BOT;
pub use self::view::Bot;
pub use self::view::Button;
pub use self::view::Card;
pub use self::view::CardState;
pub use self::view::Change;
pub use self::view::Chat;
pub use self::view::ChatKind;
pub use self::view::Counters;
pub use self::view::Direction;
pub use self::view::File;
pub use self::view::Message;
pub use self::view::MessageKind;
pub use self::view::Person;
pub use self::view::Quote;
pub use self::view::State;
pub use self::view::Wire;
pub use self::view::WireKind;

use self::orders::PendingClick;
use self::world::World;

/// Long enough for a busy machine, short enough that a broken test ends.
const UNTIL: Duration = Duration::from_secs(10);
/// How long [`Sim::stop`] waits for sockets to end politely.
const STOP: Duration = Duration::from_secs(2);

/// A running simulator. Dropping it ends it at once; [`Sim::stop`] ends it politely.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What every request and socket of one simulator shares.
#[derive(Debug)]
struct Shared {
    base_url: String,
    /// Opens the control API and the page.
    token: String,
    port: u16,
    world: Mutex<World>,
    redelivery: Arc<Notify>,
    stop: CancellationToken,
    sockets: TaskTracker,
}

impl Shared {
    /// Never held across an `await`.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn click(&self, click: &Click) -> Result<Clicked, OrderError> {
        let pending = self.world().click(click)?;
        let answered = match pending {
            PendingClick::NotSent(why) => return Ok(Clicked::NotSent { why }),
            PendingClick::Sent(answered) => answered,
        };
        let deadline = self.world().options.clocks.card_answer;
        if let Ok(Ok(response)) = tokio::time::timeout(deadline, answered).await {
            self.world().take_card_answer(&click.card, &click.from, &response);
            return Ok(Clicked::Answered { response });
        }
        self.world().connections.forget_given_up();
        Ok(Clicked::TimedOut)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Sim {
    /// Starts serving. When this returns the port is bound and calls are answered.
    ///
    /// # Errors
    ///
    /// Refuses credentials that could be real, and reports a port that is taken.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        options.check()?;
        let bind_error = |source| StartError::Bind { port: options.port, source };
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(bind_error)?;
        let port = listener.local_addr().map_err(bind_error)?.port();
        let base_url = format!("http://127.0.0.1:{port}");
        let redelivery = Arc::new(Notify::new());
        let (calls, to_make) = mpsc::channel(connections::OUTGOING_FRAMES);
        let shared = Arc::new(Shared {
            base_url: base_url.clone(),
            token: Uuid::new_v4().simple().to_string(),
            port,
            world: Mutex::new(World::new(options, base_url, Arc::clone(&redelivery), calls)),
            redelivery,
            stop: CancellationToken::new(),
            sockets: TaskTracker::new(),
        });
        let mut tasks = JoinSet::new();
        let app = server::router(Arc::clone(&shared));
        let stopped = shared.stop.clone().cancelled_owned();
        tasks.spawn(async move {
            // Frames are small and waited for: never held back to be merged.
            let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        tasks.spawn(socket::redeliver(Arc::clone(&shared)));
        tasks.spawn(caller::run(Arc::clone(&shared), to_make));
        Ok(Self { shared, tasks })
    }

    /// Ends every socket and waits for the tasks behind them, for two seconds at most.
    pub async fn stop(mut self) {
        self.shared.stop.cancel();
        self.shared.sockets.close();
        let ended = async {
            self.shared.sockets.wait().await;
            while self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }

    // ---- Where it is ----

    /// Returns `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.shared.base_url
    }

    /// Returns the address of the chat page, with the token in its fragment, where no server log sees it.
    pub fn page_url(&self) -> String {
        format!("{}/sim/#token={}", self.shared.base_url, self.shared.token)
    }

    /// What stands in for `https://api.dingtalk.com`.
    pub fn api_base(&self) -> &str {
        &self.shared.base_url
    }

    /// What stands in for `https://oapi.dingtalk.com`.
    pub fn oapi_base(&self) -> &str {
        &self.shared.base_url
    }

    /// Returns the token of the control API.
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    pub fn client_id(&self) -> String {
        self.shared.world().options.client_id.clone()
    }

    /// Returns the `corpId` of the organisation that everybody here belongs to.
    pub fn corp_id(&self) -> String {
        self.shared.world().organisation.corp_id.clone()
    }

    pub fn client_secret(&self) -> String {
        self.shared.world().options.client_secret.clone()
    }

    /// Returns the id of the direct chat between a person and the bot.
    pub fn direct_chat(&self, staff_id: &str) -> String {
        people::direct_chat(staff_id)
    }

    /// Returns the id of the group at this place in [`Options::groups`].
    pub fn group(&self, index: usize) -> String {
        people::group_chat(index)
    }

    // ---- What happens there ----

    /// A person says something. Returns the msgId; whether the bot got it is for [`Sim::until`] to see.
    ///
    /// # Errors
    ///
    /// The order names a chat, person, file or message that is not there.
    pub fn say(&self, say: &Say) -> Result<String, OrderError> {
        self.shared.world().say(say)
    }

    /// Keeps a file that [`Say::with_file`] can send, under whatever name.
    pub fn upload(&self, name: &str, bytes: impl Into<Bytes>) -> String {
        self.shared.world().files.keep(name, bytes.into()).id
    }

    /// Clicks a button and waits for the answer, for as long as DingTalk would.
    ///
    /// # Errors
    ///
    /// There is no such card or person.
    pub async fn click(&self, click: &Click) -> Result<Clicked, OrderError> {
        self.shared.click(click).await
    }

    /// Somebody scans this code of the device flow, or the newest one, and decides.
    ///
    /// # Errors
    ///
    /// No such code waits.
    pub fn scan(&self, user_code: Option<&str>, scanned: Scanned) -> Result<(), OrderError> {
        self.shared.world().scan(user_code, scanned)
    }

    /// Tells the app of things over its connections, or by calls.
    ///
    /// # Errors
    ///
    /// An address is not on this computer.
    pub fn app(&self, mode: App) -> Result<(), OrderError> {
        self.shared.world().set_app(mode)
    }

    /// Makes a call that DingTalk would not make, out of the last honest one.
    ///
    /// # Errors
    ///
    /// There was none yet.
    pub async fn crooked(&self, order: &Crooked) -> Result<Answered, OrderError> {
        self.shared.crooked(order).await
    }

    /// Misbehaves as ordered.
    pub fn faults(&self, order: &FaultOrder) {
        self.shared.world().order_faults(order);
    }

    /// Pushes an event.
    pub fn event(&self, event_type: &str, data: &Value) {
        self.shared.world().push_event(event_type, data);
    }

    /// Pushes a CALLBACK frame with any topic and data.
    pub fn callback(&self, topic: &str, data: &Value) {
        self.shared.world().push(connections::Push::callback(topic, data));
    }

    /// Sends anything at all on every open connection.
    ///
    /// # Errors
    ///
    /// No connection is open.
    pub fn raw(&self, frame: RawFrame) -> Result<(), OrderError> {
        self.shared.world().send_raw(frame)
    }

    // ---- What can be seen ----

    pub fn state(&self) -> State {
        self.shared.world().state()
    }

    /// Returns the wire log after this line; 0 for all that is kept.
    /// Returns how many messages, events and clicks the bot has not acknowledged yet and may still be told again.
    pub fn unacknowledged(&self) -> usize {
        self.shared.world().connections.pushes.len()
    }

    pub fn wire(&self, after: u64) -> Vec<Wire> {
        self.shared.world().wire_after(after)
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.shared.world().subscribe()
    }

    /// Returns cards in a chat that have not come to an end: each is a spinner in front of a reader.
    pub fn stuck_cards(&self) -> Vec<Card> {
        let world = self.shared.world();
        let media = world.files.media_urls();
        world.cards.values().filter(|card| card.is_stuck()).map(|card| card.view(&media)).collect()
    }

    /// Waits until the state is as described, for ten seconds at most.
    ///
    /// # Errors
    ///
    /// It never was; the error prints the transcript.
    pub async fn until(&self, seen: impl FnMut(&State) -> bool) -> Result<State, NotSeen> {
        self.until_within(UNTIL, seen).await
    }

    /// As [`Sim::until`], with a patience of its own.
    ///
    /// # Errors
    ///
    /// It never was; the error prints the transcript.
    pub async fn until_within(
        &self,
        patience: Duration,
        mut seen: impl FnMut(&State) -> bool,
    ) -> Result<State, NotSeen> {
        let mut revision = self.shared.world().revision();
        let watched = async {
            loop {
                revision.mark_unchanged();
                let state = self.state();
                if seen(&state) {
                    return state;
                }
                if revision.changed().await.is_err() {
                    // The world outlives `self`, so this never ends: the deadline does.
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(patience, watched).await {
            Ok(state) => Ok(state),
            Err(_) => Err(NotSeen { waited: patience, transcript: self.transcript() }),
        }
    }

    /// Returns chats, cards and the wire log as text: what a failing test prints.
    pub fn transcript(&self) -> String {
        use std::fmt::Write as _;
        let state = self.state();
        let mut text = String::new();
        for chat in &state.chats {
            let messages =
                state.messages.iter().filter(|message| message.chat == chat.id).collect::<Vec<_>>();
            if !messages.is_empty() {
                let _ = writeln!(text, "== {} ({:?})", chat.title, chat.kind);
            }
            for message in messages {
                let card = message.card.as_deref().and_then(|id| state.card(id));
                let shown = card.map_or(message.text.clone(), |card| {
                    format!("[card {:?}] {}", card.state, card.text)
                });
                let _ = writeln!(text, "{}: {shown}", message.from);
            }
        }
        let _ = writeln!(text, "== wire");
        for line in self.wire(0) {
            let arrow = if line.dir == Direction::In { "<-" } else { "->" };
            let status = line.status.map(|status| format!(" {status}")).unwrap_or_default();
            let mut body = line.body.to_string();
            if let Some((cut, _)) = body.char_indices().nth(400) {
                body.truncate(cut);
                body.push('…');
            }
            let _ = writeln!(text, "{arrow} {}{status} {body}", line.summary);
        }
        text
    }
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
