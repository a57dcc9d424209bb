//! `service`, but for what `install` says, which is in `setup`.

words! {
    none_installed { zh: "没有安装后台服务", en: "no service is installed" }
    install_it { zh: "运行 moonbell service install", en: "`moonbell service install`" }
    removed {
        zh: "后台服务已停止并移除；设置、脚本和运行记录都保留",
        en: "the service is stopped and removed; settings, scripts and journal stay",
    }
    cannot_write(file: &str) { zh: "不能写入 {file}", en: "cannot write {file}" }
    cannot_remove(file: &str) { zh: "不能删除 {file}", en: "cannot remove {file}" }

    /// `word`: what the system calls it, with the process.
    state(runs: &str, word: &str, starts: &str) {
        zh: "{runs}（{word}），{starts}",
        en: "{runs} ({word}), {starts}",
    }
    runs { zh: "在运行", en: "runs" }
    does_not_run { zh: "没有运行", en: "does not run" }
    with_process(word: &str, pid: u32) { zh: "{word}，进程 {pid}", en: "{word}, process {pid}" }
    starts { zh: "随电脑启动", en: "starts with the computer" }
    does_not_start { zh: "不会自己启动", en: "does not start by itself" }
    file { zh: "文件", en: "file" }
    lingers {
        zh: "开启：退出登录后继续运行",
        en: "on: it goes on when you log out",
    }
    does_not_linger {
        zh: "关闭：退出登录时结束；loginctl enable-linger 可以开启",
        en: "off: it ends when you log out; `loginctl enable-linger` changes that",
    }
    see_logs {
        zh: "moonbell service logs 有原因；修好设置后运行 moonbell service install 启动",
        en: "`moonbell service logs` says why; after the settings are mended, `moonbell service install` starts it",
    }

    not_complete(problems: &str) {
        zh: "设置对后台服务来说不完整：{problems}",
        en: "the settings are not complete for a service: {problems}",
    }
    init_writes { zh: "moonbell init 会写好它们", en: "`moonbell init` writes them" }
    not_seen(names: &str) {
        zh: "后台服务看不到 {names}：moonbell init 会把它们写入设置文件",
        en: "a service does not see {names}: `moonbell init` writes them into the file",
    }
    no_settings_file { zh: "没有设置文件", en: "there is no settings file" }
    init_writes_one { zh: "moonbell init 会写一个", en: "`moonbell init` writes one" }
    no_unicode(path: &str) {
        zh: "`{path}` 的名字不是 Unicode，后台服务需要它是",
        en: "`{path}` has no name in Unicode, which a service needs",
    }
    rename { zh: "移动或改名", en: "move or rename it" }

    no_session(why: &str) {
        zh: "这里没有这个用户的 systemd 会话：{why}",
        en: "there is no systemd session of this user here: {why}",
    }
    said_nothing { zh: "没有回答", en: "no answer" }
    no_systemd { zh: "这台电脑上没有 systemd", en: "there is no systemd on this computer" }
    no_session_hint {
        zh: "容器和 su 打开的终端里没有：请以这个用户登录，或让那里启动程序的工具运行 moonbell run（moonbell service install --print 会打印一个 unit）",
        en: "containers and `su` shells have none: log in as this user, or let what starts programs there start `moonbell run` (`moonbell service install --print` shows a unit)",
    }
    awkward_path(path: &str) {
        zh: "systemd 不能启动路径像 `{path}` 这样的程序",
        en: "systemd starts no program whose path is like `{path}`",
    }
    awkward_path_hint {
        zh: "把 moonbell 放到名字里没有引号和反斜杠的目录",
        en: "put moonbell where no folder has quotation marks or backslashes in its name",
    }
    control_character(text: &str) {
        zh: "`{text}` 不能写进后台服务",
        en: "`{text}` cannot be written into a service",
    }
    control_character_hint {
        zh: "名字里有控制字符，请改名",
        en: "rename what has a control character in its name",
    }
    cannot_start(program: &str) { zh: "不能启动 `{program}`", en: "cannot start `{program}`" }
    failed(command: &str, why: &str) {
        zh: "`{command}` 失败：{why}",
        en: "`{command}` failed: {why}",
    }
    no_program(program: &str) {
        zh: "这台电脑上没有 `{program}`",
        en: "`{program}` is not on this computer",
    }
}
