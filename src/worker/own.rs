//! The journal of runs that no message started: timers, schedules, watchers, hooks.
//!
//! A timer of each second must not cost an fsync each second. Ends are collected and written together: those that went
//! well within half a minute, those that did not within a second. Every failure is kept, every run that was stopped, said
//! something, logged something, ran a program or took a while; of those that just went well, the last of each timer. One
//! that takes a while has its row before its end, so that a crash leaves an account of it ([`super::progress`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::inbox::Inbox;
use crate::inbox::Own;
use crate::inbox::OwnEnd;
use crate::inbox::State;
use crate::script::Background;
use crate::script::Finish;
use crate::script::UnderWay;
use crate::sink::redact;

const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(30);

/// A run of this long is worth a line of its own.
pub(super) const A_WHILE: Duration = Duration::from_secs(1);

/// Ends that are kept for one commit. Past it they are written at once.
const AT_ONCE: usize = 512;

/// What waits to be written.
#[derive(Debug, Default)]
struct Ended {
    notable: Vec<Own>,
    /// The last of each timer that just went well, by script and name.
    plain: HashMap<(String, String), Own>,
    /// The runs of these that are in the journal, to be forgotten for newer ones.
    written: HashMap<(String, String), String>,
    due: Option<Instant>,
}

/// Runs until `stop`, or until there is nothing more to hear; what it has heard is written in any case.
pub async fn keep_own_runs(
    inbox: Inbox,
    mut ends: Receiver<Arc<Background>>,
    stop: CancellationToken,
) {
    let mut ended = Ended::default();
    loop {
        let due = ended.due;
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            heard = ends.recv() => match heard {
                Ok(end) => {
                    ended.add(&end, Instant::now());
                    if inbox.names_are_short() || ended.notable.len() >= AT_ONCE {
                        ended.write(&inbox).await;
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "runs of timers ended faster than they could be noted");
                }
                Err(RecvError::Closed) => break,
            },
            () = stop.cancelled() => break,
            () = wait => ended.write(&inbox).await,
        }
    }
    ended.write(&inbox).await;
}

impl Ended {
    fn add(&mut self, end: &Background, now: Instant) {
        if end.has_row {
            return;
        }
        let own = own(end);
        let key = (own.script.clone(), own.handler.clone());
        let noted = &end.noted;
        let done = end.finish == Finish::Done;
        // By the same clock as the note of one that is under way: that one gets its end in any case.
        let took_ms = u128::try_from(end.ended_at_ms - end.started_at_ms).unwrap_or(0);
        let plain = done
            && end.said == 0
            && noted.log.is_none()
            && noted.exit.is_none()
            && noted.output.is_none()
            && took_ms < A_WHILE.as_millis();
        let within = if done { LATER } else { SOON };
        if plain {
            self.plain.insert(key, own);
        } else {
            self.notable.push(own);
        }
        let due = now + within;
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }

    async fn write(&mut self, inbox: &Inbox) {
        self.due = None;
        let mut rows = std::mem::take(&mut self.notable);
        let mut instead_of = Vec::new();
        let plain: Vec<_> = self.plain.drain().collect();
        for (key, own) in plain {
            instead_of.extend(self.written.insert(key, own.run.clone()));
            rows.push(own);
        }
        if rows.is_empty() && !inbox.names_are_short() {
            return;
        }
        rows.sort_by_key(|own| own.end.as_ref().map(|end| end.at_ms));
        let count = rows.len();
        if let Err(error) = inbox.keep_own(rows, instead_of).await {
            tracing::warn!(%error, count, "ends of runs that no message started could not be written down");
        }
    }
}

fn own(end: &Background) -> Own {
    let (state, error) = match &end.finish {
        Finish::Done => (State::Done, None),
        Finish::Failed(why) => (State::Failed, Some(redact(why).into_owned())),
        Finish::Cancelled => (State::Cancelled, None),
        Finish::Interrupted => (State::Interrupted, Some("the host was stopped".to_owned())),
    };
    Own {
        run: end.run.clone(),
        script: end.script.to_string(),
        version: end.version,
        handler: end.what.clone(),
        started_at_ms: end.started_at_ms,
        exit: end.noted.exit.clone(),
        replies: end.said,
        log: clean(end.noted.log.as_deref()),
        output: clean(end.noted.output.as_deref()),
        end: Some(OwnEnd { state, at_ms: end.ended_at_ms, error }),
    }
}

/// How far one is that is under way.
pub(super) fn so_far(one: &UnderWay) -> Own {
    let noted = one.run.noted();
    Own {
        run: one.run.id().to_owned(),
        script: one.script.to_string(),
        version: one.version,
        handler: one.what.clone(),
        started_at_ms: one.started_at_ms,
        exit: noted.exit,
        replies: one.run.said(),
        log: clean(noted.log.as_deref()),
        output: clean(noted.output.as_deref()),
        end: None,
    }
}

fn clean(text: Option<&str>) -> Option<String> {
    text.map(|text| redact(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Noted;
    use crate::inbox::{Filter, list};
    use crate::store::Store;

    fn end(run: String, failed: Option<&str>) -> Background {
        Background {
            script: "a.luau".into(),
            version: 1,
            what: "every 1s".to_owned(),
            run,
            failed: None,
            finish: failed.map_or(Finish::Done, |why| Finish::Failed(why.to_owned())),
            has_row: false,
            started_at_ms: 1_000,
            ended_at_ms: 1_001,
            said: 0,
            noted: Noted::default(),
        }
    }

    #[tokio::test]
    async fn of_a_timer_that_is_well_the_last_run_is_kept_and_every_failure() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_scratch(dir.path()).unwrap();
        let inbox = Inbox::open(store.clone(), |_| false).await.unwrap();
        let mut ended = Ended::default();
        let now = Instant::now();
        let mut names = Vec::new();
        for round in 0..5 {
            for n in 0..100 {
                names.push(inbox.name_run());
                let why = (round == 2 && n % 10 == 0).then_some("no");
                ended.add(&end(names.last().unwrap().clone(), why), now);
            }
            ended.write(&inbox).await;
        }
        let all = Filter { limit: 1_000, ..Filter::default() };
        let rows = store.read(move |c| list(c, &all)).await.unwrap();
        let states = |state: &str| rows.iter().filter(|row| row.state == state).count();
        assert_eq!((states("failed"), states("done")), (10, 1));
        let last = rows.iter().find(|row| row.state == "done").unwrap();
        assert_eq!(last.run.as_ref(), names.last());
        assert!(last.own && last.inbound.is_none());
    }

    #[test]
    fn a_failure_is_written_soon_and_what_went_well_when_there_is_time() {
        let now = Instant::now();
        let mut ended = Ended::default();
        ended.add(&end("a".to_owned(), None), now);
        assert_eq!(ended.due, Some(now + LATER));
        ended.add(&end("b".to_owned(), Some("no")), now);
        assert_eq!(ended.due, Some(now + SOON));
    }
}
