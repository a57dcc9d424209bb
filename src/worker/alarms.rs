//! What the owner hears of at once, and once an hour: a handler that does not stop talking, a loop with a machine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Dispatch;
use super::notices;
use crate::words::Lang;

/// Each message counts against the organisation's monthly calls.
const AGAIN: Duration = Duration::from_hours(1);

/// When what was told; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Mutex<HashMap<String, Instant>>>);

impl Alarms {
    /// Whether `what` is news; from now on it is not.
    fn is_news(&self, what: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < AGAIN);
        let is_news = !told.contains_key(what);
        if is_news {
            told.insert(what.to_owned(), Instant::now());
        }
        is_news
    }
}

impl Dispatch {
    /// Tells the owner of `what` in these words, unless they heard of it in the last hour.
    pub(super) async fn alarm(&self, what: &str, text: impl FnOnce(Lang) -> String) {
        let Some(owner) = self.access.owner() else { return };
        if !self.alarms.is_news(what) {
            return;
        }
        let post = notices::to_owner(&owner, text(self.languages.of(Some(&owner))));
        if let Err(error) = self.outbox.post("alarm", vec![post]).await {
            tracing::error!(%error, what, "the owner could not be told");
        }
    }
}
