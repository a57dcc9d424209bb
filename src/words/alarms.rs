//! What is said when something goes on that nobody can have meant.

words! {
    /// Once, to whoever seems to be a machine.
    looping {
        zh: "⏸ 几秒内收到了多次相同的内容，像是自动回复，我先不再应答。请稍等片刻再发。",
        en: "⏸ The same came again and again within seconds, as from a machine, so I stopped answering. Wait a moment, then write again.",
    }
    /// To the owner: a loop was cut.
    loop_cut(nick: &str, id: &str, run: &str) {
        zh: "⚠️ `{nick}`（{id}）像是自动回复，与我来回了三轮，已停止应答（运行 {run}）。",
        en: "⚠️ `{nick}` ({id}) answers like a machine: after three rounds I stopped answering (run {run}).",
    }
    /// To the owner: a handler said more than it may.
    talks_too_much(handler: &str, run: &str, limit: &str) {
        zh: "⚠️ `{handler}` 已被停止（运行 {run}）：{limit}",
        en: "⚠️ `{handler}` was stopped (run {run}): {limit}",
    }
}
