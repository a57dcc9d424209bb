//! What moonbell itself writes into cards and beside their files.

use super::Lang;
use super::thousands;

words! {
    /// In the list of chats, while a card is written.
    working {
        zh: "处理中…",
        en: "Working…",
    }
    /// In the notification of a card.
    answering {
        zh: "机器人正在回复",
        en: "The bot is answering",
    }
    line_above {
        zh: "… 上面还有 1 行",
        en: "… 1 line above",
    }
    lines_above(count: &str) {
        zh: "… 上面还有 {count} 行",
        en: "… {count} lines above",
    }
    /// The last line of a card whose run was cut short by a crash.
    restarted(run: &str) {
        zh: "⚠️ 已中断：moonbell 重新启动了。重新运行请发送：again {run}",
        en: "⚠️ interrupted: moonbell was restarted. To run it again, send: again {run}",
    }
    /// The same, of a run that is run again without being asked.
    repeats {
        zh: "⚠️ 已中断：moonbell 重新启动了，正在重新运行。",
        en: "⚠️ interrupted: moonbell was restarted, and runs it again.",
    }
    /// The same, of a host that ends.
    ends(run: &str) {
        zh: "⚠️ 已中断：moonbell 停止了。重新运行请发送：again {run}",
        en: "⚠️ interrupted: moonbell stopped. To run it again, send: again {run}",
    }
    /// The same, of a run that the next host runs again.
    postponed {
        zh: "⚠️ 已中断：moonbell 停止了，下次启动时会重新运行。",
        en: "⚠️ interrupted: moonbell stopped, and runs it again when it starts.",
    }
    /// Somebody who may said so.
    stopped {
        zh: "⏹ 已停止",
        en: "⏹ stopped",
    }
    replaced {
        zh: "⏹ 已被新消息取代",
        en: "⏹ replaced by a newer message",
    }
    /// The run failed; only the owner sees why, the others learn the number to ask about.
    failed(run: &str) {
        zh: "⚠️ 出错了（运行 {run}）",
        en: "⚠️ that failed (run {run})",
    }
    /// The run hit a limit.
    limited(limit: &str) {
        zh: "⚠️ 已停止：{limit}",
        en: "⚠️ stopped: {limit}",
    }
    wall(most: &str) {
        zh: "达到运行时间上限 {most}",
        en: "the time limit of {most} was reached",
    }
    cpu(most: &str) {
        zh: "达到 CPU 时间上限 {most}",
        en: "the CPU limit of {most} was reached",
    }
    memory(mebibytes: usize) {
        zh: "达到内存上限 {mebibytes} MiB",
        en: "the memory limit of {mebibytes} MiB was reached",
    }
    output(kibibytes: u64) {
        zh: "达到输出上限 {kibibytes} KiB",
        en: "the output limit of {kibibytes} KiB was reached",
    }
    replies(most: usize) {
        zh: "达到一次运行 {most} 条回复的上限",
        en: "the limit of {most} replies in one run was reached",
    }
    outgoing(most: usize) {
        zh: "达到每分钟 {most} 条消息的上限（同一处理函数或同一会话）",
        en: "the limit of {most} messages in a minute, of one handler or into one conversation, was reached",
    }
    panicked {
        zh: "moonbell 内部出错，请附上日志报告",
        en: "a host function failed inside moonbell; please report it with the log",
    }
    /// How a program ended, under its output.
    timed_out(took: &str) {
        zh: "超时，已停止 · {took}",
        en: "timed out after {took}",
    }
    exit(code: i32, took: &str) {
        zh: "退出码 {code} · {took}",
        en: "exit {code} · {took}",
    }
    ended_by(signal: &str, took: &str) {
        zh: "被 {signal} 结束 · {took}",
        en: "ended by {signal} · {took}",
    }
    ended(took: &str) {
        zh: "已结束 · {took}",
        en: "ended · {took}",
    }
    /// In the place of a text that DingTalk's review refused.
    refused {
        zh: "⚠️ 钉钉拒绝显示这张卡片的内容。",
        en: "⚠️ DingTalk refused to show the text of this card.",
    }
    /// In the place of a text that was said as a message instead.
    said_below {
        zh: "（内容见下面的消息）",
        en: "(the text is in the message below)",
    }
    /// Beside the end of an output that is too large for DingTalk even as a zip.
    too_large(name: &str, whole: &str, zipped: &str, sent: &str) {
        zh: "`{name}` 的完整输出有 {whole}（压缩后 {zipped}），超过钉钉 20 MB 的文件上限。附上的是最后 {sent}。",
        en: "The whole output of `{name}` is {whole} ({zipped} as a zip); DingTalk takes files of 20 MB at most. Attached are its last {sent}.",
    }
    /// The file of an output cannot be had any more.
    gone(name: &str) {
        zh: "`{name}` 的完整输出已不在这台电脑上，无法附上。",
        en: "The whole output of `{name}` is no longer on this computer and cannot be attached.",
    }
}

/// How many lines are above what a card shows.
pub(crate) fn above(lines: u64, lang: Lang) -> String {
    match lines {
        1 => line_above(lang).to_owned(),
        _ => lines_above(&thousands(lines), lang),
    }
}
