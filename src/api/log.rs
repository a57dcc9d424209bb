//! `log`, and `print`, which is `log.info`. See `log.d.luau`.

use std::fmt::Write as _;

use mlua::{Lua, MultiValue, Result as LuaResult, Table, Value};

use crate::api::failure::{misuse, type_name};
use crate::api::module::Module;
use crate::api::{Host, Scope};
use crate::sink::redact;

/// What one record keeps of a message: a screen.
const MAX_CHARS: usize = 4000;

#[derive(Clone, Copy)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    let mut module = Module::new(lua, "log")?;
    for (name, level) in [
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ] {
        module = module.function(
            name,
            &["message", "fields"],
            move |_, scope, args: (Value, Option<Table>)| {
                let (message, fields) = args;
                let mut text = one_line(&shown(&message)?);
                if let Some(fields) = fields {
                    for pair in fields.pairs::<Value, Value>() {
                        let (key, value) = pair?;
                        let Value::String(key) = &key else {
                            return Err(misuse(format!(
                                "argument #2 (`fields`): expected names as keys, got a {}",
                                type_name(&key)
                            )));
                        };
                        let value = one_line(&shown(&value)?);
                        let _ = write!(text, " {}={value}", one_line(&key.to_string_lossy()));
                    }
                }
                record(scope, level, &text);
                Ok(())
            },
        )?;
    }
    module.build()
}

/// Replaces `print`: a script has no terminal.
pub(super) fn install_print(lua: &Lua) -> LuaResult<()> {
    let print = lua.create_function(|lua, values: MultiValue| {
        let words: Vec<String> = values.iter().map(shown).collect::<LuaResult<_>>()?;
        record(&Scope::of(lua)?, Level::Info, &one_line(&words.join(" ")));
        Ok(())
    })?;
    lua.globals().raw_set("print", print)
}

/// Bytes that are no text are shown as such: a log refuses nothing.
fn shown(value: &Value) -> LuaResult<String> {
    match value {
        // Before it is escaped: a folded line of base64 is not recognised any more.
        Value::String(text) => Ok(redact(&text.to_string_lossy()).into_owned()),
        other => other.to_string(),
    }
}

fn record(scope: &Scope, level: Level, text: &str) {
    let run = scope.run();
    if let Some(run) = &run {
        match level {
            Level::Debug => {}
            Level::Info => run.note_log("info", text),
            Level::Warn => run.note_log("warn", text),
            Level::Error => run.note_log("error", text),
        }
    }
    let run = run.as_deref().map(crate::api::Run::id);
    let script: &str = scope.script();
    match level {
        Level::Debug => tracing::debug!(target: "script", script, run.id = run, "{text}"),
        Level::Info => tracing::info!(target: "script", script, run.id = run, "{text}"),
        Level::Warn => tracing::warn!(target: "script", script, run.id = run, "{text}"),
        Level::Error => tracing::error!(target: "script", script, run.id = run, "{text}"),
    }
}

/// One record is one line, whatever is in it: no line breaks, no terminal controls, no direction marks.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_CHARS {
            line.push('…');
            break;
        }
        match c {
            '\n' => line.push_str("\\n"),
            '\t' => line.push(' '),
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}'..='\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                let _ = write!(line, "{}", c.escape_unicode());
            }
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_one_line_without_controls() {
        assert_eq!(one_line("a\n{\"level\":\"ERROR\"}"), "a\\n{\"level\":\"ERROR\"}");
        assert_eq!(one_line("\u{1b}[31mred\u{202e}"), "\\u{1b}[31mred\\u{202e}");
        assert_eq!(one_line(&"x".repeat(5000)).chars().count(), MAX_CHARS + 1);
    }
}
