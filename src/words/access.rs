//! Who may do what: refusals, the lock, the claim, roles.

words! {
    /// To somebody who may do nothing here; once an hour at most.
    refused {
        zh: "抱歉，我只为主人允许的人服务。",
        en: "Sorry, I only work for people whom my owner has let in.",
    }
    /// To whoever clicked before anybody has written.
    write_first {
        zh: "我还不知道自己属于哪个组织，所以这次点击无效。请先给我发一条消息，再点一次。",
        en: "I do not know yet which organisation I am of, so this click does not count. Send me a message, then click again.",
    }
    /// To somebody who pressed a button of a script.
    not_your_button {
        zh: "抱歉，你不能使用这个按钮。",
        en: "Sorry, that button is not for you.",
    }
    too_often_pressed {
        zh: "按得太频繁了，请稍后再试。",
        en: "That button was pressed too often; try again later.",
    }
    /// To somebody whose role does not reach for one command.
    not_for_you(name: &str) {
        zh: "抱歉，你没有使用 `{name}` 的权限。",
        en: "Sorry, you may not use `{name}`.",
    }
    /// To somebody who may use a command, but not in this chat.
    not_here(name: &str) {
        zh: "`{name}` 不能在这里使用。",
        en: "`{name}` is not for this chat.",
    }
    too_often(name: &str) {
        zh: "`{name}` 用得太频繁了，请稍后再试。",
        en: "You have used `{name}` too often; try again later.",
    }
    too_fast(most: u64) {
        zh: "太快了：每人每分钟最多运行 {most} 次。之后的消息不再逐条提示，请稍后再试。",
        en: "Too fast: one person may start {most} runs in a minute. What you send meanwhile is refused without a word; try again later.",
    }
    person_runs(most: u64) {
        zh: "你已有 {most} 个任务在运行，达到每人的上限。等一个结束，或发送 stop 停止。",
        en: "You have {most} runs under way, the most for one person. Wait for one to end, or say stop.",
    }
    handler_runs(name: &str, most: u64) {
        zh: "`{name}` 已有 {most} 个任务在运行，达到上限，请稍后再试。",
        en: "`{name}` has {most} runs under way, the most that it may have; try again later.",
    }
    /// To anybody while the lock holds; once an hour.
    locked {
        zh: "我已被锁定，暂不提供服务。只有在电脑上运行 moonbell unlock 才能解锁。",
        en: "I am locked and serve nobody. Only `moonbell unlock` on the computer lifts that.",
    }
    /// To whoever locked.
    locked_now {
        zh: "🔒 已锁定：所有任务已停止，不再为任何人服务。只有在电脑上运行 moonbell unlock 才能解锁。",
        en: "🔒 Locked: every run is stopped, and nobody is served until `moonbell unlock` on the computer.",
    }
    /// The same, when a restart would lift it.
    locked_for_now {
        zh: "🔒 已锁定，但锁未能写入磁盘：重启 moonbell 后会失效。请尽快到电脑上处理。",
        en: "🔒 Locked, but the lock could not be written to the disk: a restart lifts it. Go to the computer soon.",
    }
    not_from_here {
        zh: "不能从聊天里解锁；请在电脑上运行 moonbell unlock。",
        en: "No chat can unlock me; run `moonbell unlock` on the computer.",
    }
    /// To the person whose run was stopped by the lock.
    stopped_by_the_lock(run: &str) {
        zh: "已停止（运行 {run}）：我已被锁定。",
        en: "Stopped (run {run}): I was locked.",
    }
    /// To the person whose run was stopped because they may not any more.
    taken(run: &str) {
        zh: "已停止（运行 {run}）：你的权限已被收回。",
        en: "Stopped (run {run}): you may not use it any more.",
    }
    /// In a group, when the answer went to the person alone.
    sent_privately {
        zh: "已私信发给你。",
        en: "Sent to you privately.",
    }
    claimed {
        zh: "🎉 认领成功：你现在是主人。发送 help 查看能做什么，用 allow 让别人使用。",
        en: "🎉 The bot is yours now. Send help to see what it can do; allow lets others in.",
    }
    /// The right code, where others read it.
    burnt {
        zh: "认领码不能发在群里，这个码已作废。请在电脑上运行 moonbell claim，然后把新的码私聊发给我。",
        en: "A claim code is not for groups: this one works no more. Run `moonbell claim` on the computer and send me the new one in a direct message.",
    }
    how_to_allow {
        zh: "用法：allow @某人 角色 [7d]，或 allow 员工ID 角色；在群里 allow here 角色 表示本群所有人",
        en: "usage: allow @person ROLE [for 7d], or allow STAFF_ID ROLE; in a group, allow here ROLE is for everybody in it",
    }
    how_to_deny {
        zh: "用法：deny @某人 [角色]，或 deny 员工ID [角色]；不写角色表示收回全部",
        en: "usage: deny @person [ROLE], or deny STAFF_ID [ROLE]; without a role, all are taken",
    }
    no_role(role: &str) {
        zh: "`{role}` 不能作为角色：请用一个词，不能是 owner。",
        en: "`{role}` cannot be given: a role is one word, and not `owner`.",
    }
    is_the_owner {
        zh: "主人的权限不能更改。",
        en: "The owner's rights cannot be changed.",
    }
    say_yes(what: &str, code: &str) {
        zh: "{what}\n确认请在 2 分钟内回复：yes {code}",
        en: "{what}\nTo confirm, reply within 2 minutes: yes {code}",
    }
    nothing_to_confirm {
        zh: "没有等待这个数字确认的操作；请重新发起。",
        en: "Nothing waits for that number; ask for it again.",
    }
    not_changed(what: &str) {
        zh: "⚠️ 没有保存：{what}",
        en: "⚠️ Not kept: {what}",
    }
    /// Beside help, for the owner.
    rights_help {
        zh: "权限：allow @某人 角色 · deny @某人 · who · lock：立即停止一切",
        en: "rights: allow @person ROLE · deny @person · who · lock: stop everything at once",
    }
    /// Everybody in a group, as somebody who is given a role.
    group(chat: &str) {
        zh: "群 {chat}",
        en: "the group {chat}",
    }
    gets(subject: &str, role: &str) {
        zh: "{subject}：给予角色 {role}",
        en: "{subject}: gets the role {role}",
    }
    /// Of a role that may be a slip of the keyboard.
    asked_by_nothing(role: &str) {
        zh: "注意：目前没有任何处理程序或设置用到角色 `{role}`。",
        en: "Note: no handler and no setting asks for a role `{role}`.",
    }
    loses(subject: &str, role: &str) {
        zh: "{subject}：收回角色 {role}",
        en: "{subject}: loses the role {role}",
    }
    loses_all(subject: &str) {
        zh: "{subject}：收回全部角色",
        en: "{subject}: loses every role",
    }
    /// Behind a person or what they get.
    until(at: &str) {
        zh: "（到 {at}）",
        en: " (until {at})",
    }
}
