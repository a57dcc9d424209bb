//! The local door: how other programs on this computer see the host and ask it for something.
//!
//! `GET /health` is for service managers and monitors and needs no key. Everything under `/api/` wants the key, or better a
//! [proof] of it, that is written, with the address, into `console.json` in the state folder, readable by its owner only: whoever can read the
//! journal may also ask. Web pages are kept out: no foreign name for this address, no origin.
//!
//! Knows nothing of how the host is connected, nor of settings: that comes as a [`Status`](crate::telemetry::status).

mod answer;
mod api;
mod contact;
mod doors;
mod guard;
mod health;
mod outbox;
pub mod proof;
mod runs;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::sink::hide;
use crate::telemetry::status::Status;
use crate::worker::Dispatch;

pub use answer::Refused;
pub use contact::Contact;
pub use outbox::Done as OutboxDone;
pub use proof::Question;

/// The host, as the routes see it.
pub struct Desk {
    /// How the host is at this moment: what `status` shows.
    pub moment: Box<dyn Fn() -> Status + Send + Sync>,
    pub dispatch: Dispatch,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// The door, bound and not yet open: see [`Console::run`].
#[derive(Debug)]
pub struct Console {
    listener: TcpListener,
    contact: Contact,
    state: PathBuf,
}

impl Console {
    /// Binds `listen`, or, if that is taken, a free port of the same address. Others find it in the folder `state`.
    ///
    /// # Errors
    /// When nothing can be bound.
    pub async fn bind(listen: SocketAddr, state: &Path) -> io::Result<Self> {
        let listener = match TcpListener::bind(listen).await {
            Ok(listener) => listener,
            Err(error) => {
                let listener = TcpListener::bind(SocketAddr::new(listen.ip(), 0)).await?;
                let at = listener.local_addr()?;
                tracing::warn!(
                    "`console.listen` is {listen}, which cannot be used ({error}); the console listens on {at} this time"
                );
                listener
            }
        };
        let contact = Contact::new(listener.local_addr()?);
        hide(&contact.token);
        Ok(Self { listener, contact, state: state.to_owned() })
    }

    /// `http://127.0.0.1:7878`
    pub fn url(&self) -> String {
        self.contact.url()
    }

    /// The port it listens on.
    pub fn port(&self) -> Option<u16> {
        self.listener.local_addr().ok().map(|address| address.port())
    }

    /// Serves until `stop`; then takes away the file that leads here.
    pub async fn run(self, desk: Desk, stop: CancellationToken) {
        let router = router(Arc::new(desk), &self.contact.token);
        let (contact, state) = (self.contact, self.state);
        if let Err(error) = contact.write(&state) {
            tracing::warn!(dir = %state.display(), "other commands cannot find this host: console.json cannot be written: {error}");
        }
        doors::serve(self.listener, router, stop).await;
        Contact::remove(&state);
    }
}

fn router(desk: Arc<Desk>, token: &str) -> Router {
    let api =
        api::router().fallback(api::unknown).layer(axum::middleware::from_fn(guard::key(token)));
    Router::new()
        .merge(health::router())
        .nest("/api", api)
        .layer(axum::middleware::from_fn(guard::from_this_computer))
        .with_state(desk)
}
