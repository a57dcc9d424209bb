//! What lies in the scripts folder, and one bounded look at a file of it.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::diagnostic::{LoadError, LoadErrorKind};
use super::require::Resolver;
use super::vm::MAX_BYTES;

/// Why the scripts folder itself cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("the scripts folder `{}` does not exist", .0.display())]
    Missing(PathBuf),
    #[error("`{}` is not a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error("the scripts folder `{}` cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

impl FolderError {
    /// The reader's next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => "make it, or name another one as `scripts.dir` in the settings",
            Self::NotAFolder(_) => "name a folder as `scripts.dir` in the settings",
            Self::Unreadable { .. } => "give yourself the right to read it (`chmod u+rx`)",
        }
    }
}

/// The scripts of the folder, by name: each `*.luau` and `*.lua` at its top, and at the top of the folders of other
/// people's scripts in it. Tests (`*.test.luau`), definitions (`*.d.luau`) and hidden files are none; files in other
/// sub-folders are modules for `require`.
pub(super) fn scripts(
    dir: &Path,
    asked: &[String],
) -> Result<BTreeMap<String, PathBuf>, FolderError> {
    let mut found = scripts_in(dir, "")?;
    for folder in asked {
        // One that is not there has none; whoever names it may be about to make it.
        if let Ok(more) = scripts_in(&dir.join(folder), &format!("{folder}/")) {
            found.extend(more);
        }
    }
    Ok(found)
}

fn scripts_in(dir: &Path, before: &str) -> Result<BTreeMap<String, PathBuf>, FolderError> {
    let unreadable = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => FolderError::Missing(dir.to_owned()),
        io::ErrorKind::NotADirectory => FolderError::NotAFolder(dir.to_owned()),
        _ => FolderError::Unreadable { path: dir.to_owned(), reason: error.to_string() },
    };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = || fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
        if is_script(&name) && !is_folder() {
            found.insert(format!("{before}{name}"), entry.path());
        }
    }
    Ok(found)
}

/// Whether a file of this name is a script, not a test, a definition or a leftover of an editor.
#[expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "`require` and editors spell them in lower case, and so does everybody on the other systems"
)]
pub fn is_script(name: &str) -> bool {
    let stem = name.strip_suffix(".luau").or_else(|| name.strip_suffix(".lua"));
    stem.is_some_and(|stem| {
        !name.starts_with('.')
            && !stem.is_empty()
            && !stem.ends_with(".test")
            && !stem.ends_with(".d")
    })
}

/// Whether a file of this name holds the tests of a script.
pub fn is_test(name: &str) -> bool {
    name.ends_with(".test.luau") && !name.starts_with('.')
}

/// The tests beside the scripts of the folder, by name.
pub(super) fn tests(dir: &Path) -> BTreeMap<String, PathBuf> {
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = names.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    named.filter(|(name, path)| is_test(name) && path.is_file()).collect()
}

/// What a look at a file found.
pub(super) enum Look {
    Bytes(Vec<u8>),
    TooLarge { size_bytes: u64 },
    Gone,
    Unreadable { reason: String },
}

/// Reads a script, at most as much as a script may have, and never from something that is no plain file.
pub(super) fn read(path: &Path) -> Look {
    match try_read(path) {
        Ok(look) => look,
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Look::Unreadable { reason: "it is a link that leads nowhere".to_owned() },
            Err(_) => Look::Gone,
        },
        Err(error) => Look::Unreadable { reason: error.to_string() },
    }
}

/// Why a look that found no text is no script.
pub(super) fn unusable(name: &str, look: &Look) -> LoadError {
    let (kind, message) = match look {
        Look::TooLarge { size_bytes } => (
            LoadErrorKind::TooLarge,
            format!("the file has {size_bytes} bytes; a script has 1 MiB at most"),
        ),
        Look::Unreadable { reason } => {
            (LoadErrorKind::Unreadable, format!("the file cannot be read: {reason}"))
        }
        Look::Gone | Look::Bytes(_) => (LoadErrorKind::Unreadable, "the file is gone".to_owned()),
    };
    LoadError::new(kind, name, message)
}

fn try_read(path: &Path) -> io::Result<Look> {
    let meta = fs::metadata(path)?;
    // Opening a named pipe would wait for a writer for ever.
    if !meta.is_file() {
        return Ok(Look::Unreadable { reason: "it is not a plain file".to_owned() });
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Ok(Look::TooLarge { size_bytes: meta.len().max(limit + 1) });
    }
    Ok(Look::Bytes(bytes))
}

/// Tells one content of a file from another; never stored.
pub(super) type Fingerprint = u64;

pub(super) fn fingerprint(look: &Look) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    match look {
        Look::Bytes(bytes) => bytes.hash(&mut hasher),
        Look::TooLarge { size_bytes } => ("large", size_bytes).hash(&mut hasher),
        Look::Gone => "gone".hash(&mut hasher),
        Look::Unreadable { reason } => ("unreadable", reason).hash(&mut hasher),
    }
    hasher.finish()
}

/// Reads for `require` and remembers every path that was asked for, found or not: what a script depends on, also when
/// it did not load.
pub(super) struct Recorder<R> {
    inner: R,
    asked: Mutex<BTreeMap<String, Option<Fingerprint>>>,
}

impl<R: Resolver> Recorder<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, asked: Mutex::default() }
    }

    /// Path to what was found there, if anything was.
    pub(super) fn asked(&self) -> BTreeMap<String, Option<Fingerprint>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<R: Resolver> Resolver for Recorder<R> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let read = self.inner.read(path);
        let found = read.as_ref().ok().map(|bytes| content(bytes));
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), found);
        read
    }
}

/// The fingerprint of a module as it is now.
pub(super) fn module(resolver: &dyn Resolver, path: &str) -> Option<Fingerprint> {
    resolver.read(path).ok().map(|bytes| content(&bytes))
}

/// The fingerprint of a content.
pub(super) fn content(bytes: &[u8]) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_from_tests_definitions_and_leftovers() {
        for (name, expected) in [
            ("ping.luau", true),
            ("ping.lua", true),
            ("天气.luau", true),
            ("ping.test.luau", false),
            ("bot.d.luau", false),
            (".ping.luau", false),
            (".luau", false),
            ("ping.luau~", false),
            ("ping.luau.swp", false),
            ("#ping.luau#", false),
            ("notes.txt", false),
        ] {
            assert_eq!(is_script(name), expected, "{name}");
        }
    }
}
