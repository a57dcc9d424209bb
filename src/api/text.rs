//! `text`: words for people out of what came from elsewhere. See `text.d.luau`.
//!
//! Everything here is pure and safe on any bytes: what is not UTF-8 becomes `�`.

use std::fmt::Write as _;

use mlua::{Lua, LuaString, Result as LuaResult, Table, Value};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::api::Host;
use crate::api::failure::{misuse, type_name};
use crate::api::module::Module;
use crate::api::options::{Options, text_of};
use crate::sink::markdown::{self, fenced};
use crate::sink::{clean, strip_ansi};

/// What one call takes: beyond it the answer to a chat is a file, and a call would hold up other scripts.
const MAX_BYTES: usize = 4 << 20;

/// Rows of one table: more than a card or a message can hold.
const MAX_ROWS: usize = 2_000;

/// Pieces of one split: a table of more would fill the memory of a VM.
const MAX_PIECES: usize = 500_000;

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    Module::new(lua, "text")?
        .function("escape", &["text"], |_, _, text: LuaString| Ok(escape(&read(1, "text", &text)?)))?
        .function("code", &["text"], |_, _, text: LuaString| Ok(fenced(&clean(&read(1, "text", &text)?))))?
        .function("clean", &["text"], |_, _, text: LuaString| {
            Ok(clean(&read(1, "text", &text)?).into_owned())
        })?
        .function("strip_ansi", &["text"], |_, _, text: LuaString| {
            Ok(strip_ansi(&read(1, "text", &text)?))
        })?
        .function(
            "truncate",
            &["text", "length", "options"],
            |_, _, (text, length, mut options): (LuaString, Value, Options)| {
                let length = count(2, "length", &length)?;
                let mark = options.string("mark")?.unwrap_or_else(|| "…".to_owned());
                let from = options.string("from")?;
                let keep_end = match from.as_deref() {
                    None | Some("start") => false,
                    Some("end") => true,
                    Some(other) => {
                        return Err(misuse(format!(
                            "option `from`: expected \"start\" or \"end\", got {other:?}"
                        )));
                    }
                };
                options.finish()?;
                Ok(truncate(&read(1, "text", &text)?, length, &mark, keep_end))
            },
        )?
        .function("length", &["text"], |_, _, text: LuaString| {
            Ok(read(1, "text", &text)?.graphemes(true).count())
        })?
        .function("trim", &["text"], |_, _, text: LuaString| {
            Ok(read(1, "text", &text)?.trim().to_owned())
        })?
        .function("lines", &["text"], |_, _, text: LuaString| {
            let text = read(1, "text", &text)?;
            pieces(text.lines())
        })?
        .function(
            "split",
            &["text", "separator"],
            |_, _, (text, separator): (LuaString, Option<String>)| {
                let text = read(1, "text", &text)?;
                match separator.as_deref() {
                    None => pieces(text.split_whitespace()),
                    Some("") => Err(misuse(
                        "argument #2 (`separator`): expected text, got \"\"; leave it out to split at white space",
                    )),
                    Some(separator) => pieces(text.split(separator)),
                }
            },
        )?
        .function("table", &["rows", "options"], |_, _, (rows, mut options): (Table, Options)| {
            let columns = options.table("columns")?;
            let align = options.table("align")?;
            options.finish()?;
            table(&rows, columns.as_ref(), align.as_ref())
        })?
        .build()
}

fn read(position: usize, name: &str, text: &LuaString) -> LuaResult<String> {
    let length = text.as_bytes().len();
    if length > MAX_BYTES {
        return Err(misuse(format!(
            "argument #{position} (`{name}`): expected {MAX_BYTES} bytes at most, got {length}"
        )));
    }
    Ok(text.to_string_lossy())
}

fn count(position: usize, name: &str, value: &Value) -> LuaResult<usize> {
    crate::api::options::whole(value).and_then(|count| usize::try_from(count).ok()).ok_or_else(
        || {
            misuse(format!(
                "argument #{position} (`{name}`): expected a whole number, 0 or more, got {}",
                type_name(value)
            ))
        },
    )
}

fn pieces<'text>(pieces: impl Iterator<Item = &'text str>) -> LuaResult<Vec<String>> {
    let mut list = Vec::new();
    for piece in pieces {
        if list.len() == MAX_PIECES {
            return Err(misuse(format!(
                "the text has more than {MAX_PIECES} pieces; work on a part of it"
            )));
        }
        list.push(piece.to_owned());
    }
    Ok(list)
}

/// Text that Markdown shows as it is; what a terminal would act on goes.
pub fn escape(text: &str) -> String {
    markdown::escape(&clean(text))
}

/// At most `length` characters as people count them (an emoji family is one), the mark included.
fn truncate(text: &str, length: usize, mark: &str, keep_end: bool) -> String {
    let bounds: Vec<usize> =
        text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
    let count = bounds.len() - 1;
    if count <= length {
        return text.to_owned();
    }
    let mark: String = mark.graphemes(true).take(length).collect();
    let kept = length - mark.graphemes(true).count();
    if keep_end {
        format!("{mark}{}", &text[bounds[count - kept]..])
    } else {
        format!("{}{mark}", text[..bounds[kept]].trim_end())
    }
}

/// Where a column's text stands.
fn rule(align: Option<&str>) -> LuaResult<&'static str> {
    match align {
        None | Some("left") => Ok("---"),
        Some("right") => Ok("--:"),
        Some("center") => Ok(":-:"),
        Some(other) => Err(misuse(format!(
            "option `align`: expected \"left\", \"right\" or \"center\", got {other:?}"
        ))),
    }
}

fn table(rows: &Table, columns: Option<&Table>, align: Option<&Table>) -> LuaResult<String> {
    if rows.raw_len() > MAX_ROWS {
        return Err(misuse(format!(
            "argument #1 (`rows`): expected {MAX_ROWS} rows at most, got {}",
            rows.raw_len()
        )));
    }
    let names = columns.map(strings).transpose()?;
    let mut cells: Vec<Vec<String>> = Vec::new();
    for (index, row) in rows.sequence_values::<Value>().enumerate() {
        let row = row?;
        let Value::Table(row) = &row else {
            return Err(misuse(format!(
                "argument #1 (`rows`): row {}: expected a table, got {}",
                index + 1,
                type_name(&row)
            )));
        };
        let width = names.as_ref().map_or(row.raw_len(), Vec::len);
        let mut line = Vec::with_capacity(width);
        for column in 0..width {
            // A row is a list, or has its values by the columns' names.
            let mut value: Value = row.raw_get(column + 1)?;
            if let (Value::Nil, Some(names)) = (&value, &names) {
                value = row.raw_get(names[column].as_str())?;
            }
            line.push(cell(&value).map_err(|got| {
                misuse(format!(
                    "argument #1 (`rows`): row {}, column {}: expected text, got {got}",
                    index + 1,
                    column + 1
                ))
            })?);
        }
        cells.push(line);
    }
    // Without `columns` the first row is the head.
    let head = match names {
        Some(names) => names.iter().map(|name| escape_cell(name)).collect(),
        None if cells.is_empty() => return Ok(String::new()),
        None => cells.remove(0),
    };
    let width = cells.iter().map(Vec::len).chain([head.len()]).max().unwrap_or(0);
    let align = align.map(strings).transpose()?.unwrap_or_default();
    let rules = (0..width)
        .map(|column| rule(align.get(column).map(String::as_str)).map(str::to_owned))
        .collect::<LuaResult<Vec<_>>>()?;
    let mut out = String::new();
    for line in [&head, &rules].into_iter().chain(&cells) {
        out.push('|');
        for column in 0..width {
            let _ = write!(out, " {} |", line.get(column).map_or("", String::as_str));
        }
        out.push('\n');
        if out.len() > MAX_BYTES {
            return Err(misuse(format!("the table has more than {MAX_BYTES} bytes")));
        }
    }
    Ok(out)
}

fn strings(list: &Table) -> LuaResult<Vec<String>> {
    list.sequence_values::<Value>()
        .map(|value| {
            let value = value?;
            text_of(&value).ok_or_else(|| {
                misuse(format!(
                    "option `columns`/`align`: expected a list of names, got a {} in it",
                    type_name(&value)
                ))
            })
        })
        .collect()
}

fn cell(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::Nil => Ok(String::new()),
        Value::String(text) => Ok(escape_cell(&text.to_string_lossy())),
        value => text_of(value).ok_or_else(|| type_name(value)),
    }
}

fn escape_cell(text: &str) -> String {
    markdown::escape_inline(&clean(&text.trim().replace('\n', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_means_nothing_to_markdown() {
        for (text, expected) in [
            ("plain 你好 a-b 1.5", "plain 你好 a-b 1.5"),
            ("[Approve](http://evil)", r"\[Approve\](http://evil)"),
            ("![x](y)", r"\!\[x\](y)"),
            ("a_b*c`d", r"a\_b\*c\`d"),
            ("# x\n- y\n1. z\n  + w", "\\# x\n\\- y\n1\\. z\n  \\+ w"),
            ("<b>|~", r"\<b\>\|\~"),
            ("@all", "@\u{2060}all"),
            ("\u{1b}[31mred\u{202e}", "red"),
        ] {
            assert_eq!(escape(text), expected);
        }
        assert_eq!(escape_cell("1.5 a|b\n- c"), r"1.5 a\|b - c", "a cell does not begin a line");
    }

    #[test]
    fn truncation_counts_what_people_count() {
        for (text, length, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("a b c d", 5, "a b…"),
            ("👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", 2, "👨‍👩‍👧…"),
            ("你好世界", 3, "你好…"),
            ("abc", 0, ""),
            ("abc", 1, "…"),
        ] {
            assert_eq!(truncate(text, length, "…", false), expected);
        }
        assert_eq!(truncate("longer", 4, "…", true), "…ger");
        assert_eq!(truncate("longer", 2, "[cut]", false), "[c");
    }

    proptest::proptest! {
        #[test]
        fn truncated_text_is_never_longer(text in "\\PC{0,40}", length in 0_usize..50, end: bool) {
            let cut = truncate(&text, length, "…", end);
            proptest::prop_assert!(cut.graphemes(true).count() <= length.max(text.graphemes(true).count().min(length)));
        }

        #[test]
        fn escaped_text_reads_as_it_was(text in "[ -~你好\n]{0,60}") {
            // What a Markdown reader shows is what was there.
            let html = {
                let escaped = escape(&text);
                let mut shown = String::new();
                for event in pulldown_cmark::Parser::new(&escaped) {
                    match event {
                        pulldown_cmark::Event::Text(text) => shown.push_str(&text),
                        pulldown_cmark::Event::SoftBreak
                        | pulldown_cmark::Event::HardBreak
                        | pulldown_cmark::Event::Start(pulldown_cmark::Tag::Paragraph)
                        | pulldown_cmark::Event::End(_) => shown.push(' '),
                        other => proptest::prop_assert!(false, "{:?} out of {:?}", other, escaped),
                    }
                }
                shown
            };
            let words = |text: &str| text.replace('\u{2060}', "").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            proptest::prop_assert_eq!(words(&html), words(&text));
        }
    }
}
