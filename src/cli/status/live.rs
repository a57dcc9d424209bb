//! The status as it changes: redrawn in place on a terminal, otherwise a line for each change.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::Result;
use chrono::Local;

use super::{Seen, show};
use crate::cli::{columns, lang, talk};
use crate::words::Lang;
use crate::words::commands::status as w;

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
            let line = if json { seen.json()?.to_string() } else { line(&seen, lang::here()) };
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
        // The last look stays to be read, all of it.
        drop(screen);
        talk::told(&super::wrapped(&talk::fit(&last)));
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
    let frame = frame(text, usize::from(width), usize::from(height), lang::here());
    let mut out = io::stdout().lock();
    let _ = out.write_all(frame.as_bytes());
    let _ = out.flush();
}

/// The text as it is drawn over the frame before: lines that are too long go on below, what does not fit is left out and
/// said to be.
fn frame(text: &str, width: usize, height: usize, lang: Lang) -> String {
    let lines: Vec<String> = super::lines(text, width)
        .iter()
        .flat_map(|line| line.lines())
        .flat_map(|line| columns::fold(line, width))
        .collect();
    // One line for the hint, and one above it.
    let room = height.saturating_sub(2).max(1);
    let (shown, cut) =
        if lines.len() > room { (room.saturating_sub(1), true) } else { (lines.len(), false) };
    let mut frame = String::from("\x1b[H");
    let mut put = |line: &str| {
        let _ = write!(frame, "{line}\x1b[K\r\n");
    };
    lines[..shown].iter().for_each(|line| put(line));
    if cut {
        put(&columns::cut(&w::more_lines(lines.len() - shown, lang), width));
    }
    put("");
    let _ = write!(frame, "{}\x1b[K\x1b[J", columns::cut(w::ctrl_c_ends(lang), width));
    frame
}

/// What a reader of lines wants to know of a change.
fn line(seen: &Seen, lang: Lang) -> String {
    let Some(pid) = &seen.holder else { return w::no_host_runs(lang).to_owned() };
    let Some(moment) = &seen.moment else { return w::starting(pid, lang) };
    let how = show::how(&moment.connection, chrono::Utc::now(), lang);
    let runs = show::counts(moment, lang);
    let broken = moment.scripts.iter().filter(|script| script.error.is_some()).count();
    let (outbox, scripts) = (moment.outbox, moment.scripts.len());
    let mut line = w::change(&how, &runs, outbox, moment.parked, scripts, broken, lang);
    if moment.settings.error.is_some() {
        line.push_str(w::settings_are_wrong(lang));
    }
    if seen.lock.is_locked() {
        line.push_str(w::and_locked(lang));
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
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn a_frame_never_scrolls_the_terminal() {
        let text = (0..50).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        for height in [1, 3, 10, 24, 60] {
            let frame = frame(&text, 20, height, Lang::En);
            let lines = frame.matches("\r\n").count() + 1;
            assert!(lines <= height.max(3), "{height}: {lines}");
            assert!(frame.starts_with("\x1b[H") && frame.ends_with("\x1b[K\x1b[J"));
            assert_eq!(frame.contains("more lines"), height < 52, "{height}");
        }
    }

    #[test]
    fn long_lines_go_on_below_and_none_is_wider_than_the_terminal() {
        let text = "connected\nscripts  2 in /home/ann/scripts\n  deploy.luau  3 handlers\n    newest version not loaded: \
                    expected an end here, where the file goes on\n  一个名字很长很长很长很长很长的脚本.luau  3 个处理器\n  \
                    averylongnamewithoutanyplacetobreakit.luau";
        for width in [20, 30, 80] {
            let frame = frame(text, width, 40, Lang::Zh);
            for line in frame.replace("\x1b[H", "").replace("\x1b[J", "").split("\x1b[K") {
                assert!(line.trim().width() <= width, "{width}: {line}\n{frame}");
            }
            let whole: String = frame.replace("\x1b[K", "").split_whitespace().collect();
            for part in ["wherethefilegoeson", "很长的脚本.luau", "placetobreakit.luau"] {
                assert!(whole.contains(part), "{width}: {part} is cut from\n{frame}");
            }
        }
    }
}
