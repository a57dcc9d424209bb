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
    template {
        zh: "检查 `card_template`：模板必须存在，并已为这个应用发布",
        en: "check `card_template`: the template must exist and be published for this app",
    }
}

/// What a host said in English to whoever it was (its log, its status file), in the language of somebody who reads that.
pub(crate) fn retold(hint: &str, lang: Lang) -> String {
    let fixed: [fn(Lang) -> &'static str; 10] = [
        banned,
        throttled,
        over_budget,
        used_up,
        credentials,
        enable_the_robot,
        not_on_the_list,
        rejected,
        template_key,
        template,
    ];
    match fixed.into_iter().find(|says| says(Lang::En) == hint) {
        Some(says) => says(lang).to_owned(),
        None => hint.to_owned(),
    }
}
