//! Finds the file, lays environment and flags over it, and hands everything to the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Config;
use super::check::{Check, Checked};
use super::file;
use super::problem::{Example, Place, Problem, Problems};

/// Far above any real file; a device or a log named by mistake is not read to its end.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// What the command at hand needs to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Folders and addresses; secrets are not even looked up.
    Settings,
    /// Also the account at DingTalk.
    Account,
}

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

/// Where settings come from, weakest first. Flags are the commands' own: they are put into the [`Config`] afterwards.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub places: Places,
    /// Named by the user, so it must exist; otherwise the default file, if there is one.
    pub file: Option<PathBuf>,
    pub environment: Vec<(OsString, OsString)>,
}

/// Settings, and what they were read from.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read; `None`: there is none.
    pub file: Option<PathBuf>,
    pub warnings: Vec<Problem>,
    /// Where each key that is set was written, by its dotted path.
    pub places: BTreeMap<String, Place>,
    /// A print of what stands for each key, by which a change is seen: never the value itself.
    pub prints: BTreeMap<String, u64>,
    /// Files that hold secrets: those that the settings name, and the settings' own if one is written there.
    pub secret_files: BTreeSet<PathBuf>,
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
    let mut contents = file::read(&file, &text, &mut problems);
    file::read_environment(&source.environment, &mut contents.entries, &mut problems);
    let places: BTreeMap<String, Place> =
        contents.entries.iter().map(|(path, entry)| (path.clone(), entry.place.clone())).collect();
    let prints =
        contents.entries.iter().map(|(path, entry)| (path.clone(), entry.print())).collect();
    let certain = !contents.broken && !contents.refused.contains("state.dir");
    let refused = contents.refused.clone();
    let check = Check::new(source, &file, contents, problems);
    let Checked { config, warnings, mut problems, secret_files, missing } = check.run(need);
    if problems.is_empty() {
        return Ok(Loaded { config, file: read, warnings, places, prints, secret_files });
    }
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    let example = missing.then(|| Example { file, is_new: read.is_none(), text: MINIMAL });
    let language = config.language;
    let is_wrong = |place: &Place| problems.iter().any(|problem| problem.place == *place);
    let wrong = places.into_iter().filter(|(_, place)| is_wrong(place)).map(|(key, _)| key);
    let wrong = wrong.chain(refused).collect();
    let rest = (certain && config.state.dir.is_absolute()).then(|| Box::new(config));
    Err(Problems { list: problems, example, rest, wrong, language })
}

/// The least that `run` can work with, ready to paste.
const MINIMAL: &str = r#"[dingtalk]
client_id = "dingxxxxxxxxxxxxxxxx"                    # open-dev.dingtalk.com: your app, "Credentials"
client_secret = { env = "DINGTALK_CLIENT_SECRET" }    # or { file = "secret" }, chmod 600

[access]
# owner = "manager4220"                               # your staff id (userId); without it, `run` prints a claim code
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
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = String::from_utf8_lossy(valid).matches('\n').count() + 1;
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
    Problems { list: vec![problem], ..Problems::default() }
}

#[cfg(test)]
mod tests {
    use super::super::keys::KEYS;
    use super::super::kind::Kind;
    use super::*;

    fn problems(text: &str) -> Vec<Problem> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, text).unwrap();
        let places =
            Places { home: Some("/home/me".into()), config: None, data: Some("/data".into()) };
        let source = Source { places, file: Some(file), ..Source::default() };
        load(&source, Need::Settings).map_or_else(|problems| problems.list, |_| Vec::new())
    }

    #[test]
    fn every_key_with_one_letter_wrong_is_found_and_the_right_one_offered() {
        for key in KEYS.iter().filter(|key| !key.kind.is_open()) {
            let Some((table, name)) = key.path.rsplit_once('.') else {
                let found = problems(&format!("# first line\n{}x = \"\"\n", key.path));
                assert!(found[0].hint.as_deref().unwrap().contains(key.path), "{found:?}");
                continue;
            };
            for wrong in [format!("{name}x"), name[1..].to_owned(), name.replace('_', "-")] {
                // `oapi_base` without its first letter is a key of its own.
                if KEYS.iter().any(|key| key.path == format!("{table}.{wrong}")) {
                    continue;
                }
                let found = problems(&format!("# first line\n[{table}]\n{wrong} = \"\"\n"));
                assert_eq!(found.len(), 1, "{key:?}: {found:?}");
                assert!(
                    matches!(found[0].place, Place::Line { line: 3, column: 1, .. }),
                    "{:?}",
                    found[0].place
                );
                assert_eq!(found[0].message, format!("unknown key `{table}.{wrong}`"));
                let hint = found[0].hint.as_deref().unwrap();
                assert!(hint.contains(&format!("`{name}`")), "`{wrong}`: {hint}");
            }
        }
    }

    #[test]
    fn every_key_refuses_a_value_of_another_type() {
        for key in KEYS.iter().filter(|key| !key.kind.is_open()) {
            let other = if key.kind == Kind::List { "\"a\"" } else { "[\"a\"]" };
            for wrong in ["1", "true", other, "1979-05-27"] {
                if wrong == "1" && matches!(key.kind, Kind::Count | Kind::Number) {
                    continue;
                }
                let found = problems(&format!("{} = {wrong}\n", key.path));
                assert_eq!(found.len(), 1, "{} = {wrong}: {found:?}", key.path);
                assert!(
                    found[0].message.starts_with(&format!("`{}` must be ", key.path)),
                    "{}",
                    found[0]
                );
            }
        }
    }

    #[test]
    fn the_defaults_of_the_table_are_the_defaults_of_the_settings() {
        let lines: Vec<String> = KEYS
            .iter()
            .filter(|key| !key.kind.is_open())
            .map(|key| format!("{} = {}", key.path, key.default))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, lines.join("\n")).unwrap();
        let places =
            Places { home: Some("/home/me".into()), config: None, data: Some("/data".into()) };
        let written = Source { places: places.clone(), file: Some(file), ..Source::default() };
        let absent = Source { places, ..Source::default() };
        let config = |source| format!("{:?}", load(&source, Need::Settings).unwrap().config);
        assert_eq!(config(written), config(absent));
    }

    #[test]
    fn secrets_of_a_mode_that_is_off_are_known_so_that_nobody_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let http =
            "[http]\ncard_secret = \"of-the-other-mode\"\ntoken = \"t\"\naes_key = \"short\"\n";
        fs::write(&file, format!("{MINIMAL}\n{http}")).unwrap();
        let places =
            Places { home: Some("/home/me".into()), config: None, data: Some("/data".into()) };
        let environment = vec![("DINGTALK_CLIENT_SECRET".into(), "s3cret".into())];
        let config = load(&Source { places, file: Some(file), environment }, Need::Account);
        let config = config.unwrap().config;
        assert!(config.every_secret().any(|secret| secret.expose() == "of-the-other-mode"));
    }

    #[test]
    fn a_limit_is_a_number_and_none_can_be_said_in_two_ways() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let places =
            Places { home: Some("/home/me".into()), config: None, data: Some("/data".into()) };
        let budget = |value: &str| {
            fs::write(&file, format!("budget.api_calls = {value}\n")).unwrap();
            let source = Source {
                places: places.clone(),
                file: Some(file.clone()),
                environment: vec![("MOONBELL_BUDGET_PUSHES".into(), "70000".into())],
            };
            let budget = load(&source, Need::Settings).unwrap().config.budget;
            assert_eq!(budget.pushes, Some(70_000));
            budget.api_calls
        };
        assert_eq!(budget("200_000"), Some(200_000));
        assert_eq!(budget("\"200000\""), Some(200_000));
        for none in ["0", "\"unlimited\""] {
            assert_eq!(budget(none), None, "{none}");
        }
        for wrong in ["-1", "\"many\"", "\"5 000\""] {
            let found = problems(&format!("budget.api_calls = {wrong}\n"));
            assert_eq!(found.len(), 1, "{wrong}: {found:?}");
            assert!(found[0].message.contains("not a whole number"), "{}", found[0]);
        }
    }

    #[test]
    fn the_minimal_file_is_enough_for_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, MINIMAL).unwrap();
        let places =
            Places { home: Some("/home/me".into()), config: None, data: Some("/data".into()) };
        let environment = vec![("DINGTALK_CLIENT_SECRET".into(), "s3cret".into())];
        let loaded =
            load(&Source { places, file: Some(file), environment }, Need::Account).unwrap();
        assert_eq!(loaded.config.dingtalk.client_secret.expose(), "s3cret");
        assert!(!format!("{loaded:?}").contains("s3cret"));
    }
}
