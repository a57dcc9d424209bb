//! Errors of scripts as their writers want to read them: file, line, the source line, a caret, and a short traceback.

use std::fmt;
use std::fmt::Write as _;

/// Why a script was not loaded. `Display` is what the terminal shows, caret and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    pub kind: LoadErrorKind,
    /// Path below the scripts folder, with `/`: of the script, or of the file it requires where the mistake is.
    pub path: String,
    pub line: Option<usize>,
    pub message: String,
    /// The line of source the error points at.
    pub source: Option<String>,
    /// Where in `source` the caret starts, in characters, and how many it underlines.
    pub caret: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadErrorKind {
    Syntax,
    /// An error raised by the top level.
    Runtime,
    /// The top level asked for something that only a run may do.
    TopLevelIo,
    TooLarge,
    NotUtf8,
    /// The file, or one that it requires, cannot be read.
    Unreadable,
    /// A `bot.…` declaration that makes no sense.
    Declaration,
    /// Its declarations clash with those of another script.
    Conflict,
    /// The file was emptied, which removing it would say better.
    Empty,
    /// It is somebody else's, and asks for what the owner has not granted.
    Ungranted,
}

impl LoadErrorKind {
    /// A word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Runtime => "runtime",
            Self::TopLevelIo => "top_level_io",
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::Unreadable => "unreadable",
            Self::Declaration => "declaration",
            Self::Conflict => "conflict",
            Self::Empty => "empty",
            Self::Ungranted => "ungranted",
        }
    }
}

impl LoadError {
    pub fn new(kind: LoadErrorKind, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.into(),
            line: None,
            message: message.into(),
            source: None,
            caret: None,
        }
    }

    /// Points at a line of `text`; the caret goes under what the message quotes, or under the whole line.
    #[must_use]
    pub fn at(mut self, line: usize, text: Option<&str>) -> Self {
        self.line = Some(line);
        let Some(source) = text.and_then(|text| text.lines().nth(line.saturating_sub(1))) else {
            return self;
        };
        let shown = source.trim_end();
        let indent = shown.chars().take_while(|c| c.is_whitespace()).count();
        let quoted = quoted(&self.message).find_map(|word| {
            find(shown, word).map(|at| (shown[..at].chars().count(), word.chars().count()))
        });
        self.caret =
            Some(quoted.unwrap_or((indent, shown.chars().count().saturating_sub(indent).max(1))));
        // Tabs would put the caret elsewhere than the terminal does.
        self.source = Some(shown.replace('\t', " "));
        self
    }
}

/// Where `word` stands last, by itself rather than inside a longer one if it does.
fn find(text: &str, word: &str) -> Option<usize> {
    let joins = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_alphanumeric());
    let mut places = text.rmatch_indices(word).map(|(at, _)| at);
    let alone = |at: &usize| {
        !joins(text[..*at].chars().next_back()) && !joins(text[at + word.len()..].chars().next())
    };
    places.find(alone).or_else(|| text.rfind(word))
}

/// What a message puts in quotes, last first: Luau ends with "got 'x'".
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    let mut words: Vec<&str> = Vec::new();
    for quote in ['\'', '`', '"'] {
        words.extend(message.split(quote).skip(1).step_by(2).filter(|word| !word.is_empty()));
    }
    words.into_iter().rev()
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        if let (Some(line), Some(source)) = (self.line, &self.source) {
            f.write_str(&excerpt(line, source, self.caret))?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// Says what is meant where Luau says only what it saw.
fn worded(message: &str) -> String {
    let object =
        |kind: &str| message.starts_with(kind) && message[kind.len()..].starts_with(": 0x");
    match message {
        "nil" => "`error` was called with nothing; give it a text".to_owned(),
        _ if object("table") => "`error` was called with a table; give it a text".to_owned(),
        _ if object("function") => "`error` was called with a function; give it a text".to_owned(),
        "attempt to modify a readonly table" => format!(
            "{message}: globals, and what moonbell gives a script, do not change once it has loaded; write `local`"
        ),
        _ => message.to_owned(),
    }
}

/// Frames shown of a deep traceback: what a stack overflow repeats twenty thousand times says nothing more.
const FIRST_FRAMES: usize = 10;
const LAST_FRAMES: usize = 5;

fn shortened(mut frames: Vec<String>) -> Vec<String> {
    if frames.len() > FIRST_FRAMES + LAST_FRAMES + 1 {
        let left_out = frames.len() - FIRST_FRAMES - LAST_FRAMES;
        let last = frames.split_off(frames.len() - LAST_FRAMES);
        frames.truncate(FIRST_FRAMES);
        frames.push(format!("… {left_out} more"));
        frames.extend(last);
    }
    frames
}

/// Characters shown of a line: a terminal's width, and enough to recognise the place. Generated code has lines of a
/// megabyte.
const WIDTH: usize = 120;

/// A line under its number, and under it a caret below `length` characters from `start`, both cut around that place.
pub(super) fn excerpt(line: usize, source: &str, caret: Option<(usize, usize)>) -> String {
    let gutter = line.to_string();
    let margin = " ".repeat(gutter.len());
    let (start, length) = caret.unwrap_or_default();
    let count = source.chars().count();
    let begin = if count <= WIDTH { 0 } else { start.saturating_sub(WIDTH / 3).min(count - WIDTH) };
    let before = if begin > 0 { "…" } else { "" };
    let after = if begin + WIDTH < count { "…" } else { "" };
    let shown: String = source.chars().skip(begin).take(WIDTH).collect();
    let mut text = format!("\n {gutter} | {before}{shown}{after}");
    if caret.is_some() {
        let start = start.saturating_sub(begin).min(WIDTH);
        let blanks = before.chars().count() + columns(shown.chars().take(start));
        let carets = columns(shown.chars().skip(start).take(length)).max(1);
        let _ = write!(text, "\n {margin} | {}{}", " ".repeat(blanks), "^".repeat(carets));
    }
    text
}

/// How many columns of a terminal these take: Chinese takes two each.
fn columns(characters: impl Iterator<Item = char>) -> usize {
    characters.map(|c| if (c as u32) >= 0x1100 { 2 } else { 1 }).sum()
}

/// An error raised by a script, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Chunk and line of the place that raised it, if it says.
    pub at: Option<(String, usize)>,
    /// The message alone.
    pub message: String,
    /// The frames of the script, newest first; glue of ours left out.
    pub traceback: Vec<String>,
}

impl Raised {
    pub fn from_error(error: &mlua::Error) -> Self {
        Self::parse(&flatten(error))
    }

    fn parse(text: &str) -> Self {
        let text = text
            .strip_prefix("runtime error: ")
            .or_else(|| text.strip_prefix("syntax error: "))
            .unwrap_or(text);
        let (head, frames) = match text.find("stack traceback:") {
            Some(at) => (text[..at].trim_end(), &text[at + "stack traceback:".len()..]),
            None => (text.trim_end(), ""),
        };
        let traceback: Vec<String> = frames
            .lines()
            .map(str::trim)
            .filter(|line| {
                !line.is_empty()
                    && !line.starts_with("[C]")
                    && !line.starts_with("moonbell:")
                    && !line.starts_with("__mlua")
                    && !line.starts_with("stack traceback")
            })
            .map(str::to_owned)
            .collect();
        let traceback = shortened(traceback);
        let (at, message) =
            position(head).map_or((None, head), |(path, line, rest)| (Some((path, line)), rest));
        // What is not a text says no place; the frame that raised it does.
        let at = at.or_else(|| place(traceback.first()?));
        Self { at, message: worded(message), traceback }
    }

    /// One line: `ping.luau:3: message`.
    pub fn short(&self) -> String {
        match &self.at {
            Some((path, line)) => format!("{path}:{line}: {}", self.message),
            None => self.message.clone(),
        }
    }

    /// The message and the script's frames.
    pub fn full(&self) -> String {
        let mut text = self.short();
        for frame in &self.traceback {
            text.push_str("\n  ");
            text.push_str(frame);
        }
        text
    }
}

/// The place of a frame: `path:12`, `path:12 function f`, `path:12: …`.
fn place(frame: &str) -> Option<(String, usize)> {
    frame.match_indices(':').find_map(|(at, _)| {
        let line = frame[at + 1..].split([' ', ':']).next()?.parse().ok()?;
        Some((frame[..at].to_owned(), line))
    })
}

/// Splits `path:12: message`.
fn position(text: &str) -> Option<(String, usize, &str)> {
    let (head, rest) = text.split_once(": ").or_else(|| text.split_once(":\n"))?;
    let (path, line) = head.rsplit_once(':')?;
    (!path.contains('\n')).then_some(())?;
    Some((path.to_owned(), line.parse().ok()?, rest))
}

/// The innermost message of an error, with the traceback that came with it.
fn flatten(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { traceback, cause } => {
            let text = flatten(cause);
            if text.contains("stack traceback:") { text } else { format!("{text}\n{traceback}") }
        }
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => text.clone(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_error_points_at_what_its_message_quotes() {
        let text = "local a = 1\nbot.command('ping' function() end)\n";
        let error =
            LoadError::new(LoadErrorKind::Syntax, "ping.luau", "Expected ')', got 'function'")
                .at(2, Some(text));
        insta::assert_snapshot!(error, @r"
        ping.luau:2: Expected ')', got 'function'
         2 | bot.command('ping' function() end)
           |                    ^^^^^^^^
        ");
    }

    #[test]
    fn the_caret_stands_under_its_word_behind_chinese_too() {
        let error =
            LoadError::new(LoadErrorKind::Runtime, "a.luau", "got 'oops'").at(1, Some("你好 oops"));
        insta::assert_snapshot!(error, @r"
        a.luau:1: got 'oops'
         1 | 你好 oops
           |      ^^^^
        ");
    }

    #[test]
    fn a_traceback_keeps_the_scripts_frames_only() {
        let raised = Raised::parse(
            "ping.luau:3: attempt to index nil with 'x'\nstack traceback:\n[C] in ?\nmoonbell:4\nping.luau:3 function f\nping.luau:9\n",
        );
        assert_eq!(raised.at, Some(("ping.luau".to_owned(), 3)));
        assert_eq!(raised.message, "attempt to index nil with 'x'");
        assert_eq!(raised.traceback, ["ping.luau:3 function f", "ping.luau:9"]);
    }

    #[test]
    fn a_line_of_a_megabyte_is_shown_around_its_place() {
        let text = format!("{} oops {}", "a ".repeat(500_000), "b ".repeat(1000));
        let error = LoadError::new(LoadErrorKind::Syntax, "a.luau", "got 'oops'");
        let shown = error.at(1, Some(&text)).to_string();
        insta::assert_snapshot!(shown, @r"
        a.luau:1: got 'oops'
         1 | … a a a a a a a a a a a a a a a a a a a  oops b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b…
           |                                          ^^^^
        ");
        let short =
            LoadError::new(LoadErrorKind::Syntax, "a.luau", "no").at(1, Some(&"x".repeat(5000)));
        assert!(short.to_string().lines().all(|line| line.chars().count() < WIDTH + 10), "{short}");
    }

    #[test]
    fn an_error_that_is_no_text_is_worded_and_placed_by_its_first_frame() {
        let raised = Raised::parse(
            "nil\nstack traceback:\n[C] in error\nping.luau:3 function f\nping.luau:9\n",
        );
        assert_eq!(raised.short(), "ping.luau:3: `error` was called with nothing; give it a text");
        let raised = Raised::parse("table: 0x0000\nstack traceback:\n[C] in error\nping.luau:7\n");
        assert_eq!(raised.short(), "ping.luau:7: `error` was called with a table; give it a text");
        // A message that only looks like one is a message.
        assert_eq!(Raised::parse("ping.luau:1: nil and void").message, "nil and void");
    }
}
