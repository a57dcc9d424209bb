//! What to do about an error of DingTalk's.

use super::Lang;

words! {
    banned {
        zh: "调用次数过多，钉钉封禁了这台电脑的地址五分钟；程序会等待",
        en: "DingTalk has shut out this computer's address for five minutes, for too many calls; the host waits",
    }
    throttled {
        zh: "一次调用太多；程序会等待并重试",
        en: "too many calls at once; the host waits and tries again",
    }
    /// Our own count says so.
    over_budget {
        zh: "等到下个月；如果套餐额度更高，请调高 `[budget]`，见 docs/budget.md",
        en: "wait for next month, or raise `[budget]` if your plan gives more; see docs/budget.md",
    }
    /// DingTalk says so.
    used_up {
        zh: "组织本月的调用次数已用完：购买扩容包，或等到下个月",
        en: "the organisation's monthly calls are used up: buy a package or wait for next month",
    }
    credentials {
        zh: "检查 client id 和 secret（open-dev.dingtalk.com，你的应用，凭证与基础信息），注意多余的空格",
        en: "check the client id and secret (open-dev.dingtalk.com, your app, Credentials), without stray spaces",
    }
    the_permission {
        zh: "缺少的权限",
        en: "the missing permission",
    }
    grant(what: &str) {
        zh: "在 open-dev.dingtalk.com 的“权限管理”里为应用申请 {what}",
        en: "grant the app {what} on open-dev.dingtalk.com, Permissions",
    }
    grant_at(what: &str, page: &str) {
        zh: "在 open-dev.dingtalk.com 的“权限管理”里为应用申请 {what}：{page}",
        en: "grant the app {what} on open-dev.dingtalk.com, Permissions: {page}",
    }
    enable_the_robot {
        zh: "在 open-dev.dingtalk.com 启用机器人，并发布应用的一个版本",
        en: "enable the robot on open-dev.dingtalk.com and publish a version of the app",
    }
    set_up_stream {
        zh: "在 open-dev.dingtalk.com 确认应用有机器人，消息接收模式是 Stream，并已发布",
        en: "check on open-dev.dingtalk.com that the app has a robot, in Stream mode, and is published",
    }
    /// To an answer that leads away from DingTalk.
    not_dingtalks {
        zh: "这不是钉钉的回答：检查代理、DNS 和 `dingtalk.api_base`",
        en: "that answer was not DingTalk's: look at the proxy, the name server and `dingtalk.api_base`",
    }
    not_on_the_list {
        zh: "把这台电脑的公网地址加入应用的 IP 白名单，或清空白名单",
        en: "add this computer's public address to the app's allow-list, or clear that list",
    }
    too_large {
        zh: "改为发送文件，或把文字分成几条回复",
        en: "send a file, or split the text over several replies",
    }
    rejected {
        zh: "钉钉拒绝了内容；请修改文字，或机器人的安全设置",
        en: "DingTalk refused the content; change the text or the robot's security settings",
    }
    template_key {
        zh: "把 `card_key` 设为模板中流式变量的名字",
        en: "set `card_key` to the name of the template's streaming variable",
    }
    proxy_unreachable(proxy: &str, cause: &str) {
        zh: "连不上代理 `{proxy}`：{cause}",
        en: "the proxy `{proxy}` cannot be reached: {cause}",
    }
    proxy_untrusted(proxy: &str, reason: &str) {
        zh: "代理 `{proxy}` 的证书不可信：{reason}",
        en: "the certificate of the proxy `{proxy}` is not trusted: {reason}",
    }
    proxy_did_not_answer(proxy: &str, seconds: &str) {
        zh: "代理 `{proxy}` 在 {seconds} 秒内没有回答",
        en: "the proxy `{proxy}` did not answer within {seconds}s",
    }
    proxy_wants_login(proxy: &str) {
        zh: "代理 `{proxy}` 要求用户名和密码",
        en: "the proxy `{proxy}` asks for a user name and password",
    }
    proxy_refuses_login(proxy: &str) {
        zh: "代理 `{proxy}` 不接受这个用户名和密码",
        en: "the proxy `{proxy}` does not accept the user name and password",
    }
    proxy_refuses(proxy: &str, host: &str, reason: &str) {
        zh: "代理 `{proxy}` 不允许连接 `{host}`：{reason}",
        en: "the proxy `{proxy}` does not let through to `{host}`: {reason}",
    }
    no_such_proxy(proxy: &str, reason: &str) {
        zh: "`{proxy}` 的回答不像这种代理：{reason}",
        en: "`{proxy}` does not answer as such a proxy does: {reason}",
    }
    check_the_proxy {
        zh: "检查 `network.proxy`，并确认代理在运行；`\"none\"` 表示不用代理",
        en: "check `network.proxy`, and that the proxy runs; `\"none\"` goes without it",
    }
    trust_the_proxy {
        zh: "系统要信任它的签发者，`network.proxy` 也要写证书上的主机名",
        en: "the system has to trust whoever signed it, and `network.proxy` to name the host that it is for",
    }
    login_to_the_proxy {
        zh: "写进 `network.proxy`：http://USER:PASSWORD@host:port，其中的 @ 写成 %40",
        en: "write it into `network.proxy`: http://USER:PASSWORD@host:port, with %40 for an @ in either",
    }
    ask_the_proxy {
        zh: "请代理的管理员放行 *.dingtalk.com 的 443 端口",
        en: "ask whoever runs the proxy to let through to *.dingtalk.com, port 443",
    }
    kind_of_proxy {
        zh: "检查 `network.proxy`：http://、https:// 和 socks5:// 是不同的代理",
        en: "check `network.proxy`: http://, https:// and socks5:// are different proxies",
    }
    template {
        zh: "检查 `card_template`：模板必须存在，并已为这个应用发布",
        en: "check `card_template`: the template must exist and be published for this app",
    }
}

/// What a host said in English to whoever it was (its log, its status file), in the language of somebody who reads that.
pub(crate) fn retold(hint: &str, lang: Lang) -> String {
    let fixed: [fn(Lang) -> &'static str; 17] = [
        check_the_proxy,
        trust_the_proxy,
        login_to_the_proxy,
        ask_the_proxy,
        kind_of_proxy,
        banned,
        throttled,
        over_budget,
        used_up,
        credentials,
        enable_the_robot,
        set_up_stream,
        not_dingtalks,
        not_on_the_list,
        rejected,
        template_key,
        template,
    ];
    match fixed.into_iter().find(|says| says(Lang::En) == hint) {
        Some(says) => says(lang).to_owned(),
        None => super::network::retold(hint, lang),
    }
}
