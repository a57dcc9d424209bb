//! The transcript that opens an example: who says what to whom, as a list of steps.
//!
//! ```text
//! ann> deploy prod                 ann writes to the bot, in their direct chat
//! ann> [notes.txt]                 … and sends a file
//! ann> yes …                       … with the number that was shown last in this chat
//! ann in ops> deploy prod          ann mentions the bot in the group `ops`
//! bot> done                        the next message of the bot in the chat where somebody spoke last
//! bot to owner> ann deploys        … in the direct chat with the owner
//! bot in ops> done                 … in a group
//!      two lines                   what is indented goes on with the message above
//! card> **deploy**…                a card, as it stands when it has finished; `failed card>` when it has failed
//! file> log.zip                    a file that the bot sends
//! (the site goes down)             something happens around: the harness knows what
//! ```
//!
//! `…` stands for anything.

use std::iter::Peekable;
use std::str::Lines;

/// Where something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chat {
    With(String),
    Group(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Card,
    FailedCard,
    File,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Said { who: String, chat: Chat, text: String },
    Heard { chat: Chat, kind: Kind, text: String },
    Happened { what: String },
}

/// Reads the transcript out of the comment that opens a script.
#[track_caller]
pub(super) fn read(script: &str) -> Vec<Step> {
    let (before, rest) = script.split_once("--[[").expect("a comment opens the script");
    assert_eq!(before.trim(), "--!strict", "the comment comes first, after --!strict");
    let comment = rest.split_once("\n]]").expect("the comment ends on a line of its own").0;
    let mut steps = Vec::new();
    let mut here = None;
    // What comes before the first line of a transcript is for people.
    let mut lines = comment.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(what) = line.strip_prefix('(').and_then(|line| line.strip_suffix(')')) {
            steps.push(Step::Happened { what: what.to_owned() });
            continue;
        }
        let Some((head, text)) = line.split_once("> ").filter(|(head, _)| is_head(head)) else {
            assert!(steps.is_empty() || line.is_empty(), "no line of a transcript: {line:?}");
            continue;
        };
        let text = with_more(text, &mut lines);
        let (who, place) = speaker(head);
        let kind = match who {
            "bot" => Kind::Text,
            "card" => Kind::Card,
            "failed card" => Kind::FailedCard,
            "file" => Kind::File,
            person => {
                let chat = place.unwrap_or_else(|| Chat::With(person.to_owned()));
                here = Some(chat.clone());
                steps.push(Step::Said { who: person.to_owned(), chat, text });
                continue;
            }
        };
        let chat = place.or_else(|| here.clone()).expect("somebody has spoken before the bot does");
        steps.push(Step::Heard { chat, kind, text });
    }
    steps
}

/// Such as `owner`, `ann in ops`, `failed card`, `bot to owner`: a few plain words.
fn is_head(head: &str) -> bool {
    !head.is_empty()
        && head.split(' ').count() <= 4
        && head.chars().all(|c| c.is_ascii_lowercase() || c == ' ')
}

fn speaker(head: &str) -> (&str, Option<Chat>) {
    if let Some((who, group)) = head.split_once(" in ") {
        (who, Some(Chat::Group(group.to_owned())))
    } else if let Some((who, person)) = head.split_once(" to ") {
        (who, Some(Chat::With(person.to_owned())))
    } else {
        (head, None)
    }
}

/// The indented lines that follow, empty ones between them included.
fn with_more(first: &str, lines: &mut Peekable<Lines<'_>>) -> String {
    let mut text = first.to_owned();
    loop {
        let mut ahead = lines.clone();
        let blank = std::iter::from_fn(|| ahead.next_if(|line| line.is_empty())).count();
        let Some(more) = ahead.next().and_then(|line| line.strip_prefix("     ")) else {
            return text;
        };
        text.push_str(&"\n".repeat(blank + 1));
        text.push_str(more);
        *lines = ahead;
    }
}

/// Whether a text is as the transcript shows it.
pub(super) fn fits(text: &str, shown: &str) -> bool {
    let text = text.trim_end();
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else {
        return false;
    };
    let Some(end) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

#[test]
fn a_transcript_is_read_line_by_line() {
    let script = "--!strict\n--[[ What it is for.\n\nann in ops> deploy\nbot> a\n     b\n\n     c\n(an hour later)\n\
                  failed card to owner> x\nfile> y\n]]\nbot> no\n";
    let with = |name: &str| Chat::With(name.to_owned());
    let ops = || Chat::Group("ops".to_owned());
    assert_eq!(
        read(script),
        [
            Step::Said { who: "ann".to_owned(), chat: ops(), text: "deploy".to_owned() },
            Step::Heard { chat: ops(), kind: Kind::Text, text: "a\nb\n\nc".to_owned() },
            Step::Happened { what: "an hour later".to_owned() },
            Step::Heard { chat: with("owner"), kind: Kind::FailedCard, text: "x".to_owned() },
            Step::Heard { chat: ops(), kind: Kind::File, text: "y".to_owned() },
        ]
    );
}

#[test]
fn dots_stand_for_anything() {
    for (text, shown, expected) in [
        ("done", "done", true),
        ("done ", "done", true),
        ("done!", "done", false),
        ("done in 3s, ok", "done in …, ok", true),
        ("done in 3s", "done in …, ok", false),
        ("a b c d", "a…c…", true),
        ("a b d", "a…c…", false),
        ("aba", "a…aba", false),
    ] {
        assert_eq!(fits(text, shown), expected, "{text:?} {shown:?}");
    }
}
