//! Questions on cards, and approvals: what is asked, how it can be answered, what became of it.

words! {
    yes {
        zh: "是",
        en: "Yes",
    }
    no {
        zh: "否",
        en: "No",
    }
    approve {
        zh: "批准",
        en: "Approve",
    }
    refuse {
        zh: "拒绝",
        en: "Refuse",
    }
    /// Above a program, if the script has no question of its own.
    run_this {
        zh: "运行它？",
        en: "Run this?",
    }
    /// In the list of chats, of a card that asks.
    waiting {
        zh: "等你回答…",
        en: "Waiting for your answer…",
    }
    /// The file that is found under the name of a program.
    program {
        zh: "程序",
        en: "program",
    }
    /// Where it starts.
    folder {
        zh: "目录",
        en: "in",
    }
    /// A variable that it gets.
    with {
        zh: "环境",
        en: "with",
    }
    /// A variable that it does not get.
    without {
        zh: "去除",
        en: "without",
    }
    input {
        zh: "输入",
        en: "input",
    }
    limit {
        zh: "时限",
        en: "for",
    }
    open_until(until: &str) {
        zh: "{until} 前有效",
        en: "until {until}",
    }
    /// Who asks, until when, and the beginning of the digest.
    terms(asker: &str, until: &str, digest: &str) {
        zh: "{asker} · {until} 前有效 · #{digest}",
        en: "{asker} · until {until} · #{digest}",
    }
    /// Of whom it is asked, if not of whoever asked.
    for_role(role: &str) {
        zh: "需要另一位 {role} 批准",
        en: "to be approved by another {role}",
    }
    /// How to answer by a message.
    how(code: &str) {
        zh: "批准请回复：yes {code} · 拒绝：no {code}",
        en: "To approve, send: yes {code} · to refuse: no {code}",
    }
    /// The same beside buttons.
    or_send(code: &str) {
        zh: "也可以回复：yes {code} 或 no {code}",
        en: "or send: yes {code}, or no {code}",
    }
    /// In the place of what is too long for a message.
    in_file(file: &str, chars: usize) {
        zh: "全部内容（{chars} 字）在文件 {file} 里",
        en: "all of it ({chars} characters) is in the file {file}",
    }
    /// To whoever asked, while another chat has the question.
    waits_for_owner(until: &str) {
        zh: "⏳ 已请主人批准（{until} 前有效）。发送“取消”可撤回。",
        en: "⏳ The owner was asked to approve it, until {until}. Send cancel to withdraw it.",
    }
    late(until: &str) {
        zh: "⌛ 到 {until} 没有回答。",
        en: "⌛ no answer until {until}.",
    }
    cancelled {
        zh: "已取消。",
        en: "cancelled.",
    }
    approved(by: &str) {
        zh: "✅ 已批准 · {by}",
        en: "✅ approved · {by}",
    }
    refused(by: &str) {
        zh: "🚫 已拒绝，没有执行 · {by}",
        en: "🚫 refused, nothing was run · {by}",
    }
    expired(until: &str) {
        zh: "⌛ 到 {until} 没有人批准，没有执行。",
        en: "⌛ not approved until {until}, nothing was run.",
    }
    changed {
        zh: "🚫 等待期间脚本被修改，没有执行；请重新发送。",
        en: "🚫 the script was changed meanwhile, nothing was run; send it again.",
    }
    /// After a yes to what is another thing by now.
    other_now {
        zh: "🚫 等待期间要做的事情变了，没有执行；请重新发起。",
        en: "🚫 what was to happen was changed meanwhile, nothing was run; ask for it again.",
    }
    not_run {
        zh: "🚫 已取消，没有执行。",
        en: "🚫 cancelled, nothing was run.",
    }
    too_many {
        zh: "🚫 你等待批准的请求太多，没有执行；请等它们有了结果再试。",
        en: "🚫 Too many of your requests wait for approval, or did within the hour; nothing was run.",
    }
    nobody {
        zh: "🚫 需要另一个人批准，而这里没有别人；请在群里发送。",
        en: "🚫 Somebody else must approve this, and nobody else is here; send it in a group.",
    }
    not_shown {
        zh: "🚫 要执行的内容太长，文件又发送不了，没有执行。",
        en: "🚫 What is to be run is too long for a message, and the file could not be sent; nothing was run.",
    }
    /// To whoever said yes with a number.
    decided_yes {
        zh: "✅ 已批准。",
        en: "✅ Approved.",
    }
    decided_no {
        zh: "🚫 已拒绝，不会执行。",
        en: "🚫 Refused; nothing is run.",
    }
    copied {
        zh: "这个按钮不在原来的卡片上，不算数。",
        en: "That button is not on the card that asked; it counts for nothing.",
    }
    no_button {
        zh: "这个按钮不回答任何问题，不算数。",
        en: "That button answers no question; it counts for nothing.",
    }
    /// To whoever says yes with a number that nothing has.
    no_such_number {
        zh: "这里没有等待这个数字的请求：已经有了结果，或者是在另一个会话里问的。",
        en: "Nothing waits for that number here: it was decided, has ended, or was asked in another chat.",
    }
    elsewhere {
        zh: "这是在另一个会话里问的，请在那里回答。",
        en: "That was asked in another chat; answer it there.",
    }
    has_expired {
        zh: "已经过期了，请重新发起。",
        en: "That has expired; ask for it again.",
    }
    script_changed {
        zh: "等待期间脚本被修改，所以没有执行；请重新发起。",
        en: "The script was changed meanwhile, so nothing was run; ask for it again.",
    }
    not_asked {
        zh: "只有发起的人可以回答。",
        en: "Only whoever asked for it may answer.",
    }
    own_request {
        zh: "需要另一个人批准，不能批准自己的请求。",
        en: "Somebody else must approve it; nobody approves their own request.",
    }
    only_role(role: &str) {
        zh: "只有 {role} 可以批准。",
        en: "Only somebody with the role {role} may decide that.",
    }
    too_late {
        zh: "已经结束了。",
        en: "That has ended already.",
    }
    /// Of a question that has ended: by whom and when, and whose it was.
    was_approved(details: &str, run: &str) {
        zh: "已批准过了{details}（运行 {run}）",
        en: "That was approved already{details} (run {run})",
    }
    was_refused(details: &str, run: &str) {
        zh: "已拒绝过了{details}（运行 {run}）",
        en: "That was refused already{details} (run {run})",
    }
    was_answered(details: &str, run: &str) {
        zh: "已回答过了{details}（运行 {run}）",
        en: "That was answered already{details} (run {run})",
    }
    was_late(details: &str, run: &str) {
        zh: "已经过期，没有执行{details}（运行 {run}）",
        en: "That has expired, and nothing was run{details} (run {run})",
    }
    was_left(details: &str, run: &str) {
        zh: "已经取消，没有执行{details}（运行 {run}）",
        en: "That was left, and nothing was run{details} (run {run})",
    }
    was_lost(details: &str, run: &str) {
        zh: "moonbell 重新启动过，这个问题已经失效{details}（运行 {run}）",
        en: "That question ended with a restart of moonbell{details} (run {run})",
    }
    has_ended(details: &str, run: &str) {
        zh: "已经结束了{details}（运行 {run}）",
        en: "That has ended already{details} (run {run})",
    }
    /// To whoever asked, when the host died while a question waited.
    question_lost(run: &str, text: &str, question: &str) {
        zh: "⚠️ moonbell 重新启动了，`{text}` 提的问题“{question}”已经失效，不用再回答（运行 {run}）。要重新开始，请发送：again {run}",
        en: "⚠️ moonbell was restarted, so the question “{question}” of `{text}` is lost; an answer counts for nothing (run {run}). To begin again, send: again {run}",
    }
    /// In help about a command.
    asks_first {
        zh: "执行前会请你确认",
        en: "asks you to approve it before it runs",
    }
    asks_another(role: &str) {
        zh: "执行前需要另一位 {role} 批准",
        en: "runs once another {role} has approved it",
    }
}
