//! What the owner reads of settings that were edited while the host runs.

words! {
    /// The newest version of the file has mistakes; `why` is the list of them.
    wrong(why: &str) {
        zh: "⚠️ 设置文件改错了，仍按原来的设置运行：\n{why}",
        en: "⚠️ The settings were changed and are wrong now; those of before go on to count:\n{why}",
    }
    secret_refused(app: &str, why: &str) {
        zh: "`dingtalk.client_secret`：钉钉不接受它作为应用 `{app}` 的密钥：{why}",
        en: "`dingtalk.client_secret`: DingTalk refuses it for the app `{app}`: {why}",
    }
    no_filter(filter: &str, why: &str) {
        zh: "`log.filter`：`{filter}` 不是日志过滤条件：{why}",
        en: "`log.filter`: `{filter}` is not a log filter: {why}",
    }
    sound {
        zh: "✅ 设置文件已恢复正常",
        en: "✅ The settings are sound again",
    }
}
