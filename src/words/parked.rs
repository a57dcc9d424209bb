//! Replies that could not be sent.

use super::Lang;

words! {
    /// The owner asks for replies that could not be sent, and there are none, or not that one.
    nothing {
        zh: "没有被搁置的回复。",
        en: "Nothing of that is parked.",
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
        0 => nothing(lang).to_owned(),
        1 => retried_one(lang).to_owned(),
        _ => retried_many(count, lang),
    }
}

pub(crate) fn dropped(count: usize, lang: Lang) -> String {
    match count {
        0 => nothing(lang).to_owned(),
        1 => dropped_one(lang).to_owned(),
        _ => dropped_many(count, lang),
    }
}
