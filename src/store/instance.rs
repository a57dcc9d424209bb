//! One host per state folder, and one per app on a computer: lock files that the operating system lets go of, however
//! the host ends.
//!
//! Two hosts of one app would share its messages at random, each answering some. The locks of apps lie in one folder of
//! the user, so hosts of other users of the computer are not seen, nor those of other computers.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use url::Url;

/// How long a lock that is held is tried again: a host that was killed while it started a program leaves it to that
/// program's process for the moment before that becomes another one, and `moonbell status` looks by taking it.
const PATIENCE: Duration = Duration::from_secs(1);

/// More than any holder writes about itself.
const HOLDER_BYTES: u64 = 64 << 10;

/// Proof that this process is the only host on a state folder, or of an app. Dropping it lets the next one start.
#[derive(Debug)]
pub struct Instance {
    _file: File,
}

/// Who has a lock, as it wrote of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    pub pid: u32,
    /// `run` or `dev`.
    pub command: String,
    /// Unix time, UTC.
    pub since_ms: i64,
    /// Its state folder.
    pub dir: PathBuf,
}

impl Holder {
    fn this(command: &str, dir: &Path) -> Self {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let since_ms = super::now_ms();
        Self { pid: std::process::id(), command: command.to_owned(), since_ms, dir }
    }

    /// For people; one that left no note is `unknown`.
    pub fn pid(&self) -> String {
        if self.pid == 0 { "unknown".to_owned() } else { self.pid.to_string() }
    }

    /// Since when, for people.
    pub fn since(&self) -> String {
        let at = DateTime::from_timestamp_millis(self.since_ms).unwrap_or_default();
        at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `moonbell run`, since …
    fn what(&self) -> String {
        format!("`moonbell {}` since {}", self.command, self.since())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("another moonbell (process {}) already runs on `{dir}`: {}", .by.pid(), .by.what())]
    Taken { dir: PathBuf, by: Box<Holder> },
    #[error(
        "another moonbell (process {}) already answers for the app `{client_id}`: {} on `{}`",
        .by.pid(), .by.what(), .by.dir.display()
    )]
    AppTaken { client_id: String, by: Box<Holder> },
    #[error("cannot lock `{path}`: {cause}")]
    Io { path: PathBuf, cause: std::io::Error },
}

impl InstanceError {
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Taken { .. } => {
                Some("stop the other one, or give this one a folder of its own with `state.dir`")
            }
            Self::AppTaken { .. } => Some(
                "two hosts of one app each get some of its messages: stop the other one, or give this one an app of its \
                 own with `dingtalk.client_id`",
            ),
            Self::Io { .. } => {
                Some("check the permissions of the folder, or set `state.dir` to another one")
            }
        }
    }
}

impl Instance {
    /// Takes the folder `dir` for this process. Blocks, for a second at most, while another one has it.
    ///
    /// # Errors
    /// When another process has it (named by its id), or the lock file cannot be used.
    pub fn acquire(dir: &Path, command: &str) -> Result<Self, InstanceError> {
        let path = dir.join("lock");
        match Self::take(&path, &Holder::this(command, dir))? {
            Ok(instance) => Ok(instance),
            Err(by) => Err(InstanceError::Taken { dir: dir.to_owned(), by: Box::new(by) }),
        }
    }

    /// Takes the app `client_id` of the DingTalk at `api_base` for this process, whose state is in `dir`; the locks of
    /// all apps are in the folder `locks`. Blocks, for a second at most, while another process has it.
    ///
    /// # Errors
    /// When another process has it, or the lock file cannot be used.
    pub fn of_app(
        locks: &Path,
        client_id: &str,
        api_base: &Url,
        dir: &Path,
        command: &str,
    ) -> Result<Self, InstanceError> {
        let path = lock_of_app(locks, client_id, api_base);
        match Self::take(&path, &Holder::this(command, dir))? {
            Ok(instance) => Ok(instance),
            Err(by) => {
                let client_id = client_id.to_owned();
                Err(InstanceError::AppTaken { client_id, by: Box::new(by) })
            }
        }
    }

    fn take(path: &Path, this: &Holder) -> Result<Result<Self, Holder>, InstanceError> {
        let failed = |cause| InstanceError::Io { path: path.to_owned(), cause };
        if let Some(dir) = path.parent() {
            super::make_private_dir(dir)
                .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        }
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(PATIENCE / 40);
                }
                Err(TryLockError::WouldBlock) => return Ok(Err(holder(&mut file))),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
        }
        let text = serde_json::to_string(this).map_err(|cause| failed(cause.into()))?;
        file.set_len(0).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(Ok(Self { _file: file }))
    }

    /// The process that holds `dir`, if one does.
    pub fn holder(dir: &Path) -> Option<String> {
        let mut file = OpenOptions::new().read(true).write(true).open(dir.join("lock")).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut file).pid()),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    /// Whoever answers for the app `client_id` of the DingTalk at `api_base`, if somebody does.
    pub fn holder_of_app(locks: &Path, client_id: &str, api_base: &Url) -> Option<Holder> {
        let path = lock_of_app(locks, client_id, api_base);
        let mut file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

fn lock_of_app(locks: &Path, client_id: &str, api_base: &Url) -> PathBuf {
    let host = api_base.host_str().unwrap_or_default();
    let port = api_base.port_or_known_default().unwrap_or_default();
    let app = format!("{client_id}@{host}:{port}");
    locks.join(format!("{}.lock", utf8_percent_encode(&app, NON_ALPHANUMERIC)))
}

fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let _ = file.take(HOLDER_BYTES).read_to_string(&mut text);
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_taken_once_and_other_apps_and_other_dingtalks_are_not() {
        let locks = tempfile::tempdir().unwrap();
        let base = |text: &str| Url::parse(text).unwrap();
        let (here, there) = (base("http://127.0.0.1:1000"), base("http://127.0.0.1:2000"));
        let take = |id: &str, base: &Url| {
            Instance::of_app(locks.path(), id, base, Path::new("/tmp/a/state"), "run")
        };
        let first = take("ding/../a", &here).unwrap();
        let _other = take("dingb", &here).unwrap();
        let _elsewhere = take("ding/../a", &there).unwrap();
        let refused = take("ding/../a", &here).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(
            refused.starts_with(&format!(
                "another moonbell (process {pid}) already answers for the app `ding/../a`: `moonbell run` since 2"
            )) && refused.ends_with(" on `/tmp/a/state`"),
            "{refused}"
        );
        drop(first);
        take("ding/../a", &here).unwrap();
    }
}
