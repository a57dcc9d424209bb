//! `claim`, and the code that `run` prints.

words! {
    /// What `run` says while nobody owns the bot.
    told(code: &str) {
        zh: "\n这个机器人还没有主人。在单聊里把这个认领码发给它，它就归你所有：\n\n    {code}\n\n认领码只能用一次，10 分钟内有效；moonbell claim 会打印一个新的。在那之前它不为任何人服务。\n",
        en: "\nNobody owns this bot yet. Send it this code in a direct message, and it is yours:\n\n    {code}\n\nIt works once, for 10 minutes; `moonbell claim` prints another. Nobody else is served until then.\n",
    }
    send_it {
        zh: "在 10 分钟内把它私聊发给机器人：谁发送，谁就是主人。",
        en: "Send it to the bot in a direct message within 10 minutes: its sender becomes the owner.",
    }
    no_host_runs {
        zh: "moonbell 没有在运行；用 moonbell run 启动，还没有主人时它自己也会打印认领码",
        en: "no host runs; start it with `moonbell run`, which prints a code of its own while nobody owns the bot",
    }
    set(owner: &str) { zh: "设置里已经写明了主人：{owner}", en: "the settings name the owner: {owner}" }
    /// `place`: where it stands, after a comma, or nothing.
    set_hint(place: &str) {
        zh: "修改 `access.owner`{place}，或删掉它再用认领码认领",
        en: "change `access.owner`{place}, or remove it to claim by a code",
    }
    /// `key` is wrong.
    cannot_be_told(key: &str) {
        zh: "`{key}` 写错了，无法判断机器人归谁",
        en: "whose bot it is cannot be told while `{key}` is wrong",
    }
    mend_it { zh: "先改正上面的错误", en: "put right what is named above" }
    at(place: &str) { zh: "（{place}）", en: ", {place}" }
    claimed_already(owner: &str) {
        zh: "机器人已经有主人了：{owner}",
        en: "somebody has claimed the bot already: {owner}",
    }
    claimed_already_hint {
        zh: "加上 --replace 后，谁发送新的认领码，机器人就归谁",
        en: "with --replace, whoever sends the new code takes it over",
    }
}
