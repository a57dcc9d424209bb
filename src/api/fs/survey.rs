//! How the files of a pattern look at one moment, for who compares two moments: `bot.watch`.

use std::path::PathBuf;
use std::time::SystemTime;

#[cfg(unix)]
use cap_std::fs::MetadataExt as _;
use tokio_util::sync::CancellationToken;

use super::files::{self, Stop};
use super::roots::{Last, Roots};
use crate::access::Use;
use crate::api::failure::Failure;

/// What tells one content of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    /// A file that was renamed over another is another file; 0 where the system does not tell.
    file: u64,
}

/// Regular files that match `pattern`, by path; of a folder, the files in it.
///
/// # Errors
/// When the pattern is none, leads out of the roots, or matches more than one search takes.
pub(crate) fn survey(
    roots: &Roots,
    script: &str,
    pattern: &str,
    stop: CancellationToken,
) -> Result<Vec<(String, Stamp)>, Failure> {
    let pattern = folder_or_pattern(roots, script, pattern)?;
    files::search(roots, script, &pattern, &Stop(stop), |entry| {
        let found = entry.metadata().ok().filter(cap_std::fs::Metadata::is_file)?;
        Some(Stamp {
            size: found.len(),
            modified: found.modified().ok().map(cap_std::time::SystemTime::into_std),
            #[cfg(unix)]
            file: found.ino(),
            #[cfg(not(unix))]
            file: 0,
        })
    })
}

/// The folder to watch for a pattern, and whether what is in its folders counts too.
///
/// # Errors
/// As [`survey`].
pub(crate) fn survey_base(
    roots: &Roots,
    script: &str,
    pattern: &str,
) -> Result<(PathBuf, bool), Failure> {
    let pattern = folder_or_pattern(roots, script, pattern)?;
    let (base, rest) = files::base_of(&pattern);
    files::matcher(&rest, &pattern)?;
    let place = roots.resolve(script, &base, Last::Follow, Use::Read)?;
    Ok((place.full, rest.contains('/') || rest.contains("**")))
}

/// Whether `pattern` can be read at all: asked while a script loads, without a look at the disk.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), Failure> {
    if pattern.is_empty() || pattern.contains('\0') {
        return Err(Failure::new("bad_path", "expected a path or a pattern, got an empty one"));
    }
    let (_, rest) = files::base_of(pattern);
    files::matcher(&rest, pattern).map(|_| ())
}

/// The folder or path that a pattern needs, as it is written; `None`: it is in the script's own folder.
pub(crate) fn watched_base(pattern: &str) -> Option<String> {
    let base = if pattern.contains(['*', '?', '[', '{']) {
        files::base_of(pattern).0
    } else {
        pattern.to_owned()
    };
    (base.starts_with('~') || std::path::Path::new(&base).is_absolute()).then_some(base)
}

fn folder_or_pattern(roots: &Roots, script: &str, pattern: &str) -> Result<String, Failure> {
    if pattern.contains(['*', '?', '[', '{']) {
        return Ok(pattern.to_owned());
    }
    let is_dir = match roots.resolve(script, pattern, Last::Follow, Use::Read) {
        Ok(place) => place.root.metadata(&place.relative).is_ok_and(|found| found.is_dir()),
        Err(failure) if failure.kind == "not_found" => false,
        Err(failure) => return Err(failure),
    };
    let pattern = pattern.trim_end_matches('/');
    Ok(if is_dir { format!("{pattern}/*") } else { pattern.to_owned() })
}
