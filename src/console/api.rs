//! Everything under `/api/`. Each area has a file with its own `router()`, and a line here.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::{Desk, Refused};
use crate::telemetry::status::Status;

pub(super) fn router() -> Router<Arc<Desk>> {
    Router::new()
        .route("/status", get(status))
        .merge(super::outbox::router())
        .merge(super::runs::router())
}

/// What `status --json` shows, as it is now.
async fn status(State(desk): State<Arc<Desk>>) -> Json<Status> {
    Json((desk.moment)())
}

/// A newer command may ask an older host.
pub(super) async fn unknown(method: axum::http::Method, uri: axum::http::Uri) -> Refused {
    Refused::not_found(format!("this host has no `{method} /api{}`", uri.path()))
        .hint("the host may be older than this command: stop it and start it again")
}
