//! What calls have to show: keys, times and addresses, as the settings have them at each moment.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Current;
use crate::config::Http;
use crate::config::Network;
use crate::dingtalk::Callbacks;
use crate::dingtalk::KeyError;

/// The rules of one host, to be changed; cheap to clone. A call is judged by those that hold when it comes in.
#[derive(Clone, Debug)]
pub struct Rules(Current<Arc<Rule>>);

/// The rules of a moment.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) callbacks: Callbacks,
    pub(super) window: Duration,
    pub(super) trusted_proxies: Vec<Network>,
    pub(super) allow: Vec<Network>,
}

impl Rules {
    pub(super) fn new(settings: Http, callbacks: Callbacks) -> Self {
        Self(Current::from(Arc::new(Rule::of(settings, callbacks))))
    }

    pub(super) fn now(&self) -> Arc<Rule> {
        self.0.get()
    }

    /// Calls that come from now on are judged by these settings. Where DingTalk was told to call stays: no door is to be
    /// opened or shut by them, and the secret of clicks is to be the same.
    ///
    /// # Errors
    /// When a key is none: then nothing changes.
    pub fn renew(&self, settings: Http) -> Result<(), KeyError> {
        let callbacks = self.now().callbacks.renewed(&settings)?;
        self.0.set(Arc::new(Rule::of(settings, callbacks)));
        Ok(())
    }
}

impl Rule {
    fn of(settings: Http, callbacks: Callbacks) -> Self {
        let Http { window, trusted_proxies, allow, .. } = settings;
        Self { callbacks, window, trusted_proxies, allow }
    }
}
