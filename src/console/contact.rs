//! The file that leads to the console: address, key and process, for commands of the same user.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

const FILE: &str = "console.json";

/// How to reach a host that runs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Contact {
    pub address: SocketAddr,
    /// Shown as `Authorization: Bearer …`.
    pub token: String,
    pub pid: u32,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contact")
            .field("address", &self.address)
            .field("token", &"***")
            .field("pid", &self.pid)
            .finish()
    }
}

impl Contact {
    /// This process at `address`, with a key that nobody can guess.
    pub(super) fn new(address: SocketAddr) -> Self {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        Self { address, token, pid: std::process::id() }
    }

    /// `http://127.0.0.1:7878`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes it into the state folder, readable by its owner only.
    pub(super) fn write(&self, state: &Path) -> io::Result<()> {
        let fresh = state.join("console.json.new");
        // Made anew, so that an old file's permissions do not stay.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        drop(file);
        fs::rename(fresh, state.join(FILE))
    }

    /// What the last host wrote into the folder `state`; whether that host still runs, the instance lock tells.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(state: &Path) -> io::Result<Option<Self>> {
        match fs::read(state.join(FILE)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn remove(state: &Path) {
        let _ = fs::remove_file(state.join(FILE));
    }
}
