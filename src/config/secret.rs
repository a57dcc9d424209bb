//! Where a secret comes from: the file itself, the environment, or a private file beside it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::Config;
use super::Secret;
use super::check::Check;
use super::check::shown;
use super::file::{Entry, Raw, Reference};
use super::load::Need;
use super::problem::{Place, Problem};
use crate::words::Said;
use crate::words::config::secrets as w;
use crate::words::config::{file, values};

/// A secret only if it holds a password.
pub(super) const PROXY: &str = "network.proxy";

impl Check<'_> {
    /// Those of scripts. Without an account (`dev`, `check`) one that cannot be read is no reason to stop.
    pub(super) fn secrets(&mut self, config: &mut Config, need: Need) {
        let paths: Vec<String> =
            self.entries.keys().filter(|path| path.starts_with("secrets.")).cloned().collect();
        for path in paths {
            let name = path["secrets.".len()..].to_owned();
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                let value = shown(&name);
                self.wrong(&path, |lang| w::no_name(&value, lang), w::name_hint);
                continue;
            }
            let before = self.problems.len();
            let secret = self.secret(&path, Need::Account);
            if need != Need::Account {
                self.problems.truncate(before);
            } else if secret.is_none() && self.problems.len() == before {
                self.wrong(&path, |lang| file::is_empty(&path, lang), w::is_empty_hint);
            }
            config.secrets.insert(name, secret);
        }
    }

    /// The secret itself, when it is needed; `None` when absent, or wrong and reported.
    pub(super) fn secret(&mut self, path: &str, need: Need) -> Option<Secret> {
        let Entry { value, place } = self.entries.get(path)?.clone();
        self.note_file(path, &value, &place);
        if need == Need::Settings {
            return None;
        }
        let found = match value {
            Raw::Text(text) => {
                if let Place::Line { file, .. } = &place
                    && !text.is_empty()
                    && (path != PROXY || text.contains('@'))
                    && readable_by_others(file)
                {
                    let message = |lang| w::written_in_open_file(path, lang);
                    let problem = Problem::new(place.clone(), message);
                    self.warnings.push(problem.hint(|_| close(file)));
                }
                text
            }
            Raw::Reference(Reference::Env, name) => self.variable(path, &place, &name)?,
            Raw::Reference(Reference::File, name) => self.secret_file(path, &place, &name)?,
            Raw::Reference(Reference::Keychain, _) => {
                let problem = Problem::new(place, |lang| w::in_keychain(path, lang));
                self.problems.push(problem.hint(w::in_keychain_hint));
                return None;
            }
            Raw::List(_) => return None,
        };
        let found = found.trim();
        if found.is_empty() {
            // A blank secret must never count as one: what verifies with it would accept anybody.
            if path == "dingtalk.client_secret" {
                self.lacks(path, values::it_is_empty);
            }
            return None;
        }
        Some(Secret::new(found))
    }

    /// Remembers where the secret lies, whether or not it is needed now.
    fn note_file(&mut self, path: &str, value: &Raw, place: &Place) {
        match (value, place) {
            (Raw::Reference(Reference::File, name), _) => {
                // If it cannot be told where that is, whoever needs it says so.
                let before = self.problems.len();
                let file = self.resolve(path, name, place);
                self.problems.truncate(before);
                self.secret_files.extend(file);
            }
            (Raw::Text(text), Place::Line { file, .. })
                if !text.is_empty() && (path != PROXY || text.contains('@')) =>
            {
                self.secret_files.insert(file.clone());
            }
            _ => {}
        }
    }

    fn variable(&mut self, path: &str, place: &Place, name: &str) -> Option<String> {
        let value = self
            .source
            .environment
            .iter()
            .find(|(key, _)| key == OsStr::new(name))
            .map(|(_, value)| value);
        let says = match value {
            Some(value) => match value.to_str() {
                Some(text) if !text.trim().is_empty() => return Some(text.to_owned()),
                Some(_) => w::variable_empty,
                None => w::variable_not_utf8,
            },
            None => w::variable_not_set,
        };
        let name = shown(name);
        let problem = Problem::new(place.clone(), |lang| says(path, &name, lang));
        self.problems.push(problem.hint(w::variable_hint));
        None
    }

    fn secret_file(&mut self, path: &str, place: &Place, name: &str) -> Option<String> {
        let file = self.resolve(path, name, place)?;
        let named = file.to_string_lossy();
        let unreadable = |error: std::io::Error| {
            let error = error.to_string();
            Said::new(|lang| w::unreadable_file(path, &named, &error, lang))
        };
        let (message, hint) = match fs::metadata(&file) {
            Ok(_) if readable_by_others(&file) => {
                (Said::new(|lang| w::open_file(path, &named, lang)), Said::new(|_| close(&file)))
            }
            Ok(meta) if meta.len() > 64 * 1024 => {
                (Said::new(|lang| w::large_file(path, &named, lang)), Said::new(w::other_file))
            }
            Ok(_) => match fs::read_to_string(&file) {
                Ok(text) if !text.trim().is_empty() => return Some(text),
                Ok(_) => {
                    (Said::new(|lang| w::empty_file(path, &named, lang)), Said::new(w::write_it))
                }
                Err(error) => (unreadable(error), Said::new(w::must_be_text)),
            },
            Err(error) => (unreadable(error), Said::new(w::where_relative)),
        };
        self.problems.push(Problem { place: place.clone(), message, hint: Some(hint) });
        None
    }
}

/// The command after which nobody else can read `file`.
fn close(file: &Path) -> String {
    format!("chmod 600 {}", file.display())
}

#[cfg(unix)]
fn readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

/// Windows keeps a profile's files from other users unless their owner shares them.
#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}
