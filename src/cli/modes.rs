//! Who else can read or change what a host lives of, by the modes of files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{Config, Loaded};
use crate::script::check;
use crate::words::Lang;
use crate::words::doctor::files as w;

/// Nobody else reads these, or changes those.
const PRIVATE: u32 = 0o077;
const OWN: u32 = 0o022;

/// Folders and scripts looked at: more is no scripts folder.
const MOST: usize = 10_000;

/// A file or folder that others may use in a way that they should not.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) path: PathBuf,
    /// The bits of its mode that are too many.
    pub(super) others: u32,
}

/// All of them: the files of secrets and the state, which nobody else should read; the settings and the scripts, which nobody
/// else should change. `config` says which folders count.
pub(super) fn open(config: &Config, loaded: &Loaded) -> Vec<Open> {
    let mut private: Vec<PathBuf> = loaded.secret_files.iter().cloned().collect();
    private.extend([config.state.dir.clone(), config.state.locks.clone()]);
    let own = loaded.file.iter().cloned().chain(scripts(&config.scripts.dir));
    let private = private.into_iter().map(|path| Open { path, others: PRIVATE });
    let own = own.map(|path| Open { path, others: OWN });
    private.chain(own).filter(|one| allows(&one.path, one.others)).collect()
}

/// What others can do with it.
pub(super) fn told(path: &Path, others: u32, lang: Lang) -> String {
    // Whoever can change what is private is worse than whoever reads it.
    let says = if allows(path, OWN) || others == OWN { w::others_change } else { w::others_read };
    says(&path.to_string_lossy(), lang)
}

/// Whether everybody on this computer may change it, and not just a group, which many systems make of each person alone.
pub(super) fn is_everybodys(path: &Path) -> bool {
    allows(path, 0o002)
}

/// The scripts folder with its folders and scripts. Links are not followed: what they lead to is its owner's.
fn scripts(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !name.starts_with('.') => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() && check::is_script(&name) => found.push(entry.path()),
                _ => {}
            }
        }
        found.push(folder);
        if found.len() > MOST {
            break;
        }
    }
    found.sort();
    found
}

#[cfg(unix)]
fn allows(path: &Path, others: u32) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & others != 0)
}

/// Windows keeps a profile's files from other users unless their owner shares them.
#[cfg(not(unix))]
fn allows(_: &Path, _: u32) -> bool {
    false
}
