//! What an editor needs to know about a scripts folder: definitions, and settings that name them.
//!
//! Settings of the user's are merged into and never taken away. A file that is not plain JSON, as editors allow, is left
//! alone, and the lines to add are returned instead.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::api::definitions;

/// The definitions, for luau-lsp. Not a script: the host skips `*.d.luau`.
pub(super) const DEFINITIONS: &str = "moonbell.d.luau";

/// What they document, for luau-lsp, which does not read their comments.
pub(super) const DOCUMENTATION: &str = "moonbell.docs.json";

/// What was done in a folder.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Written or changed just now.
    pub(super) files: Vec<PathBuf>,
    /// Could not be merged into: the file, and what to add to it.
    pub(super) left: Vec<(PathBuf, String)>,
}

/// Writes definitions and settings into `dir`; what is there already and says so stays untouched.
pub(super) fn write(dir: &Path) -> io::Result<Written> {
    let mut written = Written::default();
    replace(&dir.join(DEFINITIONS), definitions::with_tests(), &mut written)?;
    replace(&dir.join(DOCUMENTATION), &pretty(&definitions::documentation()), &mut written)?;
    let code = dir.join(".vscode");
    if !code.is_dir() {
        fs::create_dir_all(&code)?;
    }
    merge(&code.join("settings.json"), &settings(), &mut written)?;
    merge(
        &code.join("extensions.json"),
        &json!({ "recommendations": ["JohnnyMorganz.luau-lsp"] }),
        &mut written,
    )?;
    merge(
        &dir.join(".luaurc"),
        &json!({ "languageMode": "nonstrict", "lint": { "*": true } }),
        &mut written,
    )?;
    Ok(written)
}

fn settings() -> Value {
    json!({
        // Not Roblox: its globals would be offered everywhere.
        "luau-lsp.platform.type": "standard",
        "luau-lsp.types.definitionFiles": { (definitions::PACKAGE): DEFINITIONS },
        "luau-lsp.types.documentationFiles": [DOCUMENTATION],
        "luau-lsp.sourcemap.enabled": false,
        "files.associations": { "*.luau": "luau", "*.lua": "luau" },
    })
}

fn replace(path: &Path, text: &str, written: &mut Written) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    // Beside it, then over it: an editor that reads meanwhile sees one or the other.
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let result = fs::File::create(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result?;
    written.files.push(path.to_owned());
    Ok(())
}

fn merge(path: &Path, wanted: &Value, written: &mut Written) -> io::Result<()> {
    let old = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let parsed = if old.trim().is_empty() {
        Some(Value::Object(Map::new()))
    } else {
        serde_json::from_str(&old).ok().filter(Value::is_object)
    };
    let Some(before) = parsed else {
        // With comments or trailing commas: rewriting it would lose them. Each name that it has counts as settled.
        let missing: Map<String, Value> = wanted
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| !old.contains(&format!("\"{key}\"")) || !settled(&old, value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !missing.is_empty() {
            written.left.push((path.to_owned(), pretty(&Value::Object(missing))));
        }
        return Ok(());
    };
    let mut after = before.clone();
    add(&mut after, wanted);
    if after == before { Ok(()) } else { replace(path, &pretty(&after), written) }
}

/// Whether a file that cannot be parsed names what `value` is about.
fn settled(text: &str, value: &Value) -> bool {
    match value {
        Value::Object(map) => map.keys().all(|key| text.contains(&format!("\"{key}\""))),
        _ => true,
    }
}

/// Adds what is missing; what the user has set otherwise stays.
fn add(have: &mut Value, wanted: &Value) {
    match (have, wanted) {
        (Value::Object(have), Value::Object(wanted)) => {
            for (key, value) in wanted {
                match have.get_mut(key) {
                    Some(own) => add(own, value),
                    None => {
                        have.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(have), Value::Array(wanted)) => {
            for value in wanted {
                if !have.contains(value) {
                    have.push(value.clone());
                }
            }
        }
        _ => {}
    }
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_merged_and_a_second_time_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let settings = root.path().join(".vscode/settings.json");
        fs::create_dir(root.path().join(".vscode")).unwrap();
        fs::write(&settings, r#"{ "editor.tabSize": 3, "luau-lsp.platform.type": "roblox", "files.associations": { "*.x": "lua" } }"#).unwrap();
        assert_eq!(write(root.path()).unwrap().files.len(), 5);
        let merged: Value = serde_json::from_str(&fs::read_to_string(&settings).unwrap()).unwrap();
        assert_eq!(merged["editor.tabSize"], 3);
        assert_eq!(merged["luau-lsp.platform.type"], "roblox", "what the user chose stays");
        assert_eq!(merged["files.associations"]["*.x"], "lua");
        assert_eq!(merged["luau-lsp.types.definitionFiles"]["@moonbell"], DEFINITIONS);
        assert_eq!(merged["luau-lsp.types.documentationFiles"][0], DOCUMENTATION);
        let again = write(root.path()).unwrap();
        assert!(again.files.is_empty() && again.left.is_empty(), "{again:?}");
        // Nothing is left behind.
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 4);
    }

    #[test]
    fn settings_with_comments_are_left_alone_and_the_lines_to_add_are_told() {
        let root = tempfile::tempdir().unwrap();
        let settings = root.path().join(".vscode/settings.json");
        fs::create_dir(root.path().join(".vscode")).unwrap();
        let text = "{\n  // mine\n  \"luau-lsp.platform.type\": \"standard\",\n}\n";
        fs::write(&settings, text).unwrap();
        let written = write(root.path()).unwrap();
        assert_eq!(fs::read_to_string(&settings).unwrap(), text);
        let (path, lines) = &written.left[0];
        assert_eq!(path, &settings);
        assert!(lines.contains("@moonbell") && !lines.contains("platform"), "{lines}");
    }
}
