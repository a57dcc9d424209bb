//! The control API under `/sim/api`: what the page, tests and users tell the simulator to do.
//!
//! Everything needs the token. A call that changes something needs it in a header, which no foreign page can send;
//! event sources and pictures cannot send headers and may put it into the query.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Multipart;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::response::sse::KeepAlive;
use axum::routing::get;
use axum::routing::post;
use futures_util::Stream;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::Answered;
use super::App;
use super::Change;
use super::Click;
use super::Clicked;
use super::Crooked;
use super::FaultOrder;
use super::OrderError;
use super::RawFrame;
use super::Say;
use super::Scanned;
use super::Shared;
use super::Wire;
use super::server::same_secret;

pub(super) fn router(shared: Arc<Shared>) -> Router<Arc<Shared>> {
    let upload_bytes = shared.world().options.limits.upload_bytes;
    Router::new()
        .route("/state", get(state))
        .route("/events", get(events))
        .route("/say", post(say))
        .route("/upload", post(upload))
        .route("/click", post(click))
        .route("/faults", get(armed).post(faults))
        .route("/registration", post(registration))
        .route("/raw", post(raw))
        .route("/event", post(event))
        .route("/callback", post(callback))
        .route("/app", get(app).post(set_app))
        .route("/crooked", post(crooked))
        .route("/wire", get(wire))
        .layer(DefaultBodyLimit::max(upload_bytes + 64 * 1024))
        .layer(axum::middleware::from_fn_with_state(shared, require_token))
}

async fn require_token(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let in_query =
        (request.method() == Method::GET).then(|| token_in(request.uri().query())).flatten();
    let given = bearer.map(str::to_owned).or(in_query);
    if !given.is_some_and(|given| same_secret(&given, &shared.token)) {
        let error =
            "the token is missing or wrong; it is in the address that `moonbell dev` printed";
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": error }))).into_response();
    }
    next.run(request).await
}

fn token_in(query: Option<&str>) -> Option<String> {
    let (_, token) =
        url::form_urlencoded::parse(query?.as_bytes()).find(|(name, _)| name == "token")?;
    Some(token.into_owned())
}

impl IntoResponse for OrderError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

async fn state(State(shared): State<Arc<Shared>>) -> Json<super::State> {
    Json(shared.world().state())
}

async fn say(
    State(shared): State<Arc<Shared>>,
    Json(order): Json<Say>,
) -> Result<Json<Value>, OrderError> {
    let id = shared.world().say(&order)?;
    Ok(Json(json!({ "msg_id": id })))
}

async fn click(
    State(shared): State<Arc<Shared>>,
    Json(order): Json<Click>,
) -> Result<Json<Clicked>, OrderError> {
    Ok(Json(shared.click(&order).await?))
}

async fn armed(State(shared): State<Arc<Shared>>) -> Json<super::ActiveFaults> {
    Json(shared.world().faults.clone())
}

async fn faults(
    State(shared): State<Arc<Shared>>,
    Json(order): Json<FaultOrder>,
) -> Json<super::ActiveFaults> {
    let mut world = shared.world();
    world.order_faults(&order);
    Json(world.faults.clone())
}

#[derive(Debug, Deserialize)]
struct ScanOrder {
    /// The newest one, where none is named.
    user_code: Option<String>,
    #[serde(flatten)]
    scanned: Scanned,
}

async fn registration(
    State(shared): State<Arc<Shared>>,
    Json(order): Json<ScanOrder>,
) -> Result<StatusCode, OrderError> {
    shared.world().scan(order.user_code.as_deref(), order.scanned)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOrder {
    frame: RawFrame,
}

async fn raw(
    State(shared): State<Arc<Shared>>,
    Json(order): Json<RawOrder>,
) -> Result<StatusCode, OrderError> {
    shared.world().send_raw(order.frame)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventOrder {
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    data: Value,
}

async fn event(State(shared): State<Arc<Shared>>, Json(order): Json<EventOrder>) -> StatusCode {
    shared.world().push_event(&order.event_type, &order.data);
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallbackOrder {
    topic: String,
    data: Value,
}

async fn callback(
    State(shared): State<Arc<Shared>>,
    Json(order): Json<CallbackOrder>,
) -> StatusCode {
    shared.world().push(super::connections::Push::callback(&order.topic, &order.data));
    StatusCode::NO_CONTENT
}

async fn app(State(shared): State<Arc<Shared>>) -> Json<App> {
    Json(shared.world().mode.clone())
}

async fn set_app(
    State(shared): State<Arc<Shared>>,
    Json(mode): Json<App>,
) -> Result<StatusCode, OrderError> {
    shared.world().set_app(mode)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn crooked(
    State(shared): State<Arc<Shared>>,
    Json(order): Json<Crooked>,
) -> Result<Json<Answered>, OrderError> {
    Ok(Json(shared.crooked(&order).await?))
}

#[derive(Debug, Deserialize)]
struct WireQuery {
    #[serde(default)]
    after: u64,
}

async fn wire(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<WireQuery>,
) -> Json<Vec<Wire>> {
    Json(shared.world().wire_after(query.after))
}

async fn upload(State(shared): State<Arc<Shared>>, mut parts: Multipart) -> Response {
    loop {
        match parts.next_field().await {
            Ok(Some(field)) => {
                let Some(name) = field.file_name().map(str::to_owned) else { continue };
                return match field.bytes().await {
                    Ok(bytes) => {
                        let file = shared.world().files.store(&name, bytes);
                        Json(json!({ "id": file.id, "name": file.name, "size": file.bytes.len() }))
                            .into_response()
                    }
                    Err(error) => error.into_response(),
                };
            }
            Ok(None) => {
                let error = json!({ "error": "the form holds no file" });
                return (StatusCode::BAD_REQUEST, Json(error)).into_response();
            }
            Err(error) => return error.into_response(),
        }
    }
}

/// The whole state first, then each change; and the whole state again after falling behind.
async fn events(
    State(shared): State<Arc<Shared>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Subscribed in the same breath as the state is read: nothing is missed in between.
    let (first, changes) = {
        let world = shared.world();
        (Change::State(Box::new(world.state())), world.subscribe())
    };
    let stop = shared.stop.clone().cancelled_owned();
    let later =
        futures_util::stream::unfold((changes, shared), |(mut changes, shared)| async move {
            let change = match changes.recv().await {
                Ok(change) => change,
                Err(RecvError::Lagged(_)) => {
                    let world = shared.world();
                    changes = world.subscribe();
                    Change::State(Box::new(world.state()))
                }
                Err(RecvError::Closed) => return None,
            };
            Some((change, (changes, shared)))
        });
    let events = futures_util::stream::iter([first]).chain(later).take_until(stop);
    Sse::new(events.map(|change| Ok(sent_event(&change)))).keep_alive(KeepAlive::default())
}

fn sent_event(change: &Change) -> Event {
    let data = match change {
        Change::Message(message) => serde_json::to_string(message),
        Change::Card(card) => serde_json::to_string(card),
        Change::Wire(wire) => serde_json::to_string(wire),
        Change::Connection(bot) => serde_json::to_string(bot),
        Change::State(state) => serde_json::to_string(state),
    };
    Event::default().event(change.name()).data(data.expect("views hold nothing that JSON cannot"))
}
