//! Replies that could not be sent.

use super::Lang;

words! {
    /// To the person whose answer was parked.
    not_sent(row: i64) {
        zh: "⚠️ 有一条回复未能送达（#{row}），主人可以看到原因。",
        en: "⚠️ An answer could not be sent (#{row}); the owner can see why.",
    }
    /// To the owner, of the same.
    parked(row: i64, why: &str) {
        zh: "⚠️ 一条回复未能送达，已搁置（#{row}）：{why}\n发送 parked 查看，parked retry all 重试",
        en: "⚠️ An answer could not be sent and is parked (#{row}): {why}\nSend parked to see them, parked retry all to try again",
    }
    /// To the owner: DingTalk refuses something, whether or not a reply is lost by it.
    refused(why: &str) {
        zh: "⚠️ 钉钉拒绝了：{why}",
        en: "⚠️ DingTalk refuses this: {why}",
    }
    /// What to do, behind why.
    hint(hint: &str) {
        zh: "\n提示：{hint}",
        en: "\nhint: {hint}",
    }
    /// The owner asks for replies that could not be sent, and there are none.
    nothing {
        zh: "没有被搁置的回复。",
        en: "No reply is parked.",
    }
    /// The same, of one that is not there (any more).
    not_there {
        zh: "没有这样的搁置回复。发送 parked 查看全部。",
        en: "No such reply is parked. Send parked to see them all.",
    }
    /// Under the list of them.
    help {
        zh: "搁置 重试 编号：再发一次 · 搁置 放弃 编号：不再发送（编号可以是“全部”）",
        en: "parked retry ID: send it again · parked drop ID: give it up (ID may be all)",
    }
    retried_one {
        zh: "正在重新发送 1 条回复。",
        en: "Sending it again.",
    }
    retried_many(count: usize) {
        zh: "正在重新发送 {count} 条回复。",
        en: "Sending {count} replies again.",
    }
    dropped_one {
        zh: "已放弃 1 条回复。",
        en: "Given up.",
    }
    dropped_many(count: usize) {
        zh: "已放弃 {count} 条回复。",
        en: "Gave up {count} replies.",
    }
    /// Behind a list that is too long for a chat.
    more(count: usize) {
        zh: "…… 还有 {count} 条",
        en: "… and {count} more",
    }
}

pub(crate) fn retried(count: usize, lang: Lang) -> String {
    match count {
        0 => not_there(lang).to_owned(),
        1 => retried_one(lang).to_owned(),
        _ => retried_many(count, lang),
    }
}

pub(crate) fn dropped(count: usize, lang: Lang) -> String {
    match count {
        0 => not_there(lang).to_owned(),
        1 => dropped_one(lang).to_owned(),
        _ => dropped_many(count, lang),
    }
}
