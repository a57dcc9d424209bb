//! The words that belong to the host, whatever scripts declare: they bypass every queue.

use std::time::Duration;

use super::value::duration;
use super::words::{self, Word};
use crate::words::Lang;

/// What a control word asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// `stop`, `stop RUN`: end what runs for this person, or that one run.
    Stop(Option<String>),
    /// `stop all`, `取消 全部`: the same, and drop what waits behind it.
    StopAll,
    /// `cancel`, `取消`: leave an open dialog; without one the same as `stop`.
    Cancel,
    /// `runs`: what is running and queued, and what ended last.
    Runs,
    /// `log RUN`: all that is known of a run; of the last one, if none is named.
    Log(Option<String>),
    /// `again RUN`: run the same message once more; that of the last run, if none is named.
    Again(Option<String>),
    /// `schedules`: what runs by the clock.
    Schedules,
    /// `trigger NAME`: run a timer now.
    Trigger(String),
    /// `usage`: what was used of DingTalk's monthly budgets.
    Usage,
    /// `parked`, `parked retry ID`, `parked drop ID`: replies that could not be sent.
    Parked(Parked),
    /// `language`, `language zh`: in which language this person is spoken to.
    Language(Option<Speak>),
    /// `lock`: refuse everything until unlocked locally.
    Lock,
    /// `unlock`: which no chat can.
    Unlock,
    /// `allow [ID] ROLE [for 7d]`: give a role to somebody who is mentioned or named by staff id.
    Allow { words: Vec<String>, lasts: Option<Duration> },
    /// `deny [ID] [ROLE]`: take it.
    Deny { words: Vec<String> },
    /// `who`: who has which role.
    Who,
    /// `yes 4821`: what was asked with this number is to be done.
    Yes(String),
    /// `no 4821`: it is not.
    No(String),
    /// `help`, `help NAME`; shown as [`super::Choice::Help`].
    Help(Option<String>),
}

/// The language that somebody asks to be spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speak {
    /// The one they write in.
    Auto,
    In(Lang),
}

/// What is to become of parked replies; `all` or a number, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parked {
    List,
    Retry(String),
    Drop(String),
}

/// Whether a message with this text is the host's own business, to be answered while its sender's other messages wait.
pub fn is_control(text: &str) -> bool {
    read(&words::split(text)).is_some()
}

/// Reads `typed` as a control word; a whole sentence that happens to begin with one is not.
pub(super) fn read(words: &[Word]) -> Option<Control> {
    let (first, rest) = words.split_first()?;
    if let Some(control) = coded(words) {
        return Some(control);
    }
    let control = word(&first.text)?;
    match (control, rest) {
        // By itself it says nothing of what to trigger.
        (Control::Trigger(_), []) => Some(Control::Schedules),
        (control, []) => Some(control),
        (Control::Trigger(_), [name]) => Some(Control::Trigger(name.text.clone())),
        (Control::Parked(_), [what, which]) => {
            let which = words::narrow(&which.text).to_lowercase();
            let number = which.trim_start_matches('#');
            let fits = matches!(number, "all" | "全部")
                || (!number.is_empty()
                    && number.len() < 19
                    && number.bytes().all(|b| b.is_ascii_digit()));
            if !fits {
                return None;
            }
            let number = number.to_owned();
            match words::fold(&what.text).as_str() {
                "retry" | "重试" => Some(Control::Parked(Parked::Retry(number))),
                "drop" | "放弃" => Some(Control::Parked(Parked::Drop(number))),
                _ => None,
            }
        }
        (Control::Language(_), [which]) => {
            Some(Control::Language(Some(match words::fold(&which.text).as_str() {
                "zh" | "chinese" | "中文" | "汉语" | "漢語" => Speak::In(Lang::Zh),
                "en" | "english" | "英文" | "英语" | "英語" => Speak::In(Lang::En),
                "auto" | "自动" | "自動" => Speak::Auto,
                _ => return None,
            })))
        }
        (Control::Stop(_) | Control::Cancel, [all]) if is_all(&all.text) => Some(Control::StopAll),
        (Control::Stop(_), [id]) => Some(Control::Stop(Some(run(id)?))),
        // In English "cancel order" is a sentence.
        (Control::Cancel, [id]) if first.text.contains("取消") => {
            Some(Control::Stop(Some(run(id)?)))
        }
        (Control::Log(_), [id]) => Some(Control::Log(Some(run(id)?))),
        (Control::Again(_), [id]) => Some(Control::Again(Some(run(id)?))),
        (Control::Allow { .. }, rest) => {
            let (words, lasts) = lasting(rest);
            Some(Control::Allow { words: few(words)?, lasts })
        }
        (Control::Deny { .. }, rest) => Some(Control::Deny { words: few(rest)? }),
        (Control::Help(_), rest) => {
            let topic: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
            Some(Control::Help(Some(topic.join(" "))))
        }
        _ => None,
    }
}

fn is_all(typed: &str) -> bool {
    matches!(words::fold(typed).as_str(), "all" | "全部" | "所有")
}

/// `yes 4821`, `no 4821`: not names that are taken, since no command is called by a number.
fn coded(words: &[Word]) -> Option<Control> {
    let [said, code] = words else { return None };
    let code = words::narrow(&code.text);
    if code.len() != 4 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match words::fold(&said.text).as_str() {
        "yes" | "是" | "确认" | "批准" | "同意" => Some(Control::Yes(code.into_owned())),
        "no" | "否" | "不" | "拒绝" => Some(Control::No(code.into_owned())),
        _ => None,
    }
}

/// What stands before `for 7d`, and that time; `7天` at the end is one by itself.
fn lasting(words: &[Word]) -> (&[Word], Option<Duration>) {
    let Some((last, before)) = words.split_last() else { return (words, None) };
    let Some(lasts) = duration(&words::fold(&last.text)) else { return (words, None) };
    match before.split_last() {
        Some((word, before)) if words::fold(&word.text) == "for" => (before, Some(lasts)),
        Some(_) => (before, Some(lasts)),
        None => (words, None),
    }
}

/// A person and a role; more words are a sentence.
fn few(words: &[Word]) -> Option<Vec<String>> {
    let fits = words.len() <= 2 && words.iter().all(|word| word.text.len() <= 160);
    fits.then(|| words.iter().map(|word| word.text.clone()).collect())
}

/// The id of a run as somebody typed it; `None`: it cannot be one.
fn run(typed: &Word) -> Option<String> {
    let id = words::narrow(&typed.text);
    let fits = id.len() <= 40
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '#'));
    fits.then(|| id.trim_start_matches('#').to_lowercase())
}

/// Whether a command cannot have this name, because its first word would never reach it.
pub(super) fn is_reserved(name: &str) -> bool {
    name.split(' ').next().is_some_and(|first| word(first).is_some())
}

fn word(typed: &str) -> Option<Control> {
    let folded = words::fold(typed);
    let bare = folded.strip_prefix('/').unwrap_or(&folded);
    if bare == "?" {
        return Some(Control::Help(None));
    }
    Some(match words::trim_punctuation(bare) {
        "stop" | "停" | "停止" => Control::Stop(None),
        "cancel" | "取消" => Control::Cancel,
        "停止全部" | "取消全部" | "全部停止" | "全部取消" => Control::StopAll,
        "runs" | "任务" => Control::Runs,
        "log" | "日志" => Control::Log(None),
        "again" | "重跑" => Control::Again(None),
        "schedules" | "定时" => Control::Schedules,
        "language" | "语言" | "語言" => Control::Language(None),
        "trigger" | "触发" => Control::Trigger(String::new()),
        "usage" | "用量" => Control::Usage,
        "parked" | "搁置" => Control::Parked(Parked::List),
        "lock" | "锁定" => Control::Lock,
        "unlock" | "解锁" => Control::Unlock,
        "allow" | "允许" => Control::Allow { words: Vec::new(), lasts: None },
        "deny" | "禁止" => Control::Deny { words: Vec::new() },
        "who" | "名单" => Control::Who,
        "help" | "帮助" => Control::Help(None),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_given_and_taken_by_short_lines_and_sentences_are_none() {
        let read = |text: &str| super::read(&words::split(text));
        let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let week = Some(Duration::from_hours(7 * 24));
        for (text, words, lasts) in [
            ("allow bob guest", vec!["bob", "guest"], None),
            ("allow  guest for 7d", vec!["guest"], week),
            ("Allow bob guest for 7d", vec!["bob", "guest"], week),
            ("允许 bob guest 7天", vec!["bob", "guest"], week),
            ("/allow guest", vec!["guest"], None),
            ("allow", vec![], None),
        ] {
            let words = own(&words);
            assert_eq!(read(text), Some(Control::Allow { words, lasts }), "{text}");
        }
        assert_eq!(read("deny bob"), Some(Control::Deny { words: own(&["bob"]) }));
        assert_eq!(read("禁止"), Some(Control::Deny { words: Vec::new() }));
        assert_eq!(read("yes 4821"), Some(Control::Yes("4821".to_owned())));
        assert_eq!(read("是 ４８２１"), Some(Control::Yes("4821".to_owned())));
        assert_eq!(read("No 4821"), Some(Control::No("4821".to_owned())));
        assert_eq!(read("拒绝 4821"), Some(Control::No("4821".to_owned())));
        for text in [
            "allow me to say this",
            "who is there",
            "yes",
            "yes please",
            "yes 48211",
            "deny it all now",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(is_reserved("allow") && is_reserved("who") && !is_reserved("yes"));
    }

    #[test]
    fn a_run_is_named_behind_its_word() {
        let read = |text: &str| super::read(&words::split(text));
        let id = || Some("7k3fa".to_owned());
        for (text, control) in [
            ("log 7k3fa", Control::Log(id())),
            ("日志 #7K3FA", Control::Log(id())),
            ("again 7k3fa", Control::Again(id())),
            ("重跑 7k3fa", Control::Again(id())),
            ("/重跑", Control::Again(None)),
            ("stop #7k3fa", Control::Stop(id())),
            ("取消 7k3fa", Control::Stop(id())),
        ] {
            assert_eq!(read(text), Some(control), "{text}");
        }
        for text in ["stop all", "Stop ALL", "停止 全部", "取消 全部", "取消全部", "cancel all"]
        {
            assert_eq!(read(text), Some(Control::StopAll), "{text}");
        }
        assert_eq!(read("log in to the server"), None);
        assert_eq!(read("again 再说一遍"), None);
        assert_eq!(read("cancel order"), None);
        assert_eq!(read("取消 订单"), None);
    }

    #[test]
    fn parked_replies_are_listed_retried_and_dropped() {
        let read = |text: &str| super::read(&words::split(text));
        let parked = |parked| Some(Control::Parked(parked));
        for text in ["parked", "/parked", "搁置", "Parked"] {
            assert_eq!(read(text), parked(Parked::List), "{text}");
        }
        for (text, which) in [
            ("parked retry 12", "12"),
            ("parked Retry #12", "12"),
            ("搁置 重试 全部", "全部"),
            ("parked retry all", "all"),
        ] {
            assert_eq!(read(text), parked(Parked::Retry(which.to_owned())), "{text}");
        }
        assert_eq!(read("parked drop 3"), parked(Parked::Drop("3".to_owned())));
        for text in
            ["parked cars", "parked retry", "parked retry cars", "parked the car", "parked sell 3"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn timers_are_listed_and_triggered_by_one_word_each() {
        let read = |text: &str| super::read(&words::split(text));
        for text in ["schedules", "/schedules", "定时", "Trigger", "触发"] {
            assert_eq!(read(text), Some(Control::Schedules), "{text}");
        }
        for (text, name) in [("trigger daily", "daily"), ("触发 检查", "检查")] {
            assert_eq!(read(text), Some(Control::Trigger(name.to_owned())), "{text}");
        }
        assert_eq!(read("trigger the build now"), None);
        assert!(is_reserved("trigger") && is_reserved("定时"));
    }

    #[test]
    fn a_language_is_asked_for_in_either_language() {
        let read = |text: &str| super::read(&words::split(text));
        for (text, speak) in [
            ("language", None),
            ("语言", None),
            ("/language zh", Some(Speak::In(Lang::Zh))),
            ("語言 中文", Some(Speak::In(Lang::Zh))),
            ("语言 英文", Some(Speak::In(Lang::En))),
            ("Language English", Some(Speak::In(Lang::En))),
            ("语言 自动", Some(Speak::Auto)),
        ] {
            assert_eq!(read(text), Some(Control::Language(speak)), "{text}");
        }
        assert_eq!(read("language barriers"), None);
        assert_eq!(read("语言 很 难"), None);
        assert!(is_reserved("language") && is_reserved("语言"));
    }
}
