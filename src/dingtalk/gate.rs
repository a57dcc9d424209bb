//! Calls that are not made, because DingTalk has just said that they cannot succeed.
//!
//! A missing permission is the same for every message: after the first refusal the calls that need it fail here, with
//! the same error, for half an hour or until the owner asks to try again; then one call goes through to see. A ban of
//! this computer's address holds for every call there is, for as long as it lasts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::error::{ApiError, Class, Reach};

/// How long a refusal of this kind is believed before one call asks again.
const BELIEVED: Duration = Duration::from_mins(30);

/// Wrong credentials stop everything, and are put right while somebody watches.
const CREDENTIALS: Duration = Duration::from_mins(5);

/// While the one call that asks again is under way; longer than any call takes.
const ASKING: Duration = Duration::from_secs(40);

/// When the others look for the answer of that call.
const ASK_SOON: Duration = Duration::from_secs(1);

/// What an app may be allowed to do, each by a permission of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Capability {
    /// Every call that needs a token.
    Calls,
    Send,
    Cards,
    Streaming,
    Reactions,
    Upload,
    Download,
}

impl Capability {
    fn of(endpoint: &str) -> Self {
        match endpoint {
            "/v1.0/card/streaming" => Self::Streaming,
            "/media/upload" => Self::Upload,
            "/v1.0/robot/messageFiles/download" => Self::Download,
            _ if endpoint.starts_with("/v1.0/card/") => Self::Cards,
            _ if endpoint.starts_with("/v1.0/robot/emotion/") => Self::Reactions,
            _ => Self::Send,
        }
    }

    /// The permission, for answers that do not name it.
    fn scope(self) -> Option<&'static str> {
        match self {
            Self::Send | Self::Reactions | Self::Download => Some("qyapi_robot_sendmsg"),
            Self::Cards => Some("Card.Instance.Write"),
            Self::Streaming => Some("Card.Streaming.Write"),
            Self::Calls | Self::Upload => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    banned_until: Option<Instant>,
    closed: HashMap<Capability, Closed>,
}

#[derive(Debug)]
struct Closed {
    until: Instant,
    /// One call is under way to see whether it still holds.
    asking: bool,
    why: ApiError,
}

impl Gate {
    /// Lets a call to `endpoint` through, or says why it need not be made. Calls with a token pass `with_token`.
    ///
    /// # Errors
    /// The refusal that is still believed; of a ban, with the time that is left of it.
    pub(super) fn enter(&self, endpoint: &'static str, with_token: bool) -> Result<(), ApiError> {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(until) = state.banned_until {
            if now < until {
                let why = "this computer's address is shut out for too many calls";
                let error = ApiError::local(endpoint, Class::Throttled, "1111", why);
                return Err(ApiError { retry_after: Some(until - now), ..error });
            }
            state.banned_until = None;
        }
        if !with_token {
            return Ok(());
        }
        for capability in [Capability::Calls, Capability::of(endpoint)] {
            if let Some(closed) = state.closed.get_mut(&capability) {
                if now < closed.until && closed.asking {
                    let why = "another call asks whether this is allowed again";
                    let error = ApiError::local(endpoint, Class::Transient, "asking", why);
                    return Err(ApiError { retry_after: Some(ASK_SOON), ..error });
                }
                if now < closed.until {
                    return Err(ApiError { endpoint, ..closed.why.clone() });
                }
                // This one asks for all.
                (closed.until, closed.asking) = (now + ASKING, true);
            }
        }
        Ok(())
    }

    /// Notes how a call ended.
    pub(super) fn left<T>(
        &self,
        endpoint: &'static str,
        with_token: bool,
        answer: &Result<T, ApiError>,
    ) {
        let now = Instant::now();
        let mut state = self.state();
        let Err(error) = answer else {
            if with_token && !state.closed.is_empty() {
                for capability in [Capability::Calls, Capability::of(endpoint)] {
                    if state.closed.remove(&capability).is_some() {
                        tracing::info!(endpoint, "DingTalk allows this again");
                    }
                }
            }
            return;
        };
        let (capability, believed) = match &error.class {
            Class::Throttled if error.reach() == Reach::Computer => {
                if state.banned_until.is_some_and(|until| now < until) {
                    return;
                }
                let wait = error.retry_after.unwrap_or(Duration::from_mins(5));
                state.banned_until = Some(now + wait);
                tracing::error!(
                    ?wait,
                    "DingTalk has shut out this computer's address: no call is made until then"
                );
                return;
            }
            // Of the token itself: no call can have one.
            Class::Credentials if with_token => (Capability::Calls, CREDENTIALS),
            Class::Scope(_) if with_token => (Capability::of(endpoint), BELIEVED),
            // Our own budget is not DingTalk's word, and opens by itself.
            Class::Quota | Class::IpNotAllowed if with_token && error.code != ApiError::BUDGET => {
                (Capability::Calls, BELIEVED)
            }
            // Something else is wrong, or nothing: the next call may ask.
            _ => {
                for capability in [Capability::Calls, Capability::of(endpoint)] {
                    if let Some(closed) = state.closed.get_mut(&capability)
                        && with_token
                        && closed.asking
                    {
                        (closed.until, closed.asking) = (now, false);
                    }
                }
                return;
            }
        };
        let hint = error.hint();
        tracing::error!(%error, hint, ?believed, "calls that need this are not made for a while");
        let closed = Closed { until: now + believed, asking: false, why: error.clone() };
        state.closed.insert(capability, closed);
    }

    /// Believes no refusal any more: somebody says that it was put right. A ban stays, for it only ends by itself.
    pub(super) fn ask_again(&self) {
        self.state().closed.clear();
    }

    /// What DingTalk refuses at present.
    pub(super) fn refusals(&self) -> Vec<ApiError> {
        self.state().closed.values().map(|closed| closed.why.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics holding this")
    }
}

/// Completes what DingTalk leaves out of a refusal: the permission's name, and the page to ask for it.
pub(super) fn complete(error: ApiError, client_id: &str) -> ApiError {
    let Class::Scope(mut scopes) = error.class.clone() else { return error };
    if scopes.is_empty() {
        scopes.extend(Capability::of(error.endpoint).scope().map(str::to_owned));
    }
    let page = scopes.first().map(|scope| {
        Box::new(format!(
            "https://open-dev.dingtalk.com/appscope/apply?content={client_id}%23{scope}"
        ))
    });
    ApiError { class: Class::Scope(scopes), page, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEND: &str = "/v1.0/robot/oToMessages/batchSend";
    const CARD: &str = "/v1.0/card/instances";

    fn refused(class: Class, code: &str) -> Result<(), ApiError> {
        Err(ApiError::local(SEND, class, code, "no"))
    }

    fn scope() -> Result<(), ApiError> {
        refused(Class::Scope(vec!["qyapi_robot_sendmsg".to_owned()]), "Forbidden")
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_permission_stops_what_needs_it_for_half_an_hour_and_then_one_call_asks() {
        let gate = Gate::default();
        gate.left(SEND, true, &scope());
        assert!(matches!(gate.enter(SEND, true).unwrap_err().class, Class::Scope(_)));
        gate.enter(CARD, true).unwrap();
        gate.enter("sessionWebhook", false).unwrap();
        tokio::time::advance(BELIEVED).await;
        gate.enter(SEND, true).unwrap();
        assert_eq!(gate.enter(SEND, true).unwrap_err().code, "asking", "one asks for all");
        gate.left(SEND, true, &scope());
        tokio::time::advance(BELIEVED / 2).await;
        gate.enter(SEND, true).expect_err("it was refused again");
        gate.ask_again();
        gate.enter(SEND, true).unwrap();
        gate.left(SEND, true, &Ok(()));
        gate.enter(SEND, true).unwrap();
        gate.enter(SEND, true).unwrap();
        assert!(gate.refusals().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_ban_holds_for_every_call_and_ends_by_itself() {
        let gate = Gate::default();
        let banned = ApiError::local(CARD, Class::Throttled, "1111", "no");
        let banned = ApiError { retry_after: Some(Duration::from_mins(5)), ..banned };
        gate.left(CARD, true, &Err::<(), _>(banned));
        gate.ask_again();
        for (endpoint, with_token) in [(SEND, true), ("sessionWebhook", false), (CARD, true)] {
            let error = gate.enter(endpoint, with_token).unwrap_err();
            assert_eq!((error.reach(), error.code.as_str()), (Reach::Computer, "1111"));
            assert!(error.retry_after.unwrap() > Duration::from_mins(4));
        }
        tokio::time::advance(Duration::from_mins(5)).await;
        gate.enter(SEND, true).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_concerns_the_whole_app_stops_every_call_with_a_token() {
        for class in [Class::Quota, Class::IpNotAllowed, Class::Credentials] {
            let gate = Gate::default();
            gate.left(SEND, true, &refused(class.clone(), "x"));
            assert_eq!(gate.enter(CARD, true).unwrap_err().class, class);
            gate.enter("sessionWebhook", false).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_fault_of_the_call_that_asks_leaves_the_question_open() {
        let gate = Gate::default();
        gate.left(SEND, true, &scope());
        tokio::time::advance(BELIEVED).await;
        gate.enter(SEND, true).unwrap();
        gate.left(SEND, true, &refused(Class::Transient, "timeout"));
        gate.enter(SEND, true).expect("the next one asks");
    }

    #[test]
    fn a_refusal_names_the_permission_and_where_to_ask_for_it() {
        let error = ApiError::local(SEND, Class::Scope(Vec::new()), "60011", "");
        let error = complete(error, "dingclient");
        assert_eq!(error.class, Class::Scope(vec!["qyapi_robot_sendmsg".to_owned()]));
        let hint = error.hint().unwrap();
        assert!(hint.ends_with("apply?content=dingclient%23qyapi_robot_sendmsg"), "{hint}");
    }
}
