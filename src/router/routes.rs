//! The handlers of all scripts, compiled: one look-up for commands, one pass over the text for all patterns.
//!
//! Built anew for every generation and then only read. What choosing costs does not grow with the number of handlers:
//! commands are found by hashing the first words, patterns by the literal texts that they need ([`Index`]).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use regex::{Regex, RegexBuilder};

use crate::access::Terms;
use crate::message::Mention;

use super::arguments::{self, Args};
use super::control::{self, Control};
use super::declaration::{self, Command, MAX_NAME_WORDS};
use super::help::Help;
use super::index::Index;
use super::problem::Problem;
use super::words::{self, Word};

/// A compiled pattern may take this much memory: far above anything written by hand, far below what hurts.
const PATTERN_BYTES: usize = 1 << 20;

/// The same for all patterns together that need no literal text.
const SET_BYTES: usize = 256 << 20;

/// What the host answers itself, among the names that somebody may have meant.
const OWN_NAMES: [&str; 3] = ["help", "stop", "runs"];

/// One registration of a script. `I` is how the caller finds the function again.
#[derive(Clone, Debug)]
pub struct Handler<I> {
    pub id: I,
    pub kind: Kind,
    /// Higher goes first among matches and among fallbacks.
    pub priority: i32,
    pub place: Place,
    /// For whom it is, and where.
    pub terms: Terms,
    pub help: Help,
    /// Names beside those in the declaration.
    pub aliases: Vec<String>,
    /// A line to show as example, when the author wrote one.
    pub example: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Command(Command),
    Match(Pattern),
    Fallback,
}

/// Where a handler was registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub script: String,
    pub line: u32,
}

/// A regular expression of a script: linear time, bounded size.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<Regex>);

/// Why a pattern was refused: the regex engine's own words, which show the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

/// What surrounds a message while it is being understood.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What `today` and `tomorrow` mean to this person.
    pub today: NaiveDate,
    /// Whom the message mentions; they fill the arguments that are people.
    pub mentions: &'a [Mention],
}

/// What a message is for.
#[derive(Debug)]
pub enum Choice<'r, I> {
    Control(Control),
    Help {
        topic: Option<String>,
    },
    Command {
        handler: &'r Handler<I>,
        args: Args,
        after: After,
    },
    /// Meant for this command, but not as it was written: [`Handler::explain`] says why.
    BadArguments {
        handler: &'r Handler<I>,
        problem: Problem,
    },
    Match {
        handler: &'r Handler<I>,
        captures: Captures,
        after: After,
    },
    Fallback {
        handler: &'r Handler<I>,
        after: After,
    },
    /// Nobody; [`Routes::unknown`] says so. Empty when the message has no text.
    Unknown {
        word: String,
    },
}

/// Where to go on when a handler hands on (`return bot.pass`); of use only with the routes it came from. The default is the first match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct After(usize);

/// What a pattern found: the whole match and its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    /// The whole match first; a group that took no part is `None`.
    pub groups: Vec<Option<String>>,
    pub named: Vec<(String, String)>,
}

/// Why handlers cannot be served together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the command `{name}` is declared twice: {first} and {second}")]
    Conflict { name: String, first: Place, second: Place },
    #[error(
        "{place}: `{name}` is a word of moonbell's own and would never reach a script; choose another name"
    )]
    Reserved { name: String, place: Place },
    #[error("{place}: {message}")]
    Alias { message: String, place: Place },
    #[error("all patterns that need no certain text take together more than {} MiB: {message}", SET_BYTES >> 20)]
    TooLarge { message: String },
}

/// All handlers, ready to choose from.
#[derive(Debug)]
pub struct Routes<I> {
    pub(super) handlers: Vec<Arc<Handler<I>>>,
    /// Folded name, words joined by one space, to an index into `handlers`.
    commands: HashMap<String, usize>,
    /// Folded first word of a name to the most words that any name beginning with it has.
    longest: HashMap<String, usize>,
    /// Patterns in the order they are tried; positions agree with `index`.
    pub(super) matches: Vec<(Pattern, usize)>,
    index: Index,
    /// In the order they are tried, after all matches.
    pub(super) fallbacks: Vec<usize>,
}

impl<I> Handler<I> {
    pub fn command(&self) -> Option<&Command> {
        match &self.kind {
            Kind::Command(command) => Some(command),
            Kind::Match(_) | Kind::Fallback => None,
        }
    }

    /// How lists and the audit call it: the command's name, the pattern, or `fallback`.
    pub fn title(&self) -> &str {
        match &self.kind {
            Kind::Command(command) => &command.name,
            Kind::Match(pattern) => pattern.as_str(),
            Kind::Fallback => "fallback",
        }
    }

    /// All names it answers to; none but for commands.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let aliases = self.aliases.iter().map(String::as_str);
        self.command().into_iter().flat_map(Command::names).chain(aliases)
    }
}

impl Pattern {
    /// # Errors
    /// When it is no regular expression, or grows too large.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
        built.map(|regex| Self(Arc::new(regex))).map_err(|error| PatternError(error.to_string()))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What its groups are called in arguments: by name if any has one, else `1` and so on.
    pub fn groups(&self) -> Vec<String> {
        let named: Vec<String> = self.0.capture_names().flatten().map(str::to_owned).collect();
        if !named.is_empty() {
            return named;
        }
        (1..self.0.captures_len()).map(|n| n.to_string()).collect()
    }

    fn captures(&self, text: &str) -> Option<Captures> {
        let found = self.0.captures(text)?;
        let owned = |group: regex::Match<'_>| group.as_str().to_owned();
        let named = self.0.capture_names().flatten();
        Some(Captures {
            groups: found.iter().map(|group| group.map(owned)).collect(),
            named: named
                .filter_map(|name| Some((name.to_owned(), owned(found.name(name)?))))
                .collect(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.script, self.line)
    }
}

impl<I> Choice<'_, I> {
    /// The handler that was chosen, or whose arguments were wrong.
    pub fn handler(&self) -> Option<&Handler<I>> {
        match self {
            Self::Command { handler, .. }
            | Self::BadArguments { handler, .. }
            | Self::Match { handler, .. }
            | Self::Fallback { handler, .. } => Some(handler),
            Self::Control(_) | Self::Help { .. } | Self::Unknown { .. } => None,
        }
    }
}

impl<I> Default for Routes<I> {
    fn default() -> Self {
        Self {
            handlers: Vec::new(),
            commands: HashMap::new(),
            longest: HashMap::new(),
            matches: Vec::new(),
            index: Index::default(),
            fallbacks: Vec::new(),
        }
    }
}

impl<I> Routes<I> {
    /// Compiles the handlers of all scripts.
    ///
    /// # Errors
    /// Every conflict and every unusable name, each with its places.
    pub fn compile(
        handlers: impl IntoIterator<Item = Arc<Handler<I>>>,
    ) -> Result<Self, Vec<Fault>> {
        let mut routes = Self { handlers: handlers.into_iter().collect(), ..Self::default() };
        let mut faults = Vec::new();
        routes.index_commands(&mut faults);
        let mut ordered: Vec<usize> = (0..routes.handlers.len()).collect();
        ordered.sort_by(|&a, &b| {
            let (a, b) = (&routes.handlers[a], &routes.handlers[b]);
            b.priority.cmp(&a.priority).then_with(|| a.place.cmp(&b.place))
        });
        for index in ordered {
            match &routes.handlers[index].kind {
                Kind::Command(_) => {}
                Kind::Match(pattern) => routes.matches.push((pattern.clone(), index)),
                Kind::Fallback => routes.fallbacks.push(index),
            }
        }
        let patterns: Vec<&str> =
            routes.matches.iter().map(|(pattern, _)| pattern.as_str()).collect();
        match Index::new(&patterns, SET_BYTES) {
            Ok(index) => routes.index = index,
            Err(error) => faults.push(Fault::TooLarge { message: error.to_string() }),
        }
        if faults.is_empty() { Ok(routes) } else { Err(faults) }
    }

    /// Looks for faults without compiling patterns: what a reload asks first, for each script by itself.
    pub fn check(handlers: impl IntoIterator<Item = Arc<Handler<I>>>) -> Vec<Fault> {
        let mut routes = Self { handlers: handlers.into_iter().collect(), ..Self::default() };
        let mut faults = Vec::new();
        routes.index_commands(&mut faults);
        faults
    }

    fn index_commands(&mut self, faults: &mut Vec<Fault>) {
        for (index, handler) in self.handlers.iter().enumerate() {
            for name in handler.names() {
                let place = handler.place.clone();
                let name = match declaration::check_name(name) {
                    Ok(name) => name,
                    Err((_, message)) => {
                        faults.push(Fault::Alias { message, place });
                        continue;
                    }
                };
                if control::is_reserved(&name) {
                    let name = name.split(' ').next().unwrap_or_default().to_owned();
                    faults.push(Fault::Reserved { name, place });
                    continue;
                }
                let key = words::fold(&name);
                let first = key.split(' ').next().unwrap_or_default().to_owned();
                let count = key.split(' ').count();
                match self.commands.insert(key, index) {
                    Some(other) if other != index => {
                        let first = self.handlers[other].place.clone();
                        faults.push(Fault::Conflict { name, first, second: place });
                    }
                    _ => {}
                }
                let longest = self.longest.entry(first).or_default();
                *longest = count.max(*longest);
            }
        }
    }

    pub fn handlers(&self) -> impl Iterator<Item = &Handler<I>> {
        self.handlers.iter().map(Arc::as_ref)
    }

    /// Chooses who gets a message with this text.
    pub fn choose<'r>(&'r self, text: &str, asked: &Asked<'_>) -> Choice<'r, I> {
        let words = words::split(text);
        match control::read(&words) {
            Some(Control::Help(topic)) => return Choice::Help { topic },
            Some(control) => return Choice::Control(control),
            None => {}
        }
        if let Some((handler, rest)) = self.command(&words) {
            return match handler
                .command()
                .map(|command| arguments::bind(command, text, &rest, asked))
            {
                Some(Err(problem)) => Choice::BadArguments { handler, problem },
                Some(Ok(args)) => Choice::Command { handler, args, after: After(0) },
                None => self.choose_after(text, After(0)),
            };
        }
        self.choose_after(text, After(0))
    }

    /// Chooses again, after a handler that handed on.
    pub fn choose_after<'r>(&'r self, text: &str, after: After) -> Choice<'r, I> {
        if after.0 < self.matches.len() {
            for position in self.index.candidates(text, after.0) {
                let (pattern, index) = &self.matches[position];
                if let Some(captures) = pattern.captures(text) {
                    return Choice::Match {
                        handler: &self.handlers[*index],
                        captures,
                        after: After(position + 1),
                    };
                }
            }
        }
        let tried = after.0.saturating_sub(self.matches.len());
        if let Some(&index) = self.fallbacks.get(tried) {
            let after = After(self.matches.len() + tried + 1);
            return Choice::Fallback { handler: &self.handlers[index], after };
        }
        let word = words::split(text).into_iter().next().map(|word| word.text).unwrap_or_default();
        Choice::Unknown { word }
    }

    /// Position of the first pattern that matches `text` and that `wanted` takes.
    pub(super) fn first_match(
        &self,
        text: &str,
        wanted: impl Fn(&Pattern) -> bool,
    ) -> Option<usize> {
        self.index.candidates(text, 0).into_iter().find(|&position| {
            let pattern = &self.matches[position].0;
            wanted(pattern) && pattern.0.is_match(text)
        })
    }

    /// The command that the first words name, with the words after its name.
    pub(super) fn command(&self, words: &[Word]) -> Option<(&Handler<I>, Vec<Word>)> {
        let first = words.first().filter(|word| !word.quoted)?;
        if let Some((index, taken)) = self.longest_name(words) {
            return Some((&self.handlers[index], words[taken..].to_vec()));
        }
        // `部署：prod`: an input method leaves no space after its punctuation.
        let (at, mark) = first.text.char_indices().find(|(_, c)| matches!(c, '：' | '，'))?;
        let tail = &first.text[at + mark.len_utf8()..];
        if tail.is_empty() || first.text.contains('\\') {
            return None;
        }
        let head = Word { text: first.text[..at].to_owned(), start: first.start, quoted: false };
        let tail = Word {
            text: tail.to_owned(),
            start: first.start + at + mark.len_utf8(),
            quoted: false,
        };
        let split: Vec<Word> = [head, tail].into_iter().chain(words[1..].iter().cloned()).collect();
        let (index, taken) = self.longest_name(&split)?;
        Some((&self.handlers[index], split[taken..].to_vec()))
    }

    /// Index of the command with the longest name that `words` begin with, and how many words that name has.
    fn longest_name(&self, words: &[Word]) -> Option<(usize, usize)> {
        let folded: Vec<String> =
            words.iter().take(MAX_NAME_WORDS).map(|word| words::fold(&word.text)).collect();
        let first = folded.first()?;
        let bare = first.strip_prefix('/').unwrap_or(first);
        let plain = words::trim_punctuation(bare);
        let longest = self.longest.get(bare).or_else(|| self.longest.get(plain))?;
        for count in (1..=folded.len().min(*longest)).rev() {
            let mut name = bare.to_owned();
            for word in &folded[1..count] {
                name.push(' ');
                name.push_str(word);
            }
            let index = self
                .commands
                .get(&name)
                .or_else(|| self.commands.get(words::trim_punctuation(&name)));
            if let Some(&index) = index {
                return Some((index, count));
            }
        }
        None
    }

    /// The handler of the command with exactly this name or alias.
    pub fn named(&self, name: &str) -> Option<&Handler<I>> {
        let words = words::split(name);
        let (index, taken) = self.longest_name(&words)?;
        (taken == words.len()).then(|| self.handlers[index].as_ref())
    }

    /// The command name that was probably meant by `typed`, among those that `allowed` lets this person use.
    pub fn nearest(&self, typed: &str, allowed: impl Fn(&Handler<I>) -> bool) -> Option<&str> {
        let names = self.handlers().filter(|handler| allowed(handler)).flat_map(Handler::names);
        words::nearest(typed.trim_start_matches(['/', '／']), names.chain(OWN_NAMES))
    }

    /// The patterns in the order of asking, each with whether it matches `text`: what choosing went by.
    pub fn asked<'r>(&'r self, text: &str) -> impl Iterator<Item = (&'r Handler<I>, bool)> {
        self.matches
            .iter()
            .map(move |(pattern, index)| (self.handlers[*index].as_ref(), pattern.0.is_match(text)))
    }

    /// The fallbacks in the order of asking.
    pub fn fallbacks(&self) -> impl Iterator<Item = &Handler<I>> {
        self.fallbacks.iter().map(|&index| self.handlers[index].as_ref())
    }
}
