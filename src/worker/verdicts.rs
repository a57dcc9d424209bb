//! What is said of answers to questions: that one counted, or why not.

use super::approvals::Refusal;
use super::phrases;
use crate::access::Denied;
use crate::asks::Ended;
use crate::asks::Past;
use crate::router::Lang;

/// To whoever said yes or no with a number.
pub(super) fn decided(yes: bool, lang: Lang) -> String {
    if yes {
        lang.pick("✅ 已批准。", "✅ Approved.")
    } else {
        lang.pick("🚫 已拒绝，不会执行。", "🚫 Refused; nothing is run.")
    }
    .to_owned()
}

/// To whoever answered a question in vain.
pub(super) fn no_answer(refusal: &Refusal, lang: Lang) -> String {
    let pick = |zh: &str, en: &str| lang.pick(zh, en).to_owned();
    match refusal {
        Refusal::Copied => pick(
            "这个按钮不在原来的卡片上，不算数。",
            "That button is not on the card that asked; it counts for nothing.",
        ),
        Refusal::Elsewhere => pick(
            "这是在另一个会话里问的，请在那里回答。",
            "That was asked in another chat; answer it there.",
        ),
        Refusal::Expired => pick("已经过期了，请重新发起。", "That has expired; ask for it again."),
        Refusal::Changed => pick(
            "等待期间脚本被修改，所以没有执行；请重新发起。",
            "The script was changed meanwhile, so nothing was run; ask for it again.",
        ),
        Refusal::Denied(Denied::NotAsked) => {
            pick("只有发起的人可以回答。", "Only whoever asked for it may answer.")
        }
        Refusal::Denied(Denied::OwnRequest) => pick(
            "需要另一个人批准，不能批准自己的请求。",
            "Somebody else must approve it; nobody approves their own request.",
        ),
        Refusal::Denied(Denied::Role(role)) => match lang {
            Lang::Zh => format!("只有 {role} 可以批准。"),
            Lang::En => format!("Only somebody with the role {role} may decide that."),
        },
        Refusal::Denied(why) => phrases::denied("", why, lang),
        Refusal::Over(past) => over(past, lang),
        Refusal::TooLate => pick("已经结束了。", "That has ended already."),
        Refusal::NotWritten => phrases::not_written(lang),
    }
}

/// Of a question that has ended.
fn over(past: &Past, lang: Lang) -> String {
    let run = &past.run;
    let by = past.decided_by.as_deref().map(|by| format!(" · {by}")).unwrap_or_default();
    let at = past.ended_at_ms.map(|at| format!(" · {}", clock_time(at))).unwrap_or_default();
    let how = match past.ended {
        // Its run ended, or somebody decides it in this very moment.
        None => lang.pick("已经结束了", "That has ended already"),
        Some(Ended::Allowed) => lang.pick("已批准过了", "That was approved already"),
        Some(Ended::Refused) => lang.pick("已拒绝过了", "That was refused already"),
        Some(Ended::Answered) => lang.pick("已回答过了", "That was answered already"),
        Some(Ended::Expired) => {
            lang.pick("已经过期，没有执行", "That has expired, and nothing was run")
        }
        Some(Ended::Withdrawn) => {
            lang.pick("已经取消，没有执行", "That was left, and nothing was run")
        }
        Some(Ended::Lost) => lang.pick(
            "moonbell 重新启动过，这个问题已经失效",
            "That question ended with a restart of moonbell",
        ),
    };
    format!("{how}{by}{at} (run {run})")
}

fn clock_time(at_ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    at.with_timezone(&chrono::Local).format("%H:%M").to_string()
}
