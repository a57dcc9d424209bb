//! `POST /api/outbox/{ID|all}/retry` and `…/drop`: what is to become of parked replies.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use serde::{Deserialize, Serialize};

use super::runs::may;
use super::{Desk, Refused};
use crate::outbox::Which;

/// The replies that were meant and were parked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    pub ids: Vec<i64>,
}

pub(super) fn router() -> Router<Arc<Desk>> {
    Router::new()
        .route("/outbox/{which}/retry", post(retry))
        .route("/outbox/{which}/drop", post(drop_parked))
}

async fn retry(
    State(desk): State<Arc<Desk>>,
    Path(which): Path<String>,
) -> Result<Json<Done>, Refused> {
    may(&desk, "parked", "")?;
    let meant = meant(&which)?;
    let ids = desk.dispatch.outbox.retry(meant).await.map_err(|error| Refused::failed(&error))?;
    done(meant, ids)
}

async fn drop_parked(
    State(desk): State<Arc<Desk>>,
    Path(which): Path<String>,
) -> Result<Json<Done>, Refused> {
    may(&desk, "parked", "")?;
    let meant = meant(&which)?;
    let dropped = desk.dispatch.outbox.drop_parked(meant).await;
    done(meant, dropped.map_err(|error| Refused::failed(&error))?)
}

fn meant(which: &str) -> Result<Which, Refused> {
    Which::parse(which).ok_or_else(|| {
        let expected = format!("`{which}` is no reply; expected its number or `all`");
        Refused::not_found(expected).hint("`moonbell outbox` lists them")
    })
}

fn done(meant: Which, ids: Vec<i64>) -> Result<Json<Done>, Refused> {
    match meant {
        Which::One(id) if ids.is_empty() => {
            Err(Refused::not_found(format!("no reply `{id}` is parked"))
                .hint("`moonbell outbox` lists them"))
        }
        _ => Ok(Json(Done { ids })),
    }
}
