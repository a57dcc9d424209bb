//! `shared-disk` and `disk`.

words! {
    is_synced(path: &str, folder: &str) {
        zh: "{path} 在同步目录 {folder} 里：会被复制到其他电脑",
        en: "{path} is in {folder}, which is copied to other computers",
    }
    move_from_synced {
        zh: "用 state.dir 和 scripts.dir 换到不同步的目录；密钥和日志不要同步",
        en: "move it with `state.dir` and `scripts.dir` to a folder that is not synced: neither secrets nor the journal belong there",
    }
    is_shared(path: &str, kind: &str) {
        zh: "{path} 在网络磁盘上（{kind}）",
        en: "{path} is on a disk of the network ({kind})",
    }
    move_from_shared {
        zh: "用 state.dir 换到本机磁盘：网络磁盘上的锁和数据库不可靠",
        en: "move it to a disk of this computer with `state.dir`: locks and databases are not safe on others",
    }
    own {
        zh: "在本机磁盘上，不同步",
        en: "on a disk of this computer, not synced",
    }

    created { zh: "已新建", en: "created" }
    no_folder(path: &str) { zh: "{path} 不是目录", en: "{path} is not a folder" }
    other_folder {
        zh: "用 state.dir 换一个目录",
        en: "name another folder with `state.dir`",
    }
    read_only(path: &str, error: &str) {
        zh: "{path} 不能写：{error}",
        en: "{path} cannot be written to: {error}",
    }
    check_folder {
        zh: "检查目录权限和磁盘空间，或用 state.dir 换一个目录",
        en: "check its permissions and the room on its disk, or name another folder with `state.dir`",
    }
    writable { zh: "可写", en: "can be written to" }
    free(megabytes: u64) {
        zh: "可写，剩 {megabytes} MB",
        en: "can be written to, {megabytes} MB free",
    }
    low(megabytes: u64) { zh: "磁盘剩 {megabytes} MB", en: "{megabytes} MB are left" }
    nearly_full(megabytes: u64) {
        zh: "磁盘只剩 {megabytes} MB：收到的消息很快就存不下",
        en: "{megabytes} MB are left: messages can soon not be stored",
    }
    make_room {
        zh: "清理磁盘，或减小 history.max_mb",
        en: "make room, or lower `history.max_mb`",
    }
}
