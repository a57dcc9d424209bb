//! What DingTalk counts against an organisation's month, told to whoever keeps the books.
//!
//! This module knows which calls and frames count; it knows no limits, no months and no people.

use std::fmt;

use super::error::{ApiError, Class};
use super::inbound::{ParseError, Received};
use crate::message::Inbound;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// Getting a token, a connection or an app, which DingTalk does not count.
    Free,
    /// A message sent as the robot.
    Send,
    /// A message posted through the webhook of a chat. No API call: at most it counts among the webhook messages.
    Webhook,
    /// A card created, or one of its states set.
    Card,
    /// A frame streamed into a card.
    Frame,
    Upload,
    Download,
    Reaction,
}

impl Use {
    pub(super) fn of(endpoint: &str) -> Self {
        match endpoint {
            super::send::WEBHOOK => Self::Webhook,
            super::media::UPLOAD => Self::Upload,
            super::media::DOWNLOAD => Self::Download,
            super::cards::STREAM => Self::Frame,
            _ if endpoint.starts_with("/v1.0/card/") => Self::Card,
            _ if endpoint.starts_with("/v1.0/robot/emotion/") => Self::Reaction,
            _ if endpoint.starts_with("/v1.0/oauth2/")
                || endpoint.starts_with("/v1.0/gateway/")
                || endpoint.starts_with("/app/registration/") =>
            {
                Self::Free
            }
            // What is not known is counted.
            _ => Self::Send,
        }
    }
}

/// One call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub what: Use,
    /// The run that it is made for, as [`super::Client::for_run`] was told.
    pub run: Option<&'a str>,
    /// To be made even when nothing else may: see [`super::Client::owed`].
    pub owed: bool,
}

/// What a frame brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Push {
    Message,
    Click,
    Event,
    /// Nothing that could be read.
    Other,
}

/// Keeps count. Called for every call and every frame, so it must be quick and must not wait.
pub trait Meter: fmt::Debug + Send + Sync {
    /// A call is about to be made, and counts from now on.
    ///
    /// # Errors
    /// Why it must not be made, in words for the operator; then it does not count.
    fn begin(&self, call: &Call<'_>) -> Result<(), String>;

    /// That call was not counted by DingTalk after all.
    fn take_back(&self, call: &Call<'_>);

    /// That call was made, and DingTalk had room for it.
    fn accepted(&self, call: &Call<'_>);

    /// DingTalk refused that call because the month is used up.
    fn used_up(&self, call: &Call<'_>);

    /// Somebody says that what DingTalk refused was put right: the next call asks.
    fn ask_again(&self);

    /// A frame came; `person` is the id of who caused it, with the name they go by.
    fn pushed(&self, push: Push, person: Option<(&str, &str)>);

    /// DingTalk sends frames without content because the month is used up.
    fn pushes_used_up(&self);
}

impl dyn Meter {
    /// Counts a frame by what it brought.
    pub fn received(&self, received: Result<&Received, &ParseError>) {
        let inbound = match received {
            Ok(Received::Inbound(inbound)) => inbound,
            // An envelope without content: there was nothing left to count it against.
            Ok(Received::QuotaExhausted { .. }) => return self.pushes_used_up(),
            Ok(Received::Own | Received::Ignored) | Err(_) => {
                return self.pushed(Push::Other, None);
            }
        };
        match inbound {
            Inbound::Message(message) => {
                let sender = &message.sender;
                self.pushed(Push::Message, Some((sender.key(), &sender.nick)));
            }
            Inbound::CardAction(action) => {
                let person = action.staff_id.as_ref().map(|id| (id.as_str(), ""));
                self.pushed(Push::Click, person);
            }
            Inbound::Event(event) if super::event::is_free(&event.kind) => {}
            Inbound::Event(_) => self.pushed(Push::Event, None),
        }
    }
}

/// Whether DingTalk counts a call that ended so. Its billing page: calls that fail because of throttling or because the
/// network cannot be reached are not counted. Whatever is in doubt is.
pub(super) fn counts(error: &ApiError) -> bool {
    !matches!(error.class, Class::Throttled | Class::Quota) && error.code != "connect"
}

/// Nobody counts.
#[derive(Debug)]
pub(super) struct NoMeter;

impl Meter for NoMeter {
    fn begin(&self, _: &Call<'_>) -> Result<(), String> {
        Ok(())
    }

    fn take_back(&self, _: &Call<'_>) {}

    fn accepted(&self, _: &Call<'_>) {}

    fn used_up(&self, _: &Call<'_>) {}

    fn ask_again(&self) {}

    fn pushed(&self, _: Push, _: Option<(&str, &str)>) {}

    fn pushes_used_up(&self) {}
}
