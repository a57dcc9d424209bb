//! The Stream: a WebSocket to DingTalk that is always there, whatever happens to it.
//!
//! One supervisor, one attempt at a time. When the server asks to move, the next socket is opened at once while the
//! old one is still read and acknowledged until it closes. Refused credentials are tried again slowly, because somebody
//! has to correct them first; everything else comes back with a jittered, doubling wait.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;

use super::Fatal;
use super::backoff::Backoff;
use super::counters::Counters;
use super::link::{Link, Phase, State};
use super::rivals::Rivals;
use super::socket::{Ended, Ending, News, Socket, Ws, describe};
use super::wake::slept;
use crate::config;
use crate::config::Current;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Client;
use crate::dingtalk::Connection;
use crate::inbox::Inbox;
use crate::words::Lang;
use crate::words::dingtalk as says;
use crate::words::network as w;

/// Long rich texts and forwarded chats come near it; nothing honest goes beyond.
const MAX_FRAME_BYTES: usize = 1024 * 1024;
/// A socket tells two things at most, and few sockets overlap.
const NEWS_QUEUE: usize = 16;

/// The times of both ways in, so that tests need not wait for them.
#[derive(Clone, Debug)]
pub struct Timing {
    /// From the request for a ticket until the socket is open.
    pub open: Duration,
    /// Between pings.
    pub ping: Duration,
    /// Without any frame a socket counts as deaf after this.
    pub silence: Duration,
    /// A tick this late means that the computer slept.
    pub jump: Duration,
    /// The first wait after a failure, doubled each time.
    pub backoff: Duration,
    pub backoff_cap: Duration,
    /// The wait after refused credentials.
    pub refused: Duration,
    /// A connection that lived this long was a good one.
    pub healthy: Duration,
    /// How long an old socket is read after the server said that it will close it (it does so after about 10 s).
    pub leave: Duration,
    /// A write that takes longer means a broken connection.
    pub write: Duration,
    /// Commits under way may take this long when a socket ends.
    pub drain: Duration,
    /// Between attempts to store a delivery, and when to leave it to DingTalk to send it again.
    pub commit_retry: Duration,
    pub commit_patience: Duration,
    /// For the headers of a call in HTTP mode, and for its body.
    pub head: Duration,
    pub body: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(20),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(90),
            jump: Duration::from_secs(15),
            backoff: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(1),
            refused: Duration::from_mins(5),
            healthy: Duration::from_secs(30),
            leave: Duration::from_secs(30),
            write: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            commit_retry: Duration::from_secs(1),
            commit_patience: Duration::from_secs(30),
            head: Duration::from_secs(5),
            body: Duration::from_secs(5),
        }
    }
}

/// The transport. Built, watched through [`Stream::state`], then [run](Stream::run).
#[derive(Debug)]
pub struct Stream {
    client: Client,
    inbox: Inbox,
    timing: Timing,
    late_after: Option<Current<config::Connection>>,
    state: watch::Sender<State>,
    counters: Arc<Counters>,
}

/// Why no socket could be opened.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("{0}")]
    Socket(String),
}

/// What to do where DingTalk will not have this app.
pub fn advice(error: &ApiError, lang: Lang) -> String {
    let foreign = error.code == Connection::FOREIGN;
    let last = if foreign { says::not_dingtalks } else { says::set_up_stream };
    error.hint_in(lang).unwrap_or_else(|| last(lang).to_owned())
}

/// Opens the socket of `connection`.
pub(super) async fn shake_hands(
    client: &Client,
    connection: &Connection,
) -> Result<Ws, StreamError> {
    let failed = |why: &dyn std::fmt::Display| {
        StreamError::Socket(w::no_connection_to(connection.host(), &why.to_string(), Lang::En))
    };
    let wire = client.dial(connection.url()).await.map_err(|error| failed(&error))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let request = connection.url().as_str();
    let shaken = tokio_tungstenite::client_async_tls_with_config(request, wire, Some(config), None);
    match Box::pin(shaken).await {
        Ok((ws, _)) => Ok(ws),
        Err(error) => Err(failed(&describe(&error))),
    }
}

impl Stream {
    pub fn new(client: Client, inbox: Inbox) -> Self {
        Self {
            client,
            inbox,
            timing: Timing::default(),
            late_after: None,
            state: watch::Sender::new(State::new()),
            counters: Arc::default(),
        }
    }

    /// Replaces the times, for tests.
    #[must_use]
    pub fn timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// Messages that took longer than this to come are taken in as late: their senders are told, and nothing is run.
    #[must_use]
    pub fn late_after(self, settings: Current<config::Connection>) -> Self {
        Self { late_after: Some(settings), ..self }
    }

    /// Returns a view of the connection, for those who tell how it is.
    pub fn link(&self) -> Link {
        let silence = self.timing.silence;
        Link {
            state: self.state.subscribe(),
            counters: self.counters.clone(),
            silence: Some(silence),
        }
    }

    fn enter(&self, phase: Phase) {
        self.state.send_modify(|state| state.enter(phase));
    }

    /// Returns a view of the connection's state that follows it.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Returns the counters, which go on counting.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Stays connected until `stop`, then finishes the commits under way.
    ///
    /// # Errors
    /// [`Fatal`] only when nothing can be stored any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Fatal> {
        let mut sockets = JoinSet::new();
        // The sockets outlive a fatal error here only as long as their own drain takes.
        let sockets_stop = stop.child_token();
        let result = self.supervise(&stop, &sockets_stop, &mut sockets).await;
        sockets_stop.cancel();
        let drained = async { while sockets.join_next().await.is_some() {} };
        if tokio::time::timeout(self.timing.drain + self.timing.write, drained).await.is_err() {
            tracing::warn!("a connection did not close in time");
        }
        self.enter(Phase::Stopped);
        result
    }

    async fn supervise(
        &self,
        stop: &CancellationToken,
        sockets_stop: &CancellationToken,
        sockets: &mut JoinSet<Ended>,
    ) -> Result<(), Fatal> {
        let (told, mut news) = mpsc::channel(NEWS_QUEUE);
        let mut backoff = Backoff::new(self.timing.backoff, self.timing.backoff_cap);
        // A server that sends no keepalive looks deaf each time; then it is given more time, up to a bound.
        let mut silence = self.timing.silence;
        let mut rivals = Rivals::default();
        let mut renewals = self.client.renewals();
        // Ends a socket that goes as soon as there is another.
        let mut outlived: Option<CancellationToken> = None;
        for id in 0u64.. {
            // One that is deaf, or about to move, is what it is until there is another.
            if !matches!(self.state.borrow().phase, Phase::Deaf { .. } | Phase::Connected) {
                self.enter(Phase::Connecting);
            }
            renewals.mark_unchanged();
            let opened = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                opened = self.open() => opened,
            };
            let wait = match opened {
                Ok(ws) => {
                    let ends = sockets_stop.child_token();
                    let socket = Socket {
                        id,
                        inbox: self.inbox.clone(),
                        meter: Arc::clone(self.client.meter()),
                        timing: Timing { silence, ..self.timing.clone() },
                        counters: self.counters.clone(),
                        news: told.clone(),
                        late_after: self.late_after.clone(),
                        stop: ends.clone(),
                    };
                    sockets.spawn(socket.run(ws));
                    if let Some(old) = outlived.take() {
                        old.cancel();
                    }
                    self.counters.connected();
                    // After a deaf one the handshake proves nothing.
                    if !matches!(self.state.borrow().phase, Phase::Deaf { .. }) {
                        self.enter(Phase::Connected);
                    }
                    if self.client.is_simulated() {
                        tracing::info!("connected to a simulated DingTalk on this computer");
                    } else {
                        tracing::info!("connected to DingTalk");
                    }
                    let since = Instant::now();
                    let ended = tokio::select! {
                        biased;
                        () = stop.cancelled() => return Ok(()),
                        Ok(()) = renewals.changed() => Next::Renew,
                        ended = self.current_ends(id, sockets, &mut news) => ended,
                    };
                    if since.elapsed() >= self.timing.healthy {
                        backoff.reset();
                    }
                    match ended {
                        Next::Renew => {
                            tracing::info!("the app has a new secret; connecting anew with it");
                            outlived = Some(ends);
                            Duration::ZERO
                        }
                        Next::Move => {
                            self.closed(&mut rivals, since.elapsed());
                            tracing::info!(
                                "the server will close this connection; opening the next one"
                            );
                            backoff.next_unless_first()
                        }
                        Next::Ended(Ended { ending: Ending::JournalClosed(reason), .. }) => {
                            return Err(Fatal::Journal(reason));
                        }
                        Next::Ended(Ended { ending: Ending::Deaf(reason), heard, .. }) => {
                            tracing::warn!(
                                "the connection is open but deaf ({reason}); opening another one"
                            );
                            silence = if heard {
                                self.timing.silence
                            } else {
                                (silence * 2).min(self.timing.silence * 8)
                            };
                            self.enter(Phase::Deaf { reason });
                            backoff.next_unless_first()
                        }
                        Next::Ended(Ended { ending: Ending::Slept, .. }) => {
                            tracing::info!("the computer slept; opening a new connection");
                            self.enter(Phase::Connecting);
                            backoff.reset();
                            backoff.next_unless_first()
                        }
                        Next::Ended(Ended { ending: Ending::ClosedByServer(reason), .. }) => {
                            self.closed(&mut rivals, since.elapsed());
                            self.back_off(backoff.next(), reason)
                        }
                        Next::Ended(Ended { ending: Ending::Closed(reason), .. }) => {
                            self.back_off(backoff.next(), reason)
                        }
                        // Only `stop` stops a socket.
                        Next::Ended(Ended { ending: Ending::Stopped, .. }) => return Ok(()),
                    }
                }
                Err(StreamError::Socket(reason)) => self.back_off(backoff.next(), reason),
                Err(StreamError::Api(error)) => self.api_failed(&error, &mut backoff),
            };
            let waited = async {
                let deadline = tokio::time::sleep(wait);
                tokio::pin!(deadline);
                let slept = slept(self.timing.jump);
                tokio::pin!(slept);
                loop {
                    tokio::select! {
                        () = &mut deadline => break Ok(()),
                        // What was refused may be right now.
                        Ok(()) = renewals.changed() => {
                            backoff.reset();
                            break Ok(());
                        }
                        // Whatever was in the way may have been the network of another place.
                        _ = &mut slept => {
                            tracing::info!("the computer slept; connecting now");
                            backoff.reset();
                            break Ok(());
                        }
                        Some(ended) = sockets.join_next(), if !sockets.is_empty() => reap(ended)?,
                    }
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                waited = waited => waited?,
            }
        }
        Ok(())
    }

    /// Gets a ticket and opens the socket with it.
    async fn open(&self) -> Result<Ws, StreamError> {
        let open = async {
            let connection = self.client.open_connection().await?;
            Box::pin(shake_hands(&self.client, &connection)).await
        };
        let Ok(opened) = tokio::time::timeout(self.timing.open, Box::pin(open)).await else {
            let limit = self.timing.open;
            let why = w::not_open_within(&format!("{limit:?}"), Lang::En);
            return Err(StreamError::Socket(why));
        };
        opened
    }

    fn api_failed(&self, error: &ApiError, backoff: &mut Backoff) -> Duration {
        let refused = matches!(
            error.class,
            Class::Credentials
                | Class::Token
                | Class::Scope(_)
                | Class::IpNotAllowed
                | Class::Permanent
        );
        if !refused {
            let asked = error.retry_after.filter(|_| error.class == Class::Throttled);
            let wait = backoff.next().max(asked.unwrap_or_default());
            return self.back_off(wait, error.to_string());
        }
        let wait = self.timing.refused;
        let hint = Some(advice(error, Lang::En));
        tracing::error!(hint, wait_secs = wait.as_secs(), "DingTalk refuses this app: {error}");
        let until = SystemTime::now() + wait;
        let can_send = !matches!(error.class, Class::Credentials | Class::Token);
        self.enter(Phase::Refused { until, reason: error.to_string(), hint, can_send });
        wait
    }

    /// The server closed a connection that lived so long.
    fn closed(&self, rivals: &mut Rivals, lived: Duration) {
        let closed_soon = rivals.closed(lived);
        let news = closed_soon.filter(|_| self.state.borrow().closed_soon.is_none());
        if let Some(times) = news {
            tracing::warn!(
                times,
                hint = "look for another moonbell or bot that runs with this client id, perhaps on another computer; give \
                        each an app of its own",
                "DingTalk keeps closing connections soon after they were opened, as it does when two programs are \
                 connected as the same app"
            );
        }
        self.state.send_modify(|state| state.closed_soon = closed_soon);
    }

    fn back_off(&self, wait: Duration, reason: String) -> Duration {
        tracing::warn!(wait_ms = wait.as_millis(), "not connected to DingTalk: {reason}");
        self.enter(Phase::BackingOff { until: SystemTime::now() + wait, reason });
        wait
    }

    /// Waits until the socket `id` ends or is asked to; collects older ones that end meanwhile.
    async fn current_ends(
        &self,
        id: u64,
        sockets: &mut JoinSet<Ended>,
        news: &mut mpsc::Receiver<News>,
    ) -> Next {
        loop {
            tokio::select! {
                Some(news) = news.recv() => match news {
                    News::Leaving(leaving) if leaving == id => return Next::Move,
                    News::Heard(heard) if heard == id && !self.state.borrow().is_up() => {
                        self.enter(Phase::Connected);
                    }
                    News::Leaving(_) | News::Heard(_) => {}
                },
                Some(joined) = sockets.join_next() => match joined {
                    Ok(ended) if ended.id == id || matches!(ended.ending, Ending::JournalClosed(_)) => {
                        return Next::Ended(ended);
                    }
                    Ok(ended) => tracing::debug!(?ended, "an older connection ended"),
                    Err(panic) => {
                        // Which one it was cannot be told; a new one is right in either case.
                        tracing::error!("a connection failed inside: {panic}");
                        let ending = Ending::Closed("it failed inside, see the log".to_owned());
                        return Next::Ended(Ended { id, ending, heard: true });
                    }
                },
            }
        }
    }
}

/// Why the next socket is needed.
enum Next {
    /// The server asked for it; the current one is still served.
    Move,
    /// The current one was opened with a secret that is not the app's any more.
    Renew,
    Ended(Ended),
}

/// Takes note of a socket that ended while the next one is waited for.
fn reap(joined: Result<Ended, tokio::task::JoinError>) -> Result<(), Fatal> {
    match joined {
        Ok(Ended { ending: Ending::JournalClosed(reason), .. }) => Err(Fatal::Journal(reason)),
        Ok(ended) => {
            tracing::debug!(?ended, "a connection ended");
            Ok(())
        }
        Err(panic) => {
            tracing::error!("a connection failed inside: {panic}");
            Ok(())
        }
    }
}
