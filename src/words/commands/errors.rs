//! Errors of commands and what to do about them: their labels, and the common ones. English is what the log has, too.

use crate::words::Lang;

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
    address_elsewhere_hint {
        zh: "这台电脑没有这个地址：请监听 127.0.0.1，由前面的代理转发；或监听 0.0.0.0",
        en: "this computer does not have that address: listen on 127.0.0.1 behind a proxy, or on 0.0.0.0",
    }
    port_forbidden_hint {
        zh: "1024 以下的端口不是谁都能用：换一个更大的",
        en: "ports below 1024 are not for everyone: take a higher one",
    }
    dev_port_taken_hint {
        zh: "可能另一个 moonbell dev 在那里运行；用 --port N 换一个端口，--port 0 任选空闲端口",
        en: "another `moonbell dev` may run there; `--port N` takes another port, `--port 0` any free one",
    }

    cannot_lock(path: &str, cause: &str) {
        zh: "不能锁定 `{path}`：{cause}",
        en: "cannot lock `{path}`: {cause}",
    }
    cannot_use(path: &str, cause: &str) {
        zh: "不能使用 `{path}`：{cause}",
        en: "cannot use `{path}`: {cause}",
    }
    written_by_newer(path: &str, found: i64, known: i64) {
        zh: "`{path}` 由更新的 moonbell 写入（结构 {found}，这一个只认识 {known}）",
        en: "`{path}` was written by a newer moonbell (schema {found}, this one knows {known})",
    }
    written_by_older(path: &str, found: i64, known: i64) {
        zh: "`{path}` 由更旧的 moonbell 写入（结构 {found}，这一个读取 {known}）",
        en: "`{path}` was written by an older moonbell (schema {found}, this one reads {known})",
    }
    disk_full(path: &str) {
        zh: "`{path}` 所在的磁盘满了",
        en: "the disk with `{path}` is full",
    }
    not_writable(path: &str, cause: &str) {
        zh: "`{path}` 不能写入：{cause}",
        en: "`{path}` cannot be written: {cause}",
    }
    not_sound(path: &str, cause: &str) {
        zh: "`{path}` 已损坏，或不是 moonbell 的数据库：{cause}",
        en: "`{path}` is damaged or not a moonbell database: {cause}",
    }
    journal_closed { zh: "运行记录已经关闭", en: "the journal is closed" }
    not_a_filter(filter: &str, reason: &str) {
        zh: "`{filter}` 不是日志过滤条件：{reason}",
        en: "`{filter}` is not a log filter: {reason}",
    }
    filter_hint {
        zh: "可以写 `error`、`warn`、`info`、`debug`、`trace`、`off`，或一个列表，例如 `info,moonbell::sim=debug`",
        en: "it takes `error`, `warn`, `info`, `debug`, `trace`, `off`, or a list such as `info,moonbell::sim=debug`",
    }

    // What stages of the host say to do; they word it in English, for the log.
    check_permissions {
        zh: "检查目录的权限，或把 `state.dir` 设为另一个目录",
        en: "check the permissions of the folder, or set `state.dir` to another one",
    }
    check_owner {
        zh: "检查目录的所有者和权限，或把 `state.dir` 设为另一个目录",
        en: "check the owner and the permissions of the folder, or set `state.dir` to another one",
    }
    check_room {
        zh: "检查目录的权限，和磁盘的剩余空间",
        en: "check the permissions of the folder, and the room on its disk",
    }
    run_the_newer {
        zh: "请运行更新的 moonbell，或把 `state.dir` 设为一个空目录",
        en: "run the newer moonbell, or point `state.dir` at an empty folder",
    }
    start_this_once {
        zh: "用这个版本的 moonbell 在那里启动一次，文件就会更新",
        en: "start this moonbell there once: it brings the file up to date",
    }
    free_space {
        zh: "请腾出空间：一有空间就会继续接收消息",
        en: "free some space: messages are taken again as soon as there is room",
    }
    damaged {
        zh: "什么都没有改动。请复制这个文件和名字以它开头的文件；`sqlite3 moonbell.db .recover` 能救出还能读取的内容。没有这个文件，moonbell 会从头开始：还没回复的消息、运行记录和脚本存在 `kv` 里的内容都只在它里面",
        en: "nothing was changed. Copy the file and those that begin with its name; `sqlite3 moonbell.db .recover` saves what can be read. Without the file moonbell begins anew: messages not answered yet, the history of runs and what scripts keep in `kv` are in it alone",
    }
    make_folder {
        zh: "请新建它，或在设置里用 `scripts.dir` 指定另一个",
        en: "make it, or name another one as `scripts.dir` in the settings",
    }
    name_folder {
        zh: "在设置里用 `scripts.dir` 指定一个目录",
        en: "name a folder as `scripts.dir` in the settings",
    }
    may_read {
        zh: "让自己能读取它（`chmod u+rx`）",
        en: "give yourself the right to read it (`chmod u+rx`)",
    }
    set_secret {
        zh: "设置应用的 Client Secret（`dingtalk.client_secret`）",
        en: "set the client secret of your app (`dingtalk.client_secret`)",
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
    // In front of why.
    cannot_read(file: &str) { zh: "不能读取 `{file}`", en: "cannot read `{file}`" }
    cannot_write(file: &str) { zh: "不能写入 `{file}`", en: "cannot write `{file}`" }
    cannot_create(folder: &str) { zh: "不能新建 `{folder}`", en: "cannot create `{folder}`" }
    cannot_close(folder: &str) {
        zh: "不能让其他用户无法进入 `{folder}`",
        en: "cannot close `{folder}` to others",
    }
    cannot_read_status(folder: &str) {
        zh: "不能读取 `{folder}` 里 moonbell 的状态",
        en: "cannot read the status of the host in `{folder}`",
    }
    cannot_read_contact(folder: &str) {
        zh: "不能读取 `{folder}` 里的 console.json",
        en: "cannot read console.json in `{folder}`",
    }
    cannot_read_answer(path: &str) {
        zh: "看不懂 moonbell 对 `{path}` 的回答",
        en: "cannot read what the host answered to `{path}`",
    }
    http_status(status: &str) {
        zh: "moonbell 回答了 HTTP 状态 {status}",
        en: "the host answered with HTTP status {status}",
    }
    no_threads { zh: "不能启动线程", en: "cannot start threads" }
    no_signals { zh: "不能等待 Ctrl-C", en: "cannot listen for Ctrl-C" }
    no_call { zh: "不能准备请求", en: "cannot prepare the call" }
    no_own_path {
        zh: "找不到 moonbell 这个程序在哪里",
        en: "cannot find out where this program is",
    }
    no_home { zh: "这个用户没有主目录", en: "this user has no home folder" }
    set_home { zh: "请设置 HOME", en: "set HOME" }

    scripts_folder_is_file(folder: &str) {
        zh: "脚本目录 `{folder}` 是一个文件",
        en: "the scripts folder `{folder}` is a file",
    }
    scripts_folder_missing(folder: &str) {
        zh: "脚本目录 `{folder}` 不存在",
        en: "the scripts folder `{folder}` does not exist",
    }
    scripts_folder_is_none(folder: &str) {
        zh: "`{folder}` 不是目录",
        en: "`{folder}` is not a folder",
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
        en: "the scripts folder `{folder}` cannot be read: {error}",
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

/// What a stage of the host says to do, in the language of whoever reads it.
pub(crate) fn retold(hint: &str, lang: Lang) -> String {
    let known: [fn(Lang) -> &'static str; 11] = [
        check_permissions,
        check_owner,
        check_room,
        run_the_newer,
        start_this_once,
        free_space,
        damaged,
        make_folder,
        name_folder,
        may_read,
        set_secret,
    ];
    match known.into_iter().find(|says| says(Lang::En) == hint) {
        Some(says) => says(lang).to_owned(),
        None => hint.to_owned(),
    }
}
