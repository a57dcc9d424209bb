//! `ctx:stream`: a program whose output runs through a card. See `ctx.d.luau`.
//!
//! The card shows the newest lines inside a block of code that they cannot close, how many are above, and in the end how
//! it ended. Output is cleaned of what a terminal would act on.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use mlua::{Result as LuaResult, Table};
use tokio::time::Instant;

use crate::api::Call;
use crate::api::clean::{clean, fenced};
use crate::api::ctx::address;
use crate::api::failure::{Failure, Outcome};
use crate::api::options::Options;
use crate::api::shell;
use crate::api::shell::output::Lines;
use crate::api::shell::process::{Chunk, Exit};
use crate::api::time::format_duration;

/// Characters of output in the card: under what a card shows at most, with room for the lines around it.
const TAIL_CHARS: usize = 2_400;
/// Shortest time between two frames that are made ready; how often one is sent is the outbox's business.
const FRAME: Duration = Duration::from_millis(100);
/// Characters of the card's title.
const TITLE_CHARS: usize = 60;

/// `ctx:stream`. Cancel safe: dropped with the run, and the program with it; the run closes the card.
pub(super) async fn stream(call: Call, mut options: Options) -> LuaResult<Outcome<Table>> {
    let to = address(&call)?;
    let outbox = call.host.outbox()?.clone();
    let title = options.string("title")?.filter(|title| !title.trim().is_empty());
    let command = shell::command(options)?;
    let title = one_line(&title.unwrap_or_else(|| joined(&command.argv)));
    let process = match shell::start(&call, command).await? {
        Ok(process) => process,
        Err(error) => return Ok(Failure::from(error).into()),
    };
    let card = call.run.open_card(&outbox, to, &title)?;
    let mut view = View::default();
    // A clock that stands shows what there is: nobody would wait for the next frame.
    let frame = if call.host.clock().stands() { Duration::ZERO } else { FRAME };
    let mut next_frame = Instant::now();
    let mut changed = false;
    loop {
        tokio::select! {
            chunk = process.chunk() => {
                let Some(chunk) = chunk else { break };
                call.run.count_output(chunk.bytes.len() as u64)?;
                call.run.note_output(&chunk.bytes);
                view.push(&chunk);
                changed = true;
            }
            () = tokio::time::sleep_until(next_frame), if changed => {}
        }
        if changed && Instant::now() >= next_frame {
            card.set(&view.render());
            changed = false;
            next_frame = Instant::now() + frame;
        }
    }
    let exit = process.exit().await;
    call.run.note_exit(&exit);
    view.finish();
    card.set(&view.render());
    let said = said(&exit);
    if exit.ok() {
        card.append(&format!("\n\n{said}"));
        card.finish();
    } else {
        card.fail(&said);
    }

    let result = call.lua.create_table()?;
    result.raw_set("ok", exit.ok())?;
    result.raw_set("code", exit.code)?;
    result.raw_set("signal", exit.signal.map(shell::signal_name))?;
    result.raw_set("tail", view.tail())?;
    result.raw_set("lines", view.total)?;
    result.raw_set("timed_out", exit.timed_out)?;
    Ok(Outcome::Value(result))
}

/// The last line of the card.
fn said(exit: &Exit) -> String {
    let took = format_duration(exit.took);
    match (exit.timed_out, exit.code, exit.signal) {
        (true, ..) => format!("timed out after {took}"),
        (_, Some(code), _) => format!("exit {code} · {took}"),
        (_, _, Some(signal)) => format!("ended by {} · {took}", shell::signal_name(signal)),
        _ => format!("ended · {took}"),
    }
}

fn joined(argv: &[Vec<u8>]) -> String {
    argv.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
}

/// As a title: what came from a chat may have lines, and be long.
fn one_line(text: &str) -> String {
    let line = clean(&text.trim().replace('\n', " ")).into_owned();
    match line.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The newest lines of an output, and how many there were.
#[derive(Debug, Default)]
struct View {
    splitters: [Lines; 2],
    lines: VecDeque<String>,
    chars: usize,
    total: u64,
}

impl View {
    fn push(&mut self, chunk: &Chunk) {
        let mut ready = VecDeque::new();
        self.splitters[chunk.stream as usize].push(&chunk.bytes, &mut ready);
        self.add(ready);
    }

    fn finish(&mut self) {
        let mut ready = VecDeque::new();
        self.splitters.iter_mut().for_each(|splitter| splitter.finish(&mut ready));
        self.add(ready);
    }

    fn add(&mut self, ready: VecDeque<String>) {
        self.total += ready.len() as u64;
        // Only the last can be shown; of a flood most need not even be cleaned.
        for line in ready.into_iter().rev().take(TAIL_CHARS).rev() {
            let line = shortened(&clean(&line));
            self.chars += line.chars().count() + 1;
            self.lines.push_back(line);
            while self.chars > TAIL_CHARS && self.lines.len() > 1 {
                let gone = self.lines.pop_front().expect("there are at least two");
                self.chars -= gone.chars().count() + 1;
            }
        }
    }

    /// The lines that are kept, and those that have only begun (a prompt, a progress bar).
    fn tail(&self) -> String {
        let begun = self.splitters.iter().map(|splitter| shortened(&clean(&splitter.partial())));
        let begun: Vec<_> = begun.filter(|line| !line.is_empty()).collect();
        let mut left =
            TAIL_CHARS.saturating_sub(begun.iter().map(|line| line.chars().count() + 1).sum());
        let mut shown: Vec<&str> = begun.iter().rev().map(String::as_str).collect();
        for line in self.lines.iter().rev() {
            match left.checked_sub(line.chars().count() + 1) {
                Some(rest) => left = rest,
                None if shown.is_empty() => {}
                None => break,
            }
            shown.push(line);
        }
        shown.reverse();
        shown.join("\n")
    }

    fn render(&self) -> String {
        let tail = self.tail();
        let begun =
            self.splitters.iter().filter(|splitter| !clean(&splitter.partial()).is_empty()).count();
        let shown =
            if tail.is_empty() && self.lines.is_empty() { 0 } else { tail.split('\n').count() };
        let above = self.total.saturating_sub(shown.saturating_sub(begun) as u64);
        let mut out = String::new();
        if above > 0 {
            let _ = write!(
                out,
                "… {} {} above\n\n",
                thousands(above),
                if above == 1 { "line" } else { "lines" }
            );
        }
        if shown > 0 {
            out.push_str(&fenced(&tail));
        }
        out
    }
}

/// The end of a line that alone would be more than the card shows.
fn shortened(line: &str) -> String {
    let count = line.chars().count();
    if count < TAIL_CHARS {
        return line.to_owned();
    }
    let end: String = line.chars().skip(count - TAIL_CHARS + 2).collect();
    format!("…{end}")
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::shell::process::Stream;

    fn view(pieces: &[&str]) -> View {
        let mut view = View::default();
        for piece in pieces {
            view.push(&Chunk { stream: Stream::Out, bytes: piece.as_bytes().to_vec() });
        }
        view
    }

    #[test]
    fn frames_show_the_newest_lines_and_what_has_only_begun() {
        assert_eq!(view(&[]).render(), "");
        assert_eq!(view(&["one\ntwo\n"]).render(), "```\none\ntwo\n```");
        assert_eq!(view(&["one\n 10%\r 20%"]).render(), "```\none\n 20%\n```");
        assert_eq!(view(&["\x1b[31mred\x1b[0m \u{202e}x\n"]).render(), "```\nred x\n```");
        assert_eq!(view(&["```\n@all\n"]).render(), "````\n```\n@all\n````");
    }

    #[test]
    fn a_flood_shows_its_end_and_counts_the_rest() {
        let flood: Vec<String> = (1..=9_500).map(|n| format!("line {n}\n")).collect();
        let mut view = view(&[&flood.concat()]);
        view.finish();
        let frame = view.render();
        assert!(frame.ends_with("line 9500\n```"), "{frame}");
        let (note, block) = frame.split_once("\n\n").unwrap();
        let shown = block.lines().count() - 2;
        assert_eq!(note, format!("… 9,{} lines above", 500 - shown));
        assert!(frame.chars().count() < TAIL_CHARS + 60);
        assert_eq!(view.total, 9_500);
    }

    #[test]
    fn one_endless_line_shows_its_end() {
        let frame = view(&[&"好".repeat(10_000), "end"]).render();
        assert!(frame.ends_with("好end\n```"), "{frame}");
        assert!(frame.chars().count() < TAIL_CHARS + 60);
        let frame = view(&["first\n", &"好".repeat(10_000), "end\n"]).render();
        assert!(frame.starts_with("… 1 line above\n\n```\n…好"), "{frame}");
        assert!(frame.chars().count() < TAIL_CHARS + 60);
    }

    #[test]
    fn the_end_is_told_in_a_line() {
        let exit =
            Exit { code: Some(0), signal: None, timed_out: false, took: Duration::from_secs(63) };
        assert_eq!(said(&exit), "exit 0 · 1m 3s");
        assert_eq!(
            said(&Exit { code: None, signal: Some(15), timed_out: true, ..exit }),
            "timed out after 1m 3s"
        );
        assert_eq!(said(&Exit { code: None, ..exit }), "ended · 1m 3s");
    }

    #[test]
    fn the_title_is_the_command_in_short() {
        assert_eq!(
            one_line(&joined(&[b"git".to_vec(), b"pull\n\x1b[31mx".to_vec()])),
            "git pull x"
        );
        assert_eq!(one_line(&"x".repeat(100)), format!("{}…", "x".repeat(60)));
    }
}
