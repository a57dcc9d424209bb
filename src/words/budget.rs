//! DingTalk's monthly budgets: warnings to the owner, what people read whose answer waits, and the answer to `usage`.

words! {
    api_calls {
        zh: "API 调用",
        en: "API calls",
    }
    pushes {
        zh: "消息推送",
        en: "Webhook & Stream messages",
    }
    /// To the person whose answer waits, where there is a way to tell.
    waits(turns: &str) {
        zh: "⚠️ 本月的钉钉调用额度已用完，给你的一条回复暂存，最晚 {turns} 起发送。",
        en: "⚠️ The DingTalk budget of this month is used up; an answer to you waits and is sent from {turns} on at the latest.",
    }
    /// To the owner: part of a budget is used. `then` is what follows from it, or nothing.
    low(sign: &str, what: &str, month: &str, share: u64, used: &str, limit: &str, turns: &str, then: &str) {
        zh: "{sign} {month} 的 {what} 已用 {share}%（{used} / {limit}），{turns} 重新计算。{then}发送“用量”查看明细。",
        en: "{sign} {share} % of the {what} of {month} are used ({used} of {limit}); it starts anew on {turns}. {then}Send usage to \
             see what for.",
    }
    streaming_ends {
        zh: "流式卡片已关闭：输出在结束时作为一条消息发送。",
        en: "Streaming is off: output comes as one message when it is complete. ",
    }
    only_notices {
        zh: "现在只发送给你的通知；会话 webhook 可用的回复照常，其余回复暂存。",
        en: "From now on only notices to you are sent; answers that a session webhook can carry still go out, all others wait. ",
    }
    calls_instead {
        zh: "回复改为调用 API 发送。",
        en: "Answers are sent with API calls instead of webhooks. ",
    }
    calls_refused(month: &str, used: &str, turns: &str) {
        zh: "⛔ 钉钉已拒绝调用：{month} 的 API 调用已用完（本机统计 {used} 次）。只有会话 webhook 还能回复；其余回复暂存，{turns} 起或购买扩容后发送。\
             发送“用量”查看明细。",
        en: "⛔ DingTalk refuses: the API calls of {month} are used up (counted here: {used}). Only session webhooks still answer; \
             everything else waits until {turns}, or until a package is bought. Send usage to see who used them.",
    }
    pushes_refused(month: &str, used: &str, turns: &str) {
        zh: "⛔ 钉钉不再推送内容：{month} 的消息推送（Webhook & Stream）已用完（本机统计 {used} 次）。在 {turns} 或购买扩容之前，我收不到消息。",
        en: "⛔ DingTalk sends no content any more: the Webhook & Stream messages of {month} are used up (counted here: {used}). \
             Until {turns}, or until a package is bought, I hear nothing.",
    }
    /// Above the figures of a month.
    usage(month: &str, turns: &str) {
        zh: "{month} 用量（{turns} 重新计算）",
        en: "Usage in {month} (starts anew on {turns})",
    }
    /// One budget, with its limit or without.
    used_of(what: &str, used: &str, limit: &str, share: u64) {
        zh: "{what}：{used} / {limit}（{share}%）",
        en: "{what}: {used} of {limit} ({share} %)",
    }
    used(what: &str, used: &str) {
        zh: "{what}：{used}（不限）",
        en: "{what}: {used} (no limit)",
    }
    /// Behind a budget.
    used_up {
        zh: "，钉钉：已用完",
        en: "; DingTalk says: used up",
    }
    streaming(calls: &str, share: u64) {
        zh: "流式卡片：{calls} 次 API 调用（{share}%）",
        en: "streaming cards: {calls} API calls ({share} %)",
    }
    switched_off {
        zh: "，已关闭",
        en: ", switched off",
    }
    by_handler {
        zh: "按命令（API · 消息）",
        en: "By handler (API calls · messages)",
    }
    by_person {
        zh: "按人（API · 消息）",
        en: "By person (API calls · messages)",
    }
    itself {
        zh: "moonbell 自己",
        en: "moonbell itself",
    }
    nobody {
        zh: "无人（定时任务等）",
        en: "nobody (timers and the like)",
    }
    /// To somebody who sees only what they used themselves.
    own(month: &str, calls: &str, streaming: &str, pushes: &str) {
        zh: "你在 {month} 的用量：{calls} 次 API 调用（其中流式卡片 {streaming} 次），{pushes} 条消息。",
        en: "You in {month}: {calls} API calls ({streaming} of them for cards that stream), {pushes} messages.",
    }
    no_ledger {
        zh: "现在读不到用量，请稍后再试。",
        en: "The ledger cannot be read now; try again later.",
    }
}
