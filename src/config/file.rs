//! The file and the environment, read raw: which key has which value, and where it was written.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::hash::{Hash as _, Hasher as _};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Variable};
use super::kind::Kind;
use super::problem::{Place, Problem};

/// A value before it is checked.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Text(String),
    List(Vec<String>),
    /// `{ env = "NAME" }` and its like: which, and the value.
    Reference(Reference, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Env,
    File,
    Keychain,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Raw,
    pub(super) place: Place,
}

/// By dotted path; roles are `access.roles.<name>`.
pub(super) type Entries = BTreeMap<String, Entry>;

impl Entry {
    /// Another one for another value, in this process.
    pub(super) fn print(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        format!("{:?}", self.value).hash(&mut hasher);
        hasher.finish()
    }
}

/// What the file holds, and where its tables begin: the place to report a missing key.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) entries: Entries,
    pub(super) tables: BTreeMap<String, Place>,
    /// Keys that are there with a value that cannot be used, which was reported: they are not missing too.
    pub(super) refused: BTreeSet<String>,
    /// What is missing may stand where the file is broken.
    pub(super) broken: bool,
}

pub(super) fn read(file: &Path, text: &str, problems: &mut Vec<Problem>) -> Contents {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { file, text, problems, contents: Contents::default() };
    reader.contents.broken = !errors.is_empty();
    for error in errors {
        let place = reader.place(&error.span().unwrap_or(0..0));
        // The parser's long form quotes the line, which may hold a secret: only its message is used.
        reader.problems.push(Problem::new(
            place,
            format!("not valid TOML: {}", error.message().replace('\n', ", ")),
        ));
    }
    reader.table("", root.get_ref());
    reader.contents
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    problems: &'a mut Vec<Problem>,
    contents: Contents,
}

impl Reader<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place::Line { file: self.file.to_owned(), line, column }
    }

    fn wrong(&mut self, span: &Range<usize>, message: String, hint: Option<String>) {
        let place = self.place(span);
        self.problems.push(Problem { place, message, hint });
    }

    fn table(&mut self, table: &str, values: &DeTable<'_>) {
        for (name, value) in values {
            let path = if table.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{table}.{}", name.get_ref())
            };
            let span = name.span();
            if table == "access.roles" {
                self.list(&path, Kind::Roles, &span, value);
            } else if table == "secrets" {
                self.setting(&path, Kind::Secret, &span, value);
            } else if keys::is_table(&path) || matches!(path.as_str(), "access.roles" | "secrets") {
                match value.get_ref() {
                    DeValue::Table(inner) => {
                        let place = self.place(&span);
                        self.contents.tables.insert(path.clone(), place);
                        self.table(&path, inner);
                    }
                    other => self.wrong(
                        &span,
                        format!("`{path}` must be a table, not {}", name_of(other)),
                        Some(format!("write [{path}] on a line of its own, and its keys below")),
                    ),
                }
            } else if let Some(key) = keys::find(&path) {
                self.setting(&path, key.kind, &span, value);
                if !self.contents.entries.contains_key(&path) {
                    self.contents.refused.insert(path);
                }
            } else {
                let what = if value.get_ref().is_table() { "table" } else { "key" };
                let hint = keys::suggest(table, name.get_ref());
                self.wrong(&span, format!("unknown {what} `{}`", path.escape_debug()), Some(hint));
            }
        }
    }

    fn keep(&mut self, path: &str, span: &Range<usize>, value: Raw) {
        let place = self.place(span);
        self.contents.entries.insert(path.to_owned(), Entry { value, place });
    }

    fn setting(
        &mut self,
        path: &str,
        kind: Kind,
        span: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        match value.get_ref() {
            _ if kind == Kind::List => self.list(path, kind, span, value),
            DeValue::String(text) => self.keep(path, span, Raw::Text(text.to_string())),
            DeValue::Integer(number)
                if matches!(kind, Kind::Count | Kind::Number) && number.radix() == 10 =>
            {
                self.keep(path, span, Raw::Text(number.as_str().to_owned()));
            }
            DeValue::Float(number) if kind == Kind::Number => {
                self.keep(path, span, Raw::Text(number.as_str().to_owned()));
            }
            DeValue::Table(table) if kind == Kind::Secret => self.reference(path, span, table),
            other => {
                let found = name_of(other);
                self.wrong(
                    &value.span(),
                    format!("`{path}` must be {}, not {found}", kind.expected()),
                    quote_hint(other),
                );
            }
        }
    }

    fn reference(&mut self, path: &str, span: &Range<usize>, table: &DeTable<'_>) {
        let mut found = Vec::new();
        for (name, value) in table {
            let reference = match name.get_ref().as_ref() {
                "env" => Reference::Env,
                "file" => Reference::File,
                "keychain" => Reference::Keychain,
                other => {
                    let hint = keys::nearest(other, ["env", "file", "keychain"]).map_or_else(
                        || {
                            "a secret is a string, { env = \"NAME\" } or { file = \"PATH\" }"
                                .to_owned()
                        },
                        |name| format!("did you mean `{name}`?"),
                    );
                    self.wrong(
                        &name.span(),
                        format!("unknown key `{}` in `{path}`", other.escape_debug()),
                        Some(hint),
                    );
                    return;
                }
            };
            match value.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() => {
                    found.push((reference, text.to_string()));
                }
                DeValue::String(_) => {
                    self.wrong(
                        &value.span(),
                        format!("`{path}.{}` is empty", name.get_ref()),
                        None,
                    );
                    return;
                }
                other => {
                    let message = format!(
                        "`{path}.{}` must be a string, not {}",
                        name.get_ref(),
                        name_of(other)
                    );
                    self.wrong(&value.span(), message, None);
                    return;
                }
            }
        }
        match found.pop() {
            Some((reference, text)) if found.is_empty() => {
                self.keep(path, span, Raw::Reference(reference, text));
            }
            _ => self.wrong(
                span,
                format!("`{path}` must name exactly one source"),
                Some("write { env = \"NAME\" } or { file = \"PATH\" }".to_owned()),
            ),
        }
    }

    fn list(&mut self, path: &str, kind: Kind, span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(items) = value.get_ref() else {
            let found = name_of(value.get_ref());
            let message = format!("`{path}` must be {}, not {found}", kind.expected());
            self.wrong(&value.span(), message, Some("write [\"one\", \"two\"]".to_owned()));
            return;
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => texts.push(text.to_string()),
                other => {
                    let message = format!("`{path}` must hold strings, not {}", name_of(other));
                    self.wrong(&item.span(), message, quote_hint(other));
                }
            }
        }
        self.keep(path, span, Raw::List(texts));
    }
}

fn name_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn quote_hint(value: &DeValue<'_>) -> Option<String> {
    matches!(
        value,
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_)
    )
    .then(|| "put it in quotation marks".to_owned())
}

/// Adds what `MOONBELL_*` variables say; an empty variable says nothing.
pub(super) fn read_environment(
    environment: &[(OsString, OsString)],
    entries: &mut Entries,
    problems: &mut Vec<Problem>,
) {
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with("MOONBELL_")) else {
            continue;
        };
        let place = || Place::Variable(name.to_owned());
        let path = match keys::variable(name) {
            Variable::Sets(path) => path,
            Variable::Other => continue,
            Variable::Unknown => {
                problems.push(
                    Problem::new(place(), "unknown setting").hint(keys::suggest_variable(name)),
                );
                continue;
            }
        };
        let Some(value) = value.to_str() else {
            problems.push(Problem::new(place(), "not valid UTF-8"));
            continue;
        };
        if value.trim().is_empty() {
            continue;
        }
        let list = path.starts_with("access.roles.")
            || keys::find(&path).is_some_and(|key| key.kind == Kind::List);
        let value = if list {
            Raw::List(
                value
                    .split(',')
                    .map(|id| id.trim().to_owned())
                    .filter(|id| !id.is_empty())
                    .collect(),
            )
        } else {
            Raw::Text(value.to_owned())
        };
        entries.insert(path, Entry { value, place: place() });
    }
}
