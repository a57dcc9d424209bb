//! The report: for a person in columns that fit the terminal, for programs as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::check::{Check, Said, State};
use crate::cli::{columns, talk};
use crate::sink::escape;
use crate::sink::redact;
use crate::words::doctor::report as w;
use crate::words::{self, Lang};

/// Narrower, and every line is a word.
const NARROWEST: usize = 40;

/// Wider, and no eye finds the next line.
const WIDEST: usize = 100;

/// As wide as the longest id.
const IDS: usize = 25;

pub(super) fn text(checks: &[Check], lang: Lang, width: usize) -> String {
    let width = width.clamp(NARROWEST, WIDEST);
    // Beside the ids where there is room, else below them.
    let beside = width >= 80;
    let indent = if beside { 4 + 9 + IDS + 1 } else { 4 };
    let mut text = String::new();
    for (number, check) in (1..).zip(checks) {
        let word = word(check.state, lang);
        let pad = 8 - word.width().min(8);
        let _ = write!(text, "{number:>2}  {word}{:pad$} ", "");
        if beside {
            let _ = write!(text, "{:IDS$} ", check.id);
        } else {
            let _ = write!(text, "{}\n{:indent$}", check.id, "");
        }
        wrap(&mut text, check.seen.pick(lang), indent, width);
        for said in &check.fixed {
            line(&mut text, &w::fixed(said.pick(lang), lang), indent, width);
        }
        if let Some(todo) = &check.todo {
            line(&mut text, &w::todo(todo.pick(lang), lang), indent, width);
        }
        if let Some(page) = &check.page
            && check.state != State::Ok
        {
            line(&mut text, &w::page(&page.shown(lang), lang), indent, width);
        }
    }
    text.push('\n');
    wrap(&mut text, &summary(checks, lang), 0, width);
    let failed: Vec<&str> =
        checks.iter().filter(|check| check.is_bad()).map(|check| check.id).collect();
    if !failed.is_empty() {
        let ids = words::list(&failed, lang);
        wrap(&mut text, &w::which_failed(failed.len(), &ids, lang), 0, width);
    }
    text.truncate(text.trim_end().len());
    text
}

fn word(state: State, lang: Lang) -> &'static str {
    match state {
        State::Ok => w::ok(lang),
        State::Warning => w::warning(lang),
        State::Failed => w::failed(lang),
        State::Skipped => w::skipped(lang),
    }
}

fn summary(checks: &[Check], lang: Lang) -> String {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let [ok, warnings, failed, skipped] =
        [State::Ok, State::Warning, State::Failed, State::Skipped].map(count);
    w::sum(checks.len(), ok, &w::warnings(warnings, lang), failed, skipped, lang)
}

fn line(text: &mut String, more: &str, indent: usize, width: usize) {
    let _ = write!(text, "{:indent$}", "");
    wrap(text, more, indent, width);
}

/// Writes `more` and a line break; lines after the first begin at `indent`.
fn wrap(text: &mut String, more: &str, indent: usize, width: usize) {
    let more = escape(&redact(more));
    text.push_str(&columns::wrap(&talk::fit(&more), indent, indent, width));
    text.push('\n');
}

/// For programs, and so in English whoever asks.
pub(super) fn json(checks: &[Check], runs: bool) -> Value {
    let list: Vec<Value> = (1..)
        .zip(checks)
        .map(|(number, check): (u32, _)| {
            let said = |said: &Said| redact(said.pick(Lang::En)).into_owned();
            json!({
                "number": number,
                "id": check.id,
                "state": check.state.as_str(),
                "seen": said(&check.seen),
                "todo": check.todo.as_ref().map(said),
                "page": check.page.as_ref().map(|page| page.text(Lang::En)),
                "because": check.because,
                "fixed": check.fixed.iter().map(said).collect::<Vec<_>>(),
            })
        })
        .collect();
    let ok = !checks.iter().any(Check::is_bad);
    json!({ "ok": ok, "host_runs": runs, "checks": list })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(width: usize, lang: Lang) -> String {
        let checks = [
            Check::ok("config", |lang| lang.pick("一切正常", "as it should be")),
            Check::failed("secret", |lang| {
                lang.pick(
                    "钉钉不认可 client id 和密钥（authFailed），请重新复制一次然后保存",
                    "DingTalk does not accept client id and secret, whatever you may have thought of them before",
                )
            })
            .todo(|lang| lang.pick("重新复制", "copy both again")),
        ];
        text(&checks, lang, width)
    }

    #[test]
    fn the_report_fits_the_terminal_in_both_languages() {
        for lang in [Lang::Zh, Lang::En] {
            for width in [40, 60, 80, 100] {
                let report = report(width, lang);
                for line in report.lines() {
                    assert!(line.width() <= width, "{width}: `{line}` in\n{report}");
                    assert!(!line.ends_with(' '), "`{line}`");
                }
            }
        }
    }

    #[test]
    fn a_narrow_terminal_has_the_text_below_the_id() {
        assert_eq!(
            report(40, Lang::En).lines().collect::<Vec<_>>(),
            [
                " 1  ok       config",
                "    as it should be",
                " 2  failed   secret",
                "    DingTalk does not accept client id",
                "    and secret, whatever you may have",
                "    thought of them before",
                "    do: copy both again",
                "",
                "2 checks: 1 ok, 0 warnings, 1 failed, 0",
                "skipped",
                "1 failed: secret",
            ]
        );
    }
}
