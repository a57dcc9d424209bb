//! The one HTTP server: calls of the bot, the control API, the page, and the doors in front of them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;

use super::Shared;
use super::api;
use super::control;
use super::media;
use super::page;
use super::scan;
use super::socket;

/// Nothing but our own scripts, styles, pictures and calls; and nobody may frame us.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: \
     blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(async || Redirect::temporary("/sim/")))
        .route("/connect", get(socket::connect))
        .route("/res/{name}", get(media::download))
        .nest("/sim/api", control::router(Arc::clone(&shared)))
        .route("/sim/files/{id}", get(media::show))
        .route("/sim/scan", get(scan::show).post(scan::decide))
        .merge(page::router())
        .fallback(api::dispatch)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .with_state(shared)
}

/// Keeps other web pages out: a foreign name for this address (DNS rebinding), or a foreign origin.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if !host_is_ours(request.headers(), shared.port) {
        let port = shared.port;
        let text = format!(
            "open this server as http://127.0.0.1:{port}: another name for it is not served\n"
        );
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    if !origin_is_ours(request.headers(), shared.port) {
        return (StatusCode::FORBIDDEN, "a page of another origin may not call this server\n")
            .into_response();
    }
    let is_page = request.uri().path().starts_with("/sim");
    let mut response = next.run(request).await;
    if is_page {
        let headers = response.headers_mut();
        let set = [
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        for (name, value) in set {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
    }
    response
}

fn host_is_ours(headers: &HeaderMap, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    host.to_str().is_ok_and(|host| is_our_authority(host, port))
}

/// Programs send no origin; browsers do, whenever it matters.
fn origin_is_ours(headers: &HeaderMap, port: u16) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| is_our_authority(authority, port))
}

fn is_our_authority(authority: &str, port: u16) -> bool {
    let Some((host, asked)) = authority.rsplit_once(':') else { return false };
    asked.parse() == Ok(port) && matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

/// Compares without telling by its duration how much was right.
pub(super) fn same_secret(given: &str, expected: &str) -> bool {
    let difference =
        given.bytes().zip(expected.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b));
    given.len() == expected.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_with_our_port_are_ours() {
        for (authority, ours) in [
            ("127.0.0.1:8080", true),
            ("localhost:8080", true),
            ("[::1]:8080", true),
            ("127.0.0.1", false),
            ("127.0.0.1:80", false),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example:8080", false),
        ] {
            assert_eq!(is_our_authority(authority, 8080), ours, "{authority}");
        }
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(same_secret("abc", "abc"));
        assert!(!same_secret("abd", "abc"));
        assert!(!same_secret("ab", "abc"));
        assert!(!same_secret("", "abc"));
    }
}
