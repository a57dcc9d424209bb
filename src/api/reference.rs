//! The reference of the script API, `docs/lua/`, from the definitions.

use std::fmt::Write as _;

use super::definitions::{Item, ItemKind, items};
use super::{CONTEXT, MODULES, TESTS};

const NOTE: &str = "<!-- Written from the definitions in src/api: change those, then `MOONBELL_TEST_UPDATE=1 tests/run check::`. -->";

/// File name and text of each page.
pub fn pages() -> Vec<(String, String)> {
    let mut pages = vec![page("ctx", CONTEXT)];
    pages.extend(MODULES.iter().map(|module| page(module.name, module.definition)));
    pages.push(page("test", TESTS));
    let mut index = format!(
        "# Lua reference\n\n{NOTE}\n\nEverything that a handler can call. Beside it there is Luau's own library \
         (`string`, `table`, `math`, …); `os` keeps `clock`, `date`, `difftime` and `time`, `debug` keeps `traceback`, and \
         `require(\"lib/text\")` reads files of the scripts folder.\n\nA call that is wrong in itself raises an error. A \
         call that the outside world refuses returns `nil, err`; `err` prints as its message and has `kind`, `message` \
         and `hint`.\n\n| | |\n|---|---|\n"
    );
    for (file, text) in &pages {
        let name = file.trim_end_matches(".md");
        let about = text.lines().skip(4).find(|line| !line.is_empty()).unwrap_or_default();
        let _ = writeln!(index, "| [`{name}`]({file}) | {about} |");
    }
    pages.insert(0, ("README.md".to_owned(), index));
    pages
}

fn page(name: &str, definition: &str) -> (String, String) {
    let items = items(definition);
    let class = name.to_owned();
    let is_main = |item: &&Item| match item.kind {
        ItemKind::Module => item.name == class,
        ItemKind::Class => item.name.eq_ignore_ascii_case(&class),
        ItemKind::Function | ItemKind::Type => false,
    };
    let main = items.iter().find(is_main);
    let mut text = format!("# `{name}`\n\n{NOTE}\n");
    if let Some(main) = main {
        let _ = write!(text, "\n{}\n", main.doc);
        for item in items.iter().filter(|item| item.kind == ItemKind::Function) {
            let _ = write!(text, "\n## `{}`\n\n{}\n", item.name, item.doc);
            let _ = write!(text, "\n```luau\n{}\n```\n", item.text);
        }
        // Tests call theirs `t`.
        members(&mut text, if name == "test" { "t" } else { name }, main);
    }
    let others: Vec<&Item> = items
        .iter()
        .filter(|item| item.kind != ItemKind::Function)
        .filter(|item| main.is_none_or(|main| main.name != item.name))
        .collect();
    if !others.is_empty() {
        text.push_str("\n## Types\n");
    }
    for item in others {
        let _ = write!(text, "\n### `{}`\n", item.name);
        if !item.doc.is_empty() {
            let _ = write!(text, "\n{}\n", item.doc);
        }
        let _ = write!(text, "\n```luau\n{}\n```\n", item.text);
        if item.members.iter().any(|member| !member.doc.is_empty()) {
            text.push_str("\n| | |\n|---|---|\n");
            for member in item.members.iter().filter(|member| !member.doc.is_empty()) {
                let doc = member.doc.replace('\n', " ").replace('|', "\\|");
                let _ = writeln!(text, "| `{}` | {doc} |", member.name);
            }
        }
    }
    (format!("{name}.md"), text)
}

fn members(text: &mut String, name: &str, main: &Item) {
    for member in &main.members {
        let is_method = member.text.starts_with("function ");
        let separator = if is_method { ':' } else { '.' };
        let _ = write!(text, "\n## `{name}{separator}{}`\n", member.name);
        if !member.doc.is_empty() {
            let _ = write!(text, "\n{}\n", member.doc);
        }
        let _ = write!(text, "\n```luau\n{}\n```\n", member.text);
    }
}
