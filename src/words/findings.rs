//! What `check` finds wrong with a script. What Luau, or the engine that checks types, says itself stays as it says it.

words! {
    error { zh: "错误", en: "error" }
    warning { zh: "警告", en: "warning" }

    unread_local(name: &str) {
        zh: "没有地方读取局部变量 `{name}`",
        en: "nothing reads the local `{name}`",
    }
    uncalled_function(name: &str) {
        zh: "没有地方调用函数 `{name}`",
        en: "nothing calls the function `{name}`",
    }
    remove_or_rename(name: &str) {
        zh: "删掉它，或改名为 `_{name}`",
        en: "remove it, or call it `_{name}`",
    }
    removed(name: &str) { zh: "脚本里没有 `{name}`", en: "scripts have no `{name}`" }
    removed_hint {
        zh: "脚本运行的代码都在文件里，这样才能读、能检查",
        en: "what a script runs is in its file, where it can be read and checked",
    }
    shell_template {
        zh: "这段 shell 脚本是运行时拼出来的：聊天里的文字会被当作命令运行",
        en: "this script is put together while it runs: text from chat in it would be run as commands",
    }
    shell_template_hint {
        zh: "把脚本写成一个常量，会变的部分作为参数传入：`shell.sh(\"grep -c $1 $2\", word, file)`",
        en: "write the script as one constant and pass what varies as arguments: `shell.sh(\"grep -c $1 $2\", word, file)`",
    }
    bidi(c: &str) {
        zh: "{c} 会改变阅读方向：看到的和运行的不一样",
        en: "{c} turns the reading direction: what is shown is not what runs",
    }
    invisible(c: &str) {
        zh: "这里有 {c}，但看不见",
        en: "{c} is there and cannot be seen",
    }
    lookalike(alphabet: &str) {
        zh: "这个词混用了拉丁字母和看起来一样的 {alphabet} 字母",
        en: "this word mixes Latin letters with {alphabet} ones that look the same",
    }
    take_it_out {
        zh: "去掉它，或写成转义：`\\u{202E}`",
        en: "take it out, or write it as an escape: `\\u{202E}`",
    }

    there_is_no(name: &str) { zh: "没有 `{name}`", en: "there is no `{name}`" }
    is_local_missing(name: &str) {
        zh: "是不是少了 `local {name} = …`？多次运行要共用的内容请放进 `kv`",
        en: "is a `local {name} = …` missing? what runs are to share belongs into `kv`",
    }
    did_you_mean(name: &str) { zh: "是不是 `{name}`？", en: "did you mean `{name}`?" }
    has_no(owner: &str, key: &str) { zh: "{owner} 没有 `{key}`", en: "{owner} has no `{key}`" }
    the_table { zh: "这个表", en: "the table" }
    may_be_nil(kind: &str) {
        zh: "它可能是 nil（类型是 `{kind}`）",
        en: "this may be nil (its type is `{kind}`)",
    }
    test_it_first {
        zh: "对外的调用失败时返回 `nil, err`：请先判断，`if not r then … end`",
        en: "calls into the outside world return `nil, err` when they fail: test it first, `if not r then … end`",
    }
    say_what_then {
        zh: "它可能是 nil：请先判断，或写明那时用什么，`value or \"…\"`",
        en: "it may be nil: test it first, or say what then, `value or \"…\"`",
    }

    // Handlers that nothing reaches.
    same_pattern(earlier: &str, pattern: &str) {
        zh: "除非 {earlier} 转交，否则到不了：它的模式也是 `{pattern}`",
        en: "never reached unless {earlier} hands on: it has the same pattern `{pattern}`",
    }
    after_catch_all(earlier: &str) {
        zh: "除非 {earlier} 转交，否则到不了：它匹配任何文字",
        en: "never reached unless {earlier} hands on: that one matches every text",
    }
    shadowed(earlier: &str, pattern: &str) {
        zh: "除非 {earlier} 转交，否则到不了：这里能匹配的，`{pattern}` 都能匹配",
        en: "never reached unless {earlier} hands on: `{pattern}` matches whatever this one does",
    }
    after_command(earlier: &str, command: &str) {
        zh: "除非 {earlier} 转交，否则到不了：这样开头的是命令 `{command}`",
        en: "never reached unless {earlier} hands on: what begins so is the command `{command}`",
    }
    after_control(word: &str) {
        zh: "到不了：`{word}` 是 moonbell 自己的指令，会先回答",
        en: "never reached: `{word}` is a word of moonbell's own, which answers it first",
    }
    second_fallback(earlier: &str) {
        zh: "除非 {earlier} 转交，否则到不了：它也是兜底处理器",
        en: "never reached unless {earlier} hands on: that one is a fallback too",
    }
    match_something_else {
        zh: "让模式也能匹配别的文字",
        en: "let the pattern match something else as well",
    }
    make_it_an_argument {
        zh: "把它作为那个命令的参数，或让那个命令 `return bot.pass`",
        en: "make it an argument of that command, or let that one `return bot.pass`",
    }
    keep_one {
        zh: "只留一个，或让另一个 `return bot.pass`",
        en: "keep one of them, or let the other `return bot.pass`",
    }
    remove_one {
        zh: "去掉一个，给这一个更高的 `priority`，或让另一个 `return bot.pass`",
        en: "remove one of them, give this one a higher `priority`, or let the other `return bot.pass`",
    }
}
