//! The status file: what the running host last said about itself, for `moonbell status` and service managers.
//!
//! Written whole and moved into place, so a reader sees one moment. Whether that host still lives is not in the file
//! but in the lock of the state folder, which the operating system releases with the process. Readers accept unknown
//! and missing fields: an older `status` reads what a newer host wrote.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const FILE: &str = "status.json";

/// One moment of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    /// `dev` or `run`.
    pub command: String,
    /// Unix time, UTC.
    pub started_at_ms: i64,
    pub updated_at_ms: i64,
    /// How messages come in: `stream` or `http`.
    pub mode: String,
    /// In the mode `http`: where DingTalk is to call.
    pub webhook: Option<Webhook>,
    #[serde(flatten)]
    pub connection: Connection,
    pub settings: Settings,
    pub budget: Budget,
    pub scripts_dir: PathBuf,
    pub scripts: Vec<Script>,
    pub runs: Runs,
    /// Replies not yet accepted by DingTalk.
    pub outbox: u64,
    /// Replies that could not be sent and wait for somebody to deal with them.
    pub parked: u64,
    /// The local page, for `dev`.
    pub url: Option<String>,
    /// Address of the console, without its key.
    pub console: Option<String>,
}

/// Where calls of DingTalk are received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhook {
    /// Address and port on this computer.
    pub listen: String,
    /// Whether TLS ends here; else a proxy or tunnel has to have it.
    pub tls: bool,
    /// Whether the addresses are those that DingTalk sees (`http.public_url`); else they are good on this computer only.
    pub public: bool,
    /// To be copied into DingTalk's developer console: where messages go.
    pub robot: String,
    /// Where events go; `None`: that door is shut, because its secrets are not set.
    pub event: Option<String>,
    /// Where card clicks go; `None`: that door is shut, because its secret is not set.
    pub card: Option<String>,
    /// Calls that were refused since the start.
    pub refused: u64,
}

/// How the host is connected. The names are those of the file, where all of this stands beside the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// `connecting`; `connected`; `registered`: DingTalk's calls are received (mode `http`); `deaf`: open, but nothing came any more, so another one is being opened;
    /// `backing_off` until the next attempt; `refused`: DingTalk will not have this app; `stopping`: nothing is taken any
    /// more, what runs may end.
    #[serde(rename = "connection")]
    pub state: String,
    /// Unix time, UTC: since when it is so.
    #[serde(rename = "connection_since_ms")]
    pub since_ms: i64,
    /// What went wrong, while it is down.
    #[serde(rename = "connection_error")]
    pub error: Option<String>,
    /// What looks wrong, though it may be up.
    #[serde(rename = "connection_warning")]
    pub warning: Option<String>,
    /// What somebody can do about it.
    #[serde(rename = "connection_hint")]
    pub hint: Option<String>,
    /// When the next attempt is made, while none is under way.
    #[serde(rename = "connection_until_ms")]
    pub until_ms: Option<i64>,
    /// When the last frame came, since the start of this host.
    pub last_frame_at_ms: Option<i64>,
}

impl Connection {
    pub const CONNECTED: &str = "connected";
    pub const REGISTERED: &str = "registered";

    /// Whether messages come in.
    pub fn is_up(&self) -> bool {
        matches!(self.state.as_str(), Self::CONNECTED | Self::REGISTERED)
    }
}

/// The settings file, which is read again when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `None`: there is none.
    pub file: Option<PathBuf>,
    /// When what counts now was read. Unix time, UTC.
    pub read_at_ms: i64,
    /// Why the newest version of it does not count.
    pub error: Option<String>,
    /// The same in Chinese.
    pub error_zh: Option<String>,
    /// Keys that were changed and count from the next start on.
    pub restart: Vec<String>,
}

/// DingTalk's monthly budgets, as counted here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// `2026-11`, by the calendar of China.
    pub month: String,
    pub api_calls: Spent,
    /// Webhook & Stream messages.
    pub pushes: Spent,
    /// Whether cards may stream.
    pub may_stream: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    pub used: u64,
    /// `None`: no limit.
    pub limit: Option<u64>,
    /// Whether DingTalk itself says that nothing is left.
    pub refused: bool,
}

/// Counts of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runs {
    /// Waiting for their turn, now.
    pub queued: u64,
    pub running: u64,
    /// Ended since the start.
    pub done: u64,
    pub failed: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// Path inside the scripts folder.
    pub name: String,
    pub generation: u64,
    pub handlers: usize,
    /// When the serving generation was loaded; `None`: none ever loaded.
    pub loaded_at_ms: Option<i64>,
    /// Why the newest version of the file is not the one that serves.
    pub error: Option<String>,
}

impl Status {
    /// Writes this moment into the state folder, readable by its owner only. Blocks for a small file.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, state: &Path) -> io::Result<()> {
        // One writer per folder (the instance lock), so one name for the half-written file is enough.
        let fresh = state.join("status.json.new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        drop(file);
        fs::rename(fresh, state.join(FILE))
    }

    /// The last moment that was written into the state folder, if a host ever ran there.
    ///
    /// # Errors
    ///
    /// When the file is there but cannot be read.
    pub fn read(state: &Path) -> io::Result<Option<Self>> {
        match fs::read(state.join(FILE)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the file away: the host ended in order.
    pub fn remove(state: &Path) {
        let _ = fs::remove_file(state.join(FILE));
    }
}
