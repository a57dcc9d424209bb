//! `parked`, `parked retry ID`, `parked drop ID`: replies that could not be sent, for the owner and admins.

use super::dispatch::Dispatch;
use crate::message::{ChatKind, Message};
use crate::outbox::{Unsent, Which};
use crate::router::Parked;
use crate::store::now_ms;
use crate::words;
use crate::words::Lang;

/// Lines of one list: more is more than a chat shows.
const LISTED: usize = 20;

impl Dispatch {
    /// Answers a control word about parked replies, to somebody who may use it.
    pub(super) async fn parked(&self, order: &Parked, message: &Message, lang: Lang) -> String {
        let done = match order {
            Parked::List => self.outbox.unsent(1_000).await.map(|unsent| {
                let parked: Vec<_> =
                    unsent.into_iter().filter(|one| one.state == "parked").collect();
                // In a group everybody reads along: what was meant for somebody else is not for them.
                list(&parked, message.chat.kind == ChatKind::Direct, lang)
            }),
            Parked::Retry(which) => match Which::parse(which) {
                Some(which) => self
                    .outbox
                    .retry(which)
                    .await
                    .map(|ids| words::parked::retried(ids.len(), lang)),
                None => Ok(words::parked::not_there(lang).to_owned()),
            },
            Parked::Drop(which) => match Which::parse(which) {
                Some(which) => {
                    let dropped = self.outbox.drop_parked(which).await;
                    dropped.map(|ids| words::parked::dropped(ids.len(), lang))
                }
                None => Ok(words::parked::not_there(lang).to_owned()),
            },
        };
        done.unwrap_or_else(|error| format!("⚠️ {error}"))
    }
}

fn list(parked: &[Unsent], private: bool, lang: Lang) -> String {
    if parked.is_empty() {
        return words::parked::nothing(lang).to_owned();
    }
    let now = now_ms();
    let mut lines: Vec<String> = parked
        .iter()
        .rev()
        .take(LISTED)
        .map(|one| {
            let age = age((now - one.created_at_ms).max(0) / 1000);
            let why = one.error.as_deref().unwrap_or_default();
            if private {
                format!("#{} · {} · {age} · {}\n  {why}", one.id, one.to, one.text)
            } else {
                format!("#{} · {age} · {why}", one.id)
            }
        })
        .collect();
    if parked.len() > LISTED {
        lines.push(words::parked::more(parked.len() - LISTED, lang));
    }
    if let Some(hint) = parked.last().and_then(|one| one.hint.as_deref()) {
        lines.push(words::parked::hint(hint, lang).trim_start().to_owned());
    }
    lines.push(words::parked::help(lang).to_owned());
    lines.join("\n")
}

fn age(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
