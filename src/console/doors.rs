//! Connections to the console: few, and none that only waits. Whoever opens a thousand takes no file from the host, which
//! needs them to hear and to answer.

use std::time::Duration;

use axum::Router;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::exchange;

/// At once: those who ask are a few commands and a monitor.
const CONNECTIONS: usize = 64;

/// What the head of a request may take.
const HEAD: Duration = Duration::from_secs(5);

/// What a connection may take, from its first byte to its last: an order is a few words, its answer a list.
const WHOLE: Duration = Duration::from_mins(1);

/// What a request under way may take when the host ends.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a connection that could not be accepted.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Answers until `stop`, then finishes what is under way.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(panic) = ended {
                    tracing::error!("a request to the console failed inside: {panic}");
                }
            }
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(answer(tcp, router.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::debug!("a connection to the console cannot be accepted: {error}");
                    tokio::time::sleep(NO_ROOM).await;
                }
            },
        }
    }
    drop(listener);
    // A client that never ends its request holds up nobody.
    let finish = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(PATIENCE, finish).await;
}

/// One request and its answer: who has more to say connects again.
async fn answer(tcp: TcpStream, router: Router, stop: CancellationToken) {
    let exchange = exchange::one(tcp, TowerToHyperService::new(router), HEAD, &stop);
    match tokio::time::timeout(WHOLE, exchange).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a connection to the console ended early: {error}"),
        Err(_) => {
            tracing::debug!("a connection to the console was closed, because it took too long");
        }
    }
}
