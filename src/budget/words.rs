//! What is said of budgets: to the owner, to people, in the journal.

use std::fmt::Write as _;

use super::month::Month;
use super::report::{Report, Spender, Spent};
use super::tally::{Budget, Level, STREAMING_ENDS, Warning};
use crate::words::Lang;

/// Spenders in one answer: what a phone shows without scrolling.
const TOP: usize = 5;

/// Begins the reason of a reply that waits for the next month.
pub const PARKED: &str = "budget: ";

pub(super) fn limit_reached(budget: Budget, limit: u64, month: Month) -> String {
    let limit = thousands(limit);
    match budget {
        Budget::ApiCalls => format!("the {limit} API calls of {month} are used up"),
        Budget::Pushes => format!("the {limit} Webhook & Stream messages of {month} are used up"),
    }
}

pub(super) fn dingtalk_refuses(budget: Budget, month: Month) -> String {
    match budget {
        Budget::ApiCalls => format!("DingTalk says that the API calls of {month} are used up"),
        Budget::Pushes => {
            format!("DingTalk says that the Webhook & Stream messages of {month} are used up")
        }
    }
}

/// Why a reply waits, for the journal.
pub fn parked(why: &str, month: Month) -> String {
    format!(
        "{PARKED}{why}; it is sent from {} on, or once the budget is raised (`budget.api_calls`)",
        month.turns()
    )
}

/// To the person whose answer waits, where there is a way to tell.
pub fn waits(month: Month) -> String {
    let turns = month.turns();
    format!(
        "⚠️ 本月的钉钉调用额度已用完，给你的一条回复暂存，最晚 {turns} 起发送。 · The DingTalk budget of this month is used up; \
         an answer to you waits and is sent from {turns} on at the latest."
    )
}

/// A warning to the owner.
pub fn warning(warning: &Warning) -> String {
    let Warning { month, budget, limit, used, level } = *warning;
    let (zh, en) = names(budget);
    let (used, limit) = (thousands(used), thousands(limit));
    let turns = month.turns();
    let (zh_more, en_more) = match (level, budget) {
        (Level::Refused, Budget::ApiCalls) => {
            return format!(
                "⛔ 钉钉已拒绝调用：{month} 的 {zh} 已用完（本机统计 {used} 次）。只有会话 webhook 还能回复；其余回复暂存，{turns} 起或购买扩容后发送。\n\
                 DingTalk refuses: the {en} of {month} are used up (counted here: {used}). Only session webhooks still answer; \
                 everything else waits until {turns}, or until a package is bought. Send usage to see who used them."
            );
        }
        (Level::Refused, Budget::Pushes) => {
            return format!(
                "⛔ 钉钉不再推送内容：{month} 的 {zh} 已用完（本机统计 {used} 次）。在 {turns} 或购买扩容之前，我收不到消息。\n\
                 DingTalk sends no content any more: the {en} of {month} are used up (counted here: {used}). Until {turns}, or \
                 until a package is bought, I hear nothing."
            );
        }
        (Level::Share(100..), Budget::ApiCalls) => (
            "现在只发送给你的通知；会话 webhook 可用的回复照常，其余回复暂存",
            "From now on only notices to you are sent; answers that a session webhook can carry still go out, all others wait",
        ),
        (Level::Share(100..), Budget::Pushes) => {
            ("回复改为调用 API 发送", "Answers are sent with API calls instead of webhooks")
        }
        (Level::Share(STREAMING_ENDS..), Budget::ApiCalls) => (
            "流式卡片已关闭：输出在结束时作为一条消息发送",
            "Streaming is off: output comes as one message when it is complete",
        ),
        _ => ("", ""),
    };
    let Level::Share(share) = level else { return String::new() };
    let sign = if share >= STREAMING_ENDS { "⚠️" } else { "ℹ️" };
    let zh_more = if zh_more.is_empty() { String::new() } else { format!("{zh_more}。") };
    let en_more = if en_more.is_empty() { String::new() } else { format!("{en_more}. ") };
    format!(
        "{sign} {month} 的 {zh} 已用 {share}%（{used} / {limit}），{turns} 重新计算。{zh_more}发送“用量”查看明细。\n\
         {share} % of the {en} of {month} are used ({used} of {limit}); it starts anew on {turns}. {en_more}Send usage to \
         see what for."
    )
}

fn names(budget: Budget) -> (&'static str, &'static str) {
    match budget {
        Budget::ApiCalls => ("API 调用", "API calls"),
        Budget::Pushes => ("Webhook & Stream 消息", "Webhook & Stream messages"),
    }
}

/// The answer to `usage`, for whoever may see everything.
pub fn usage(report: &Report, lang: Lang) -> String {
    let mut text = match lang {
        Lang::Zh => format!("{} 用量（{} 重新计算）", report.month, report.turns),
        Lang::En => format!("Usage in {} (starts anew on {})", report.month, report.turns),
    };
    for (budget, spent) in [(Budget::ApiCalls, report.api_calls), (Budget::Pushes, report.pushes)] {
        let _ = write!(text, "\n{}", line(budget, spent, lang));
    }
    let streaming = thousands(report.streaming);
    let share = (report.streaming * 100).checked_div(report.api_calls.used).unwrap_or(0);
    let _ = match lang {
        Lang::Zh => write!(text, "\n流式卡片：{streaming} 次 API 调用（{share}%）"),
        Lang::En => write!(text, "\nstreaming cards: {streaming} API calls ({share} %)"),
    };
    if !report.may_stream {
        text.push_str(lang.pick("，已关闭", ", switched off"));
    }
    let (handlers, people) = match lang {
        Lang::Zh => ("按命令（API · 消息）", "按人（API · 消息）"),
        Lang::En => ("By handler (API calls · messages)", "By person (API calls · messages)"),
    };
    for (title, spenders, nobody) in [
        (handlers, &report.handlers, lang.pick("moonbell 自己", "moonbell itself")),
        (people, &report.people, lang.pick("无人（定时任务等）", "nobody (timers and the like)")),
    ] {
        if spenders.is_empty() {
            continue;
        }
        let _ = write!(text, "\n\n{title}");
        for spender in spenders.iter().take(TOP) {
            let name = name_of(spender, nobody);
            let (calls, pushes) = (thousands(spender.api_calls), thousands(spender.pushes));
            let _ = write!(text, "\n{name}  {calls} · {pushes}");
        }
        if spenders.len() > TOP {
            let _ = write!(text, "\n… +{}", spenders.len() - TOP);
        }
    }
    text
}

fn name_of<'a>(spender: &'a Spender, nobody: &'a str) -> &'a str {
    match &spender.name {
        Some(name) => name,
        None if spender.id.is_empty() => nobody,
        None => &spender.id,
    }
}

fn line(budget: Budget, spent: Spent, lang: Lang) -> String {
    let (zh, en) = names(budget);
    let used = thousands(spent.used);
    let mut text = lang.pick(zh, en).to_owned();
    let _ = match (spent.limit, spent.percent()) {
        (Some(limit), Some(share)) => {
            let limit = thousands(limit);
            match lang {
                Lang::Zh => write!(text, "：{used} / {limit}（{share}%）"),
                Lang::En => write!(text, ": {used} of {limit} ({share} %)"),
            }
        }
        _ => match lang {
            Lang::Zh => write!(text, "：{used}（不限）"),
            Lang::En => write!(text, ": {used} (no limit)"),
        },
    };
    if spent.refused {
        text.push_str(lang.pick("，钉钉：已用完", "; DingTalk says: used up"));
    }
    text
}

/// The answer to `usage`, for anybody else.
pub fn own(report: &Report, person: &str, lang: Lang) -> String {
    let mine = report.of_person(person);
    let (calls, pushes) = (thousands(mine.api_calls), thousands(mine.pushes));
    let streaming = thousands(mine.streaming);
    match lang {
        Lang::Zh => format!(
            "你在 {} 的用量：{calls} 次 API 调用（其中流式卡片 {streaming} 次），{pushes} 条消息。",
            report.month
        ),
        Lang::En => format!(
            "You in {}: {calls} API calls ({streaming} of them for cards that stream), {pushes} messages.",
            report.month
        ),
    }
}

pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
