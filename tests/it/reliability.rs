//! `docs/reliability.md` and `docs/security.md` name tests: they exist, and no rule or line is without one.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

/// Names of functions under `dir` that are tests.
fn tests_in(dir: &Path, found: &mut BTreeSet<String>) {
    let test = Regex::new(r"#\[(?:tokio::)?test[^\n]*\]\s+(?:async )?fn (\w+)").unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            found.extend(test.captures_iter(&text).map(|test| test[1].to_owned()));
        }
    }
}

/// All tests there are.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for dir in ["src", "tests"] {
        tests_in(&root.join(dir), &mut tests);
    }
    tests
}

/// The tests that the tables of a document name; each exists.
#[track_caller]
fn named_in(document: &str, tests: &BTreeSet<String>) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    // Sentences, unlike the names of settings and orders.
    let name = Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`").unwrap();
    let named: BTreeSet<String> =
        name.captures_iter(&rows).map(|name| name[1].to_owned()).collect();
    let missing: Vec<_> = named.difference(tests).collect();
    assert!(missing.is_empty(), "{document} names tests that do not exist: {missing:#?}");
    named
}

#[test]
fn every_test_that_the_document_names_exists_and_every_rule_has_one() {
    let tests = tests();
    let named = named_in("docs/reliability.md", &tests);
    for rule in (1..=28).filter(|&rule| rule != 24) {
        let prefix = format!("h{rule:02}_");
        assert!(named.iter().any(|name| name.starts_with(&prefix)), "no test for rule {rule}");
    }
    let untold: Vec<_> = tests
        .iter()
        .filter(|test| Regex::new(r"^h\d\d_").unwrap().is_match(test) && !named.contains(*test))
        .collect();
    assert!(untold.is_empty(), "docs/reliability.md does not name {untold:#?}");
}

/// How many lines each group of the list of attacks has.
const ATTACKS: [(char, usize); 13] = [
    ('A', 13),
    ('B', 9),
    ('C', 7),
    ('D', 8),
    ('E', 9),
    ('F', 5),
    ('G', 5),
    ('H', 5),
    ('I', 11),
    ('J', 5),
    ('K', 6),
    ('L', 5),
    ('M', 2),
];

#[test]
fn every_attack_of_the_list_has_its_line_and_every_test_that_is_named_exists() {
    let tests = tests();
    let named = named_in("docs/security.md", &tests);
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md")).unwrap();
    for (group, count) in ATTACKS {
        for number in 1..=count {
            let line = format!("| {group}{number} |");
            assert_eq!(text.matches(&line).count(), 1, "docs/security.md: lines `{line}`");
        }
    }
    // An attack that is tried is told.
    let attack = Regex::new(r"^[a-gi-m]\d\d?_|^h\d_").unwrap();
    let untold: Vec<_> =
        tests.iter().filter(|test| attack.is_match(test) && !named.contains(*test)).collect();
    assert!(untold.is_empty(), "docs/security.md does not name {untold:#?}");
}
