//! What stands last in a card whose run did not come to its own end.

use crate::api::run::Limit;
use crate::router::Lang;

/// Why a run was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody who may said so: by a word, or with the button of a card.
    Person,
    /// A newer message took its place.
    Replaced,
    /// The host ends.
    Host,
    /// The host ends, and the next one runs it again.
    Postponed,
}

/// Of a run that was cancelled.
pub(super) fn stopped(why: Stop, run: &str, lang: Lang) -> String {
    match (why, lang) {
        (Stop::Person, Lang::Zh) => "⏹ 已停止".to_owned(),
        (Stop::Person, Lang::En) => "⏹ stopped".to_owned(),
        (Stop::Replaced, Lang::Zh) => "⏹ 已被新消息取代".to_owned(),
        (Stop::Replaced, Lang::En) => "⏹ replaced by a newer message".to_owned(),
        (Stop::Host, Lang::Zh) => {
            format!("⚠️ 已中断：moonbell 停止了。重新运行请发送：again {run}")
        }
        (Stop::Host, Lang::En) => {
            format!("⚠️ interrupted: moonbell stopped. To run it again, send: again {run}")
        }
        (Stop::Postponed, Lang::Zh) => {
            "⚠️ 已中断：moonbell 停止了，下次启动时会重新运行。".to_owned()
        }
        (Stop::Postponed, Lang::En) => {
            "⚠️ interrupted: moonbell stopped, and runs it again when it starts.".to_owned()
        }
    }
}

/// Of a run that hit a limit.
pub(super) fn limited(limit: Limit, lang: Lang) -> String {
    let zh = match limit {
        _ if lang == Lang::En => return format!("⚠️ stopped: {limit}"),
        Limit::Wall(most) => format!("达到运行时间上限 {most:?}"),
        Limit::Cpu(most) => format!("达到 CPU 时间上限 {most:?}"),
        Limit::Memory(most) => format!("达到内存上限 {} MiB", most >> 20),
        Limit::Output(most) => format!("达到输出上限 {} KiB", most >> 10),
        Limit::Replies(most) => format!("达到一次运行 {most} 条回复的上限"),
        Limit::Panic => "moonbell 内部出错，请附上日志报告".to_owned(),
    };
    format!("⚠️ 已停止：{zh}")
}

/// Of a run that failed. Only the owner sees why; the others learn the number to ask about.
pub(super) fn failed(why: Option<&str>, run: &str, lang: Lang) -> String {
    match (why, lang) {
        (Some(why), _) => format!("⚠️ {why}"),
        (None, Lang::Zh) => format!("⚠️ 出错了（运行 {run}）"),
        (None, Lang::En) => format!("⚠️ that failed (run {run})"),
    }
}
