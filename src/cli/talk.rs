//! What commands print: data to stdout, talk to stderr, errors as `error: …` and `hint: …`.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use unicode_width::UnicodeWidthStr as _;

use super::{columns, errors, lang, letters};
use crate::config::{Problem, Problems};
use crate::script::check::Finding;
use crate::sink::{escape, redact};
use crate::telemetry::{LogError, file};
use crate::words::commands::errors as w;
use crate::words::{Lang, Said};

/// Exit code of misuse: wrong arguments, or settings that cannot be used.
const MISUSE: u8 = 2;

/// A failure of a command, with the reader's next step.
#[derive(Debug)]
pub struct Failed {
    message: String,
    hint: Option<String>,
    misuse: bool,
}

impl Failed {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, misuse: false }
    }

    /// The reader's next step.
    pub(super) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The user's arguments are at fault: exit code 2.
    #[must_use]
    pub fn misuse(mut self) -> Self {
        self.misuse = true;
        self
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}

/// Prints one line of data. A reader that went away (`| head`) is not an error.
pub(super) fn data(text: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints text of several lines that ends with its own line break: results, which may quote what programs wrote.
pub(super) fn shown(text: impl fmt::Display) {
    let _ = write!(io::stdout(), "{}", fit(&text.to_string()));
}

/// Prints data for people, as far as the terminal shows it.
pub(super) fn told(text: &str) {
    data(fit(text));
}

/// Prints one line of talk.
pub(super) fn say(text: impl fmt::Display) {
    drawn(fit_talk(&text.to_string()));
}

/// Prints one line of talk as it is, for those who know what the terminal shows.
pub(super) fn drawn(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints an address: alone for a program that reads stdout, under its label for a person.
pub(super) fn address(name: &str, url: &str) {
    if io::stdout().is_terminal() && io::stderr().is_terminal() {
        data(format_args!("{name}{}", label(url, "\x1b[1;4m")));
    } else {
        data(url);
    }
}

/// Prints what happened just now, in step with the log lines around it.
pub(super) fn now(text: impl fmt::Display) {
    file::line("info", &text.to_string());
    say(format_args!("{} {} {}", time(), label(" info", "\x1b[32m"), safe(&text.to_string())));
}

/// Prints what went wrong just now while the host runs on; the lines after the first stand under it.
pub(super) fn failed_now(text: impl fmt::Display) {
    file::line("error", &text.to_string());
    told_now(&label("error", "\x1b[31;1m"), text);
}

/// As [`failed_now`], of what works but hardly as meant.
pub(super) fn warned_now(text: impl fmt::Display) {
    file::line("warn", &text.to_string());
    told_now(&label(" warn", "\x1b[33m"), text);
}

fn told_now(level: &str, text: impl fmt::Display) {
    let text = safe(&text.to_string()).replace('\n', "\n  ");
    say(format_args!("{} {level} {text}", time()));
}

/// As log lines have it: a terminal shows today, a file needs the date and the offset.
fn time() -> String {
    let format = if io::stderr().is_terminal() { "%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.3f%:z" };
    label(&chrono::Local::now().format(format).to_string(), "\x1b[2m")
}

pub(super) fn warning(problem: &Problem) {
    warn(problem.text(lang::here()));
}

/// Prints what should not be overlooked.
pub(super) fn warn(text: impl fmt::Display) {
    labelled(w::label_warning(lang::here()), "\x1b[33;1m", &text.to_string());
}

/// Prints a text behind its label. The first line breaks where it reads well; those after it may be there to be copied.
fn labelled(word: &str, color: &str, text: &str) {
    let size = terminal_size::terminal_size_of(io::stderr());
    let width = size.map_or(usize::MAX, |(width, _)| width.0.into());
    let (first, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
    let first = columns::wrap(&fit_talk(first), word.width(), 2, width);
    say(format_args!("{}{first}{rest}", label(word, color)));
}

/// What to do about an error, in English: for programs.
pub(super) fn hint(error: &anyhow::Error) -> Option<String> {
    errors::hint(error, Lang::En)
}

/// Prints the reader's next step.
pub(super) fn advise(text: impl fmt::Display) {
    labelled(w::label_hint(lang::here()), "\x1b[36;1m", &text.to_string());
}

/// Prints data that quotes what others wrote.
pub(super) fn quoted(text: &str) {
    told(&safe(text));
}

/// Prints a finding of `check`: what a command was asked for, so it goes to stdout.
pub(super) fn finding(finding: &Finding) {
    // A name is one line, whatever is in it.
    let path = escape(&finding.path);
    let message = Said::new(|lang| finding.message.pick(lang).replace(&finding.path, &path));
    let named = Finding { path: path.clone(), message, ..finding.clone() };
    told(&format!("{}\n", safe(&named.text(lang::here()))));
}

/// Prints an error with its causes and hint; returns the exit code.
pub(super) fn error(error: &anyhow::Error) -> ExitCode {
    let lang = lang::here();
    labelled(w::label_error(lang), "\x1b[31;1m", &safe(&errors::headline(error, lang)));
    for cause in error.chain().skip(1) {
        say(format_args!("  {}{}", w::label_because(lang), safe(&cause.to_string())));
    }
    if let Some(text) = errors::hint(error, lang) {
        advise(safe(&text));
    }
    code(error)
}

/// The exit code of an error.
pub(super) fn code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if is_misuse(error) { MISUSE } else { 1 })
}

/// Whether arguments or settings are at fault, so that trying again cannot help.
pub(super) fn is_misuse(error: &anyhow::Error) -> bool {
    let failed = error.downcast_ref::<Failed>();
    failed.is_some_and(|failed| failed.misuse) || error.is::<Problems>() || error.is::<LogError>()
}

/// Answers `--help`, `--version` and wrong arguments, the way clap words them.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(MISUSE) } else { ExitCode::SUCCESS }
}

/// Errors may quote what others wrote; lines stay lines, nothing else acts on the terminal, and
/// no secret of ours is repeated.
fn safe(text: &str) -> String {
    redact(text).lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// How many columns the terminal has to which data goes; `None`: it goes elsewhere.
pub(super) fn columns() -> Option<usize> {
    let size = io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    size.map(|(width, _)| usize::from(width.0))
}

/// How many columns there are to write to: those of the terminal, else what every reader copes with.
pub(super) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}

/// What the terminal to which data goes shows of `text`; elsewhere all of it. For what stands in columns, before they are
/// counted.
pub(super) fn fit(text: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() { letters::shown(text) } else { Cow::Borrowed(text) }
}

/// Whether the terminal to which data goes shows ASCII alone.
pub(super) fn shows_few() -> bool {
    io::stdout().is_terminal() && letters::are_few()
}

/// As [`fit`], of that to which talk goes.
pub(super) fn fit_talk(text: &str) -> Cow<'_, str> {
    if io::stderr().is_terminal() { letters::shown(text) } else { Cow::Borrowed(text) }
}

pub(super) fn label(word: &str, color: &str) -> String {
    if colours() { format!("{color}{word}\x1b[0m") } else { word.to_owned() }
}

/// Whether talk may be coloured.
pub(super) fn colours() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !no_color && !dumb && io::stderr().is_terminal()
}
