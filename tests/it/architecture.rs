//! The map in `src/lib.rs` is true: who may use whom, and what only one module may know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// What a module may use; the table of the house style. `cli` and `main` may use everything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "app",
        &[
            "access",
            "api",
            "asks",
            "budget",
            "clock",
            "config",
            "console",
            "dingtalk",
            "inbox",
            "language",
            "message",
            "outage",
            "outbox",
            "router",
            "script",
            "sim",
            "sink",
            "store",
            "telemetry",
            "timer",
            "transport",
            "watch",
            "words",
            "worker",
        ],
    ),
    (
        "transport",
        &["access", "config", "dingtalk", "exchange", "inbox", "message", "store", "words"],
    ),
    ("inbox", &["message", "store"]),
    ("access", &["clock", "config", "message", "sink", "store", "words"]),
    ("asks", &["message", "sink", "store", "words"]),
    ("budget", &["clock", "config", "dingtalk", "store", "words"]),
    ("router", &["access", "message", "words"]),
    (
        "worker",
        &[
            "access", "api", "asks", "budget", "clock", "config", "dingtalk", "inbox", "language",
            "message", "outbox", "router", "script", "sink", "store", "words",
        ],
    ),
    (
        "rehearsal",
        &[
            "access",
            "api",
            "asks",
            "clock",
            "config",
            "inbox",
            "language",
            "message",
            "outbox",
            "router",
            "script",
            "sink",
            "store",
            "telemetry",
            "words",
            "worker",
        ],
    ),
    ("script", &["access", "api", "clock", "config", "message", "router", "watch", "words"]),
    (
        "api",
        &[
            "access", "asks", "clock", "config", "dingtalk", "language", "message", "outbox",
            "router", "sink", "store", "timer", "words",
        ],
    ),
    ("outbox", &["budget", "config", "dingtalk", "language", "message", "sink", "store", "words"]),
    (
        "outage",
        &[
            "config",
            "inbox",
            "language",
            "message",
            "outbox",
            "sink",
            "store",
            "transport",
            "words",
        ],
    ),
    ("dingtalk", &["config", "message", "sink", "words"]),
    ("timer", &["inbox", "message", "store"]),
    ("store", &["clock", "config", "message"]),
    (
        "console",
        &["access", "config", "exchange", "inbox", "outbox", "sink", "telemetry", "worker"],
    ),
    ("exchange", &[]),
    ("sim", &["dingtalk", "message"]),
    ("language", &["access", "config", "message", "store", "words"]),
    ("words", &[]),
    ("sink", &[]),
    (
        "fuzzing",
        &[
            "access",
            "api",
            "config",
            "dingtalk",
            "inbox",
            "message",
            "outbox",
            "router",
            "sim",
            "sink",
            "store",
            "transport",
            "words",
        ],
    ),
    ("clock", &[]),
    ("watch", &[]),
    ("message", &[]),
    ("config", &["message", "words"]),
    ("telemetry", &["config", "sink"]),
];

/// Past this, look for the second noun.
const LINES: usize = 600;

struct Source {
    /// Below `src/`, with `/`.
    path: String,
    text: String,
    /// Without comments and without the unit tests at the end.
    code: String,
}

impl Source {
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Our modules that it names as `crate::module`, outside tests; its own is not counted.
    fn uses(&self) -> BTreeSet<String> {
        let root = if self.module() == "main" { "moonbell" } else { "crate" };
        let path = Regex::new(&format!(r"\b{root}::(\{{[^}}]*\}}|[a-z_]+)")).unwrap();
        let first = Regex::new(r"[a-z_]+").unwrap();
        let mut modules = BTreeSet::new();
        for found in path.captures_iter(&self.code) {
            for part in found[1].trim_matches(['{', '}']).split(',') {
                if let Some(name) = first.find(part) {
                    modules.insert(name.as_str().to_owned());
                }
            }
        }
        modules.remove(self.module());
        modules
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = if path.ends_with("tests.rs") {
                    "" // tests in a file of their own, beside the code
                } else {
                    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
                };
                // Good enough for finding names: `//` in a string cuts the line short, and an address holds no module.
                let code = code
                    .lines()
                    .map(|line| line.split("//").next().unwrap())
                    .collect::<Vec<_>>()
                    .join("\n");
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { path, text, code });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 10, "the sources were not found");
    found
}

#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Files outside `allowed` modules in which `pattern` stands.
fn only(allowed: &[&str], pattern: &str, why: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    sources()
        .iter()
        .filter(|source| !allowed.contains(&source.module()))
        .filter_map(|source| {
            let found = pattern.find(&source.code)?;
            Some(format!("src/{} names `{}`: {why}", source.path, found.as_str()))
        })
        .collect()
}

#[test]
fn modules_use_only_what_the_map_lets_them() {
    let mut complaints = Vec::new();
    for source in sources() {
        let module = source.module();
        if ["lib", "cli"].contains(&module) {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            complaints.push(format!("src/{}: give `{module}` a line in MAY_USE", source.path));
            continue;
        };
        for used in source.uses() {
            if !allowed.contains(&used.as_str()) {
                complaints.push(format!(
                    "src/{} uses `{used}`; `{module}` may use {allowed:?}",
                    source.path
                ));
            }
        }
    }
    none(&complaints);
}

#[test]
fn the_map_has_no_cycles() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while done.len() < allowed.len() {
        let ready: Vec<&str> = allowed
            .iter()
            .filter(|(name, uses)| {
                !done.contains(*name)
                    && uses.iter().all(|used| done.contains(used) || !allowed.contains_key(used))
            })
            .map(|(name, _)| *name)
            .collect();
        assert!(
            !ready.is_empty(),
            "a cycle among {:?}",
            allowed.keys().filter(|name| !done.contains(*name)).collect::<Vec<_>>()
        );
        done.extend(ready);
    }
}

#[test]
fn only_one_module_knows_each_of_these() {
    let mut complaints = Vec::new();
    complaints.extend(only(
        &["store"],
        r"Connection::open\w*|rusqlite::OpenFlags",
        "only store/ opens SQLite",
    ));
    complaints.extend(only(
        &["script", "api", "worker", "rehearsal"],
        r"\bmlua\b",
        "only script/, api/, worker/ and rehearsal/ know Lua",
    ));
    complaints.extend(only(
        &["cli", "main"],
        r"\be?print(ln)?!|io::stdout\(\)|io::stderr\(\)\.(write|lock)",
        "only cli/ and main.rs print",
    ));
    none(&complaints);
}

#[test]
fn the_router_has_no_clock_no_world_and_no_lua() {
    let world = Regex::new(r"\b(Instant|SystemTime|Utc::now|Local::now|tokio|mlua|rusqlite|std::(fs|io|net|env|process|thread))\b").unwrap();
    let complaints: Vec<String> = sources()
        .iter()
        .filter(|source| source.module() == "router")
        .filter_map(|source| {
            Some(format!("src/{} names `{}`", source.path, world.find(&source.code)?.as_str()))
        })
        .collect();
    none(&complaints);
}

#[test]
fn files_stay_short_and_modules_say_what_they_are_for() {
    let mut complaints = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LINES && !source.code.is_empty() {
            complaints
                .push(format!("src/{} has {lines} lines: look for the second noun", source.path));
        }
        if !source.text.starts_with("//! ") {
            complaints.push(format!(
                "src/{} does not begin with `//!`, saying what it is for",
                source.path
            ));
        }
    }
    none(&complaints);
}

/// Files and folders that read Chinese, or play somebody who writes it, and so hold some outside of the catalogue.
const READ_CHINESE: &[&str] = &[
    // A claim code, and the answers to a question.
    "access/claim.rs",
    "api/dialog/read.rs",
    // Control words, and types of arguments.
    "outbox/rows.rs",
    "router/control.rs",
    "router/value.rs",
    "worker/rights.rs",
    // A folder that is called so.
    "cli/doctor/disks.rs",
    // Asks in which language to go on.
    "cli/init/ask.rs",
    // A path of its tests.
    "cli/service/plan.rs",
    // Titles of secrets that are taken out.
    "rehearsal/recording.rs",
];

#[test]
fn what_people_read_is_in_the_catalogue() {
    let literal = Regex::new(r#"["'][^"\n]*\p{Han}"#).unwrap();
    let choice =
        Regex::new(r#"Lang::(Zh|En)[\s,)|_]*=>\s*\{?\s*(format!|writeln!|write!|")"#).unwrap();
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| !["words", "sim"].contains(&source.module())) {
        if !READ_CHINESE.iter().any(|known| source.path.starts_with(known))
            && let Some(found) = literal.find(&source.code)
        {
            complaints.push(format!("src/{}: put {} into src/words/", source.path, found.as_str()));
        }
        if let Some(found) = choice.find(&source.code) {
            complaints.push(format!(
                "src/{}: `{}`: let the catalogue choose between the languages",
                source.path,
                found.as_str()
            ));
        }
    }
    none(&complaints);
}

/// What is for programs: shells.
const SPEAK_ENGLISH: &[&str] = &["cli/completions.rs"];

/// Where sentences for people begin in each module, in front of the text itself, and how many words make one. Of the
/// settings no text at all is a sentence, but for their reference, which is a page of English.
const SPOKEN: &[(&str, &str, usize)] = &[
    (
        "cli",
        r"(?:talk::(?:say|data|told|warn|advise|shown|quoted)|Failed::new|\.hint|\.context|\.with_context)\(\s*(?:\|\|\s*)?",
        1,
    ),
    ("config", "", 2),
    ("rehearsal", r"write(?:ln)?!\(\s*out,\s*", 1),
    ("script/check", r"(?:\|(?:lang|_)\|\s*|Finding::warning\([^|;]*?,\s*|\.hint\()", 1),
];

const PAGES_OF_ENGLISH: &[&str] = &["config/keys.rs", "config/reference.rs"];

#[test]
fn commands_say_nothing_in_one_language_alone() {
    let placeholder = Regex::new(r"\{[^}]*\}|\\[nt]|`[^`]*`|<.*").unwrap();
    // For who reads the code.
    let aside = Regex::new(r#"(?:reason = |expect\()"[^"]*""#).unwrap();
    let mut complaints = Vec::new();
    for (below, spoken, least) in SPOKEN {
        let text = r#"(?:&?format!\(|format_args!\()?\s*"((?:[^"\\\n]|\\(?s:.))*)""#;
        let spoken = Regex::new(&format!("{spoken}{text}")).unwrap();
        let folder = format!("{below}/");
        for source in sources().iter().filter(|source| source.path.starts_with(&folder)) {
            let skipped = [SPEAK_ENGLISH, PAGES_OF_ENGLISH].concat();
            if skipped.contains(&source.path.as_str()) {
                continue;
            }
            for found in spoken.captures_iter(&aside.replace_all(&source.code, "")) {
                let said = placeholder.replace_all(&found[1], "");
                let is_word = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() > 1;
                if said.split_whitespace().filter(is_word).count() >= *least {
                    complaints.push(format!(
                        "src/{}: put \"{}\" into src/words/, in both languages",
                        source.path, &found[1]
                    ));
                }
            }
        }
    }
    none(&complaints);
}
