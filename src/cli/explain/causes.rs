//! Why it may be otherwise than its author expects: what does not load, who does not run, which list lacks whom.

use std::fs;

use regex::Regex;

use super::Place;
use super::gates::{Explanation, Name};
use crate::router::Command;
use crate::script::{Snapshot, Status};

pub(super) fn hints(place: &Place, snapshot: &Snapshot, told: &Explanation) -> Vec<String> {
    let mut hints = Vec::new();
    match &place.live {
        None => {
            let start = if place.dev { "dev" } else { "run" };
            hints.push(format!(
                "no host runs here, so nothing answers: start it with `moonbell {start}`"
            ));
        }
        Some(live) if !live.connection.is_up() && !live.connection.state.is_empty() => {
            let why = live.connection.error.as_deref().unwrap_or("it has just started");
            hints.push(format!(
                "the host runs, but is not connected to DingTalk ({}): {why}",
                live.connection.state
            ));
        }
        Some(_) => {}
    }
    let kind = told.outcome.as_ref().map(|outcome| outcome.kind);
    let word =
        told.text.as_deref().and_then(|text| text.split_whitespace().next()).unwrap_or_default();
    for script in snapshot.scripts() {
        let Some((error, _)) = &script.failure else { continue };
        let at =
            error.line.map_or_else(|| error.path.clone(), |line| format!("{}:{line}", error.path));
        let first = error.message.lines().next().unwrap_or_default();
        let what = match declares(place, script, word) {
            Some(line) if kind != Some("runs") => {
                format!(
                    "line {line} of {} declares `{word}`, but the script does not load",
                    script.script
                )
            }
            _ => format!("{} does not load, so its handlers do not serve", script.script),
        };
        let older = place.live.as_ref().and_then(|live| {
            live.scripts.iter().find(|one| one.name == script.script && one.generation > 0)
        });
        let older = older.map_or("", |_| "; the running host goes on with its last good version");
        hints.push(format!("{what}: {at}: {first}{older}"));
    }
    if snapshot.scripts().is_empty() {
        hints.push(format!("there are no scripts in {}", place.scripts.display()));
    }
    match kind {
        Some("refused") => hints.extend(admission(place, told)),
        Some("nobody") => {
            hints.push("`moonbell check` shows what is wrong with the scripts".to_owned());
        }
        _ => {}
    }
    if told.group && told.past.is_none() {
        hints.push("in a group DingTalk passes on only messages that mention the bot".to_owned());
    }
    if let Some(past) = &told.past {
        let now = told.handler.as_ref().filter(|_| kind == Some("runs"));
        match (&past.handler, now) {
            (Some(then), None) if told.outcome.is_some() && !told.was_answer() => {
                hints.push(format!(
                    "then `{then}` took it; the scripts and settings of today give it to no handler"
                ));
            }
            (None, Some(now))
                if past.state != "queued" && past.state != "running" && past.refused.is_none() =>
            {
                hints.push(format!(
                    "then no handler took it; today {}:{} does",
                    now.script, now.line
                ));
            }
            _ => {}
        }
        match past.state.as_str() {
            "queued" => hints.push(
                "it waits for its turn: another message of this person in this chat comes first; `runs` and `stop` in the chat show and end that one".to_owned(),
            ),
            "interrupted" => hints.push("it was not repeated: send it again".to_owned()),
            _ => {}
        }
    }
    hints
}

/// What to write where, so that this person is let in.
fn admission(place: &Place, told: &Explanation) -> Option<String> {
    if place.dev {
        return Some(
            "in the simulation the owner may do everything, everybody else is `guest`: --as owner"
                .to_owned(),
        );
    }
    let let_in =
        told.gates.iter().any(|gate| gate.name == Name::Access && gate.answer == Some(true));
    let role = match (&told.handler, let_in) {
        (Some(handler), true) => handler.role.clone()?,
        _ => "guest".to_owned(),
    };
    let id = told.sender.as_deref().unwrap_or("STAFF_ID");
    let file = place
        .loaded
        .file
        .as_ref()
        .map_or_else(String::new, |file| format!(" in {}", file.display()));
    if id == crate::access::OWNER {
        return Some(format!("set `access.owner` to your staff id{file}"));
    }
    Some(format!(
        "to let them: [access.roles] {role} = [\"{id}\", …]{file}, and start the host again"
    ))
}

/// The line of a script that does not load in which it declares a command called `word`.
fn declares(place: &Place, script: &Status, word: &str) -> Option<usize> {
    let text = fs::read_to_string(place.scripts.join(&script.script)).ok()?;
    let declared = Regex::new(
        r#"\bbot\s*\.\s*command\s*\(?\s*(?:"([^"\n]*)"|'([^'\n]*)'|\[\[([^\]\n]*)\]\])"#,
    )
    .expect("a constant");
    let wanted = word.trim_start_matches('/').to_lowercase();
    declared.captures_iter(&text).find_map(|found| {
        let declaration = found.iter().skip(1).flatten().next()?;
        let command = Command::parse(declaration.as_str()).ok()?;
        let named = command
            .names()
            .any(|name| name.split(' ').next().is_some_and(|first| first.to_lowercase() == wanted));
        named.then(|| text[..declaration.start()].matches('\n').count() + 1)
    })
}
