//! Types, by Luau's own checker in a Rust port: what it says, in words of this host.
//!
//! The checker may be wrong, or give up on a file; the compiler of the VM has the last word. So what it says is a
//! warning, and a panic inside it is its own.

use std::sync::OnceLock;

use luaur_rt::TypeDiagnostic;

use super::finding::{Finding, line};
use crate::api::definitions;
use crate::script::scan::is_test;
use crate::words::Said;
use crate::words::findings as w;

/// The checker recurses as deep as code may nest, with frames larger than those of the original. Only what is used of
/// it is ever backed by memory.
const STACK_BYTES: usize = 256 << 20;

/// What the checker has to say about a file that has compiled.
pub(super) fn findings(path: &str, text: &str) -> Vec<Finding> {
    let known = if is_test(path) { definitions::with_tests() } else { definitions::all() };
    diagnostics(text, known).iter().filter_map(|found| finding(path, text, found)).collect()
}

fn diagnostics(text: &str, known: &str) -> Vec<TypeDiagnostic> {
    let check = move || luaur_rt::check_with_definitions(text, known).err().unwrap_or_default();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("types".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, check);
        // Without a thread, or after a panic, there are no types to speak of.
        thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
    })
}

fn finding(path: &str, text: &str, found: &TypeDiagnostic) -> Option<Finding> {
    if found.in_definitions {
        return None; // a test holds that there are none
    }
    // `for … in list() or {} do`: beside an empty table the checker no longer sees that the list is looped over.
    if found.message.starts_with("Cannot call a value of type")
        && found.message.trim_end().ends_with("| {|  |}")
    {
        return None;
    }
    let start = place(text, found.line, found.column);
    let mut finding = Finding {
        severity: super::Severity::Warning,
        rule: "type",
        path: path.to_owned(),
        start: Some(start),
        end: Some(place(text, found.end_line, found.end_column)),
        message: Said::default(),
        hint: None,
        source: line(text, start.0),
    };
    reword(&found.message, &mut finding);
    Some(finding)
}

/// Line and column in characters; the checker counts bytes.
fn place(text: &str, number: u32, column: u32) -> (usize, usize) {
    let (number, column) = (number as usize, (column as usize).saturating_sub(1));
    let line = text.split('\n').nth(number.saturating_sub(1)).unwrap_or_default();
    let before = line.get(..column).unwrap_or(line);
    (number, before.chars().count() + 1)
}

/// Says what the checker said, shorter, and what to do about it.
fn reword(said: &str, finding: &mut Finding) {
    let quoted: Vec<&str> = said.split('\'').skip(1).step_by(2).collect();
    if let (true, [name, ..]) = (said.starts_with("Unknown global "), quoted.as_slice()) {
        finding.rule = "unknown_global";
        finding.message = Said::new(|lang| w::there_is_no(name, lang));
        finding.hint = Some(nearest(name, &globals()).map_or_else(
            || Said::new(|lang| w::is_local_missing(name, lang)),
            |near| Said::new(|lang| w::did_you_mean(&near, lang)),
        ));
    } else if let (true, [key, owner, ..]) = (said.starts_with("Key '"), quoted.as_slice()) {
        narrow(finding, key);
        // Of a table without a name the checker prints all it holds.
        let (owner, names) = if owner.starts_with('{') {
            let module = module_with(owner);
            let names = module.as_deref().map_or_else(|| keys(owner), definitions::members);
            (module, names)
        } else {
            (Some((*owner).to_owned()), definitions::members(owner))
        };
        finding.message = Said::new(|lang| match &owner {
            Some(owner) => w::has_no(&format!("`{owner}`"), key, lang),
            None => w::has_no(w::the_table(lang), key, lang),
        });
        let near = nearest(key, &names);
        finding.hint = near.map(|near| Said::new(|lang| w::did_you_mean(&near, lang)));
    } else if let (true, [kind, ..]) = (said.ends_with("could be nil"), quoted.as_slice()) {
        finding.message = Said::new(|lang| w::may_be_nil(kind, lang));
        finding.hint = Some(Said::new(w::test_it_first));
    } else {
        // The last cause is the innermost; what is around it repeats the types.
        let said: Vec<&str> = said.lines().map(str::trim).collect();
        let said = said.join(" ");
        let (first, cause) = said.split_once(" caused by:").unwrap_or((&said, ""));
        let cause = cause.rsplit("caused by:").next().unwrap_or_default().trim();
        let first = first.trim_end_matches("; none of the union options are compatible");
        let mut message = first.replace('\'', "`");
        if let Some(rest) = message.strip_prefix("Expected this to be ") {
            message = format!(
                "expected {}",
                rest.replace(", but got", ", got").replace(" but got ", ", got ")
            );
        }
        if !cause.is_empty() && cause.contains('\'') {
            let cause = cause.trim_start_matches("none of the union options are compatible").trim();
            message = format!("{message} ({})", cause.replace('\'', "`"));
        }
        finding.hint = optional(&message).then(|| Said::new(w::say_what_then));
        finding.message = Said::new(|_| lowercase_first(&message));
    }
}

/// Whether nothing is wrong but that the value may be nil: "expected `number | string`, got `string?`".
fn optional(message: &str) -> bool {
    let Some((expected, got)) = message.split_once("`, got `") else { return false };
    let expected = expected.trim_start_matches("expected `");
    let got = got.strip_suffix("?`");
    got.is_some_and(|got| expected.split(" | ").any(|one| one == got))
}

fn lowercase_first(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default()
}

/// Points at the key alone: the checker points at the whole expression that has it.
fn narrow(finding: &mut Finding, key: &str) {
    let (Some((line, column)), Some(source)) = (finding.start, &finding.source) else { return };
    let characters: Vec<char> = source.chars().collect();
    let key: Vec<char> = key.chars().collect();
    let after = characters.get(column - 1..).unwrap_or_default();
    let at = after.windows(key.len().max(1)).enumerate().find(|(at, window)| {
        *window == key.as_slice()
            && at
                .checked_sub(1)
                .is_some_and(|before| matches!(after[before], '.' | ':' | '"' | '\''))
    });
    if let Some((at, _)) = at {
        finding.start = Some((line, column + at));
        finding.end = Some((line, column + at + key.len()));
    }
}

/// The keys of a table type as the checker prints it: `{ command: (string) -> (), on: … }`.
fn keys(table: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    let mut word = String::new();
    for c in table.chars() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 1 => word.clear(),
            ':' if depth == 1 => names.push(std::mem::take(&mut word).trim().to_owned()),
            _ if depth == 1 => word.push(c),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty() && name.chars().all(|c| c == '_' || c.is_alphanumeric()));
    names
}

/// The module that has these functions. Of a large table the checker prints the beginning, and cuts the last name.
fn module_with(table: &str) -> Option<String> {
    let printed = keys(table);
    let whole = printed.len().saturating_sub(1);
    let mut modules = crate::api::MODULES.iter().filter(|module| {
        let names = definitions::members(module.name);
        let all = names.len() == printed.len() && printed.iter().all(|name| names.contains(name));
        let begins = whole > 4 && printed[..whole].iter().all(|name| names.contains(name));
        all || begins
    });
    modules.next().map(|module| module.name.to_owned())
}

fn globals() -> Vec<String> {
    static GLOBALS: OnceLock<Vec<String>> = OnceLock::new();
    GLOBALS
        .get_or_init(|| {
            let api = crate::api::MODULES.iter().map(|module| module.name);
            let names = crate::script::vm::GLOBALS.iter().copied().chain(api).chain(["require"]);
            names.map(str::to_owned).collect()
        })
        .clone()
}

fn nearest(name: &str, names: &[String]) -> Option<String> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let near = names.iter().min_by_key(|other| distance(other))?;
    (distance(near) <= 1 + name.chars().count() / 4).then(|| near.clone())
}
