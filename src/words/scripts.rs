//! What the owner reads of scripts: a save that broke one, and runs that no message started.

words! {
    /// A save broke a script. The error begins with its place; `then` is what serves now.
    broken(error: &str, then: &str) {
        zh: "⚠️ 没有加载 {error}\n{then}",
        en: "⚠️ {error}\n{then}",
    }
    /// The same, of a script of other people: in no word of theirs.
    theirs_broken(script: &str) {
        zh: "⚠️ 他人的脚本 {script} 没有加载；在电脑上运行 moonbell status 查看原因。",
        en: "⚠️ {script}, a script of other people, does not load; `moonbell status` on this computer says why.",
    }
    /// Behind the last of a few.
    theirs_and_more {
        zh: "他人的脚本可能还有更多问题：一小时内不再通知，详情见 moonbell status。",
        en: "There may be more of other people's scripts: for an hour only `moonbell status` tells.",
    }
    /// The same, where the mistake is in a file that the script uses.
    broken_by(script: &str, error: &str, then: &str) {
        zh: "⚠️ {script} 没有加载，原因在 {error}\n{then}",
        en: "⚠️ {script}: not loaded because of {error}\n{then}",
    }
    still_serves(at: &str) {
        zh: "{at} 的版本仍在工作",
        en: "still running the version of {at}",
    }
    serves_not {
        zh: "修好之前，它的命令不可用",
        en: "its handlers do not serve until this is mended",
    }
    /// A script that was broken works again.
    mended(script: &str, number: u64, handlers: usize) {
        zh: "✅ {script}：版本 {number} 已生效，命令 {handlers} 个",
        en: "✅ {script}: version {number} serves, handlers: {handlers}",
    }
    /// A timer or another run that no message started.
    failed(script: &str, what: &str, run: &str, why: &str) {
        zh: "⚠️ {script}：`{what}` 出错了（运行 {run}）：{why}\n恢复正常时会再告诉你。",
        en: "⚠️ {script}: `{what}` failed (run {run}): {why}\nYou will hear of it again when it works.",
    }
    works_again(script: &str, what: &str) {
        zh: "✅ {script}：`{what}` 恢复正常",
        en: "✅ {script}: `{what}` works again",
    }
}
