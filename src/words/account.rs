//! A run, told in a chat: its state, and all that is known of it, line by line.

words! {
    queued {
        zh: "排队中",
        en: "queued",
    }
    running {
        zh: "运行中",
        en: "running",
    }
    waiting {
        zh: "等待中",
        en: "waiting",
    }
    done {
        zh: "完成",
        en: "done",
    }
    failed {
        zh: "失败",
        en: "failed",
    }
    cancelled {
        zh: "已取消",
        en: "cancelled",
    }
    interrupted {
        zh: "被中断",
        en: "interrupted",
    }
    parked {
        zh: "已搁置",
        en: "parked",
    }
    /// Instead of a state, where more is known of it.
    waits {
        zh: "等待回答",
        en: "waits for an answer",
    }
    waits_for_its_turn {
        zh: "排队中",
        en: "waiting for its turn",
    }
    ago(span: &str) {
        zh: "{span}前",
        en: "{span} ago",
    }
    run(value: &str) {
        zh: "运行：{value}",
        en: "run: {value}",
    }
    who(value: &str) {
        zh: "谁：{value}",
        en: "who: {value}",
    }
    place(value: &str) {
        zh: "哪里：{value}",
        en: "where: {value}",
    }
    message(value: &str) {
        zh: "消息：{value}",
        en: "message: {value}",
    }
    handler(value: &str) {
        zh: "处理：{value}",
        en: "handler: {value}",
    }
    arguments(value: &str) {
        zh: "参数：{value}",
        en: "args: {value}",
    }
    came(value: &str) {
        zh: "收到：{value}",
        en: "came: {value}",
    }
    started(value: &str) {
        zh: "开始：{value}",
        en: "started: {value}",
    }
    ended(value: &str) {
        zh: "结束：{value}",
        en: "ended: {value}",
    }
    attempt(value: &str) {
        zh: "第几次：{value}",
        en: "attempt: {value}",
    }
    repeats(value: &str) {
        zh: "重跑自：{value}",
        en: "repeats: {value}",
    }
    exit(value: &str) {
        zh: "退出：{value}",
        en: "exit: {value}",
    }
    replies(value: &str) {
        zh: "回复：{value}",
        en: "replies: {value}",
    }
    error(value: &str) {
        zh: "错误：{value}",
        en: "error: {value}",
    }
    /// In the place of an error that is not for everybody.
    ask_the_owner {
        zh: "主人可以看到原因。",
        en: "the owner can see why.",
    }
    log(value: &str) {
        zh: "日志：{value}",
        en: "log: {value}",
    }
    output(value: &str) {
        zh: "输出：{value}",
        en: "output: {value}",
    }
    direct_chat {
        zh: "单聊",
        en: "direct chat",
    }
    group {
        zh: "群聊",
        en: "group",
    }
    a_click {
        zh: "卡片按钮",
        en: "a click on a card",
    }
    an_event {
        zh: "组织事件",
        en: "an event",
    }
    /// A timer, or another thing that nobody sent.
    by_itself {
        zh: "自动运行",
        en: "by itself",
    }
}
