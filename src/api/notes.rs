//! What a run leaves for whoever asks later: the newest lines that its script logged, the end of what its programs wrote,
//! and how the last of them ended. Bounded, in memory; the worker writes it into the journal.

use std::collections::VecDeque;

use super::shell;
use super::shell::process::Exit;
use crate::sink::clean;
use crate::sink::redact;

/// Of the lines together, and of one.
const LOG_BYTES: usize = 8 << 10;
const LINE_CHARS: usize = 1_000;

/// Of the end of the output.
const OUTPUT_BYTES: usize = 4 << 10;

/// What is left out of one endless line where it was cut: longer than most secrets.
const SECRET_BYTES: usize = 1 << 10;

/// Kept up to date while the run goes on.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    log: VecDeque<String>,
    log_bytes: usize,
    output: Vec<u8>,
    /// There was more before it.
    cut: bool,
    exit: Option<String>,
    changes: u64,
}

/// The same as text. Nothing that was not there is an empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// A line each: Unix milliseconds, level, text.
    pub log: Option<String>,
    pub output: Option<String>,
    pub exit: Option<String>,
    /// Grows with each change.
    pub changes: u64,
}

impl Notes {
    pub(crate) fn log(&mut self, at_ms: i64, level: &str, text: &str) {
        let line = match text.char_indices().nth(LINE_CHARS) {
            // Before it is cut: half a secret is not recognised any more.
            Some(_) => {
                let text = redact(text);
                let end = text.char_indices().nth(LINE_CHARS).map_or(text.len(), |(end, _)| end);
                format!("{at_ms} {level} {}…", &text[..end])
            }
            None => format!("{at_ms} {level} {text}"),
        };
        self.log_bytes += line.len() + 1;
        self.log.push_back(line);
        while self.log_bytes > LOG_BYTES
            && let Some(gone) = self.log.pop_front()
        {
            self.log_bytes -= gone.len() + 1;
        }
        self.changes += 1;
    }

    pub(crate) fn output(&mut self, bytes: &[u8]) {
        if bytes.len() >= OUTPUT_BYTES {
            self.cut |= bytes.len() > OUTPUT_BYTES || !self.output.is_empty();
            self.output.clear();
        }
        self.output.extend_from_slice(&bytes[bytes.len().saturating_sub(OUTPUT_BYTES)..]);
        // Twice the room: of many small pieces each would move the rest.
        if self.output.len() > 2 * OUTPUT_BYTES {
            self.output.drain(..self.output.len() - OUTPUT_BYTES);
            self.cut = true;
        }
        self.changes += 1;
    }

    pub(crate) fn exit(&mut self, exit: &Exit) {
        self.exit = Some(match (exit.timed_out, exit.code, exit.signal) {
            (true, ..) => "timed out".to_owned(),
            (_, Some(code), _) => format!("exit {code}"),
            (_, _, Some(signal)) => shell::signal_name(signal),
            _ => "ended".to_owned(),
        });
        self.changes += 1;
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn noted(&self) -> Noted {
        let log = (!self.log.is_empty())
            .then(|| self.log.iter().map(String::as_str).collect::<Vec<_>>().join("\n"));
        let output = (!self.output.is_empty()).then(|| {
            let mut end = &self.output[self.output.len().saturating_sub(OUTPUT_BYTES)..];
            if self.cut || end.len() < self.output.len() {
                // What was cut in two at the beginning may be a secret, which would not be recognised any more.
                let line = end.iter().position(|byte| *byte == b'\n').map(|last| last + 1);
                end = &end[line.unwrap_or(SECRET_BYTES).min(end.len())..];
            }
            let text = String::from_utf8_lossy(end);
            clean(text.trim_start_matches('\u{fffd}')).into_owned()
        });
        Noted { log, output, exit: self.exit.clone(), changes: self.changes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_kept_and_no_more_than_there_is_room_for() {
        let mut notes = Notes::default();
        assert_eq!(notes.noted(), Noted::default());
        for n in 0..10_000 {
            notes.log(n, "info", &format!("line {n}"));
            notes.output(format!("out {n} 好\n").as_bytes());
        }
        notes.log(7, "warn", &"x".repeat(100_000));
        notes.output(&vec![b'y'; 100_000]);
        notes.output("\n\x1b[31mthe end".as_bytes());
        let cut = notes.noted().output.unwrap();
        assert_eq!(cut, "the end", "a line that was cut in two is left out");
        notes.output(&[b'z'; 2_000]);
        let noted = notes.noted();
        let (log, output) = (noted.log.unwrap(), noted.output.unwrap());
        assert!(log.len() <= LOG_BYTES && log.contains("9999 info line 9999\n7 warn xxx"), "{log}");
        assert!(output.len() <= OUTPUT_BYTES && output.starts_with("the endzzz"), "{output}");
    }
}
