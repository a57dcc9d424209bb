//! How DingTalk says no: the shapes of protocol A.3 to A.5, each with its real status and wording.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::faults::HttpFaultKind;

/// The outcome of one call: the JSON of a success, or a refusal.
pub(super) type Outcome = Result<Value, Refusal>;

/// An answer other than the plain success.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) body: RefusalBody,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum RefusalBody {
    Json(Value),
    Text {
        content_type: &'static str,
        text: String,
    },
    /// Nothing: the connection goes away.
    Reset,
}

/// Which host a path belongs to: they fail in different shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// `api.dingtalk.com`: an HTTP status and a code.
    New,
    /// `oapi.dingtalk.com`: HTTP 200 and an errcode.
    Legacy,
}

impl Host {
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/v1.0/") { Self::New } else { Self::Legacy }
    }
}

impl Refusal {
    /// The new API: HTTP status, `code`, `message`, `requestid`.
    pub(super) fn api(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({ "code": code, "requestid": request_id(), "message": message }))
    }

    /// A refused parameter, whose code is its own explanation.
    pub(super) fn parameter(code: &str) -> Self {
        Self::api(400, code, code)
    }

    /// The legacy host: HTTP 200 with an errcode.
    pub(super) fn legacy(errcode: i64, errmsg: &str) -> Self {
        Self::json(200, json!({ "errcode": errcode, "errmsg": errmsg }))
    }

    /// The legacy host behind its gateway: errcode 88 and a code below it.
    pub(super) fn legacy_sub(sub_code: &str, sub_msg: &str) -> Self {
        Self::json(
            200,
            json!({
                "errcode": 88,
                "sub_code": sub_code,
                "sub_msg": sub_msg,
                "errmsg": format!("ding talk error[subcode={sub_code},submsg={sub_msg}]"),
                "request_id": Uuid::new_v4().simple().to_string()[..13],
            }),
        )
    }

    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, body: RefusalBody::Json(body) }
    }

    pub(super) fn text(status: u16, content_type: &'static str, text: impl Into<String>) -> Self {
        Self { status, body: RefusalBody::Text { content_type, text: text.into() } }
    }

    pub(super) fn html(status: u16) -> Self {
        let text = format!(
            "<html><head><title>{status}</title></head><body><h1>{status}</h1>Tengine</body></html>"
        );
        Self::text(status, "text/html; charset=utf-8", text)
    }

    pub(super) fn missing_token(host: Host) -> Self {
        match host {
            Host::New => Self::api(
                400,
                "AuthenticationFailed.MissingParameter",
                "缺少参数：x-acs-dingtalk-access-token",
            ),
            Host::Legacy => Self::legacy_sub("40000", "不合法的access_token,参数缺失"),
        }
    }

    pub(super) fn invalid_token(host: Host) -> Self {
        match host {
            Host::New => Self::api(400, "InvalidAuthentication", "不合法的access_token"),
            Host::Legacy => Self::legacy_sub("40014", "不合法的access_token"),
        }
    }

    pub(super) fn missing_scope(host: Host, client_id: &str, scope: &str) -> Self {
        match host {
            Host::New => Self::json(
                403,
                json!({
                    "code": "Forbidden.AccessDenied.AccessTokenPermissionDenied",
                    "requestid": Uuid::new_v4().to_string(),
                    "message": "没有调用该接口的权限，接口权限申请参考：https://open.dingtalk.com/document/orgapp-server/add-api-permission",
                    "accessdenieddetail": { "requiredScopes": [scope] },
                }),
            ),
            Host::Legacy => Self::legacy_sub(
                "60011",
                &format!(
                    "应用尚未开通所需的权限：[{scope}]，点击链接申请并开通即可：https://open-dev.dingtalk.com/appscope/apply?content={client_id}%23{scope}, {{requiredScopes=[{scope}]}}"
                ),
            ),
        }
    }

    pub(super) fn throttled(path: &str) -> Self {
        match Host::of(path) {
            Host::New => Self::api(
                403,
                "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
                "应用调用该接口的QPS超过上限",
            ),
            Host::Legacy if path.starts_with("/robot/") => {
                Self::legacy(130_101, "send too fast, exceed 20 times per minute")
            }
            Host::Legacy => {
                Self::legacy(90018, "您的服务器调用钉钉开放平台所有接口的请求都被暂时禁用了")
            }
        }
    }

    pub(super) fn quota(host: Host) -> Self {
        match host {
            Host::New => Self::api(
                403,
                "Forbidden.AccessDenied.ApiCountLimitForOrg",
                "企业调用API次数超过当月上限",
            ),
            Host::Legacy => Self::legacy(90020, "企业调用API次数超过当月上限"),
        }
    }

    /// Returns the answer of an armed fault, or `None` when the call goes on.
    pub(super) fn from_fault(kind: &HttpFaultKind, path: &str, client_id: &str) -> Option<Self> {
        let host = Host::of(path);
        Some(match kind {
            // Carried out; what becomes of the answer is said by `after`.
            HttpFaultKind::Slow { .. }
            | HttpFaultKind::Lost
            | HttpFaultKind::Hang
            | HttpFaultKind::Drip
            // These are for files, which are no calls.
            | HttpFaultKind::Endless
            | HttpFaultKind::Redirect { .. } => {
                return None;
            }
            HttpFaultKind::Throttle => Self::throttled(path),
            HttpFaultKind::Quota => Self::quota(host),
            HttpFaultKind::Busy if host == Host::New => Self::api(500, "system.busy", "系统繁忙"),
            HttpFaultKind::Busy => Self::legacy(-1, "系统繁忙"),
            HttpFaultKind::Status { status } if *status >= 500 => Self::html(*status),
            HttpFaultKind::Status { status } => Self::api(*status, "unknownError", "未知错误"),
            HttpFaultKind::Html => Self::html(200),
            HttpFaultKind::Banned => Self::json(
                200,
                json!({ "status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": Uuid::new_v4().simple().to_string() }),
            ),
            HttpFaultKind::AuthFailed => Self::api(401, "authFailed", "鉴权失败"),
            HttpFaultKind::InvalidToken => Self::invalid_token(host),
            HttpFaultKind::MissingScope { scope } => Self::missing_scope(host, client_id, scope),
            HttpFaultKind::IpNotAllowed if host == Host::New => {
                Self::api(403, "Forbidden.AccessDenied.IpNotInWhiteList", "访问ip不在白名单之中")
            }
            HttpFaultKind::IpNotAllowed => Self::legacy(60020, "访问ip不在白名单之中"),
            HttpFaultKind::Echo { message } if host == Host::New => {
                Self::api(400, "invalidParameter", message)
            }
            HttpFaultKind::Echo { message } => Self::legacy(40035, message),
            HttpFaultKind::ContentUnsafe => Self::parameter("param.contentUnsafe"),
            HttpFaultKind::Reset => Self { status: 0, body: RefusalBody::Reset },
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self.body {
            RefusalBody::Json(body) => (status, axum::Json(body)).into_response(),
            RefusalBody::Text { content_type, text } => {
                (status, [(header::CONTENT_TYPE, content_type)], text).into_response()
            }
            RefusalBody::Reset => reset(),
        }
    }
}

/// What the caller hears of a call that was carried out under a fault.
pub(super) async fn after(
    fault: Option<&HttpFaultKind>,
    answer: Response,
    stop: CancellationToken,
) -> Response {
    match fault {
        Some(HttpFaultKind::Lost) => reset(),
        Some(HttpFaultKind::Hang) => {
            stop.cancelled().await;
            reset()
        }
        Some(HttpFaultKind::Drip) => drip(answer, stop).await,
        _ => answer,
    }
}

/// A body that fails before its first byte: the server cuts the connection.
fn reset() -> Response {
    let failing = futures_util::stream::once(async { Err::<Bytes, _>("reset on demand") });
    (StatusCode::OK, Body::from_stream(failing)).into_response()
}

/// The same answer, a byte at a time; the last one is kept back until the simulator stops.
async fn drip(answer: Response, stop: CancellationToken) -> Response {
    const BETWEEN: Duration = Duration::from_millis(100);
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let dripping = futures_util::stream::unfold((whole, stop), |(mut rest, stop)| async move {
        if rest.len() <= 1 {
            stop.cancelled().await;
            return None;
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(BETWEEN) => {}
        }
        let drop = rest.split_to(1);
        Some((Ok::<_, std::convert::Infallible>(drop), (rest, stop)))
    });
    Response::from_parts(parts, Body::from_stream(dripping))
}

/// Request ids of the new API are upper-case UUIDs.
fn request_id() -> String {
    Uuid::new_v4().to_string().to_uppercase()
}
