//! `console`, `service`, `owner` and `lock`.

words! {
    console_shut {
        zh: "moonbell 在运行，但本地控制台没有打开",
        en: "the host runs, but its console is not open",
    }
    console_why { zh: "看 moonbell logs 里的原因", en: "`moonbell logs` says why" }
    console_free(address: &str) { zh: "{address} 空闲", en: "{address} is free" }
    console_taken(address: &str, error: &str) {
        zh: "{address} 不能用：{error}",
        en: "{address} cannot be used: {error}",
    }
    console_move {
        zh: "结束占用它的程序，或设置 console.listen；否则这次会用一个空闲端口，监控要另找地址",
        en: "end the program that has it, or set `console.listen`; else a free port is taken, which monitors do not know",
    }
    console_elsewhere {
        zh: "本机没有这个地址：把 console.listen 换成本机的，例如 127.0.0.1；否则这次会在 127.0.0.1 上用一个空闲端口，监控要另找地址",
        en: "this computer does not have that address: take one of its own for `console.listen`, such as 127.0.0.1; else a free port is taken, which monitors do not know",
    }

    no_service {
        zh: "没有安装：moonbell 只在你启动它时运行（moonbell service install）",
        en: "none is installed: moonbell runs while you run it (`moonbell service install`)",
    }
    service_unknown(error: &str) {
        zh: "已安装，但问不到系统：{error}",
        en: "installed, but the system cannot be asked: {error}",
    }
    service_ask { zh: "运行 moonbell service status", en: "run `moonbell service status`" }
    service_down(word: &str) {
        zh: "已安装，但没有运行（{word}）",
        en: "installed, but it does not run ({word})",
    }
    service_start {
        zh: "moonbell service logs 有原因；修好后运行 moonbell service install",
        en: "`moonbell service logs` says why; once that is put right, `moonbell service install` starts it",
    }
    service_passing {
        zh: "在运行，但重启或退出登录后不会自己回来",
        en: "it runs, but does not come back by itself after a restart or a log-out",
    }
    service_stay {
        zh: "运行 moonbell service install；Linux 上还需要 loginctl enable-linger",
        en: "run `moonbell service install`; on Linux `loginctl enable-linger` too",
    }
    service_up(word: &str) { zh: "在运行（{word}）", en: "it runs ({word})" }

    owner_set(owner: &str) { zh: "{owner}（access.owner）", en: "{owner}, by `access.owner`" }
    owner_claimed(owner: &str) { zh: "{owner}，已认领", en: "{owner}, who claimed the bot" }
    no_owner {
        zh: "机器人还没有主人：谁都不会得到服务",
        en: "nobody owns the bot: nobody is served",
    }
    claim_it {
        zh: "把 moonbell run（或 moonbell claim）打印的认领码私聊发给机器人；或设置 access.owner",
        en: "send the bot the code that `moonbell run` or `moonbell claim` prints, in a direct message; or set `access.owner`",
    }

    locked(why: &str) {
        zh: "已锁定，不服务任何人：{why}",
        en: "locked, nobody is served: {why}",
    }
    unlock { zh: "运行 moonbell unlock", en: "run `moonbell unlock`" }
    not_locked { zh: "未锁定", en: "not locked" }
}
