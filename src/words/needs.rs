//! What a script of other people asks for, as whoever grants it reads it.

words! {
    any_program {
        zh: "以你的身份运行任何程序，参数不限：你能做的它都能做",
        en: "run any program as you, with any arguments: everything that you can do",
    }
    program(name: &str) {
        zh: "以你的身份运行 `{name}`，参数不限",
        en: "run `{name}` as you, with any arguments",
    }
    read_files(path: &str) { zh: "读取 `{path}` 中的文件", en: "read files in `{path}`" }
    write_files(path: &str) {
        zh: "新建、修改和删除 `{path}` 中的文件",
        en: "make, change and remove files in `{path}`",
    }
    use_files(path: &str) {
        zh: "读取、新建、修改和删除 `{path}` 中的文件",
        en: "read, make, change and remove files in `{path}`",
    }
    read_all_files {
        zh: "读取 `scripts.folders` 各目录中的文件",
        en: "read files in every folder of `scripts.folders`",
    }
    write_all_files {
        zh: "新建、修改和删除 `scripts.folders` 各目录中的文件",
        en: "make, change and remove files in every folder of `scripts.folders`",
    }
    use_all_files {
        zh: "读取、新建、修改和删除 `scripts.folders` 各目录中的文件",
        en: "read, make, change and remove files in every folder of `scripts.folders`",
    }
    any_host { zh: "访问互联网上的任何主机", en: "call any host on the Internet" }
    host(name: &str) { zh: "访问 `{name}`", en: "call `{name}`" }
    every_secret { zh: "使用你设置里的所有密钥", en: "use every secret of your settings" }
    secret(name: &str) { zh: "使用密钥 `{name}`", en: "use the secret `{name}`" }
    send_to_anybody {
        zh: "主动给组织里的任何人发消息",
        en: "write to anybody in your organisation, unasked",
    }
    send_to_owner { zh: "主动给你发消息", en: "write to you, unasked" }
    messages {
        zh: "读取不是它的命令的消息",
        en: "read messages that are no command of its own",
    }
    schedule { zh: "按时间运行", en: "run by the clock" }
    watch { zh: "文件变化时运行", en: "run when files change" }
    events {
        zh: "得知组织里的事件，以及对每张卡片的点击",
        en: "hear of events in the organisation, and of clicks on every card",
    }
}
