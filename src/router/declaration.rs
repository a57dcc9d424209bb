//! The line that declares a command: `deploy|发布 <env:dev|staging|prod> [tag] --force --n:int=3`.
//!
//! One string is parser, help, usage and completion. [`Command::parse`] and its `Display` agree: what is printed reads
//! back as the same command.
//!
//! ```text
//! name words|alias  <required:type>  <optional:type=default>  [optional:type]  <rest...>  --flag|-f  --option:type=default
//! ```

use std::fmt;

use chrono::NaiveDate;

use super::value::{Type, Value};
use super::words;
use crate::words::Lang;

/// A declared command: what it is called and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// One to four words with one space between them.
    pub name: String,
    pub aliases: Vec<String>,
    /// In order; optional ones after required ones, at most the last takes the rest.
    pub parameters: Vec<Parameter>,
    pub options: Vec<Opt>,
}

/// A positional argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub kind: Type,
    pub optional: bool,
    /// Takes all that is left: the text as typed for a string, a list for every other type.
    pub rest: bool,
    pub default: Option<Preset>,
}

/// An argument given by name, in any place: `--force`, `--n=3`. Without being given it is its default, or absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Opt {
    pub name: String,
    /// `-f` beside `--force`.
    pub short: Option<char>,
    pub kind: Type,
    pub default: Option<Preset>,
}

/// A default as it was written; checked against its type when it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset(pub(super) String);

/// Names longer than this are sentences; the bound also caps the look-ups per message.
pub(super) const MAX_NAME_WORDS: usize = 4;

/// What is wrong with a declaration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DeclarationError {
    /// In characters, from 1.
    pub column: usize,
    message: String,
    declaration: String,
}

impl DeclarationError {
    /// The declaration with a caret under the place: two lines.
    pub fn caret(&self) -> String {
        words::caret(&self.declaration, self.column)
    }
}

impl Opt {
    /// Whether it takes no value: present means yes.
    pub fn is_flag(&self) -> bool {
        self.kind == Type::Bool && self.default.is_none()
    }

    /// The key under which scripts find it: `--dry-run` is `args.dry_run`.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}

impl Parameter {
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}

impl Preset {
    pub(super) fn value(&self, kind: &Type, today: NaiveDate) -> Option<Value> {
        kind.read(&self.0, today)
    }
}

impl Command {
    /// Reads a declaration.
    ///
    /// # Errors
    /// The first mistake, with its column and what was expected there.
    pub fn parse(declaration: &str) -> Result<Self, DeclarationError> {
        Parser { source: declaration, at: 0 }.command()
    }

    /// All names that this command answers to, its own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// How to write it, for people: `deploy <env> [tag] [--force] [--n=3]`.
    pub fn usage(&self) -> String {
        use std::fmt::Write;

        let mut usage = self.name.clone();
        // What takes the rest stands last: an option behind it would be part of it.
        let (words, rest): (Vec<_>, Vec<_>) =
            self.parameters.iter().partition(|parameter| !parameter.rest);
        for parameter in words {
            let (open, close) = if parameter.optional { ('[', ']') } else { ('<', '>') };
            let _ = write!(usage, " {open}{}{close}", parameter.name);
        }
        for option in &self.options {
            let value = match &option.default {
                _ if option.is_flag() => String::new(),
                Some(default) => format!("={}", words::quote(&default.0)),
                None => format!("=<{}>", option.kind),
            };
            let _ = write!(usage, " [--{}{value}]", option.name);
        }
        for parameter in rest {
            let (open, close) = if parameter.optional { ('[', ']') } else { ('<', '>') };
            let _ = write!(usage, " {open}{}...{close}", parameter.name);
        }
        usage
    }
}

/// The canonical form, which [`Command::parse`] reads back as the same command.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for alias in &self.aliases {
            write!(f, "|{alias}")?;
        }
        for parameter in &self.parameters {
            let (open, close) = if parameter.optional { ('[', ']') } else { ('<', '>') };
            write!(f, " {open}{}", parameter.name)?;
            if parameter.rest {
                f.write_str("...")?;
            }
            if parameter.kind != Type::String {
                write!(f, ":{}", parameter.kind)?;
            }
            if let Some(default) = &parameter.default {
                write!(f, "={default}")?;
            }
            write!(f, "{close}")?;
        }
        for option in &self.options {
            write!(f, " --{}", option.name)?;
            if let Some(short) = option.short {
                write!(f, "|-{short}")?;
            }
            if !option.is_flag() {
                write!(f, ":{}", option.kind)?;
            }
            if let Some(default) = &option.default {
                write!(f, "={default}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty()
            && !self.0.chars().any(|c| words::is_space(c) || matches!(c, '"' | '\\' | '>' | ']'))
        {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// A recursive-descent reader; `at` is a byte offset.
struct Parser<'s> {
    source: &'s str,
    at: usize,
}

impl Parser<'_> {
    fn command(mut self) -> Result<Command, DeclarationError> {
        let mut names = self.names()?;
        let name = names.remove(0);
        let mut command =
            Command { name, aliases: names, parameters: Vec::new(), options: Vec::new() };
        let mut keys = Vec::new();
        loop {
            self.skip_space();
            let start = self.at;
            let key = match self.peek() {
                None => break,
                Some('<' | '[') => {
                    let parameter = self.parameter()?;
                    self.check_order(start, &command.parameters, &parameter)?;
                    let key = parameter.key();
                    command.parameters.push(parameter);
                    key
                }
                Some('-') => {
                    let option = self.option()?;
                    if command
                        .options
                        .iter()
                        .any(|other| other.short.is_some() && other.short == option.short)
                    {
                        return Err(
                            self.error_at(start, "two options have the same short name".to_owned())
                        );
                    }
                    let key = option.key();
                    command.options.push(option);
                    key
                }
                Some(c) => {
                    return Err(self.error_at(start, format!(
                        "unexpected `{c}`: after the name come `<required>`, `[optional]`, `<rest...>` and `--option`"
                    )));
                }
            };
            if keys.contains(&key) {
                return Err(self.error_at(start, format!("the argument `{key}` is declared twice")));
            }
            keys.push(key);
        }
        Ok(command)
    }

    /// `git status|gs|状态`
    fn names(&mut self) -> Result<Vec<String>, DeclarationError> {
        let end = self.source.find(['<', '[']).unwrap_or(self.source.len());
        let dash = self.source[..end].char_indices().zip(self.source.chars().skip(1));
        let end = dash
            .into_iter()
            .find(|((_, c), next)| words::is_space(*c) && *next == '-')
            .map_or(end, |((at, _), _)| at);
        let mut names: Vec<String> = Vec::new();
        for part in self.source[..end].split('|') {
            let start = self.at + (part.len() - part.trim_start_matches(words::is_space).len());
            let name = self.checked_name(start, part)?;
            if names.iter().any(|other| words::fold(other) == words::fold(&name)) {
                return Err(self.error_at(start, format!("the name `{name}` is given twice")));
            }
            names.push(name);
            self.at += part.len() + 1;
        }
        self.at = end;
        Ok(names)
    }

    fn checked_name(&self, start: usize, part: &str) -> Result<String, DeclarationError> {
        check_name(part).map_err(|(offset, message)| self.error_at(start + offset, message))
    }

    fn check_order(
        &self,
        start: usize,
        before: &[Parameter],
        new: &Parameter,
    ) -> Result<(), DeclarationError> {
        let Some(last) = before.last() else { return Ok(()) };
        if last.rest {
            let message =
                format!("nothing can follow `{}...`: it takes all that is left", last.name);
            return Err(self.error_at(start, message));
        }
        if last.optional && !new.optional {
            let message = format!(
                "`{}` is required and cannot follow the optional `{}`",
                new.name, last.name
            );
            return Err(self.error_at(start, message));
        }
        Ok(())
    }

    /// `<name...:type=default>`; the dots may also come last, as in `<name:type...>`.
    fn parameter(&mut self) -> Result<Parameter, DeclarationError> {
        let start = self.at;
        let (close, bracketed) =
            if self.eat("[") { (']', true) } else { (self.bump_close(), false) };
        let name = self.argument_name(start)?;
        let mut rest = self.eat("...");
        let kind = self.kind(&[close])?.unwrap_or(Type::String);
        rest = rest || self.eat("...");
        let default = self.default(&kind, Some(close))?;
        rest = rest || self.eat("...");
        if rest && default.is_some() && kind != Type::String {
            return Err(self.error_at(start, "a list cannot have a default".to_owned()));
        }
        if self.peek() != Some(close) {
            return Err(self.error_at(self.at, format!("expected `{close}` after `{name}`")));
        }
        self.at += 1;
        Ok(Parameter { name, kind, optional: bracketed || default.is_some(), rest, default })
    }

    fn bump_close(&mut self) -> char {
        self.at += 1;
        '>'
    }

    /// `--name|-n:type=default`
    fn option(&mut self) -> Result<Opt, DeclarationError> {
        let start = self.at;
        if !self.eat("--") {
            return Err(self.error_at(
                start,
                "an option begins with two dashes: `--force`, or `--force|-f`".to_owned(),
            ));
        }
        let name = self.argument_name(start)?;
        let short = if self.eat("|-") {
            let c = self.peek().filter(|c| c.is_alphabetic());
            let Some(c) = c else {
                return Err(self.error_at(self.at, "expected one letter after `|-`".to_owned()));
            };
            self.at += c.len_utf8();
            Some(c)
        } else {
            None
        };
        let kind = self.kind(&[])?;
        let untyped = if self.peek() == Some('=') { Type::String } else { Type::Bool };
        let kind = kind.unwrap_or(untyped);
        let default = self.default(&kind, None)?;
        match self.peek() {
            None => {}
            Some(c) if words::is_space(c) => {}
            Some(c) => {
                return Err(self.error_at(self.at, format!("unexpected `{c}` after `--{name}`")));
            }
        }
        Ok(Opt { name, short, kind, default })
    }

    fn argument_name(&mut self, start: usize) -> Result<String, DeclarationError> {
        let rest = &self.source[self.at..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-'))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        match name.chars().next() {
            None => Err(self.error_at(
                start,
                "an argument needs a name: letters, digits, `_` and `-`".to_owned(),
            )),
            Some(c) if !c.is_alphabetic() && c != '_' => Err(self
                .error_at(self.at, format!("the argument name `{name}` must begin with a letter"))),
            Some(_) => {
                self.at += end;
                Ok(name.to_owned())
            }
        }
    }

    /// `:int` or `:dev|staging|prod`; none when there is no colon.
    fn kind(&mut self, close: &[char]) -> Result<Option<Type>, DeclarationError> {
        if !self.eat(":") {
            return Ok(None);
        }
        let start = self.at;
        let rest = &self.source[self.at..];
        let end = rest
            .find(|c: char| words::is_space(c) || c == '=' || close.contains(&c))
            .unwrap_or(rest.len());
        let written = &rest[..end];
        let written = written.strip_suffix("...").unwrap_or(written);
        self.at += written.len();
        if let Some(kind) = Type::named(written) {
            return Ok(Some(kind));
        }
        if !written.contains('|') {
            let guess = words::nearest(written, Type::NAMES)
                .map(|name| format!("; did you mean `{name}`?"));
            return Err(self.error_at(
                start,
                format!(
                    "unknown type `{written}`{} types are {}, or a choice such as `dev|prod`",
                    guess.unwrap_or_else(|| ":".to_owned()),
                    Type::NAMES.join(", "),
                ),
            ));
        }
        let mut choices: Vec<String> = Vec::new();
        let mut at = start;
        for choice in written.split('|') {
            if choice.is_empty() {
                return Err(
                    self.error_at(at, "a choice is empty: write `dev|staging|prod`".to_owned())
                );
            }
            if choice.ends_with("...")
                || choice.chars().any(|c| matches!(c, '<' | '>' | '[' | ']' | ':' | '"' | '\\'))
            {
                return Err(self.error_at(
                    at,
                    format!("the choice `{choice}` holds a character of the declaration itself"),
                ));
            }
            if choices.iter().any(|other| words::fold(other) == words::fold(choice)) {
                return Err(self.error_at(at, format!("the choice `{choice}` is given twice")));
            }
            choices.push(choice.to_owned());
            at += choice.len() + 1;
        }
        Ok(Some(Type::Enum(choices)))
    }

    /// `=value` or `="quoted value"`, checked against its type.
    fn default(
        &mut self,
        kind: &Type,
        close: Option<char>,
    ) -> Result<Option<Preset>, DeclarationError> {
        if !self.eat("=") {
            return Ok(None);
        }
        let start = self.at;
        let written = if self.eat("\"") { self.quoted(start)? } else { self.unquoted(close) };
        // Any day will do: whether a date can be read does not depend on which day it is, but for 29 February.
        let leap_day = NaiveDate::from_ymd_opt(2024, 2, 29).expect("2024 is a leap year");
        if kind.read(&written, leap_day).is_none() {
            let expected = kind.expected(Lang::En);
            return Err(self.error_at(start, format!("the default `{written}` is not {expected}")));
        }
        Ok(Some(Preset(written)))
    }

    fn quoted(&mut self, start: usize) -> Result<String, DeclarationError> {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => {
                    let Some(next) = self.peek() else { break };
                    self.at += next.len_utf8();
                    text.push(next);
                }
                c => text.push(c),
            }
        }
        Err(self.error_at(start, "the quote is never closed".to_owned()))
    }

    fn unquoted(&mut self, close: Option<char>) -> String {
        let rest = &self.source[self.at..];
        let ends = |c: char| match close {
            Some(close) => c == close,
            None => words::is_space(c),
        };
        let written = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += written.len();
        written.trim_matches(words::is_space).to_owned()
    }

    fn skip_space(&mut self) {
        let rest = &self.source[self.at..];
        self.at += rest.len() - rest.trim_start_matches(words::is_space).len();
    }

    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.source[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn error_at(&self, at: usize, message: String) -> DeclarationError {
        let column = self.source.get(..at).map_or(1, |before| before.chars().count() + 1);
        DeclarationError { column, message, declaration: self.source.to_owned() }
    }
}

/// A name as it is kept: one space between words. On failure, the byte offset and what is wrong.
pub(super) fn check_name(written: &str) -> Result<String, (usize, String)> {
    let parts: Vec<&str> = written.split(words::is_space).filter(|word| !word.is_empty()).collect();
    if parts.is_empty() {
        return Err((0, "a command needs a name, such as `deploy <env>`".to_owned()));
    }
    if parts.len() > MAX_NAME_WORDS {
        return Err((
            0,
            format!("the name has {} words; at most {MAX_NAME_WORDS} are possible", parts.len()),
        ));
    }
    if parts[0].starts_with(['/', '／']) {
        return Err((
            0,
            "write the name without the slash: a person may type it with one anyway".to_owned(),
        ));
    }
    for part in &parts {
        let odd = part.chars().find(|&c| {
            c.is_control()
                || matches!(
                    c,
                    '<' | '>'
                        | '['
                        | ']'
                        | '|'
                        | '='
                        | '"'
                        | '\''
                        | '\\'
                        | '`'
                        | '“'
                        | '”'
                        | '‘'
                        | '’'
                        | '「'
                        | '『'
                        | '＂'
                        | '＇'
                        | '„'
                )
        });
        if let Some(odd) = odd {
            return Err((
                0,
                format!("the name `{}` cannot hold `{}`", words::shown(part), odd.escape_debug()),
            ));
        }
        if words::option_name(part).is_some() {
            return Err((0, format!("`{part}` reads as an option, not as a name")));
        }
    }
    Ok(parts.join(" "))
}
