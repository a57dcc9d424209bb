//! What was counted and is in no record yet, in a file beside the audit. It is written anew while something is counted, so
//! that a kill loses the last moments of it at most; the next start makes records of it.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::Record;

const NAME: &str = "counted.json";

/// Keeps this and nothing else.
pub(super) fn keep(dir: &Path, counted: &[Record]) -> io::Result<()> {
    let path = dir.join(NAME);
    if counted.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    // Whole or not at all, whenever the end comes.
    let new = dir.join(format!("{NAME}.new"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&new)?.write_all(&serde_json::to_vec(counted)?)?;
    fs::rename(new, path)
}

/// What a host before left there.
pub(super) fn left(dir: &Path) -> io::Result<Vec<Record>> {
    match fs::read(dir.join(NAME)) {
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, "what the audit had counted cannot be read; it is lost");
            Vec::new()
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_kept_until_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert!(left(dir.path()).unwrap().is_empty());
        let one = Record { left_out: 7, ..Record::event("left_out", "deny", "eve", "no_role") };
        keep(dir.path(), std::slice::from_ref(&one)).unwrap();
        assert_eq!(left(dir.path()).unwrap(), [one]);
        keep(dir.path(), &[]).unwrap();
        keep(dir.path(), &[]).unwrap();
        assert!(left(dir.path()).unwrap().is_empty());
        // Damaged it costs the count and not the start.
        fs::write(dir.path().join(NAME), "[{").unwrap();
        assert!(left(dir.path()).unwrap().is_empty());
    }
}
