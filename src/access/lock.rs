//! The panic lock: a file in the state folder. While it is there nothing runs and nobody is served.
//!
//! A file, so that it holds over restarts, and works without a host and without a journal: `moonbell lock` makes it,
//! `touch` does too. Only somebody at the computer takes it away.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// In the state folder. `lock` is the one by which a host holds the folder.
const NAME: &str = "locked";

/// Far above what is ever written into it.
const READ_BYTES: usize = 400;

/// The lock of one state folder.
#[derive(Debug, Default)]
pub struct Lock {
    path: Option<PathBuf>,
    /// As far as was last looked.
    held: AtomicBool,
    /// The file could not be made: then this process at least is locked, until it ends.
    forced: AtomicBool,
}

impl Lock {
    /// The lock of the state folder `dir`. Nothing is made.
    pub fn of(dir: &Path) -> Self {
        let lock = Self { path: Some(dir.join(NAME)), ..Self::default() };
        lock.look();
        lock
    }

    /// Whether it is locked, as far as was last looked.
    pub fn is_locked(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// Looks at the folder: whether it is locked now.
    pub fn look(&self) -> bool {
        let there = match self.path.as_ref().map(fs::symlink_metadata) {
            None => false,
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => false,
            // What cannot be looked at is taken for shut.
            Some(Ok(_) | Err(_)) => true,
        };
        let locked = there || self.forced.load(Ordering::SeqCst);
        self.held.store(locked, Ordering::SeqCst);
        locked
    }

    /// Locks; `why` (who, by what) is kept in the file for whoever unlocks. `false`: it was locked already.
    ///
    /// # Errors
    /// When the file cannot be made. This process is locked all the same, until it ends.
    pub fn shut(&self, why: &str) -> io::Result<bool> {
        let was = self.look();
        self.held.store(true, Ordering::SeqCst);
        let Some(path) = &self.path else {
            self.forced.store(true, Ordering::SeqCst);
            return Ok(!was);
        };
        if was {
            // What cannot be looked at counts as locked, but nobody is told that it was.
            return fs::symlink_metadata(path).map(|_| false);
        }
        let dir = path.parent().unwrap_or(Path::new("."));
        if let Err(error) = fs::create_dir_all(dir) {
            self.forced.store(true, Ordering::SeqCst);
            return Err(error);
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let made = match options.open(path) {
            Ok(mut file) => file.write_all(why.as_bytes()).and_then(|()| file.sync_all()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => Err(error),
        };
        // The name must outlive a power cut as well as what is in it.
        #[cfg(unix)]
        let made = made.and_then(|()| fs::File::open(dir)?.sync_all());
        if made.is_err() {
            self.forced.store(true, Ordering::SeqCst);
        }
        made.map(|()| true)
    }

    /// Unlocks; `false`: it was not locked.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn lift(&self) -> io::Result<bool> {
        let lifted = match &self.path {
            None => self.is_locked(),
            Some(path) => match fs::remove_file(path) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            },
        };
        self.forced.store(false, Ordering::SeqCst);
        self.held.store(false, Ordering::SeqCst);
        Ok(lifted)
    }

    /// What the file says of who locked.
    pub fn why(&self) -> Option<String> {
        let text = fs::read(self.path.as_ref()?).ok()?;
        let text = String::from_utf8_lossy(&text[..text.len().min(READ_BYTES)]).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_over_processes_until_it_is_lifted() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::of(dir.path());
        assert!(!lock.is_locked());
        assert!(lock.shut("by ann").unwrap());
        assert!(!lock.shut("by bob").unwrap());
        let other = Lock::of(dir.path());
        assert!(other.is_locked());
        assert_eq!(other.why().as_deref(), Some("by ann"));
        assert!(other.lift().unwrap() && !other.lift().unwrap());
        assert!(lock.is_locked() && !lock.look() && !lock.is_locked());
    }

    #[test]
    fn any_thing_of_that_name_locks_and_a_folder_that_cannot_take_it_locks_this_process() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(NAME)).unwrap();
        assert!(Lock::of(dir.path()).is_locked());
        #[cfg(target_os = "linux")]
        {
            let lock = Lock::of(Path::new("/proc"));
            assert!(!lock.is_locked());
            assert!(lock.shut("by ann").is_err());
            assert!(lock.is_locked() && lock.look());
        }
    }
}
