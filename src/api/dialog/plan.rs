//! What an approval is about: every part of it, in lines that can be read without doubt, and its digest.

use serde_json::Value as Json;

use crate::api::shell::command::{Command, SpawnError, Stdin};
use crate::api::time::format_duration;
use crate::asks::{Digest, marked, quoted};
use crate::words::Lang;
use crate::words::approvals;

/// What will happen.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) lines: Vec<String>,
    /// Over all that the lines say, as it is and not as it is shown.
    pub(super) digest: String,
}

/// A handler that is about to run, with all of its arguments.
pub(super) fn of_handler(script: &str, declared: &str, args: &Json, message: &str) -> Plan {
    let mut lines = vec![format!("{} · {}", marked(script), marked(declared))];
    match args {
        Json::Object(args) => {
            lines.extend(columns(args.iter().map(|(name, value)| (name.clone(), value))));
        }
        Json::Array(args) => {
            let numbered = (1..).zip(args).map(|(n, value): (usize, _)| (n.to_string(), value));
            lines.extend(columns(numbered));
        }
        _ => {}
    }
    let digest = Digest::of("handler").with(script).with(declared).with(args.to_string());
    Plan { lines, digest: digest.with(message).hex() }
}

fn of_value(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text.as_bytes()),
        Json::Array(list) => list.iter().map(of_value).collect::<Vec<_>>().join(" "),
        Json::Null => "—".to_owned(),
        // What JSON leaves as it is may still hide or turn.
        other => marked(&other.to_string()),
    }
}

/// What a script says in its own words. Each line stands further in, so that none is taken for one of the host's.
pub(super) fn of_text(text: &[u8]) -> Plan {
    let lines = match std::str::from_utf8(text) {
        Ok(text) => marked(text.trim_end_matches('\n')).lines().map(indented).collect(),
        Err(_) => vec![indented(&quoted(text))],
    };
    Plan { lines, digest: Digest::of("text").with(text).hex() }
}

/// A list of texts, each in a line.
pub(super) fn of_list(items: &[Vec<u8>]) -> Plan {
    let digest = Digest::of("list").with(items.len().to_be_bytes());
    Plan {
        lines: items.iter().map(|item| indented(&quoted(item))).collect(),
        digest: items.iter().fold(digest, Digest::with).hex(),
    }
}

/// What a script put into a table: the items of a list, or values by their names.
pub(super) fn of_json(value: &Json) -> Plan {
    let lines = match value {
        Json::Object(named) => columns(named.iter().map(|(name, value)| (name.clone(), value))),
        Json::Array(items) => items.iter().map(|item| indented(&of_value(item))).collect(),
        other => vec![indented(&of_value(other))],
    };
    Plan { lines, digest: Digest::of("table").with(value.to_string()).hex() }
}

fn indented(line: &str) -> String {
    format!("  {line}")
}

/// A line for each value, with the names in a column.
fn columns<'v>(named: impl Iterator<Item = (String, &'v Json)>) -> Vec<String> {
    let named: Vec<(String, &Json)> = named.map(|(name, value)| (marked(&name), value)).collect();
    let width = named.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): (String, &Json)| {
        let gap = " ".repeat(width - name.chars().count());
        format!("  {name}{gap}  {}", of_value(value))
    };
    named.into_iter().map(line).collect()
}

/// The text that stands for an argument in a question: in short, since all of it is in the lines.
pub(super) fn in_short(value: &Json) -> String {
    const CHARS: usize = 60;
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Array(list) => list.iter().map(in_short).collect::<Vec<_>>().join(" "),
        Json::Null => "—".to_owned(),
        other => other.to_string(),
    };
    let text = marked(&text.replace('\n', " "));
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A program that is about to start. `play`: it is played, so that nobody looks whether it is there.
///
/// # Errors
/// When it could not start: then nobody needs to be asked.
pub(super) fn of_command(command: &Command, play: bool, lang: Lang) -> Result<Plan, SpawnError> {
    let words: Vec<String> = command.argv.iter().map(|word| quoted(word)).collect();
    let mut lines = vec![words.join(" ")];
    let mut add = |label: fn(Lang) -> &'static str, value: String| {
        lines.push(format!("  {}  {value}", label(lang)));
    };
    if !play {
        let (program, folder) = command.found()?;
        add(approvals::program, quoted(program.as_os_str().as_encoded_bytes()));
        add(approvals::folder, quoted(folder.as_os_str().as_encoded_bytes()));
    } else if let Some(folder) = &command.cwd {
        add(approvals::folder, quoted(folder.as_bytes()));
    }
    for (name, value) in &command.env {
        match value {
            Some(value) => {
                let value = quoted(value.as_bytes());
                add(approvals::with, format!("{}={value}", quoted(name.as_bytes())));
            }
            None => add(approvals::without, quoted(name.as_bytes())),
        }
    }
    if let Stdin::Bytes(input) = &command.stdin {
        add(approvals::input, quoted(input));
    }
    if let Some(timeout) = command.timeout {
        add(approvals::limit, format_duration(timeout));
    }
    Ok(Plan { lines, digest: digest(command, play)? })
}

/// Of all that the start of a program depends on and a script can say.
///
/// # Errors
/// As [`of_command`].
pub(super) fn digest(command: &Command, play: bool) -> Result<String, SpawnError> {
    let mut digest = Digest::of("program").with(command.argv.len().to_be_bytes());
    for word in &command.argv {
        digest = digest.with(word);
    }
    digest = if play {
        digest.with_some(command.cwd.as_deref())
    } else {
        let (program, folder) = command.found()?;
        digest
            .with(program.as_os_str().as_encoded_bytes())
            .with(folder.as_os_str().as_encoded_bytes())
    };
    digest = digest.with(command.env.len().to_be_bytes());
    for (name, value) in &command.env {
        digest = digest.with(name).with_some(value.as_deref());
    }
    let input = match &command.stdin {
        Stdin::Bytes(input) => Some(input),
        Stdin::Null | Stdin::Pipe => None,
    };
    let timeout = command.timeout.map(|timeout| timeout.as_micros().to_be_bytes());
    Ok(digest.with_some(input).with_some(timeout).hex())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn h3_a_plan_shows_every_part_and_lies_about_none() {
        let args = json!({ "env": "prod", "tag": "v1\u{202e}1v", "jobs": 3, "all": ["a b", "c"] });
        let plan = of_handler("deploy.luau", "deploy <env> [tag]", &args, "m1");
        assert_eq!(
            plan.lines,
            [
                "deploy.luau · deploy <env> [tag]",
                "  all   \"a b\" c",
                "  env   prod",
                "  jobs  3",
                "  tag   \"v1\\u{202e}1v\"",
            ]
        );
        let command = Command {
            argv: [&b"rm"[..], b"-rf", b"/tmp/my files", "\u{200b}".as_bytes()]
                .map(<[u8]>::to_vec)
                .to_vec(),
            cwd: Some("~/app".to_owned()),
            env: [("A".to_owned(), Some("x\ny".to_owned())), ("B".to_owned(), None)].into(),
            stdin: Stdin::Bytes(b"y\n".to_vec()),
            timeout: Some(Duration::from_mins(10)),
            ..Command::default()
        };
        let plan = of_command(&command, true, Lang::En).unwrap();
        assert_eq!(
            plan.lines,
            [
                "rm -rf \"/tmp/my files\" \"\\u{200b}\"",
                "  in  \"~/app\"",
                "  with  A=\"x\\ny\"",
                "  without  B",
                "  input  \"y\\n\"",
                "  for  10m",
            ]
            .map(|line| line.replace("\"~/app\"", "~/app"))
        );
    }

    #[test]
    fn h3_what_a_script_says_or_lists_is_shown_whole_and_stands_further_in() {
        let said = of_text("drop users\nann · until 09:00\u{202e}\n".as_bytes());
        assert_eq!(said.lines, ["  drop users", "  ann · until 09:00⟨U+202E⟩"]);
        assert_eq!(of_text(b"\xff x").lines, ["  \"\\xff x\""]);
        let listed = of_json(&json!(["a b", "c", { "x": "\u{200b}" }, ["d", 1]]));
        assert_eq!(listed.lines, ["  \"a b\"", "  c", "  {\"x\":\"⟨U+200B⟩\"}", "  d 1"]);
        let named = of_json(&json!({ "to": "prod", "n": 3, "\u{202e}": null }));
        assert_eq!(named.lines, ["  n         3", "  to        prod", "  ⟨U+202E⟩  —"]);
        let items =
            |items: &[&[u8]]| of_list(&items.iter().map(|i| i.to_vec()).collect::<Vec<_>>());
        assert_eq!(items(&[b"a", b"b c", b"\xff"]).lines, ["  a", "  \"b c\"", "  \"\\xff\""]);
        assert_ne!(items(&[b"a", b"b"]).digest, items(&[b"ab"]).digest);
        assert_ne!(of_json(&json!(["1"])).digest, of_json(&json!([1])).digest);
        assert_ne!(of_text(b"a").digest, of_text(b"a\n").digest);
    }

    #[test]
    fn j2_a_byte_more_or_less_anywhere_is_another_plan() {
        let base = Command {
            argv: vec![b"make".to_vec(), b"deploy".to_vec()],
            env: [("A".to_owned(), Some("1".to_owned()))].into(),
            stdin: Stdin::Bytes(b"x".to_vec()),
            ..Command::default()
        };
        let change = |change: fn(&mut Command)| {
            let mut other = base.clone();
            change(&mut other);
            digest(&other, true).unwrap()
        };
        let own = digest(&base, true).unwrap();
        assert_eq!(own, change(|_| {}));
        for (n, other) in [
            change(|c| c.argv[1].push(b' ')),
            change(|c| c.argv.push(Vec::new())),
            change(|c| c.argv = vec![b"makedeploy".to_vec()]),
            change(|c| c.cwd = Some("/".to_owned())),
            change(|c| drop(c.env.insert("A".to_owned(), Some("2".to_owned())))),
            change(|c| drop(c.env.insert("A".to_owned(), None))),
            change(|c| drop(c.env.insert("B".to_owned(), Some(String::new())))),
            change(|c| c.stdin = Stdin::Null),
            change(|c| c.stdin = Stdin::Bytes(Vec::new())),
            change(|c| c.timeout = Some(Duration::from_secs(1))),
        ]
        .into_iter()
        .enumerate()
        {
            assert_ne!(own, other, "change {n}");
        }
        let args = |args: Json| of_handler("a.luau", "a <x>", &args, "m").digest;
        assert_ne!(args(json!({ "x": "1" })), args(json!({ "x": 1 })));
        assert_ne!(args(json!({ "x": "1" })), args(json!({ "x": "1 " })));
    }
}
