//! What the owner reads after an outage, in the language in which people last wrote.

use std::fmt::Write as _;

use chrono::{DateTime, Local};
use rusqlite::Connection;

use super::table::{self, Cause, Outage};
use crate::inbox;
use crate::inbox::Past;
use crate::message::Address;
use crate::message::Body;
use crate::message::ChatKind;
use crate::message::ConversationId;
use crate::message::Inbound;
use crate::message::Message;
use crate::message::Reply;
use crate::message::StaffId;
use crate::outbox::Post;
use crate::router::Lang;

/// Late messages that are listed; the rest is a number.
const LISTED: usize = 10;
/// Outages that are listed in one notice.
const STRETCHES: usize = 5;
/// What came sooner than this is not late, whatever lay before it.
const PROMPT_MS: i64 = 10_000;
/// Of what somebody wrote.
const QUOTED_CHARS: usize = 40;
/// Of what went wrong.
const DETAIL_CHARS: usize = 160;

/// The notice for everything that was not told yet, and the id of the newest outage in it.
pub(super) fn write(c: &Connection) -> rusqlite::Result<Option<(String, i64)>> {
    let untold = table::untold(c)?;
    let (Some((_, first)), Some((last, _))) = (untold.first(), untold.last()) else {
        return Ok(None);
    };
    let outages: Vec<&Outage> = untold.iter().map(|(_, outage)| outage).collect();
    // By two clocks that need not agree: what was sent in a gap came after it.
    let late: Vec<(Past, Message)> = inbox::since(c, first.from_ms)?
        .into_iter()
        .filter_map(|past| match past.inbound.clone() {
            Some(Inbound::Message(message)) => Some((past, message)),
            _ => None,
        })
        .filter(|(past, message)| {
            outages.iter().any(|gap| {
                gap.from_ms <= message.sent_at_ms
                    && message.sent_at_ms <= gap.to_ms
                    && past.received_at_ms >= gap.to_ms
                    && past.received_at_ms - message.sent_at_ms >= PROMPT_MS
            })
        })
        .collect();
    Ok(Some((text(&outages, &late, lang(c)?), *last)))
}

/// The language of the last message that came: with one owner and a few people, mostly theirs too.
pub fn lang(c: &Connection) -> rusqlite::Result<Lang> {
    let last = inbox::last(c)?.and_then(|past| match past.inbound {
        Some(Inbound::Message(message)) => Lang::of(&message.text),
        _ => None,
    });
    Ok(last.unwrap_or_default())
}

/// DingTalk will not let messages come in, for a reason that somebody has to mend.
pub(super) fn refused(reason: &str, hint: Option<&str>, lang: Lang) -> String {
    let hint = hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
    match lang {
        Lang::Zh => format!(
            "⛔ 钉钉拒绝了我的连接，我收不到任何消息：{reason}{hint}\n每 5 分钟会再试一次。"
        ),
        Lang::En => format!(
            "⛔ DingTalk refuses my connection, so no message reaches me: {reason}{hint}\nI try again every 5 minutes."
        ),
    }
}

/// A second host seems to be there.
pub(super) fn rival(lang: Lang) -> String {
    lang.pick(
        "⚠️ 钉钉反复断开我刚建立的连接，很可能有另一个程序（也许在另一台电脑上）在用同一个 client id。这样消息会分给两边，请停掉其中一个，或者各用各的应用。",
        "⚠️ DingTalk keeps closing my connections soon after they were opened. Most likely another program, perhaps on another \
         computer, is connected with the same client id: each then gets some of the messages. Stop one of them, or give each \
         an app of its own.",
    )
    .to_owned()
}

fn text(outages: &[&Outage], late: &[(Past, Message)], lang: Lang) -> String {
    let mut text = String::new();
    for outage in outages.iter().take(STRETCHES) {
        let (span, why) = (span(outage, lang), why(outage, lang));
        let _ = match lang {
            Lang::Zh => writeln!(text, "📴 我在 {span} 离线：{why}。"),
            Lang::En => writeln!(text, "📴 I was offline {span}: {why}."),
        };
    }
    if let more @ 1.. = outages.len().saturating_sub(STRETCHES) {
        let _ = match lang {
            Lang::Zh => writeln!(text, "……另有 {more} 次。"),
            Lang::En => writeln!(text, "… and {more} times more."),
        };
    }
    let came = match (late.len(), lang) {
        (0, Lang::Zh) => "这段时间里发给我的消息，没有一条补送到。".to_owned(),
        (0, Lang::En) => "No message that was sent to me in that time has come since.".to_owned(),
        (n, Lang::Zh) => format!("有 {n} 条消息晚到："),
        (1, Lang::En) => "One message came late:".to_owned(),
        (n, Lang::En) => format!("{n} messages came late:"),
    };
    text.push_str(&came);
    for (past, message) in late.iter().take(LISTED) {
        let at = clock(message.sent_at_ms, "%H:%M");
        let what: String =
            message.text.chars().take(QUOTED_CHARS).filter(|c| !c.is_control()).collect();
        let place =
            message.chat.title.as_deref().map(|title| format!(" ({title})")).unwrap_or_default();
        let run = past.run.as_deref().unwrap_or("-");
        let fate = match past.state.as_str() {
            "cancelled" => lang.pick("没有执行", "not run"),
            "queued" | "running" => lang.pick("正在处理", "under way"),
            _ => lang.pick("已处理", "handled"),
        };
        let _ = write!(text, "\n• {at} {}{place}: {what} ({fate}, {run})", message.sender.nick);
    }
    if let more @ 1.. = late.len().saturating_sub(LISTED) {
        let _ = match lang {
            Lang::Zh => write!(text, "\n……另有 {more} 条"),
            Lang::En => write!(text, "\n… and {more} more"),
        };
    }
    text.push('\n');
    text.push_str(lang.pick(
        "其余发给我的消息可能已经丢失，需要的话请让对方重发。",
        "Anything else that was sent to me then may be lost: whoever waits for an answer should send it again.",
    ));
    text
}

/// `12:10–14:10 (2 h)`, with days where there are several.
fn span(outage: &Outage, lang: Lang) -> String {
    let same_day = clock(outage.from_ms, "%F") == clock(outage.to_ms, "%F");
    let today = clock(outage.to_ms, "%F") == Local::now().format("%F").to_string();
    let format = if same_day && today { "%H:%M" } else { "%m-%d %H:%M" };
    let minutes = (outage.to_ms - outage.from_ms) / 60_000;
    let (h, m) = (minutes / 60, minutes % 60);
    let length = match (h, m, lang) {
        (0, m, Lang::Zh) => format!("{m} 分钟"),
        (0, m, Lang::En) => format!("{m} min"),
        (h, 0, Lang::Zh) => format!("{h} 小时"),
        (h, 0, Lang::En) => format!("{h} h"),
        (h, m, Lang::Zh) => format!("{h} 小时 {m} 分钟"),
        (h, m, Lang::En) => format!("{h} h {m} min"),
    };
    format!("{}–{} ({length})", clock(outage.from_ms, format), clock(outage.to_ms, format))
}

fn why(outage: &Outage, lang: Lang) -> String {
    let why = match outage.cause {
        Cause::Slept => lang.pick("电脑休眠了", "the computer slept"),
        Cause::Stopped => lang.pick("moonbell 被停止了", "moonbell was stopped"),
        Cause::Died => lang.pick(
            "moonbell 意外终止（崩溃或断电）",
            "moonbell ended without being stopped (a crash, or the power went)",
        ),
        Cause::Network => lang.pick("连不上钉钉", "DingTalk could not be reached"),
        Cause::Refused => lang.pick("钉钉拒绝了这个应用", "DingTalk refused this app"),
        Cause::Deaf => {
            lang.pick("连接没有断，但收不到任何数据", "the connection was open, but nothing came")
        }
    };
    match &outage.detail {
        Some(detail) => {
            let detail: String =
                detail.chars().take(DETAIL_CHARS).filter(|c| !c.is_control()).collect();
            format!("{why} ({detail})")
        }
        None => why.to_owned(),
    }
}

fn clock(at_ms: i64, format: &str) -> String {
    let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    at.with_timezone(&Local).format(format).to_string()
}

/// To the owner, in a lane of its own; the robot API goes by the staff id.
pub(super) fn to_owner(owner: &StaffId, text: String) -> Post {
    let to = Address {
        conversation_id: ConversationId::new(format!("owner:{owner}")),
        kind: ChatKind::Direct,
        staff_id: Some(owner.clone()),
        robot_code: None,
        webhook: None,
    };
    Post::Reply(Reply { to, body: Body::Text { text }, at: Vec::new() })
}
