//! Questions that a script asks, as far as moonbell itself speaks.

use super::Lang;

words! {
    /// Behind a question of a script.
    yes_or_no {
        zh: "（请回复“是”或“否”）",
        en: "(yes or no)",
    }
    just_yes_or_no {
        zh: "请只回复“是”或“否”，或发送“取消”。",
        en: "Please answer just yes or no, or send cancel.",
    }
    none_of_them(count: usize) {
        zh: "没听懂。请回复 1 到 {count} 的数字，或发送“取消”。",
        en: "That is none of them. Answer with a number from 1 to {count}, or send cancel.",
    }
    did_you_mean(near: &str, count: usize) {
        zh: "没听懂；是不是 {near}？请回复 1 到 {count} 的数字，或发送“取消”。",
        en: "That is none of them; did you mean {near}? Answer with a number from 1 to {count}, or send cancel.",
    }
}

/// To an answer that is none of `count` choices.
pub(crate) fn again(near: Option<&str>, count: usize, lang: Lang) -> String {
    match near {
        Some(near) => did_you_mean(near, count, lang),
        None => none_of_them(count, lang),
    }
}
