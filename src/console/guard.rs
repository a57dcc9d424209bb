//! Who may come in: programs of this computer, and under `/api/` those that have the key.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use subtle::ConstantTimeEq as _;

use super::Refused;
use super::proof::{self, Proofs};

/// Orders are a few words.
const MAX_BYTES: usize = 1 << 20;

/// Keeps web pages out: a foreign name for this address (DNS rebinding), or any origin, for programs send none.
pub(super) async fn from_this_computer(request: Request, next: Next) -> Response {
    if !is_loopback_host(request.headers()) {
        return Refused::forbidden("the console is served as 127.0.0.1, [::1] or localhost only")
            .into_response();
    }
    if request.headers().contains_key(header::ORIGIN) {
        return Refused::forbidden("web pages may not call the console").into_response();
    }
    // A picture or a link of a page has no origin, but says from where it is asked.
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| matches!(site, b"cross-site" | b"same-site")) {
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

/// Lets in who shows `token`, or proves to have it: then the answer is proved to that one, too.
pub(super) fn key(
    token: &str,
) -> impl Fn(Request, Next) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
    let lock = Arc::new((token.to_owned(), Proofs::new(token)));
    move |request, next| {
        let lock = Arc::clone(&lock);
        async move { check(&lock.0, &lock.1, request, next).await }.boxed()
    }
}

async fn check(token: &str, proofs: &Proofs, request: Request, next: Next) -> Response {
    let mut shown = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(shown), None) = (shown.next().cloned(), shown.next()) else {
        return Refused::without_key().into_response();
    };
    if proof::is_proof(shown.as_bytes()) {
        return proved(proofs, shown.as_bytes(), request, next).await;
    }
    // How long it takes tells nothing about how much of a key was right.
    let key = shown.as_bytes().strip_prefix(b"Bearer ");
    if key.is_some_and(|key| key.ct_eq(token.as_bytes()).into()) {
        next.run(request).await
    } else {
        Refused::without_key().into_response()
    }
}

async fn proved(proofs: &Proofs, shown: &[u8], request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BYTES).await else {
        return Refused::without_key().into_response();
    };
    let path = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let Some(nonce) = proofs.check(shown, &head.method, path, &body) else {
        return Refused::without_key().into_response();
    };
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    let (mut head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Refused::failed(&"the answer broke off").into_response();
    };
    let proof = proofs.answer(&nonce, head.status.as_u16(), &body);
    if let Ok(proof) = HeaderValue::from_str(&proof) {
        head.headers.insert(proof::ANSWER, proof);
    }
    Response::from_parts(head, Body::from(body))
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
