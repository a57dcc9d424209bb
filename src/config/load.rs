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
use crate::words::config::problems as w;

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
            Err(Unreadable::Io(error))
                if error.kind() == io::ErrorKind::NotFound && source.file.is_none() =>
            {
                (String::new(), None)
            }
            Err(why) => return Err(why.told(path)),
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
    let example = missing.then(|| Example { file, is_new: read.is_none() });
    let language = config.language;
    let is_wrong = |place: &Place| problems.iter().any(|problem| problem.place == *place);
    let wrong = places.into_iter().filter(|(_, place)| is_wrong(place)).map(|(key, _)| key);
    let wrong = wrong.chain(refused).collect();
    let rest = (certain && config.state.dir.is_absolute()).then(|| Box::new(config));
    Err(Problems { list: problems, example, rest, wrong, language })
}

fn read(path: &Path) -> Result<String, Unreadable> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(Unreadable::Folder);
    }
    if found.len() > FILE_LIMIT_BYTES {
        return Err(Unreadable::Large(found.len()));
    }
    String::from_utf8(fs::read(path)?).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Unreadable::Binary(String::from_utf8_lossy(valid).matches('\n').count() + 1)
    })
}

/// Why there is nothing to check.
enum Unreadable {
    Io(io::Error),
    Folder,
    /// Bytes.
    Large(u64),
    /// The first line that is no text.
    Binary(usize),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Unreadable {
    fn told(&self, path: &Path) -> Problems {
        let place = Place::File(path.to_owned());
        let problem = match self {
            Self::Io(error) => {
                let hint = match error.kind() {
                    io::ErrorKind::NotFound => w::check_name,
                    io::ErrorKind::PermissionDenied => w::make_readable,
                    _ => w::name_a_toml_file,
                };
                Problem::new(place, |lang| w::cannot_be_read(&error.to_string(), lang)).hint(hint)
            }
            Self::Folder => Problem::new(place, w::is_folder).hint(w::name_a_toml_file),
            Self::Large(bytes) => {
                let message = |lang| w::is_large(*bytes, FILE_LIMIT_BYTES, lang);
                Problem::new(place, message).hint(w::name_a_toml_file)
            }
            Self::Binary(line) => {
                Problem::new(place, |lang| w::is_binary(*line, lang)).hint(w::save_as_utf8)
            }
        };
        Problems { list: vec![problem], ..Problems::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::KEYS;
    use super::super::kind::Kind;
    use super::*;
    use crate::words::Lang;

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
                let hint = found[0].hint.as_ref().unwrap().to_string();
                assert!(hint.contains(key.path), "{found:?}");
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
                let told = found[0].message.to_string();
                assert_eq!(told, format!("unknown key `{table}.{wrong}`"));
                let hint = found[0].hint.as_ref().unwrap().to_string();
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
                let told = found[0].message.to_string();
                assert!(told.starts_with(&format!("`{}` must be ", key.path)), "{told}");
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
        fs::write(&file, format!("{}\n{http}", w::minimal(Lang::En))).unwrap();
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
            assert!(found[0].to_string().contains("not a whole number"), "{}", found[0]);
        }
    }

    #[test]
    fn the_minimal_file_is_enough_for_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let places =
            Places { home: Some("/home/me".into()), config: None, data: Some("/data".into()) };
        let environment = vec![("DINGTALK_CLIENT_SECRET".into(), "s3cret".into())];
        for lang in [Lang::Zh, Lang::En] {
            fs::write(&file, w::minimal(lang)).unwrap();
            let (places, environment) = (places.clone(), environment.clone());
            let source = Source { places, file: Some(file.clone()), environment };
            let loaded = load(&source, Need::Account).unwrap();
            assert_eq!(loaded.config.dingtalk.client_secret.expose(), "s3cret");
            assert!(!format!("{loaded:?}").contains("s3cret"));
        }
    }
}
