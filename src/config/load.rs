//! Finds the file, lays environment and flags over it, and hands everything to the checks.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Config;
use super::check::Check;
use super::file::{self, Contents, Entry, Raw};
use super::problem::{Place, Problem, Problems};

/// Far above any real file; a device or a log named by mistake is not read to its end.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// What the command at hand needs to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Folders and addresses; secrets are not even looked up.
    Settings,
    /// Also the account at DingTalk and an owner.
    Account,
}

/// A flag that sets a key.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub name: &'static str,
    pub path: &'static str,
}

/// The flags that set keys.
pub const FLAGS: &[Flag] =
    &[Flag { name: "--scripts", path: "scripts.dir" }, Flag { name: "--state", path: "state.dir" }];

/// The folders that defaults stand on; `None` when this user has no home.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub home: Option<PathBuf>,
    pub config: Option<PathBuf>,
    pub data: Option<PathBuf>,
}

impl Places {
    pub fn of_this_user() -> Self {
        let project = directories::ProjectDirs::from("", "", "moonbell");
        Self {
            home: directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()),
            config: project.as_ref().map(|dirs| dirs.config_dir().to_owned()),
            data: project.as_ref().map(|dirs| dirs.data_dir().to_owned()),
        }
    }

    /// Where the file is when nobody says otherwise.
    pub fn default_file(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|folder| folder.join("config.toml"))
    }
}

/// Where settings come from, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub places: Places,
    /// Named by the user, so it must exist; otherwise the default file, if there is one.
    pub file: Option<PathBuf>,
    pub environment: Vec<(OsString, OsString)>,
    /// Flag of [`FLAGS`] and its value.
    pub flags: Vec<(&'static str, String)>,
}

/// Settings, and what they were read from.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read; `None`: there is none.
    pub file: Option<PathBuf>,
    pub warnings: Vec<Problem>,
}

/// Reads and checks all settings.
///
/// # Errors
///
/// Every mistake at once, each with its place.
pub fn load(source: &Source, need: Need) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let default = source.places.default_file();
    let wanted = source.file.clone().or_else(|| default.clone());
    let (text, read) = match &wanted {
        None => (String::new(), None),
        Some(path) => match read(path) {
            Ok(text) => (text, Some(path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && source.file.is_none() => {
                (String::new(), None)
            }
            Err(error) => return Err(unreadable(path, &error)),
        },
    };
    let file = read.clone().or(wanted).unwrap_or_else(|| PathBuf::from("config.toml"));
    let Contents { mut entries, tables } = file::read(&file, &text, &mut problems);
    file::read_environment(&source.environment, &mut entries, &mut problems);
    for (name, value) in &source.flags {
        let flag = FLAGS
            .iter()
            .find(|flag| flag.name == *name)
            .expect("commands pass only flags of the table");
        let entry = Entry { value: Raw::Text(value.clone()), place: Place::Flag(flag.name) };
        entries.insert(flag.path.to_owned(), entry);
    }
    let check = Check::new(source, &file, entries, tables, problems);
    let (config, warnings, mut problems, missing) = check.run(need);
    if problems.is_empty() {
        return Ok(Loaded { config, file: read, warnings });
    }
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    let hint = match (missing, &read) {
        (true, None) => {
            Some(format!("write this to {}, with your own values:\n\n{MINIMAL}", file.display()))
        }
        (true, Some(_)) => Some(format!("a complete file looks like this:\n\n{MINIMAL}")),
        (false, _) => None,
    };
    Err(Problems { list: problems, hint })
}

/// The least that `run` can work with, ready to paste.
const MINIMAL: &str = r#"[dingtalk]
client_id = "dingxxxxxxxxxxxxxxxx"                    # open-dev.dingtalk.com: your app, "Credentials"
client_secret = { env = "DINGTALK_CLIENT_SECRET" }    # or { file = "secret" }, chmod 600

[access]
owner = "manager4220"                                 # your staff id (userId) in the organisation
"#;

fn read(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?;
    if size.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if size.len() > FILE_LIMIT_BYTES {
        let message =
            format!("it has {} bytes; settings have at most {FILE_LIMIT_BYTES}", size.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    let bytes = fs::read(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not valid UTF-8"))
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Problems {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "check the name, or leave `--config` out for the default file",
        io::ErrorKind::PermissionDenied => "make the file readable by you: chmod 600",
        io::ErrorKind::InvalidData => "save the file as UTF-8",
        _ => "name a TOML file",
    };
    let problem =
        Problem::new(Place::File(path.to_owned()), format!("cannot be read: {error}")).hint(hint);
    Problems { list: vec![problem], hint: None }
}
