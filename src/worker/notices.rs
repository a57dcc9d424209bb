//! Tells the owner, in a direct message, when a save broke a script, and when it is well again.
//!
//! Once per streak: who saves fifty broken versions in a row hears of the first and of the mended one. Each message
//! counts against the organisation's monthly calls.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::message::Address;
use crate::message::Body;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::Reply;
use crate::message::StaffId;
use crate::outbox::Outbox;
use crate::outbox::Post;
use crate::script::Outcome;
use crate::script::Report;

/// Runs until `stop`, or until there is nothing more to hear.
pub async fn tell_owner(
    owner: StaffId,
    outbox: Outbox,
    mut reports: Receiver<Arc<Report>>,
    stop: CancellationToken,
) {
    let mut broken = HashSet::new();
    loop {
        let report = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            report = reports.recv() => report,
        };
        let report = match report {
            Ok(report) => report,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let Some(text) = notice(&report, &mut broken) else { continue };
        let to = Address {
            // A lane of its own in the outbox; the robot API goes by the staff id.
            conversation_id: ConversationId::new(format!("owner:{owner}")),
            kind: ChatKind::Direct,
            staff_id: Some(owner.clone()),
            robot_code: None,
            webhook: None,
        };
        let reply = Reply { to, body: Body::Text { text }, at: Vec::new() };
        if let Err(error) = outbox.post("scripts", vec![Post::Reply(reply)]).await {
            tracing::error!(%error, "the owner could not be told of a script that does not load");
        }
    }
}

fn notice(report: &Report, broken: &mut HashSet<String>) -> Option<String> {
    match &report.outcome {
        Outcome::Failed { .. } => {
            broken.insert(report.script.clone()).then(|| format!("⚠️ {report}"))
        }
        Outcome::Loaded { .. } => broken.remove(&report.script).then(|| format!("✅ {report}")),
        Outcome::Removed => {
            broken.remove(&report.script);
            None
        }
        Outcome::Folder { .. } | Outcome::Warning { .. } => None,
    }
}
