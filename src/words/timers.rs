//! What runs by the clock, and the month's budgets beside it.

words! {
    /// Beside help, for those who may.
    help {
        zh: "定时：查看定时任务 · 触发 名字：立即运行一个 · 用量：本月额度",
        en: "schedules: what runs by the clock · trigger NAME: run one of them now · usage: the month's budgets",
    }
    none {
        zh: "没有定时任务。",
        en: "Nothing runs by the clock.",
    }
    line(name: &str, script: &str, next: &str, last: &str) {
        zh: "{name}（{script}）· 下次 {next} · 上次 {last}",
        en: "{name} ({script}) · next {next} · last {last}",
    }
    no_such(name: &str) {
        zh: "没有名为 `{name}` 的定时任务。发送“定时”查看全部。",
        en: "There is no timer of the name `{name}`. Send schedules to see them all.",
    }
    did_you_mean(name: &str, nearest: &str) {
        zh: "没有定时任务 `{name}`；是不是 `{nearest}`？发送“定时”查看全部。",
        en: "There is no timer `{name}`; did you mean `{nearest}`? Send schedules to see them all.",
    }
    triggered(name: &str) {
        zh: "已开始运行 `{name}`。",
        en: "Started `{name}`.",
    }
    runs_already(name: &str) {
        zh: "`{name}` 正在运行，没有再次开始。",
        en: "`{name}` is running already; it was not started again.",
    }
    which(names: &str) {
        zh: "有多个同名的定时任务，请写全名：{names}",
        en: "Several timers have this name; write one of: {names}",
    }
}
