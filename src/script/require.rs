//! `require`: files inside the scripts folder, each run once per script.

use std::path::{Component, Path, PathBuf};

/// Finds and reads what a script requires. A trait, so that a reload can load from what it has already read.
pub trait Resolver: Send + Sync {
    /// Reads the file at `path`, relative to the scripts folder, with `/`.
    ///
    /// # Errors
    ///
    /// Why it cannot be read; `NotFound` lets the next spelling be tried.
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>>;
}

/// The scripts folder on disk. A link that leads out of it is refused.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// The folder in it that its files must be in; empty: itself.
    inside: String,
}

impl Folder {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), inside: String::new() }
    }

    /// The same, of which only the folder `inside` is read: a script of other people sees no file of the owner's.
    #[must_use]
    pub fn only(self, inside: &str) -> Self {
        Self { inside: inside.to_owned(), ..self }
    }
}

impl Resolver for Folder {
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let root = self.root.canonicalize()?;
        let file = root.join(path).canonicalize()?;
        if !file.starts_with(root.join(&self.inside)) {
            return Err(std::io::Error::new(
                std::io::ErrorKind::PermissionDenied,
                "it is a link that leads out of the scripts folder",
            ));
        }
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        if !meta.is_file() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is not a plain file",
            ));
        }
        if meta.len() > super::MAX_BYTES as u64 {
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                "it is larger than 1 MiB",
            ));
        }
        std::fs::read(file)
    }
}

/// The paths that `require(name)` may mean, when `from` asks: best first. Names count from `root`, a folder below the
/// scripts folder or that folder itself (empty); with `./` or `../`, from the file that asks.
///
/// # Errors
///
/// When the name leads out of the folder or is no name.
pub(super) fn candidates(root: &str, from: &str, name: &str) -> Result<Vec<String>, String> {
    const EXPECTED: &str =
        "expected the name of a file in the scripts folder, such as `require(\"lib/text\")`";
    if name.is_empty() || name.contains(['\\', '\0', ':']) || name.starts_with('/') {
        return Err(format!("{EXPECTED}, got `{name}`"));
    }
    let mut parts: Vec<String> = Vec::new();
    if name.starts_with("./") || name.starts_with("../") {
        let from = from.strip_prefix(root).unwrap_or(from).trim_start_matches('/');
        parts.extend(from.split('/').map(str::to_owned));
        parts.pop();
    }
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir if parts.pop().is_some() => {}
            _ => return Err(format!("`{name}` leads out of the scripts folder; {EXPECTED}")),
        }
    }
    if !root.is_empty() {
        parts.insert(0, root.to_owned());
    }
    let base = parts.join("/");
    let has_extension = [".luau", ".lua"].iter().any(|extension| base.ends_with(extension));
    if has_extension {
        return Ok(vec![base]);
    }
    Ok(vec![
        format!("{base}.luau"),
        format!("{base}.lua"),
        format!("{base}/init.luau"),
        format!("{base}/init.lua"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_from_the_folder_and_dots_from_the_file() {
        let first = |root, from, name| candidates(root, from, name).unwrap().swap_remove(0);
        assert_eq!(first("", "ping.luau", "lib/text"), "lib/text.luau");
        assert_eq!(first("", "lib/a.luau", "./b"), "lib/b.luau");
        assert_eq!(first("", "lib/a.luau", "../b.lua"), "b.lua");
        assert_eq!(first("theirs", "theirs/a.luau", "lib/text"), "theirs/lib/text.luau");
        assert_eq!(first("theirs", "theirs/lib/a.luau", "../b"), "theirs/b.luau");
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["../x", "/etc/passwd", "lib/../../x", "", "C:\\x", "a\0b", "..", "lib/../.."] {
            assert!(candidates("", "a.luau", name).is_err(), "{name}");
            assert!(candidates("theirs", "theirs/a.luau", name).is_err(), "{name}");
        }
    }
}
