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
    let named: Vec<(String, &Json)> = match args {
        Json::Object(args) => args.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Json::Array(args) => {
            (1..).zip(args).map(|(n, value): (usize, _)| (n.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    let width = named.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in named {
        let gap = " ".repeat(width - name.chars().count());
        lines.push(format!("  {}{gap}  {}", marked(&name), of_value(value)));
    }
    let digest = Digest::of("handler").with(script).with(declared).with(args.to_string());
    Plan { lines, digest: digest.with(message).hex() }
}

fn of_value(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text.as_bytes()),
        Json::Array(list) => list.iter().map(of_value).collect::<Vec<_>>().join(" "),
        Json::Null => "—".to_owned(),
        other => other.to_string(),
    }
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
