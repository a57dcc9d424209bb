//! Runs: to end one, and to run one again.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use serde_json::{Value, json};

use super::{Desk, Refused};
use crate::access::{Action, Actor, Door, OWNER};

pub(super) fn router() -> Router<Arc<Desk>> {
    Router::new().route("/runs/{id}/stop", post(stop)).route("/runs/{id}/again", post(again))
}

fn unknown(id: &str) -> Refused {
    Refused::not_found(format!("there is no run `{id}`"))
        .hint("`moonbell runs` lists them; one id per run, five letters and digits")
}

/// Whoever has the key of the console is at this computer; what they ask for is decided and recorded like anything else.
pub(super) fn may(desk: &Desk, word: &str, run: &str) -> Result<(), Refused> {
    let actor = Actor::local(Door::Console);
    let action = Action::Control { word, role: Some(OWNER), run };
    let decided = desk.dispatch.access.authorize(&actor, None, None, action);
    decided.map_err(|why| Refused::conflict(why.to_string()))
}

async fn stop(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refused> {
    may(&desk, "stop", &id)?;
    let stopped = desk.dispatch.stop_run(&id).await;
    if stopped.map_err(|error| Refused::failed(&error))? {
        return Ok(Json(json!({ "run": id })));
    }
    let known = desk.dispatch.knows(&id).await.map_err(|error| Refused::failed(&error))?;
    Err(if known {
        Refused::conflict(format!("run `{id}` has ended already"))
    } else {
        unknown(&id)
    })
}

/// As the owner, with the owner's rights: whoever has the key of the console may do what the owner may.
async fn again(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refused> {
    may(&desk, "again", &id)?;
    let Some(owner) = desk.dispatch.access.owner() else {
        return Err(Refused::conflict("nobody owns this bot, so nobody can run anything")
            .hint("`moonbell claim` prints a code for it, or set `access.owner`"));
    };
    let taken = desk.dispatch.again_for_owner(&id, &owner).await;
    match taken.map_err(|error| Refused::failed(&error))? {
        None => Err(unknown(&id)),
        Some(Err(why)) => Err(Refused::conflict(format!("run `{id}` cannot be run again: {why}"))),
        Some(Ok(new)) => Ok(Json(json!({ "run": new, "again": id }))),
    }
}
