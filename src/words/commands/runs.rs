//! `runs` and `logs`.

use crate::words::Lang;

words! {
    // Names of columns.
    run { zh: "编号", en: "RUN" }
    state { zh: "状态", en: "STATE" }
    when { zh: "时间", en: "WHEN" }
    took { zh: "用时", en: "TOOK" }
    who { zh: "谁", en: "WHO" }
    handler { zh: "处理器", en: "HANDLER" }

    queued { zh: "排队", en: "queued" }
    running { zh: "正在运行", en: "running" }
    waiting { zh: "等待", en: "waiting" }
    done { zh: "完成", en: "done" }
    failed { zh: "失败", en: "failed" }
    cancelled { zh: "已取消", en: "cancelled" }
    interrupted { zh: "已中断", en: "interrupted" }
    parked { zh: "搁置", en: "parked" }
    refused { zh: "被拒绝", en: "refused" }

    click { zh: "（点击卡片）", en: "(a click on a card)" }
    event(kind: &str) { zh: "（事件 {kind}）", en: "(event {kind})" }
    said { zh: "说过：", en: "said:" }

    one_said(kind: &str, state: &str, text: &str) {
        zh: "{kind}（{state}）：{text}",
        en: "{kind} ({state}): {text}",
    }
    text { zh: "文字", en: "text" }
    file { zh: "文件", en: "file" }
    image { zh: "图片", en: "image" }
    card { zh: "卡片", en: "card" }
    sent { zh: "已发送", en: "sent" }
    dropped { zh: "已丢弃", en: "dropped" }
    open { zh: "进行中", en: "open" }

    stopped(id: &str) { zh: "已停止运行 {id}", en: "stopped run {id}" }
    again(id: &str) { zh: "再次运行 {id}", en: "run {id} is run again" }
    not_of_an_order(extra: &str) {
        zh: "{extra} 不能和 stop、again 一起使用",
        en: "{extra} does not go with stop and again",
    }
    none_like_that { zh: "没有符合条件的运行", en: "no run is like that" }
    none_yet { zh: "还没有运行过什么", en: "nothing has run yet" }
    no_id(id: &str) { zh: "`{id}` 不是运行的编号", en: "`{id}` is not the id of a run" }
    listed { zh: "moonbell runs 会列出它们", en: "`moonbell runs` lists them" }
    unknown(id: &str, folder: &str) {
        zh: "`{folder}` 的运行记录里没有 `{id}`",
        en: "there is no run `{id}` in the journal of `{folder}`",
    }
    unknown_hint {
        zh: "moonbell runs 会列出它们；保留多久：docs/config.md 里的 `history.keep`",
        en: "`moonbell runs` lists them; how long they are kept: `history.keep` in docs/config.md",
    }
}

/// What was said, by its name in the journal.
pub(crate) fn kind_of(name: &str, lang: Lang) -> &str {
    match name {
        "text" => text(lang),
        "file" => file(lang),
        "image" => image(lang),
        "card" => card(lang),
        // A name of its own.
        other => other,
    }
}

/// What became of that, by its name in the journal.
pub(crate) fn fate_of(name: &str, lang: Lang) -> &str {
    match name {
        "queued" => queued(lang),
        "parked" => parked(lang),
        "sent" => sent(lang),
        "dropped" => dropped(lang),
        "open" => open(lang),
        other => other,
    }
}

/// The state of a run, by its name in the journal.
pub(crate) fn state_of(name: &str, lang: Lang) -> &str {
    let says: fn(Lang) -> &'static str = match name {
        "queued" => queued,
        "running" => running,
        "waiting" => waiting,
        "done" => done,
        "failed" => failed,
        "cancelled" => cancelled,
        "interrupted" => interrupted,
        "parked" => parked,
        "refused" => refused,
        other => return other,
    };
    says(lang)
}
