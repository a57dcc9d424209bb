//! A file that a reply is about to show: uploaded in its place among the replies.

use tokio::time::Instant;

use super::{Delivered, Row, Sender, Turn};
use crate::outbox::attach::Attachment;
use crate::outbox::reaction::{Reaction, reaction};
use crate::store::now_ms;

impl Sender {
    /// Uploads a file; from then on it is a reply like any other.
    pub(super) async fn deliver_attachment(
        &self,
        turn: &Turn,
        mut row: Row,
        attachment: &Attachment,
    ) -> Delivered {
        let error = match self.for_run(&row.run).prepare(attachment).await {
            Ok(parts) => {
                self.rewrite(turn.id, &parts).await;
                self.forget(attachment).await;
                (row.attempts, row.unanswered, row.fresh) = (0, 0, false);
                return self.deliver_parts(turn, row, parts).await;
            }
            Err(error) => error,
        };
        row.attempts += 1;
        if let Reaction::Again = reaction(&error, 0, now_ms() - row.since_ms) {
            let wait = self.outbox.timing.wait(row.attempts, &error);
            tracing::warn!(%error, attempt = row.attempts, ?wait, row = turn.id, "a file was not uploaded; trying again");
            self.failed(turn.id, &row, &error, wait).await;
            return Delivered::Later(Instant::now() + wait, Turn { kept: false, ..turn.clone() });
        }
        self.park(turn, &row, &attachment.reply(String::new()), error, false).await
    }
}
