//! The settings file as `init` changes it: what is there stays as its owner wrote it, comments and order included.
//!
//! Secrets go into files of their own beside it, which only their owner can read, and the settings name them. A secret
//! is written before the settings that name it, so that no moment has settings without their secret.

use std::fmt;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};
use url::Url;

use crate::cli::Failed;
use crate::config::{Mode, Secret};
use crate::words::Lang;
use crate::words::commands::errors;
use crate::words::setup as w;

/// Far above any secret.
const SECRET_LIMIT_BYTES: u64 = 64 << 10;

const FRESH: &str = "# Settings of moonbell. All keys: docs/config.md. `moonbell init` changes this file and keeps your comments.\n\n[dingtalk]\n";

/// What the settings are to say; `None`: what they say already.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) mode: Option<Mode>,
    pub(super) api_base: Option<Url>,
    pub(super) oapi_base: Option<Url>,
    pub(super) doors: Doors,
    pub(super) scripts: Option<PathBuf>,
}

/// What the HTTP mode needs; `None`: it stays as it is.
#[derive(Clone, Default)]
pub(super) struct Doors {
    pub(super) public_url: Option<Url>,
    /// What the doors have in common here.
    pub(super) path: Option<String>,
    /// Of events: both or neither.
    pub(super) event: Option<(Secret, Secret)>,
    /// Of clicks on cards.
    pub(super) card: Option<Secret>,
}

/// A key that gets another value. Neither shows a secret.
pub(super) struct Change {
    pub(super) key: String,
    from: Option<String>,
    to: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, from, to } = self;
        match from {
            Some(from) => write!(f, "{key}: {from} -> {to}"),
            None => write!(f, "{key}: {to}"),
        }
    }
}

/// What would be written.
pub(super) struct Plan {
    file: PathBuf,
    text: String,
    secrets: Vec<(PathBuf, Secret)>,
    pub(super) changes: Vec<Change>,
    /// There was no file.
    pub(super) fresh: bool,
}

/// Compares the file with what is wanted.
pub(super) fn plan(file: &Path, wanted: &Wanted, lang: Lang) -> Result<Plan> {
    // Settings that are kept elsewhere and linked to are changed there.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let (text, fresh) = match fs::read_to_string(&file) {
        Ok(text) => (text, false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (FRESH.to_owned(), true),
        Err(error) => {
            return Err(error).with_context(|| errors::cannot_read(&file.to_string_lossy(), lang));
        }
    };
    // The parser quotes the line, which may hold a secret.
    let document: DocumentMut = text
        .parse()
        .map_err(|_| Failed::new(w::not_toml(&file.to_string_lossy(), lang)).misuse())?;
    let mut edit = Edit { document, file, changes: Vec::new(), secrets: Vec::new() };
    let text = |text: &str| Value::from(text);
    if let Some(id) = &wanted.client_id {
        edit.set("dingtalk", "client_id", text(id));
    }
    if let Some(secret) = &wanted.client_secret {
        edit.secret("dingtalk", "client_secret", "secret", secret);
    }
    if let Some(mode) = wanted.mode {
        edit.set("dingtalk", "mode", text(if mode == Mode::Http { "http" } else { "stream" }));
    }
    for (key, base) in [("api_base", &wanted.api_base), ("oapi_base", &wanted.oapi_base)] {
        if let Some(base) = base {
            edit.set("dingtalk", key, text(base.as_str().trim_end_matches('/')));
        }
    }
    let Doors { public_url, path, event, card } = &wanted.doors;
    if let Some(url) = public_url {
        edit.set("http", "public_url", text(url.as_str().trim_end_matches('/')));
    }
    if let Some(path) = path {
        edit.set("http", "path", text(path));
    }
    if let Some(secret) = card {
        edit.secret("http", "card_secret", "card-secret", secret);
    }
    if let Some((token, key)) = event {
        edit.secret("http", "token", "event-token", token);
        edit.secret("http", "aes_key", "event-aes-key", key);
    }
    if let Some(dir) = &wanted.scripts {
        let dir = dir
            .to_str()
            .ok_or_else(|| Failed::new(w::no_unicode(&dir.to_string_lossy(), lang)).misuse())?;
        edit.set("scripts", "dir", text(dir));
    }
    let Edit { document, file, changes, secrets } = edit;
    Ok(Plan { file, text: document.to_string(), secrets, changes, fresh })
}

impl Plan {
    /// The files of secrets.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.secrets.iter().map(|(path, _)| &**path)
    }

    pub(super) fn write_secrets(&self, own_folder: bool, lang: Lang) -> Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let named = folder.to_string_lossy();
        make_folder(folder).with_context(|| errors::cannot_create(&named, lang))?;
        if own_folder {
            close(folder).with_context(|| errors::cannot_close(&named, lang))?;
        }
        for (path, secret) in &self.secrets {
            let write = || -> io::Result<()> {
                // Made for its owner alone, whatever the umask; then moved into place whole.
                let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(folder))?;
                writeln!(file, "{}", secret.expose())?;
                file.as_file().sync_all()?;
                file.persist(path)?;
                Ok(())
            };
            write().with_context(|| errors::cannot_write(&path.to_string_lossy(), lang))?;
        }
        Ok(())
    }

    pub(super) fn write(&self, own_folder: bool, lang: Lang) -> Result<()> {
        self.write_secrets(own_folder, lang)?;
        let write = || -> io::Result<()> {
            let folder = self.file.parent().unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(self.text.as_bytes())?;
            if let Ok(before) = fs::metadata(&self.file) {
                file.as_file().set_permissions(before.permissions())?;
            }
            file.as_file().sync_all()?;
            file.persist(&self.file)?;
            Ok(())
        };
        write().with_context(|| errors::cannot_write(&self.file.to_string_lossy(), lang))
    }
}

struct Edit {
    document: DocumentMut,
    file: PathBuf,
    changes: Vec<Change>,
    secrets: Vec<(PathBuf, Secret)>,
}

impl Edit {
    fn table(&mut self, name: &str) -> &mut dyn TableLike {
        let item = self.document.entry(name).or_insert_with(|| Item::Table(Table::new()));
        if !item.is_table_like() {
            *item = Item::Table(Table::new());
        }
        item.as_table_like_mut().expect("just made one")
    }

    fn set(&mut self, table: &str, key: &str, mut value: Value) {
        let items = self.table(table);
        let old = items.get(key).map(shown);
        let new = shown(&Item::Value(value.clone()));
        if old.as_ref() == Some(&new) {
            return;
        }
        match items.get_mut(key) {
            // What stands around the value, a comment behind it for one, stays.
            Some(Item::Value(before)) => {
                *value.decor_mut() = before.decor().clone();
                *before = value;
            }
            _ => {
                items.insert(key, Item::Value(value));
            }
        }
        let hides = |text: String| {
            if is_secret(key) && !text.starts_with('{') { "***".to_owned() } else { text }
        };
        let key = format!("{table}.{key}");
        self.changes.push(Change { key, from: old.map(hides), to: new });
    }

    /// Into the file that the settings name, or a new one.
    fn secret(&mut self, table: &str, key: &str, name: &str, secret: &Secret) {
        let folder = self.file.parent().unwrap_or(Path::new(".")).to_owned();
        let named =
            self.document.get(table).and_then(|table| table.get(key)?.get("file")?.as_str());
        // A path with `~` is of the settings' own language; another file is as good.
        let named = named.filter(|named| !named.starts_with('~')).map(str::to_owned);
        let name = named.unwrap_or_else(|| free(&folder, name, secret));
        let path = folder.join(&name);
        let mut reference = InlineTable::new();
        reference.insert("file", name.into());
        self.set(table, key, Value::InlineTable(reference));
        if !holds(&path, secret) {
            self.secrets.push((path, secret.clone()));
            // The same name with another secret in it is a change too.
            let key = format!("{table}.{key}");
            if self.changes.iter().all(|change| change.key != key) {
                let (from, to) = (Some("***".to_owned()), "***".to_owned());
                self.changes.push(Change { key, from, to });
            }
        }
    }
}

fn is_secret(key: &str) -> bool {
    matches!(key, "client_secret" | "card_secret" | "token" | "aes_key")
}

/// Without the comment behind it.
fn shown(item: &Item) -> String {
    match item.as_value() {
        Some(value) => {
            let mut bare = value.clone();
            bare.decor_mut().clear();
            bare.to_string()
        }
        None => item.to_string().trim().to_owned(),
    }
}

/// A name that is no file of somebody else's yet.
fn free(folder: &Path, name: &str, secret: &Secret) -> String {
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
    let mut free = names.filter(|name| {
        let path = folder.join(name);
        fs::symlink_metadata(&path).is_err() || holds(&path, secret)
    });
    free.next().expect("there are more numbers than files")
}

fn holds(path: &Path, secret: &Secret) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.trim() == secret.expose())
}

/// Whether the file says this client id itself.
pub(super) fn names(file: &Path, client_id: &str) -> bool {
    read(file).is_some_and(|document| {
        let table = document.get("dingtalk");
        table.and_then(|table| table.get("client_id")?.as_str()) == Some(client_id)
            && table.is_some_and(|table| table.get("client_secret").is_some())
    })
}

/// Whether the file says something of this key of `[http]`.
pub(super) fn has_door(file: &Path, key: &str) -> bool {
    read(file)
        .is_some_and(|document| document.get("http").is_some_and(|http| http.get(key).is_some()))
}

fn read(file: &Path) -> Option<DocumentMut> {
    fs::read_to_string(file).ok()?.parse().ok()
}

/// Makes it for its owner alone, with what is missing above it.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Of a folder that is moonbell's own: nobody else has to look into it.
#[cfg(unix)]
fn close(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = fs::metadata(folder)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o700);
        fs::set_permissions(folder, permissions)?;
    }
    Ok(())
}

/// Windows keeps a profile's folders from other users.
#[cfg(not(unix))]
fn close(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The secret that a file holds.
pub(super) fn secret_of(file: &Path, lang: Lang) -> Result<Secret> {
    let open = fs::File::open(file);
    let named = || w::cannot_read_secret_in(&file.to_string_lossy(), lang);
    secret_in(open.with_context(named)?, lang)
}

pub(super) fn secret_of_stdin(lang: Lang) -> Result<Secret> {
    secret_in(io::stdin().lock(), lang)
}

fn secret_in(source: impl io::Read, lang: Lang) -> Result<Secret> {
    let mut text = String::new();
    let read = source.take(SECRET_LIMIT_BYTES).read_to_string(&mut text);
    read.context(w::cannot_read_secret(lang))?;
    let secret = Secret::new(text.trim());
    super::hide(&secret);
    if secret.expose().is_empty() {
        return Err(Failed::new(w::no_secret(lang)).misuse().into());
    }
    Ok(secret)
}

/// What is wrong with a token or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    TokenLength(usize),
    TokenLetters,
    KeyLength(usize),
    KeyLetters,
}

impl Unfit {
    /// Says it to whoever typed that.
    pub(super) fn text(self, lang: Lang) -> String {
        match self {
            Self::TokenLength(length) => w::token_length(length, lang),
            Self::TokenLetters => w::token_letters(lang).to_owned(),
            Self::KeyLength(length) => w::key_length(length, lang),
            Self::KeyLetters => w::key_letters(lang).to_owned(),
        }
    }
}

/// As DingTalk's developer console takes them.
pub(super) fn check_token(text: &str) -> Result<(), Unfit> {
    match text.chars().count() {
        3..=64 if text.chars().all(|c| c.is_ascii_alphanumeric()) => Ok(()),
        3..=64 => Err(Unfit::TokenLetters),
        length => Err(Unfit::TokenLength(length)),
    }
}

/// 43 letters and digits, which are 32 bytes.
pub(super) fn check_aes_key(text: &str) -> Result<(), Unfit> {
    match text.chars().count() {
        43 if text.chars().all(|c| c.is_ascii_alphanumeric()) => Ok(()),
        43 => Err(Unfit::KeyLetters),
        length => Err(Unfit::KeyLength(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            client_id: Some("dingnew".to_owned()),
            client_secret: Some(Secret::new("a new secret")),
            ..Wanted::default()
        }
    }

    #[test]
    fn a_file_that_was_there_keeps_its_comments_order_and_other_keys() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.toml");
        let before = "# mine\n[scripts]\ndir = \"~/bots\" # here\n\n[dingtalk]\n# of the test app\nclient_id = \"dingold\" # old\nclient_secret = \"literal\"\ncard_template = \"x.schema\"\n";
        fs::write(&file, before).unwrap();
        let plan = plan(&file, &wanted(), Lang::En).unwrap();
        let changes: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(changes.join("\n"), @r###"
dingtalk.client_id: "dingold" -> "dingnew"
dingtalk.client_secret: *** -> { file = "secret" }
"###);
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "nothing is written yet");
        plan.write(false, Lang::En).unwrap();
        insta::assert_snapshot!(fs::read_to_string(&file).unwrap(), @r###"
# mine
[scripts]
dir = "~/bots" # here

[dingtalk]
# of the test app
client_id = "dingnew" # old
client_secret = { file = "secret" }
card_template = "x.schema"
"###);
        assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), "a new secret\n");
        // And a second time there is nothing to do.
        let again = super::plan(&file, &wanted(), Lang::En).unwrap();
        assert!(again.changes.is_empty() && again.files().next().is_none());
    }

    #[test]
    fn a_new_file_is_small_and_dotted_keys_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let Plan { text, fresh, .. } = plan(&file, &wanted(), Lang::En).unwrap();
        assert!(fresh);
        insta::assert_snapshot!(text, @r###"
# Settings of moonbell. All keys: docs/config.md. `moonbell init` changes this file and keeps your comments.

[dingtalk]
client_id = "dingnew"
client_secret = { file = "secret" }
"###);
        fs::write(&file, "dingtalk.client_id = \"dingold\"\n").unwrap();
        insta::assert_snapshot!(plan(&file, &wanted(), Lang::En).unwrap().text, @r###"
dingtalk.client_id = "dingnew"
dingtalk.client_secret = { file = "secret" }
"###);
    }

    #[test]
    fn a_file_that_holds_another_secret_is_not_overwritten_unless_the_settings_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.toml");
        fs::write(folder.path().join("secret"), "of somebody else").unwrap();
        let fresh = plan(&file, &wanted(), Lang::En).unwrap();
        assert_eq!(fresh.files().collect::<Vec<_>>(), [folder.path().join("secret-2")]);
        fs::write(
            &file,
            "[dingtalk]\nclient_id = \"dingnew\"\nclient_secret = { file = \"secret\" }\n",
        )
        .unwrap();
        let named = plan(&file, &wanted(), Lang::En).unwrap();
        assert_eq!(named.files().collect::<Vec<_>>(), [folder.path().join("secret")]);
        let changes: Vec<String> = named.changes.iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["dingtalk.client_secret: *** -> ***"]);
    }

    #[test]
    fn token_and_key_are_as_dingtalk_makes_them() {
        assert_eq!(check_aes_key(&"a".repeat(43)), Ok(()));
        assert_eq!(check_aes_key(&"a".repeat(44)), Err(Unfit::KeyLength(44)));
        assert_eq!(check_aes_key(&format!("{}=", "a".repeat(42))), Err(Unfit::KeyLetters));
        assert_eq!(check_token("abc123"), Ok(()));
        assert_eq!(check_token("ab"), Err(Unfit::TokenLength(2)));
        assert_eq!(check_token("abc 123"), Err(Unfit::TokenLetters));
    }

    #[test]
    fn only_the_owner_can_read_secrets() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/config.toml");
        plan(&file, &wanted(), Lang::En).unwrap().write(true, Lang::En).unwrap();
        let mode = |path: &str| {
            fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(
            (mode("deep"), mode("deep/secret"), mode("deep/config.toml")),
            (0o700, 0o600, 0o600)
        );
        fs::set_permissions(folder.path().join("deep"), fs::Permissions::from_mode(0o777)).unwrap();
        plan(&file, &Wanted { client_id: Some("x".to_owned()), ..wanted() }, Lang::En)
            .unwrap()
            .write(true, Lang::En)
            .unwrap();
        assert_eq!(mode("deep"), 0o700);
    }
}
