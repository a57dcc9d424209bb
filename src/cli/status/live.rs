//! The status as it changes: redrawn in place on a terminal, otherwise a line for each change.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::Result;
use chrono::Local;
use unicode_width::UnicodeWidthChar as _;

use super::{Seen, show};
use crate::cli::talk;

/// A person looks; nothing hangs on it.
const EVERY: Duration = Duration::from_secs(1);

/// Where nothing tells how large the terminal is.
const SIZE: (u16, u16) = (80, 24);

/// Shows what `look` sees until Ctrl-C. A host that is not there may come.
pub(super) fn watch(look: impl Fn() -> Result<Seen>, json: bool) -> Result<ExitCode> {
    let stop = interrupts()?;
    let screen = (!json && io::stdout().is_terminal()).then(Screen::enter);
    let mut last = String::new();
    loop {
        let seen = look()?;
        if screen.is_some() {
            last = seen.text();
            draw(&talk::fit(&last));
        } else {
            let line = if json { seen.json()?.to_string() } else { line(&seen) };
            // The time of a status moves although nothing happens.
            let now = if json { essence(&seen)? } else { line.clone() };
            if now != last {
                last = now;
                let time = Local::now().format("%H:%M:%S");
                let line = if json { line } else { format!("{time} {line}") };
                // Nobody reads any more: `| head`.
                if writeln!(io::stdout(), "{line}").is_err() {
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
        match stop.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if screen.is_some() {
        // The last look stays to be read.
        drop(screen);
        talk::data(talk::fit(&last));
    }
    Ok(ExitCode::SUCCESS)
}

/// Hears of Ctrl-C and SIGTERM, so that the terminal can be left as it was.
fn interrupts() -> Result<mpsc::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (told, stop) = mpsc::channel();
    std::thread::Builder::new().name("moonbell-signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let interrupt = tokio::signal::ctrl_c();
            #[cfg(unix)]
            {
                use tokio::signal::unix::{SignalKind, signal};
                let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            #[cfg(not(unix))]
            drop(interrupt.await);
        });
        let _ = told.send(());
    })?;
    Ok(stop)
}

/// A screen of its own: what was on the terminal comes back when it is dropped.
struct Screen;

impl Screen {
    fn enter() -> Self {
        let _ = write!(io::stdout(), "\x1b[?1049h\x1b[?25l");
        Self
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout();
        let _ = write!(out, "\x1b[?25h\x1b[?1049l");
        let _ = out.flush();
    }
}

fn draw(text: &str) {
    let (width, height) = terminal_size::terminal_size().map_or(SIZE, |(w, h)| (w.0, h.0));
    let frame = frame(text, usize::from(width), usize::from(height));
    let mut out = io::stdout().lock();
    let _ = out.write_all(frame.as_bytes());
    let _ = out.flush();
}

/// The text as it is drawn over the frame before: what does not fit is cut, and said to be.
fn frame(text: &str, width: usize, height: usize) -> String {
    let hint = "Ctrl-C ends";
    let lines: Vec<&str> = text.lines().collect();
    // One line for the hint, and one above it.
    let room = height.saturating_sub(2).max(1);
    let (shown, cut) =
        if lines.len() > room { (room.saturating_sub(1), true) } else { (lines.len(), false) };
    let mut frame = String::from("\x1b[H");
    let mut put = |line: &str| {
        let _ = write!(frame, "{}\x1b[K\r\n", clip(line, width));
    };
    lines[..shown].iter().for_each(|line| put(line));
    if cut {
        put(&format!("({} more lines)", lines.len() - shown));
    }
    put("");
    let _ = write!(frame, "{}\x1b[K\x1b[J", clip(hint, width));
    frame
}

/// As much of `line` as `width` columns hold; one that was cut ends with `>`.
fn clip(line: &str, width: usize) -> String {
    let columns = |c: char| c.width().unwrap_or(0);
    if line.chars().map(columns).sum::<usize>() <= width {
        return line.to_owned();
    }
    let mut clipped = String::new();
    let mut used = 0;
    for c in line.chars() {
        if used + columns(c) >= width {
            break;
        }
        used += columns(c);
        clipped.push(c);
    }
    clipped.push('>');
    clipped
}

/// What a reader of lines wants to know of a change.
fn line(seen: &Seen) -> String {
    let Some(pid) = &seen.holder else { return "no host runs".to_owned() };
    let Some(moment) = &seen.moment else { return format!("starting, process {pid}") };
    let mut line = show::how(&moment.connection, chrono::Utc::now());
    let runs = moment.runs;
    let _ = write!(
        line,
        "; runs {} running, {} queued, {} done, {} failed; outbox {} waiting, {} parked",
        runs.running, runs.queued, runs.done, runs.failed, moment.outbox, moment.parked
    );
    let broken = moment.scripts.iter().filter(|script| script.error.is_some()).count();
    let _ = write!(line, "; scripts {}, {broken} broken", moment.scripts.len());
    if moment.settings.error.is_some() {
        line.push_str("; settings wrong");
    }
    line
}

/// The JSON without what moves by itself.
fn essence(seen: &Seen) -> Result<String> {
    let mut json = seen.json()?;
    if let Some(fields) = json.as_object_mut() {
        for moving in ["updated_at_ms", "last_frame_at_ms"] {
            fields.remove(moving);
        }
    }
    Ok(json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_by_columns_and_chinese_takes_two() {
        assert_eq!(clip("scripts  3", 10), "scripts  3");
        assert_eq!(clip("scripts  13", 10), "scripts  >");
        assert_eq!(clip("脚本 部署.luau", 8), "脚本 部>");
        assert_eq!(clip("脚本", 4), "脚本");
        assert_eq!(clip("脚本", 3), "脚>");
    }

    #[test]
    fn a_frame_never_scrolls_the_terminal() {
        let text = (0..50).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        for height in [1, 3, 10, 24, 60] {
            let frame = frame(&text, 20, height);
            let lines = frame.matches("\r\n").count() + 1;
            assert!(lines <= height.max(3), "{height}: {lines}");
            assert!(frame.starts_with("\x1b[H") && frame.ends_with("\x1b[K\x1b[J"));
            assert_eq!(frame.contains("more lines"), height < 52, "{height}");
        }
    }
}
