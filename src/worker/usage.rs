//! `usage`: what was used of DingTalk's monthly budgets; and the owner is told when they run low.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::notices::to_owner;
use crate::access::Access;
use crate::access::Actor;
use crate::budget;
use crate::budget::Ledger;
use crate::language::Languages;
use crate::outbox;
use crate::outbox::Outbox;
use crate::store::Store;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

/// How long a warning waits that the disk did not take.
const AGAIN: Duration = Duration::from_secs(5);

/// What a warning counts as, where runs are named.
const RUN: &str = "budget";

impl Dispatch {
    /// Answers `usage`: everything for the owner and admins, for others what they used themselves.
    pub(super) async fn usage(&self, actor: &Actor, lang: Lang) -> String {
        match self.outbox.ledger().report(None).await {
            Ok(report) if self.access.sees_all(actor) => budget::usage(&report, lang),
            Ok(report) => budget::own(&report, actor.id().as_str(), lang),
            Err(error) => {
                tracing::error!(%error, "the ledger cannot be read");
                words::budget::no_ledger(lang).to_owned()
            }
        }
    }
}

/// Tells the owner of budgets that run low, each thing once, also over restarts. Runs until `stop`.
pub async fn tell_owner_of_budgets(
    access: Arc<Access>,
    languages: Languages,
    store: Store,
    outbox: Outbox,
    ledger: Ledger,
    stop: CancellationToken,
) {
    loop {
        let warning = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            warning = ledger.warning() => warning,
        };
        tracing::warn!(
            month = %warning.month,
            budget = warning.budget.as_str(),
            used = warning.used,
            limit = warning.limit,
            "a monthly budget of DingTalk runs low"
        );
        let owner = access.owner();
        let text = budget::warning(&warning, languages.of(owner.as_ref()));
        let posts: Vec<_> = owner.iter().map(|owner| to_owner(owner, text.clone())).collect();
        let told = warning.clone();
        let (ledger, sent) = (ledger.clone(), outbox.clone());
        ledger.begins(RUN, "", "");
        let written = store
            .write_then(
                // The note and the notice are one: neither a crash nor a restart tells it twice, or never.
                move |c| {
                    if budget::tell(c, &told, now_ms())? {
                        outbox::insert(c, RUN, &posts)
                    } else {
                        Ok(outbox::Posted::default())
                    }
                },
                move |posted| sent.posted(posted),
            )
            .await;
        if let Err(error) = written {
            tracing::error!(%error, "the owner could not be told of a budget; trying again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => ledger.warn_again(warning),
            }
        }
    }
}
