//! What the terminal of `dev` and `run` shows while the host works: saves and the connection.

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::talk;
use crate::script::Library;
use crate::script::Report;
use crate::transport::State;

/// Prints what becomes of saves, and of the connection. Never ends.
pub(super) async fn tell(library: Library, mut connection: watch::Receiver<State>) {
    let mut reports = library.reports();
    let mut last = None;
    loop {
        let state = connection.borrow_and_update().clone();
        let text = describe(&state);
        if text != last {
            if let Some(text) = &text {
                talk::say(text);
            }
            last = text;
        }
        tokio::select! {
            report = reports.recv() => match report {
                Ok(report) => tell_report(&report),
                Err(RecvError::Lagged(missed)) => talk::say(format_args!("({missed} more scripts were loaded)")),
                Err(RecvError::Closed) => std::future::pending().await,
            },
            changed = connection.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
        }
    }
}

fn tell_report(report: &Report) {
    if report.is_failure() {
        talk::failure(report);
    } else {
        talk::say(report);
    }
}

fn describe(state: &State) -> Option<String> {
    let at = |time: &std::time::SystemTime| {
        chrono::DateTime::<chrono::Local>::from(*time).format("%H:%M:%S").to_string()
    };
    Some(match state {
        State::Connecting | State::Stopped => return None,
        State::Connected { .. } => "connected to DingTalk".to_owned(),
        State::Deaf { reason } => format!("the connection went deaf ({reason}); connecting again"),
        State::BackingOff { until, reason } => {
            format!("not connected: {reason}; next attempt at {}", at(until))
        }
        State::Refused { until, reason, hint } => {
            let hint = hint.as_deref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            format!(
                "DingTalk refuses the connection: {reason}; next attempt at {}{hint}",
                at(until)
            )
        }
    })
}
