//! Values: names, numbers, times, addresses, paths, who may do what.

words! {
    missing(path: &str, what: &str) { zh: "缺少 `{path}`：{what}", en: "`{path}` is missing: {what}" }
    client_id {
        zh: "应用的 Client ID（AppKey）",
        en: "the client id (AppKey) of your app",
    }
    client_secret {
        zh: "应用的 Client Secret（AppSecret）",
        en: "the client secret (AppSecret) of your app",
    }
    it_is_empty { zh: "它是空的", en: "it is empty" }
    no_home(path: &str) {
        zh: "`{path}` 没有默认值，因为这个用户没有主目录",
        en: "`{path}` has no default, because this user has no home folder",
    }
    set_home { zh: "请设置 HOME，或这个键", en: "set HOME, or this key" }

    cannot_be(path: &str, value: &str) {
        zh: "`{path}` 不能是 `{value}`",
        en: "`{path}` cannot be `{value}`",
    }
    not_whole(path: &str, value: &str) {
        zh: "`{path}` 是 `{value}`，不是整数",
        en: "`{path}` is `{value}`, which is not a whole number",
    }
    whole_or_unlimited {
        zh: "写一个数字，例如 5000，或 \"unlimited\"",
        en: "write a number such as 5000, or \"unlimited\"",
    }
    out_of_bounds(path: &str, value: &str, least: &str, most: &str) {
        zh: "`{path}` 是 `{value}`，应在 {least} 到 {most} 之间",
        en: "`{path}` is `{value}`, expected {least} to {most}",
    }
    number_hint { zh: "写一个数字，例如 20 或 0.5", en: "write a number such as 20 or 0.5" }
    whole_hint { zh: "写一个整数", en: "write a whole number" }
    not_a_time(path: &str, value: &str) {
        zh: "`{path}` 是 `{value}`，不是一段时间",
        en: "`{path}` is `{value}`, which is not a time",
    }
    time_hint {
        zh: "写数字和单位（ms、s、m、h、d、w），例如 \"10s\"",
        en: "write a number and a unit (ms, s, m, h, d, w): \"10s\"",
    }
    time_out_of_bounds(path: &str, value: &str) {
        zh: "`{path}` 是 `{value}`，超出了范围",
        en: "`{path}` is `{value}`, which is out of bounds",
    }
    bounds(least: &str, most: &str) {
        zh: "可以写 {least} 到 {most}",
        en: "it takes {least} to {most}",
    }

    not_an_address(path: &str, value: &str, error: &str) {
        zh: "`{path}` 是 `{value}`，不是完整的网址：{error}",
        en: "`{path}` is `{value}`: {error}",
    }
    address_hint {
        zh: "写完整的网址，例如 \"https://api.dingtalk.com\"",
        en: "write a whole address, for example \"https://api.dingtalk.com\"",
    }
    not_plain(path: &str) {
        zh: "`{path}` 只能是基础网址",
        en: "`{path}` must be a plain base address",
    }
    plain_hint {
        zh: "去掉用户名、`?…` 和 `#…`",
        en: "leave out user, `?…` and `#…`",
    }
    not_encrypted(path: &str, value: &str) {
        zh: "`{path}` 是 `{value}`，没有加密",
        en: "`{path}` is `{value}`, which is not encrypted",
    }
    encrypted_hint {
        zh: "写 https://…：应用的密钥要经过那里",
        en: "write https://…: the client secret travels there",
    }
    not_of_the_web(path: &str, value: &str) {
        zh: "`{path}` 是 `{value}`，不是网页地址",
        en: "`{path}` is `{value}`, which is not a web address",
    }
    https_hint { zh: "写 https://…", en: "write https://…" }
    not_a_listen(path: &str, value: &str) {
        zh: "`{path}` 是 `{value}`，不是地址和端口",
        en: "`{path}` is `{value}`, which is not an address and port",
    }
    ports_end { zh: "端口最大是 65535", en: "ports go up to 65535" }
    address_too(port: u64) {
        zh: "地址也要写：\"127.0.0.1:{port}\"",
        en: "write the address too: \"127.0.0.1:{port}\"",
    }
    listen_hint {
        zh: "写地址和端口，例如 \"127.0.0.1:7878\"",
        en: "write an address and a port, for example \"127.0.0.1:7878\"",
    }
    reached_by_others(listen: &str) {
        zh: "`console.listen` 是 {listen}，别的电脑也能访问",
        en: "`console.listen` is {listen}, which other computers can reach",
    }
    for_this_computer {
        zh: "本地页面只给这台电脑用：请监听 127.0.0.1 或 [::1]",
        en: "the local pages are for this computer: listen on 127.0.0.1 or [::1]",
    }
    other_homes(path: &str, value: &str) {
        zh: "`{path}` 是 `{value}`：不知道其他用户的主目录在哪里",
        en: "`{path}` is `{value}`: homes of other users are not known",
    }
    no_home_for(path: &str) {
        zh: "`{path}` 以 `~` 开头，但这个用户没有主目录",
        en: "`{path}` begins with `~`, but this user has no home folder",
    }
    whole_path { zh: "写完整的路径", en: "write the whole path" }

    not_a_host(host: &str) {
        zh: "`scripts.private_hosts`：`{host}` 不是主机",
        en: "`scripts.private_hosts`: `{host}` is not a host",
    }
    host_hint {
        zh: "写 \"host\" 或 \"host:port\"；不支持通配符",
        en: "write \"host\" or \"host:port\"; there are no patterns",
    }
    not_a_folder(folder: &str) {
        zh: "`scripts.asked`：`{folder}` 不是目录名",
        en: "`scripts.asked`: `{folder}` is not the name of a folder",
    }
    folder_hint {
        zh: "写 `scripts.dir` 里一个目录的名字，例如 \"shared\"",
        en: "write the name of a folder inside `scripts.dir`, such as \"shared\"",
    }

    not_an_owner(id: &str) {
        zh: "`access.owner` 是 `{id}`，不是 staff id",
        en: "`access.owner` is `{id}`, which is not a staff id",
    }
    owner_hint {
        zh: "这台电脑只属于一个人：写这个人的 staff id",
        en: "exactly one person owns this computer: write their staff id",
    }
    owner_is_no_role {
        zh: "`owner` 不能当作角色来设置",
        en: "`owner` cannot be a role of its own",
    }
    set_owner { zh: "请设置 `access.owner`", en: "set `access.owner`" }
    not_an_id(id: &str, role: &str) {
        zh: "角色 `{role}` 里的 `{id}` 不是 staff id",
        en: "`{id}` in role `{role}` is not a staff id",
    }
    id_hint {
        zh: "staff id 里没有空格，不能写姓名；群写成 \"group:cid…\"",
        en: "ids have no spaces; names of people do not work; a group is written \"group:cid…\"",
    }
    for_everyone(role: &str) {
        zh: "角色 `{role}` 给了所有人（`*`）",
        en: "role `{role}` is given to everyone (`*`)",
    }
    for_everyone_hint {
        zh: "组织里的任何人都能用这个角色的功能",
        en: "anyone in the organisation may run what this role may",
    }

    made_up(path: &str) {
        zh: "`{path}` 是模拟器的，钉钉不认识",
        en: "`{path}` is one of the simulator's, which DingTalk does not know",
    }
    made_up_hint {
        zh: "从 open.dingtalk.com 上你的应用页面复制，或先试 moonbell dev",
        en: "copy it from your app's page on open.dingtalk.com, or try `moonbell dev`",
    }
    on_this_computer(path: &str) {
        zh: "`{path}` 是这台电脑：在那里监听的程序会拿到应用的密钥",
        en: "`{path}` is this computer: whatever listens there is given the secret of your app",
    }
    on_this_computer_hint {
        zh: "去掉它，就会连接钉钉",
        en: "leave it out to talk to DingTalk",
    }

    proxy_variable(name: &str, why: &str) {
        zh: "`network.proxy` 用 `{name}`，但{why}",
        en: "`network.proxy` takes `{name}`, but {why}",
    }
    not_a_proxy(why: &str) {
        zh: "`network.proxy` 不是代理的地址：{why}",
        en: "`network.proxy` is not the address of a proxy: {why}",
    }
    proxy_hint {
        zh: "写 \"http://proxy.example:3128\"（或 https、socks5）、\"environment\" 或 \"none\"",
        en: "write \"http://proxy.example:3128\" (or https, socks5), \"environment\", or \"none\"",
    }
    no_address { zh: "它不是地址", en: "it is no address" }
    no_scheme_of_proxies {
        zh: "它不是 http、https 或 socks5",
        en: "it is neither http, https nor socks5",
    }
    something_follows { zh: "地址后面还有内容", en: "something follows the address" }
    names_no_host { zh: "它没有主机名", en: "it names no host" }
    user_not_utf8 { zh: "用户名不是 UTF-8", en: "the user name is not UTF-8" }
    password_not_utf8 { zh: "密码不是 UTF-8", en: "the password is not UTF-8" }
    login_too_long {
        zh: "用户名和密码各最多 255 字节",
        en: "user name and password have at most 255 bytes each",
    }
}
