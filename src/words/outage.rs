//! What the owner reads of the connection: that it is refused, that it is shared, and what was missed.

use super::Lang;

words! {
    /// DingTalk will not let messages come in, for a reason that somebody has to mend.
    refused(reason: &str) {
        zh: "⛔ 钉钉拒绝了我的连接，我收不到任何消息：{reason}\n每 5 分钟会再试一次。",
        en: "⛔ DingTalk refuses my connection, so no message reaches me: {reason}\nI try again every 5 minutes.",
    }
    /// A second host seems to be there.
    rival {
        zh: "⚠️ 钉钉反复断开我刚建立的连接，很可能有另一个程序（也许在另一台电脑上）在用同一个 client id。这样消息会分给两边，请停掉其中一个，或者各用各的应用。",
        en: "⚠️ DingTalk keeps closing my connections soon after they were opened. Most likely another program, perhaps on another \
             computer, is connected with the same client id: each then gets some of the messages. Stop one of them, or give each \
             an app of its own.",
    }
    offline(span: &str, why: &str) {
        zh: "📴 我在 {span} 离线：{why}。",
        en: "📴 I was offline {span}: {why}.",
    }
    /// Outages that are not listed.
    more_outages(count: usize) {
        zh: "……另有 {count} 次。",
        en: "… and {count} times more.",
    }
    none_came {
        zh: "这段时间里发给我的消息，没有一条补送到。",
        en: "No message that was sent to me in that time has come since.",
    }
    one_came {
        zh: "有 1 条消息晚到：",
        en: "One message came late:",
    }
    several_came(count: usize) {
        zh: "有 {count} 条消息晚到：",
        en: "{count} messages came late:",
    }
    /// Messages that are not listed.
    more_messages(count: usize) {
        zh: "……另有 {count} 条",
        en: "… and {count} more",
    }
    /// What became of a late message.
    not_run {
        zh: "没有执行",
        en: "not run",
    }
    under_way {
        zh: "正在处理",
        en: "under way",
    }
    handled {
        zh: "已处理",
        en: "handled",
    }
    rest_may_be_lost {
        zh: "其余发给我的消息可能已经丢失，需要的话请让对方重发。",
        en: "Anything else that was sent to me then may be lost: whoever waits for an answer should send it again.",
    }
    /// How long.
    minutes(m: i64) {
        zh: "{m} 分钟",
        en: "{m} min",
    }
    hours(h: i64) {
        zh: "{h} 小时",
        en: "{h} h",
    }
    hours_minutes(h: i64, m: i64) {
        zh: "{h} 小时 {m} 分钟",
        en: "{h} h {m} min",
    }
    /// Why nothing came.
    slept {
        zh: "电脑休眠了",
        en: "the computer slept",
    }
    stopped {
        zh: "moonbell 被停止了",
        en: "moonbell was stopped",
    }
    died {
        zh: "moonbell 意外终止（崩溃或断电）",
        en: "moonbell ended without being stopped (a crash, or the power went)",
    }
    network {
        zh: "连不上钉钉",
        en: "DingTalk could not be reached",
    }
    app_refused {
        zh: "钉钉拒绝了这个应用",
        en: "DingTalk refused this app",
    }
    deaf {
        zh: "连接没有断，但收不到任何数据",
        en: "the connection was open, but nothing came",
    }
}

/// How many messages came late; a list of them follows.
pub(crate) fn came(count: usize, lang: Lang) -> String {
    match count {
        0 => none_came(lang).to_owned(),
        1 => one_came(lang).to_owned(),
        _ => several_came(count, lang),
    }
}

/// The length of an outage.
pub(crate) fn length(span_minutes: i64, lang: Lang) -> String {
    match (span_minutes / 60, span_minutes % 60) {
        (0, m) => minutes(m, lang),
        (h, 0) => hours(h, lang),
        (h, m) => hours_minutes(h, m, lang),
    }
}
