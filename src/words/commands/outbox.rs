//! `outbox`.

words! {
    all_sent { zh: "所有回复都已发出", en: "every reply has been sent" }
    sum(parked: u64, queued: u64) {
        zh: "{parked} 条已搁置，{queued} 条等待发送",
        en: "{parked} parked, {queued} queued",
    }
    reply(id: i64, state: &str, ago: &str, run: &str, chat: &str, to: &str, kind: &str) {
        zh: "#{id}  {ago}前{state}，运行 {run}，发往{chat} {to}，{kind}",
        en: "#{id}  {state} {ago} ago, run {run}, to {chat} {to}, {kind}",
    }
    parked { zh: "搁置", en: "parked" }
    queued { zh: "排队", en: "queued" }
    direct { zh: "单聊", en: "direct" }
    group { zh: "群聊", en: "group" }
    tried_once { zh: "试过 1 次", en: "tried once" }
    tried(n: u32) { zh: "试过 {n} 次", en: "tried {n} times" }
    next_in(span: &str) { zh: "，{span}后再试", en: ", next in {span}" }
    because(why: &str) { zh: "原因：{why}", en: "because: {why}" }
    hint(what: &str) { zh: "提示：{what}", en: "hint: {what}" }
    how {
        zh: "再试一次：moonbell outbox retry ID|all；放弃：moonbell outbox drop ID|all",
        en: "try again with `moonbell outbox retry ID|all`, give up with `moonbell outbox drop ID|all`",
    }
    seconds(n: i64) { zh: "{n} 秒", en: "{n} s" }
    minutes(n: i64) { zh: "{n} 分钟", en: "{n} min" }
    hours(n: i64) { zh: "{n} 小时", en: "{n} h" }
    days(n: i64) { zh: "{n} 天", en: "{n} d" }

    nothing_parked { zh: "没有搁置的回复", en: "nothing is parked" }
    queued_again(ids: &str) { zh: "重新排队：{ids}", en: "queued again: {ids}" }
    given_up(ids: &str) { zh: "已放弃：{ids}", en: "given up: {ids}" }
    no_journal(folder: &str) {
        zh: "`{folder}` 里没有运行记录",
        en: "there is no journal in `{folder}`",
    }
    no_journal_hint {
        zh: "第一次 moonbell run 或 moonbell dev 时新建",
        en: "it begins with the first `moonbell run` or `moonbell dev`",
    }
}
