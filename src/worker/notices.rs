//! Tells the owner, in a direct message, when a save broke a script or a run failed that no message started, and when
//! it is well again.
//!
//! Once per streak: who saves fifty broken versions in a row hears of the first and of the mended one. Each message
//! counts against the organisation's monthly calls.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::config::asked_folder;
use crate::language::Languages;
use crate::message::Address;
use crate::message::Body;
use crate::message::Reply;
use crate::message::StaffId;
use crate::outbox::Outbox;
use crate::outbox::Post;
use crate::script::Background;
use crate::script::Finish;
use crate::script::LoadErrorKind;
use crate::script::Outcome;
use crate::script::Report;
use crate::sink::escape;
use crate::words::Lang;
use crate::words::scripts as says;

/// Runs until `stop`, or until there is nothing more to hear.
pub async fn tell_owner(
    access: Arc<Access>,
    languages: Languages,
    outbox: Outbox,
    theirs: Vec<String>,
    mut reports: Receiver<Arc<Report>>,
    stop: CancellationToken,
) {
    let mut broken = HashSet::new();
    let mut few = Few::default();
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
        let owner = access.owner();
        let lang = languages.of(owner.as_ref());
        let Some(mut text) = notice(&report, &mut broken, lang) else { continue };
        if asked_folder(&theirs, &report.script).is_some() {
            // What other people's scripts say of themselves reaches nobody before they are granted anything.
            if let Outcome::Failed { error, .. } = &report.outcome
                && error.kind != LoadErrorKind::Ungranted
            {
                text = says::theirs_broken(&escape(&report.script), lang);
            }
            match few.another(Instant::now()) {
                More::Yes => {}
                More::Last => text = format!("{text}\n{}", says::theirs_and_more(lang)),
                More::No => continue,
            }
        }
        let Some(owner) = owner else { continue };
        if let Err(error) = outbox.post("scripts", vec![to_owner(&owner, text)]).await {
            tracing::error!(%error, "the owner could not be told of a script that does not load");
        }
    }
}

/// A timer that works every other time is one piece of news an hour, not one a second.
const AGAIN: Duration = Duration::from_hours(1);

/// Runs until `stop`, or until there is nothing more to hear.
pub async fn tell_owner_of_runs(
    access: Arc<Access>,
    languages: Languages,
    outbox: Outbox,
    mut ends: Receiver<Arc<Background>>,
    stop: CancellationToken,
) {
    let mut streaks = Streaks::default();
    loop {
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            end = ends.recv() => end,
        };
        let end = match end {
            Ok(end) => end,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let owner = access.owner();
        let lang = languages.of(owner.as_ref());
        let Some(text) = streaks.notice(&end, Instant::now(), lang) else { continue };
        let Some(owner) = owner else { continue };
        if let Err(error) = outbox.post("scripts", vec![to_owner(&owner, text)]).await {
            tracing::error!(%error, "the owner could not be told of a run that failed");
        }
    }
}

/// Messages about scripts of other people in an hour: whoever can put files into their folder uses up no budget.
const FEW: usize = 5;

/// How many there were, and since when.
#[derive(Debug, Default)]
struct Few(Option<(Instant, usize)>);

#[derive(Debug, PartialEq, Eq)]
enum More {
    Yes,
    /// And none after it.
    Last,
    No,
}

impl Few {
    fn another(&mut self, now: Instant) -> More {
        let (since, count) = self.0.filter(|(since, _)| now - *since < AGAIN).unwrap_or((now, 0));
        self.0 = Some((since, count + 1));
        match count + 1 {
            ..FEW => More::Yes,
            FEW => More::Last,
            _ => More::No,
        }
    }
}

/// What fails at present, and when the owner was told.
#[derive(Debug, Default)]
struct Streaks(HashMap<(Arc<str>, String), Streak>);

#[derive(Debug)]
struct Streak {
    told_at: Instant,
    /// Whether the owner knows it as failing.
    failing: bool,
}

impl Streaks {
    fn notice(&mut self, end: &Background, now: Instant, lang: Lang) -> Option<String> {
        if matches!(end.finish, Finish::Cancelled | Finish::Interrupted) {
            return None;
        }
        let key = (Arc::clone(&end.script), end.what.clone());
        let known = self.0.get_mut(&key);
        match (&end.failed, known) {
            (None, Some(streak)) if streak.failing => {
                streak.failing = false;
                Some(says::works_again(&end.script, &end.what, lang))
            }
            (None, _) => None,
            (Some(_), Some(streak)) if streak.failing || now - streak.told_at < AGAIN => None,
            (Some(why), _) => {
                self.0.insert(key, Streak { told_at: now, failing: true });
                Some(says::failed(&end.script, &end.what, &end.run, why, lang))
            }
        }
    }
}

pub(super) fn to_owner(owner: &StaffId, text: String) -> Post {
    Post::Reply(Reply { to: Address::notice(owner), body: Body::Text { text }, at: Vec::new() })
}

fn notice(report: &Report, broken: &mut HashSet<String>, lang: Lang) -> Option<String> {
    let script = &report.script;
    match &report.outcome {
        Outcome::Failed { error, serving, .. } => broken.insert(script.clone()).then(|| {
            let then = match serving {
                Some(at) => says::still_serves(&at.format("%H:%M").to_string(), lang),
                None => says::serves_not(lang).to_owned(),
            };
            let why = error.to_string();
            if error.path == *script {
                says::broken(why.trim_end(), &then, lang)
            } else {
                says::broken_by(script, why.trim_end(), &then, lang)
            }
        }),
        Outcome::Loaded { number, handlers } => {
            broken.remove(script).then(|| says::mended(script, *number, *handlers, lang))
        }
        Outcome::Removed => {
            broken.remove(&report.script);
            None
        }
        Outcome::Folder { .. } | Outcome::Warning { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(failed: Option<&str>) -> Background {
        Background {
            script: "a.luau".into(),
            version: 1,
            what: "every 1s".to_owned(),
            run: "7k3fa".to_owned(),
            failed: failed.map(str::to_owned),
            finish: failed.map_or(Finish::Done, |why| Finish::Failed(why.to_owned())),
            has_row: false,
            started_at_ms: 0,
            ended_at_ms: 0,
            said: 0,
            noted: crate::api::Noted::default(),
        }
    }

    #[test]
    fn the_owner_hears_of_a_failing_timer_once_and_when_it_is_well() {
        let (mut streaks, start) = (Streaks::default(), Instant::now());
        assert_eq!(streaks.notice(&end(None), start, Lang::En), None);
        assert!(
            streaks
                .notice(&end(Some("a.luau:1: no")), start, Lang::En)
                .unwrap()
                .contains("a.luau:1: no")
        );
        for _ in 0..100 {
            assert_eq!(streaks.notice(&end(Some("again")), start, Lang::En), None);
        }
        assert!(streaks.notice(&end(None), start, Lang::En).unwrap().contains("works again"));
        assert_eq!(streaks.notice(&end(None), start, Lang::En), None);
    }

    #[test]
    fn one_that_fails_now_and_then_is_told_once_an_hour() {
        let (mut streaks, start) = (Streaks::default(), Instant::now());
        let mut told = 0;
        for second in 0..3_600 {
            let failed = (second % 2 == 0).then_some("no");
            told += usize::from(
                streaks
                    .notice(&end(failed), start + Duration::from_secs(second), Lang::En)
                    .is_some(),
            );
        }
        assert_eq!(told, 2);
        assert!(streaks.notice(&end(Some("no")), start + AGAIN, Lang::En).is_some());
    }
}
