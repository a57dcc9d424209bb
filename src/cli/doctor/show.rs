//! The report: for a person in columns that fit the terminal, for programs as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::check::{Check, State};
use crate::sink::escape;
use crate::sink::redact;
use crate::words::Lang;

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
            let fixed = lang.pick("已修复：", "fixed: ");
            line(&mut text, &format!("{fixed}{}", said.pick(lang)), indent, width);
        }
        if let Some(todo) = &check.todo {
            let todo = format!("{}{}", lang.pick("怎么办：", "do: "), todo.pick(lang));
            line(&mut text, &todo, indent, width);
        }
        if let Some(page) = &check.page
            && check.state != State::Ok
        {
            let page = format!("{}{}", lang.pick("页面：", "page: "), page.text(lang));
            line(&mut text, &page, indent, width);
        }
    }
    text.push('\n');
    wrap(&mut text, &summary(checks, lang), 0, width);
    text.truncate(text.trim_end().len());
    text
}

fn word(state: State, lang: Lang) -> &'static str {
    match state {
        State::Ok => lang.pick("正常", "ok"),
        State::Warning => lang.pick("留意", "warning"),
        State::Failed => lang.pick("有问题", "failed"),
        State::Skipped => lang.pick("跳过", "skipped"),
    }
}

fn summary(checks: &[Check], lang: Lang) -> String {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let [ok, warnings, failed, skipped] =
        [State::Ok, State::Warning, State::Failed, State::Skipped].map(count);
    let all = checks.len();
    let plural = if warnings == 1 { "" } else { "s" };
    let zh = format!("共 {all} 项：{ok} 正常，{warnings} 留意，{failed} 有问题，{skipped} 跳过");
    let en = format!(
        "{all} checks: {ok} ok, {warnings} warning{plural}, {failed} failed, {skipped} skipped"
    );
    lang.pick(&zh, &en).to_owned()
}

fn line(text: &mut String, more: &str, indent: usize, width: usize) {
    let _ = write!(text, "{:indent$}", "");
    wrap(text, more, indent, width);
}

/// Writes `more` and a line break; lines after the first begin at `indent`. Breaks at spaces, and between characters
/// that are two columns wide, for Chinese has no spaces.
fn wrap(text: &mut String, more: &str, indent: usize, width: usize) {
    let room = width.saturating_sub(indent).max(20);
    let clean = escape(&redact(more));
    let mut column = 0;
    for piece in pieces(&clean) {
        let wide = piece.trim_end().width();
        if column > 0 && column + wide > room {
            while text.ends_with(' ') {
                text.pop();
            }
            let _ = write!(text, "\n{:indent$}", "");
            column = 0;
        }
        text.push_str(piece);
        column += piece.width();
    }
    text.push('\n');
}

/// Parts of `text` that stay in one line, each with the space after it. What closes stays with what is before it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.len();
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let after = at + c.len_utf8();
            let next = chars.peek().map(|(_, c)| *c);
            let wide = c.width() == Some(2) || next.is_some_and(|next| next.width() == Some(2));
            let tied = next.is_some_and(|next| "，。；：、）」》？！,.;:)".contains(next))
                || "（「《(".contains(c);
            if (c == ' ' && next != Some(' ')) || (wide && !tied && next != Some(' ')) {
                end = after;
                break;
            }
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

pub(super) fn json(checks: &[Check], lang: Lang, runs: bool) -> Value {
    let list: Vec<Value> = (1..)
        .zip(checks)
        .map(|(number, check): (u32, _)| {
            let said = |text: &str| redact(text).into_owned();
            json!({
                "number": number,
                "id": check.id,
                "state": check.state.as_str(),
                "seen": said(check.seen.pick(lang)),
                "todo": check.todo.as_ref().map(|todo| said(todo.pick(lang))),
                "page": check.page.as_ref().map(|page| page.text(lang)),
                "because": check.because,
                "fixed": check.fixed.iter().map(|fixed| said(fixed.pick(lang))).collect::<Vec<_>>(),
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
            Check::ok("config", "一切正常", "as it should be"),
            Check::failed("secret", "钉钉不认可 client id 和密钥（authFailed），请重新复制一次然后保存", "DingTalk does not accept client id and secret, whatever you may have thought of them before")
                .todo("重新复制", "copy both again"),
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
            ]
        );
    }
}
