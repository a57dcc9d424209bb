//! Calls that need more than their script asks for, as far as that stands in its text.
//!
//! What is put together while a script runs is seen when it runs: the host refuses it then, with the same words.

use std::ops::Range;

use url::Url;

use super::finding::Finding;
use super::lexer::{Kind, Token};
use crate::access::needs::Owner;
use crate::access::{Need, Reach, Use};
use crate::api::http::may_call;

/// What a call was seen to ask for.
enum Seen {
    /// This.
    Exactly(Need),
    /// A call of this address.
    Call(Url),
    /// Something of this kind.
    Some(Need),
}

/// The calls in a file of a script that reaches so far.
pub(super) fn findings(path: &str, text: &str, tokens: &[Token], reach: &Reach) -> Vec<Finding> {
    let reader = Reader { text, tokens };
    let calls = (0..tokens.len()).filter_map(|at| reader.call(at));
    calls
        .filter_map(|(seen, span)| {
            let why = match seen {
                Seen::Some(need) if has_some(reach, &need) => return None,
                Seen::Exactly(need) | Seen::Some(need) => reach.ask(&need).err()?,
                Seen::Call(url) => may_call(reach, &url).err()?,
            };
            Some(Finding::warning("need", path, text, &span, |_| why.as_str()))
        })
        .collect()
}

/// Whether anything that was asked for is of the kind of `need`.
fn has_some(reach: &Reach, need: &Need) -> bool {
    match reach {
        Reach::All => true,
        Reach::Only(needs) => needs.iter().any(|one| need.covers(one)),
        Reach::Nothing => false,
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.text[token.span.clone()])
    }

    /// A string that stands there as it is.
    fn literal(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at).filter(|token| token.kind == Kind::String)?;
        let inner = self.text[token.span.clone()].strip_prefix(['"', '\''])?;
        let inner = inner.strip_suffix(['"', '\''])?;
        (!inner.contains('\\')).then_some(inner)
    }

    /// What the call that begins at a token needs.
    fn call(&self, at: usize) -> Option<(Seen, Range<usize>)> {
        let before = at.checked_sub(1).map_or("", |at| self.word(at));
        let (first, second) = (self.word(at), self.word(at + 1));
        // `ctx:stream{ … }`
        if first == "stream" && before == ":" {
            let open = if second == "(" { at + 2 } else { at + 1 };
            return Some((self.program(open), self.tokens[at].span.clone()));
        }
        if second != "." || matches!(before, "." | ":") {
            return None;
        }
        let span = self.tokens[at].span.start..self.tokens.get(at + 2)?.span.end;
        let argument = if self.word(at + 3) == "(" { at + 4 } else { at + 3 };
        let seen = match (first, self.word(at + 2)) {
            ("shell", "run" | "spawn") => self.program(argument),
            ("shell", "sh") => Seen::Exactly(Need::Shell(None)),
            ("http", "get" | "post") => match self.literal(argument) {
                Some(url) => Seen::Call(Url::parse(url).ok()?),
                None => Seen::Some(Need::Http(None)),
            },
            ("http", "request") => Seen::Some(Need::Http(None)),
            ("secret", "get") => match self.literal(argument) {
                Some(name) => Seen::Exactly(Need::Secret(Some(name.to_owned()))),
                None => Seen::Some(Need::Secret(None)),
            },
            ("bot", "send") => match self.literal(argument) {
                Some("owner") => Seen::Exactly(Need::Send(Some(Owner))),
                _ if self.word(argument) == "{" => Seen::Exactly(Need::Send(None)),
                _ => Seen::Some(Need::Send(None)),
            },
            ("fs", "read" | "list" | "glob" | "stat") => self.file(argument, Use::Read)?,
            ("fs", "write" | "append" | "mkdir" | "remove") => self.file(argument, Use::Write)?,
            _ => return None,
        };
        Some((seen, span))
    }

    /// Of a table of arguments.
    fn program(&self, at: usize) -> Seen {
        if self.word(at) != "{" {
            return Seen::Some(Need::Shell(None));
        }
        match self.literal(at + 1) {
            Some(program) => Seen::Exactly(Need::Shell(Some(program.to_owned()))),
            None => Seen::Some(Need::Shell(None)),
        }
    }

    /// A path that leaves the script's own folder.
    fn file(&self, at: usize, does: Use) -> Option<Seen> {
        let path = self.literal(at).filter(|path| path.starts_with(['/', '~']))?;
        // A pattern needs the folder that it begins in.
        let plain = path.split('/').take_while(|part| !part.contains(['*', '?', '[', '{']));
        let plain = plain.collect::<Vec<_>>().join("/");
        Some(Seen::Exactly(Need::Fs(Some(does), Some(plain))))
    }
}
