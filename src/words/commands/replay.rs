//! `replay`: each message then and now.

words! {
    nothing { zh: "没有可以重放的消息", en: "no messages to play" }
    saved(n: usize, file: &str) {
        zh: "已把 {n} 条消息写入 `{file}`，不含姓名；里面有人们写的内容：分享之前请先读一遍",
        en: "wrote {n} messages without names to `{file}`; what people wrote is in there: read it before you share it",
    }
    name_the_folder {
        zh: "用 --scripts 指定你的脚本目录",
        en: "name the folder of your scripts with --scripts",
    }
    cannot_read(file: &str, why: &str) {
        zh: "无法读取 `{file}`：{why}",
        en: "cannot read `{file}`: {why}",
    }
    no_recording(file: &str, why: &str) { zh: "`{file}`：{why}", en: "`{file}`: {why}" }
    save_writes_them {
        zh: "moonbell replay --save FILE 会写出这样的文件",
        en: "`moonbell replay --save FILE` writes recordings",
    }
    no_journal_hint {
        zh: "加上 --dev 会读 moonbell dev 的记录；--from 用保存的文件",
        en: "with --dev the journal of `moonbell dev` is read; --from takes a saved file",
    }
    kept_for_a_day {
        zh: "任务结束后保留一天；回答和日志里有它们的编号",
        en: "runs are kept for a day after their end; answers and logs name them",
    }

    does_not_load { zh: "不能加载：", en: "does not load:" }
    // As wide as one another.
    same { zh: "  相同", en: "  same" }
    changed { zh: "  变化", en: "change" }
    broken { zh: "  失效", en: "BROKEN" }
    said_by(at: &str, who: &str, role: &str, text: &str) {
        zh: "{at} {who}（{role}）：{text}",
        en: "{at} {who} ({role}): {text}",
    }
    said_in(at: &str, who: &str, role: &str, chat: &str, text: &str) {
        zh: "{at} {who}（{role}，在 {chat}）：{text}",
        en: "{at} {who} ({role}, in {chat}): {text}",
    }
    stranger { zh: "没有角色", en: "a stranger" }
    then { zh: "当时：", en: "then:" }
    now { zh: "现在：", en: "now:" }
    would_run { zh: "会运行：", en: "would run:" }
    would_call { zh: "会调用：", en: "would call:" }
    would_say { zh: "会回答：", en: "would say:" }
    more_lines(n: usize) { zh: "… 还有 {n} 行", en: "… {n} lines more" }

    nobody { zh: "没有处理器", en: "nobody" }
    moonbell_itself { zh: "moonbell 自己回答", en: "moonbell itself" }
    usage_of(handler: &str) { zh: "`{handler}` 的用法", en: "usage of `{handler}`" }
    answers_a_question { zh: "回答脚本的提问", en: "answers a script's question" }
    still_waiting(handler: &str) { zh: "`{handler}`，还在等待", en: "`{handler}`, still waiting" }
    ended(handler: &str, state: &str) { zh: "`{handler}`，{state}", en: "`{handler}`, {state}" }
    because(what: &str, why: &str) { zh: "{what}：{why}", en: "{what}: {why}" }

    one_message(same: usize) { zh: "1 条消息：{same} 条和以前一样", en: "1 message: {same} as before" }
    many_messages(n: usize, same: usize) {
        zh: "{n} 条消息：{same} 条和以前一样",
        en: "{n} messages: {same} as before",
    }
    some_changed(n: usize) { zh: "，{n} 条有变化", en: ", {n} changed" }
    some_broken(n: usize) { zh: "{n} 条不再处理", en: "{n} no longer handled" }
    and { zh: "，", en: ", " }
}
