//! The HTTP client: one try of one call, with token, deadline, size cap and a classified answer.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, DATE, HeaderMap, HeaderValue};
use reqwest::{Method, redirect};
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

use super::certificate::distrust;
use super::clicks::Clicks;
use super::error::{ApiError, Class, classify};
use super::gate::{self, Gate};
use super::meter::{Call, Meter, NoMeter, Use, counts};
use super::redact::redact;
use super::token::{Fetched, TokenCache};
use crate::config::{DingTalk, Proxy, ProxyKind, Secret};
use crate::sink::hide;
use crate::words::Lang;
use crate::words::network as w;

/// DingTalk's own server-side limit is 3 s; this leaves room for a slow line.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Answers are a few hundred bytes; anything near this is not an answer of DingTalk's.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Of a proxy that is asked for an address without TLS; with it, the refusal comes as an error.
const PROXY_LOGIN: u16 = 407;
const TOKEN_HEADER: &str = "x-acs-dingtalk-access-token";

/// Calls DingTalk. Cheap to clone; clones share connections and the access token.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
    meter: Arc<dyn Meter>,
    /// For whom the calls are counted.
    run: Option<Arc<str>>,
    owed: bool,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    api_base: Url,
    oapi_base: Url,
    client_id: String,
    client_secret: RwLock<Secret>,
    /// Counts the secrets after the first, for those who hold something that was opened with one.
    renewed: watch::Sender<u64>,
    proxy: Option<Proxy>,
    /// How far DingTalk's clock was ahead of ours at the last answer, in milliseconds; the least number: not known.
    ahead_ms: AtomicI64,
    token: TokenCache,
    gate: Gate,
    clicks: Clicks,
}

/// Why no client could be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot prepare HTTPS: {0}")]
    Tls(#[source] reqwest::Error),
    #[error("`{setting}` is `{url}`; expected an http or https address")]
    Base { setting: &'static str, url: Url },
    #[error("`network.proxy` cannot be used")]
    Proxy,
}

impl Client {
    /// Returns a client for the app that `config` names. Environment proxies are ignored: they break the socket.
    ///
    /// # Errors
    /// [`ClientError`] when a base address cannot carry HTTP or TLS cannot be set up.
    pub fn new(config: &DingTalk) -> Result<Self, ClientError> {
        Self::through(config, None)
    }

    /// The same, whose every call goes through `proxy`, where it covers the host.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn through(config: &DingTalk, proxy: Option<&Proxy>) -> Result<Self, ClientError> {
        install_crypto();
        hide(config.client_secret.expose());
        for (setting, url) in [("api_base", &config.api_base), ("oapi_base", &config.oapi_base)] {
            if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
                return Err(ClientError::Base { setting, url: url.clone() });
            }
        }
        let mut http = reqwest::Client::builder().no_proxy();
        if let Some(proxy) = proxy.cloned() {
            let url = proxy.url().ok_or(ClientError::Proxy)?;
            let covers = move |to: &Url| proxy.covers(to).then(|| url.clone());
            http = http.proxy(reqwest::Proxy::custom(covers));
        }
        let http = http
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .user_agent(concat!("moonbell/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError::Tls)?;
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                api_base: config.api_base.clone(),
                oapi_base: config.oapi_base.clone(),
                client_id: config.client_id.clone(),
                client_secret: RwLock::new(config.client_secret.clone()),
                renewed: watch::Sender::new(0),
                proxy: proxy.cloned(),
                ahead_ms: AtomicI64::new(i64::MIN),
                token: TokenCache::new(),
                gate: Gate::default(),
                clicks: Clicks::of(config.mode),
            }),
            meter: Arc::new(NoMeter),
            run: None,
            owed: false,
        })
    }

    /// Lets `meter` count every call, and refuse those for which nothing is left.
    #[must_use]
    pub fn metered(self, meter: Arc<dyn Meter>) -> Self {
        Self { meter, ..self }
    }

    /// Who counts the calls, and the frames.
    pub fn meter(&self) -> &Arc<dyn Meter> {
        &self.meter
    }

    /// A client whose calls are counted for the run `run`.
    #[must_use]
    pub fn for_run(&self, run: &str) -> Self {
        Self { run: Some(run.into()), ..self.clone() }
    }

    /// A client whose calls are made even when the month is used up: a notice to the owner, the end of a card that is in
    /// its chat.
    #[must_use]
    pub fn owed(&self) -> Self {
        Self { owed: true, ..self.clone() }
    }

    /// The id of the app, which is also the code of its robot.
    pub fn client_id(&self) -> &str {
        &self.inner.client_id
    }

    pub(super) fn client_secret(&self) -> Secret {
        self.inner.client_secret.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on the app's secret is this one. What was got with the one before is not used any more: no token, no
    /// connection, no refusal.
    pub fn renew_secret(&self, secret: Secret) {
        hide(secret.expose());
        *self.inner.client_secret.write().unwrap_or_else(PoisonError::into_inner) = secret;
        self.inner.token.forget();
        self.inner.gate.ask_again();
        self.inner.renewed.send_modify(|times| *times += 1);
    }

    /// Changes with every new secret.
    pub fn renewals(&self) -> watch::Receiver<u64> {
        self.inner.renewed.subscribe()
    }

    /// How far DingTalk's clock is ahead of this computer's, by its last answer, to a second or two.
    pub fn ahead_ms(&self) -> Option<i64> {
        Some(self.inner.ahead_ms.load(Ordering::Relaxed)).filter(|ahead| *ahead != i64::MIN)
    }

    pub(super) fn note_date(&self, answer: &reqwest::Response) {
        let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
        if let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
            let ahead = date.timestamp_millis() - Utc::now().timestamp_millis();
            self.inner.ahead_ms.store(ahead, Ordering::Relaxed);
        }
    }

    /// On the way to DingTalk, if one is.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.inner.proxy.as_ref()
    }

    /// Whether calls stay on this computer, where no DingTalk is.
    pub fn is_simulated(&self) -> bool {
        match self.inner.api_base.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    pub(super) fn api_base(&self) -> &Url {
        &self.inner.api_base
    }

    pub(super) fn oapi_base(&self) -> &Url {
        &self.inner.oapi_base
    }

    /// The addresses that the settings name: what they hand out is trusted as they are.
    pub fn bases(&self) -> impl Iterator<Item = &Url> {
        [self.api_base(), self.oapi_base()].into_iter()
    }

    pub(super) fn clicks(&self) -> &Clicks {
        &self.inner.clicks
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    /// The robot to speak as: the one that received the message, else the app's own.
    pub(super) fn robot_code<'a>(&'a self, received_by: Option<&'a str>) -> &'a str {
        received_by.filter(|code| !code.is_empty()).unwrap_or(&self.inner.client_id)
    }

    /// Calls `path` of the current API with the access token; once more with a new one if the first is disowned.
    pub(super) async fn api(
        &self,
        method: Method,
        path: &'static str,
        body: &Value,
    ) -> Result<Value, ApiError> {
        let url = join(self.api_base(), path);
        self.with_token(path, |token| {
            let mut header = HeaderValue::from_str(token.expose())
                .unwrap_or_else(|_| HeaderValue::from_static(""));
            header.set_sensitive(true);
            let request = self
                .http()
                .request(method.clone(), url.clone())
                .header(TOKEN_HEADER, header)
                .json(body);
            self.send(path, request)
        })
        .await
    }

    /// Runs `call` with a token and, if DingTalk calls that token invalid, once more with a fresh one. Not at all while
    /// DingTalk is known to refuse what `endpoint` needs.
    pub(super) async fn with_token<F>(
        &self,
        endpoint: &'static str,
        call: impl FnMut(Secret) -> F,
    ) -> Result<Value, ApiError>
    where
        F: Future<Output = Result<Value, ApiError>>,
    {
        self.inner.gate.enter(endpoint, true)?;
        let answer = self.with_fresh_token(call).await;
        self.inner.gate.left(endpoint, true, &answer);
        answer
    }

    async fn with_fresh_token<F>(
        &self,
        mut call: impl FnMut(Secret) -> F,
    ) -> Result<Value, ApiError>
    where
        F: Future<Output = Result<Value, ApiError>>,
    {
        let token = self.token().await?;
        match call(token.clone()).await {
            Err(error) if error.class == Class::Token => {
                tracing::info!(endpoint = error.endpoint, code = %error.code, "access token is not accepted; fetching a new one");
                self.inner.token.drop_token(&token);
                let fresh = self.token().await?;
                call(fresh).await
            }
            answer => answer,
        }
    }

    /// Believes no refusal for lack of a permission, quota or allow-list any more: the next call asks again.
    pub fn ask_again(&self) {
        self.inner.gate.ask_again();
        self.meter.ask_again();
    }

    /// What DingTalk refuses at present, so that calls that need it are not made.
    pub fn refusals(&self) -> Vec<ApiError> {
        self.inner.gate.refusals()
    }

    /// Returns a valid access token.
    pub(super) async fn token(&self) -> Result<Secret, ApiError> {
        self.inner.token.get(|| self.fetch_token()).await
    }

    async fn fetch_token(&self) -> Result<Fetched, ApiError> {
        const PATH: &str = "/v1.0/oauth2/accessToken";
        let body =
            json!({ "appKey": self.client_id(), "appSecret": self.client_secret().expose() });
        let answer =
            self.send(PATH, self.http().post(join(self.api_base(), PATH)).json(&body)).await?;
        let token = answer.get("accessToken").and_then(Value::as_str).unwrap_or_default();
        if token.is_empty() {
            return Err(ApiError::local(
                PATH,
                Class::Transient,
                "no-token",
                "expected an access token in the answer",
            ));
        }
        let expires_in_secs = answer.get("expireIn").and_then(super::lenient::integer).unwrap_or(0);
        Ok(Fetched { token: Secret::new(token), expires_in_secs })
    }

    /// Sends one request, if the month has room for it, and classifies the answer. Nothing of the URL gets into the error.
    ///
    /// # Cancel safety
    /// A call that is dropped halfway stays counted: DingTalk may have had it.
    pub(super) async fn send(
        &self,
        endpoint: &'static str,
        request: reqwest::RequestBuilder,
    ) -> Result<Value, ApiError> {
        self.inner.gate.enter(endpoint, false)?;
        let call = Call { what: Use::of(endpoint), run: self.run.as_deref(), owed: self.owed };
        self.meter
            .begin(&call)
            .map_err(|why| ApiError::local(endpoint, Class::Quota, ApiError::BUDGET, why))?;
        let answer = self.ask(endpoint, request).await;
        match &answer {
            Ok(_) => self.meter.accepted(&call),
            Err(error) => {
                if !counts(error) {
                    self.meter.take_back(&call);
                }
                if error.class == Class::Quota {
                    self.meter.used_up(&call);
                }
            }
        }
        self.inner.gate.left(endpoint, false, &answer);
        answer
    }

    async fn ask(
        &self,
        endpoint: &'static str,
        request: reqwest::RequestBuilder,
    ) -> Result<Value, ApiError> {
        let mut headers = HeaderMap::new();
        // Without it the gateway answers in XML.
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let proxy = self.proxy();
        let mut response = request
            .headers(headers)
            .send()
            .await
            .map_err(|error| network(endpoint, error, proxy))?;
        self.note_date(&response);
        let status = response.status().as_u16();
        if status == PROXY_LOGIN
            && let Some(proxy) = proxy
        {
            let message = w::proxy_wants_password(&proxy.to_string(), Lang::En);
            return Err(ApiError::local(endpoint, Class::Transient, "proxy", message));
        }
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| network(endpoint, error, proxy))?
        {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                let message = format!("the answer is longer than {MAX_ANSWER_BYTES} bytes");
                return Err(ApiError::local(endpoint, Class::Transient, "gateway", message));
            }
            body.extend_from_slice(&chunk);
        }
        classify(endpoint, status, &body).map_err(|error| {
            let error = ApiError {
                message: redact(&error.message),
                retry_after: retry_after.or(error.retry_after),
                ..error
            };
            gate::complete(error, self.client_id())
        })
    }
}

/// Joins a constant path to a base that may itself have one (a reverse proxy's prefix).
pub(super) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// rustls needs one process-wide provider; whoever comes first installs it, a second call changes nothing.
pub(super) fn install_crypto() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

pub(super) fn network(
    endpoint: &'static str,
    error: reqwest::Error,
    proxy: Option<&Proxy>,
) -> ApiError {
    let code = if error.is_connect() {
        "connect"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "broken"
    };
    // The URL can be a webhook: it must not be part of the text. The causes below it name hosts at most.
    let is_plain = error.url().is_some_and(|url| url.scheme() == "http");
    let error = error.without_url();
    let mut message = match code {
        "connect" => proxy.map_or_else(
            || w::no_connection(Lang::En).to_owned(),
            |proxy| w::no_connection_through(&proxy.to_string(), Lang::En),
        ),
        "timeout" => w::no_answer_within(&format!("{CALL_TIMEOUT:?}"), Lang::En),
        _ => w::broke(Lang::En).to_owned(),
    };
    if let Some(why) = distrust(&error) {
        // To a host without TLS, the proxy's is the only one.
        let whose = match proxy.filter(|proxy| proxy.kind == ProxyKind::Https) {
            Some(_) if is_plain => w::its_certificate,
            Some(_) => w::its_certificate_or_the_hosts,
            None => w::shown_certificate,
        };
        let message = w::not_trusted(&message, whose(Lang::En), &why, Lang::En);
        return ApiError::local(endpoint, Class::Transient, code, message);
    }
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if inner.source().is_none() {
            message = format!("{message}: {}", redact(&inner.to_string()));
        }
        cause = inner.source();
    }
    ApiError::local(endpoint, Class::Transient, code, message)
}
