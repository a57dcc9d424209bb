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
            let text = format!(
                "⚠️ 有一条回复未能送达（#{row}），主人可以看到原因。\nAn answer could not be sent (#{row}); the owner can see why."
            );
            self.say(reply.to.clone(), text).await;
        }
        if news(kind(error)) {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            let text = format!(
                "⚠️ 一条回复未能送达，已搁置（#{row}）· An answer could not be sent and is parked (#{row}): {error}{hint}\n发送 parked 查看，parked retry all 重试 · Send parked to see them, parked retry all to try again."
            );
            self.tell_owner(error, text).await;
        }
    }

    /// Tells the owner of something that DingTalk refuses, whether or not a reply is lost by it.
    pub(super) async fn tell_refused(&self, error: &ApiError) {
        let news = {
            let mut told = self.shared.told.lock().expect("nobody panics holding this");
            told.is_news(kind(error), &self.timing)
        };
        if news {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            self.tell_owner(error, format!("⚠️ 钉钉拒绝了 · DingTalk refuses this: {error}{hint}"))
                .await;
        }
    }

    async fn tell_owner(&self, error: &ApiError, text: String) {
        let Some(owner) = &self.owner.get() else { return };
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
