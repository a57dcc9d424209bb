//! Calls of the bot: log, faults, gateway checks, then the one function that answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::DATE;
use axum::response::IntoResponse;
use axum::response::Response;
use chrono::TimeDelta;
use chrono::Utc;
use serde_json::Value;
use serde_json::json;

use super::Shared;
use super::answer::Host;
use super::answer::Outcome;
use super::answer::Refusal;
use super::answer::RefusalBody;
use super::answer::after;
use super::call::Call;
use super::faults::ActiveFaults;
use super::faults::HttpFaultKind;
use super::media;
use super::view::Direction;
use super::view::WireKind;
use super::wire::Entry;
use super::world::World;

/// Above every size limit that has an answer of its own, so that those answers are reached.
const BODY_BYTES: usize = 32 * 1024 * 1024;

pub(super) async fn dispatch(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path().starts_with("/sim") || parts.uri.path() == "/" {
        return (StatusCode::NOT_FOUND, "not found; the chat page is at /sim/\n").into_response();
    }
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES).await else {
        return Refusal::html(413).into_response();
    };
    let query = parts.uri.query().unwrap_or_default();
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parts.headers,
        body,
    };
    let fault = shared.world().begin(&call);
    if let Some(fault) = &fault {
        tokio::time::sleep(ActiveFaults::delay(fault)).await;
    }
    let upload = if call.path == "/media/upload" { Some(media::read(&call).await) } else { None };
    let outcome = {
        let mut world = shared.world();
        let refusal = fault
            .as_ref()
            .and_then(|fault| Refusal::from_fault(fault, &call.path, &world.app.client_id));
        let outcome = match refusal {
            Some(refusal) => Err(refusal),
            None => match upload {
                Some(upload) => world.upload(&call, upload),
                None => world.answer(&call),
            },
        };
        world.end(&call, &outcome);
        outcome
    };
    let mut answer = match outcome {
        Ok(value) => axum::Json(value).into_response(),
        Err(refusal) => refusal.into_response(),
    };
    let ahead = shared.world().faults.date_ahead_secs;
    if ahead != 0 {
        let date = Utc::now() + TimeDelta::seconds(ahead);
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.headers_mut().insert(DATE, HeaderValue::from_str(&date).expect("plain ASCII"));
    }
    after(fault.as_ref(), answer, shared.stop.clone()).await
}

impl World {
    fn begin(&mut self, call: &Call) -> Option<HttpFaultKind> {
        let name = format!("{} {}", call.method, call.path);
        *self.counters.calls.entry(name.clone()).or_default() += 1;
        let body = match call.loggable() {
            Value::Null if !call.query.is_empty() => json!(call.query),
            body => body,
        };
        self.log(Entry {
            dir: Direction::In,
            kind: WireKind::Http,
            summary: name,
            path: Some(call.path.clone()),
            status: None,
            body,
        });
        self.faults.for_call(&call.path)
    }

    fn end(&mut self, call: &Call, outcome: &Outcome) {
        let (status, body) = match outcome {
            Ok(value) => (200, value.clone()),
            Err(refusal) => {
                let body = match &refusal.body {
                    RefusalBody::Json(body) => body.clone(),
                    RefusalBody::Text { text, .. } => Value::String(text.clone()),
                    RefusalBody::Reset => Value::Null,
                };
                (refusal.status, body)
            }
        };
        if status == 403
            && body
                .get("code")
                .and_then(Value::as_str)
                .is_some_and(|code| code.contains("QpsLimit"))
        {
            self.counters.throttled += 1;
        }
        self.log(Entry {
            dir: Direction::Out,
            kind: WireKind::Http,
            summary: format!("{} {}", call.method, call.path),
            path: Some(call.path.clone()),
            status: Some(status),
            body,
        });
    }

    fn answer(&mut self, call: &Call) -> Outcome {
        let path = call.path.as_str();
        // Before any token: these are how one gets a token, a socket or an app.
        match (&call.method, path) {
            (&Method::POST, "/v1.0/oauth2/accessToken") => return self.access_token(call),
            (&Method::GET, "/gettoken") => return self.legacy_token(call),
            (&Method::POST, "/v1.0/gateway/connections/open") => return self.open_gateway(call),
            (_, "/robot/sendBySession") => return self.send_by_session(call),
            (_, "/robot/send") => return Err(Refusal::legacy(300_005, "token is not exist")),
            (&Method::POST, _) if path.starts_with("/app/registration/") => {
                return self.registration(call);
            }
            (&Method::POST, _) => {
                let corp =
                    path.strip_prefix("/v1.0/oauth2/").and_then(|rest| rest.strip_suffix("/token"));
                if let Some(corp) = corp {
                    return self.corp_token(corp, call);
                }
            }
            _ => {}
        }
        self.authorize(call)?;
        match (&call.method, path) {
            (&Method::POST, "/v1.0/robot/oToMessages/batchSend") => self.send_to_people(call),
            (&Method::POST, "/v1.0/robot/groupMessages/send") => self.send_to_group(call),
            (&Method::POST, "/v1.0/robot/privateChatMessages/send") => {
                self.send_to_private_chat(call)
            }
            (
                &Method::POST,
                "/v1.0/robot/otoMessages/batchRecall"
                | "/v1.0/robot/groupMessages/recall"
                | "/v1.0/robot/groupMessages/batchRecall"
                | "/v1.0/robot/privateChatMessages/batchRecall",
            ) => self.recall(call),
            (&Method::GET, "/v1.0/robot/oToMessages/readStatus") => self.read_status(call),
            (&Method::POST, "/v1.0/robot/groupMessages/query") => self.read_query(call),
            (&Method::POST, "/v1.0/robot/messageFiles/download") => self.download_link(call),
            (&Method::POST, "/v1.0/robot/emotion/reply") => self.react(call, true),
            (&Method::POST, "/v1.0/robot/emotion/recall") => self.react(call, false),
            (&Method::POST, "/v1.0/robot/ding/send") => self.ding(call),
            (&Method::POST, "/v1.0/card/instances") => self.card_create(call),
            (&Method::POST, "/v1.0/card/instances/deliver") => self.card_deliver(call),
            (&Method::POST, "/v1.0/card/instances/createAndDeliver") => {
                self.card_create_and_deliver(call)
            }
            (&Method::PUT, "/v1.0/card/instances") => self.card_update(call),
            (&Method::PUT, "/v1.0/card/streaming") => self.card_stream(call),
            (&Method::PUT, "/v1.0/card/instances/spaces") => self.card_spaces(call),
            (&Method::POST, "/v1.0/card/tops/close") => {
                Ok(json!({ "success": true, "result": true }))
            }
            (&Method::POST, "/v1.0/card/callbacks/register") => self.card_callback_route(call),
            // A path that does not exist answers 200, with the legacy body (protocol A.3).
            _ => Err(Refusal::legacy(404, "请求的URI地址不存在")),
        }
    }

    /// The gateway in front of every call: token, speed, budget, scope.
    pub(super) fn authorize(&mut self, call: &Call) -> Result<(), Refusal> {
        let host = Host::of(&call.path);
        let token = match host {
            Host::New => call.header("x-acs-dingtalk-access-token"),
            Host::Legacy => call.query.get("access_token").map(String::as_str),
        };
        let token =
            token.filter(|token| !token.is_empty()).ok_or_else(|| Refusal::missing_token(host))?;
        if !self.app.token_is_valid(token) {
            return Err(Refusal::invalid_token(host));
        }
        let limit = self.options.limits.calls_per_second;
        if self.app.is_too_fast(&format!("{} {}", call.method, call.path), limit) {
            return Err(Refusal::throttled(&call.path));
        }
        self.counters.api_calls += 1;
        if self
            .options
            .limits
            .monthly_api_calls
            .is_some_and(|limit| self.counters.api_calls > limit)
        {
            return Err(Refusal::quota(host));
        }
        match scope_of(&call.path) {
            Some(scope) if !self.app.scopes.iter().any(|granted| granted == scope) => {
                Err(Refusal::missing_scope(host, &self.app.client_id, scope))
            }
            _ => Ok(()),
        }
    }
}

fn scope_of(path: &str) -> Option<&'static str> {
    match path {
        "/v1.0/card/streaming" => Some("Card.Streaming.Write"),
        "/v1.0/robot/ding/send" => Some("Premium.Ding.Write"),
        _ if path.starts_with("/v1.0/card/") => Some("Card.Instance.Write"),
        _ if path.starts_with("/v1.0/robot/") => Some("qyapi_robot_sendmsg"),
        _ => None,
    }
}
