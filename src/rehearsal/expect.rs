//! What a test expects, compared with what was seen. A difference is a text that shows both.

use mlua::{Result as LuaResult, Table, Value};

use super::fakes::{begins, fits};
use super::stage::{Play, Seen, quoted};
use super::transcript::{command_line, words};
use crate::api::Options;
use crate::api::misuse;
use crate::message::Body;
use crate::message::ChatKind;
use crate::message::Reply;

/// What a text is to be like.
#[derive(Debug, Default)]
struct Text {
    exact: Option<String>,
    contains: Option<String>,
    matches: Option<regex::Regex>,
}

impl Text {
    fn fits(&self, text: &str) -> bool {
        self.exact.as_ref().is_none_or(|exact| exact == text)
            && self.contains.as_ref().is_none_or(|part| text.contains(part.as_str()))
            && self.matches.as_ref().is_none_or(|pattern| pattern.is_match(text))
    }

    fn describe(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.exact.as_ref().map(|text| quoted(text)));
        parts.extend(self.contains.as_ref().map(|text| format!("contains {}", quoted(text))));
        parts
            .extend(self.matches.as_ref().map(|text| format!("matches {}", quoted(text.as_str()))));
        if parts.is_empty() { "anything".to_owned() } else { parts.join(", ") }
    }
}

/// What a reply is to be like.
#[derive(Debug, Default)]
pub(super) struct ExpectedReply {
    text: Text,
    /// Staff id of the person it goes to, and their name.
    to: Option<(String, String)>,
    group: Option<String>,
    /// Whether it is Markdown.
    markdown: Option<bool>,
    title: Option<String>,
    file: Option<String>,
}

impl ExpectedReply {
    pub(super) fn read(value: Value) -> LuaResult<Self> {
        let table = match value {
            Value::String(text) => {
                let exact = Some(text.to_string_lossy());
                return Ok(Self { text: Text { exact, ..Text::default() }, ..Self::default() });
            }
            Value::Nil => return Ok(Self::default()),
            Value::Table(table) => table,
            other => {
                return Err(misuse(format!(
                    "expected the text, or a table such as {{ contains = … }}, got {}",
                    other.type_name()
                )));
            }
        };
        let mut options = Options::from(Some(table));
        let markdown = match options.value("markdown")? {
            Value::Nil => None,
            Value::Boolean(is) => Some((is, None)),
            Value::String(text) => Some((true, Some(text.to_string_lossy()))),
            other => {
                return Err(misuse(format!(
                    "option `markdown`: expected true, false or the text, got {}",
                    other.type_name()
                )));
            }
        };
        let mut expected = Self {
            text: Text {
                exact: options.string("text")?,
                contains: options.string("contains")?,
                matches: options
                    .string("matches")?
                    .map(|pattern| {
                        regex::Regex::new(&pattern).map_err(|error| {
                            misuse(format!("option `matches`: this is no pattern: {error}"))
                        })
                    })
                    .transpose()?,
            },
            to: person(&mut options, "to")?,
            group: options.string("group")?,
            markdown: markdown.as_ref().map(|(is, _)| *is),
            title: options.string("title")?,
            file: options.string("file")?,
        };
        options.finish()?;
        if let Some((_, Some(text))) = markdown {
            expected.text.exact = Some(text);
        }
        Ok(expected)
    }

    /// Whether a reply goes where this one is expected.
    fn is_there(&self, reply: &Reply, play: &Play) -> bool {
        let person = self.to.as_ref().is_none_or(|(id, _)| {
            reply.to.staff_id.as_ref().is_some_and(|staff| staff.as_str() == id)
        });
        let chat = reply.to.conversation_id.as_str();
        let group = self.group.as_ref().is_none_or(|group| {
            reply.to.kind == ChatKind::Group
                && (chat == group || play.names.get(chat).is_some_and(|name| name == group))
        });
        person && group
    }

    fn fits(&self, body: &Body) -> bool {
        let title = match body {
            Body::Markdown { title, .. } => Some(title),
            _ => None,
        };
        self.text.fits(&words(body))
            && self.markdown.is_none_or(|is| matches!(body, Body::Markdown { .. }) == is)
            && self.title.as_ref().is_none_or(|wanted| title == Some(wanted))
            && self
                .file
                .as_ref()
                .is_none_or(|wanted| matches!(body, Body::File { name, .. } if name == wanted))
    }

    fn describe(&self) -> String {
        let mut parts = vec![match &self.file {
            Some(name) => format!("file {}", quoted(name)),
            None => self.text.describe(),
        }];
        parts
            .extend(self.markdown.map(|is| if is { "Markdown" } else { "no Markdown" }.to_owned()));
        parts.extend(self.title.as_ref().map(|title| format!("title {}", quoted(title))));
        parts.extend(self.to.as_ref().map(|(_, name)| format!("to {name}")));
        parts.extend(self.group.as_ref().map(|group| format!("in {group}")));
        parts.join(", ")
    }

    pub(super) fn check(&self, play: &mut Play) -> Result<(), String> {
        let next =
            play.replies.iter().position(|seen| !seen.expected && self.is_there(&seen.what, play));
        let Some(next) = next else {
            let so_far = play.replies.iter().filter(|seen| !seen.expected).count();
            let why = match (play.replies.len(), so_far) {
                (0, _) => "there was no reply at all".to_owned(),
                (_, 0) => "there are no more replies".to_owned(),
                (_, n) => format!("none of the {n} replies left goes there"),
            };
            return Err(format!(
                "expected a reply\n  expected: {}\n       got: {why}",
                self.describe()
            ));
        };
        play.replies[next].expected = true;
        let body = &play.replies[next].what.body;
        if self.fits(body) {
            return Ok(());
        }
        let kind = if matches!(body, Body::Markdown { .. }) { ", Markdown" } else { "" };
        Err(format!(
            "another reply than expected\n  expected: {}\n       got: {}{kind}",
            self.describe(),
            quoted(&words(body))
        ))
    }
}

/// Nothing was said that the test did not expect.
pub(super) fn no_reply(play: &Play) -> Result<(), String> {
    match play.replies.iter().find(|seen| !seen.expected) {
        None => Ok(()),
        Some(seen) => Err(format!(
            "expected no reply\n  expected: nothing more\n       got: {}",
            quoted(&words(&seen.what.body))
        )),
    }
}

/// What a card is to be like.
#[derive(Debug)]
pub(super) struct ExpectedCard {
    title: Option<String>,
    text: Option<String>,
    state: Option<String>,
    to: Option<(String, String)>,
}

impl ExpectedCard {
    pub(super) fn read(mut options: Options) -> LuaResult<Self> {
        let expected = Self {
            title: options.string("title")?,
            text: options.string("text")?,
            state: options.string("state")?,
            to: person(&mut options, "to")?,
        };
        options.finish()?;
        if let Some(state) = &expected.state
            && !["open", "finished", "failed"].contains(&state.as_str())
        {
            return Err(misuse(format!(
                "option `state`: expected \"open\", \"finished\" or \"failed\", got {state:?}"
            )));
        }
        Ok(expected)
    }

    fn describe(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.title.as_ref().map(|title| format!("title {}", quoted(title))));
        parts.extend(self.state.clone());
        parts.extend(self.text.as_ref().map(|text| format!("contains {}", quoted(text))));
        parts.extend(self.to.as_ref().map(|(_, name)| format!("to {name}")));
        if parts.is_empty() { "any".to_owned() } else { parts.join(", ") }
    }

    /// The next card of that title; once all were expected, the last one again: it may have changed.
    pub(super) fn check(&self, play: &mut Play) -> Result<(), String> {
        let is_meant = |seen: &Seen<crate::outbox::Card>| {
            self.title.as_ref().is_none_or(|title| seen.what.title() == title)
                && self.to.as_ref().is_none_or(|(id, _)| {
                    seen.what.to().staff_id.as_ref().is_some_and(|staff| staff.as_str() == id)
                })
        };
        let next = play.cards.iter().position(|seen| !seen.expected && is_meant(seen));
        let next = next.or_else(|| play.cards.iter().rposition(is_meant));
        let Some(next) = next else {
            let titles: Vec<String> =
                play.cards.iter().map(|seen| quoted(seen.what.title())).collect();
            let got = if titles.is_empty() {
                "there is no card".to_owned()
            } else {
                format!("cards with the titles {}", titles.join(", "))
            };
            return Err(format!(
                "expected a card\n  expected: {}\n       got: {got}",
                self.describe()
            ));
        };
        play.cards[next].expected = true;
        let card = &play.cards[next].what;
        let (text, state) = card.look();
        if self.state.as_ref().is_none_or(|wanted| wanted == state)
            && self.text.as_ref().is_none_or(|part| text.contains(part.as_str()))
        {
            return Ok(());
        }
        Err(format!(
            "another card than expected\n  expected: {}\n       got: title {}, {state}, {}",
            self.describe(),
            quoted(card.title()),
            quoted(&text)
        ))
    }
}

/// The next program that began so. Programs that began otherwise are passed over.
pub(super) fn process(play: &mut Play, argv: &[String]) -> Result<(), String> {
    if let Some(seen) = play.ran.iter_mut().find(|seen| !seen.expected && begins(&seen.what, argv))
    {
        seen.expected = true;
        return Ok(());
    }
    let left: Vec<String> = play
        .ran
        .iter()
        .filter(|seen| !seen.expected)
        .map(|seen| command_line(&seen.what))
        .collect();
    let got = if left.is_empty() { "none".to_owned() } else { left.join("\n            ") };
    Err(format!("expected a program\n  expected: {}\n       got: {got}", command_line(argv)))
}

/// An HTTP call that was made.
#[derive(Debug)]
pub(super) struct ExpectedCall {
    method: Option<String>,
    url: Option<String>,
    body: Option<String>,
}

impl ExpectedCall {
    pub(super) fn read(mut options: Options) -> LuaResult<Self> {
        let expected = Self {
            method: options.string("method")?.map(|method| method.to_uppercase()),
            url: options.string("url")?,
            body: options.string("body")?,
        };
        options.finish()?;
        Ok(expected)
    }

    pub(super) fn check(&self, play: &mut Play) -> Result<(), String> {
        let found = play.called.iter_mut().find(|seen| {
            !seen.expected
                && self.method.as_ref().is_none_or(|method| *method == seen.what.method)
                && self.url.as_ref().is_none_or(|url| fits(url, &seen.what.url))
                && self.body.as_ref().is_none_or(|part| seen.what.body.contains(part.as_str()))
        });
        if let Some(seen) = found {
            seen.expected = true;
            return Ok(());
        }
        let mut wanted: Vec<String> = self.method.iter().chain(&self.url).cloned().collect();
        wanted.extend(self.body.as_ref().map(|part| format!("body contains {}", quoted(part))));
        let left: Vec<String> = play
            .called
            .iter()
            .filter(|seen| !seen.expected)
            .map(|seen| {
                let body = if seen.what.body.is_empty() {
                    String::new()
                } else {
                    format!(" {}", quoted(&seen.what.body))
                };
                format!("{} {}{body}", seen.what.method, seen.what.url)
            })
            .collect();
        let got = if left.is_empty() { "none".to_owned() } else { left.join("\n            ") };
        Err(format!("expected an HTTP call\n  expected: {}\n       got: {got}", wanted.join(" ")))
    }
}

/// A person of the test: staff id and name.
fn person(options: &mut Options, name: &'static str) -> LuaResult<Option<(String, String)>> {
    match options.value(name)? {
        Value::Nil => Ok(None),
        Value::String(id) => Ok(Some((id.to_string_lossy(), id.to_string_lossy()))),
        Value::Table(table) => person_of(&table).map(Some).ok_or_else(|| wrong_person(name)),
        _ => Err(wrong_person(name)),
    }
}

/// What a person of the test is, from the object that `t:user` made.
pub(super) fn person_of(table: &Table) -> Option<(String, String)> {
    let text = |key: &str| table.raw_get::<Option<String>>(key).ok().flatten();
    Some((text("id")?, text("name")?))
}

fn wrong_person(name: &str) -> mlua::Error {
    misuse(format!("option `{name}`: expected somebody from `t:user`, or a staff id"))
}
