//! One host per state folder: a lock file that the operating system lets go of, however the host ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock that is held is tried again: a host that was killed while it started a program leaves it to that
/// program's process for the moment before that becomes another one, and `moonbell status` looks by taking it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Proof that this process is the only host on a state folder. Dropping it lets the next one start.
#[derive(Debug)]
pub struct Instance {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("another moonbell (process {pid}) already runs on `{dir}`")]
    Taken { dir: PathBuf, pid: String },
    #[error("cannot lock `{path}`: {cause}")]
    Io { path: PathBuf, cause: std::io::Error },
}

impl InstanceError {
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Taken { .. } => {
                Some("stop the other one, or give this one a folder of its own with `state.dir`")
            }
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
    pub fn acquire(dir: &Path) -> Result<Self, InstanceError> {
        let path = dir.join("lock");
        let failed = |cause| InstanceError::Io { path: path.clone(), cause };
        super::make_private_dir(dir)
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(PATIENCE / 40);
                }
                Err(TryLockError::WouldBlock) => {
                    let pid = holder(&mut file);
                    return Err(InstanceError::Taken { dir: dir.to_owned(), pid });
                }
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
        }
        file.set_len(0).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// The process that holds `dir`, if one does.
    pub fn holder(dir: &Path) -> Option<String> {
        let mut file = OpenOptions::new().read(true).write(true).open(dir.join("lock")).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let _ = file.take(20).read_to_string(&mut pid);
    if pid.is_empty() { "unknown".to_owned() } else { pid }
}
