//! `usage`.

use crate::words::Lang;

words! {
    head(month: &str, turns: &str) {
        zh: "{month}，{turns} 重新计算（中国时间）",
        en: "{month}, starts anew on {turns} (China)",
    }
    api_calls { zh: "API 调用", en: "API calls" }
    pushes { zh: "消息推送", en: "Webhook & Stream" }
    streaming_cards { zh: "流式卡片", en: "streaming cards" }
    used_for { zh: "用于", en: "used for" }
    used_of(used: &str, limit: &str, share: u64) {
        zh: "{used} / {limit}（{share}%）",
        en: "{used} of {limit} ({share} %)",
    }
    no_limit(used: &str) { zh: "{used}，不限", en: "{used}, no limit" }
    used_up { zh: "；钉钉说已用完", en: "; DingTalk said that they are used up" }
    streamed(calls: &str, share: u64) {
        zh: "{calls} 次 API 调用（{share}%）",
        en: "{calls} API calls ({share} %)",
    }
    switched_off { zh: "，从 95% 起关闭", en: ", switched off from 95 % on" }
    handler { zh: "处理器", en: "handler" }
    person { zh: "人", en: "person" }
    for_cards { zh: "其中卡片", en: "for cards" }
    messages { zh: "消息", en: "messages" }
    itself { zh: "（moonbell 自己）", en: "(moonbell itself)" }
    nobody { zh: "（无人：定时任务等）", en: "(nobody: timers and the like)" }
    // What it was used for.
    send { zh: "发送", en: "send" }
    by_webhook { zh: "webhook 消息", en: "webhook" }
    card { zh: "卡片", en: "card" }
    frame { zh: "卡片更新", en: "frame" }
    upload { zh: "上传", en: "upload" }
    download { zh: "下载", en: "download" }
    reaction { zh: "表情", en: "reaction" }
    message { zh: "收到的消息", en: "message" }
    click { zh: "点击", en: "click" }
    event { zh: "事件", en: "event" }
    other { zh: "其他", en: "other" }
    recovered { zh: "崩溃后补记", en: "recovered" }

    no_journal(folder: &str) {
        zh: "`{folder}` 里还没有运行记录",
        en: "no moonbell has kept a journal in `{folder}`",
    }
}

/// What something was used for, by its name in the table.
pub(crate) fn use_of(name: &str, lang: Lang) -> &str {
    let says: fn(Lang) -> &'static str = match name {
        "send" => send,
        "webhook" => by_webhook,
        "card" => card,
        "frame" => frame,
        "upload" => upload,
        "download" => download,
        "reaction" => reaction,
        "message" => message,
        "click" => click,
        "event" => event,
        "other" => other,
        "recovered" => recovered,
        other => return other,
    };
    says(lang)
}
