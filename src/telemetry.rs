//! What a host tells its operator: log lines on stderr and in a file, and the status file that `moonbell status` reads.
//!
//! A log line reads alone and cannot lie: control characters, terminal escapes and invisible or direction-changing
//! characters of logged values appear as `\u{…}`, so what a person in a chat typed can neither colour, move nor forge a
//! line. A message of several lines keeps them, each marked as a continuation. Known secrets never appear, and what
//! libraries say of requests comes without the values of parameters that hold keys: see [`crate::sink`].

pub mod file;
pub mod panics;
pub mod status;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::sink::blank_parameters;
use crate::sink::escape;
use crate::sink::push_escaped;
use crate::sink::redact;

/// Our own lines and those of scripts (`log`, `print`) from `info`, those of libraries from `warn`.
const DEFAULT_FILTER: &str = "warn,moonbell=info,script=info";

/// The filter of this process, to be changed; and whether a flag or variable has said which, so that no setting may.
static FILTER: OnceLock<(reload::Handle<EnvFilter, Registry>, bool)> = OnceLock::new();

/// Whether the terminal is left to a conversation: log lines go to the file alone.
static OFF_SCREEN: AtomicBool = AtomicBool::new(false);

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("`{filter}` is not a log filter: {reason}")]
    Filter { filter: String, reason: String },
    #[error("logging is already set up in this process")]
    Twice,
}

impl LogError {
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Filter { .. } => Some(
                "it takes `error`, `warn`, `info`, `debug`, `trace`, `off`, or a list such as `info,moonbell::sim=debug`",
            ),
            Self::Twice => None,
        }
    }
}

/// Sends log lines to stderr, and to a file once there is one ([`file::keep`]): human, coloured only on a terminal and without `NO_COLOR`.
///
/// A bare level means our own lines and leaves libraries at `warn`. `shows` says what of a line the terminal shows.
///
/// # Errors
///
/// When the filter cannot be read, or logging was already set up.
pub fn init(filter: Option<&str>, shows: fn(&str) -> Cow<'_, str>) -> Result<(), LogError> {
    let terminal = std::io::stderr().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let screen = tracing_subscriber::fmt::layer()
        .with_writer(move || Screen { err: io::stderr(), shows })
        .with_ansi(terminal && !no_color)
        .event_format(Lines { dates: !terminal })
        .with_filter(filter_fn(|_| !OFF_SCREEN.load(Ordering::Relaxed)));
    let kept = tracing_subscriber::fmt::layer()
        .with_writer(|| file::Kept)
        .with_ansi(false)
        .event_format(Lines { dates: true })
        .with_filter(filter_fn(|_| file::is_kept()));
    let (layer, handle) = reload::Layer::new(parse(filter)?);
    tracing_subscriber::registry()
        .with(layer)
        .with(screen)
        .with(kept)
        .try_init()
        .map_err(|_| LogError::Twice)?;
    let _ = FILTER.set((handle, filter.is_some()));
    Ok(())
}

/// Stderr, and what of a line it shows.
struct Screen {
    err: io::Stderr,
    shows: fn(&str) -> Cow<'_, str>,
}

impl io::Write for Screen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.err.write_all((self.shows)(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.err.flush()
    }
}

/// From now on the terminal belongs to a conversation with a person: log lines go to the file alone. Who asked for log
/// lines by a flag or variable sees them all the same.
pub fn leave_screen() {
    let asked = FILTER.get().is_some_and(|(_, asked)| *asked);
    OFF_SCREEN.store(!asked, Ordering::Relaxed);
}

/// What the settings say: counts from now on, unless a flag or variable said otherwise at the start.
///
/// # Errors
///
/// When the filter cannot be read; then nothing changes.
pub fn refilter(filter: Option<&str>) -> Result<(), LogError> {
    let filter = parse(filter)?;
    if let Some((handle, false)) = FILTER.get() {
        // Fails only when the subscriber is gone, and nobody logs any more.
        let _ = handle.reload(filter);
    }
    Ok(())
}

fn parse(filter: Option<&str>) -> Result<EnvFilter, LogError> {
    let given = filter.map(str::trim).filter(|filter| !filter.is_empty());
    let directives = match given {
        None => DEFAULT_FILTER.to_owned(),
        Some(level @ ("error" | "off")) => level.to_owned(),
        Some(level @ ("warn" | "info" | "debug" | "trace")) => {
            format!("warn,moonbell={level},script={level}")
        }
        Some(list) => list.to_owned(),
    };
    // `inof` would be read as the name of a module, and everything would fall silent.
    if let Some(bare) = directives.split(',').map(str::trim).find(|word| {
        !word.contains(['=', '[', ':'])
            && !matches!(*word, "error" | "warn" | "info" | "debug" | "trace" | "off")
    }) {
        let reason = format!("`{}` is not a level", escape(bare));
        return Err(LogError::Filter { filter: escape(&directives), reason });
    }
    EnvFilter::try_new(&directives).map_err(|error| LogError::Filter {
        filter: escape(&directives),
        reason: error.to_string(),
    })
}

/// One event as one line: time, level, what happened, then its fields.
struct Lines {
    /// A terminal shows today; a file needs the date and the offset.
    dates: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let color = out.has_ansi_escapes();
        let (dim, reset) = if color { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let now = chrono::Local::now();
        let time = if self.dates {
            now.format("%Y-%m-%dT%H:%M:%S%.3f%:z")
        } else {
            now.format("%H:%M:%S")
        };
        write!(out, "{dim}{time}{reset} ")?;
        let level = *event.metadata().level();
        let (word, paint) = match level {
            Level::ERROR => ("error", "\x1b[31;1m"),
            Level::WARN => (" warn", "\x1b[33m"),
            Level::INFO => (" info", "\x1b[32m"),
            Level::DEBUG => ("debug", "\x1b[34m"),
            Level::TRACE => ("trace", "\x1b[35m"),
        };
        if color {
            write!(out, "{paint}{word}{reset} ")?;
        } else {
            write!(out, "{word} ")?;
        }
        let target = event.metadata().target();
        // A script names itself in a field.
        if target != "script" && (!target.starts_with("moonbell") || level >= Level::DEBUG) {
            write!(out, "{dim}{target}:{reset} ")?;
        }
        let mut line = Line { ours: target == "script", ..Line::default() };
        event.record(&mut line);
        out.write_str(&line.message)?;
        if !line.fields.is_empty() {
            write!(out, "{dim}{}{reset}", line.fields)?;
        }
        writeln!(out)
    }
}

#[derive(Default)]
struct Line {
    /// What a script's author says, who may well speak of a `session=5`.
    ours: bool,
    message: String,
    fields: String,
}

impl Line {
    fn add(&mut self, field: &Field, value: &str) {
        let value = &redact(value);
        let value = &if self.ours { Cow::Borrowed(&**value) } else { blank_parameters(value) };
        if field.name() == "message" {
            for c in value.chars() {
                if c == '\n' {
                    self.message.push_str("\n    | ");
                } else {
                    push_escaped(&mut self.message, c);
                }
            }
        } else {
            let shown = escape(value);
            let quote = if shown.is_empty() || shown.contains([' ', '=', '"']) { "\"" } else { "" };
            let _ = write!(
                self.fields,
                " {}={quote}{}{quote}",
                field.name(),
                shown.replace('"', "\\\"")
            );
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::sink::hide;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Page {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(filter: Option<&str>, act: impl FnOnce()) -> String {
        let page = Page::default();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(parse(filter).unwrap())
            .with_writer(page.clone())
            .with_ansi(false)
            .event_format(Lines { dates: false })
            .finish();
        tracing::subscriber::with_default(subscriber, act);
        let bytes = page.0.lock().unwrap().clone();
        // Without the time of the first line; the others have none.
        let line = |line: &str| {
            if line.starts_with("    | ") {
                format!("{line}\n")
            } else {
                format!("{}\n", &line[9..])
            }
        };
        String::from_utf8(bytes).unwrap().lines().map(line).collect()
    }

    #[test]
    fn what_a_person_typed_cannot_colour_move_or_forge_a_line() {
        let nick = "eve\x1b[2J\r\n12:00:00  info all is well \u{202e}gpj.exe";
        let log = logged(
            None,
            || tracing::info!(target: "moonbell", person = nick, at = %"\u{9b}31m", "refused `{}`", "a\u{7}"),
        );
        assert_eq!(
            log,
            " info refused `a\\u{7}` person=\"eve\\u{1b}[2J\\r\\n12:00:00  info all is well \\u{202e}gpj.exe\" at=\\u{9b}31m\n"
        );
    }

    #[test]
    fn a_hidden_secret_is_not_logged_by_anybody() {
        hide("s3cret-of-the-app");
        hide("ok"); // too short to be one
        let log = logged(
            None,
            || tracing::warn!(target: "hyper", url = "/?t=s3cret-of-the-app", "ok: {:?}", "s3cret-of-the-app"),
        );
        assert_eq!(log, " warn hyper: ok: \"***\" url=\"/?t=***\"\n");
    }

    #[test]
    fn a_message_of_several_lines_keeps_them_marked_as_its_own() {
        let log = logged(None, || tracing::warn!(target: "moonbell", "not loaded\nping.luau:3:1"));
        assert_eq!(log, " warn not loaded\n    | ping.luau:3:1\n");
    }

    #[test]
    fn libraries_stay_quiet_until_they_are_asked_for() {
        let speak = || {
            tracing::info!(target: "hyper", "pooling");
            tracing::debug!(target: "moonbell::inbox", "claimed");
        };
        assert_eq!(logged(None, speak), "");
        assert_eq!(logged(Some("debug"), speak), "debug moonbell::inbox: claimed\n");
        assert_eq!(logged(Some("off,hyper=info"), speak), " info hyper: pooling\n");
    }

    #[test]
    fn a_misspelt_level_is_refused_instead_of_silencing_everything() {
        let error = parse(Some("inof")).unwrap_err();
        assert_eq!(error.to_string(), "`inof` is not a log filter: `inof` is not a level");
        assert!(parse(Some("moonbell=loud")).is_err());
    }
}
