//! Tells the owner that something does not arrive, and the person who waits for it.
//!
//! Both once in a while for each kind of trouble: a storm of refusals is one piece of news. The owner is told on the
//! webhook of their last message while that lives: what parks replies is often that the robot may not speak first.

use std::collections::HashMap;

use tokio::time::Instant;

use super::reaction::{Timing, kind, robot_is_shut};
use super::{Outbox, Post};
use crate::dingtalk::ApiError;
use crate::message::{Address, Body, ChatKind, ConversationId, Reply, StaffId};
use crate::store::now_ms;
use crate::words::Lang;
use crate::words::parked as says;

/// The run of these notices in the journal; one that cannot be sent is not told of.
pub(super) const RUN: &str = "outbox";

/// A webhook with less left than this may be gone before the notice is sent.
const MARGIN_MS: i64 = 120_000;

/// When what was told.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<String, Instant>);

impl Told {
    /// Whether `what` is news; from now on it is not.
    fn is_news(&mut self, what: String, timing: &Timing) -> bool {
        let now = Instant::now();
        self.0.retain(|_, at| now.duration_since(*at) < timing.tell_again);
        if self.0.contains_key(&what) {
            return false;
        }
        self.0.insert(what, now);
        true
    }
}

impl Outbox {
    /// Notes the way to the owner, for a notice.
    pub(super) fn met(&self, to: &Address) {
        if to.webhook.is_some() && to.kind == ChatKind::Direct && to.staff_id == self.owner.get() {
            *self.shared.owner_at.lock().expect("nobody panics holding this") = Some(to.clone());
        }
    }

    /// Tells of a row that is parked. `tell`: the person may be reached with other words.
    pub(super) async fn tell_parked(
        &self,
        row: i64,
        run: &str,
        reply: &Reply,
        error: &ApiError,
        tell: bool,
    ) {
        if run == RUN {
            return;
        }
        let news = |what: String| {
            let mut told = self.shared.told.lock().expect("nobody panics holding this");
            told.is_news(what, &self.timing)
        };
        if tell && news(format!("{} {}", reply.to.conversation_id, kind(error))) {
            let text = says::not_sent(row, self.languages.of(reply.to.staff_id.as_ref()));
            self.say(reply.to.clone(), text).await;
        }
        if news(kind(error)) {
            self.tell_owner(error, |why, lang| says::parked(row, why, lang)).await;
        }
    }

    /// Tells the owner of something that DingTalk refuses, whether or not a reply is lost by it.
    pub(super) async fn tell_refused(&self, error: &ApiError) {
        let news = {
            let mut told = self.shared.told.lock().expect("nobody panics holding this");
            told.is_news(kind(error), &self.timing)
        };
        if news {
            self.tell_owner(error, says::refused).await;
        }
    }

    async fn tell_owner(&self, error: &ApiError, sentence: impl Fn(&str, Lang) -> String) {
        let Some(owner) = &self.owner.get() else { return };
        let lang = self.languages.of(Some(owner));
        let hint = error.hint_in(lang).map(|hint| says::hint(&hint, lang)).unwrap_or_default();
        let text = sentence(&format!("{error}{hint}"), lang);
        let met = self.shared.owner_at.lock().expect("nobody panics holding this").clone();
        let alive = |to: &Address| {
            to.webhook.as_ref().is_some_and(|webhook| webhook.expires_at_ms > now_ms() + MARGIN_MS)
        };
        match met.filter(alive) {
            Some(to) => self.say(to, text).await,
            // There is no way to them now: the log, `moonbell outbox` and `moonbell status` say it.
            None if robot_is_shut(error) => {}
            None => self.say(by_staff_id(owner), text).await,
        }
    }

    async fn say(&self, to: Address, text: String) {
        let reply = Reply { to, body: Body::Text { text }, at: Vec::new() };
        if let Err(error) = self.post(RUN, vec![Post::Reply(reply)]).await {
            tracing::error!(%error, "nobody could be told of a reply that is parked");
        }
    }
}

fn by_staff_id(owner: &StaffId) -> Address {
    Address {
        // A lane of its own; the robot API goes by the staff id.
        conversation_id: ConversationId::new(format!("owner:{owner}")),
        kind: ChatKind::Direct,
        staff_id: Some(owner.clone()),
        robot_code: None,
        webhook: None,
    }
}
