//! Settings: defaults, then the file, then the environment, then flags; read raw, then checked into one [`Config`].
//!
//! Every problem is reported at once, with file and line. The keys are a contract: see `docs/config.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use crate::message::StaffId;

/// All settings of one host, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub dingtalk: DingTalk,
    pub scripts: Scripts,
    pub state: State,
    pub access: Access,
    pub console: Console,
}

#[derive(Clone, Debug)]
pub struct DingTalk {
    pub client_id: String,
    pub client_secret: Secret,
    pub mode: Mode,
    /// Base of the current API; endpoints handed out must be on this host (or DingTalk's own).
    pub api_base: Url,
    /// Base of the legacy API: webhooks, media.
    pub oapi_base: Url,
    /// Template id of the streaming card; `None`: Markdown instead of cards.
    pub card_template: Option<String>,
    /// The variable of the template that streams.
    pub card_key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Stream,
    Http,
}

#[derive(Clone, Debug)]
pub struct Scripts {
    pub dir: PathBuf,
}

#[derive(Clone, Debug)]
pub struct State {
    pub dir: PathBuf,
}

#[derive(Clone, Debug, Default)]
pub struct Access {
    pub owner: Option<StaffId>,
    /// Role name to staff ids; `"*"` is everyone.
    pub roles: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
pub struct Console {
    pub listen: SocketAddr,
}

/// A value that never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the wire, never for text that a person reads.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
