//! What the host itself says about questions, in the two languages.

use chrono::{DateTime, Local};

use crate::asks::marked;
use crate::dingtalk::text::shorten;
use crate::message::StaffId;
use crate::router::Lang;

/// Characters of a name.
const NAME_CHARS: usize = 30;

/// A time of today, or of another day.
pub(super) fn clock_time(at_ms: i64, now_ms: i64) -> String {
    let local = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default().with_timezone(&Local);
    let (at, now) = (local(at_ms), local(now_ms));
    let today = at.date_naive() == now.date_naive();
    at.format(if today { "%H:%M" } else { "%m-%d %H:%M" }).to_string()
}

/// A person, as what they call themselves: it is free text, so it is shown as it is and in short.
pub(super) fn name(name: &str, id: &StaffId) -> String {
    let name = if name.trim().is_empty() { id.as_str() } else { name };
    shorten(&marked(name).replace('\n', " "), NAME_CHARS)
}

/// Who answered, and when.
pub(super) fn by(said: &str, id: &StaffId, at_ms: i64) -> String {
    format!("{} · {}", name(said, id), clock_time(at_ms, at_ms))
}

pub(super) fn chosen(label: &str, by: &str) -> String {
    crate::dingtalk::markdown::escape_inline(&format!("→ {} · {by}", label.replace('\n', " ")))
}

pub(super) fn cancelled(lang: Lang) -> &'static str {
    lang.pick("已取消。", "cancelled")
}

pub(super) fn late(until_ms: i64, lang: Lang) -> String {
    let until = clock_time(until_ms, until_ms);
    match lang {
        Lang::Zh => format!("⌛ 到 {until} 没有回答。"),
        Lang::En => format!("⌛ no answer until {until}"),
    }
}

pub(super) fn approved(by: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("✅ 已批准 · {by}"),
        Lang::En => format!("✅ approved · {by}"),
    }
}

pub(super) fn refused(by: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("🚫 已拒绝，没有执行 · {by}"),
        Lang::En => format!("🚫 refused, nothing was run · {by}"),
    }
}

pub(super) fn expired(until: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("⌛ 到 {until} 没有人批准，没有执行。"),
        Lang::En => format!("⌛ not approved until {until}, nothing was run"),
    }
}

pub(super) fn changed(lang: Lang) -> &'static str {
    lang.pick(
        "🚫 等待期间脚本被修改，没有执行；请重新发送。",
        "🚫 the script was changed meanwhile, nothing was run; send it again",
    )
}

pub(super) fn not_run(lang: Lang) -> &'static str {
    lang.pick("🚫 已取消，没有执行。", "🚫 cancelled, nothing was run")
}

/// Who asks, until when it can be answered, and the beginning of its digest.
pub(super) fn terms(asker: &str, until: &str, digest: &str, lang: Lang) -> String {
    let digest = &digest[..digest.len().min(12)];
    match lang {
        Lang::Zh => format!("{asker} · {until} 前有效 · #{digest}"),
        Lang::En => format!("{asker} · until {until} · #{digest}"),
    }
}

/// Until when a question can be answered.
pub(super) fn open_until(until: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("{until} 前有效"),
        Lang::En => format!("until {until}"),
    }
}

/// Of whom it is asked, if not of whoever asked.
pub(super) fn for_role(role: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("需要另一位 {role} 批准"),
        Lang::En => format!("to be approved by another {role}"),
    }
}

/// How to answer by a message.
pub(super) fn how(code: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("批准请回复：yes {code} · 拒绝：no {code}"),
        Lang::En => format!("To approve, send: yes {code} · to refuse: no {code}"),
    }
}

/// The same beside buttons.
pub(super) fn or(code: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("也可以回复：yes {code} 或 no {code}"),
        Lang::En => format!("or send: yes {code}, or no {code}"),
    }
}

/// In the place of what is too long for a message.
pub(super) fn in_file(file: &str, chars: usize, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("全部内容（{chars} 字）在文件 {file} 里"),
        Lang::En => format!("all of it ({chars} characters) is in the file {file}"),
    }
}

/// To whoever asked, while another chat has the question.
pub(super) fn waits_for_owner(until: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("⏳ 已请主人批准（{until} 前有效）。发送“取消”可撤回。"),
        Lang::En => format!(
            "⏳ The owner was asked to approve it, until {until}. Send cancel to withdraw it."
        ),
    }
}

pub(super) fn too_many(lang: Lang) -> &'static str {
    lang.pick(
        "🚫 你等待批准的请求太多，没有执行；请等它们有了结果再试。",
        "🚫 Too many of your requests wait for approval, or did within the hour; nothing was run.",
    )
}

pub(super) fn nobody(lang: Lang) -> &'static str {
    lang.pick(
        "🚫 需要另一个人批准，而这里没有别人；请在群里发送。",
        "🚫 Somebody else must approve this, and nobody else is here; send it in a group.",
    )
}

pub(super) fn not_shown(lang: Lang) -> &'static str {
    lang.pick(
        "🚫 要执行的内容太长，文件又发送不了，没有执行。",
        "🚫 What is to be run is too long for a message, and the file could not be sent; nothing was run.",
    )
}
