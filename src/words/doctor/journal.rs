//! `journal`, `published`, `outbox` and `budget`.

use crate::words::Lang;

words! {
    none_yet {
        zh: "还没有（第一次 run 时新建）",
        en: "none yet: the first `run` makes it",
    }
    readable { zh: "可读", en: "readable" }

    no_message_yet {
        zh: "还没有收到消息：私聊机器人说一句话，再运行一次",
        en: "no message has come yet: write to the bot in a direct message, and ask again",
    }
    senders_known {
        zh: "消息带有发送人的员工 ID",
        en: "messages say who sent them",
    }
    senders_unknown(last: usize) {
        zh: "最近 {last} 条消息都没有发送人的员工 ID（senderStaffId）",
        en: "none of the last {last} messages says who sent it (`senderStaffId`)",
    }
    publish {
        zh: "发布应用的一个版本；如果消息都来自组织外的人，则属正常，他们不会得到服务",
        en: "publish a version of the app; if all of them came from people outside your organisation, that is as it should be: they are not served",
    }

    none_parked { zh: "没有搁置的回复", en: "no reply is parked" }
    one_parked {
        zh: "1 条回复没有发出，已搁置",
        en: "1 reply could not be sent and is parked",
    }
    many_parked(n: u64) {
        zh: "{n} 条回复没有发出，已搁置",
        en: "{n} replies could not be sent and are parked",
    }
    retry_parked {
        zh: "运行 moonbell outbox 查看原因；修好后 moonbell outbox retry all",
        en: "`moonbell outbox` says why; once that is put right, `moonbell outbox retry all`",
    }

    month(calls: &str, pushes: &str) {
        zh: "本月 API 调用 {calls}，消息推送 {pushes}",
        en: "this month: API calls {calls}, Webhook & Stream {pushes}",
    }
    month_used_up(calls: &str, pushes: &str) {
        zh: "本月 API 调用 {calls}，消息推送 {pushes}：已用完",
        en: "this month: API calls {calls}, Webhook & Stream {pushes}: used up",
    }
    buy {
        zh: "购买用量包或等到下个月；套餐更大时提高 [budget]。谁用的：moonbell usage",
        en: "buy a package or wait for next month; if your plan gives more, raise `[budget]`. `moonbell usage` says by whom",
    }
    used_by_whom { zh: "谁用的：moonbell usage", en: "`moonbell usage` says by whom" }
}

pub(crate) fn parked(n: u64, lang: Lang) -> String {
    if n == 1 { one_parked(lang).to_owned() } else { many_parked(n, lang) }
}
