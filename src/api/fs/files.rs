//! What `fs` does, without Lua: each function resolves its paths once and works below the folder that it opened.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use tokio_util::sync::CancellationToken;

use super::roots::{Last, Place, Roots, failed, shortened};
use crate::access::Use;
use crate::api::failure::Failure;

/// Entries of one list, results of one search.
const MAX_ENTRIES: usize = 20_000;
/// Entries that a search looks at: a home folder with its build folders, not a whole disk.
const MAX_SEEN: usize = 500_000;
/// A path, with room for some signs.
const MAX_PATTERN_BYTES: usize = 4096;
/// Folders inside folders that a search enters.
const MAX_DEPTH: usize = 40;
/// Copied between two looks at whether the run still wants it.
const PIECE: usize = 1 << 20;

/// Whether the run still wants the work.
pub(super) struct Stop(pub(super) CancellationToken);

impl Stop {
    fn check(&self) -> io::Result<()> {
        if self.0.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

/// A file or folder as scripts see it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) kind: &'static str,
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
}

impl Entry {
    fn new(full: &Path, found: &Metadata) -> Self {
        let kind = if found.is_file() {
            "file"
        } else if found.is_dir() {
            "folder"
        } else if found.is_symlink() {
            "link"
        } else {
            "other"
        };
        Self {
            name: full.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: full.to_string_lossy().into_owned(),
            kind,
            size: found.len(),
            modified: found.modified().ok().map(cap_std::time::SystemTime::into_std),
        }
    }
}

pub(super) fn read(
    roots: &Roots,
    script: &str,
    path: &str,
    max: u64,
    stop: &Stop,
) -> Result<Vec<u8>, Failure> {
    let place = roots.resolve(script, path, Last::Follow, Use::Read)?;
    let work = || {
        let mut file = regular(&place, OpenOptions::new().read(true))?;
        let mut content = Vec::new();
        loop {
            stop.check()?;
            // Files of the system say that they are empty, and others grow: what was read counts.
            let left = (max + 1).saturating_sub(content.len() as u64).min(PIECE as u64);
            if (&mut file).take(left).read_to_end(&mut content)? == 0 {
                return Ok(content);
            }
            if content.len() as u64 > max {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    };
    work().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge => {
            Failure::new("too_large", format!("`{}` has more than {max} bytes", shortened(path)))
                .hint("give a larger `max`, or read it with a program such as `tail`")
        }
        _ => failed(&error, "read", path),
    })
}

/// The whole new content or the old one, whatever happens: a new file takes the old one's place.
pub(super) fn write(
    roots: &Roots,
    script: &str,
    path: &str,
    content: &[u8],
) -> Result<(), Failure> {
    let place = roots.resolve(script, path, Last::Follow, Use::Write)?;
    replaced(&place, |file| file.write_all(content)).map_err(|error| failed(&error, "write", path))
}

fn replaced(place: &Place, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let (dir, name) = place.parent()?;
    let old = match dir.symlink_metadata(name) {
        Ok(found) if found.is_file() => Some(found.permissions()),
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => return Err(not_regular()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let temporary = Temporary::new(&dir)?;
    let mut file =
        dir.open_with(&temporary.name, OpenOptions::new().write(true).create_new(true))?;
    fill(&mut file)?;
    if let Some(permissions) = old {
        file.set_permissions(permissions)?;
    }
    file.sync_data()?;
    drop(file);
    dir.rename(&temporary.name, &dir, name)?;
    temporary.keep();
    Ok(())
}

/// A name in a folder that is free again when this is dropped.
pub(super) struct Temporary<'dir> {
    dir: &'dir Dir,
    pub(super) name: PathBuf,
    kept: bool,
}

impl<'dir> Temporary<'dir> {
    pub(super) fn new(dir: &'dir Dir) -> io::Result<Self> {
        let name = PathBuf::from(format!(".moonbell-{:016x}.tmp", rand::random::<u64>()));
        if dir.try_exists(&name)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Self { dir, name, kept: false })
    }

    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = self.dir.remove_file(&self.name);
        }
    }
}

pub(super) fn append(
    roots: &Roots,
    script: &str,
    path: &str,
    content: &[u8],
) -> Result<(), Failure> {
    let place = roots.resolve(script, path, Last::Follow, Use::Write)?;
    let work = || {
        let mut file = regular(&place, OpenOptions::new().append(true).create(true))?;
        file.write_all(content)
    };
    work().map_err(|error: io::Error| failed(&error, "append to", path))
}

/// Opens a regular file, and waits for nobody to find out that it is none.
fn regular(place: &Place, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        options.custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY);
    }
    match place.root.metadata(&place.relative) {
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => return Err(not_regular()),
        _ => {}
    }
    let file = place.root.open_with(&place.relative, options)?;
    // Looked at again: it may have been swapped since.
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::IsADirectory, "it is a device, a pipe or a socket, not a file")
}

pub(super) fn list(
    roots: &Roots,
    script: &str,
    path: &str,
    stop: &Stop,
) -> Result<Vec<Entry>, Failure> {
    let place = roots.resolve(script, path, Last::Follow, Use::Read)?;
    let work = || {
        let mut entries = Vec::new();
        for entry in place.root.open_dir(&place.relative)?.entries()? {
            stop.check()?;
            let entry = entry?;
            let Ok(found) = entry.metadata() else { continue }; // gone meanwhile
            entries.push(Entry::new(&place.full.join(entry.file_name()), &found));
            if entries.len() > MAX_ENTRIES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    };
    work().map_err(|error: io::Error| too_many(&error, "list", path))
}

fn too_many(error: &io::Error, what: &str, path: &str) -> Failure {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return Failure::new(
            "too_large",
            format!("`{}` holds more entries than one call takes", shortened(path)),
        )
        .hint("name a smaller folder");
    }
    failed(error, what, path)
}

/// The folder that a pattern begins in, and the pattern below it.
pub(super) fn base_of(pattern: &str) -> (String, String) {
    // Up to the first part with a sign in it, the pattern is a plain path.
    let parts: Vec<&str> = pattern.split('/').collect();
    let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{'])).count();
    let plain = plain.min(parts.len() - 1);
    let base = match parts[..plain].join("/") {
        base if base.is_empty() && plain > 0 => "/".to_owned(),
        base if base.is_empty() => ".".to_owned(),
        base => base,
    };
    (base, parts[plain..].join("/"))
}

/// Reads the part of a pattern that has signs in it.
pub(super) fn matcher(rest: &str, pattern: &str) -> Result<globset::GlobMatcher, Failure> {
    if pattern.len() > MAX_PATTERN_BYTES {
        // The matcher panics when it grows too large.
        let why = format!(
            "`{}` is no pattern: expected at most {MAX_PATTERN_BYTES} bytes",
            shortened(pattern)
        );
        return Err(Failure::new("bad_path", why));
    }
    let built = globset::GlobBuilder::new(rest).literal_separator(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| {
        let why = format!("`{}` is no pattern: {}", shortened(pattern), error.kind());
        Failure::new("bad_path", why)
    })
}

/// Paths that match, sorted.
pub(super) fn glob(
    roots: &Roots,
    script: &str,
    pattern: &str,
    stop: &Stop,
) -> Result<Vec<String>, Failure> {
    let found = search(roots, script, pattern, stop, |_| Some(()))?;
    Ok(found.into_iter().map(|(path, ())| path).collect())
}

/// What matches and `take` takes, by path. Links are not followed, so no search goes round in circles.
pub(super) fn search<T>(
    roots: &Roots,
    script: &str,
    pattern: &str,
    stop: &Stop,
    take: impl Fn(&cap_std::fs::DirEntry) -> Option<T>,
) -> Result<Vec<(String, T)>, Failure> {
    let (base, rest) = base_of(pattern);
    let matcher = matcher(&rest, pattern)?;
    let place = roots.resolve(script, &base, Last::Follow, Use::Read)?;
    let depth = if rest.contains("**") { MAX_DEPTH } else { rest.split('/').count() };
    let mut found = Vec::new();
    let mut seen = 0;
    let walk = || {
        let start = match place.root.open_dir(&place.relative) {
            Ok(start) => start,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(found);
            }
            Err(error) => return Err(error),
        };
        let mut folders = vec![(start, PathBuf::new(), 1)];
        while let Some((dir, below, level)) = folders.pop() {
            let Ok(entries) = dir.entries() else { continue };
            for entry in entries.flatten() {
                stop.check()?;
                seen += 1;
                let relative = below.join(entry.file_name());
                if matcher.is_match(&relative)
                    && let Some(taken) = take(&entry)
                {
                    let path = place.full.join(&relative).to_string_lossy().into_owned();
                    found.push((path, taken));
                }
                if seen > MAX_SEEN || found.len() > MAX_ENTRIES {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                // A folder that may not be entered holds nothing that could be used.
                if level < depth
                    && !roots.is_closed(script, &place.full.join(&relative))
                    && entry.file_type().is_ok_and(|kind| kind.is_dir())
                    && let Ok(inner) = entry.open_dir()
                {
                    folders.push((inner, relative, level + 1));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    };
    walk().map_err(|error| too_many(&error, "search", pattern))
}

pub(super) fn stat(roots: &Roots, script: &str, path: &str) -> Result<Entry, Failure> {
    let place = roots.resolve(script, path, Last::Follow, Use::Read)?;
    let found =
        place.root.metadata(&place.relative).map_err(|error| failed(&error, "look at", path))?;
    Ok(Entry::new(&place.full, &found))
}

pub(super) fn mkdir(roots: &Roots, script: &str, path: &str) -> Result<(), Failure> {
    let place = roots.resolve(script, path, Last::Follow, Use::Write)?;
    if place.is_root() {
        return Ok(());
    }
    place.root.create_dir_all(&place.relative).map_err(|error| failed(&error, "create", path))
}

pub(super) fn copy(
    roots: &Roots,
    script: &str,
    [from, to]: [&str; 2],
    overwrite: bool,
    stop: &Stop,
) -> Result<(), Failure> {
    let source = roots.resolve(script, from, Last::Follow, Use::Read)?;
    let target = roots.resolve(script, to, Last::Follow, Use::Write)?;
    let mut file = regular(&source, OpenOptions::new().read(true))
        .map_err(|error| failed(&error, "copy", from))?;
    free(&target, to, overwrite)?;
    let mut work = || {
        let permissions = file.metadata()?.permissions();
        replaced(&target, |new| {
            let mut piece = vec![0; PIECE];
            loop {
                stop.check()?;
                match file.read(&mut piece)? {
                    0 => break,
                    count => new.write_all(&piece[..count])?,
                }
            }
            new.set_permissions(permissions)
        })
    };
    work().map_err(|error| failed(&error, "copy to", to))
}

fn free(target: &Place, to: &str, overwrite: bool) -> Result<(), Failure> {
    if !overwrite && target.root.symlink_metadata(&target.relative).is_ok() {
        return Err(Failure::new("exists", format!("`{}` exists already", shortened(to)))
            .hint("`{ overwrite = true }` replaces it"));
    }
    Ok(())
}

pub(super) fn rename(
    roots: &Roots,
    script: &str,
    [from, to]: [&str; 2],
    overwrite: bool,
    stop: &Stop,
) -> Result<(), Failure> {
    // Elsewhere it may be read.
    roots.resolve(script, from, Last::Keep, Use::Read)?;
    let source = roots.resolve(script, from, Last::Keep, Use::Write)?;
    let target = roots.resolve(script, to, Last::Keep, Use::Write)?;
    kept(roots, &source, from)?;
    free(&target, to, overwrite)?;
    match source.root.rename(&source.relative, &target.root, &target.relative) {
        Ok(()) => Ok(()),
        // To another disk.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy(roots, script, [from, to], overwrite, stop)?;
            remove(roots, script, from, false, stop)
        }
        Err(error) => Err(failed(&error, "move", from)),
    }
}

pub(super) fn remove(
    roots: &Roots,
    script: &str,
    path: &str,
    recursive: bool,
    _: &Stop,
) -> Result<(), Failure> {
    let place = roots.resolve(script, path, Last::Keep, Use::Write)?;
    kept(roots, &place, path)?;
    let work = || {
        let found = place.root.symlink_metadata(&place.relative)?;
        match (found.is_dir(), recursive) {
            (false, _) => place.root.remove_file(&place.relative),
            (true, false) => place.root.remove_dir(&place.relative),
            (true, true) => place.root.remove_dir_all(&place.relative),
        }
    };
    work().map_err(|error: io::Error| failed(&error, "remove", path))
}

/// A root, the home folder and what is moonbell's own are not a script's to remove, nor is anything that they are in.
fn kept(roots: &Roots, place: &Place, path: &str) -> Result<(), Failure> {
    let home = directories::BaseDirs::new().and_then(|dirs| dirs.home_dir().canonicalize().ok());
    let home = home.is_some_and(|home| home.starts_with(&place.full));
    if place.is_root() || home || roots.holds_closed(&place.full) {
        return Err(Failure::new(
            "denied",
            format!("`{}` is not removed or moved: too much is in it", shortened(path)),
        )
        .hint("name what is inside it"));
    }
    Ok(())
}
