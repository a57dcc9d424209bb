//! Which handlers have begun: what a host that died leaves to the next one, without an fsync for each message.
//!
//! A row is claimed with the commit that accepts it, so a row that is `running` may be one whose handler never began,
//! and that may safely run. A mark for each handler that begins is written into a small file, just before it does. The
//! write is not synced: what a process has written survives the process, however it ends. It does not survive the
//! computer; so the file names the boot in which it was written, and after another boot every row counts as begun.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Marks side by side. A row's mark is overwritten by that of a row so many ids later, and a larger id counts as its own:
/// then the row counts as begun, which is safe.
const SLOTS: usize = 8_192;

/// Of the file: room for the name of the boot.
const HEAD: usize = 64;

/// The marks of this host.
#[derive(Debug)]
pub(super) struct Begun {
    path: PathBuf,
    /// `None`: they cannot be written, and the file is gone.
    file: Option<File>,
}

/// What the host before left.
#[derive(Debug)]
pub(super) struct Left(Option<Vec<u8>>);

impl Left {
    /// Whether the handler of this row may have begun.
    pub(super) fn may_have_begun(&self, id: i64) -> bool {
        let Some(marks) = &self.0 else { return true };
        let mark = marks.get(place(id)..place(id) + 8).and_then(|mark| mark.try_into().ok());
        mark.is_none_or(|mark| i64::from_le_bytes(mark) >= id)
    }
}

impl Begun {
    /// Reads what the host before left in the folder `dir`, and goes on in its file.
    pub(super) fn open(dir: &Path) -> (Self, Left) {
        let path = dir.join("begun");
        let boot = boot();
        let left = std::fs::read(&path)
            .ok()
            .filter(|marks| marks.len() == HEAD + SLOTS * 8)
            .filter(|marks| boot.is_some_and(|boot| marks[..HEAD] == boot));
        let fresh = left.is_none();
        let opened = || -> io::Result<File> {
            let mut options = OpenOptions::new();
            options.create(true).write(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            if fresh {
                // All of it, so that a disk that is full later has room for every mark.
                let mut empty = vec![0; HEAD + SLOTS * 8];
                empty[..HEAD].copy_from_slice(&boot.unwrap_or([0; HEAD]));
                file.set_len(0)?;
                write_at(&file, &empty, 0)?;
            }
            Ok(file)
        };
        let file = match opened() {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!(path = %path.display(), "it cannot be noted which handlers have begun ({error}): after a crash all that were taken up count as begun");
                let _ = std::fs::remove_file(&path);
                None
            }
        };
        (Self { path, file }, Left(left))
    }

    /// Marks the row, before its handler does anything.
    pub(super) fn mark(&self, id: i64) {
        let Some(file) = &self.file else { return };
        if let Err(error) = write_at(file, &id.to_le_bytes(), place(id) as u64) {
            // Without its mark the row would count as not begun: then rather all count as begun.
            tracing::warn!(path = %self.path.display(), "it cannot be noted that a handler has begun: {error}");
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn place(id: i64) -> usize {
    let slot = usize::try_from(id.unsigned_abs() % SLOTS as u64).expect("below SLOTS");
    HEAD + slot * 8
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
    if written == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// What is the same until the computer starts again; `None`: unknown here, and no mark is believed.
fn boot() -> Option<[u8; HEAD]> {
    #[cfg(target_os = "linux")]
    let name = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    #[cfg(target_os = "macos")]
    let name = {
        let mut ask = std::process::Command::new("/usr/sbin/sysctl");
        ask.args(["-n", "kern.bootsessionuuid"]).output().ok()?.stdout
    };
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    let name = Vec::new();
    let name = name.trim_ascii();
    if name.len() < 32 || name.len() > HEAD {
        return None;
    }
    let mut boot = [0; HEAD];
    boot[..name.len()].copy_from_slice(name);
    Some(boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_outlives_its_host_and_one_that_is_missing_tells_that_nothing_began() {
        let dir = tempfile::tempdir().unwrap();
        let (begun, left) = Begun::open(dir.path());
        assert!(left.may_have_begun(1), "nothing is known of the host before");
        begun.mark(2);
        let later = i64::try_from(SLOTS).unwrap() + 5;
        begun.mark(later);
        drop(begun);
        let (_, left) = Begun::open(dir.path());
        if boot().is_none() {
            return;
        }
        let began = [1, 2, 3, 5, later].map(|id| left.may_have_begun(id));
        // Of 5 it is not known any more.
        assert_eq!(began, [false, true, false, true, true]);
    }

    #[test]
    fn marks_of_another_boot_are_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        drop(Begun::open(dir.path()));
        let mut marks = std::fs::read(dir.path().join("begun")).unwrap();
        marks[0] ^= 1;
        std::fs::write(dir.path().join("begun"), marks).unwrap();
        assert!(Begun::open(dir.path()).1.may_have_begun(1));
    }
}
