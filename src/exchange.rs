//! One request and its answer on a connection that anybody may have opened: little room, little time, and no second request,
//! so that none hides behind the first and nobody keeps a place for nothing.
//!
//! Knows neither who may ask nor what is answered.

use std::error::Error;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// Browsers and DingTalk send a dozen headers, and proxies add some.
const HEADERS: usize = 64;

/// For the request line and all headers.
const HEAD_BYTES: usize = 16 * 1024;

/// Lets `service` answer one request from `stream`, whose head may take so long. On `stop`, whoever has asked for nothing yet
/// is let go, and who has asked is answered.
///
/// # Errors
/// When the connection ended before the answer did.
pub(crate) async fn one<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: S,
    head: Duration,
    stop: &CancellationToken,
) -> Result<(), hyper::Error>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .keep_alive(false)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
