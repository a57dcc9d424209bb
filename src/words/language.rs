//! The word `language`: in which language somebody is spoken to.

words! {
    /// What holds, because they chose it.
    chosen {
        zh: "我用中文和你交流。",
        en: "I speak English with you.",
    }
    /// What holds, because the settings say so.
    set {
        zh: "我用中文和你交流：设置里为所有人选了中文。",
        en: "I speak English with you: the settings say so for everybody.",
    }
    follows {
        zh: "你用哪种语言写，我就用哪种语言回答。",
        en: "I answer in the language that you write in.",
    }
    /// Under what holds.
    how {
        zh: "更改：语言 中文 · 语言 英文 · 语言 自动",
        en: "To change it: language zh · language en · language auto",
    }
    /// Somebody who has no staff id, or whose app is not published.
    cannot_remember {
        zh: "钉钉没有告诉我你的员工 ID，所以我记不住你的选择。",
        en: "DingTalk does not tell me your staff id, so I cannot remember what you choose.",
    }
}
