//! The log as a file in the state folder: what the terminal shows, for `moonbell logs` and for the day after.
//!
//! Bounded: a file that is full is renamed to `.1`, the one before to `.2`, and the oldest goes. Readable by its owner
//! only. Lines come without secrets, as everywhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::sink::escape;
use crate::sink::redact;

/// Of one file.
const BYTES: u64 = 4 << 20;

/// Files beside the one that is written.
const OLDER: usize = 4;

static KEPT: OnceLock<Mutex<Log>> = OnceLock::new();

/// The file that is written, of the host with this state folder.
pub fn path(state: &Path) -> PathBuf {
    state.join("log").join("moonbell.log")
}

/// All files of that log, oldest first.
pub fn files(state: &Path) -> Vec<PathBuf> {
    let path = path(state);
    let older = (1..=OLDER).rev().map(|number| numbered(&path, number));
    older.chain([path.clone()]).filter(|path| path.exists()).collect()
}

/// From now on log lines of this process go to the file of the state folder `state` too.
///
/// # Errors
/// When it cannot be made, or there is one already.
pub fn keep(state: &Path) -> io::Result<()> {
    super::panics::folder(state);
    let log = Log::open(path(state), BYTES)?;
    KEPT.set(Mutex::new(log)).map_err(|_| io::Error::other("there is a log file already"))
}

/// Writes a line that only the terminal was told: `level` is `info`, `warn` or `error`.
pub fn line(level: &str, text: &str) {
    if !is_kept() {
        return;
    }
    let time = chrono::Local::now().format("%Y-%m-%dT%H:%M:%S%.3f%:z");
    let text = redact(text).lines().map(escape).collect::<Vec<_>>().join("\n    | ");
    let _ = Kept.write_all(format!("{time} {level:>5} {text}\n").as_bytes());
}

/// Whether there is a file.
pub(super) fn is_kept() -> bool {
    KEPT.get().is_some()
}

/// Writes to the file, if there is one. A write is one line.
#[derive(Debug)]
pub(super) struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(log) = KEPT.get() {
            // A disk that is full must not end a host that only talks.
            let _ = log.lock().unwrap_or_else(PoisonError::into_inner).write(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    size: u64,
    most: u64,
}

impl Log {
    fn open(path: PathBuf, most: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
        let file = append(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size, most })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + bytes.len() as u64 > self.most {
            self.rotate()?;
        }
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..OLDER).rev() {
            let _ = fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1));
        }
        fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(path(dir.path()), 100).unwrap();
        for n in 0..100 {
            log.write(format!("line {n:03}\n").as_bytes()).unwrap();
        }
        let files = files(dir.path());
        assert_eq!(files.len(), OLDER + 1);
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let numbers: Vec<u32> = text.lines().map(|line| line[5..].parse().unwrap()).collect();
        assert_eq!(*numbers.last().unwrap(), 99);
        assert!(numbers.len() > 40 && numbers.len() <= 55, "{numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path(dir.path())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
