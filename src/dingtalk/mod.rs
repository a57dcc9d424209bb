//! Everything DingTalk-shaped: frames, tokens, REST calls, cards, limits, and what its answers mean.
//!
//! Inbound JSON becomes [`crate::message`] nouns here and outbound nouns become JSON here; no other module knows a
//! spelling of DingTalk's. Every answer is classified in one place, [`error`]. What leaves this module as text (errors,
//! logs) holds no secret, no token, no ticket and no webhook query.
//!
//! Knows nothing of queues, retries over time or scripts: one call is one try (plus one after an expired token), or none
//! where DingTalk has just refused the same thing, see [`gate`].

mod action;
mod callback;
mod cards;
mod certificate;
mod clicks;
mod client;
mod content;
mod dial;
mod envelope;
mod error;
mod event;
mod facts;
mod frame;
mod gate;
mod inbound;
mod lenient;
mod media;
mod meter;
mod open;
mod probe;
mod quote;
mod react;
mod redact;
mod registration;
mod send;
mod sign;
pub mod text;
mod token;
pub mod zip;

pub use callback::{Call as Callback, Callbacks, Door, Forged, KeyError, Shown};
pub use cards::{Button, Card, Family, Phase};
pub use client::{Client, ClientError};
pub use dial::{DialError, Wire};
pub use error::{ApiError, Class, Reach, classify};
pub use facts::{EVENTS, Facts, plain};
pub use frame::{Ack, Frame, FrameError, FrameKind, Headers, Topic};
pub use inbound::{ParseError, Received, receive, robot_message};
pub use media::{MediaId, MediaKind};
pub use meter::{Call, Meter, Push, Use};
pub use open::Connection;
pub use probe::{Answered, Permission};
pub use registration::{CODE_LIFE, Decision, Registration};
pub use send::Sent;
