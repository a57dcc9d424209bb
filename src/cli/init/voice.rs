//! How `init` speaks: steps with marks on a terminal, or a JSON object a line.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::words as w;
use crate::cli::talk;
use crate::router::Lang;
use crate::telemetry::{escape, redact};

#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) lang: Lang,
    json: bool,
    /// Whether the terminal shows more than ASCII.
    pub(super) unicode: bool,
}

impl Voice {
    pub(super) fn new(json: bool, lang: Lang) -> Self {
        Self { lang, json, unicode: shows_unicode() }
    }

    /// For a program that reads events.
    pub(super) fn program() -> Self {
        Self::new(true, Lang::En)
    }

    /// Whether there is somebody who sees questions and can answer.
    pub(super) fn may_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    pub(super) fn greet(&self) {
        self.text(&talk::label(w::title(self.lang), "\x1b[1m"));
        self.text(&talk::label(w::subtitle(self.lang), "\x1b[2m"));
    }

    pub(super) fn heading(&self, title: &str) {
        self.text("");
        self.text(&talk::label(title, "\x1b[1m"));
    }

    /// Something that is done, or was.
    pub(super) fn done(&self, text: &str) {
        let mark = if self.unicode { "✓" } else { "*" };
        self.text(&format!("  {} {}", talk::label(mark, "\x1b[32m"), clean(text)));
    }

    /// Something that went wrong, and what to do.
    pub(super) fn trouble(&self, text: &str, hint: &str) {
        self.text(&format!("  {} {}", talk::label("!", "\x1b[31;1m"), clean(text)));
        if !hint.is_empty() {
            self.text(&format!("    {}", clean(hint)));
        }
    }

    pub(super) fn note(&self, text: &str) {
        for line in text.lines() {
            self.text(&format!("    {}", clean(line)));
        }
    }

    /// What somebody has to type or scan: nothing around it that could be taken for a part of it.
    pub(super) fn shown(&self, text: &str) {
        self.text("");
        self.text(&format!("      {}", talk::label(&clean(text), "\x1b[1m")));
        self.text("");
    }

    /// Lines that are drawn already.
    pub(super) fn drawn(&self, text: &str) {
        self.text(text);
    }

    pub(super) fn end(&self, text: &str) {
        self.text("");
        for line in text.lines() {
            self.text(&clean(line));
        }
    }

    fn text(&self, line: &str) {
        if !self.json {
            talk::say(line);
        }
    }

    /// For programs: what happened in a step.
    pub(super) fn event(&self, step: &str, event: &str, more: Value) {
        if !self.json {
            return;
        }
        let mut object = Map::new();
        object.insert("step".to_owned(), json!(step));
        object.insert("event".to_owned(), json!(event));
        if let Value::Object(more) = more {
            object.extend(more);
        }
        talk::data(redact(&Value::Object(object).to_string()));
    }

    pub(super) fn failed(&self, error: &anyhow::Error) {
        let causes: Vec<String> =
            error.chain().map(|cause| redact(&cause.to_string()).into()).collect();
        let hint = talk::hint(error).map(|hint| redact(&hint).into_owned());
        self.event("end", "failed", json!({ "message": causes.join(": "), "hint": hint }));
    }
}

/// A path as people write it.
pub(super) fn path(path: &Path) -> String {
    let home = directories::BaseDirs::new();
    let below = home.as_ref().and_then(|dirs| path.strip_prefix(dirs.home_dir()).ok());
    match below {
        Some(below) if !cfg!(windows) => format!("~/{}", below.display()),
        _ => path.display().to_string(),
    }
}

/// Messages quote what DingTalk and the settings say.
fn clean(text: &str) -> String {
    escape(&redact(text))
}

pub(super) fn language(word: &str) -> Lang {
    if word.to_ascii_lowercase().starts_with("zh") { Lang::Zh } else { Lang::En }
}

/// What this user reads, as far as the system knows.
pub(super) fn system_language() -> Lang {
    sys_locale::get_locale().as_deref().map_or(Lang::En, language)
}

/// On Unix the locale says it; elsewhere terminals do today.
fn shows_unicode() -> bool {
    if cfg!(windows) {
        return true;
    }
    let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = named("LC_ALL").or_else(|| named("LC_CTYPE")).or_else(|| named("LANG"));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
