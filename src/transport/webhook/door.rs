//! One call: whether it is DingTalk's, what it brings, and what it is told.
//!
//! To everybody else it says as little as it can: 404 where no door is, 405 to what is no call, and one 401 for
//! every reason for which a call is not believed. The reason is for the owner, in the log and the audit.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::peer;
use super::refusal::Refusal;
use super::rules::{Rule, Rules};
use super::seen::{Body, Mark, Seen};
use crate::access::Audit;
use crate::access::Record;
use crate::config::Connection;
use crate::config::Current;
use crate::config::Http;
use crate::dingtalk::Callback;
use crate::dingtalk::Door;
use crate::dingtalk::Meter;
use crate::dingtalk::Received;
use crate::dingtalk::Shown;
use crate::inbox::Accepted;
use crate::inbox::Inbox;
use crate::message::Inbound;
use crate::transport::counters::{Counters, add};
use crate::transport::link::State;
use crate::transport::now_ms;
use crate::transport::quiet::Quiet;
use crate::transport::stream::Timing;

/// The largest honest calls, forwarded chats, stay below it.
const BODY_BYTES: usize = 256 * 1024;
/// DingTalk waits 2 s for the answer to a click and 1.5 s for that to an event. What is stored later is stored all the
/// same, and known when it comes again.
const ANSWER: Duration = Duration::from_millis(1_200);
/// A clock may be this far behind DingTalk's.
const AHEAD_MS: i64 = 60_000;

/// What all calls share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) settings: Http,
    pub(super) rules: Rules,
    inbox: Inbox,
    meter: Arc<dyn Meter>,
    audit: Audit,
    pub(super) late_after: Option<Current<Connection>>,
    pub(super) timing: Timing,
    pub(super) state: watch::Sender<State>,
    pub(super) counters: Arc<Counters>,
    seen: Seen,
    told: [Quiet; Refusal::COUNT],
    malformed: Quiet,
    closed: CancellationToken,
    closed_because: Mutex<String>,
}

type Answer = Response<Full<Bytes>>;

impl Desk {
    pub(super) fn new(
        settings: Http,
        rules: Rules,
        inbox: Inbox,
        meter: Arc<dyn Meter>,
        audit: Audit,
        seen: Seen,
    ) -> Self {
        Self {
            settings,
            rules,
            inbox,
            meter,
            audit,
            seen,
            late_after: None,
            timing: Timing::default(),
            state: watch::Sender::new(State::new()),
            counters: Arc::default(),
            told: std::array::from_fn(|_| Quiet::default()),
            malformed: Quiet::default(),
            closed: CancellationToken::new(),
            closed_because: Mutex::default(),
        }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.rules.now().trusted_proxies.iter().any(|network| network.contains(address))
    }

    /// Waits until nothing can be stored any more; why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn journal_closed(&self) -> String {
        self.closed.cancelled().await;
        self.closed_because.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers one call.
    pub(super) async fn serve(&self, from: IpAddr, request: Request<Incoming>) -> Answer {
        let uri = request.uri();
        // A whole address is what a proxy is asked, and we are none.
        let Some(door) = self.door(uri.path()).filter(|_| uri.scheme().is_none()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        if request.method() != Method::POST {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let rules = self.rules.now();
        let from = peer::client(from, request.headers(), &rules.trusted_proxies);
        match self.believe(door, from, request, &rules).await {
            Ok(believed) => self.take(door, believed).await,
            Err(Denied::Refused(refusal)) => self.refuse(door, from, refusal),
            Err(Denied::Said(status)) => empty(status),
        }
    }

    /// Paths are compared byte by byte: there is no other way to write one.
    fn door(&self, path: &str) -> Option<Door> {
        let rest = path.strip_prefix(&self.settings.path)?.strip_prefix('/')?;
        Door::ALL
            .into_iter()
            .find(|door| door.name() == rest && self.rules.now().callbacks.is_open(*door))
    }

    /// The call, if it is DingTalk's. What is judged by the headers is judged before the body is read.
    async fn believe(
        &self,
        door: Door,
        from: IpAddr,
        request: Request<Incoming>,
        rules: &Rule,
    ) -> Result<Believed, Denied> {
        let headers = request.headers();
        let allow = &rules.allow;
        if !allow.is_empty() && !allow.iter().any(|network| network.contains(from)) {
            return Err(Refusal::Address.into());
        }
        if headers.contains_key(header::ORIGIN) {
            return Err(Refusal::Origin.into());
        }
        let shown = Shown::of(door, headers, request.uri().query()).ok_or(Refusal::Unsigned)?;
        if !rules.callbacks.signs_time(door, &shown) {
            return Err(Refusal::Forged.into());
        }
        let time_ms = shown.time_ms().ok_or(Refusal::Untimely(None))?;
        let window_ms = i64::try_from(rules.window.as_millis()).unwrap_or(i64::MAX);
        let age_ms = now_ms() - time_ms;
        if age_ms > window_ms || age_ms < -AHEAD_MS {
            if door != Door::Event {
                // Only the secret signs so: either the clock is wrong, or this is an old call of DingTalk's.
                self.state.send_modify(|state| state.skew_ms = Some(age_ms));
            }
            return Err(Refusal::Untimely(Some(age_ms)).into());
        }
        if !is_json(headers) {
            return Err(Denied::Said(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let body = self.body(request).await?;
        let call = rules.callbacks.read(door, &shown, &body).map_err(|_| Refusal::Forged)?;
        // A minute more, so that a clock which is put right does not make it good once again.
        let until_ms = time_ms.saturating_add(window_ms).saturating_add(AHEAD_MS);
        match self.seen.bind(&shown.proof(), &body, until_ms, now_ms()) {
            Body::New(mark) => Ok(Believed { call, shown, standing: Standing::New(mark) }),
            Body::Again => Ok(Believed { call, shown, standing: Standing::Again }),
            Body::Stored => Ok(Believed { call, shown, standing: Standing::Stored }),
            Body::Another => Err(Refusal::OtherBody.into()),
            Body::Unknown => Err(Denied::Said(StatusCode::SERVICE_UNAVAILABLE)),
        }
    }

    async fn body(&self, request: Request<Incoming>) -> Result<Bytes, Denied> {
        let body = Limited::new(request.into_body(), BODY_BYTES);
        match tokio::time::timeout(self.timing.body, body.collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(Denied::Said(StatusCode::PAYLOAD_TOO_LARGE))
            }
            Ok(Err(_)) => Err(Denied::Said(StatusCode::BAD_REQUEST)),
            Err(_) => Err(Denied::Said(StatusCode::REQUEST_TIMEOUT)),
        }
    }

    fn refuse(&self, door: Door, from: IpAddr, refusal: Refusal) -> Answer {
        add(&self.counters.refused);
        self.audit.record(Record {
            door: "http".to_owned(),
            handler: door.name().to_owned(),
            ..Record::event("decision", "deny", "-", refusal.code())
        });
        if let Some(more) = self.told[refusal.index()].tell() {
            let reason = refusal.reason();
            tracing::warn!(door = door.name(), %from, more, hint = refusal.hint(), "refused a call: {reason}");
        }
        said(StatusCode::UNAUTHORIZED, r#"{"error":"unauthorized"}"#.to_owned())
    }

    /// Stores what a call brings, and answers it.
    async fn take(&self, door: Door, believed: Believed) -> Answer {
        let Believed { call, shown, standing } = believed;
        add(&self.counters.frames);
        self.counters.heard();
        if self.state.borrow().skew_ms.is_some() {
            self.state.send_modify(|state| state.skew_ms = None);
        }
        // What somebody repeats is none of DingTalk's pushes: it must not use up the month.
        let mark = match standing {
            Standing::New(mark) => {
                self.meter.received(call.received.as_ref());
                Some(mark)
            }
            Standing::Again => None,
            Standing::Stored => {
                add(&self.counters.duplicates);
                return said(StatusCode::OK, call.answer);
            }
        };
        let inbound = match call.received {
            Ok(Received::Inbound(inbound)) => Some(inbound),
            Ok(Received::Own | Received::Ignored) => None,
            Ok(Received::QuotaExhausted { .. }) => {
                tracing::error!(
                    "DingTalk sends no content any more, because the organisation's quota of pushes is used up"
                );
                None
            }
            Err(error) => {
                // Refusing it would only bring it again.
                add(&self.counters.malformed);
                if let Some(more) = self.malformed.tell() {
                    tracing::warn!(door = door.name(), more, "dropped a call: {error}");
                }
                None
            }
        };
        if let Err(status) = self.commit(inbound, &shown, mark).await {
            return empty(status);
        }
        if let Some(mark) = &mark {
            self.seen.stored(mark);
        }
        said(StatusCode::OK, call.answer)
    }

    /// Whether a message took so long to come that its sender no longer expects it to be acted on: both times are
    /// DingTalk's.
    fn is_late(&self, inbound: &Inbound, shown: &Shown) -> bool {
        let (Some(settings), Inbound::Message(message)) = (&self.late_after, inbound) else {
            return false;
        };
        let came = shown.time_ms().unwrap_or_else(now_ms);
        let took = u64::try_from(came - message.sent_at_ms).unwrap_or_default();
        Duration::from_millis(took) > settings.get().late_after
    }

    /// Stores the row and the signature, in one breath of the journal.
    async fn commit(
        &self,
        inbound: Option<Inbound>,
        shown: &Shown,
        mark: Option<Mark>,
    ) -> Result<(), StatusCode> {
        let late = inbound.as_ref().is_some_and(|inbound| self.is_late(inbound, shown));
        let give_up = Instant::now() + ANSWER;
        loop {
            let accept = async {
                match inbound.clone() {
                    Some(inbound) => self.inbox.accept_as(inbound, late).await.map(Some),
                    None => Ok(None),
                }
            };
            let both = async { tokio::try_join!(accept, self.seen.keep(mark)) };
            let error = match tokio::time::timeout_at(give_up, both).await {
                Ok(Ok((accepted, ()))) => {
                    match accepted {
                        Some(Accepted::New) => add(&self.counters.accepted),
                        Some(Accepted::Duplicate) => add(&self.counters.duplicates),
                        None => {}
                    }
                    return Ok(());
                }
                Ok(Err(error)) if !error.is_transient() => {
                    *self.closed_because.lock().unwrap_or_else(PoisonError::into_inner) =
                        error.to_string();
                    self.closed.cancel();
                    return Err(StatusCode::SERVICE_UNAVAILABLE);
                }
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            };
            let again = Instant::now() + self.timing.commit_retry;
            if error.is_some() && again < give_up {
                tokio::time::sleep_until(again).await;
                continue;
            }
            add(&self.counters.uncommitted);
            if let Some(more) = self.counters.given_up.tell() {
                let hint = if let Some(error) = &error { error.hint() } else { None };
                let why = error.map_or_else(|| "the disk is slow".to_owned(), |e| e.to_string());
                tracing::error!(
                    hint,
                    more,
                    "a call is answered with an error, because it cannot be stored: {why}"
                );
            }
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}

/// A call that is DingTalk's.
struct Believed {
    call: Callback,
    shown: Shown,
    standing: Standing,
}

/// Whether the same call came before.
#[derive(Clone, Copy)]
enum Standing {
    /// No: its signature is to be stored.
    New(Mark),
    /// Yes, and perhaps it could not be stored.
    Again,
    /// Yes, and it is in the journal.
    Stored,
}

enum Denied {
    Refused(Refusal),
    /// What tells nobody anything about signatures.
    Said(StatusCode),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// JSON, as it is: nothing is unpacked here.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return false };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    kind.trim().eq_ignore_ascii_case("application/json")
        && headers.get_all(header::CONTENT_ENCODING).iter().all(plain)
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn said(status: StatusCode, json: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(json)));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
