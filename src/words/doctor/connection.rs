//! `connection`, `frames` and `second-host`.

words! {
    not_within(seconds: u64) { zh: "{seconds} 秒内没有打开", en: "not open within {seconds} s" }
    closed_at_once { zh: "钉钉立刻关闭了连接", en: "DingTalk closed it at once" }
    check_robot {
        zh: "确认应用有机器人，消息接收模式是 Stream，并已发布",
        en: "the app needs a robot, in Stream mode, and a published version",
    }
    let_through {
        zh: "检查网络：防火墙和代理要放行到 *.dingtalk.com 443 端口的连接，包括 WebSocket",
        en: "look at the network: firewall and proxy must let through to *.dingtalk.com, port 443, WebSockets too",
    }
    busy {
        zh: "钉钉暂时不能处理：稍后再试",
        en: "DingTalk cannot do it now: try again in a moment",
    }
    keeps_trying {
        zh: "moonbell 会一直重试；如果一直如此，检查网络、防火墙和代理",
        en: "the host keeps trying; if it stays so, look at network, firewall and proxy",
    }
    can_open {
        zh: "可以打开（试了一下，moonbell 没有在运行）",
        en: "can be opened (tried; no host runs)",
    }
    open { zh: "已打开", en: "open" }
    connected { zh: "moonbell 已连接", en: "the host is connected" }
    registered { zh: "moonbell 在等钉钉的回调", en: "the host receives DingTalk's calls" }
    no_host { zh: "moonbell 没有在运行", en: "no host runs" }

    frames_come { zh: "有数据帧", en: "frames come" }
    no_frame(seconds: u64) { zh: "{seconds} 秒内没有数据帧", en: "no frame within {seconds} s" }
    wait_longer {
        zh: "钉钉的第一帧有时要等半分钟：用 --listen 40 再试；如果还没有，检查防火墙和代理",
        en: "DingTalk's first one takes half a minute at times: try `--listen 40`; if none comes then, look at firewall and proxy",
    }
    deaf {
        zh: "moonbell 正在重新连接；如果反复出现，检查防火墙和代理",
        en: "the host is connecting anew; if it happens again and again, look at firewall and proxy",
    }
    last_frame(seconds: i64) {
        zh: "最近一帧在 {seconds} 秒前",
        en: "the last one came {seconds} s ago",
    }
    just_connected { zh: "刚刚连上", en: "connected just now" }
    no_frames_in_http {
        zh: "HTTP 模式没有长连接",
        en: "http mode has no connection of its own",
    }

    another_elsewhere {
        zh: "连接一打开就被关闭：可能别处有程序用同一个 client id 连接着",
        en: "the connection was closed at once: another program may be connected with this client id",
    }
    end_another {
        zh: "找到并结束它，或给它单独的应用",
        en: "find and end it, or give it an app of its own",
    }
    end_the_other {
        zh: "找到并结束另一个程序，或给它单独的应用",
        en: "find and end the other program, or give it an app of its own",
    }
    another_here(pid: u32, folder: &str) {
        zh: "本机另一个 moonbell（进程 {pid}，{folder}）在用同一个应用",
        en: "another moonbell on this computer (process {pid}, `{folder}`) answers for this app",
    }
    part_them {
        zh: "结束它，或用 dingtalk.client_id 给其中一个单独的应用",
        en: "end it, or give one of them an app of its own with `dingtalk.client_id`",
    }
    alone {
        zh: "本机没有；别处的会在断线时看出来",
        en: "none on this computer; one elsewhere shows in broken connections",
    }
}
