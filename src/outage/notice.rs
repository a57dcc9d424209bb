//! What the owner reads after an outage, in their language.

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
use crate::words::Lang;
use crate::words::outage as says;

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
pub(super) fn write(c: &Connection, lang: Lang) -> rusqlite::Result<Option<(String, i64)>> {
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
    Ok(Some((text(&outages, &late, lang), *last)))
}

/// DingTalk will not let messages come in, for a reason that somebody has to mend.
pub(super) fn refused(reason: &str, hint: Option<&str>, lang: Lang) -> String {
    let hint = hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
    says::refused(&format!("{reason}{hint}"), lang)
}

fn text(outages: &[&Outage], late: &[(Past, Message)], lang: Lang) -> String {
    let mut text = String::new();
    for outage in outages.iter().take(STRETCHES) {
        let (span, why) = (span(outage, lang), why(outage, lang));
        let _ = writeln!(text, "{}", says::offline(&span, &why, lang));
    }
    if let more @ 1.. = outages.len().saturating_sub(STRETCHES) {
        let _ = writeln!(text, "{}", says::more_outages(more, lang));
    }
    text.push_str(&says::came(late.len(), lang));
    for (past, message) in late.iter().take(LISTED) {
        let at = clock(message.sent_at_ms, "%H:%M");
        let what: String =
            message.text.chars().take(QUOTED_CHARS).filter(|c| !c.is_control()).collect();
        let place =
            message.chat.title.as_deref().map(|title| format!(" ({title})")).unwrap_or_default();
        let run = past.run.as_deref().unwrap_or("-");
        let fate = match past.state.as_str() {
            "cancelled" => says::not_run(lang),
            "queued" | "running" => says::under_way(lang),
            _ => says::handled(lang),
        };
        let _ = write!(text, "\n• {at} {}{place}: {what} ({fate}, {run})", message.sender.nick);
    }
    if let more @ 1.. = late.len().saturating_sub(LISTED) {
        let _ = write!(text, "\n{}", says::more_messages(more, lang));
    }
    text.push('\n');
    text.push_str(says::rest_may_be_lost(lang));
    text
}

/// `12:10–14:10 (2 h)`, with days where there are several.
fn span(outage: &Outage, lang: Lang) -> String {
    let same_day = clock(outage.from_ms, "%F") == clock(outage.to_ms, "%F");
    let today = clock(outage.to_ms, "%F") == Local::now().format("%F").to_string();
    let format = if same_day && today { "%H:%M" } else { "%m-%d %H:%M" };
    let length = says::length((outage.to_ms - outage.from_ms) / 60_000, lang);
    format!("{}–{} ({length})", clock(outage.from_ms, format), clock(outage.to_ms, format))
}

fn why(outage: &Outage, lang: Lang) -> String {
    let why = match outage.cause {
        Cause::Slept => says::slept(lang),
        Cause::Stopped => says::stopped(lang),
        Cause::Died => says::died(lang),
        Cause::Network => says::network(lang),
        Cause::Refused => says::app_refused(lang),
        Cause::Deaf => says::deaf(lang),
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
