//! `secret`, `token`, `address`, the three permissions and `card-template`: what DingTalk says of the app.

words! {
    secret_works {
        zh: "钉钉认可 client id 和密钥",
        en: "DingTalk accepts client id and secret",
    }
    secret_refused(code: &str) {
        zh: "钉钉不认可 client id 和密钥（{code}）",
        en: "DingTalk does not accept client id and secret (`{code}`)",
    }
    copy_again {
        zh: "重新复制两者，注意不要有空格；密钥可能已重置，应用可能已停用或删除",
        en: "copy both again, without stray spaces; the secret may have been reset, the app stopped or deleted",
    }
    token_works { zh: "已取得", en: "handed out" }
    try_later {
        zh: "稍后再试；如果一直如此，看看是不是中间的代理或网关在回答",
        en: "try again in a moment; if it stays so, a proxy or gateway in between may be answering",
    }

    address_refused {
        zh: "本机的出口 IP 不在应用的白名单里",
        en: "this computer's public address is not on the app's allow-list",
    }
    add_address { zh: "把它加进去，或清空白名单", en: "add it, or clear the list" }
    address_works {
        zh: "钉钉接受来自本机的调用",
        en: "DingTalk takes calls from this computer",
    }

    granted(scope: &str) { zh: "{scope} 已开通", en: "{scope} is granted" }
    lacking(scope: &str) { zh: "缺少权限 {scope}", en: "the app lacks the permission {scope}" }
    apply {
        zh: "申请它，然后发布应用的新版本：没有发布的权限不生效",
        en: "apply for it, then publish a new version of the app: until then it does not count",
    }
    used_up(code: &str) {
        zh: "钉钉说本月的 API 调用已用完（{code}）",
        en: "DingTalk says that this month's API calls are used up (`{code}`)",
    }
    buy { zh: "购买用量包，或等到下个月", en: "buy a package, or wait for next month" }

    no_template {
        zh: "没有设置：用 Markdown 消息代替卡片",
        en: "none is set: Markdown instead of cards",
    }
    template_there(template: &str) {
        zh: "{template} 存在（能不能看到：moonbell doctor --card）",
        en: "{template} is there (whether it shows: `moonbell doctor --card`)",
    }
    template_unusable(template: &str, code: &str) {
        zh: "模板 {template} 不能用（{code}）",
        en: "the template {template} cannot be used (`{code}`)",
    }
    check_template {
        zh: "检查 dingtalk.card_template：模板要发布，并属于这个应用",
        en: "check `dingtalk.card_template`: the template must be published, and belong to this app",
    }

    ask_to_send {
        zh: "给主人发一张卡片，看看能不能显示？",
        en: "Send the owner a card, to see whether it shows?",
    }
    /// On the card.
    card { zh: "moonbell doctor：看到这张卡片了吗？", en: "moonbell doctor: do you see this card?" }
    ask_whether_seen {
        zh: "在和机器人的单聊里看到卡片了吗？",
        en: "Do you see the card in your direct chat with the bot?",
    }
    choice { zh: "[y/N 是/否]", en: "[y/N]" }
    card_sent {
        zh: "卡片已发给主人：到和机器人的单聊里看一眼",
        en: "a card went to the owner: look at the direct chat with the bot",
    }
    card_seen { zh: "卡片能显示", en: "the card shows" }
    card_unseen { zh: "卡片已发出，但看不到", en: "the card was sent, but is not seen" }
    look_again {
        zh: "模板要已发布，变量名要和 dingtalk.card_key 一致；手机和电脑上的钉钉会缓存模板，重启钉钉再看",
        en: "the template must be published, and its variable be called as `dingtalk.card_key` says; DingTalk on the phone and on the desktop keep old versions: restart it and look again",
    }
}
