//! The file and the environment, read raw: which key has which value, and where it was written.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::hash::{Hash as _, Hasher as _};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::shown;
use super::keys::{self, Variable};
use super::kind::Kind;
use super::problem::{Place, Problem};
use crate::words::config::file as w;
use crate::words::{Lang, Said};

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
        let why = error.message().replace('\n', ", ");
        reader.problems.push(Problem::new(place, |lang| w::not_toml(&why, lang)));
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

    fn wrong<S: Into<String>>(
        &mut self,
        span: &Range<usize>,
        message: impl Fn(Lang) -> S,
        hint: Option<Said>,
    ) {
        let place = self.place(span);
        self.problems.push(Problem { hint, ..Problem::new(place, message) });
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
                        |lang| w::must_be_table(&path, name_of(other, lang), lang),
                        Some(Said::new(|lang| w::table_hint(&path, lang))),
                    ),
                }
            } else if let Some(key) = keys::find(&path) {
                self.setting(&path, key.kind, &span, value);
                if !self.contents.entries.contains_key(&path) {
                    self.contents.refused.insert(path);
                }
            } else if !self.contents.broken {
                // Where the syntax is broken, what follows is taken for keys that nobody wrote.
                let is_table = value.get_ref().is_table();
                let says = if is_table { w::unknown_table } else { w::unknown_key };
                let hint = keys::suggest(table, name.get_ref());
                self.wrong(&span, |lang| says(&shown(&path), lang), Some(hint));
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
                let message =
                    |lang| w::must_be(path, kind.expected(lang), name_of(other, lang), lang);
                self.wrong(&value.span(), message, quote_hint(other));
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
                        || Said::new(w::secret_hint),
                        |name| Said::new(|lang| w::did_you_mean(name, lang)),
                    );
                    let message = |lang| w::unknown_key_in(&shown(other), path, lang);
                    self.wrong(&name.span(), message, Some(hint));
                    return;
                }
            };
            match value.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() => {
                    found.push((reference, text.to_string()));
                }
                DeValue::String(_) => {
                    let key = format!("{path}.{}", name.get_ref());
                    self.wrong(&value.span(), |lang| w::is_empty(&key, lang), None);
                    return;
                }
                other => {
                    let key = format!("{path}.{}", name.get_ref());
                    let message =
                        |lang| w::must_be(&key, w::a_string(lang), name_of(other, lang), lang);
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
                |lang| w::one_source(path, lang),
                Some(Said::new(w::one_source_hint)),
            ),
        }
    }

    fn list(&mut self, path: &str, kind: Kind, span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(items) = value.get_ref() else {
            let found = |lang| name_of(value.get_ref(), lang);
            let message = |lang| w::must_be(path, kind.expected(lang), found(lang), lang);
            self.wrong(&value.span(), message, Some(Said::new(w::list_hint)));
            return;
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => texts.push(text.to_string()),
                other => {
                    let message = |lang| w::must_hold_strings(path, name_of(other, lang), lang);
                    self.wrong(&item.span(), message, quote_hint(other));
                }
            }
        }
        self.keep(path, span, Raw::List(texts));
    }
}

fn name_of(value: &DeValue<'_>, lang: Lang) -> &'static str {
    let says = match value {
        DeValue::String(_) => w::a_string,
        DeValue::Integer(_) | DeValue::Float(_) => w::a_number,
        DeValue::Boolean(_) => w::true_or_false,
        DeValue::Datetime(_) => w::a_date,
        DeValue::Array(_) => w::a_list,
        DeValue::Table(_) => w::a_table,
    };
    says(lang)
}

fn quote_hint(value: &DeValue<'_>) -> Option<Said> {
    matches!(
        value,
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_)
    )
    .then(|| Said::new(w::quote_it))
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
                let hint = Some(keys::suggest_variable(name));
                problems.push(Problem { hint, ..Problem::new(place(), w::unknown_variable) });
                continue;
            }
        };
        let Some(value) = value.to_str() else {
            problems.push(Problem::new(place(), w::not_utf8));
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
