//! An answer that a rehearsal gives in place of another computer.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::call::{Request, timed_out};
use crate::api::failure::Failure;
use crate::api::world::{Answer, Asked};
use crate::clock::Clock;

/// What is left of the body, piece by piece.
pub(super) type Chunks = VecDeque<Bytes>;

/// Calls `look` with the request as a world sees it.
pub(super) fn asked<T>(request: &Request, look: impl FnOnce(&Asked<'_>) -> T) -> T {
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    look(&Asked {
        method: request.method.as_str(),
        url: request.url.as_str(),
        headers: &headers,
        body: request.body.as_deref(),
    })
}

/// Waits until the answer begins, or until nobody waits for it any more.
pub(super) async fn begin(
    clock: &Clock,
    answer: Answer,
    host: &str,
    timeout: Duration,
) -> Result<(u16, HeaderMap, Chunks), Failure> {
    if answer.error == Some("timeout") || answer.takes >= timeout {
        clock.sleep(timeout).await;
        return Err(timed_out(host, timeout));
    }
    clock.sleep(answer.takes).await;
    if answer.error.is_some() {
        let why = format!("no answer from `{host}`: the connection was refused (so says the test)");
        return Err(Failure::new("network", why));
    }
    let headers = answer.headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    Ok((answer.status, headers.collect(), answer.chunks.into_iter().map(Bytes::from).collect()))
}
