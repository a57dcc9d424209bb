//! The documentation hangs together: links lead somewhere, and what is there in two languages says the same.

#![expect(clippy::unwrap_used, reason = "tests: a failure here is the failure of the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Every page of ours, by its path below the root.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![root(), root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && folder != root() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                pages.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(pages.len() > 20, "the pages were not found");
    pages
}

/// Without blocks of code, in which nothing is a link or a heading.
fn prose(page: &str) -> String {
    let mut code = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code {
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn links(page: &str) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    // What stands in backticks is shown, not followed.
    let shown = Regex::new(r"`[^`\n]*`").unwrap();
    let prose = prose(page);
    link.captures_iter(&shown.replace_all(&prose, "code"))
        .map(|found| found[1].to_owned())
        .collect()
}

/// The anchors of its headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in prose(page).lines().filter(|line| line.starts_with('#')) {
        let slug: String = heading
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
                _ => None,
            })
            .collect();
        let twins = (1..).map(|n| format!("{slug}-{n}"));
        let free = std::iter::once(slug.clone()).chain(twins).find(|one| !anchors.contains(one));
        anchors.extend(free);
    }
    anchors
}

#[test]
fn every_link_leads_to_something_that_is_there() {
    let pages = pages();
    let mut dead = Vec::new();
    for (name, page) in &pages {
        for link in links(page) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => root().join(name),
                path => root().join(name).parent().unwrap().join(path),
            };
            let Ok(target) = target.canonicalize() else {
                dead.push(format!("{name}: `{link}` leads nowhere"));
                continue;
            };
            let text = fs::read_to_string(&target).unwrap_or_default();
            if !anchor.is_empty() && !anchors(&text).contains(anchor) {
                dead.push(format!("{name}: `{link}`: there is no such heading"));
            }
        }
    }
    assert!(dead.is_empty(), "\n{}\n", dead.join("\n"));
}

#[test]
fn every_page_is_in_the_index() {
    let pages = pages();
    let index = links(&pages["docs/README.md"]);
    for name in pages.keys() {
        let Some(page) = name.strip_prefix("docs/").filter(|page| !page.contains('/')) else {
            continue;
        };
        assert!(
            page == "README.md" || index.iter().any(|link| link == page),
            "docs/README.md does not mention {page}"
        );
    }
}

/// What a page consists of, whatever language it is in: headings by their level, blocks of code, rows of tables.
fn skeleton(page: &str) -> Vec<String> {
    let mut code = false;
    let mut parts = Vec::new();
    for line in page.lines() {
        let line = line.trim_start();
        if let Some(language) = line.strip_prefix("```") {
            if !code {
                parts.push(format!("a block of `{language}`"));
            }
            code = !code;
        } else if !code && line.starts_with('#') {
            parts.push("#".repeat(line.chars().take_while(|c| *c == '#').count()));
        } else if !code && line.starts_with('|') {
            parts.push("a row".to_owned());
        }
    }
    parts
}

#[test]
fn pages_in_two_languages_have_the_same_parts() {
    let pages = pages();
    let mut pairs = 0;
    for (name, chinese) in pages.iter().filter(|(name, _)| name.ends_with(".zh-CN.md")) {
        let english = &pages[&name.replace(".zh-CN.md", ".md")];
        assert_eq!(skeleton(chinese), skeleton(english), "{name} and its English page differ");
        let mentioned = |page: &str| {
            let same = |link: &String| link.replace(".zh-CN.md", ".md");
            links(page).iter().map(same).collect::<BTreeSet<_>>()
        };
        assert_eq!(
            mentioned(chinese),
            mentioned(english),
            "{name} and its English page link elsewhere"
        );
        pairs += 1;
    }
    assert!(pairs >= 1, "README.zh-CN.md was not found");
}
