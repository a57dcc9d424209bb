//! The questions on the way of a message, and their answers.

words! {
    // Names of the questions.
    duplicate { zh: "以前收到过？", en: "seen before?" }
    locked { zh: "已锁定？", en: "locked?" }
    access { zh: "可以给机器人发消息？", en: "may they write here?" }
    control { zh: "moonbell 自己的指令？", en: "a word of moonbell's?" }
    dialog { zh: "正在进行的对话？", en: "an open dialog?" }
    command { zh: "命令？", en: "a command?" }
    pattern { zh: "模式？", en: "a pattern?" }
    fallback { zh: "兜底处理器？", en: "a fallback?" }
    nobody { zh: "没有人处理？", en: "nobody?" }
    yes { zh: "是", en: "yes" }
    no { zh: "否", en: "no" }
    not_asked { zh: "没有问到", en: "not asked" }

    by_a_file { zh: "由状态目录里的文件 `locked` 锁定", en: "by the file `locked` in the state folder" }
    not_sent { zh: "这段文字没有人发过", en: "this text was not sent by anybody" }
    delivered_once { zh: "只送达了一次", en: "delivered once" }
    delivered_often(n: u32) {
        zh: "第一次收到；钉钉送达了 {n} 次，重复的已忽略",
        en: "new when it came; DingTalk delivered it {n} times, and the repeats were dropped",
    }

    owner_in_simulation(id: &str) {
        zh: "`{id}` 是模拟里的主人",
        en: "`{id}` is the owner in the simulation",
    }
    roles_in_simulation(id: &str, roles: &str) {
        zh: "`{id}` 在模拟里是 {roles}",
        en: "`{id}` is {roles} in the simulation",
    }
    at(key: &str, place: &str) { zh: "`{key}`，{place}", en: "`{key}`, {place}" }
    by_code { zh: "用认领码认领", en: "claimed by a code" }
    is_owner(how: &str) { zh: "是主人（{how}）", en: "is the owner ({how})" }
    has_role(role: &str, written: &str) {
        zh: "有角色 `{role}`（{written}）",
        en: "has the role `{role}` ({written})",
    }
    has_role_as_group(role: &str, written: &str) {
        zh: "有角色 `{role}`，这个群里的人都有（{written}）",
        en: "has the role `{role}`, as everyone in this group has ({written})",
    }
    has_role_as_everyone(role: &str, written: &str) {
        zh: "有角色 `{role}`，所有人都有（{written}）",
        en: "has the role `{role}`, as everyone has ({written})",
    }
    was_given(role: &str) {
        zh: "有角色 `{role}`（在聊天里给的）",
        en: "has the role `{role}` (given from a chat)",
    }
    group_was_given(role: &str) {
        zh: "有角色 `{role}`（在聊天里给了这个群）",
        en: "has the role `{role}` (given to this group from a chat)",
    }
    and { zh: "，", en: " and " }
    no_owner {
        zh: "这个机器人还没有主人：没有设置 `access.owner`，也没有人认领",
        en: "nobody owns this bot: `access.owner` is not set, and nobody claimed it",
    }

    lists_help { zh: "列出这个人能用的功能", en: "lists what this person may use" }
    tells_about(topic: &str) { zh: "说明 `{topic}`", en: "tells about `{topic}`" }
    no_word { zh: "不是 moonbell 自己的指令", en: "not a word of moonbell's own" }
    only_a_host_knows {
        zh: "只有正在运行的 moonbell 知道脚本是不是在等回答",
        en: "only a running host knows whether a script waits for an answer",
    }
    was_answer {
        zh: "它回答了脚本的提问；现在没有等待回答的提问",
        en: "it was the answer to a script's question; now none is open",
    }
    handler(title: &str, place: &str) { zh: "`{title}`，{place}", en: "`{title}`, {place}" }
    no_patterns { zh: "没有声明模式", en: "there are no patterns" }
    no_pattern_matches {
        zh: "这个人能用的模式都不匹配",
        en: "no pattern that this person may use matches",
    }
    fallback_of(place: &str) { zh: "在 {place}", en: "the one of {place}" }
    no_fallback { zh: "没有", en: "there is none" }
    no_fallback_of_theirs { zh: "没有这个人能用的", en: "none that this person may use" }
    moonbell_says_so {
        zh: "moonbell 会说明，并给出最接近的命令",
        en: "moonbell says so, and names the nearest command",
    }
    no_text { zh: "消息里没有文字", en: "the message has no text" }
    no_command(word: &str) { zh: "没有叫 `{word}` 的命令", en: "no command is called `{word}`" }
    no_command_but(word: &str, near: &str) {
        zh: "没有叫 `{word}` 的命令；最接近的是 {near}",
        en: "no command is called `{word}`; the nearest is {near}",
    }
    named_at(name: &str, place: &str) { zh: "`{name}`（{place}）", en: "`{name}` ({place})" }
    nearer_but_not_theirs(near: &str) {
        zh: "{near} 更接近，但这个人不能用",
        en: "{near} is nearer, but not for this person",
    }
    matches_but(handler: &str, why: &str) {
        zh: "{handler}：匹配，但{why}",
        en: "{handler}: matches, but {why}",
    }
    does_not_match(handler: &str) { zh: "{handler}：不匹配", en: "{handler}: does not match" }
    more_do_not_match(n: usize) { zh: "另有 {n} 个不匹配", en: "{n} more do not match" }

    // What words of moonbell's own do.
    stop { zh: "停止这个人在这个聊天里运行的任务", en: "ends what runs for this person in this chat" }
    stop_run(id: &str) { zh: "停止任务 `{id}`", en: "ends the run `{id}`" }
    stop_all {
        zh: "停止这个人在这个聊天里运行的任务，并清空排队的",
        en: "ends what runs for this person in this chat, and drops what waits",
    }
    cancel {
        zh: "离开正在进行的对话，或停止运行的任务",
        en: "leaves an open dialog, or ends what runs",
    }
    runs { zh: "列出正在运行的任务", en: "lists what runs" }
    log { zh: "说明上一个任务的情况", en: "tells of the last run" }
    log_of(id: &str) { zh: "说明任务 `{id}` 的情况", en: "tells of the run `{id}`" }
    again { zh: "再运行一次上一个任务的消息", en: "runs the message of the last run again" }
    again_of(id: &str) {
        zh: "再运行一次任务 `{id}` 的消息",
        en: "runs the message of the run `{id}` again",
    }
    schedules { zh: "列出定时任务，管理员可用", en: "lists what runs by the clock, for admins" }
    trigger(name: &str) {
        zh: "立即运行定时任务 `{name}`，管理员可用",
        en: "runs the timer `{name}` now, for admins",
    }
    language { zh: "说明用哪种语言回答这个人", en: "tells in which language this person is answered" }
    set_language { zh: "设置用哪种语言回答这个人", en: "sets the language that this person is answered in" }
    usage { zh: "说明钉钉每月额度的用量", en: "tells what was used of DingTalk's monthly budgets" }
    parked {
        zh: "处理发不出去的回复，管理员可用",
        en: "deals with replies that could not be sent, for admins",
    }
    lock { zh: "锁定，解锁前拒绝一切，管理员可用", en: "refuses everything until unlocked, for admins" }
    unlock { zh: "说明只能在电脑上解锁", en: "tells that only the computer unlocks" }
    allow { zh: "给别人一个角色，主人可用", en: "gives somebody a role, for the owner" }
    deny { zh: "收回别人的角色，主人可用", en: "takes a role from somebody, for the owner" }
    who { zh: "列出谁有什么角色，管理员可用", en: "lists who has which role, for admins" }
    say_yes {
        zh: "同意这个编号的请求，被问到的人可用",
        en: "allows what was asked with that number, for whoever was asked",
    }
    say_no {
        zh: "拒绝这个编号的请求，被问到的人可用",
        en: "refuses what was asked with that number, for whoever was asked",
    }
    help { zh: "说明有什么功能", en: "tells what there is" }

    // How it ends.
    all_locked {
        zh: "拒绝：已锁定，不为任何人服务；运行 moonbell unlock 解除",
        en: "refused: locked, nobody is served; `moonbell unlock` lifts it",
    }
    may_not_write {
        zh: "拒绝：这个人不能给机器人发消息",
        en: "refused: this person may not write to the bot",
    }
    refused(why: &str) { zh: "拒绝：{why}", en: "refused: {why}" }
    refused_with(why: &str, id: &str, roles: &str) {
        zh: "拒绝：{why}，而 `{id}` 有 {roles}",
        en: "refused: {why}, and `{id}` has {roles}",
    }
    runs_handler(title: &str, place: &str) {
        zh: "运行 `{title}`，在 {place}",
        en: "runs `{title}` of {place}",
    }
    answers_itself { zh: "moonbell 自己回答", en: "moonbell answers itself" }
    wrong_arguments { zh: "不运行：参数不对", en: "does not run: the arguments are wrong" }
    nobody_takes_it { zh: "不运行：没有处理器接收", en: "does not run: no handler takes it" }
    next(title: &str, place: &str) { zh: "`{title}`，在 {place}", en: "`{title}` of {place}" }
    no_next { zh: "没有别的处理器", en: "nobody" }
}
