//! Hard links: one file under several names. A path says nothing about them, so files are compared themselves.

use std::path::{Path, PathBuf};

/// Files and folders looked at for one question: far more than a host has of its own. Past it the answer is yes.
#[cfg(unix)]
const MOST: usize = 20_000;

/// Whether the file at `full` is also in one of the `closed` files and folders, leaving out the folder `own`. A file of one
/// name, as nearly all are, costs one look.
#[cfg(unix)]
pub(super) fn leads_into(full: &Path, closed: Vec<PathBuf>, own: Option<&Path>) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let Ok(found) = full.symlink_metadata() else { return false };
    if !found.is_file() || found.nlink() < 2 {
        return false;
    }
    let (mut left, mut waiting) = (MOST, closed);
    while let Some(at) = waiting.pop() {
        let Ok(one) = at.symlink_metadata() else { continue };
        if one.is_file() && (one.dev(), one.ino()) == (found.dev(), found.ino()) {
            return true;
        }
        if one.is_dir() && Some(at.as_path()) != own {
            waiting
                .extend(std::fs::read_dir(&at).into_iter().flatten().flatten().map(|e| e.path()));
        }
        if left == 0 {
            return true;
        }
        left -= 1;
    }
    false
}

/// Here nothing in the standard library tells one file from another.
#[cfg(not(unix))]
pub(super) fn leads_into(_: &Path, _: Vec<PathBuf>, _: Option<&Path>) -> bool {
    false
}
