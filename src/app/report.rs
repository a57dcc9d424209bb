//! How the host is at this moment: for the status file, which `moonbell status` reads, and for the console.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::budget::Ledger;
use crate::budget::Spent;
use crate::script;
use crate::sink::redact;
use crate::store::now_ms;
use crate::telemetry::status;
use crate::transport;
use crate::transport::Addresses;
use crate::transport::Link;
use crate::transport::Phase;
use crate::words::Lang;
use crate::words::network as w;
use crate::worker::Dispatch;

/// How often the status file is brought up to date; people look at it, nothing waits for it.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// How often a deleted journal is told of again: nobody must overlook that, nor drown in it.
const GONE_AGAIN: Duration = Duration::from_mins(1);

/// Sees how the host is, and keeps the status file current.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) state_dir: PathBuf,
    pub(super) scripts_dir: PathBuf,
    pub(super) command: &'static str,
    pub(super) url: Option<String>,
    pub(super) console: Option<String>,
    pub(super) started_at_ms: i64,
    pub(super) ledger: Ledger,
    pub(super) link: Link,
    /// In HTTP mode.
    pub(super) addresses: Option<Addresses>,
    pub(super) dispatch: Dispatch,
    pub(super) settings: watch::Receiver<status::Settings>,
}

impl Report {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut link = self.link.clone();
        let mut failing = false;
        let mut gone = None;
        loop {
            let moment = self.moment();
            let dir = self.state_dir.clone();
            let written = tokio::task::spawn_blocking(move || moment.write(&dir)).await;
            let failed = !matches!(written, Ok(Ok(())));
            if !self.dispatch.store.path().exists() {
                if gone.is_none_or(|told: Instant| told.elapsed() >= GONE_AGAIN) {
                    gone = Some(Instant::now());
                    tracing::error!(dir = %self.state_dir.display(), "the journal was deleted while this host runs: what is in flight is lost when it ends, and nothing will be remembered; stop it and start it again");
                }
            } else if failed && !failing {
                tracing::warn!(dir = %self.state_dir.display(), "the status file cannot be written; `moonbell status` shows an old moment");
            }
            failing = failed;
            tokio::select! {
                () = stop.cancelled() => return,
                // A new connection state is shown at once, everything else within the interval.
                more = link.changed() => if !more {
                    stop.cancelled().await;
                    return;
                },
                () = tokio::time::sleep(STATUS_EVERY) => {}
            }
        }
    }

    fn budget(&self) -> status::Budget {
        let (month, api_calls, pushes) = self.ledger.now();
        let spent = |spent: Spent| status::Spent {
            used: spent.used,
            limit: spent.limit,
            refused: spent.refused,
        };
        status::Budget {
            month: month.to_string(),
            api_calls: spent(api_calls),
            pushes: spent(pushes),
            may_stream: self.ledger.may_stream(),
        }
    }

    fn connection(&self) -> status::Connection {
        let state = self.link.now();
        let warning = warning(&state);
        let (word, hint, until) = match state.phase {
            Phase::Connecting => ("connecting", None, None),
            Phase::Connected => (status::Connection::CONNECTED, None, None),
            Phase::Registered => (status::Connection::REGISTERED, None, None),
            Phase::Deaf { .. } => ("deaf", None, None),
            Phase::BackingOff { until, .. } => ("backing_off", None, Some(until)),
            Phase::Refused { until, hint, .. } => ("refused", hint, Some(until)),
            // The host goes on until what runs has ended.
            Phase::Stopped => ("stopping", None, None),
        };
        status::Connection {
            state: word.to_owned(),
            since_ms: unix_ms(state.since),
            error: state.error.map(|error| redact(&error).into_owned()),
            warning,
            hint,
            until_ms: until.map(unix_ms),
            last_frame_at_ms: self.link.heard_at().map(unix_ms),
        }
    }

    fn webhook(&self) -> Option<status::Webhook> {
        let addresses = self.addresses.clone()?;
        Some(status::Webhook {
            listen: addresses.listen.to_string(),
            tls: addresses.tls,
            public: addresses.public,
            robot: addresses.robot,
            event: addresses.event,
            card: addresses.card,
            refused: self.link.totals().refused,
        })
    }

    /// How the host is now.
    pub(super) fn moment(&self) -> status::Status {
        let ended = self.dispatch.running.totals();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        status::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            command: self.command.to_owned(),
            started_at_ms: self.started_at_ms,
            updated_at_ms: now_ms(),
            mode: if self.addresses.is_some() { "http" } else { "stream" }.to_owned(),
            webhook: self.webhook(),
            connection: self.connection(),
            settings: self.settings.borrow().clone(),
            budget: self.budget(),
            scripts_dir: self.scripts_dir.clone(),
            scripts: self
                .dispatch
                .library
                .snapshot()
                .scripts()
                .iter()
                .map(describe_script)
                .collect(),
            runs: status::Runs {
                queued: count(self.dispatch.inbox.waiting()),
                running: count(self.dispatch.running.list().len()),
                done: ended.done,
                failed: ended.failed,
            },
            outbox: count(self.dispatch.outbox.waiting()),
            parked: count(self.dispatch.outbox.parked()),
            url: self.url.clone(),
            console: self.console.clone(),
        }
    }
}

/// What looks wrong, though it may be up.
fn warning(state: &transport::State) -> Option<String> {
    if let Some(times) = state.closed_soon {
        return Some(w::closed_soon(&times.to_string(), Lang::En));
    }
    let skew_ms = state.skew_ms?;
    let seconds = (skew_ms.unsigned_abs() / 1_000).to_string();
    let says = if skew_ms > 0 { w::signed_early } else { w::signed_late };
    Some(says(&seconds, Lang::En))
}

fn describe_script(script: &script::Status) -> status::Script {
    status::Script {
        name: script.script.clone(),
        generation: script.serving.map_or(0, |serving| serving.number),
        handlers: script.serving.map_or(0, |serving| serving.handlers),
        loaded_at_ms: script.serving.map(|serving| serving.loaded_at.timestamp_millis()),
        error: script.failure.as_ref().map(|(error, _)| redact(&error.to_string()).into_owned()),
    }
}

fn unix_ms(at: SystemTime) -> i64 {
    DateTime::<Utc>::from(at).timestamp_millis()
}
