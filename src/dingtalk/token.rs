//! The access token: fetched once however many ask, renewed before it ends, dropped when DingTalk disowns it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::error::ApiError;
use crate::config::Secret;
use crate::sink::hide_passing;

/// A token is not used in its last minutes: a call must not outlive it on the way.
const RENEW_EARLY: Duration = Duration::from_mins(5);
/// What is assumed when the answer gives no usable lifetime.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(2);
/// Callers that queued behind a failed fetch share its error this long instead of repeating it one by one.
const FAILURE_SHARED_FOR: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct TokenCache {
    state: Mutex<State>,
    /// One permit: whoever holds it fetches, the others wait and find the result.
    fetching: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    current: Option<(Secret, Instant)>,
    /// How often everything was forgotten: what was asked for before is not kept.
    forgotten: u64,
    failure: Option<(ApiError, Instant)>,
}

/// What a fetch brought.
pub(super) struct Fetched {
    pub(super) token: Secret,
    pub(super) expires_in_secs: i64,
}

impl TokenCache {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), fetching: Semaphore::new(1) }
    }

    /// Returns the cached token, or the one that `fetch` brings.
    ///
    /// # Cancel safety
    /// A dropped call leaves the cache as it was; the next caller fetches.
    pub(super) async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<Secret, ApiError>
    where
        F: Future<Output = Result<Fetched, ApiError>>,
    {
        if let Some(token) = self.cached() {
            return Ok(token);
        }
        let _permit = self.fetching.acquire().await.expect("the semaphore is never closed");
        if let Some(token) = self.cached() {
            return Ok(token);
        }
        if let Some(failure) = self.recent_failure() {
            return Err(failure);
        }
        let forgotten = self.lock().forgotten;
        let fetched = fetch().await;
        let now = Instant::now();
        let mut state = self.lock();
        if state.forgotten != forgotten {
            return fetched.map(|fetched| fetched.token);
        }
        match fetched {
            Ok(fetched) => {
                hide_passing(fetched.token.expose());
                let lifetime = match u64::try_from(fetched.expires_in_secs) {
                    Ok(secs) if secs > 0 => Duration::from_secs(secs),
                    _ => DEFAULT_LIFETIME,
                };
                // A short-lived token is used for half of its life rather than fetched for every call.
                let usable = lifetime
                    .checked_sub(RENEW_EARLY)
                    .filter(|left| !left.is_zero())
                    .unwrap_or(lifetime / 2);
                state.current = Some((fetched.token.clone(), now + usable));
                state.failure = None;
                Ok(fetched.token)
            }
            Err(error) => {
                state.failure = Some((error.clone(), now + FAILURE_SHARED_FOR));
                Err(error)
            }
        }
    }

    /// Forgets `token` after DingTalk called it invalid; a newer one, fetched meanwhile, stays.
    pub(super) fn drop_token(&self, token: &Secret) {
        let mut state = self.lock();
        if state.current.as_ref().is_some_and(|(current, _)| current == token) {
            state.current = None;
        }
    }

    /// Forgets whatever there is, and what is being fetched.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        *state = State { forgotten: state.forgotten + 1, ..State::default() };
    }

    fn cached(&self) -> Option<Secret> {
        let state = self.lock();
        state
            .current
            .as_ref()
            .filter(|(_, until)| Instant::now() < *until)
            .map(|(token, _)| token.clone())
    }

    fn recent_failure(&self) -> Option<ApiError> {
        let state = self.lock();
        state
            .failure
            .as_ref()
            .filter(|(_, until)| Instant::now() < *until)
            .map(|(error, _)| error.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
