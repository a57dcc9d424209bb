//! One call: redirects followed by hand so that each is checked, and errors in words that show no URL.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, LOCATION, USER_AGENT};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use url::Url;

use super::guard::{Denied, Network};
use crate::access::{Need, Reach};
use crate::api::failure::Failure;

/// As browsers do, roughly.
const MAX_REDIRECTS: usize = 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    pub(super) timeout: Duration,
    pub(super) redirects: bool,
    /// What the script that calls may reach: redirects are calls too.
    pub(super) reach: Reach,
}

/// The client of all scripts. Proxies of the environment are not used: they would connect where the guard cannot see.
pub(super) fn client(network: &Network) -> Result<Client, Failure> {
    // rustls needs one provider for the process; a second call changes nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(network.clone())
        .user_agent(concat!("moonbell/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::new("network", format!("cannot prepare HTTPS: {error}")))
}

/// Reads a URL; only such as a call can be made to.
pub(super) fn parse(text: &str) -> Result<Url, Failure> {
    let bad = |why: String| {
        Failure::new("bad_url", why).hint("expected such as \"https://example.com/path\"")
    };
    let url = Url::parse(text).map_err(|error| bad(format!("this is no URL: {error}")))?;
    check_form(&url).map_err(bad)?;
    Ok(url)
}

/// Whether a script with this reach may call `url`.
///
/// # Errors
/// In words for its writer, with the line to add.
pub(crate) fn may_call(reach: &Reach, url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_lowercase();
    let port = url.port_or_known_default().unwrap_or_default();
    if reach.ask(&Need::Http(Some(format!("{host}:{port}")))).is_ok() {
        return Ok(());
    }
    // Told as short as it is usually written.
    reach.ask(&Need::Http(Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })))
}

fn check_form(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}:` is not called; only `http:` and `https:` are", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a name and password do not belong into a URL; use the header `Authorization`"
            .to_owned());
    }
    Ok(())
}

/// Sends the request and answers the last response. Cancel safe: dropping it closes the connection.
pub(super) async fn send(
    client: Client,
    network: Network,
    mut request: Request,
) -> Result<Response, Failure> {
    let timeout = request.timeout;
    let host = request.url.host_str().unwrap_or_default().to_owned();
    let follow = async {
        for _ in 0..=MAX_REDIRECTS {
            network.check(&request.url).map_err(|denied| refused(&denied))?;
            network.check_own(&request.url).await.map_err(|denied| refused(&denied))?;
            let host = request.url.host_str().unwrap_or_default().to_owned();
            let mut builder = client
                .request(request.method.clone(), request.url.clone())
                .headers(request.headers.clone());
            if let Some(body) = &request.body {
                builder = builder.body(body.clone());
            }
            let response = builder.send().await.map_err(|error| failed(error, &host, timeout))?;
            let Some(next) = next(&request, &response)? else { return Ok(response) };
            redirected(&mut request, response.status(), next);
        }
        Err(Failure::new("redirect", format!("`{host}` redirects more than {MAX_REDIRECTS} times")))
    };
    match tokio::time::timeout(timeout, follow).await {
        Ok(result) => result,
        Err(_) => Err(timed_out(&host, timeout)),
    }
}

fn next(request: &Request, response: &Response) -> Result<Option<Url>, Failure> {
    let moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| moved && request.redirects);
    let Some(location) = location else { return Ok(None) };
    let bad = |why: &str| {
        Failure::new(
            "redirect",
            format!("`{}` redirects to nowhere: {why}", request.url.host_str().unwrap_or_default()),
        )
    };
    let location =
        std::str::from_utf8(location.as_bytes()).map_err(|_| bad("the address is not text"))?;
    let url = request.url.join(location).map_err(|error| bad(&error.to_string()))?;
    check_form(&url).map_err(|why| bad(&why))?;
    may_call(&request.reach, &url)
        .map_err(|why| Failure::new("denied", format!("a redirect: {why}")))?;
    Ok(Some(url))
}

fn redirected(request: &mut Request, status: StatusCode, next: Url) {
    let same = request.url.origin() == next.origin();
    if !same {
        // What proves who asks, under whatever name, is for the host that it was given to.
        let plain = [ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT];
        let kept = plain
            .into_iter()
            .filter_map(|name| request.headers.remove(&name).map(|value| (name, value)));
        request.headers = kept.collect::<Vec<_>>().into_iter().collect();
    }
    let becomes_get = status == StatusCode::SEE_OTHER && request.method != Method::HEAD
        || matches!(status.as_u16(), 301 | 302) && request.method == Method::POST;
    if becomes_get {
        request.method = Method::GET;
        request.body = None;
        request.headers.remove(CONTENT_TYPE);
    }
    request.url = next;
}

fn refused(denied: &Denied) -> Failure {
    let failure = Failure::new("denied", denied.to_string());
    if matches!(denied, Denied::Own(_)) {
        return failure;
    }
    failure.hint("the owner may add it to `scripts.private_hosts` in the settings")
}

pub(super) fn timed_out(host: &str, timeout: Duration) -> Failure {
    Failure::new("timeout", format!("no answer from `{host}` within {timeout:?}"))
        .hint("give a longer `timeout`")
}

/// The URL may hold a token: only the host is named, and the innermost cause.
pub(super) fn failed(error: reqwest::Error, host: &str, timeout: Duration) -> Failure {
    let timed = error.is_timeout();
    let error = error.without_url();
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(inner) = cause {
        if let Some(denied) = inner.downcast_ref::<Denied>() {
            return refused(denied);
        }
        last = inner.to_string();
        cause = inner.source();
    }
    if timed {
        return timed_out(host, timeout);
    }
    Failure::new("network", format!("no answer from `{host}`: {last}"))
}
