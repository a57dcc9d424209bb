//! What `init` and `service` say.

use super::Lang;

words! {
    title {
        zh: "moonbell init：设置你的钉钉机器人",
        en: "moonbell init: set up your bot in DingTalk",
    }
    subtitle {
        zh: "大约两分钟。按 Ctrl-C 可随时中断，再次运行会从中断处继续。",
        en: "About two minutes. Ctrl-C stops it; started again, it goes on where it was.",
    }
    /// To whoever may read it although the terminal's locale has no letters for it.
    chinese_by_flag {
        zh: "用中文：moonbell init --lang zh\n",
        en: "In Chinese, if this terminal shows it: moonbell init --lang zh\n",
    }
    step_app { zh: "钉钉应用", en: "The app at DingTalk" }
    step_mode { zh: "接收消息的方式", en: "How messages come in" }
    step_settings { zh: "配置与脚本", en: "Settings and scripts" }
    step_service { zh: "后台服务", en: "Service" }
    step_first { zh: "第一条消息", en: "The first message" }

    choice_scan {
        zh: "用钉钉扫码，创建新机器人（推荐）",
        en: "Create a new bot: scan a QR code with DingTalk (recommended)",
    }
    choice_enter {
        zh: "手动输入已有应用的 Client ID 和 Client Secret",
        en: "Enter client id and secret of an app that you have",
    }
    choice_enter_by_flag {
        zh: "输入已有的应用（相当于 moonbell init --client-id ID）",
        en: "Enter an app that you have (as `moonbell init --client-id ID` does)",
    }
    choice_this_code { zh: "继续使用这个二维码", en: "Go on with this code" }
    choice_stream {
        zh: "Stream（推荐）：由这台电脑连接钉钉，不需要公网地址，也不必打开任何端口",
        en: "Stream (recommended): this computer dials out to DingTalk; no address, no open port",
    }
    choice_http {
        zh: "HTTP：由钉钉调用你的 https 地址，用于不允许向外建立 WebSocket 的网络",
        en: "HTTP: DingTalk calls an https address of yours; for networks that forbid WebSockets",
    }
    choice_enter_again { zh: "重新输入", en: "Enter both again" }
    choice_scan_instead {
        zh: "改用钉钉扫码，创建新机器人",
        en: "Scan a QR code with DingTalk instead, for a new bot",
    }
    choice_keep { zh: "继续使用这个应用", en: "Go on with this app" }
    choice_other { zh: "换一个应用", en: "Take another app" }
    choice_again { zh: "再试一次", en: "Try again" }
    choice_new_code { zh: "换一个新的二维码", en: "Show a new code" }
    not_a_choice(most: usize) {
        zh: "请输入 1 到 {most} 之间的数字。",
        en: "Type a number from 1 to {most}.",
    }
    yes_or_no { zh: "请输入 y 或 n。", en: "Type y or n." }

    scan_it {
        zh: "请用手机钉钉扫描下面的二维码，或在浏览器中打开下面的链接：",
        en: "Scan this with DingTalk on your phone, or open the address below it:",
    }
    code_waits(code: &str, until: &str) {
        zh: "核对代码：{code}，{until} 前有效。等待扫码……",
        en: "It shows the code {code}, and works until {until}. Waiting …",
    }
    code_still_waits(until: &str) {
        zh: "上次显示的二维码在 {until} 前仍然有效。",
        en: "The code of before can still be scanned, until {until}.",
    }
    scan_left {
        zh: "还没有完成；再次运行 moonbell init，可以继续使用这个二维码、换一个新的，或输入已有的应用",
        en: "not done yet; `moonbell init` goes on with this code, or takes a new one, or an app that you have",
    }
    open_it {
        zh: "请在浏览器中打开这个链接，按页面提示用钉钉确认：",
        en: "Open this address in a browser, and confirm with DingTalk as the page says:",
    }
    window_too_small(rows: usize, columns: usize) {
        zh: "二维码需要 {rows} 行 {columns} 列的窗口：放大窗口后再次运行，就会显示。",
        en: "The QR code takes a window of {rows} lines and {columns} columns: in a larger one, start again to see it.",
    }
    /// Of a terminal that shows ASCII alone.
    letters_too_large(rows: usize, columns: usize) {
        zh: "这个终端的区域设置只有 ASCII 字符，用它们画二维码需要 {rows} 行 {columns} 列。如果终端能显示中文，用 LANG=C.UTF-8 再次运行，就会显示。",
        en: "In ASCII, which is all that this terminal's locale has, the QR code takes {rows} lines of {columns} columns. If the terminal shows more, start again with LANG=C.UTF-8 to see it.",
    }
    code_expired { zh: "二维码已过期。", en: "The code has expired." }
    code_was_refused(reason: &str) {
        zh: "扫码的人没有创建机器人：{reason}",
        en: "Whoever scanned did not create the bot: {reason}",
    }
    code_was_refused_silently {
        zh: "扫码的人没有创建机器人。",
        en: "Whoever scanned did not create the bot.",
    }
    scan_again_hint {
        zh: "再次运行 moonbell init 可获取新的二维码；创建应用需要企业管理员或开发者权限",
        en: "run `moonbell init` again for a new code; creating apps takes an administrator or developer of the organisation",
    }
    still_trying {
        zh: "仍在重试；二维码继续有效。",
        en: "Still trying; the code stays good.",
    }
    app_created(id: &str) { zh: "已创建应用 {id}", en: "Created the app {id}" }
    app_works(id: &str) {
        zh: "应用 {id} 的密钥有效",
        en: "The secret of the app {id} works",
    }

    where_credentials_are {
        zh: "打开 open-dev.dingtalk.com，进入你的应用，在“凭证与基础信息”中复制。",
        en: "Copy both from open-dev.dingtalk.com: your app, \"Credentials\".",
    }
    ask_id { zh: "Client ID（AppKey）", en: "Client ID (AppKey)" }
    ask_secret {
        zh: "Client Secret（AppSecret，输入时显示为星号）",
        en: "Client secret (AppSecret; shown as stars)",
    }
    empty { zh: "不能为空。", en: "It is empty." }
    wrong_secret(error: &str) {
        zh: "钉钉不认识这一对 Client ID 和 Client Secret：{error}",
        en: "DingTalk does not know this id with this secret: {error}",
    }
    wrong_secret_hint {
        zh: "请在 open-dev.dingtalk.com 的“凭证与基础信息”中重新复制，注意不要带空格；如果应用已删除、停用或重置过密钥，请换用新的",
        en: "copy both again from open-dev.dingtalk.com, your app, \"Credentials\", without stray spaces; an app that was deleted, disabled or given a new secret is refused too",
    }
    ip_refused(error: &str) {
        zh: "钉钉不接受来自这台电脑地址的调用：{error}",
        en: "DingTalk takes no calls from the address of this computer: {error}",
    }
    ip_refused_hint {
        zh: "请在应用的“安全设置”中加入这台电脑的出口 IP，或清空白名单",
        en: "add the public address of this computer to the app's allow-list, or clear that list",
    }
    no_network(error: &str) {
        zh: "连不上钉钉：{error}",
        en: "DingTalk cannot be reached: {error}",
    }
    no_network_hint {
        zh: "请检查网络：这台电脑要能打开 https://api.dingtalk.com。如果只能通过代理上网，请在配置中写 network.proxy，或设置环境变量 MOONBELL_NETWORK_PROXY（例如 http://proxy.example:3128），然后重新运行",
        en: "check the network: this computer must reach https://api.dingtalk.com. If only a proxy leads there, say it in `network.proxy` of the settings, or in MOONBELL_NETWORK_PROXY (such as http://proxy.example:3128), and start again",
    }
    /// A proxy is named in the environment, and not used.
    no_network_but_environment(proxy: &str) {
        zh: "请检查网络：这台电脑要能打开 https://api.dingtalk.com。环境变量里的代理 {proxy} 不会自动使用：如果需要它，请设置 MOONBELL_NETWORK_PROXY=environment，或在配置中写 network.proxy = \"environment\"，然后重新运行",
        en: "check the network: this computer must reach https://api.dingtalk.com. The proxy {proxy} of your environment is not used unasked: set MOONBELL_NETWORK_PROXY=environment, or `network.proxy = \"environment\"` in the settings, and start again",
    }
    no_network_through(proxy: &str) {
        zh: "请检查网络和代理 {proxy}（来自 network.proxy 或 MOONBELL_NETWORK_PROXY；写 none 表示不用代理），然后重新运行",
        en: "check the network, and the proxy {proxy} (of `network.proxy` or MOONBELL_NETWORK_PROXY; `none` goes without one), and start again",
    }
    busy(error: &str) {
        zh: "钉钉现在无法处理这次调用：{error}",
        en: "DingTalk cannot take the call now: {error}",
    }
    busy_hint { zh: "请过一会儿再试", en: "try again in a moment" }
    app_refused(error: &str) { zh: "钉钉拒绝了：{error}", en: "DingTalk refuses it: {error}" }
    app_refused_hint {
        zh: "请在 open-dev.dingtalk.com 检查应用：是否已启用、已发布？",
        en: "look at the app on open-dev.dingtalk.com: is it enabled, and a version published?",
    }

    settings_stay(file: &str) { zh: "配置：{file}", en: "Settings: {file}" }
    settings_written(file: &str) { zh: "已写入配置：{file}", en: "Wrote the settings: {file}" }
    settings_change(file: &str) {
        zh: "{file} 将有如下改动（注释和其他配置保持不变）：",
        en: "In {file} this changes; comments and other keys stay:",
    }
    ask_change { zh: "写入这些改动吗？", en: "Write that?" }
    change_refused { zh: "配置没有改动", en: "the settings stay as they were" }
    change_refused_hint {
        zh: "用 --config 文件名 可以写入另一个配置文件",
        en: "with --config FILE another file is written",
    }
    secret_written(file: &str) {
        zh: "密钥：{file}（只有你能读取）",
        en: "The secret: {file} (readable by you alone)",
    }
    scripts_written(folder: &str) {
        zh: "脚本：{folder}（含入门脚本和编辑器设置）",
        en: "Scripts: {folder}, with starter handlers and editor settings",
    }
    scripts_stay(folder: &str) {
        zh: "脚本：{folder}（已有脚本保持不变）",
        en: "Scripts: {folder}; those that were there stay",
    }
    http_address_first {
        zh: "HTTP 模式下，钉钉要能访问这台电脑：请先准备好公网地址（反向代理、隧道或证书，见 docs/http-mode.md），例如 https://bot.example.com/dingtalk。",
        en: "In the HTTP mode DingTalk has to reach this computer: through a proxy, a tunnel or with a certificate (docs/http-mode.md), at an address such as https://bot.example.com/dingtalk.",
    }
    ask_public_url {
        zh: "公网地址（回车跳过）",
        en: "Its public address (Enter: later)",
    }
    no_address {
        zh: "这不是以 https:// 开头的地址。",
        en: "That is no address that begins with https://.",
    }
    address_not_encrypted {
        zh: "不接受未加密的地址：请使用 https://（只有这台电脑自己的地址可以是 http://）。",
        en: "It is not encrypted: take https:// (http:// only for an address of this computer itself).",
    }
    address_not_plain {
        zh: "请去掉地址中的用户名、密码、?… 和 #…。",
        en: "Leave out user, password, ?… and #….",
    }
    address_of_a_door {
        zh: "请去掉最后一段：只写 /robot、/event 和 /card 之前的部分。",
        en: "Leave out the last part: only what stands before /robot, /event and /card.",
    }
    address_of_no_path {
        zh: "地址的路径只能用字母、数字和 -、.、_、~，段与段之间一个斜杠。",
        en: "Its path takes letters, digits and -, ., _, ~ alone, with one slash between its parts.",
    }
    http_doors {
        zh: "HTTP 模式下，接收事件需要“事件订阅”页面里的 Token 和 AES Key；只收消息可直接回车跳过。",
        en: "In the HTTP mode, events need token and AES key of the page \"Event subscription\"; for messages alone, press Enter.",
    }
    ask_token { zh: "Token（令牌）", en: "Token" }
    ask_aes_key { zh: "AES Key（43 个字符）", en: "AES key (43 characters)" }
    door_hint {
        zh: "请从 open-dev.dingtalk.com 的“事件订阅”页面重新复制",
        en: "copy it again from open-dev.dingtalk.com, your app, \"Event subscription\"",
    }
    token_length(length: usize) {
        zh: "Token 应有 3 到 64 个字符，而这里有 {length} 个。",
        en: "A token has 3 to 64 characters; this has {length}.",
    }
    token_letters { zh: "Token 只能包含字母和数字。", en: "A token has letters and digits only." }
    key_length(length: usize) {
        zh: "AES Key 应有 43 个字符，而这里有 {length} 个。",
        en: "An AES key has 43 characters; this has {length}.",
    }
    key_letters { zh: "AES Key 只能包含字母和数字。", en: "An AES key has letters and digits only." }

    no_service_manager {
        zh: "这里没有可用的服务管理器（例如 systemd），机器人不会自动启动：请用这里启动程序的方式运行 moonbell run。",
        en: "There is no service manager here (systemd, for one), so the bot does not start by itself: let whatever starts programs here run `moonbell run`.",
    }
    ask_service {
        zh: "登录电脑后自动在后台运行机器人吗？",
        en: "Run the bot in the background, from now on and whenever this computer starts?",
    }

    installed(pid: &str) {
        zh: "后台服务已安装并运行（进程 {pid}）",
        en: "The service is installed and runs (process {pid})",
    }
    installed_already(pid: &str) {
        zh: "后台服务已经安装，正在运行（进程 {pid}）",
        en: "The service is installed already and runs (process {pid})",
    }
    another_serves(pid: &str) {
        zh: "后台服务已安装；进程 {pid} 仍在提供服务：停止它之后由后台服务接替",
        en: "The service is installed; process {pid} still serves: stop that one, and the service takes over",
    }
    no_host_came_up {
        zh: "后台服务已安装，但没有启动成功；用 moonbell service logs 查看原因，或直接运行 moonbell run",
        en: "The service is installed, but no host came up; `moonbell service logs` says why, or start `moonbell run` and see",
    }
    lingers {
        zh: "它随电脑启动，退出登录后继续运行（linger 已开启）",
        en: "It starts with the computer and goes on when you log out (linger is on)",
    }
    does_not_linger {
        zh: "退出登录后它会结束：无法开启 linger。请运行一次 sudo loginctl enable-linger $USER",
        en: "It ends when you log out: linger could not be turned on. Run `sudo loginctl enable-linger $USER` once",
    }
    variables_left_out(names: &str) {
        zh: "后台服务看不到 {names}：请把它们的内容写入配置文件",
        en: "The service does not see {names}: write what they say into the settings file",
    }
    in_a_build_folder {
        zh: "它运行的是编译目录里的程序；用 cargo install --path . 把程序装到固定的位置",
        en: "It runs the program out of a build folder; `cargo install --path .` gives it a place that stays",
    }

    owned_elsewhere(app: &str) {
        zh: "之前认领的是另一个应用（{app}），这个应用还没有主人。",
        en: "You have claimed another app before ({app}); this one has no owner yet.",
    }
    find_the_bot {
        zh: "打开钉钉，搜索你的机器人，在单聊中把这个认领码发给它：",
        en: "Open DingTalk, search for your bot, and send it this code in a direct message:",
    }
    claim_meaning {
        zh: "谁发送它，谁就是机器人的主人；10 分钟内有效，只能用一次。等待中……",
        en: "Whoever sends it owns the bot. It works once, for 10 minutes. Waiting …",
    }
    new_claim_code { zh: "认领码已过期，新的是：", en: "That code has ended; the new one is:" }
    claimed(name: &str, id: &str) {
        zh: "{name}（{id}），机器人现在归你所有",
        en: "The bot is yours, {name} ({id})",
    }
    now_ping { zh: "现在发送：", en: "Now send it:" }
    send_ping {
        zh: "打开钉钉，搜索你的机器人，在单聊中发送：",
        en: "Open DingTalk, search for your bot, and send it in a direct message:",
    }
    answered(handler: &str) {
        zh: "机器人回答了：{handler}",
        en: "It was answered: {handler}",
    }
    run_failed(error: &str) { zh: "没有成功回答：{error}", en: "It was not answered: {error}" }
    run_failed_hint(run: &str) {
        zh: "详情：moonbell runs {run}",
        en: "more: `moonbell runs {run}`",
    }
    not_connected(error: &str) { zh: "还没有连上钉钉：{error}", en: "Not connected to DingTalk yet: {error}" }
    http_address(address: &str) {
        zh: "在 open-dev.dingtalk.com 的机器人页面选择 HTTP 模式，消息接收地址填：{address}",
        en: "On open-dev.dingtalk.com, page \"robot\", choose HTTP and enter this address for messages: {address}",
    }
    http_address_is_local {
        zh: "这个地址只在这台电脑上有效：请在 http.public_url 中写入公网地址（见 docs/http-mode.md）",
        en: "that address is good on this computer only: say the public one in `http.public_url` (docs/http-mode.md)",
    }
    nobody_wrote { zh: "没有等到第一条消息", en: "no first message came" }
    go_on_hint {
        zh: "一切已写好；再次运行 moonbell init 会从这里继续，或直接运行 moonbell run",
        en: "everything is written: `moonbell init` goes on here, or start `moonbell run`",
    }
    ask_status {
        zh: "moonbell service status 会显示后台服务是否已安装、是否在运行",
        en: "`moonbell service status` says whether the service is installed and runs",
    }
    service_is_down { zh: "后台服务没有启动", en: "the service did not come up" }
    service_is_down_hint {
        zh: "用 moonbell service logs 查看原因",
        en: "`moonbell service logs` says why",
    }

    an_older_host_serves(pid: &str) {
        zh: "进程 {pid} 仍以旧的配置运行",
        en: "process {pid} still serves with the settings of before",
    }
    an_older_host_serves_hint {
        zh: "停止它（或 moonbell service install），再运行 moonbell init",
        en: "stop it (a service: `moonbell service install`), then start `moonbell init` again",
    }
    done_served {
        zh: "完成。机器人在后台运行：moonbell service status\n保存脚本，下一条消息就由新版本回答；发送 help 查看命令。",
        en: "Done. The bot runs in the background: `moonbell service status`.\nSave a script, and the next message meets it. Send `help` for the commands.",
    }
    done_here {
        zh: "完成。机器人会一直在这里回答，直到你按 Ctrl-C；以后用 moonbell run 启动，或用 moonbell service install 让它在后台运行。\n保存脚本，下一条消息就由新版本回答；发送 help 查看命令。日志：moonbell logs -f。",
        en: "Done. The bot goes on answering here until Ctrl-C; later, start it with `moonbell run`, or let it run in the background: `moonbell service install`.\nSave a script, and the next message meets it. Send `help` for the commands. The log: `moonbell logs -f`.",
    }
    /// Where nothing keeps programs running.
    done_here_alone {
        zh: "完成。机器人会一直在这里回答，直到你按 Ctrl-C；以后用 moonbell run 启动。\n保存脚本，下一条消息就由新版本回答；发送 help 查看命令。日志：moonbell logs -f。",
        en: "Done. The bot goes on answering here until Ctrl-C; later, start it with `moonbell run`.\nSave a script, and the next message meets it. Send `help` for the commands. The log: `moonbell logs -f`.",
    }
    ready {
        zh: "一切就绪：运行 moonbell run，把它显示的认领码发给机器人。",
        en: "Everything is ready: start `moonbell run`, and send the bot the code that it prints.",
    }
    interrupted {
        zh: "还没有完成；再次运行 moonbell init 会从这里继续",
        en: "not done yet; `moonbell init` goes on here",
    }
    label_of_errors { zh: "出错：", en: "error:" }
    label_of_hints { zh: "提示：", en: "hint:" }
    input_ended { zh: "输入已结束", en: "the input ended" }

    cannot_read_terminal { zh: "不能从这个终端读取", en: "cannot read from this terminal" }
    cannot_read_secret { zh: "不能读取密钥", en: "cannot read the secret" }
    cannot_read_secret_in(file: &str) {
        zh: "不能读取 {file} 里的密钥",
        en: "cannot read the secret in {file}",
    }
    no_secret {
        zh: "没有密钥：应该写着它的地方是空的",
        en: "there is no secret: what should hold it is empty",
    }
    no_home {
        zh: "这个用户没有主目录，设置无处存放",
        en: "this user has no home folder to keep settings in",
    }
    no_home_hint {
        zh: "请设置 HOME，或用 --config 指定文件",
        en: "set HOME, or name a file with --config",
    }
    refused_flag(flag: &str, value: &str, why: &str) {
        zh: "{flag} {value}：{why}",
        en: "{flag} {value}: {why}",
    }
    other_app(would: &str, this: &str) {
        zh: "moonbell 会使用应用 `{would}`，而不是 `{this}`：环境变量是这样设置的",
        en: "a host would answer for `{would}`, not for `{this}`: an environment variable says so",
    }
    other_app_hint {
        zh: "去掉 MOONBELL_DINGTALK_CLIENT_ID 和 MOONBELL_DINGTALK_CLIENT_SECRET，然后重新开始",
        en: "unset MOONBELL_DINGTALK_CLIENT_ID and MOONBELL_DINGTALK_CLIENT_SECRET, and start again",
    }
    cannot_write_editor(folder: &str, error: &str) {
        zh: "不能把编辑器设置写入 `{folder}`：{error}",
        en: "cannot write editor settings to `{folder}`: {error}",
    }
    check_permissions { zh: "检查这个目录的权限", en: "check the permissions of the folder" }
    not_toml(file: &str) { zh: "`{file}` 不是有效的 TOML", en: "`{file}` is not valid TOML" }
    no_unicode(folder: &str) {
        zh: "目录 `{folder}` 的名字不是 Unicode",
        en: "the folder `{folder}` has no name in Unicode",
    }
    needs_app { zh: "需要知道用哪个应用", en: "it is not said which app to take" }
    needs_secret { zh: "缺少应用的密钥", en: "the secret of the app is missing" }
    needs_yes { zh: "配置文件需要改动", en: "the settings file has to be changed" }
    nobody_to_ask(why: &str) {
        zh: "{why}，而这里没有终端可以询问",
        en: "{why}, and there is no terminal to ask",
    }
    either(one: &str, other: &str) { zh: "{one} 或 {other}", en: "{one} or {other}" }
    say_flag(flag: &str) { zh: "请使用参数 {flag}", en: "say it with {flag}" }
}

/// What a refusal says, if it says anything.
pub(crate) fn code_refused(reason: &str, lang: Lang) -> String {
    if reason.is_empty() {
        code_was_refused_silently(lang).to_owned()
    } else {
        code_was_refused(reason, lang)
    }
}
