//! Where a secret comes from: the file itself, the environment, or a private file beside it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::Config;
use super::Secret;
use super::check::Check;
use super::file::{Entry, Raw, Reference};
use super::load::Need;
use super::problem::{Place, Problem};

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
                let message = format!("`{}` is no name of a secret", name.escape_debug());
                let place = self.place(&path);
                self.problems.push(
                    Problem::new(place, message)
                        .hint("use letters, digits, `_` and `-`, 64 at most"),
                );
                continue;
            }
            let before = self.problems.len();
            let secret = self.secret(&path, Need::Account);
            if need != Need::Account {
                self.problems.truncate(before);
            } else if secret.is_none() && self.problems.len() == before {
                let place = self.place(&path);
                let message = format!("`{path}` is empty");
                self.problems
                    .push(Problem::new(place, message).hint("give it a value, or leave it out"));
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
                    let message = format!(
                        "`{path}` is written in a file that other users of this computer can read"
                    );
                    self.warnings.push(
                        Problem::new(place.clone(), message)
                            .hint(format!("chmod 600 {}", file.display())),
                    );
                }
                text
            }
            Raw::Reference(Reference::Env, name) => self.variable(path, &place, &name)?,
            Raw::Reference(Reference::File, name) => self.secret_file(path, &place, &name)?,
            Raw::Reference(Reference::Keychain, _) => {
                let message =
                    format!("`{path}` points to the keychain, which moonbell cannot read yet");
                let hint = "use { env = \"NAME\" }, or { file = \"PATH\" } with mode 0600";
                self.problems.push(Problem::new(place, message).hint(hint));
                return None;
            }
            Raw::List(_) => return None,
        };
        let found = found.trim();
        if found.is_empty() {
            // A blank secret must never count as one: what verifies with it would accept anybody.
            if path == "dingtalk.client_secret" {
                self.lacks(path, "it is empty");
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
        let name = name.escape_debug();
        let message = match value {
            Some(value) => match value.to_str() {
                Some(text) if !text.trim().is_empty() => return Some(text.to_owned()),
                Some(_) => {
                    format!("`{path}` names the environment variable `{name}`, which is empty")
                }
                None => format!(
                    "`{path}` names the environment variable `{name}`, which is not valid UTF-8"
                ),
            },
            None => format!("`{path}` names the environment variable `{name}`, which is not set"),
        };
        self.problems
            .push(Problem::new(place.clone(), message).hint("set it where moonbell is started"));
        None
    }

    fn secret_file(&mut self, path: &str, place: &Place, name: &str) -> Option<String> {
        let file = self.resolve(path, name, place)?;
        let (message, hint) = match fs::metadata(&file) {
            Ok(_) if readable_by_others(&file) => (
                format!("`{path}`: other users of this computer can read {}", file.display()),
                format!("chmod 600 {}", file.display()),
            ),
            Ok(meta) if meta.len() > 64 * 1024 => (
                format!("`{path}`: {} is too large for a secret", file.display()),
                "name another file".to_owned(),
            ),
            Ok(_) => match fs::read_to_string(&file) {
                Ok(text) if !text.trim().is_empty() => return Some(text),
                Ok(_) => (
                    format!("`{path}`: {} is empty", file.display()),
                    "write the secret into it".to_owned(),
                ),
                Err(error) => (
                    format!("`{path}`: {} cannot be read: {error}", file.display()),
                    "it must hold the secret as text, readable by you".to_owned(),
                ),
            },
            Err(error) => (
                format!("`{path}`: {} cannot be read: {error}", file.display()),
                "a relative path starts at the folder of the settings file".to_owned(),
            ),
        };
        self.problems.push(Problem::new(place.clone(), message).hint(hint));
        None
    }
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
