//! Who may come in: programs of this computer, and under `/api/` those that have the key.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use subtle::ConstantTimeEq as _;

use super::Refused;

/// Keeps web pages out: a foreign name for this address (DNS rebinding), or any origin, for programs send none.
pub(super) async fn from_this_computer(request: Request, next: Next) -> Response {
    if !is_loopback_host(request.headers()) {
        return Refused::forbidden("the console is served as 127.0.0.1, [::1] or localhost only")
            .into_response();
    }
    if request.headers().contains_key(header::ORIGIN) {
        return Refused::forbidden("web pages may not call the console").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A tunnel may lead here under another port, but not under another name.
fn is_loopback_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

type Checked = axum::middleware::FromFnLayer<
    fn(axum::extract::State<Arc<str>>, Request, Next) -> BoxFuture<'static, Response>,
    Arc<str>,
    (axum::extract::State<Arc<str>>, Request),
>;

/// Lets in who shows `token`.
pub(super) fn key(token: &str) -> Checked {
    axum::middleware::from_fn_with_state(Arc::from(token), check)
}

fn check(
    axum::extract::State(token): axum::extract::State<Arc<str>>,
    request: Request,
    next: Next,
) -> BoxFuture<'static, Response> {
    async move {
        let mut shown = request.headers().get_all(header::AUTHORIZATION).iter();
        let key = match (shown.next(), shown.next()) {
            (Some(value), None) => value.as_bytes().strip_prefix(b"Bearer "),
            _ => None,
        };
        // How long it takes tells nothing about how much of a key was right.
        if key.is_some_and(|key| key.ct_eq(token.as_bytes()).into()) {
            next.run(request).await
        } else {
            Refused::without_key().into_response()
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_computer() {
        for (host, ours) in [
            ("127.0.0.1:7878", true),
            ("127.0.0.1", true),
            ("localhost:9000", true),
            ("[::1]:7878", true),
            ("[::1]", true),
            ("evil.example:7878", false),
            ("127.0.0.1.evil.example", false),
            ("localhost:7878.evil.example", false),
            ("127.0.0.1:7878@evil.example", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(is_loopback_host(&headers), ours, "{host}");
        }
        assert!(!is_loopback_host(&HeaderMap::new()));
        let mut two = HeaderMap::new();
        two.append(header::HOST, HeaderValue::from_static("127.0.0.1"));
        two.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(!is_loopback_host(&two));
    }
}
