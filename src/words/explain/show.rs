//! Around the gates: what was asked, the handler, and what the journal has.

words! {
    asked(text: &str, who: &str, host: &str) {
        zh: "`{text}`，`{who}` 在单聊里发送，由 `moonbell {host}` 接收",
        en: "`{text}` from `{who}` in a direct chat, as `moonbell {host}` would take it",
    }
    asked_in_group(text: &str, who: &str, host: &str) {
        zh: "`{text}`，`{who}` 在群里发送，由 `moonbell {host}` 接收",
        en: "`{text}` from `{who}` in a group, as `moonbell {host}` would take it",
    }
    somebody { zh: "某人", en: "somebody" }
    same_message_now {
        zh: "同一条消息，按现在的脚本和设置：",
        en: "The same message with the scripts and settings of now:",
    }
    they_read { zh: "对方看到", en: "they read" }

    // The handler: names of rows, and their values.
    declared { zh: "声明", en: "declared" }
    declared_at(what: &str, script: &str, line: u32) {
        zh: "{what}，在 {script}:{line}",
        en: "{what} in {script}:{line}",
    }
    arguments { zh: "参数", en: "arguments" }
    role { zh: "角色", en: "role" }
    any_role { zh: "不限", en: "any" }
    they_have(role: &str) { zh: "`{role}`：这个人有", en: "`{role}`: they have it" }
    they_have_not(role: &str) { zh: "`{role}`：这个人没有", en: "`{role}`: they do not have it" }
    confirm { zh: "确认", en: "confirm" }
    asks_sender(question: &str) {
        zh: "运行前先问发送的人：{question}",
        en: "asks of whoever sent it before it runs: {question}",
    }
    asks_others(role: &str, question: &str) {
        zh: "运行前先问另一个有角色 `{role}` 的人：{question}",
        en: "asks of somebody else with the role `{role}` before it runs: {question}",
    }
    queue { zh: "排队", en: "queue" }
    queue_person_in_chat {
        zh: "等这个人在这个聊天里更早的消息处理完",
        en: "after their earlier messages in this chat",
    }
    queue_conversation {
        zh: "等这个聊天里更早的消息都处理完",
        en: "after everything earlier in this chat",
    }
    queue_person {
        zh: "等这个人在所有聊天里更早的消息处理完",
        en: "after their earlier messages in all chats",
    }
    queue_replace {
        zh: "取消这个人更早的同类任务",
        en: "cancels their earlier run of it",
    }
    queue_none { zh: "立即运行，和其他任务同时", en: "at once, beside others" }
    timeout { zh: "时限", en: "timeout" }
    running { zh: "运行", en: "running" }
    serves(version: u64, at: &str) {
        zh: "moonbell 用的是第 {version} 版，加载于 {at}",
        en: "the host serves version {version}, loaded {at}",
    }
    then { zh: "然后", en: "then" }
    hands_on(next: &str) {
        zh: "如果它转交（`return bot.pass`，运行时才知道）：{next}",
        en: "if it hands on (`return bot.pass`), which only running it can tell: {next}",
    }

    // The journal: names of rows, and their values.
    run(id: &str, state: &str) { zh: "任务 {id}：{state}", en: "run {id}: {state}" }
    with(state: &str, what: &str) { zh: "{state}（{what}）", en: "{state} ({what})" }
    click { zh: "点击卡片", en: "a click on a card" }
    event { zh: "事件", en: "an event" }
    unreadable { zh: "这个版本读不懂的内容", en: "something that this version cannot read" }
    received { zh: "收到", en: "received" }
    repeats(at: &str, n: u32) {
        zh: "{at}，送达了 {n} 次：重复的已忽略",
        en: "{at}, delivered {n} times: the repeats were dropped",
    }
    text { zh: "文字", en: "text" }
    from { zh: "来自", en: "from" }
    no_staff_id { zh: "没有 staff id", en: "no staff id" }
    from_direct(name: &str, id: &str) { zh: "{name}（{id}），单聊", en: "{name} ({id}), direct chat" }
    from_group(name: &str, id: &str, title: &str) {
        zh: "{name}（{id}），群 {title}",
        en: "{name} ({id}), group {title}",
    }
    waited { zh: "等待", en: "waited" }
    ran { zh: "用时", en: "ran" }
    refused { zh: "拒绝", en: "refused" }
    handler { zh: "处理器", en: "handler" }
    answered_question {
        zh: "没有；它回答了脚本的提问",
        en: "none; it answered a script's question",
    }
    answered_itself { zh: "没有；moonbell 自己回答", en: "none; moonbell answered itself" }
    error { zh: "错误", en: "error" }
    said { zh: "回复", en: "said" }
    nothing { zh: "没有", en: "nothing" }
    says(state: &str, at: &str, kind: &str) {
        zh: "{state} {at}，{kind}",
        en: "{state} {at}, {kind}",
    }
    says_text(how: &str, text: &str) { zh: "{how}：{text}", en: "{how}: {text}" }
    because(why: &str) { zh: "原因：{why}", en: "because: {why}" }
    not_sent_yet { zh: "还没有发出", en: "not sent yet" }
    sent { zh: "已发出", en: "sent" }
    open { zh: "还在更新", en: "open" }
    not_sent { zh: "没有发出", en: "NOT sent" }
    given_up { zh: "已放弃", en: "given up" }
    hours(n: u128) { zh: "{n} 小时", en: "{n} h" }
    minutes(n: u128) { zh: "{n} 分钟", en: "{n} min" }
    seconds(n: u128) { zh: "{n} 秒", en: "{n} s" }
    parts(seconds: u128, tenths: u128) { zh: "{seconds}.{tenths} 秒", en: "{seconds}.{tenths} s" }
    milliseconds(n: u128) { zh: "{n} 毫秒", en: "{n} ms" }
}
