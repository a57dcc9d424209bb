//! Why somebody may not, for whoever looks into it at the computer; the person reads less.

words! {
    locked {
        zh: "moonbell 已锁定；在电脑上运行 moonbell unlock 解除",
        en: "moonbell is locked; `moonbell unlock` on the computer lifts it",
    }
    no_staff_id {
        zh: "钉钉没有给出 staff id：应用没有发布，或者这个人不在组织里",
        en: "DingTalk sent no staff id: the app is not published, or the person is outside the organisation",
    }
    other_organisation {
        zh: "这个人属于另一个组织",
        en: "the person belongs to another organisation than the bot",
    }
    unknown_organisation {
        zh: "还不知道机器人属于哪个组织：要等有角色的人给它发消息，或设置 `dingtalk.corp_id`",
        en: "the bot's organisation is not known before somebody with a role has written to it, or `dingtalk.corp_id` says it",
    }
    unclaimed {
        zh: "这个机器人还没有主人；moonbell claim 会显示认领码，发送它的人就是主人",
        en: "nobody owns this bot yet; `moonbell claim` prints a code that makes its sender the owner",
    }
    no_role(id: &str) {
        zh: "`{id}` 在这里没有角色；主人发送 `allow {id} ROLE`，或设置 `access.roles`，就能放行",
        en: "`{id}` has no role here; `allow {id} ROLE` from the owner, or `access.roles`, lets them in",
    }
    role(role: &str) { zh: "它只给角色 `{role}` 用", en: "it is for the role `{role}`" }
    scope(places: &str) { zh: "它只能用在：{places}", en: "it may be used here: {places}" }
    rate(rate: &str) { zh: "每人最多用 {rate}", en: "it may be used {rate} by one person" }
    not_asked { zh: "只有提出的人能决定", en: "only whoever asked for it may decide this" }
    own_request {
        zh: "要由提出的人以外的人决定",
        en: "somebody else than whoever asked for it must decide this",
    }
    flood(most: u64) {
        zh: "每人每分钟最多运行 {most} 次（设置里的 `limits.person_per_minute`）",
        en: "one person may start {most} runs in a minute (`limits.person_per_minute` in the settings)",
    }
    person_runs(most: u64) {
        zh: "每人最多同时运行 {most} 个任务（设置里的 `limits.person_runs`）",
        en: "one person may have {most} runs under way (`limits.person_runs` in the settings)",
    }
    handler_runs(most: u64) {
        zh: "每个处理器最多同时运行 {most} 个任务（设置里的 `limits.handler_runs`）",
        en: "a handler may have {most} runs under way (`limits.handler_runs` in the settings)",
    }
}
