//! Help about commands, and what is wrong with the arguments that a person typed.

words! {
    usage(usage: &str) {
        zh: "用法：{usage}",
        en: "usage: {usage}",
    }
    example(line: &str) {
        zh: "例如：{line}",
        en: "example: {line}",
    }
    /// An argument or option, and what it holds.
    argument(name: &str, expected: &str) {
        zh: "{name}：{expected}",
        en: "{name}: {expected}",
    }
    the_rest {
        zh: "其余全部文字",
        en: "all the text that follows",
    }
    /// Behind an argument.
    optional {
        zh: "（可选）",
        en: " (optional)",
    }
    unless_given(default: &str) {
        zh: "（默认 {default}）",
        en: " ({default} unless given)",
    }
    also(names: &str) {
        zh: "也可以写：{names}",
        en: "also: {names}",
    }
    who(role: &str) {
        zh: "谁能用：{role}",
        en: "who: {role}",
    }
    nothing {
        zh: "这里没有你能用的命令。",
        en: "There is no command here that you may use.",
    }
    /// Under the list of commands.
    more {
        zh: "help 命令名：详细说明 · stop：停止正在运行的 · runs：查看运行 · log 编号：详情 · again 编号：再运行一次",
        en: "help NAME: more about one · stop: end what runs · runs: what is running · log ID: what a run did · again ID: run it once more",
    }
    no_such(word: &str) {
        zh: "没有命令 `{word}`。发送 help 查看全部。",
        en: "There is no command `{word}`. Send help to see them all.",
    }
    no_such_but(word: &str, nearest: &str) {
        zh: "没有命令 `{word}`；是不是 {nearest}？发送 help 查看全部。",
        en: "There is no command `{word}`; did you mean {nearest}? Send help to see them all.",
    }
    /// Behind what is wrong.
    did_you_mean(said: &str, nearest: &str) {
        zh: "{said}；是不是 {nearest}？",
        en: "{said}; did you mean {nearest}?",
    }
    wrong_value(argument: &str, word: &str, expected: &str) {
        zh: "{argument}：`{word}` 不对，应为{expected}",
        en: "{argument}: `{word}` is not {expected}",
    }
    missing(argument: &str) {
        zh: "缺少 {argument}",
        en: "{argument} is missing",
    }
    missing_value(argument: &str, expected: &str) {
        zh: "缺少 {argument}，应为{expected}",
        en: "{argument} is missing; expected {expected}",
    }
    extra(word: &str) {
        zh: "`{word}` 多余了；带空格的内容请用引号括起来",
        en: "`{word}` is one word too many; put quotes around what holds spaces",
    }
    takes_no_options(word: &str) {
        zh: "没有选项 `{word}`；此命令不带选项",
        en: "unknown option `{word}`; this command takes none",
    }
    unknown_option(word: &str, known: &str) {
        zh: "没有选项 `{word}`；可用：{known}",
        en: "unknown option `{word}`; it takes {known}",
    }
    no_value(option: &str, expected: &str) {
        zh: "--{option} 后面缺少值，应为{expected}",
        en: "--{option} needs a value; expected {expected}",
    }
    twice(option: &str) {
        zh: "--{option} 写了两次",
        en: "--{option} is given twice",
    }
    /// What a value of a type looks like.
    string {
        zh: "文字",
        en: "a word",
    }
    int {
        zh: "整数，例如 3",
        en: "a whole number such as 3",
    }
    number {
        zh: "数字，例如 2.5",
        en: "a number such as 2.5",
    }
    bool {
        zh: "是 或 否",
        en: "yes or no",
    }
    duration {
        zh: "时长，例如 10m、1h30m、10分钟",
        en: "a duration such as 10m, 1h30m or 90s",
    }
    path {
        zh: "路径，例如 ~/notes.txt",
        en: "a path such as ~/notes.txt",
    }
    user {
        zh: "一个人：@ 他，或填写 staff id",
        en: "a person: mention them, or give a staff id",
    }
    date {
        zh: "日期，例如 2026-01-31、今天、明天",
        en: "a date such as 2026-01-31, today or tomorrow",
    }
    one_of(choices: &str) {
        zh: "{choices} 之一",
        en: "one of {choices}",
    }
}
