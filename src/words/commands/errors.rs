//! Errors of commands and what to do about them: their labels, and the common ones. English is what the log has, too.

words! {
    // With what stands between them and the text: nothing where the colon is as wide as a character.
    label_error { zh: "错误：", en: "error: " }
    label_because { zh: "原因：", en: "because: " }
    label_hint { zh: "提示：", en: "hint: " }
    label_warning { zh: "警告：", en: "warning: " }
    /// Of a terminal that shows ASCII alone.
    letters_hidden {
        zh: "每个 ? 是一个 ASCII 之外的字；如果终端能显示，请设置 LANG=C.UTF-8",
        en: "each `?` is a letter beyond ASCII, which LANG=C.UTF-8 may show",
    }

    /// Above the list of them.
    problems(n: usize) { zh: "设置有 {n} 处问题", en: "{n} problems in the settings" }
    write_this(file: &str, example: &str) {
        zh: "moonbell init 会设置好；或者把下面的内容写进 {file}，并换成你自己的值：\n\n{example}",
        en: "`moonbell init` sets it up; or write this to {file}, with your own values:\n\n{example}",
    }
    complete_file(example: &str) {
        zh: "moonbell init 会补上缺少的；完整的设置文件是这样的：\n\n{example}",
        en: "`moonbell init` writes what is missing; a complete file looks like this:\n\n{example}",
    }

    folder_taken(folder: &str, pid: &str, command: &str, since: &str) {
        zh: "另一个 moonbell（进程 {pid}）已经在 `{folder}` 上运行：`moonbell {command}`，从 {since} 开始",
        en: "another moonbell (process {pid}) already runs on `{folder}`: `moonbell {command}` since {since}",
    }
    folder_taken_hint {
        zh: "停止另一个，或用 `state.dir` 给这一个单独的目录",
        en: "stop the other one, or give this one a folder of its own with `state.dir`",
    }
    app_taken(app: &str, pid: &str, command: &str, since: &str, folder: &str) {
        zh: "另一个 moonbell（进程 {pid}）已经在用应用 `{app}`：`moonbell {command}`，从 {since} 开始，目录 `{folder}`",
        en: "another moonbell (process {pid}) already answers for the app `{app}`: `moonbell {command}` since {since} on `{folder}`",
    }
    app_taken_hint {
        zh: "两个程序用同一个应用，会各收到一部分消息：停止另一个，或用 `dingtalk.client_id` 给这一个单独的应用",
        en: "two hosts of one app each get some of its messages: stop the other one, or give this one an app of its own with `dingtalk.client_id`",
    }
    cannot_listen(address: &str, cause: &str) {
        zh: "不能监听 `{address}`（`http.listen`）：{cause}",
        en: "cannot listen on `{address}` (`http.listen`): {cause}",
    }
    port_taken_hint {
        zh: "另一个程序占用了这个端口：停止它，或换一个端口并告诉你的代理或隧道",
        en: "another program has this port: stop it, or set another one and tell your proxy or tunnel",
    }
    dev_port_taken_hint {
        zh: "可能另一个 moonbell dev 在那里运行；用 --port N 换一个端口，--port 0 任选空闲端口",
        en: "another `moonbell dev` may run there; `--port N` takes another port, `--port 0` any free one",
    }

    no_host(folder: &str) {
        zh: "`{folder}` 上没有 moonbell 在运行",
        en: "no moonbell runs on `{folder}`",
    }
    start_one {
        zh: "用 moonbell run 启动，或者先试试 moonbell dev",
        en: "start one with `moonbell run`, or try `moonbell dev`",
    }
    cannot_ask(pid: &str) {
        zh: "进程 {pid} 在运行，但现在问不到它",
        en: "process {pid} runs, but cannot be asked for anything",
    }
    cannot_ask_hint {
        zh: "可能还在启动；否则它的日志里有控制台打不开的原因",
        en: "it may still be starting; else its log says why the console cannot listen",
    }
    no_answer(pid: u32) { zh: "进程 {pid} 没有回答", en: "process {pid} did not answer" }
    impostor(address: &str, pid: u32) {
        zh: "在 {address} 回答的不是 moonbell 的进程 {pid}：它不能证明自己有 console.json 里的密钥",
        en: "who answers at {address} is not moonbell's process {pid}: it cannot prove that it has the key of console.json",
    }
    impostor_hint {
        zh: "没有向它透露任何秘密；看看是什么程序在那里监听，然后重新启动 moonbell",
        en: "it was told no secret; see what listens there, and start the host again",
    }

    no_browser(program: &str, error: &str, url: &str) {
        zh: "打不开浏览器（{program}：{error}）；请自己打开 {url}",
        en: "could not open a browser ({program}: {error}); open {url} yourself",
    }

    no_journal(folder: &str) {
        zh: "`{folder}` 里还没有运行记录",
        en: "no host has kept a journal in `{folder}` yet",
    }
    no_log(folder: &str) {
        zh: "`{folder}` 里还没有日志",
        en: "no host has written a log in `{folder}` yet",
    }
    no_home { zh: "这个用户没有主目录", en: "this user has no home folder" }
    set_home { zh: "请设置 HOME", en: "set HOME" }

    scripts_folder_is_file(folder: &str) {
        zh: "脚本目录 `{folder}` 是一个文件",
        en: "the scripts folder `{folder}` is a file",
    }
    name_a_folder {
        zh: "用 `scripts.dir` 或 --scripts 指定一个目录",
        en: "name a folder with `scripts.dir` or --scripts",
    }
    no_folder(folder: &str) { zh: "没有目录 `{folder}`", en: "there is no folder `{folder}`" }
    no_folder_hint {
        zh: "请先新建它，或者不写 --scripts：会为你新建一个带示例脚本的目录",
        en: "make it first, or leave --scripts out: then a folder with starter handlers is made for you",
    }
    cannot_read_folder(folder: &str, error: &str) {
        zh: "不能读取脚本目录 `{folder}`：{error}",
        en: "cannot read the scripts folder `{folder}`: {error}",
    }
    cannot_create_folder(folder: &str, error: &str) {
        zh: "不能新建脚本目录 `{folder}`：{error}",
        en: "cannot create the scripts folder `{folder}`: {error}",
    }
    cannot_write_folder(folder: &str, error: &str) {
        zh: "不能写入脚本目录 `{folder}`：{error}",
        en: "cannot write to the scripts folder `{folder}`: {error}",
    }
    other_scripts_folder {
        zh: "检查它的权限，或用 `scripts.dir` 或 --scripts 指定另一个目录",
        en: "check its permissions, or name another folder with `scripts.dir` or --scripts",
    }
}
