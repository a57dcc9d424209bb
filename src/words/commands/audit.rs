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
