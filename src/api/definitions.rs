//! The definitions of everything that scripts can call: one text for the checker and for editors, and the same as data
//! for the reference and for messages.
//!
//! Reads only our own files, whose shape a test holds: one member a line, documentation in `---` lines above it.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::{CONTEXT, MODULES, TESTS};

/// One definition file that declares everything, as luau-lsp and the checker read it.
pub fn all() -> &'static str {
    static ALL: OnceLock<String> = OnceLock::new();
    ALL.get_or_init(|| {
        let files = std::iter::once(CONTEXT).chain(MODULES.iter().map(|module| module.definition));
        in_todays_grammar(&files.collect::<Vec<_>>().join("\n"))
    })
}

/// The same, with what test files are written with.
pub fn with_tests() -> &'static str {
    static ALL: OnceLock<String> = OnceLock::new();
    ALL.get_or_init(|| [all(), &in_todays_grammar(TESTS)].join("\n"))
}

/// Luau took `declare class` out of its grammar (0.740); editors follow.
fn in_todays_grammar(definitions: &str) -> String {
    let lines = definitions.lines().map(|line| match line.strip_prefix(CLASS) {
        Some(name) => format!("declare extern type {name} with\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// How our files declare an object: what a reader expects, and shorter than what Luau calls it now.
const CLASS: &str = "declare class ";

/// The package that editors know the definitions by; the documentation names it in every symbol.
pub const PACKAGE: &str = "@moonbell";

/// The documentation of everything, for luau-lsp: it does not read comments of definition files.
pub fn documentation() -> Value {
    let mut symbols = Map::new();
    let mut add = |symbol: String, doc: &str| {
        if !doc.is_empty() {
            symbols.insert(symbol, json!({ "documentation": without_tags(doc) }));
        }
    };
    for item in items(with_tests()) {
        let place = if item.kind == ItemKind::Module { "global" } else { "globaltype" };
        let name = format!("{PACKAGE}/{place}/{}", item.name);
        for member in &item.members {
            add(format!("{name}.{}", member.name), &member.doc);
        }
        add(name, &item.doc);
    }
    Value::Object(symbols)
}

/// luau-lsp takes what stands in angle brackets for HTML, and out.
fn without_tags(doc: &str) -> String {
    let mut text = String::with_capacity(doc.len());
    let mut rest = doc;
    while let Some(open) = rest.find('<') {
        let Some(length) = rest[open..].find('>') else { break };
        text.push_str(&rest[..open]);
        text.push('‹');
        text.push_str(&rest[open + 1..open + length]);
        text.push('›');
        rest = &rest[open + length + 1..];
    }
    text + rest
}

/// What a definition file declares at its top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub kind: ItemKind,
    pub name: String,
    /// Markdown, one sentence at least.
    pub doc: String,
    /// Its declaration as written, without documentation.
    pub text: String,
    pub members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// `declare name: { … }`: a table of functions.
    Module,
    /// `declare class Name … end`: an object that the host makes.
    Class,
    /// `declare function name(…)`: a global function.
    Function,
    /// `export type Name = …`
    Type,
}

/// A function of a module, a method or field of an object, a field of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    /// As written: `get: (key: string) -> (any, Failure)`, `function finish(self): boolean`.
    pub text: String,
    pub doc: String,
}

/// What a definition file declares, in its order.
pub fn items(definition: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut doc = Vec::new();
    let mut lines = definition.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(text) = trimmed.strip_prefix("---") {
            doc.push(text.trim().to_owned());
            continue;
        }
        let Some((kind, name)) = opening(trimmed) else {
            doc.clear();
            continue;
        };
        let mut item = Item {
            kind,
            name,
            doc: std::mem::take(&mut doc).join("\n"),
            text: trimmed.to_owned(),
            members: Vec::new(),
        };
        if balance(trimmed) > 0 || kind == ItemKind::Class {
            read_members(&mut lines, &mut item);
        } else if let Some(inner) =
            trimmed.split_once("= {").and_then(|(_, inner)| inner.strip_suffix('}'))
        {
            item.members = split(inner)
                .into_iter()
                .filter_map(|text| member(text.trim(), String::new()))
                .collect();
        }
        items.push(item);
    }
    items
}

/// The names of what a module, an object or a type has.
pub fn members(name: &str) -> Vec<String> {
    static ITEMS: OnceLock<Vec<Item>> = OnceLock::new();
    let items = ITEMS.get_or_init(|| items(with_tests()));
    let item = items.iter().find(|item| item.name == name);
    item.map(|item| item.members.iter().map(|member| member.name.clone()).collect())
        .unwrap_or_default()
}

fn opening(line: &str) -> Option<(ItemKind, String)> {
    let (kind, rest) = if let Some(rest) = line.strip_prefix(CLASS) {
        (ItemKind::Class, rest)
    } else if let Some(rest) = line.strip_prefix("declare extern type ") {
        (ItemKind::Class, rest)
    } else if let Some(rest) = line.strip_prefix("declare function ") {
        (ItemKind::Function, rest)
    } else if let Some(rest) = line.strip_prefix("declare ") {
        (ItemKind::Module, rest)
    } else {
        (ItemKind::Type, line.strip_prefix("export type ")?)
    };
    let name = rest.split(|c: char| c != '_' && !c.is_alphanumeric()).next()?;
    Some((kind, name.to_owned()))
}

fn read_members<'a>(lines: &mut impl Iterator<Item = &'a str>, item: &mut Item) {
    let mut doc = Vec::new();
    let mut open = String::new();
    for line in lines {
        let trimmed = line.trim();
        item.text.push('\n');
        if let Some(text) = trimmed.strip_prefix("---") {
            item.text.pop();
            doc.push(text.trim().to_owned());
            continue;
        }
        item.text.push_str(line);
        if open.is_empty() && matches!(trimmed, "}" | "end") {
            return;
        }
        let (code, comment) = trimmed.split_once(" -- ").unwrap_or((trimmed, ""));
        if !open.is_empty() {
            open.push(' ');
        }
        open.push_str(code);
        if balance(&open) == 0 {
            if !comment.is_empty() {
                doc.push(comment.to_owned());
            }
            let doc = std::mem::take(&mut doc).join("\n");
            item.members.extend(member(open.trim().trim_end_matches(','), doc));
            open.clear();
        }
    }
}

fn member(text: &str, doc: String) -> Option<Member> {
    let name = text.strip_prefix("function ").unwrap_or(text);
    let name = name.split(|c: char| c != '_' && !c.is_alphanumeric()).next()?;
    (!name.is_empty()).then(|| Member { name: name.to_owned(), text: text.to_owned(), doc })
}

/// Open brackets less closed ones.
fn balance(text: &str) -> i32 {
    text.chars().fold(0, |open, c| match c {
        '{' | '(' | '[' => open + 1,
        '}' | ')' | ']' => open - 1,
        _ => open,
    })
}

/// Fields of a table that stands on one line.
fn split(inner: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut start = 0;
    for (at, _) in inner.match_indices(',') {
        if balance(&inner[start..at]) == 0 {
            fields.push(&inner[start..at]);
            start = at + 1;
        }
    }
    fields.push(&inner[start..]);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_and_function_is_documented() {
        let mut complaints = Vec::new();
        for module in MODULES {
            let items = items(module.definition);
            let own = items.iter().find(|item| item.name == module.name);
            let Some(own) = own else {
                complaints.push(format!("`{}` is not declared", module.name));
                continue;
            };
            if own.doc.is_empty() {
                complaints.push(format!("`{}` has no documentation", own.name));
            }
            for member in own.members.iter().filter(|member| member.doc.is_empty()) {
                complaints.push(format!("`{}.{}` has no documentation", own.name, member.name));
            }
        }
        let classes = [items(CONTEXT), items(TESTS)].concat();
        for item in classes.iter().filter(|item| item.kind == ItemKind::Class) {
            for member in item.members.iter().filter(|member| member.doc.is_empty()) {
                complaints
                    .push(format!("`{}` of `{}` has no documentation", member.name, item.name));
            }
        }
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    }

    #[test]
    fn members_are_found_with_their_documentation() {
        let found = items(
            "--- Greets.\ndeclare hi: {\n\t--- Says it.\n\t--- Loudly.\n\tsay: (text: string, options: {\n\t\tloud: boolean?, -- very\n\t}?) -> (),\n\tname: string, -- whose\n}\nexport type A = { b: { c: number }, d: string? }\n",
        );
        assert_eq!(found.len(), 2);
        let names: Vec<&str> = found[0].members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!((names, found[0].doc.as_str()), (vec!["say", "name"], "Greets."));
        assert_eq!(found[0].members[0].doc, "Says it.\nLoudly.");
        assert_eq!(found[0].members[1].doc, "whose");
        let fields: Vec<&str> =
            found[1].members.iter().map(|member| member.text.as_str()).collect();
        assert_eq!(fields, ["b: { c: number }", "d: string?"]);
    }

    #[test]
    fn editors_get_the_grammar_of_today_and_a_documentation_of_everything() {
        assert!(!all().contains("\ndeclare class "), "Luau no longer has that");
        assert!(all().contains("\ndeclare extern type Ctx with\n"));
        let docs = documentation();
        let doc = |symbol: &str| docs[symbol]["documentation"].as_str().unwrap_or_default();
        assert!(doc("@moonbell/global/bot").starts_with("What this script answers to."));
        assert!(doc("@moonbell/globaltype/Card.append").starts_with("Adds text"));
        assert!(doc("@moonbell/globaltype/HandlerOptions.role").starts_with("Who may use it"));
        // Else it would read "such as deploy".
        let command = doc("@moonbell/global/bot.command");
        assert!(command.contains("deploy ‹env:dev|prod› [tag]"), "{command}");
        for module in MODULES {
            for member in members(module.name) {
                let symbol = format!("@moonbell/global/{}.{member}", module.name);
                assert!(!doc(&symbol).is_empty(), "{symbol}");
            }
        }
    }
}
