//! `run`, and what `dev` has of it: the first lines, and the end.

use crate::words::Lang;

words! {
    /// Nobody takes a rehearsal for the real thing.
    simulated {
        zh: "\
============================================================
  这里连接的是模拟器，不是钉钉：
  里面的人都是虚构的，没有人会读到这里说的话。
============================================================",
        en: "\
============================================================
  This host talks to a SIMULATOR, not to DingTalk: its
  people are made up, and nobody reads what it says.
============================================================",
    }
    scripts(folder: &str) { zh: "脚本：{folder}", en: "scripts: {folder}" }
    serves(folder: &str, scripts: &str, handlers: &str) {
        zh: "{folder}（{scripts}，{handlers}）",
        en: "{folder} ({scripts}, {handlers})",
    }
    serves_fresh(folder: &str, scripts: &str, handlers: &str) {
        zh: "{folder}（新建，附带示例脚本；{scripts}，{handlers}）",
        en: "{folder} (created with the starter handlers; {scripts}, {handlers})",
    }
    one_script { zh: "1 个脚本", en: "1 script" }
    many_scripts(n: usize) { zh: "{n} 个脚本", en: "{n} scripts" }
    more_loaded(n: u64) { zh: "（另有 {n} 个脚本已加载）", en: "({n} more scripts were loaded)" }

    dev_title {
        zh: "moonbell：你的脚本在这台电脑上回答模拟的钉钉",
        en: "moonbell: your handlers answer a simulated DingTalk on this computer",
    }
    chat_page { zh: "聊天页面", en: "chat page" }
    scripts_row { zh: "脚本", en: "scripts" }
    open_the_page {
        zh: "打开页面，输入“帮助”。保存脚本后，下一条消息就由新版本回答。按 Ctrl-C 停止。",
        en: "Open the page and type `help`. Save a script: the next message is answered by it. Ctrl-C stops.",
    }
    sim_title {
        zh: "moonbell：这台电脑上的模拟钉钉，没有机器人",
        en: "moonbell: a simulated DingTalk on this computer, without a bot",
    }
    connect_a_bot(base: &str) {
        zh: "连接一个机器人，例如使用单独的设置：\n\n  HOME=$(mktemp -d) moonbell init --api-base {base}\n\n按 Ctrl-C 停止。",
        en: "Connect a bot, for example, with settings of its own:\n\n  HOME=$(mktemp -d) moonbell init --api-base {base}\n\nCtrl-C stops.",
    }

    // How the connection is, where the log, which says it in English, is not what somebody reads.
    connected { zh: "已连接钉钉", en: "connected to DingTalk" }
    registered(address: &str) {
        zh: "等待钉钉调用 {address}",
        en: "waiting for DingTalk's calls to {address}",
    }
    refused(error: &str) {
        zh: "钉钉拒绝了连接：{error}",
        en: "DingTalk refuses the connection: {error}",
    }
    not_connected(error: &str) {
        zh: "没有连上钉钉，会一直重试：{error}",
        en: "not connected to DingTalk, trying on: {error}",
    }
    locked(why: &str) {
        zh: "已锁定{why}：不会为任何人运行；运行 moonbell unlock 解除",
        en: "locked{why}: nobody is served; `moonbell unlock` lifts it",
    }
    /// Behind that something is locked.
    why(why: &str) { zh: "（{why}）", en: " ({why})" }

    stopping { zh: "正在停止；再按一次立即停止", en: "stopping; once more to stop at once" }
    stopped_at_once {
        zh: "已立即停止；下次启动会说明中断了什么",
        en: "stopped at once; the next start reports what was cut short",
    }
    waiting_for(what: &str) {
        zh: "正在等待{what}；再按一次 Ctrl-C 立即结束",
        en: "waiting for {what}; press Ctrl-C again to end at once",
    }
    one_run { zh: " 1 个任务", en: "1 run" }
    many_runs(n: usize) { zh: " {n} 个任务", en: "{n} runs" }
    one_reply { zh: " 1 条回复发出", en: "1 reply to be sent" }
    many_replies(n: usize) { zh: " {n} 条回复发出", en: "{n} replies to be sent" }
    and(first: &str, second: &str) { zh: "{first}和{second}", en: "{first} and {second}" }
    scripts_to_end { zh: "脚本结束", en: "the scripts to end" }
}

pub(crate) fn count_scripts(n: usize, lang: Lang) -> String {
    if n == 1 { one_script(lang).to_owned() } else { many_scripts(n, lang) }
}

/// What is still under way; `None`: nothing is.
pub(crate) fn left(runs: usize, replies: usize, lang: Lang) -> Option<String> {
    let runs = match runs {
        0 => None,
        1 => Some(one_run(lang).to_owned()),
        n => Some(many_runs(n, lang)),
    };
    let replies = match replies {
        0 => None,
        1 => Some(one_reply(lang).to_owned()),
        n => Some(many_replies(n, lang)),
    };
    match (runs, replies) {
        (Some(runs), Some(replies)) => Some(and(&runs, &replies, lang)),
        (one, other) => one.or(other),
    }
}
