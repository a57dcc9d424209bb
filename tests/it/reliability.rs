//! `docs/reliability.md` names tests: they exist, and no rule is without one.
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

#[test]
fn every_attack_in_the_list_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for dir in ["src", "tests"] {
        tests_in(&root.join(dir), &mut tests);
    }
    let document = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let name = Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`").unwrap();
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let named = rows.flat_map(|row| name.captures_iter(row)).map(|name| name[1].to_owned());
    let missing: Vec<String> = named.filter(|name| !tests.contains(name)).collect();
    assert!(missing.is_empty(), "docs/security.md names tests that do not exist: {missing:#?}");
}

#[test]
fn every_test_that_the_document_names_exists_and_every_rule_has_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for dir in ["src", "tests"] {
        tests_in(&root.join(dir), &mut tests);
    }
    let document = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    // Sentences, unlike the names of settings and orders.
    let name = Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`").unwrap();
    let named: BTreeSet<String> =
        name.captures_iter(&rows).map(|name| name[1].to_owned()).collect();
    let missing: Vec<_> = named.difference(&tests).collect();
    assert!(missing.is_empty(), "docs/reliability.md names tests that do not exist: {missing:#?}");
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
