//! Files over the wire: uploads of the bot, download links, and what the page shows.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequest;
use axum::extract::Multipart;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::answer::Outcome;
use super::answer::Refusal;
use super::call::Call;
use super::call::text;
use super::faults::HttpFaultKind;
use super::files::extension;
use super::now_ms;
use super::server::same_secret;
use super::world::World;

const MIB: usize = 1024 * 1024;

/// The form of `/media/upload`: what of it was there.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// Named in the query, or in the form.
    kind: Option<String>,
    media: Option<(String, Bytes)>,
}

/// Reads the form of an upload. What cannot be read counts as missing: the answer says so.
pub(super) async fn read(call: &Call) -> Form {
    let mut form = Form { kind: call.query.get("type").cloned(), media: None };
    let mut request = Request::new(Body::from(call.body.clone()));
    *request.headers_mut() = call.headers.clone();
    *request.method_mut() = call.method.clone();
    // The limit of the extractor is below what some uploads may have; the body is bounded already.
    request.extensions_mut().insert(axum::extract::DefaultBodyLimit::disable());
    let Ok(mut parts) = Multipart::from_request(request, &()).await else { return form };
    while let Ok(Some(part)) = parts.next_field().await {
        let name = part.name().map(str::to_owned);
        let file = part.file_name().map(str::to_owned);
        match (name.as_deref(), file) {
            (Some("media"), Some(file)) => {
                if let Ok(bytes) = part.bytes().await {
                    form.media = Some((file, bytes));
                }
            }
            (Some("type"), None) => form.kind = form.kind.or(part.text().await.ok()),
            _ => {}
        }
    }
    form
}

impl World {
    pub(super) fn upload(&mut self, call: &Call, form: Form) -> Outcome {
        self.authorize(call)?;
        let kind = form.kind.as_deref().unwrap_or_default();
        let (max, formats): (usize, &[&str]) = match kind {
            "image" => (20 * MIB, &["jpg", "jpeg", "gif", "png", "bmp"]),
            "voice" => (2 * MIB, &["amr", "mp3", "wav"]),
            "video" => (20 * MIB, &["mp4"]),
            "file" => {
                (20 * MIB, &["doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip", "pdf", "rar"])
            }
            _ => return Err(Refusal::legacy(40004, "不合法的媒体文件类型")),
        };
        let (name, bytes) = form.media.ok_or_else(|| Refusal::legacy(40035, "缺少参数 media"))?;
        if !formats.contains(&extension(&name).as_str()) {
            return Err(Refusal::legacy(40005, "不合法的文件类型"));
        }
        if bytes.is_empty() || bytes.len() > max.min(self.options.limits.upload_bytes) {
            return Err(Refusal::legacy(40006, "不合法的文件大小"));
        }
        let file = self.files.store(&name, bytes);
        let media = self.files.issue_media_id(&file.id);
        Ok(
            json!({ "errcode": 0, "errmsg": "ok", "media_id": media, "created_at": now_ms(), "type": kind }),
        )
    }

    /// `messageFiles/download`.
    pub(super) fn download_link(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        if text(&body, "robotCode") != Some(&self.app.client_id) {
            return Err(Refusal::api(
                400,
                "invalidParameter.robotCode.auth",
                "此downloadCode和机器人robotCode不匹配，请使用接收此条消息机器人robotCode和对应的downloadCode",
            ));
        }
        let link = text(&body, "downloadCode").and_then(|code| self.files.issue_link(code));
        let link = link.ok_or_else(|| {
            Refusal::api(400, "invalidParameter.robotCode.downloadCode", "下载码有误或者已经过期")
        })?;
        let url = self.faults.download_url.clone();
        Ok(json!({ "downloadUrl": url.unwrap_or_else(|| format!("{}{link}", self.base_url)) }))
    }
}

/// The file host: a signed link, which a `Content-Type` or a token breaks, as it does at the object store.
pub(super) async fn download(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let refuse = |code: &str| {
        let xml =
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>");
        (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "application/xml")], xml).into_response()
    };
    if headers.contains_key(header::CONTENT_TYPE) {
        return refuse("SignatureDoesNotMatch");
    }
    let fault = shared.world().faults.for_call(&format!("/res/{name}"));
    match fault {
        Some(HttpFaultKind::Endless) => return endless(),
        Some(HttpFaultKind::Redirect { to }) => {
            return (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
        }
        Some(HttpFaultKind::Slow { delay_ms }) => {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        Some(HttpFaultKind::Status { status }) => {
            return StatusCode::from_u16(status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
                .into_response();
        }
        Some(_) => return refuse("AccessDenied"),
        None => {}
    }
    match shared.world().files.by_link(&name) {
        Some(file) => ([(header::CONTENT_TYPE, "application/octet-stream")], file.bytes.clone())
            .into_response(),
        None => refuse("AccessDenied"),
    }
}

/// A file that goes on for as long as somebody reads it.
fn endless() -> Response {
    let drip = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(&[b'.'; 1024])), ()))
    });
    Body::from_stream(drip).into_response()
}

#[derive(Debug, Deserialize)]
pub(super) struct ShowQuery {
    #[serde(default)]
    key: String,
    #[serde(default)]
    token: String,
}

/// A file for the page: its own key opens it, where a picture cannot send a header.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let world = shared.world();
    let Some(file) = world.files.get(&id) else { return StatusCode::NOT_FOUND.into_response() };
    let allowed = same_secret(&query.key, &file.key)
        || same_secret(&query.token, &shared.token)
        || same_secret(bearer, &shared.token);
    if !allowed {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let name =
        percent_encoding::utf8_percent_encode(&file.name, percent_encoding::NON_ALPHANUMERIC);
    let place = if file.is_picture() { "inline" } else { "attachment" };
    let disposition = format!("{place}; filename*=UTF-8''{name}");
    let headers = [
        (header::CONTENT_TYPE, file.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        // Opened in a tab of its own it is on this origin: whatever a browser takes it for, it may do nothing there.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ];
    (headers, file.bytes.clone()).into_response()
}
