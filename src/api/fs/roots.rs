//! Where scripts may reach: every path of `fs` goes through [`Roots::resolve`], and nowhere else.
//!
//! A path is made absolute, what exists of it is made canonical (links and `..` gone), and the result must lie below a
//! root. Files are then opened below the root's open folder through `cap-std`, which follows no link out of it: a link
//! that is swapped between the look and the opening leads nowhere.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::access::needs::missing;
use crate::access::{Need, Reach, Use};
use crate::api::failure::Failure;
use crate::api::fs::links;
use crate::api::manifest;

/// Longer than any system takes.
const MAX_PATH_BYTES: usize = 4096;

/// Folders that scripts may use, and the folder of their own that relative paths start from.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// `None`: everything that the user may.
    folders: Option<Arc<[PathBuf]>>,
    /// Each script has a folder of its own in it.
    data: Option<PathBuf>,
    /// Where `~` is; `None`: the user's own home.
    home: Option<PathBuf>,
    /// What the script that asks may reach of them.
    reach: Reach,
    /// What no script reaches, whatever the folders are: the host's own. A script's own folder in it stays its own.
    closed: Arc<[PathBuf]>,
}

/// A path inside a root.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: Dir,
    /// Below the root; `.` is the root itself.
    pub(super) relative: PathBuf,
    /// The whole path, for messages and results.
    pub(super) full: PathBuf,
}

impl Place {
    pub(super) fn is_root(&self) -> bool {
        self.relative == Path::new(".")
    }

    /// The folder that it is in, and its name there; of a root there is none.
    pub(super) fn parent(&self) -> io::Result<(Dir, &Path)> {
        let (Some(parent), Some(name)) = (self.relative.parent(), self.relative.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        Ok((self.root.open_dir(parent)?, Path::new(name)))
    }
}

/// What a path's last part is when it is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// What it leads to.
    Follow,
    /// The link itself: to remove or to move it.
    Keep,
}

/// Whether it is what the system shows of a process: the host's own environment and memory are there, secrets too.
fn is_of_a_process(full: &Path) -> bool {
    let Ok(rest) = full.strip_prefix("/proc") else { return false };
    let first = rest.components().next().map(|part| part.as_os_str().to_string_lossy());
    first.is_some_and(|name| name.chars().all(|c| c.is_ascii_digit()))
}

impl Roots {
    /// Everything that the user may; relative paths start from a folder for each script in `data`.
    pub fn everything(data: impl Into<PathBuf>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// These folders and what is in them, and the script's own folder in `data`. `/` is everything that the user may, on
    /// every drive.
    pub fn only(folders: &[PathBuf], data: impl Into<PathBuf>) -> Self {
        if folders.iter().any(|folder| folder == Path::new("/")) {
            return Self::everything(data);
        }
        Self { folders: Some(folders.into()), data: Some(data.into()), ..Self::default() }
    }

    /// The same, where `~` is `home`.
    #[must_use]
    pub fn with_home(self, home: impl Into<PathBuf>) -> Self {
        Self { home: Some(home.into()), ..self }
    }

    /// The same, where nobody reaches these files and folders, except each script its own folder.
    #[must_use]
    pub fn closing(self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { closed: paths.into_iter().collect(), ..self }
    }

    /// The same, for a script that may reach no more than this.
    #[must_use]
    pub(crate) fn within(&self, reach: Reach) -> Self {
        Self { reach, ..self.clone() }
    }

    /// The folder that relative paths of `script` start from.
    pub(crate) fn own(&self, script: &str) -> Option<PathBuf> {
        // A sign that stands for others is written out itself: no two scripts share a folder.
        let name = script.strip_suffix(".luau").unwrap_or(script).replace('%', "%25");
        let name = name.replace(['/', '\\', ':'], "%");
        self.data.as_ref().map(|data| data.join(name))
    }

    pub(super) fn resolve(
        &self,
        script: &str,
        text: &str,
        last: Last,
        does: Use,
    ) -> Result<Place, Failure> {
        let shown = shortened(text);
        let wanted = self.absolute(script, text)?;
        let full = canonical(&wanted, last).map_err(|error| failed(&error, "reach", &shown))?;
        let root = self.root_of(script, &full).ok_or_else(|| {
            Failure::new("denied", format!("`{shown}` is outside the folders that scripts may use"))
                .hint("use a path inside them, or a relative one: it stays in the script's own folder")
        })?;
        if is_of_a_process(&full) {
            return Err(Failure::new("denied", format!("`{shown}` is of a process, not a file"))
                .hint(
                    "what a process has in its environment and memory may be secret; ask `shell`",
                ));
        }
        if self.is_closed(script, &full) {
            return Err(Failure::new("denied", format!("`{shown}` belongs to moonbell itself"))
                .hint("a relative path stays in the script's own folder; `kv` keeps values"));
        }
        let root = match self.reach.places(does) {
            None => root,
            Some(places) => self.granted(script, &places, &full).ok_or_else(|| {
                // As it was written, unless that leads somewhere else.
                let lies = text.split('/').any(|part| part == "..") || full != wanted;
                let path = if lies { full.to_string_lossy().into_owned() } else { text.to_owned() };
                let need = Need::Fs(Some(does), Some(path));
                manifest::failure(self.reach.ask(&need).err().unwrap_or_else(|| missing(&need)))
            })?,
        };
        let relative = match full.strip_prefix(&root) {
            Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
            _ => PathBuf::from("."),
        };
        let root = Dir::open_ambient_dir(&root, ambient_authority())
            .map_err(|error| failed(&error, "open the root of", &shown))?;
        Ok(Place { root, relative, full })
    }

    /// The path as an absolute one, not looked up yet.
    pub(crate) fn absolute(&self, script: &str, text: &str) -> Result<PathBuf, Failure> {
        if text.is_empty() || text.len() > MAX_PATH_BYTES || text.contains('\0') {
            return Err(Failure::new(
                "bad_path",
                format!(
                    "`{}` is no path: expected 1 to {MAX_PATH_BYTES} bytes without a zero byte",
                    shortened(text).escape_debug()
                ),
            ));
        }
        if let Some(rest) = text.strip_prefix('~') {
            if rest.is_empty() || rest.starts_with(std::path::is_separator) {
                let home = self.home.clone().or_else(|| {
                    directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned())
                });
                let home = home.ok_or_else(|| {
                    Failure::new("not_found", "the home folder is unknown")
                        .hint("give an absolute path")
                })?;
                let rest = rest.trim_start_matches(std::path::is_separator);
                return checked(home.join(rest));
            }
            return Err(Failure::new(
                "bad_path",
                format!("`{}`: other people's home folders are not looked up", shortened(text)),
            )
            .hint("write `./~name` for a file of that name"));
        }
        let path = Path::new(text);
        if path.is_absolute() {
            return checked(path.to_owned());
        }
        let own = self.own(script).ok_or_else(|| {
            Failure::new("not_found", "scripts have no folder of their own here")
                .hint("give an absolute path, or one that begins with `~/`")
        })?;
        std::fs::create_dir_all(&own)
            .map_err(|error| failed(&error, "create", &own.to_string_lossy()))?;
        checked(own.join(path))
    }

    /// Whether a path, made canonical, is the host's own, or another name of a file that is.
    pub(super) fn is_closed(&self, script: &str, full: &Path) -> bool {
        let canonical = |path: &PathBuf| path.canonicalize().ok();
        let inside = |path: &PathBuf| full.starts_with(path);
        let closed: Vec<PathBuf> = self.closed.iter().filter_map(canonical).collect();
        let own = self.own(script).as_ref().and_then(canonical);
        (closed.iter().any(inside) && !own.as_ref().is_some_and(inside))
            || links::leads_into(full, closed, own.as_deref())
    }

    /// Whether something of the host's own is in this folder.
    pub(super) fn holds_closed(&self, full: &Path) -> bool {
        let canonical = self.closed.iter().filter_map(|path| path.canonicalize().ok());
        canonical.into_iter().any(|path| path.starts_with(full))
    }

    /// The folder to open for a script that reaches only these places and its own folder.
    fn granted(&self, script: &str, places: &[&str], full: &Path) -> Option<PathBuf> {
        let own = self.own(script).and_then(|own| own.canonicalize().ok());
        let places = places
            .iter()
            .filter_map(|place| canonical(&self.absolute(script, place).ok()?, Last::Follow).ok());
        let place = own.into_iter().chain(places).find(|place| full.starts_with(place))?;
        // Of a file that is granted, or of a folder that is not there yet, the folder that it is in.
        place.ancestors().find(|at| at.is_dir()).map(Path::to_owned)
    }

    fn root_of(&self, script: &str, full: &Path) -> Option<PathBuf> {
        let Some(folders) = &self.folders else {
            return full.ancestors().last().map(Path::to_owned);
        };
        let own = self.own(script);
        folders
            .iter()
            .chain(own.as_ref())
            .filter_map(|root| root.canonicalize().ok())
            .find(|root| full.starts_with(root))
    }
}

/// Names that mean something other than a file to Windows.
fn checked(path: PathBuf) -> Result<PathBuf, Failure> {
    if cfg!(windows) {
        const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];
        for part in path.components() {
            let Component::Normal(part) = part else { continue };
            let part = part.to_string_lossy().to_lowercase();
            let stem = part.split('.').next().unwrap_or_default();
            let numbered = stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt"));
            if part.contains(':')
                || part.ends_with(['.', ' '])
                || DEVICES.contains(&stem)
                || numbered
            {
                return Err(Failure::new("bad_path", format!("`{part}` is no name of a file")));
            }
        }
    }
    Ok(path)
}

/// Canonical as far as it exists; the rest must be plain names.
fn canonical(path: &Path, last: Last) -> io::Result<PathBuf> {
    let mut rest: Vec<&std::ffi::OsStr> = Vec::new();
    let mut at = path;
    if last == Last::Keep {
        match (path.parent(), path.components().next_back()) {
            (Some(parent), Some(Component::Normal(name))) => {
                rest.push(name);
                at = parent;
            }
            _ => return path.canonicalize(),
        }
    }
    loop {
        match at.canonicalize() {
            Ok(mut full) => {
                full.extend(rest.iter().rev());
                return Ok(full);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A link to nothing is not a name that is free.
                if at.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
                    return Err(io::Error::new(
                        io::ErrorKind::NotFound,
                        "a link on the way leads to nothing",
                    ));
                }
                match (at.parent(), at.components().next_back()) {
                    (Some(parent), Some(Component::Normal(name))) => {
                        rest.push(name);
                        at = parent;
                    }
                    _ => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// An error of the system in words, with a kind that scripts can rely on.
pub(super) fn failed(error: &io::Error, what: &str, path: &str) -> Failure {
    use io::ErrorKind as Kind;
    let kind = match error.kind() {
        Kind::NotFound => "not_found",
        Kind::AlreadyExists => "exists",
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "denied",
        Kind::IsADirectory => "not_a_file",
        Kind::NotADirectory => "not_a_folder",
        Kind::DirectoryNotEmpty => "not_empty",
        Kind::StorageFull | Kind::QuotaExceeded => "full",
        Kind::FileTooLarge => "too_large",
        Kind::InvalidFilename | Kind::InvalidInput => "bad_path",
        Kind::Interrupted => "stopped",
        _ => "system",
    };
    let failure = Failure::new(kind, format!("cannot {what} `{}`: {error}", shortened(path)));
    match kind {
        "not_found" => failure.hint("check the path; `fs.list` shows what is there"),
        "not_empty" => failure.hint("`{ recursive = true }` removes what is in it too"),
        "full" => failure.hint("free some space on the disk"),
        _ => failure,
    }
}

/// A path in a message: its end says most.
pub(super) fn shortened(path: &str) -> String {
    let count = path.chars().count();
    if count <= 200 {
        return path.to_owned();
    }
    format!("…{}", path.chars().skip(count - 200).collect::<String>())
}
