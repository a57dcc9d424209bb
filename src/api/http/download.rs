//! Fetching a file, piece by piece: never all of it in memory.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::sync::mpsc;
use url::Url;

use super::Caller;
use super::body::Body;
use super::call::{self, Request};
use crate::access::Reach;
use crate::api::failure::Failure;
use crate::api::fs::inbox::Piece;

/// Between two pieces: a line that is silent for longer is dead.
const IDLE: Duration = Duration::from_secs(30);

impl Caller {
    /// Fetches `url` and hands over each piece of its body and then how it ended; at most `max` bytes, within `timeout`.
    /// Cancel safe: dropped, there is no end.
    ///
    /// No header goes with it: a signed link is broken by one, and says all that is needed.
    pub(crate) async fn download(
        &self,
        url: Url,
        max: u64,
        timeout: Duration,
        pieces: mpsc::Sender<Piece>,
    ) {
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
            timeout: IDLE.min(timeout),
            redirects: true,
            reach: Reach::All,
        };
        let fetched = async {
            let response = self.send(request).await?;
            let status = response.status().as_u16();
            match status {
                200..300 => {}
                // What object stores say of a link whose time is over.
                403 | 404 | 410 => {
                    let message =
                        format!("`{host}` does not give the file any more (status {status})");
                    return Err(
                        Failure::new("expired", message).hint("ask for the file to be sent again")
                    );
                }
                _ => {
                    let message =
                        format!("`{host}` answered with status {status} instead of the file");
                    return Err(Failure::new("network", message));
                }
            }
            if response.content_length().is_some_and(|length| length > max) {
                return Err(too_large(max));
            }
            let mut body = Body::new(response, IDLE.min(timeout), max, None);
            while let Some(chunk) = body.chunk().await.map_err(|failure| match failure.kind {
                "too_large" => too_large(max),
                _ => failure,
            })? {
                if pieces.send(Piece::Chunk(chunk)).await.is_err() {
                    break; // the disk has given up, and says why
                }
            }
            Ok(())
        };
        let end = match tokio::time::timeout(timeout, fetched).await {
            Ok(Ok(())) => Piece::End,
            Ok(Err(failure)) => Piece::Failed(failure),
            Err(_) => Piece::Failed(call::timed_out(&host, timeout)),
        };
        // Nobody takes it when the disk has given up.
        let _ = pieces.send(end).await;
    }
}

fn too_large(max: u64) -> Failure {
    Failure::new("too_large", format!("the file has more than {max} bytes"))
        .hint("give a larger `max`")
}
