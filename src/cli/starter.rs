//! The starter handlers that the binary carries, and the folder they go to.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Failed, editor, lang};
use crate::words::Lang;
use crate::words::commands::errors as w;

/// File name and text of each starter handler; the same files as `scripts/` of the repository.
const STARTERS: &[(&str, &str)] = &[
    ("ping.luau", include_str!("../../scripts/ping.luau")),
    ("sh.luau", include_str!("../../scripts/sh.luau")),
    ("sys.luau", include_str!("../../scripts/sys.luau")),
    ("watch.luau", include_str!("../../scripts/watch.luau")),
];

/// Makes sure that `dir` is a folder of handlers; returns whether it was created and filled just now.
///
/// A folder that exists is left exactly as it is, also when it is empty: its owner may have emptied it.
pub(super) fn prepare(dir: &Path) -> Result<bool> {
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => {
            let lang = lang::here();
            return Err(Failed::new(w::scripts_folder_is_file(&dir.to_string_lossy(), lang))
                .hint(w::name_a_folder(lang))
                .into());
        }
        Ok(_) => {
            // Asked now, so that the answer names the folder: the host would only find no handlers.
            fs::read_dir(dir).map_err(|error| unusable(dir, w::cannot_read_folder, &error))?;
            return Ok(false);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(dir, w::cannot_read_folder, &error).into()),
    }
    fs::create_dir_all(dir).map_err(|error| unusable(dir, w::cannot_create_folder, &error))?;
    for (name, text) in STARTERS {
        write_new(&dir.join(name), text)
            .map_err(|error| unusable(dir, w::cannot_write_folder, &error))?;
    }
    editor::write(dir).map_err(|error| unusable(dir, w::cannot_write_folder, &error))?;
    Ok(true)
}

/// The folder that a flag names: it must be there, for a slip of the pen is no wish for a new folder.
pub(super) fn named(dir: &Path) -> Result<PathBuf> {
    let dir = std::path::absolute(dir)?;
    match fs::metadata(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let lang = lang::here();
            Err(Failed::new(w::no_folder(&dir.to_string_lossy(), lang))
                .hint(w::no_folder_hint(lang))
                .misuse()
                .into())
        }
        _ => Ok(dir),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// `says`: what could not be done with the folder, and why.
fn unusable(dir: &Path, says: fn(&str, &str, Lang) -> String, error: &io::Error) -> Failed {
    let lang = lang::here();
    Failed::new(says(&dir.to_string_lossy(), &error.to_string(), lang))
        .hint(w::other_scripts_folder(lang))
}

/// The folder that `dev` serves: the one that was named, else `./scripts`, else the one of the settings.
pub(super) fn dev_folder(named: bool, configured: &Path) -> PathBuf {
    let here = Path::new("scripts");
    if !named && here.is_dir() {
        std::path::absolute(here).unwrap_or_else(|_| here.to_owned())
    } else {
        configured.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_filled_once_and_then_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("deep/scripts");
        assert!(prepare(&dir).unwrap());
        // With definitions, .luaurc and .vscode for editors.
        assert_eq!(fs::read_dir(&dir).unwrap().count(), STARTERS.len() + 4);
        fs::write(dir.join("ping.luau"), "mine").unwrap();
        fs::remove_file(dir.join("sh.luau")).unwrap();
        assert!(!prepare(&dir).unwrap());
        assert_eq!(fs::read_to_string(dir.join("ping.luau")).unwrap(), "mine");
        assert!(!dir.join("sh.luau").exists());
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("scripts");
        fs::write(&path, "").unwrap();
        let error = prepare(&path).unwrap_err().to_string();
        assert!(error.ends_with("is a file"), "{error}");
    }
}
