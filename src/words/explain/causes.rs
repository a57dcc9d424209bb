//! Why it may be otherwise than the author of a script expects, and what to do.

words! {
    no_host(command: &str) {
        zh: "没有 moonbell 在这里运行，所以不会有回答：用 moonbell {command} 启动",
        en: "no host runs here, so nothing answers: start it with `moonbell {command}`",
    }
    not_connected(state: &str, why: &str) {
        zh: "moonbell 在运行，但没有连上钉钉（{state}）：{why}",
        en: "the host runs, but is not connected to DingTalk ({state}): {why}",
    }
    just_started { zh: "它刚刚启动", en: "it has just started" }
    declares(line: usize, script: &str, word: &str, why: &str) {
        zh: "{script} 第 {line} 行声明了 `{word}`，但脚本不能加载：{why}",
        en: "line {line} of {script} declares `{word}`, but the script does not load: {why}",
    }
    does_not_load(script: &str, why: &str) {
        zh: "{script} 不能加载，所以它的处理器都不可用：{why}",
        en: "{script} does not load, so its handlers do not serve: {why}",
    }
    older_serves(what: &str) {
        zh: "{what}；正在运行的 moonbell 继续用上一个正常的版本",
        en: "{what}; the running host goes on with its last good version",
    }
    no_scripts(folder: &str) { zh: "{folder} 里没有脚本", en: "there are no scripts in {folder}" }
    check {
        zh: "moonbell check 会指出脚本里的问题",
        en: "`moonbell check` shows what is wrong with the scripts",
    }
    mention {
        zh: "在群里，钉钉只转发 @ 机器人的消息",
        en: "in a group DingTalk passes on only messages that mention the bot",
    }
    taken_then(handler: &str) {
        zh: "当时由 `{handler}` 处理；按现在的脚本和设置，没有处理器接收它",
        en: "then `{handler}` took it; the scripts and settings of today give it to no handler",
    }
    taken_today(place: &str) {
        zh: "当时没有处理器接收；现在 {place} 会处理",
        en: "then no handler took it; today {place} does",
    }
    waits {
        zh: "它在排队：这个人在这个聊天里还有更早的消息；在聊天里发送 `runs` 和 `stop` 可以查看和停止那一个",
        en: "it waits for its turn: another message of this person in this chat comes first; `runs` and `stop` in the chat show and end that one",
    }
    send_again { zh: "它没有重新运行：请再发一次", en: "it was not repeated: send it again" }
    as_owner {
        zh: "在模拟里，主人什么都能做，其他人都是 `guest`：用 --as owner",
        en: "in the simulation the owner may do everything, everybody else is `guest`: --as owner",
    }
    inside(file: &str) { zh: "（在 {file}）", en: " in {file}" }
    set_owner(file: &str) {
        zh: "把 `access.owner` 设为你的 staff id{file}",
        en: "set `access.owner` to your staff id{file}",
    }
    let_them(role: &str, id: &str, file: &str) {
        zh: "要放行：[access.roles] {role} = [\"{id}\", …]{file}",
        en: "to let them: [access.roles] {role} = [\"{id}\", …]{file}",
    }

    no_journal_hint {
        zh: "加上 --dev 会读 moonbell dev 的记录；解释一段文字不需要记录：moonbell explain \"help\"",
        en: "with --dev the journal of `moonbell dev` is read; a text needs no journal: moonbell explain \"help\"",
    }
    no_message(folder: &str) {
        zh: "最近一天没有消息到达 `{folder}`",
        en: "no message has come to `{folder}` in the last day",
    }
    kept_for_a_day {
        zh: "任务结束后保留一天；回答和日志里有它们的编号，moonbell explain --last 用最近的一条消息",
        en: "runs are kept for a day after their end; answers and logs name them, `moonbell explain --last` takes the last message",
    }
}
