//! Why a simulator did not start, or did not do what it was told.

use std::io;
use std::time::Duration;

use super::options::CLIENT_ID_PREFIX;
use super::options::CLIENT_SECRET_PREFIX;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "the simulator refuses to serve `{client_id}`: only made-up client ids that start with `{CLIENT_ID_PREFIX}` \
         are allowed here, so that it can never be mistaken for DingTalk"
    )]
    RealClientId { client_id: String },
    #[error(
        "the simulator refuses this client secret: only made-up secrets that start with `{CLIENT_SECRET_PREFIX}` \
         are allowed here"
    )]
    RealClientSecret,
    #[error("cannot listen on 127.0.0.1:{port}")]
    Bind { port: u16, source: io::Error },
}

impl StartError {
    /// The reader's next step.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::RealClientId { .. } | Self::RealClientSecret => {
                Some("use `moonbell run` for a real app; the simulator needs no credentials at all")
            }
            Self::Bind { .. } => Some("choose another port, or 0 for any free one"),
        }
    }
}

/// A control order that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("there is no chat `{chat}`; this organisation has {known}")]
    NoSuchChat { chat: String, known: String },
    #[error("there is no person `{person}`; this organisation has {known}")]
    NoSuchPerson { person: String, known: String },
    #[error("`{person}` is not a member of the chat `{title}`")]
    NotAMember { person: String, title: String },
    #[error("there is no message `{message}` in this chat to quote")]
    NoSuchMessage { message: String },
    #[error("there is no uploaded file `{file}`; upload it first")]
    NoSuchFile { file: String },
    #[error(
        "no such code waits to be scanned: it was never given out, is over, or was decided upon"
    )]
    NoSuchCode,
    #[error("there is no card `{card}`")]
    NoSuchCard { card: String },
    #[error(
        "in a group the bot can only be sent text and pictures, not `{name}`; send files in the direct chat"
    )]
    NotInGroups { name: String },
    #[error("a message holds one file, or text and pictures; `{name}` has to go alone")]
    FileNotAlone { name: String },
    #[error("a message needs text or a file")]
    Empty,
    #[error("no stream connection is open to send that on")]
    NotConnected,
    #[error("`{url}` is not an address of this computer: the simulator calls nobody else")]
    NotHere { url: String },
    #[error(
        "the app has not answered a call at that door yet, so there is none to make a crooked one of"
    )]
    NotCalledYet,
}

/// What [`super::Sim::until`] waited for did not happen. Printed, it holds the whole transcript.
#[derive(thiserror::Error)]
#[error("not seen within {waited:?}\n{transcript}")]
pub struct NotSeen {
    pub waited: Duration,
    pub transcript: String,
}

/// The same as `Display`: this is what `unwrap` prints in a test.
impl std::fmt::Debug for NotSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
