//! What the owner reads of settings that were edited while the host runs.

words! {
    /// The newest version of the file has mistakes; `why` is the list of them.
    wrong(why: &str) {
        zh: "⚠️ 设置文件改错了，仍按原来的设置运行：\n{why}",
        en: "⚠️ The settings were changed and are wrong now; those of before go on to count:\n{why}",
    }
    sound {
        zh: "✅ 设置文件已恢复正常",
        en: "✅ The settings are sound again",
    }
}
