//! A reply that cannot be sent: kept with its reason for the owner, and told of.

use super::{Delivered, Row, Sender, Turn};
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::message::Reply;

impl Sender {
    pub(super) async fn park(
        &self,
        turn: &Turn,
        row: &Row,
        reply: &Reply,
        error: ApiError,
        tell: bool,
    ) -> Delivered {
        let mut error = error;
        if row.unanswered > 0 {
            error.message = format!(
                "not answered {} times, so it may have been said: {}",
                row.unanswered, error.message
            );
        }
        let hint = self.next_step(&error);
        tracing::error!(%error, hint, row = turn.id, "a reply could not be sent; it is parked");
        self.count_attempts(turn.id, row).await;
        if error.class == Class::Quota {
            let why = self.reason(&row.run, reply, &error).await;
            self.ended(turn.id, "parked", Some((why, hint))).await;
            return Delivered::Settled(None);
        }
        self.ended(turn.id, "parked", Some((error.to_string(), hint))).await;
        // A file goes as the robot only; that it does not come can be said on the webhook.
        let tell = tell || (!reply.body.fits_webhook() && reply.to.webhook.is_some());
        self.outbox.tell_parked(turn.id, &row.run, reply, &error, tell).await;
        Delivered::Settled(None)
    }
}
