//! Why it may be otherwise than its author expects: what does not load, who does not run, which list lacks whom.

use std::fs;

use regex::Regex;

use super::Place;
use super::gates::{Explanation, Name};
use crate::router::Command;
use crate::script::{Snapshot, Status};
use crate::words::Lang;
use crate::words::commands::status;
use crate::words::explain::causes as w;

pub(super) fn hints(
    place: &Place,
    snapshot: &Snapshot,
    told: &Explanation,
    lang: Lang,
) -> Vec<String> {
    let mut hints = Vec::new();
    match &place.live {
        None => {
            let start = if place.dev { "dev" } else { "run" };
            hints.push(w::no_host(start, lang));
        }
        Some(live) if !live.connection.is_up() && !live.connection.state.is_empty() => {
            let why = live.connection.error.as_deref().unwrap_or(w::just_started(lang));
            hints.push(w::not_connected(&status::state(&live.connection.state, lang), why, lang));
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
        let why = format!("{at}: {first}");
        let what = match declares(place, script, word) {
            Some(line) if kind != Some("runs") => {
                w::declares(line, &script.script, word, &why, lang)
            }
            _ => w::does_not_load(&script.script, &why, lang),
        };
        let older = place.live.as_ref().and_then(|live| {
            live.scripts.iter().find(|one| one.name == script.script && one.generation > 0)
        });
        hints.push(match older {
            Some(_) => w::older_serves(&what, lang),
            None => what,
        });
    }
    if snapshot.scripts().is_empty() {
        hints.push(w::no_scripts(&place.scripts.to_string_lossy(), lang));
    }
    match kind {
        Some("refused") => hints.extend(admission(place, told, lang)),
        Some("nobody") => hints.push(w::check(lang).to_owned()),
        _ => {}
    }
    if told.group && told.past.is_none() {
        hints.push(w::mention(lang).to_owned());
    }
    if let Some(past) = &told.past {
        let now = told.handler.as_ref().filter(|_| kind == Some("runs"));
        match (&past.handler, now) {
            (Some(then), None) if told.outcome.is_some() && !told.was_answer() => {
                hints.push(w::taken_then(then, lang));
            }
            (None, Some(now))
                if past.state != "queued" && past.state != "running" && past.refused.is_none() =>
            {
                hints.push(w::taken_today(&format!("{}:{}", now.script, now.line), lang));
            }
            _ => {}
        }
        match past.state.as_str() {
            "queued" => hints.push(w::waits(lang).to_owned()),
            "interrupted" => hints.push(w::send_again(lang).to_owned()),
            _ => {}
        }
    }
    hints
}

/// What to write where, so that this person is let in.
fn admission(place: &Place, told: &Explanation, lang: Lang) -> Option<String> {
    if place.dev {
        return Some(w::as_owner(lang).to_owned());
    }
    let let_in =
        told.gates.iter().any(|gate| gate.name == Name::Access && gate.answer == Some(true));
    let role = match (&told.handler, let_in) {
        (Some(handler), true) => handler.role.clone()?,
        _ => "guest".to_owned(),
    };
    let id = told.sender.as_deref().unwrap_or("STAFF_ID");
    let file = place.loaded.file.as_ref();
    let file = file.map_or_else(String::new, |file| w::inside(&file.to_string_lossy(), lang));
    if id == crate::access::OWNER {
        return Some(w::set_owner(&file, lang));
    }
    // Nobody is let in as the owner: that is one person.
    (role != crate::access::OWNER).then(|| w::let_them(&role, id, &file, lang))
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
