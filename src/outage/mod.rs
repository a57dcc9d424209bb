//! When the bot could not be reached, and what that meant: told to the owner once, after it is over.
//!
//! The journal knows when frames last flowed, so a stretch is seen whatever it was: no network, a computer that slept,
//! a host that was stopped or died. What DingTalk delivers late is listed; what it never delivers nobody can list, and
//! that is said too.

mod notice;
mod table;

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{Connection, Current, Owner};
use crate::language::Languages;
use crate::outbox::Outbox;
use crate::sink;
use crate::store::Error;
use crate::store::Store;
use crate::transport::Link;
use crate::transport::Phase;
use crate::words;
use crate::words::Lang;

use table::{Cause, Contact, Outage};

/// How often the connection is looked at: the times that are told are as exact as this.
const LOOK: Duration = Duration::from_secs(1);

/// How often the journal notes that frames flow: after a crash an outage seems to begin so much earlier at most.
const NOTE: Duration = Duration::from_mins(1);

/// Watches the connection of one host.
#[derive(Debug)]
pub struct Watch {
    pub link: Link,
    pub store: Store,
    pub outbox: Outbox,
    /// Who is told; nobody: it is noted all the same.
    pub owner: Owner,
    pub languages: Languages,
    pub settings: Current<Connection>,
}

/// What is known at a moment.
struct Known {
    /// When frames last flowed, Unix time; `None`: never yet.
    heard_at_ms: Option<i64>,
    noted_at_ms: i64,
    /// Why nothing flows, as far as it shows.
    cause: Option<Cause>,
    detail: Option<String>,
    /// When to tell of what is over.
    tell_at: Option<Instant>,
    /// The owner knows what DingTalk refuses at present.
    refused: bool,
    /// The owner knows that a second host seems to be there, and since when.
    rival: Option<Instant>,
}

/// Between two looks at a door that is open: more than a busy computer needs, so this one slept.
const ASLEEP_MS: i64 = 15_000;

/// A second host that comes and goes is one piece of news a day.
const RIVAL_AGAIN: Duration = Duration::from_hours(24);

impl Watch {
    /// Runs until `stop`, and then notes that the host ended in order.
    pub async fn run(self, stop: CancellationToken) {
        let mut known = match self.store.read(table::contact).await {
            Ok(contact) => Known::of(contact),
            Err(error) => {
                tracing::error!(%error, "when this bot was last connected cannot be read");
                Known::of(None)
            }
        };
        let (mut link, mut changes) = (self.link.clone(), true);
        loop {
            let stopped = stop.is_cancelled();
            if let Err(error) = self.look(&mut known).await {
                // The next look tries again.
                tracing::debug!(%error, "an outage cannot be noted yet");
            }
            if stopped {
                return self.end(&known).await;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                more = link.changed(), if changes => changes = more,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(&self, known: &mut Known) -> Result<(), Error> {
        let state = self.link.now();
        // A server that never speaks unasked cannot be told from one that has forgotten us.
        let quiet = matches!(state.phase, Phase::Deaf { .. }) && !self.link.keeps_alive();
        if state.is_up() {
            let began = unix_ms(state.since);
            let (began, heard) = if self.link.may_be_silent() {
                known.listened(began)
            } else {
                (began, self.link.heard_at().map_or(began, |at| unix_ms(at).max(began)))
            };
            self.contact(known, began, heard).await?;
        } else if quiet {
            let now = unix_ms(SystemTime::now());
            known.heard_at_ms = known.heard_at_ms.map(|_| now);
        } else {
            known.blame(&state.phase);
        }
        // Where only the messages are kept from us, the owner can still be told; else the terminal and the log say it.
        if let Phase::Refused { reason, hint, can_send: true, .. } = &state.phase
            && !known.refused
        {
            self.say(|lang| notice::refused(reason, hint.as_deref(), lang)).await?;
            known.refused = true;
        }
        if state.closed_soon.is_some() && known.rival.is_none_or(|at| at.elapsed() >= RIVAL_AGAIN) {
            self.say(|lang| words::outage::rival(lang).to_owned()).await?;
            known.rival = Some(Instant::now());
        }
        if known.tell_at.is_some_and(|at| Instant::now() >= at) {
            self.tell().await?;
            known.tell_at = None;
        }
        Ok(())
    }

    /// Frames flowed from `began` to `heard`.
    async fn contact(&self, known: &mut Known, began: i64, heard: i64) -> Result<(), Error> {
        let gap = known.heard_at_ms.map(|last| (last, began)).filter(|(last, began)| {
            u64::try_from(began - last)
                .is_ok_and(|ms| Duration::from_millis(ms) > self.settings.get().tell_after)
        });
        let untold = known.tell_at.is_none() && known.noted_at_ms == 0 && {
            self.store.read(table::untold).await.is_ok_and(|untold| !untold.is_empty())
        };
        if let Some((from_ms, to_ms)) = gap {
            // Nothing went wrong, and yet nothing flowed: the computer slept.
            let cause = known.cause.unwrap_or(Cause::Slept);
            let outage = Outage { from_ms, to_ms, cause, detail: known.detail.clone() };
            let minutes = (to_ms - from_ms) / 60_000;
            tracing::warn!(
                minutes,
                cause = cause.word(),
                "no message could come in for a while; it can now"
            );
            self.store.write(move |c| table::note(c, &outage, heard)).await?;
            known.noted_at_ms = heard;
        } else if heard - known.noted_at_ms >= i64::try_from(NOTE.as_millis()).unwrap_or(i64::MAX) {
            self.store.write(move |c| table::heard(c, heard, false)).await?;
            known.noted_at_ms = heard;
        }
        if gap.is_some() || untold {
            // What was sent meanwhile may still come: DingTalk repeats within minutes.
            known.tell_at = Some(Instant::now() + self.settings.get().collect);
        }
        known.heard_at_ms = Some(heard);
        known.refused = false;
        known.cause = None;
        known.detail = None;
        Ok(())
    }

    /// Tells the owner of everything that was not told yet, in one message.
    async fn tell(&self) -> Result<(), Error> {
        let lang = self.languages.of(self.owner.get().as_ref());
        let notice = self.store.read(move |c| notice::write(c, lang)).await?;
        let Some((text, last)) = notice else { return Ok(()) };
        let posts: Vec<_> =
            self.owner.get().iter().map(|owner| notice::to_owner(owner, text.clone())).collect();
        let outbox = self.outbox.clone();
        self.store
            .write_then(
                move |c| {
                    table::told(c, last)?;
                    crate::outbox::insert(c, "connection", &posts)
                },
                move |posted| outbox.posted(posted),
            )
            .await
    }

    async fn say(&self, text: impl FnOnce(Lang) -> String) -> Result<(), Error> {
        let Some(owner) = &self.owner.get() else { return Ok(()) };
        let lang = self.languages.of(Some(owner));
        self.outbox.post("connection", vec![notice::to_owner(owner, text(lang))]).await
    }

    async fn end(&self, known: &Known) {
        let Some(heard) = known.heard_at_ms else { return };
        if let Err(error) = self.store.write(move |c| table::heard(c, heard, true)).await {
            tracing::warn!(%error, "when this bot was last connected cannot be noted");
        }
    }
}

impl Known {
    fn of(contact: Option<Contact>) -> Self {
        let cause =
            contact.map(|contact| if contact.stopped { Cause::Stopped } else { Cause::Died });
        let heard_at_ms = contact.map(|contact| contact.heard_at_ms);
        Self {
            heard_at_ms,
            noted_at_ms: 0,
            cause,
            detail: None,
            tell_at: None,
            refused: false,
            rival: None,
        }
    }

    /// Where DingTalk calls, it could have at any moment at which this host was awake: since when, and until now.
    fn listened(&self, began: i64) -> (i64, i64) {
        let now = unix_ms(SystemTime::now());
        let awake = self.heard_at_ms.is_none_or(|last| now - last < ASLEEP_MS);
        (if awake { began } else { now }, now)
    }

    /// The first cause of a stretch is the one; but what DingTalk refuses, somebody has to mend.
    fn blame(&mut self, phase: &Phase) {
        let (cause, detail) = match phase {
            Phase::Refused { reason, .. } => (Cause::Refused, reason),
            Phase::BackingOff { reason, .. } => (Cause::Network, reason),
            Phase::Deaf { reason } => (Cause::Deaf, reason),
            Phase::Connecting | Phase::Connected | Phase::Registered | Phase::Stopped => return,
        };
        if self.cause.is_none() || cause == Cause::Refused {
            self.cause = Some(cause);
            self.detail = Some(sink::redact(detail).into_owned());
        }
    }
}

fn unix_ms(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
