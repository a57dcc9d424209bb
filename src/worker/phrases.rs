//! What the host itself says in a chat, in the two languages.

use super::control::Unfit;
use crate::access::Denied;
use crate::router::Lang;

/// To somebody who may do nothing here; once an hour at most.
pub(super) fn refused(lang: Lang) -> String {
    lang.pick(
        "抱歉，我只为主人允许的人服务。",
        "Sorry, I only work for people whom my owner has let in.",
    )
    .to_owned()
}

/// To somebody whose role does not reach for one command.
pub(super) fn not_for_you(name: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("抱歉，你没有使用 `{name}` 的权限。"),
        Lang::En => format!("Sorry, you may not use `{name}`."),
    }
}

/// To somebody who may use a command, but not now or not here.
pub(super) fn denied(name: &str, why: &Denied, lang: Lang) -> String {
    match (why, lang) {
        (Denied::Scope(_), Lang::Zh) => format!("`{name}` 不能在这里使用。"),
        (Denied::Scope(_), Lang::En) => format!("`{name}` is not for this chat."),
        (Denied::Rate(_), Lang::Zh) => format!("`{name}` 用得太频繁了，请稍后再试。"),
        (Denied::Rate(_), Lang::En) => {
            format!("You have used `{name}` too often; try again later.")
        }
        (Denied::Flood { most, .. }, Lang::Zh) => {
            format!("太快了：每人每分钟最多运行 {most} 次。之后的消息不再逐条提示，请稍后再试。")
        }
        (Denied::Flood { most, .. }, Lang::En) => format!(
            "Too fast: one person may start {most} runs in a minute. What you send meanwhile is refused without a word; try again later."
        ),
        (Denied::PersonRuns(most), Lang::Zh) => {
            format!("你已有 {most} 个任务在运行，达到每人的上限。等一个结束，或发送 stop 停止。")
        }
        (Denied::PersonRuns(most), Lang::En) => format!(
            "You have {most} runs under way, the most for one person. Wait for one to end, or say stop."
        ),
        (Denied::HandlerRuns(most), Lang::Zh) => {
            format!("`{name}` 已有 {most} 个任务在运行，达到上限，请稍后再试。")
        }
        (Denied::HandlerRuns(most), Lang::En) => {
            format!(
                "`{name}` has {most} runs under way, the most that it may have; try again later."
            )
        }
        (Denied::Locked, _) => locked(lang),
        (why, _) if why.is_stranger() => refused(lang),
        _ => not_for_you(name, lang),
    }
}

/// To anybody while the lock holds; once an hour.
pub(super) fn locked(lang: Lang) -> String {
    lang.pick(
        "我已被锁定，暂不提供服务。只有在电脑上运行 moonbell unlock 才能解锁。",
        "I am locked and serve nobody. Only `moonbell unlock` on the computer lifts that.",
    )
    .to_owned()
}

/// To whoever locked.
pub(super) fn locked_now(lang: Lang) -> String {
    lang.pick(
        "🔒 已锁定：所有任务已停止，不再为任何人服务。只有在电脑上运行 moonbell unlock 才能解锁。",
        "🔒 Locked: every run is stopped, and nobody is served until `moonbell unlock` on the computer.",
    )
    .to_owned()
}

/// The same, when a restart would lift it.
pub(super) fn locked_for_now(lang: Lang) -> String {
    lang.pick(
        "🔒 已锁定，但锁未能写入磁盘：重启 moonbell 后会失效。请尽快到电脑上处理。",
        "🔒 Locked, but the lock could not be written to the disk: a restart lifts it. Go to the computer soon.",
    )
    .to_owned()
}

pub(super) fn not_from_here(lang: Lang) -> String {
    lang.pick(
        "不能从聊天里解锁；请在电脑上运行 moonbell unlock。",
        "No chat can unlock me; run `moonbell unlock` on the computer.",
    )
    .to_owned()
}

/// To the person whose run was stopped because they may not any more.
pub(super) fn taken(run: &str, why: &Denied, lang: Lang) -> String {
    match (why, lang) {
        (Denied::Locked, Lang::Zh) => format!("已停止（运行 {run}）：我已被锁定。"),
        (Denied::Locked, Lang::En) => format!("Stopped (run {run}): I was locked."),
        (_, Lang::Zh) => format!("已停止（运行 {run}）：你的权限已被收回。"),
        (_, Lang::En) => format!("Stopped (run {run}): you may not use it any more."),
    }
}

/// In a group, when the answer went to the person alone.
pub(super) fn sent_privately(lang: Lang) -> String {
    lang.pick("已私信发给你。", "Sent to you privately.").to_owned()
}

pub(super) fn claimed(lang: Lang) -> String {
    lang.pick(
        "🎉 认领成功：你现在是主人。发送 help 查看能做什么，用 allow 让别人使用。",
        "🎉 The bot is yours now. Send help to see what it can do; allow lets others in.",
    )
    .to_owned()
}

/// The right code, where others read it.
pub(super) fn burnt(lang: Lang) -> String {
    lang.pick(
        "认领码不能发在群里，这个码已作废。请在电脑上运行 moonbell claim，然后把新的码私聊发给我。",
        "A claim code is not for groups: this one works no more. Run `moonbell claim` on the computer and send me the new one in a direct message.",
    )
    .to_owned()
}

pub(super) fn how_to_allow(lang: Lang) -> String {
    lang.pick(
        "用法：allow @某人 角色 [7d]，或 allow 员工ID 角色；在群里 allow here 角色 表示本群所有人",
        "usage: allow @person ROLE [for 7d], or allow STAFF_ID ROLE; in a group, allow here ROLE is for everybody in it",
    )
    .to_owned()
}

pub(super) fn how_to_deny(lang: Lang) -> String {
    lang.pick(
        "用法：deny @某人 [角色]，或 deny 员工ID [角色]；不写角色表示收回全部",
        "usage: deny @person [ROLE], or deny STAFF_ID [ROLE]; without a role, all are taken",
    )
    .to_owned()
}

pub(super) fn no_role(role: &str, lang: Lang) -> String {
    let role: String = role.chars().take(40).filter(|c| !c.is_control() && *c != '`').collect();
    match lang {
        Lang::Zh => format!("`{role}` 不能作为角色：请用一个词，不能是 owner。"),
        Lang::En => format!("`{role}` cannot be given: a role is one word, and not `owner`."),
    }
}

pub(super) fn is_the_owner(lang: Lang) -> String {
    lang.pick("主人的权限不能更改。", "The owner's rights cannot be changed.").to_owned()
}

pub(super) fn say_yes(what: &str, code: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("{what}\n确认请在 2 分钟内回复：yes {code}"),
        Lang::En => format!("{what}\nTo confirm, reply within 2 minutes: yes {code}"),
    }
}

pub(super) fn nothing_to_confirm(lang: Lang) -> String {
    lang.pick(
        "没有等待这个数字确认的操作；请重新发起。",
        "Nothing waits for that number; ask for it again.",
    )
    .to_owned()
}

pub(super) fn not_changed(what: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("⚠️ 没有保存：{what}"),
        Lang::En => format!("⚠️ Not kept: {what}"),
    }
}

/// Beside help, for the owner.
pub(super) fn rights_help(lang: Lang) -> &'static str {
    lang.pick(
        "权限：allow @某人 角色 · deny @某人 · who · lock：立即停止一切",
        "rights: allow @person ROLE · deny @person · who · lock: stop everything at once",
    )
}

/// A handler failed. The owner sees why; others learn the number to ask about.
pub(super) fn failed(run: &str, why: Option<&str>, lang: Lang) -> String {
    match (why, lang) {
        (Some(why), Lang::Zh) => format!("⚠️ 出错了（运行 {run}）：{why}"),
        (Some(why), Lang::En) => format!("⚠️ That failed (run {run}): {why}"),
        (None, Lang::Zh) => format!("⚠️ 出错了（运行 {run}）。主人可以在日志里看到原因。"),
        (None, Lang::En) => {
            format!("⚠️ That failed (run {run}). The owner can see why in the log.")
        }
    }
}

pub(super) fn stopped(run: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("已停止（运行 {run}）。"),
        Lang::En => format!("Stopped (run {run})."),
    }
}

/// To somebody who clicked Stop on a card of another person's run.
pub(super) fn not_yours_to_stop(lang: Lang) -> String {
    lang.pick(
        "只有启动这个任务的人或管理员可以停止它。",
        "Only whoever started this, or an admin, may stop it.",
    )
    .to_owned()
}

/// To somebody who clicked Stop on a card that stopped by itself; of a card that nobody knows any more, in both languages.
pub(super) fn card_has_ended(run: Option<(&str, Lang)>) -> String {
    match run {
        Some((run, Lang::Zh)) => format!("这个任务已经结束了（运行 {run}）。"),
        Some((run, Lang::En)) => format!("That has ended already (run {run})."),
        None => "这个任务已经结束了。 · That has ended already.".to_owned(),
    }
}

/// To somebody who left a question unanswered.
pub(super) fn left(lang: Lang) -> String {
    lang.pick("好的，已取消。", "All right, cancelled.").to_owned()
}

pub(super) fn nothing_to_stop(lang: Lang) -> String {
    lang.pick("没有正在运行的任务。", "Nothing of yours is running.").to_owned()
}

pub(super) fn no_such_run(id: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("没有正在运行的任务 {id}。发送 runs 查看。"),
        Lang::En => format!("No run `{id}` that you may stop. Send runs to see them."),
    }
}

/// What somebody typed, short enough to be quoted.
fn quoted(text: &str) -> String {
    text.chars().take(40).filter(|c| !c.is_control() && *c != '`').collect()
}

/// The same, when it waited for an answer.
pub(super) fn question_lost(run: &str, text: &str, question: &str, lang: Lang) -> String {
    let (text, question) = (quoted(text), quoted(question));
    match lang {
        Lang::Zh => format!(
            "⚠️ moonbell 重新启动了，`{text}` 提的问题“{question}”已经失效，不用再回答（运行 {run}）。要重新开始，请发送：again {run}"
        ),
        Lang::En => format!(
            "⚠️ moonbell was restarted, so the question “{question}” of `{text}` is lost; an answer counts for nothing (run {run}). To begin again, send `again {run}`."
        ),
    }
}

/// To the sender of a message whose run was cut short.
pub(super) fn interrupted(run: &str, text: &str, lang: Lang) -> String {
    let text = quoted(text);
    match lang {
        Lang::Zh => format!(
            "⚠️ moonbell 停止时，`{text}` 还没有运行完（运行 {run}），也没有自动重做。要再运行一次，请发送：again {run}"
        ),
        Lang::En => {
            format!(
                "⚠️ moonbell stopped before `{text}` was done (run {run}). It was not repeated; send `again {run}` if you want it."
            )
        }
    }
}

/// There is none, or it is somebody else's: nobody learns which.
pub(super) fn unknown_run(id: Option<&str>, lang: Lang) -> String {
    match (id, lang) {
        (Some(id), Lang::Zh) => format!("没有你可以查看的运行 {id}。发送 runs 查看。"),
        (Some(id), Lang::En) => format!("No run `{id}` that you may see. Send runs to see them."),
        (None, Lang::Zh) => "你还没有运行过什么。".to_owned(),
        (None, Lang::En) => "Nothing of yours has run yet.".to_owned(),
    }
}

/// It cannot be run again.
pub(super) fn unfit(run: &str, why: Unfit, lang: Lang) -> String {
    match (why, lang) {
        (Unfit::Unfinished, Lang::Zh) => {
            format!("运行 {run} 还没有结束。可以先发送：stop {run}")
        }
        (Unfit::Unfinished, Lang::En) => {
            format!("Run {run} has not ended yet. Send `stop {run}` to end it.")
        }
        (Unfit::NoMessage, Lang::Zh) => {
            format!("运行 {run} 不是由消息启动的，不能再次运行。发送“定时”查看可以触发的任务。")
        }
        (Unfit::NoMessage, Lang::En) => {
            format!(
                "No message started run {run}, so there is none to run again. Send schedules to see what can be triggered."
            )
        }
        (Unfit::Forgotten, Lang::Zh) => format!("运行 {run} 的消息已被清理，请重新发送。"),
        (Unfit::Forgotten, Lang::En) => {
            format!("The message of run {run} is not kept any more; send it again.")
        }
        (Unfit::Control, Lang::Zh) => {
            format!("运行 {run} 是给 moonbell 自己的消息，请直接再发一次。")
        }
        (Unfit::Control, Lang::En) => {
            format!("Run {run} was a word for moonbell itself; just send it again.")
        }
    }
}

/// The same message runs once more.
pub(super) fn again(old: &str, new: &str, text: &str, lang: Lang) -> String {
    let text = quoted(text);
    match lang {
        Lang::Zh => format!("再次运行 `{text}`（运行 {new}，原来是 {old}）。"),
        Lang::En => format!("Running `{text}` again (run {new}, it was {old})."),
    }
}

pub(super) fn not_written(lang: Lang) -> String {
    lang.pick(
        "⚠️ 运行记录暂时无法读写，请稍后再试。主人可以在日志里看到原因。",
        "⚠️ The journal cannot be used right now; try again later. The owner can see why in the log.",
    )
    .to_owned()
}

/// To the sender of a message that came too late to be acted on.
pub(super) fn late(run: &str, text: &str, sent_at: &str, ago: &str, lang: Lang) -> String {
    let text: String = text.chars().take(40).filter(|c| !c.is_control() && *c != '`').collect();
    match lang {
        Lang::Zh => format!(
            "⏰ `{text}` 晚到了 {ago}（{sent_at} 发出），所以没有执行（运行 {run}）。还需要的话请再发一次，或发送 again {run}。"
        ),
        Lang::En => format!(
            "⏰ `{text}` came {ago} late (sent {sent_at}), so it was not run (run {run}). If you still want it, send it again, or again {run}."
        ),
    }
}

/// How long ago, roughly.
pub(super) fn ago(minutes: i64, lang: Lang) -> String {
    match (minutes, lang) {
        (..120, Lang::Zh) => format!("{minutes} 分钟"),
        (..120, Lang::En) => format!("{minutes} min"),
        (..2_880, Lang::Zh) => format!("{} 小时", minutes / 60),
        (..2_880, Lang::En) => format!("{} h", minutes / 60),
        (_, Lang::Zh) => format!("{} 天", minutes / 1_440),
        (_, Lang::En) => format!("{} days", minutes / 1_440),
    }
}

/// To the sender of a message that a newer one of theirs replaced.
pub(super) fn replaced(run: &str, text: &str, lang: Lang) -> String {
    let text = quoted(text);
    match lang {
        Lang::Zh => format!("`{text}` 被你的新消息取代，已停止（运行 {run}）。"),
        Lang::En => format!("Stopped `{text}`: your newer message replaces it (run {run})."),
    }
}

/// To somebody of whose messages very many wait.
pub(super) fn many_wait(count: usize, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!(
            "⏳ 你有 {count} 条消息在排队，会按顺序逐条处理，不会丢失。发送“停止”可结束正在运行的任务。"
        ),
        Lang::En => format!(
            "⏳ {count} of your messages wait; they are answered one after another, none is lost. Send stop to end what runs."
        ),
    }
}

/// Beside help, for those who may.
pub(super) fn timers_help(lang: Lang) -> &'static str {
    lang.pick(
        "定时：查看定时任务 · 触发 名字：立即运行一个 · 用量：本月额度",
        "schedules: what runs by the clock · trigger NAME: run one of them now · usage: the month's budgets",
    )
}

pub(super) fn no_ledger(lang: Lang) -> String {
    lang.pick("现在读不到用量，请稍后再试。", "The ledger cannot be read now; try again later.")
        .to_owned()
}

/// The owner asks for replies that could not be sent, and there are none, or not that one.
pub(super) fn nothing_parked(lang: Lang) -> String {
    lang.pick("没有被搁置的回复。", "Nothing of that is parked.").to_owned()
}

/// Under the list of them.
pub(super) fn parked_help(lang: Lang) -> &'static str {
    lang.pick(
        "搁置 重试 编号：再发一次 · 搁置 放弃 编号：不再发送（编号可以是“全部”）",
        "parked retry ID: send it again · parked drop ID: give it up (ID may be all)",
    )
}

pub(super) fn parked_retried(ids: &[i64], lang: Lang) -> String {
    match (ids.len(), lang) {
        (0, lang) => nothing_parked(lang),
        (count, Lang::Zh) => format!("正在重新发送 {count} 条回复。"),
        (1, Lang::En) => "Sending it again.".to_owned(),
        (count, Lang::En) => format!("Sending {count} replies again."),
    }
}

pub(super) fn parked_dropped(ids: &[i64], lang: Lang) -> String {
    match (ids.len(), lang) {
        (0, lang) => nothing_parked(lang),
        (count, Lang::Zh) => format!("已放弃 {count} 条回复。"),
        (1, Lang::En) => "Given up.".to_owned(),
        (count, Lang::En) => format!("Gave up {count} replies."),
    }
}

/// Behind a list that is too long for a chat.
pub(super) fn more(count: usize, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("…… 还有 {count} 条"),
        Lang::En => format!("… and {count} more"),
    }
}

pub(super) fn no_such_timer(name: &str, nearest: Option<&str>, lang: Lang) -> String {
    match (nearest, lang) {
        (Some(nearest), Lang::Zh) => {
            format!("没有定时任务 `{name}`；是不是 `{nearest}`？发送“定时”查看全部。")
        }
        (Some(nearest), Lang::En) => {
            format!(
                "There is no timer `{name}`; did you mean `{nearest}`? Send schedules to see them all."
            )
        }
        (None, Lang::Zh) => format!("没有名为 `{name}` 的定时任务。发送“定时”查看全部。"),
        (None, Lang::En) => {
            format!("There is no timer of the name `{name}`. Send schedules to see them all.")
        }
    }
}

pub(super) fn triggered(name: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("已开始运行 `{name}`。"),
        Lang::En => format!("Started `{name}`."),
    }
}

pub(super) fn runs_already(name: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("`{name}` 正在运行，没有再次开始。"),
        Lang::En => format!("`{name}` is running already; it was not started again."),
    }
}

pub(super) fn which_timer(names: &[String], lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("有多个同名的定时任务，请写全名：{}", names.join("、")),
        Lang::En => format!("Several timers have this name; write one of {}", names.join(", ")),
    }
}
