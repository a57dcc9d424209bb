//! What `dev` and `run` share: the host in the foreground, its news on the terminal, and how Ctrl-C ends it.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::talk;
use crate::app::App;
use crate::script::Library;
use crate::script::Report;
use crate::transport::State;

/// The runtime of sockets, SQLite and HTTP; Lua has another one.
pub(super) fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// Serves until Ctrl-C or SIGTERM, then ends in order; a second one ends at once.
pub(super) async fn serve(app: App) -> Result<ExitCode> {
    let stop = CancellationToken::new();
    let news = tell_news(app.library().clone(), app.connection());
    let serving = app.run(stop.clone());
    tokio::pin!(serving, news);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut serving => {
                ended?;
                return Ok(ExitCode::SUCCESS);
            }
            () = signal() => {
                if stopping {
                    talk::say("ended at once; what was under way is reported after the next start");
                    return Ok(ExitCode::FAILURE);
                }
                stopping = true;
                stop.cancel();
                talk::say("stopping: runs may finish, replies go out (Ctrl-C again ends at once)");
            }
            () = &mut news => {}
        }
    }
}

/// Prints what becomes of saves, and of the connection. Never ends.
async fn tell_news(library: Library, mut connection: tokio::sync::watch::Receiver<State>) {
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
                Ok(report) => tell(&report),
                Err(RecvError::Lagged(missed)) => talk::say(format_args!("({missed} more scripts were loaded)")),
                Err(RecvError::Closed) => std::future::pending().await,
            },
            changed = connection.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
        }
    }
}

fn tell(report: &Report) {
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

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn signal() {
    drop(tokio::signal::ctrl_c().await);
}
