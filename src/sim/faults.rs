//! Faults on demand: what an order may ask for, what is armed now, and what happens to the next call or frame.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// An order to misbehave: the body of `POST /sim/api/faults`. Everything that is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent order of the JSON, not a state"
)]
pub struct FaultOrder {
    /// Disarms everything first.
    pub clear: bool,
    /// Appended to the armed rules; for each call the first rule that matches is used.
    pub http: Vec<HttpFault>,
    /// The next so many pushes arrive twice, with two messageIds.
    pub duplicate: Option<u32>,
    /// The next so many pushes are lost: no redelivery.
    pub drop: Option<u32>,
    /// The next so many pushes are held back and then sent in reverse order.
    pub reorder: Option<u32>,
    /// Sockets stay open and answer WebSocket pings, and nothing else comes out of them.
    pub zombie: Option<bool>,
    /// Cuts every socket without a close frame, now.
    pub close: bool,
    /// Sends a `disconnect` frame with this reason, then silence, then the end.
    pub disconnect: Option<String>,
    /// Sends a `disconnect` frame with only `type`, `topic` and reason: no messageId.
    pub disconnect_minimal: Option<String>,
    /// Forgets every access token that was issued.
    pub expire_tokens: bool,
    /// Forgets every session webhook that was handed out.
    pub expire_webhooks: bool,
    /// Forgets every download code that was handed out.
    pub expire_codes: bool,
    /// `messageFiles/download` hands out this address instead of its own; `""` ends it.
    pub download_url: Option<String>,
    /// The next so many deliveries of cards, and messages to people, reach nobody: said inside a 200.
    pub fail_delivery: Option<u32>,
    /// `connections/open` hands out this endpoint instead of its own; `""` ends it.
    pub endpoint: Option<String>,
    /// The app gets this secret: the old one is refused from now on, with all that was got with it. Open sockets stay.
    pub client_secret: Option<String>,
    /// The `Date` of answers is ahead by so many seconds, or behind; 0 ends it.
    pub date_ahead_secs: Option<i64>,
    /// Card clicks arrive twice.
    pub duplicate_clicks: Option<bool>,
    /// The `content` of messages arrives as JSON text instead of an object, as it was seen to.
    pub content_as_text: Option<bool>,
}

/// One armed rule for calls of the bot. (`deny_unknown_fields` does not go together with `flatten`.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpFault {
    /// Prefix of the path; empty is every path.
    #[serde(default)]
    pub path: String,
    /// So many calls, then it is over; absent: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// For so long from the order on, then it is over; absent: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    #[serde(flatten)]
    pub kind: HttpFaultKind,
    /// When `for_ms` is over, once it is armed.
    #[serde(skip)]
    until: Option<Instant>,
}

impl HttpFault {
    /// A rule for every path, until cleared.
    pub fn new(kind: HttpFaultKind) -> Self {
        Self { path: String::new(), calls: None, for_ms: None, kind, until: None }
    }

    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    #[must_use]
    pub fn calls(mut self, calls: u32) -> Self {
        self.calls = Some(calls);
        self
    }

    #[must_use]
    pub fn lasting(self, time: Duration) -> Self {
        Self { for_ms: Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)), ..self }
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HttpFaultKind {
    /// HTTP 403 `QpsLimitForAppkeyAndApi`, or its errcode on the legacy host and on webhooks.
    Throttle,
    /// The monthly budget is gone.
    Quota,
    /// 500 `system.busy`, or errcode -1.
    Busy,
    /// This status, with JSON below 500 and with an HTML page from 500 on.
    Status { status: u16 },
    /// An HTML page of some proxy, with status 200.
    Html,
    /// The body of the gateway that banned an address.
    Banned,
    /// The proper answer, late.
    Slow { delay_ms: u64 },
    /// 401 `authFailed`.
    AuthFailed,
    /// 400 `InvalidAuthentication`.
    InvalidToken,
    /// 403 that names this missing scope.
    MissingScope { scope: String },
    /// 403 of an address that is not on the list.
    IpNotAllowed,
    /// 400 `param.contentUnsafe`.
    ContentUnsafe,
    /// 400 with this message, as DingTalk now and then repeats what it was sent.
    Echo { message: String },
    /// No answer at all, and nothing was done: the connection is closed.
    Reset,
    /// The call is carried out, and its answer is lost: the connection is closed.
    Lost,
    /// The call is carried out, and no answer ever comes.
    Hang,
    /// The proper answer, a byte at a time, without its end.
    Drip,
    /// Of a file: sent, a little at a time, and never done.
    Endless,
    /// Of a file: it is somewhere else.
    Redirect { to: String },
}

/// What is armed at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveFaults {
    pub http: Vec<HttpFault>,
    pub duplicate: u32,
    pub drop: u32,
    pub reorder: u32,
    pub zombie: bool,
    pub fail_delivery: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_url: Option<String>,
    pub duplicate_clicks: bool,
    #[serde(default)]
    pub date_ahead_secs: i64,
    #[serde(default)]
    pub content_as_text: bool,
}

impl ActiveFaults {
    /// Takes over what an order arms. What it asks for *now* (close, disconnect, expire) is the world's to do.
    pub(super) fn arm(&mut self, order: &FaultOrder) {
        if order.clear {
            *self = Self::default();
        }
        let now = Instant::now();
        self.http.extend(order.http.iter().cloned().map(|fault| HttpFault {
            until: fault.for_ms.and_then(|ms| now.checked_add(Duration::from_millis(ms))),
            ..fault
        }));
        set(&mut self.duplicate, order.duplicate);
        set(&mut self.drop, order.drop);
        set(&mut self.reorder, order.reorder);
        set(&mut self.zombie, order.zombie);
        set(&mut self.fail_delivery, order.fail_delivery);
        set(&mut self.duplicate_clicks, order.duplicate_clicks);
        set(&mut self.date_ahead_secs, order.date_ahead_secs);
        set(&mut self.content_as_text, order.content_as_text);
        if let Some(endpoint) = &order.endpoint {
            self.endpoint = Some(endpoint.clone()).filter(|endpoint| !endpoint.is_empty());
        }
        if let Some(url) = &order.download_url {
            self.download_url = Some(url.clone()).filter(|url| !url.is_empty());
        }
    }

    /// Returns what this call has to suffer, and counts it down.
    pub(super) fn for_call(&mut self, path: &str) -> Option<HttpFaultKind> {
        self.http.retain(|fault| !fault.is_over());
        let index = self.http.iter().position(|fault| path.starts_with(&fault.path))?;
        let fault = &mut self.http[index];
        let kind = fault.kind.clone();
        if let Some(calls) = &mut fault.calls {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                self.http.remove(index);
            }
        }
        Some(kind)
    }

    /// Returns how long this call is held up before anything else happens to it.
    pub(super) fn delay(kind: &HttpFaultKind) -> Duration {
        match kind {
            HttpFaultKind::Slow { delay_ms } => Duration::from_millis(*delay_ms),
            _ => Duration::ZERO,
        }
    }
}

fn set<T>(field: &mut T, ordered: Option<T>) {
    if let Some(value) = ordered {
        *field = value;
    }
}

/// Takes one from a countdown; says whether there was one.
pub(super) fn take(count: &mut u32) -> bool {
    let armed = *count > 0;
    *count = count.saturating_sub(1);
    armed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_for_its_path_and_its_number_of_calls() {
        let mut faults = ActiveFaults::default();
        let rule = HttpFault::new(HttpFaultKind::Throttle).on("/v1.0/card").calls(2);
        faults.arm(&FaultOrder { http: vec![rule], ..FaultOrder::default() });
        assert_eq!(faults.for_call("/v1.0/robot"), None);
        assert_eq!(faults.for_call("/v1.0/card/instances"), Some(HttpFaultKind::Throttle));
        assert_eq!(faults.for_call("/v1.0/card/streaming"), Some(HttpFaultKind::Throttle));
        assert_eq!(faults.for_call("/v1.0/card/streaming"), None);
    }

    #[test]
    fn a_rule_that_lasts_a_while_is_over_after_it() {
        let mut faults = ActiveFaults::default();
        let lasting =
            |ms| HttpFault::new(HttpFaultKind::Throttle).lasting(Duration::from_millis(ms));
        faults.arm(&FaultOrder {
            http: vec![lasting(0), lasting(u64::MAX)],
            ..FaultOrder::default()
        });
        assert_eq!(faults.for_call("/v1.0/card"), Some(HttpFaultKind::Throttle));
        assert_eq!(faults.http.len(), 1, "the first one is over");
    }

    #[test]
    fn an_order_reads_as_it_is_documented() {
        let order: FaultOrder = serde_json::from_str(
            r#"{"http":[{"path":"/v1.0/card","calls":3,"kind":"throttle"},{"kind":"slow","delay_ms":50}],"zombie":true}"#,
        )
        .unwrap();
        assert_eq!(
            order.http[0],
            HttpFault::new(HttpFaultKind::Throttle).on("/v1.0/card").calls(3)
        );
        assert_eq!(order.http[1].kind, HttpFaultKind::Slow { delay_ms: 50 });
        assert_eq!(order.zombie, Some(true));
    }
}
