//! `lock` and `unlock`.

words! {
    cannot_lock(folder: &str) {
        zh: "不能锁定 `{folder}`；请直接停止 moonbell",
        en: "cannot lock `{folder}`; stop moonbell instead",
    }
    locked(pid: &str) {
        zh: "已锁定：进程 {pid} 停止所有任务，不为任何人服务；运行 moonbell unlock 解除",
        en: "locked: process {pid} stops its runs and serves nobody; `moonbell unlock` lifts it",
    }
    locked_without_host {
        zh: "已锁定：moonbell 没有在运行，启动后也不为任何人服务；运行 moonbell unlock 解除",
        en: "locked: no host runs, and one that starts serves nobody; `moonbell unlock` lifts it",
    }
    /// `why`: in brackets, or nothing.
    locked_already(why: &str) {
        zh: "已经锁定{why}；运行 moonbell unlock 解除",
        en: "it is locked already{why}; `moonbell unlock` lifts it",
    }
    by_this_computer {
        zh: "在这台电脑上用 moonbell lock 锁定",
        en: "by `moonbell lock` on this computer",
    }
    cannot_unlock(folder: &str) {
        zh: "不能解除 `{folder}` 的锁定",
        en: "cannot remove the lock of `{folder}`",
    }
    not_locked(folder: &str) { zh: "`{folder}` 没有锁定", en: "`{folder}` is not locked" }
    unlocked {
        zh: "已解除：按原来的权限继续为大家服务",
        en: "unlocked: people are served again, with the rights that they had",
    }
    not_recorded(error: &str) {
        zh: "没有记入审计：{error}",
        en: "it was not recorded in the audit: {error}",
    }
}
