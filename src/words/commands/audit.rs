//! `audit`: what was decided, and whether the record of it is whole.

use crate::words::Lang;

words! {
    cannot_read(folder: &str) {
        zh: "不能读取 `{folder}` 里的审计记录",
        en: "cannot read the audit in `{folder}`",
    }
    none_like_that(folder: &str) {
        zh: "`{folder}` 里没有这样的记录",
        en: "no such record in `{folder}`",
    }
    broken(place: &str, record: u64, why: &str) {
        zh: "{place}：第 {record} 条记录：{why}",
        en: "{place}: record {record}: {why}",
    }
    broken_hint(whole: u64) {
        zh: "之前的 {whole} 条记录是完整的；从这一条起，文件不能证明什么",
        en: "the {whole} records before it are whole; from this one on the files prove nothing",
    }
    whole(records: u64, files: usize) {
        zh: "完整：{files} 个文件里的 {records} 条记录",
        en: "whole: {records} records in {files} files",
    }
    whole_from(records: u64, files: usize, first: u64) {
        zh: "完整：{files} 个文件里的 {records} 条记录，从第 {first} 条起；更早的文件已被移走",
        en: "whole: {records} records in {files} files, from record {first} on; the files with those before it were removed",
    }
    cut(missing: u64) {
        zh: "前 {missing} 条记录不见了：moonbell 只在超过 24 个文件时移走最早的，这里没有这么多",
        en: "the first {missing} records are missing: moonbell removes the oldest only past 24 files, and there are fewer",
    }
    cut_hint(records: u64, first: u64) {
        zh: "从第 {first} 条起的 {records} 条记录是完整的",
        en: "the {records} records from {first} on are whole",
    }
    gone(folder: &str) {
        zh: "`{folder}` 里没有记录，可是日志里有任务：审计记录被移走了",
        en: "there is no record in `{folder}`, yet the journal knows of runs: the audit was removed",
    }
    /// Of lines that are not shown.
    damaged(n: u64) {
        zh: "{n} 行不是 moonbell 写的记录，没有显示",
        en: "left out: lines that are no records as moonbell writes them: {n}",
    }
    damaged_hint {
        zh: "moonbell audit verify 会指出第一处",
        en: "`moonbell audit verify` names the first",
    }
    run(id: &str) { zh: "（任务 {id}）", en: "(run {id})" }
    left_out(n: u64) {
        zh: "（之前还有 {n} 条同类记录）",
        en: "(and {n} more like it before)",
    }

    // Words of records, which `--json` and the files have in English.
    word_allow { zh: "允许", en: "allow" }
    word_deny { zh: "拒绝", en: "deny" }
    word_refuse { zh: "拒绝", en: "refuse" }
    word_approval { zh: "审批", en: "approval" }
    word_end { zh: "结束", en: "end" }
    word_done { zh: "完成", en: "done" }
    word_failed { zh: "失败", en: "failed" }
    word_cancelled { zh: "已取消", en: "cancelled" }
    word_interrupted { zh: "已中断", en: "interrupted" }
    word_stopped { zh: "已停止", en: "stopped" }
    word_grant { zh: "授权", en: "grant" }
    word_consent { zh: "同意脚本", en: "consent" }
    word_claim { zh: "认领", en: "claim" }
    word_code { zh: "认领码", en: "code" }
    word_lock { zh: "锁定", en: "lock" }
    word_unlock { zh: "解锁", en: "unlock" }
    word_settings { zh: "设置", en: "settings" }
    word_organisation { zh: "组织", en: "organisation" }
    word_start { zh: "启动", en: "start" }
    word_gap { zh: "缺口", en: "gap" }
    word_mended { zh: "修复", en: "mended" }
    word_left_out { zh: "省略", en: "left_out" }
    door_message { zh: "消息", en: "message" }
    door_answer { zh: "回答", en: "answer" }
    door_card { zh: "卡片", en: "card" }
    door_schedule { zh: "定时", en: "schedule" }
    door_file { zh: "文件", en: "file" }
    door_event { zh: "事件", en: "event" }
    door_hook { zh: "脚本始末", en: "hook" }
    door_console { zh: "控制台", en: "console" }
    door_cli { zh: "命令行", en: "cli" }
    why_locked { zh: "已锁定", en: "locked" }
    why_no_staff_id { zh: "没有 staff id", en: "no_staff_id" }
    why_other_organisation { zh: "别的组织", en: "other_organisation" }
    why_unknown_organisation { zh: "组织未知", en: "unknown_organisation" }
    why_unclaimed { zh: "没有主人", en: "unclaimed" }
    why_no_role { zh: "没有角色", en: "no_role" }
    why_role { zh: "角色", en: "role" }
    why_scope { zh: "地点", en: "scope" }
    why_rate { zh: "频率", en: "rate" }
    why_not_asked { zh: "不是提出的人", en: "not_asked" }
    why_own_request { zh: "自己提出的", en: "own_request" }
    why_flood { zh: "消息太多", en: "flood" }
    why_person_runs { zh: "任务太多", en: "person_runs" }
    why_handler_runs { zh: "处理器任务太多", en: "handler_runs" }
    why_late { zh: "来得太晚", en: "late" }
    why_crash { zh: "崩溃", en: "crash" }
    why_not_begun { zh: "还没有开始", en: "not_begun" }
    why_unknown_card { zh: "未知的卡片", en: "unknown_card" }

    // What is wrong with a record, as the check of the chain words it.
    torn {
        zh: "它写到一半就断了：崩溃造成的，下次启动会修好",
        en: "it ends in the middle: a crash tore it, and the next start mends it",
    }
    not_utf8 { zh: "它不是 UTF-8", en: "it is not UTF-8" }
    no_record { zh: "它不是记录", en: "it is no record" }
    no_hash { zh: "它没有哈希值", en: "it has no hash" }
    too_long { zh: "它比任何记录都长", en: "it is longer than any record" }
    not_ours {
        zh: "它被改动过：不是 moonbell 的写法",
        en: "it was changed: it is not as moonbell writes it",
    }
    changed { zh: "它被改动过：哈希值不对", en: "it was changed: its hash is another" }
    not_first { zh: "第一条记录之前还有记录", en: "the first record follows on something" }
    not_next {
        zh: "它接不上前一条记录",
        en: "it does not follow on the record before it",
    }
    number(n: &str, why: &str) { zh: "它的编号是 {n}：{why}", en: "it has the number {n}: {why}" }
    missing { zh: "它之前缺少记录", en: "records are missing before it" }
    out_of_place { zh: "它的位置不对", en: "it is out of place" }
}

/// What is wrong with a record, in the language of whoever reads it.
pub(crate) fn retold(why: &str, lang: Lang) -> String {
    let fixed: [fn(Lang) -> &'static str; 11] = [
        too_long,
        not_ours,
        torn,
        not_utf8,
        no_record,
        no_hash,
        changed,
        not_first,
        not_next,
        missing,
        out_of_place,
    ];
    if let Some(says) = fixed.into_iter().find(|says| says(Lang::En) == why) {
        return says(lang).to_owned();
    }
    match why.strip_prefix("it has the number ").and_then(|rest| rest.split_once(": ")) {
        Some((n, rest)) => number(n, &retold(rest, lang), lang),
        None => why.to_owned(),
    }
}

/// What happened, or how it was decided, by the word of the record.
pub(crate) fn word(name: &str, lang: Lang) -> &str {
    let says: fn(Lang) -> &'static str = match name {
        "allow" => word_allow,
        "deny" => word_deny,
        "refuse" => word_refuse,
        "approval" => word_approval,
        "end" => word_end,
        "done" => word_done,
        "failed" => word_failed,
        "cancelled" => word_cancelled,
        "interrupted" => word_interrupted,
        "stopped" => word_stopped,
        "grant" => word_grant,
        "consent" => word_consent,
        "claim" => word_claim,
        "code" => word_code,
        "lock" => word_lock,
        "unlock" => word_unlock,
        "settings" => word_settings,
        "organisation" => word_organisation,
        "start" => word_start,
        "gap" => word_gap,
        "mended" => word_mended,
        "left_out" => word_left_out,
        other => return other,
    };
    says(lang)
}

/// By which way it came in.
pub(crate) fn door(name: &str, lang: Lang) -> &str {
    let says: fn(Lang) -> &'static str = match name {
        "message" => door_message,
        "answer" => door_answer,
        "card" => door_card,
        "schedule" => door_schedule,
        "file" => door_file,
        "event" => door_event,
        "hook" => door_hook,
        "console" => door_console,
        "cli" => door_cli,
        other => return other,
    };
    says(lang)
}

/// Why, by the word of the record.
fn why(name: &str, lang: Lang) -> &str {
    let says: fn(Lang) -> &'static str = match name {
        "locked" => why_locked,
        "no_staff_id" => why_no_staff_id,
        "other_organisation" => why_other_organisation,
        "unknown_organisation" => why_unknown_organisation,
        "unclaimed" => why_unclaimed,
        "no_role" => why_no_role,
        "role" => why_role,
        "scope" => why_scope,
        "rate" => why_rate,
        "not_asked" => why_not_asked,
        "own_request" => why_own_request,
        "flood" => why_flood,
        "person_runs" => why_person_runs,
        "handler_runs" => why_handler_runs,
        "late" => why_late,
        "crash" => why_crash,
        "not_begun" => why_not_begun,
        "unknown_card" => why_unknown_card,
        other => return other,
    };
    says(lang)
}

/// The same, and what it is about, if that stands behind it.
pub(crate) fn reason(text: &str, lang: Lang) -> String {
    match text.split_once(": ") {
        Some((name, about)) if why(name, lang) != name => format!("{}：{about}", why(name, lang)),
        _ => why(text, lang).to_owned(),
    }
}
