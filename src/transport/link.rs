//! How the connection is: what phase it is in, since when, and whether frames flow.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::counters::{Counters, Totals};
use super::rivals::WITHIN;
use crate::words::Lang;
use crate::words::network as w;

/// The connection at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub phase: Phase,
    /// Since when it has been up, or down: attempts that fail do not begin it anew.
    pub since: SystemTime,
    /// The last thing that went wrong, until it is up again.
    pub error: Option<String>,
    /// Connections that the server closed soon after they were opened, lately and more than by chance: another host may
    /// be connected as the same app.
    pub closed_soon: Option<usize>,
    /// In HTTP mode: calls are refused because their signed time is so many milliseconds away from this computer's clock,
    /// while none is taken.
    pub skew_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Connecting,
    Connected,
    /// DingTalk's calls are received (HTTP mode). Whether there are any only the next one tells.
    Registered,
    /// The socket was open, but nothing came any more. A new one is being opened, or is open and has not brought a frame
    /// yet: what a server has forgotten it may forget again.
    Deaf {
        reason: String,
    },
    BackingOff {
        until: SystemTime,
        reason: String,
    },
    /// DingTalk will not have this app; somebody has to change something.
    Refused {
        until: SystemTime,
        reason: String,
        hint: Option<String>,
        /// Whether messages can be sent all the same: the credentials are right, something else is not.
        can_send: bool,
    },
    Stopped,
}

impl Phase {
    fn reason(&self) -> Option<&String> {
        match self {
            Self::Deaf { reason }
            | Self::BackingOff { reason, .. }
            | Self::Refused { reason, .. } => Some(reason),
            Self::Connecting | Self::Connected | Self::Registered | Self::Stopped => None,
        }
    }
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Connecting,
            since: SystemTime::now(),
            error: None,
            closed_soon: None,
            skew_ms: None,
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Connected | Phase::Registered)
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        let was_up = self.is_up();
        if let Some(reason) = phase.reason() {
            self.error = Some(reason.clone());
        }
        self.phase = phase;
        if self.is_up() {
            self.error = None;
        }
        if self.is_up() != was_up {
            self.since = SystemTime::now();
        }
    }
}

/// A view of a connection that follows it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link {
    pub(super) state: watch::Receiver<State>,
    pub(super) counters: Arc<Counters>,
    /// Without a frame for this long it is deaf, whether or not that has been noticed; `None`: silence means nothing.
    pub(super) silence: Option<Duration>,
}

impl Link {
    /// How the connection is at this moment. Up means that frames flow: the last one, or the handshake, is not older
    /// than the silence that ends a socket.
    pub fn now(&self) -> State {
        let mut state = self.state.borrow().clone();
        if !state.is_up() {
            return state;
        }
        if state.since.elapsed().is_ok_and(|lived| lived >= WITHIN) {
            state.closed_soon = None;
        }
        let heard = self.heard_at().map_or(state.since, |heard| heard.max(state.since));
        let silent = heard.elapsed().unwrap_or_default();
        if self.silence.is_some_and(|limit| silent >= limit) {
            state
                .enter(Phase::Deaf { reason: w::no_frame_for(&format!("{silent:.0?}"), Lang::En) });
            state.since = heard;
        }
        state
    }

    /// When the last frame came, since the start of this host.
    pub fn heard_at(&self) -> Option<SystemTime> {
        self.counters.heard_at()
    }

    /// Whether silence means that nobody speaks, as where DingTalk calls, and not that nothing can come.
    pub fn may_be_silent(&self) -> bool {
        self.silence.is_none()
    }

    /// What came in since the start.
    pub fn totals(&self) -> Totals {
        self.counters.totals()
    }

    /// Whether the server has ever shown that it sends frames when nobody speaks.
    pub fn keeps_alive(&self) -> bool {
        self.counters.keeps_alive()
    }

    /// Waits for another phase; `false`: there will be none.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn changed(&mut self) -> bool {
        self.state.changed().await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back_off() -> Phase {
        Phase::BackingOff { until: SystemTime::now(), reason: "no network".to_owned() }
    }

    #[test]
    fn a_stretch_without_connection_begins_once_and_keeps_its_reason() {
        let mut state = State::new();
        state.enter(Phase::Connected);
        state.enter(back_off());
        let since = state.since;
        for phase in [Phase::Connecting, back_off(), Phase::Connecting] {
            state.enter(phase);
            assert_eq!((state.since, state.error.as_deref()), (since, Some("no network")));
        }
        state.enter(Phase::Connected);
        assert_eq!(state.error, None);
        assert!(state.since >= since);
    }

    #[test]
    fn up_means_that_frames_flow() {
        let counters = Arc::<Counters>::default();
        let mut state = State::new();
        state.enter(Phase::Connected);
        state.since -= Duration::from_secs(89);
        let (told, seen) = watch::channel(state.clone());
        let link = Link { state: seen, counters, silence: Some(Duration::from_secs(90)) };
        assert!(link.now().is_up());
        state.since -= Duration::from_secs(2);
        told.send_replace(state);
        assert!(matches!(link.now().phase, Phase::Deaf { .. }), "{:?}", link.now());
        link.counters.heard();
        assert!(link.now().is_up());
    }
}
