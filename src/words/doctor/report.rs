//! Around the checks: states, headings, the sum, pages of DingTalk's developer console.

use crate::words::Lang;

words! {
    checking {
        zh: "正在检查，大约需要十秒",
        en: "checking, which takes about ten seconds",
    }

    ok { zh: "正常", en: "ok" }
    warning { zh: "留意", en: "warning" }
    failed { zh: "有问题", en: "failed" }
    skipped { zh: "跳过", en: "skipped" }
    fixed(what: &str) { zh: "已修复：{what}", en: "fixed: {what}" }
    todo(what: &str) { zh: "怎么办：{what}", en: "do: {what}" }
    page(which: &str) { zh: "页面：{which}", en: "page: {which}" }

    /// `{warnings}` is a number with its word.
    sum(all: usize, ok: usize, warnings: &str, failed: usize, skipped: usize) {
        zh: "共 {all} 项：{ok} 正常，{warnings}，{failed} 有问题，{skipped} 跳过",
        en: "{all} checks: {ok} ok, {warnings}, {failed} failed, {skipped} skipped",
    }
    /// The last line, for whoever does not see the first ones any more.
    which_failed(n: usize, ids: &str) { zh: "{n} 有问题：{ids}", en: "{n} failed: {ids}" }
    one_warning { zh: "1 留意", en: "1 warning" }
    many_warnings(n: usize) { zh: "{n} 留意", en: "{n} warnings" }

    and(first: &str, second: &str) { zh: "{first}；{second}", en: "{first}; {second}" }
    /// What was put right, and where.
    at(what: &str, path: &str) { zh: "{what}：{path}", en: "{what}: {path}" }
    /// Not looked at, because the check `id` has to be put right first.
    after(id: &str) { zh: "未检查：先解决 {id}", en: "not looked at: {id} comes first" }

    no_settings_file {
        zh: "没有设置文件：全部用默认值",
        en: "no settings file: defaults all through",
    }
    start_with_init {
        zh: "运行 moonbell init：它会设置好一切",
        en: "run `moonbell init`, which sets everything up",
    }
    see_config { zh: "见 docs/config.md", en: "see docs/config.md" }

    // `name`: as DingTalk calls the page.
    page_of_app(home: &str, name: &str) {
        zh: "{home}，你的应用，「{name}」",
        en: "{home}, your app, \"{name}\"",
    }
    page_allowlist(home: &str, name: &str) {
        zh: "{home}，你的应用，「{name}」里的服务器出口 IP",
        en: "{home}, your app, \"{name}\", server egress IP",
    }
    page_of_all(home: &str, name: &str) { zh: "{home}，「{name}」", en: "{home}, \"{name}\"" }
}

pub(crate) fn warnings(n: usize, lang: Lang) -> String {
    if n == 1 { one_warning(lang).to_owned() } else { many_warnings(n, lang) }
}

/// The pages by their own names, which are Chinese; whoever reads English gets both.
pub(crate) mod pages {
    pub(crate) const CREDENTIALS: [&str; 2] =
        ["凭证与基础信息", "Credentials and basic information"];
    pub(crate) const ROBOT: [&str; 2] = ["机器人", "Robot"];
    pub(crate) const RELEASE: [&str; 2] = ["版本管理与发布", "Version management and release"];
    pub(crate) const SECURITY: [&str; 2] = ["安全设置", "Security settings"];
    pub(crate) const RESOURCES: [&str; 2] = ["资源管理", "Resource management"];
}
