//! `GET /health`: 200 only while frames flow, so that a monitor hears of a bot that has gone deaf.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Serialize;

use super::Desk;

pub(super) fn router() -> Router<Arc<Desk>> {
    Router::new().route("/health", get(health))
}

/// The words of the connection's state are those of `moonbell status --json`.
#[derive(Serialize)]
struct Health {
    healthy: bool,
    state: String,
    /// Unix time, UTC.
    since_ms: i64,
    reason: Option<String>,
    warning: Option<String>,
    hint: Option<String>,
    /// When the next attempt is made, while none is under way.
    until_ms: Option<i64>,
    last_frame_at_ms: Option<i64>,
}

async fn health(State(desk): State<Arc<Desk>>) -> (StatusCode, Json<Health>) {
    let connection = (desk.moment)().connection;
    let healthy = connection.is_up();
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let health = Health {
        healthy,
        state: connection.state,
        since_ms: connection.since_ms,
        reason: connection.error,
        warning: connection.warning,
        hint: connection.hint,
        until_ms: connection.until_ms,
        last_frame_at_ms: connection.last_frame_at_ms,
    };
    (code, Json(health))
}
