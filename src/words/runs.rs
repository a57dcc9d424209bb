//! Runs: how they ended, what became of messages, and the words `stop`, `runs`, `log` and `again`.

use super::Lang;

words! {
    /// A handler failed, to somebody who may see why.
    failed_because(run: &str, why: &str) {
        zh: "⚠️ 出错了（运行 {run}）：{why}",
        en: "⚠️ That failed (run {run}): {why}",
    }
    /// A handler failed; the number is what to ask the owner about.
    failed(run: &str) {
        zh: "⚠️ 出错了（运行 {run}）。主人可以在日志里看到原因。",
        en: "⚠️ That failed (run {run}). The owner can see why in the log.",
    }
    stopped(run: &str) {
        zh: "已停止（运行 {run}）。",
        en: "Stopped (run {run}).",
    }
    /// To somebody who clicked Stop on a card of another person's run.
    not_yours_to_stop {
        zh: "只有启动这个任务的人或管理员可以停止它。",
        en: "Only whoever started this, or an admin, may stop it.",
    }
    /// To somebody who clicked Stop on a card that stopped by itself.
    card_has_ended(run: &str) {
        zh: "这个任务已经结束了（运行 {run}）。",
        en: "That has ended already (run {run}).",
    }
    /// The same, of a card that nobody knows any more.
    old_card_has_ended {
        zh: "这个任务已经结束了。",
        en: "That has ended already.",
    }
    /// To somebody who left a question unanswered.
    left {
        zh: "好的，已取消。",
        en: "All right, cancelled.",
    }
    nothing_to_stop {
        zh: "没有正在运行的任务。",
        en: "Nothing of yours is running.",
    }
    /// Behind one of these two: messages of theirs that are served next.
    still_waiting(count: usize) {
        zh: "还有 {count} 条消息在排队，会接着处理。要全部取消，请发送：取消 全部",
        en: "{count} of your messages wait and are served next. To drop them, send: stop all",
    }
    /// `stop all`.
    all_stopped(runs: usize, waiting: usize) {
        zh: "已停止：正在运行 {runs} 个，排队的 {waiting} 条已取消。",
        en: "Stopped: {runs} under way, {waiting} that waited.",
    }
    no_such_run(id: &str) {
        zh: "没有正在运行的任务 {id}。发送 runs 查看。",
        en: "No run `{id}` that you may stop. Send runs to see them.",
    }
    /// To the sender of a message whose run was cut short.
    interrupted(run: &str, text: &str) {
        zh: "⚠️ moonbell 停止时，`{text}` 还没有运行完（运行 {run}），也没有自动重做。要再运行一次，请发送：again {run}",
        en: "⚠️ moonbell stopped before `{text}` was done (run {run}). It was not repeated. To run it again, send: again {run}",
    }
    /// There is none, or it is somebody else's: nobody learns which.
    unknown_run(id: &str) {
        zh: "没有你可以查看的运行 {id}。发送 runs 查看。",
        en: "No run `{id}` that you may see. Send runs to see them.",
    }
    none_yet {
        zh: "你还没有运行过什么。",
        en: "Nothing of yours has run yet.",
    }
    /// Why it cannot be run again.
    unfinished(run: &str) {
        zh: "运行 {run} 还没有结束。要结束它，请发送：stop {run}",
        en: "Run {run} has not ended yet. To end it, send: stop {run}",
    }
    no_message(run: &str) {
        zh: "运行 {run} 不是由消息启动的，不能再次运行。发送“定时”查看可以触发的任务。",
        en: "No message started run {run}, so there is none to run again. Send schedules to see what can be triggered.",
    }
    forgotten(run: &str) {
        zh: "运行 {run} 的消息已被清理，请重新发送。",
        en: "The message of run {run} is not kept any more; send it again.",
    }
    was_control(run: &str) {
        zh: "运行 {run} 是给 moonbell 自己的消息，请直接再发一次。",
        en: "Run {run} was a word for moonbell itself; just send it again.",
    }
    /// The same message runs once more.
    again(old: &str, new: &str, text: &str) {
        zh: "再次运行 `{text}`（运行 {new}，原来是 {old}）。",
        en: "Running `{text}` again (run {new}, it was {old}).",
    }
    not_written {
        zh: "⚠️ 运行记录暂时无法读写，请稍后再试。主人可以在日志里看到原因。",
        en: "⚠️ The journal cannot be used right now; try again later. The owner can see why in the log.",
    }
    /// To the sender of a message that came too late to be acted on.
    late(run: &str, text: &str, sent_at: &str, ago: &str) {
        zh: "⏰ `{text}` 晚到了 {ago}（{sent_at} 发出），所以没有执行（运行 {run}）。还需要的话请再发一次，或发送 again {run}。",
        en: "⏰ `{text}` came {ago} late (sent {sent_at}), so it was not run (run {run}). If you still want it, send it again, or again {run}.",
    }
    minutes(count: i64) {
        zh: "{count} 分钟",
        en: "{count} min",
    }
    hours(count: i64) {
        zh: "{count} 小时",
        en: "{count} h",
    }
    days(count: i64) {
        zh: "{count} 天",
        en: "{count} days",
    }
    /// To the sender of a message that a newer one of theirs replaced.
    replaced(run: &str, text: &str) {
        zh: "`{text}` 被你的新消息取代，已停止（运行 {run}）。",
        en: "Stopped `{text}`: your newer message replaces it (run {run}).",
    }
    /// To somebody of whose messages very many wait.
    many_wait(count: usize) {
        zh: "⏳ 你有 {count} 条消息在排队，会按顺序逐条处理，不会丢失。发送“停止”可结束正在运行的任务，“取消 全部”可全部取消。",
        en: "⏳ {count} of your messages wait; they are answered one after another, none is lost. Send stop to end what runs, stop all to drop them all.",
    }
}

/// How long ago, roughly.
pub(crate) fn ago(span_minutes: i64, lang: Lang) -> String {
    match span_minutes {
        ..120 => minutes(span_minutes, lang),
        120..2_880 => hours(span_minutes / 60, lang),
        _ => days(span_minutes / 1_440, lang),
    }
}
