//! Scripts of other people as whoever may grant them something sees them: what each asks for, and nothing of it run but
//! its top level, which only declares.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::diagnostic::{LoadError, LoadErrorKind};
use super::require::{Folder, Resolver};
use super::scan::{self, FolderError, Look};
use super::vm::{Source, Vm};
use crate::access::needs::covered;
use crate::access::{Need, Needs};
use crate::api::Host;

/// One script of a folder of other people's.
#[derive(Debug)]
pub struct Asked {
    /// Path below the scripts folder.
    pub name: String,
    /// The whole path, by which it is granted.
    pub path: PathBuf,
    /// What it asks for, or why that cannot be told.
    pub needs: Result<Needs, LoadError>,
    /// SHA-256 of its content, in hex.
    pub content: String,
}

/// The scripts of other people in `dir`, by name, each loaded as a host would.
///
/// # Errors
/// When the folder cannot be read.
pub fn asked(dir: &Path, host: &Host) -> Result<Vec<Asked>, FolderError> {
    let scripts = scan::scripts(dir, host.asked())?;
    let theirs = scripts.into_iter().filter(|(name, _)| host.asked_folder(name).is_some());
    Ok(theirs.map(|(name, path)| look(dir, host, name, path)).collect())
}

fn look(dir: &Path, host: &Host, name: String, path: PathBuf) -> Asked {
    let bytes = match scan::read(&path) {
        Look::Bytes(bytes) => bytes,
        other => {
            let error = scan::unusable(&name, &other);
            return Asked { name, path, needs: Err(error), content: String::new() };
        }
    };
    let sum = digest(&SHA256, &bytes);
    let content = sum.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let inside = host.asked_folder(&name).unwrap_or_default();
    let folder: Arc<dyn Resolver> = Arc::new(Folder::new(dir).only(inside));
    let source = Source { path: name.clone(), bytes };
    let needs = Vm::load(&source, host, folder).map(|vm| vm.needs());
    Asked { name, path, needs, content }
}

/// How it stands with what a script may have.
pub(super) enum Standing {
    /// Nobody is asked about this one.
    Own,
    Nothing,
    Granted(Needs),
}

impl Standing {
    pub(super) fn of(host: &Host, dir: &Path, name: &str) -> Self {
        let Some(consents) = host.consents().filter(|_| host.asked_folder(name).is_some()) else {
            return Self::Own;
        };
        consents.of(&dir.join(name).to_string_lossy()).map_or(Self::Nothing, Self::Granted)
    }

    /// Whether a script that asks for `needs` may serve.
    pub(super) fn allows(&self, needs: &Needs) -> bool {
        match self {
            Self::Own => true,
            Self::Nothing => false,
            Self::Granted(granted) => covered(granted, needs),
        }
    }

    /// Told apart from how else it may stand.
    pub(super) fn mark(&self) -> String {
        match self {
            Self::Own => "own".to_owned(),
            Self::Nothing => "nothing".to_owned(),
            Self::Granted(granted) => {
                let granted: Vec<String> = granted.iter().map(ToString::to_string).collect();
                format!("granted\n{}", granted.join("\n"))
            }
        }
    }
}

/// Whether a script that asks for `needs` may serve.
///
/// # Errors
/// What it waits for, and what the owner does about it.
pub(super) fn granted(host: &Host, dir: &Path, name: &str, needs: &Needs) -> Result<(), LoadError> {
    let standing = Standing::of(host, dir, name);
    if standing.allows(needs) {
        return Ok(());
    }
    let listed = |needs: &mut dyn Iterator<Item = &Need>| {
        needs.map(|need| format!("`{need}`")).collect::<Vec<_>>().join(", ")
    };
    let asks = match standing {
        Standing::Granted(granted) => {
            let new = |need: &&Need| !granted.iter().any(|one| one.covers(need));
            format!("asks for more than it was granted: {}", listed(&mut needs.iter().filter(new)))
        }
        _ if needs.is_empty() => "asks for nothing but to answer".to_owned(),
        _ => format!("asks for {}", listed(&mut needs.iter())),
    };
    let message =
        format!("waits for a grant: it {asks}; see `moonbell grant {name}` on this computer");
    Err(LoadError::new(LoadErrorKind::Ungranted, name, message))
}
