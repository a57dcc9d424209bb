//! `ctx:stream`: a program whose output runs through a card. See `ctx.d.luau`.
//!
//! The card shows the newest lines inside a block of code that they cannot close, how many are above, and in the end how
//! it ended. What it shows is cleaned of what a terminal would act on; the file with the whole output is not.

use std::collections::VecDeque;
use std::time::Duration;

use mlua::{Result as LuaResult, Table, Value};
use tokio::time::Instant;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::api::Call;
use crate::api::ctx::address;
use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::options::Options;
use crate::api::shell;
use crate::api::shell::output::Lines;
use crate::api::shell::process::{Chunk, Exit};
use crate::api::time::format_duration;
use crate::config::Attach;
use crate::outbox::Card;
use crate::sink::{clean, redact, redact_begun};
use crate::words::Lang;
use crate::words::cards;

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
    let attach = attach(options.value("attach")?)?;
    let command = shell::command(options)?;
    let title = one_line(&title.unwrap_or_else(|| joined(&command.argv)));
    let process = match shell::start(&call, command).await? {
        Ok(process) => process,
        Err(error) => return Ok(Failure::from(error).into()),
    };
    let card = call.run.open_card(&outbox, to, &title)?;
    if let Some(attach) = attach {
        card.attach(attach);
    }
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
                card.keep(&chunk.bytes).await;
                call.run.note_output(&chunk.bytes);
                view.push(&chunk);
                changed = true;
            }
            () = tokio::time::sleep_until(next_frame), if changed => {}
        }
        if changed && Instant::now() >= next_frame {
            view.show(&card);
            changed = false;
            next_frame = Instant::now() + frame;
        }
    }
    let exit = process.exit().await;
    call.run.note_exit(&exit);
    view.finish();
    view.show(&card);
    let said = said(&exit, card.lang());
    if exit.ok() {
        card.conclude(&said);
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

/// Option `attach`.
fn attach(value: Value) -> LuaResult<Option<Attach>> {
    const EXPECTED: &str =
        "option `attach`: expected true (when the output did not fit), false or \"failure\"";
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::Boolean(true) => Attach::Always,
        Value::Boolean(false) => Attach::Never,
        Value::String(text) if text == "failure" => Attach::OnFailure,
        Value::String(text) => {
            return Err(misuse(format!("{EXPECTED}, got {:?}", text.to_string_lossy())));
        }
        other => return Err(misuse(format!("{EXPECTED}, got {}", type_name(&other)))),
    }))
}

/// The last line of the card.
fn said(exit: &Exit, lang: Lang) -> String {
    let took = format_duration(exit.took);
    match (exit.timed_out, exit.code, exit.signal) {
        (true, ..) => cards::timed_out(&took, lang),
        (_, Some(code), _) => cards::exit(code, &took, lang),
        (_, _, Some(signal)) => cards::ended_by(&shell::signal_name(signal), &took, lang),
        _ => cards::ended(&took, lang),
    }
}

fn joined(argv: &[Vec<u8>]) -> String {
    argv.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
}

/// As a title: what came from a chat may have lines, and be long.
fn one_line(text: &str) -> String {
    // Before it is cut: half of a secret is none that anybody knows.
    let line = redact(&clean(&text.trim().replace('\n', " "))).into_owned();
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
            // Before it is cut: half a secret is not recognised any more.
            let line = shortened(&redact(&clean(&line)));
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
        let begun = self
            .splitters
            .iter()
            .map(|splitter| shortened(&redact_begun(&clean(&splitter.partial()))));
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

    /// How many lines are above the tail.
    fn above(&self, tail: &str) -> u64 {
        let begun =
            self.splitters.iter().filter(|splitter| !clean(&splitter.partial()).is_empty()).count();
        let shown =
            if tail.is_empty() && self.lines.is_empty() { 0 } else { tail.split('\n').count() };
        self.total.saturating_sub(shown.saturating_sub(begun) as u64)
    }

    fn show(&self, card: &Card) {
        let tail = self.tail();
        card.show(self.above(&tail), &tail);
    }
}

/// The end of a line that alone would be more than the card shows.
fn shortened(line: &str) -> String {
    let count = line.chars().count();
    if count < TAIL_CHARS {
        return line.to_owned();
    }
    let (mut chars, mut start) = (1, line.len());
    for (at, grapheme) in line.grapheme_indices(true).rev() {
        chars += grapheme.chars().count();
        if chars >= TAIL_CHARS {
            break;
        }
        start = at;
    }
    format!("…{}", &line[start..])
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

    fn shown(view: &View) -> (u64, String) {
        let tail = view.tail();
        (view.above(&tail), tail)
    }

    #[test]
    fn frames_show_the_newest_lines_and_what_has_only_begun() {
        for (pieces, tail) in [
            (&[][..], ""),
            (&["one\ntwo\n"], "one\ntwo"),
            (&["one\n 10%\r 20%"], "one\n 20%"),
            (&["\x1b[31mred\x1b[0m \u{202e}x\n"], "red x"),
        ] {
            assert_eq!(shown(&view(pieces)), (0, tail.to_owned()));
        }
    }

    #[test]
    fn a_flood_shows_its_end_and_counts_the_rest() {
        let flood: Vec<String> = (1..=9_500).map(|n| format!("line {n}\n")).collect();
        let mut view = view(&[&flood.concat()]);
        view.finish();
        let (above, tail) = shown(&view);
        assert!(tail.ends_with("line 9500"), "{tail}");
        assert_eq!(above, 9_500 - tail.lines().count() as u64);
        assert!(tail.chars().count() <= TAIL_CHARS);
        assert_eq!(view.total, 9_500);
    }

    #[test]
    fn one_endless_line_shows_its_end() {
        let (_, tail) = shown(&view(&[&"好".repeat(10_000), "end"]));
        assert!(tail.ends_with("好end"), "{tail}");
        assert!(tail.chars().count() <= TAIL_CHARS);
        let (above, tail) = shown(&view(&["first\n", &"好".repeat(10_000), "end\n"]));
        assert!(above == 1 && tail.starts_with("…好"), "{tail}");
        assert!(tail.chars().count() <= TAIL_CHARS);
    }

    #[test]
    fn the_end_is_told_in_a_line() {
        let exit =
            Exit { code: Some(0), signal: None, timed_out: false, took: Duration::from_secs(63) };
        assert_eq!(said(&exit, Lang::En), "exit 0 · 1m 3s");
        assert_eq!(said(&exit, Lang::Zh), "退出码 0 · 1m 3s");
        assert_eq!(
            said(&Exit { code: None, signal: Some(15), timed_out: true, ..exit }, Lang::En),
            "timed out after 1m 3s"
        );
        assert_eq!(said(&Exit { code: None, ..exit }, Lang::En), "ended · 1m 3s");
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
