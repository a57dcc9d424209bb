//! The HTTP mode: DingTalk calls, and each call becomes a committed inbox row before it is answered.
//!
//! Whoever finds the address can call too. So a connection gets little: one request, few headers, a small body, seconds;
//! there are so many connections at once, and so many from one place. What proves a call is in [`door`] and in
//! [`crate::dingtalk::Callbacks`]; what is refused learns nothing from how.
//!
//! Knows nothing of handlers, and of cards only where their clicks go.

mod certificate;
mod door;
mod peer;
mod refusal;
mod route;
mod rules;
mod seen;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::Fatal;
use super::link::{Link, Phase};
use super::stream::Timing;
use super::wake::slept;
use crate::access::Audit;
use crate::config::Connection;
use crate::config::Current;
use crate::config::Http;
use crate::dingtalk::Callbacks;
use crate::dingtalk::Client;
use crate::dingtalk::Door;
use crate::dingtalk::KeyError;
use crate::exchange;
use crate::inbox::Inbox;
use crate::store::Store;

use door::Desk;
use peer::Seats;
use route::Route;
pub use rules::Rules;
use seen::Seen;
use tls::Certificate;
pub use tls::{Fit, Unfit, look as look_at_certificate};

/// Connections at once; beyond them the next ones wait in the system's queue. A call takes milliseconds.
const CONNECTIONS: usize = 256;
/// Of these, from one address that is not this computer or a trusted proxy: nobody alone keeps DingTalk out.
const FROM_ONE: usize = 64;
/// For the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// After this a connection is closed, whatever it is doing: more than the sum of what each step may take.
const WHOLE: Duration = Duration::from_secs(20);
/// Between attempts to accept, when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Why the doors cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    Keys(#[from] KeyError),
    #[error("cannot listen on `{listen}` (`http.listen`): {cause}")]
    Listen { listen: SocketAddr, cause: std::io::Error },
    #[error("{}: {reason}", file.display())]
    Certificate { file: PathBuf, reason: Unfit },
    #[error(transparent)]
    Journal(#[from] crate::store::Error),
}

impl OpenError {
    /// The owner's next step.
    pub fn hint(&self) -> Option<&'static str> {
        use std::io::ErrorKind;
        Some(match self {
            Self::Keys(KeyError::NoSecret) => {
                "set the client secret of your app (`dingtalk.client_secret`)"
            }
            Self::Keys(KeyError::AesKey) => "copy the AES key of the event subscription again",
            Self::Listen { cause, .. } => match cause.kind() {
                ErrorKind::AddrInUse => {
                    "another program has this port: stop it, or set another one and tell your proxy or tunnel"
                }
                ErrorKind::AddrNotAvailable => {
                    "this computer does not have that address: listen on 127.0.0.1 behind a proxy, or on 0.0.0.0"
                }
                ErrorKind::PermissionDenied => {
                    "ports below 1024 are not for everyone: take a higher one"
                }
                _ => return None,
            },
            Self::Journal(error) => return error.hint(),
            Self::Certificate { reason: Unfit::Expired(_), .. } => "renew it, into the same files",
            Self::Certificate { reason: Unfit::Early(_), .. } => {
                "check this computer's clock; if it is right, take a certificate that is good already"
            }
            Self::Certificate { .. } => {
                "`http.tls.cert` and `http.tls.key` are PEM files: the certificate with its chain, and its key"
            }
        })
    }
}

/// Where DingTalk is to call: what is copied into its console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub listen: SocketAddr,
    /// Whether TLS ends here.
    pub tls: bool,
    /// Whether they are good from outside; else on this computer only.
    pub public: bool,
    pub robot: String,
    /// `None`: that door is shut.
    pub event: Option<String>,
    /// `None`: that door is shut.
    pub card: Option<String>,
}

/// The transport: bound, then [run](Webhook::run).
#[derive(Debug)]
pub struct Webhook {
    listener: TcpListener,
    addresses: Addresses,
    certificate: Option<Certificate>,
    client: Client,
    desk: Desk,
}

impl Webhook {
    /// Binds `http.listen` and reads the certificate. Nothing is answered until [`Webhook::run`].
    ///
    /// # Errors
    /// [`OpenError`], also when the client secret is empty.
    pub async fn bind(
        settings: &Http,
        client: Client,
        inbox: Inbox,
        audit: Audit,
        store: Store,
    ) -> Result<Self, OpenError> {
        let callbacks = Callbacks::new(client.clone(), settings)?;
        let certificate = settings.tls.as_ref().map(Certificate::load).transpose()?;
        let failed = |cause| OpenError::Listen { listen: settings.listen, cause };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let listen = listener.local_addr().map_err(failed)?;
        let addresses = Addresses::of(settings, listen, &callbacks, client.is_simulated());
        let seen = Seen::open(store).await?;
        let meter = Arc::clone(client.meter());
        let rules = Rules::new(settings.clone(), callbacks);
        let desk = Desk::new(settings.clone(), rules, inbox, meter, audit, seen);
        Ok(Self { listener, addresses, certificate, client, desk })
    }

    /// Replaces the times, for tests.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.desk.timing = timing;
        self
    }

    /// Messages that took longer than this to come are taken in as late: their senders are told, and nothing is run.
    #[must_use]
    pub fn late_after(mut self, settings: Current<Connection>) -> Self {
        self.desk.late_after = Some(settings);
        self
    }

    /// What changes what calls have to show, while they come in.
    pub fn rules(&self) -> Rules {
        self.desk.rules.clone()
    }

    /// Where DingTalk is to call.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Returns a view of the doors, for those who tell how they are.
    pub fn link(&self) -> Link {
        let Desk { state, counters, .. } = &self.desk;
        Link { state: state.subscribe(), counters: Arc::clone(counters), silence: None }
    }

    /// Answers one connection as [`Webhook::run`] answers those of its listener: for fuzzing.
    pub(crate) async fn answer(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        answer(stream, self.addresses.listen.ip(), &self.desk, CancellationToken::new()).await;
    }

    /// Answers calls until `stop`, then finishes those under way.
    ///
    /// # Errors
    /// [`Fatal`] only when nothing can be stored any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Fatal> {
        let Self { listener, addresses, certificate, client, desk } = self;
        let desk = Arc::new(desk);
        let enter = |phase| desk.state.send_modify(|state| state.enter(phase));
        let jump = desk.timing.jump;
        let seats = Seats::new(FROM_ONE);
        let (mut aside, mut connections) = (JoinSet::new(), JoinSet::new());
        if let Some(route) = Route::of(&addresses, &desk.settings, client) {
            aside.spawn(route.keep());
        }
        let certificate = certificate.map(Arc::new);
        if let Some(certificate) = certificate.clone() {
            aside.spawn(async move { certificate.keep().await });
        }
        addresses.tell();
        enter(Phase::Registered);
        let mut sleeps = Box::pin(slept(jump));
        let result = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                reason = desk.journal_closed() => break Err(Fatal::Journal(reason)),
                Some(ended) = connections.join_next(), if !connections.is_empty() => reap(ended),
                Some(ended) = aside.join_next(), if !aside.is_empty() => reap(ended),
                _ = &mut sleeps => {
                    tracing::info!("the computer slept; nothing could be received");
                    // For those who tell of outages: since when it is up begins anew.
                    enter(Phase::Connecting);
                    enter(Phase::Registered);
                    sleeps.set(slept(jump));
                }
                accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((tcp, from)) => {
                        let from = from.ip().to_canonical();
                        let exempt = from.is_loopback() || desk.trusts(from);
                        let Some(seat) = seats.take(from, exempt) else {
                            tracing::debug!(%from, "too many connections from one address");
                            continue;
                        };
                        let tls = certificate.as_ref().map(|certificate| certificate.current());
                        let (desk, stop) = (Arc::clone(&desk), stop.clone());
                        connections.spawn(async move {
                            let _seat = seat;
                            serve(tcp, from, tls, &desk, stop).await;
                        });
                    }
                    Err(error) => {
                        if let Some(more) = desk.counters.waiting.tell() {
                            tracing::warn!(more, "a connection cannot be accepted: {error}");
                        }
                        tokio::time::sleep(NO_ROOM).await;
                    }
                },
            }
        };
        // From now on nobody gets in; who is in is answered.
        drop(listener);
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(desk.timing.drain, finish).await.is_err() {
            tracing::warn!("calls were still under way when the doors were shut");
        }
        enter(Phase::Stopped);
        result
    }
}

/// One connection, from its handshake to its end.
async fn serve(
    tcp: TcpStream,
    from: std::net::IpAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    desk: &Desk,
    stop: CancellationToken,
) {
    // An answer is one small packet: never held back to be merged.
    let _ = tcp.set_nodelay(true);
    let whole = async {
        let Some(tls) = tls else { return answer(tcp, from, desk, stop).await };
        match tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(tcp)).await {
            Ok(Ok(stream)) => answer(stream, from, desk, stop).await,
            Ok(Err(error)) => tracing::debug!(%from, "a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!(%from, "a TLS handshake took too long"),
        }
    };
    if tokio::time::timeout(WHOLE, Box::pin(whole)).await.is_err() {
        tracing::debug!(%from, "a connection was closed, because it took too long");
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    from: std::net::IpAddr,
    desk: &Desk,
    stop: CancellationToken,
) {
    let service = service_fn(async |request| {
        Ok::<_, std::convert::Infallible>(desk.serve(from, request).await)
    });
    if let Err(error) = exchange::one(stream, service, desk.timing.head, &stop).await {
        tracing::debug!(%from, "a connection ended early: {error}");
    }
}

fn reap(ended: Result<(), tokio::task::JoinError>) {
    if let Err(panic) = ended {
        tracing::error!("a connection failed inside: {panic}");
    }
}

impl Addresses {
    /// A DingTalk that is `simulated` on this computer can call what no other can.
    fn of(settings: &Http, listen: SocketAddr, callbacks: &Callbacks, simulated: bool) -> Self {
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let base = settings.public_url.as_ref().map_or_else(
            || format!("{scheme}://{listen}{}", settings.path),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        );
        let url = |door: Door| format!("{base}/{}", door.name());
        let open = |door| callbacks.is_open(door).then(|| url(door));
        Self {
            listen,
            tls: settings.tls.is_some(),
            public: settings.public_url.is_some() || simulated,
            robot: url(Door::Robot),
            event: open(Door::Event),
            card: open(Door::Card),
        }
    }

    /// One line for the log: what to copy, and what is missing.
    fn tell(&self) {
        let Self { listen, robot, .. } = self;
        tracing::info!(
            "DingTalk's calls are received at {listen}; its address for messages is {robot}"
        );
        if !self.public {
            tracing::warn!(
                "`http.public_url` is not set: the address above is good on this computer only, and card buttons do nothing"
            );
        } else if self.card.is_none() {
            tracing::warn!(
                "`http.card_secret` is not set: card buttons do nothing; the word `stop` works all the same"
            );
        }
    }
}
