//! `file-modes` and `stale-files`.

words! {
    yours_alone { zh: "只有你能读写", en: "yours alone to read and to change" }
    others_read(path: &str) {
        zh: "本机其他用户能读 {path}",
        en: "other users of this computer can read {path}",
    }
    others_change(path: &str) {
        zh: "本机其他用户能改 {path}",
        en: "other users of this computer can change {path}",
    }
    and_more(n: usize) { zh: "另外还有 {n} 个", en: "and {n} more" }
    tighten {
        zh: "运行 moonbell doctor --fix，或 chmod 600（目录 700）",
        en: "run `moonbell doctor --fix`, or chmod 600 (folders: 700)",
    }
    tightened { zh: "已收紧权限", en: "permissions tightened" }

    a_host_runs { zh: "moonbell 在运行", en: "a host runs" }
    none_left { zh: "没有", en: "none" }
    left(names: &str) {
        zh: "上一次运行没有正常结束，留下了 {names}",
        en: "the last host did not end in order and left {names}",
    }
    harmless {
        zh: "无害；下次启动会覆盖，或运行 moonbell doctor --fix",
        en: "harmless: the next start writes them anew, `moonbell doctor --fix` removes them",
    }
    removed { zh: "已删除", en: "removed" }
}
