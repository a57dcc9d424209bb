//! What holds for every sentence of the catalogue.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Entry;
use super::lang::is_chinese;
use super::{
    access, account, alarms, approvals, budget, cards, commands, config, dialogs, dingtalk, doctor,
    explain, findings, help, language, needs, network, outage, parked, runs, scripts, settings,
    setup, timers,
};

const AREAS: &[(&str, &[Entry])] = &[
    ("access", access::ENTRIES),
    ("account", account::ENTRIES),
    ("alarms", alarms::ENTRIES),
    ("approvals", approvals::ENTRIES),
    ("budget", budget::ENTRIES),
    ("cards", cards::ENTRIES),
    ("commands/audit", commands::audit::ENTRIES),
    ("commands/check", commands::check::ENTRIES),
    ("commands/claim", commands::claim::ENTRIES),
    ("commands/errors", commands::errors::ENTRIES),
    ("commands/grant", commands::grant::ENTRIES),
    ("commands/lock", commands::lock::ENTRIES),
    ("commands/outbox", commands::outbox::ENTRIES),
    ("commands/replay", commands::replay::ENTRIES),
    ("commands/run", commands::run::ENTRIES),
    ("commands/runs", commands::runs::ENTRIES),
    ("commands/service", commands::service::ENTRIES),
    ("commands/status", commands::status::ENTRIES),
    ("commands/trials", commands::trials::ENTRIES),
    ("commands/types", commands::types::ENTRIES),
    ("commands/usage", commands::usage::ENTRIES),
    ("config/file", config::file::ENTRIES),
    ("config/http", config::http::ENTRIES),
    ("config/problems", config::problems::ENTRIES),
    ("config/secrets", config::secrets::ENTRIES),
    ("config/values", config::values::ENTRIES),
    ("dialogs", dialogs::ENTRIES),
    ("dingtalk", dingtalk::ENTRIES),
    ("doctor/app", doctor::app::ENTRIES),
    ("doctor/connection", doctor::connection::ENTRIES),
    ("doctor/disks", doctor::disks::ENTRIES),
    ("doctor/files", doctor::files::ENTRIES),
    ("doctor/host", doctor::host::ENTRIES),
    ("doctor/journal", doctor::journal::ENTRIES),
    ("doctor/network", doctor::network::ENTRIES),
    ("doctor/report", doctor::report::ENTRIES),
    ("doctor/scripts", doctor::scripts::ENTRIES),
    ("doctor/webhook", doctor::webhook::ENTRIES),
    ("explain/causes", explain::causes::ENTRIES),
    ("explain/gates", explain::gates::ENTRIES),
    ("explain/refusals", explain::refusals::ENTRIES),
    ("explain/show", explain::show::ENTRIES),
    ("findings", findings::ENTRIES),
    ("help", help::ENTRIES),
    ("language", language::ENTRIES),
    ("needs", needs::ENTRIES),
    ("network", network::ENTRIES),
    ("outage", outage::ENTRIES),
    ("parked", parked::ENTRIES),
    ("runs", runs::ENTRIES),
    ("scripts", scripts::ENTRIES),
    ("settings", settings::ENTRIES),
    ("setup", setup::ENTRIES),
    ("timers", timers::ENTRIES),
];

/// What `check` finds wrong with any sentence, each line with the key.
#[track_caller]
fn all(check: impl Fn(&Entry) -> Option<String>) {
    let complaints: Vec<String> = AREAS
        .iter()
        .flat_map(|(area, entries)| entries.iter().map(move |entry| (area, entry)))
        .filter_map(|(area, entry)| Some(format!("{area}::{}: {}", entry.key, check(entry)?)))
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The names in braces, formats cut off.
fn placeholders(text: &str) -> BTreeSet<String> {
    let text = text.replace("{{", "").replace("}}", "");
    let mut names = BTreeSet::new();
    for part in text.split('{').skip(1) {
        let inside = part.split('}').next().unwrap_or_default();
        names.insert(inside.split(':').next().unwrap_or_default().to_owned());
    }
    names
}

fn without_placeholders(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|c| {
            depth += usize::from(*c == '{');
            let outside = depth == 0;
            depth -= usize::from(*c == '}' && depth > 0);
            outside
        })
        .collect()
}

/// Chinese as it is printed: its characters and its full-width punctuation.
fn is_chinese_print(c: char) -> bool {
    is_chinese(c) || matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}')
}

/// How a text ends, the same mark for both languages.
fn ending(text: &str) -> char {
    match text.trim_end().chars().next_back() {
        Some('。' | '.') => '.',
        Some('？' | '?') => '?',
        Some('！' | '!') => '!',
        Some('：' | ':') => ':',
        _ => ' ',
    }
}

/// The files below `folder` that hold sentences, as areas are called.
fn files(folder: &Path, area: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path, &format!("{area}{name}/")));
        } else if !["mod", "lang", "manual", "said", "tests"].contains(&name.as_str()) {
            found.insert(format!("{area}{name}"));
        }
    }
    found
}

#[test]
fn every_file_of_the_catalogue_is_looked_at() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/words"), "");
    let areas: BTreeSet<String> = AREAS.iter().map(|(area, _)| (*area).to_owned()).collect();
    assert_eq!(areas, files, "list each area in AREAS");
}

#[test]
fn both_languages_are_there_and_are_what_they_say() {
    all(|Entry { zh, en, .. }| {
        if zh.trim().is_empty() || en.trim().is_empty() {
            return Some("one of the two is empty".to_owned());
        }
        if !zh.chars().any(is_chinese_print) {
            return Some(format!("no Chinese in {zh:?}"));
        }
        en.chars().find(|c| is_chinese_print(*c)).map(|c| format!("Chinese in {en:?}: {c}"))
    });
}

#[test]
fn both_languages_say_the_same_things() {
    all(|Entry { zh, en, .. }| {
        let (in_zh, in_en) = (placeholders(zh), placeholders(en));
        (in_zh != in_en).then(|| format!("zh has {in_zh:?}, en has {in_en:?}"))
    });
}

#[test]
fn both_languages_end_in_the_same_way() {
    all(|Entry { zh, en, .. }| {
        (ending(zh) != ending(en)).then(|| format!("{zh:?} and {en:?} end differently"))
    });
}

#[test]
fn chinese_is_punctuated_as_chinese() {
    all(|Entry { zh, .. }| {
        let text: Vec<char> = without_placeholders(zh).chars().collect();
        text.windows(2)
            .find(|pair| is_chinese(pair[0]) && matches!(pair[1], ',' | ';' | '?' | '!' | ':'))
            .map(|pair| format!("`{}{}` in {zh:?}", pair[0], pair[1]))
    });
}

#[test]
fn a_key_stands_for_one_sentence() {
    for (area, entries) in AREAS {
        let keys: BTreeSet<&str> = entries.iter().map(|entry| entry.key).collect();
        assert_eq!(keys.len(), entries.len(), "a key stands twice in {area}");
    }
}
