//! What a script asks to run, made exact: an absolute program, a clean environment, an existing folder.
//!
//! Arguments are a list and reach the program as they are: no shell reads them, so nothing in them is special.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::api::dialog::Approval;
use crate::api::shell::environment::environment;

/// Where programs are looked for when the host has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A program with its arguments, as the script wrote it.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Program and arguments: any bytes but NUL.
    pub argv: Vec<Vec<u8>>,
    /// `~` is the home folder; nothing: the home folder.
    pub cwd: Option<String>,
    /// Added to the clean environment; `None` takes a variable away.
    pub env: BTreeMap<String, Option<String>>,
    pub stdin: Stdin,
    pub timeout: Option<Duration>,
    /// Leave that somebody gave for exactly this.
    pub approved: Option<Approval>,
}

#[derive(Clone, Debug, Default)]
pub enum Stdin {
    /// Reading gives end-of-file at once: a prompt fails instead of waiting for ever.
    #[default]
    Null,
    /// Written by us while the output is read, then closed.
    Bytes(Vec<u8>),
    /// Written through [`Process::write`](super::process::Process::write).
    Pipe,
}

/// Why a program was not started. `Display` is what the script reads.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("no program given")]
    Empty,
    #[error("program `{program}` was not found")]
    NotFound { program: String },
    #[error("`{path}` is not executable")]
    NotExecutable { path: String },
    #[error("cannot use `{path}` as working folder: {reason}")]
    Folder { path: String, reason: String },
    #[error("{what} contains a NUL byte")]
    Nul { what: String },
    #[error("`{name}` is not a name for an environment variable")]
    EnvName { name: String },
    #[error("`{name}` in `env` decides which code runs, so a script cannot set it")]
    EnvDecides { name: String },
    #[error("{what} is not valid UTF-8")]
    Encoding { what: String },
    #[error("the arguments of `{program}` are too long for this system")]
    TooLarge { program: String },
    #[error("{limit} processes are open already")]
    TooMany { limit: usize },
    #[error("moonbell is shutting down")]
    Closing,
    #[error("cannot start `{program}`: {error}")]
    System { program: String, error: io::Error },
}

impl SpawnError {
    /// For `err.kind`; the set is closed and documented in `shell.d.luau`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty | Self::Nul { .. } | Self::EnvName { .. } | Self::Encoding { .. } => {
                "invalid"
            }
            Self::NotFound { .. } => "not_found",
            Self::NotExecutable { .. } | Self::EnvDecides { .. } => "denied",
            Self::Folder { .. } => "cwd",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many",
            Self::Closing => "closing",
            Self::System { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                "denied"
            }
            Self::System { .. } => "system",
        }
    }

    /// The reader's next step.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotFound { program } if program.contains('/') => {
                "check the path; one that begins with `./` starts at `cwd`"
            }
            Self::NotFound { program } if program.contains(char::is_whitespace) => {
                "each argument is an item of its own: { \"git\", \"pull\" }"
            }
            Self::NotFound { .. } => {
                "check the spelling, install it, or give its full path; `PATH` is the host's own"
            }
            Self::NotExecutable { .. } => {
                "make it executable (`chmod +x`), or name its interpreter first"
            }
            Self::Folder { .. } => {
                "create the folder, or give another `cwd`; `~` is the home folder"
            }
            Self::EnvDecides { .. } => {
                "say it among the arguments, where it can be read: { \"env\", \"NAME=value\", \"program\" }"
            }
            Self::Nul { .. } => "no program can be given a NUL byte; pass the data through `stdin`",
            Self::TooLarge { .. } => "pass the data through `stdin`, or write it to a file",
            Self::TooMany { .. } => "wait for one to end, or kill it",
            Self::Encoding { .. }
            | Self::Empty
            | Self::EnvName { .. }
            | Self::Closing
            | Self::System { .. } => {
                return None;
            }
        })
    }
}

/// A [`Command`] that can be started.
#[derive(Debug)]
pub(super) struct Exact {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) cwd: PathBuf,
    pub(super) env: BTreeMap<OsString, OsString>,
}

impl Command {
    /// The program and the folder as they are found now. Touches the file system.
    pub(in crate::api) fn found(&self) -> Result<(PathBuf, PathBuf), SpawnError> {
        self.resolve().map(|exact| (exact.program, exact.cwd))
    }

    /// Finds the program, the folder and the environment. Touches the file system.
    pub(super) fn resolve(&self) -> Result<Exact, SpawnError> {
        let mut argv = Vec::with_capacity(self.argv.len());
        for (index, arg) in self.argv.iter().enumerate() {
            let what =
                if index == 0 { "the program".to_owned() } else { format!("argument {index}") };
            argv.push(os_string(arg, &what)?);
        }
        let env = environment(std::env::vars_os(), &self.env)?;
        let mut argv = argv.into_iter();
        let program = argv.next().filter(|program| !program.is_empty()).ok_or(SpawnError::Empty)?;
        let cwd = folder(self.cwd.as_deref())?;
        let path = env.get(OsStr::new("PATH")).cloned().unwrap_or_else(|| DEFAULT_PATH.into());
        Ok(Exact { program: find(&program, &path, &cwd)?, args: argv.collect(), cwd, env })
    }
}

fn os_string(bytes: &[u8], what: &str) -> Result<OsString, SpawnError> {
    if bytes.contains(&0) {
        return Err(SpawnError::Nul { what: what.to_owned() });
    }
    #[cfg(unix)]
    {
        Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec()))
    }
    #[cfg(not(unix))]
    {
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| SpawnError::Encoding { what: what.to_owned() })?;
        Ok(text.into())
    }
}

fn home() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

/// `~` and `~/x` made absolute; other paths as they are.
fn expand(path: &str) -> Option<PathBuf> {
    match path.strip_prefix('~') {
        Some("") => home(),
        Some(rest) if rest.starts_with(std::path::is_separator) => {
            home().map(|home| home.join(&rest[1..]))
        }
        _ => Some(path.into()),
    }
}

fn folder(path: Option<&str>) -> Result<PathBuf, SpawnError> {
    let fail = |reason: &str| SpawnError::Folder {
        path: path.unwrap_or("~").to_owned(),
        reason: reason.to_owned(),
    };
    if path.is_some_and(|path| path.contains('\0')) {
        return Err(SpawnError::Nul { what: "`cwd`".to_owned() });
    }
    // Not the host's own folder: that depends on how it was started.
    let Some(full) = expand(path.unwrap_or("~")) else {
        // No home folder: only its absence was not asked for.
        return path
            .is_none()
            .then(std::env::temp_dir)
            .ok_or_else(|| fail("the home folder is unknown"));
    };
    if full.is_relative() {
        return Err(fail("it is not an absolute path"));
    }
    if full.components().any(|part| part == Component::ParentDir) {
        return Err(fail("`..` leads out of the folder before it"));
    }
    match full.metadata() {
        Ok(found) if found.is_dir() => Ok(full),
        Ok(_) => Err(fail("it is not a folder")),
        Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok(std::env::temp_dir())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(fail("it does not exist")),
        Err(error) => Err(fail(&error.to_string())),
    }
}

/// Finds a program: by path, or by name in the absolute folders of `path`; never by name in the working folder.
fn find(program: &OsStr, path: &OsStr, cwd: &Path) -> Result<PathBuf, SpawnError> {
    let shown = program.to_string_lossy().into_owned();
    if shown.contains(std::path::is_separator) {
        let full = program.to_str().and_then(expand).unwrap_or_else(|| program.into());
        let full = cwd.join(full); // an absolute path replaces it
        return match candidates(&full).find(|full| full.is_file()) {
            Some(full) if is_executable(&full) => Ok(full),
            Some(_) => Err(SpawnError::NotExecutable { path: shown }),
            None if full.is_dir() => Err(SpawnError::NotExecutable { path: shown }),
            None => Err(SpawnError::NotFound { program: shown }),
        };
    }
    let mut refused = None;
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        for full in candidates(&folder.join(program)).filter(|full| full.is_file()) {
            if is_executable(&full) {
                return Ok(full);
            }
            refused.get_or_insert(full);
        }
    }
    Err(match refused {
        Some(full) => SpawnError::NotExecutable { path: full.display().to_string() },
        None => SpawnError::NotFound { program: shown },
    })
}

/// The file itself; on Windows also with the endings that make a program.
fn candidates(full: &Path) -> impl Iterator<Item = PathBuf> {
    let endings: &[&str] =
        if cfg!(windows) { &["", ".exe", ".com", ".cmd", ".bat"] } else { &[""] };
    endings.iter().map(|ending| {
        let mut name = full.as_os_str().to_owned();
        name.push(ending);
        name.into()
    })
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        path.extension().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn b8_a_program_is_never_found_by_name_in_the_working_folder() {
        let home = tempfile::tempdir().unwrap();
        std::fs::copy("/bin/sh", home.path().join("evil")).unwrap();
        for path in ["", ".", ":", "bin:.:", "::"] {
            let error = find("evil".as_ref(), path.as_ref(), home.path()).unwrap_err();
            assert_eq!(error.kind(), "not_found", "PATH={path:?}");
        }
        let full = home.path().join("evil");
        assert_eq!(
            find("./evil".as_ref(), "".as_ref(), home.path()).unwrap(),
            home.path().join("./evil")
        );
        assert_eq!(find(full.as_os_str(), "".as_ref(), "/".as_ref()).unwrap(), full);
        assert_eq!(find("evil".as_ref(), home.path().as_os_str(), "/".as_ref()).unwrap(), full);
    }

    #[test]
    fn what_cannot_be_started_says_why_and_what_to_do() {
        let command = |argv: &[&str], cwd: Option<&str>| Command {
            argv: argv.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            cwd: cwd.map(str::to_owned),
            ..Command::default()
        };
        let cases = [
            (command(&[], None), "invalid", "no program given"),
            (command(&[""], None), "invalid", "no program given"),
            (
                command(&["no-such-program-x"], None),
                "not_found",
                "program `no-such-program-x` was not found",
            ),
            (command(&["echo hi"], None), "not_found", "program `echo hi` was not found"),
            (command(&["/etc/passwd"], None), "denied", "`/etc/passwd` is not executable"),
            (command(&["/etc"], None), "denied", "`/etc` is not executable"),
            (command(&["sh", "a\0b"], None), "invalid", "argument 1 contains a NUL byte"),
            (
                command(&["sh"], Some("/nowhere/x")),
                "cwd",
                "cannot use `/nowhere/x` as working folder: it does not exist",
            ),
            (
                command(&["sh"], Some("here")),
                "cwd",
                "cannot use `here` as working folder: it is not an absolute path",
            ),
            (
                command(&["sh"], Some("/tmp/../etc")),
                "cwd",
                "cannot use `/tmp/../etc` as working folder: `..` leads out of the folder before it",
            ),
            (
                command(&["sh"], Some("~root")),
                "cwd",
                "cannot use `~root` as working folder: it is not an absolute path",
            ),
            (
                command(&["sh"], Some("/etc/passwd")),
                "cwd",
                "cannot use `/etc/passwd` as working folder: it is not a folder",
            ),
        ];
        for (command, kind, message) in cases {
            let error = command.resolve().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
        }
    }
}
