//! A panic ends its task or its run, and is a mistake of ours: it is told in one line, and a report with the way there is
//! kept in the state folder. Both are without secrets, like everything that is written: a panic quotes what it likes.

use std::backtrace::Backtrace;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::sink::escape;
use crate::sink::redact;

/// Reports that are kept; a mistake that repeats itself fills no disk.
const KEPT: usize = 20;

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// From now on a panic anywhere in this process is told by `tell` in a line, and reported.
pub fn report(tell: fn(&str)) {
    std::panic::set_hook(Box::new(move |info| {
        let what = what(info);
        let report = format!(
            "moonbell {}\n{what}\n\n{}\n",
            env!("CARGO_PKG_VERSION"),
            Backtrace::force_capture()
        );
        let kept = FOLDER.get().map(|folder| keep(folder, &report));
        let at = match kept {
            Some(Ok(path)) => format!("; the report is {}", path.display()),
            Some(Err(error)) => format!("; no report could be written: {error}"),
            None => String::new(),
        };
        tell(&format!("{what}{at}"));
    }));
}

/// Reports go to the state folder `state`.
pub(super) fn folder(state: &Path) {
    let _ = FOLDER.set(state.join("crashes"));
}

fn what(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let message = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
    let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
    let thread = std::thread::current();
    format!(
        "moonbell failed inside{} (thread `{}`): {}",
        place.unwrap_or_default(),
        thread.name().unwrap_or("?"),
        safe(message.as_deref().unwrap_or("(no message)"))
    )
}

fn safe(text: &str) -> String {
    redact(text).lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn keep(folder: &Path, report: &str) -> io::Result<PathBuf> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut older: Vec<PathBuf> =
        fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    older.sort();
    for path in older.iter().rev().skip(KEPT - 1) {
        let _ = fs::remove_file(path);
    }
    let name = chrono::Local::now().format("%Y-%m-%dT%H-%M-%S%.6f.txt").to_string();
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path)?.write_all(safe(report).as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_reports_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("crashes");
        let paths: Vec<PathBuf> =
            (0..KEPT + 5).map(|n| keep(&folder, &format!("report {n}")).unwrap()).collect();
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, KEPT);
        assert!(!paths[0].exists() && paths.last().unwrap().exists());
    }
}
