//! `grant`, but for what each need means, which is where needs are.

words! {
    no_folders {
        zh: "设置里没有指定放他人脚本的目录",
        en: "no folder of other people's scripts is named in the settings",
    }
    no_folders_hint {
        zh: "指定 `scripts.dir` 里的目录：在 [scripts] 里写 `asked = [\"shared\"]`；你自己的脚本不需要授权",
        en: "name folders inside `scripts.dir`: `asked = [\"shared\"]` in [scripts]; your own scripts need no grant",
    }
    does_not_load(script: &str, error: &str) {
        zh: "`{script}` 不能加载：{error}",
        en: "`{script}` does not load: {error}",
    }
    has_all(script: &str) {
        zh: "{script} 要求的都已授权",
        en: "{script} has all that it asks for",
    }
    granted(script: &str) { zh: "已授权：{script}", en: "granted: {script}" }
    not_granted(script: &str) { zh: "没有授权：{script}", en: "not granted: {script}" }
    taken_back(script: &str) { zh: "已收回：{script}", en: "taken back: {script}" }
    none_waits { zh: "没有等待授权的脚本", en: "no script waits for a grant" }

    no_such(script: &str) {
        zh: "`{script}` 不是他人的脚本",
        en: "`{script}` is no script of other people",
    }
    none_in(folders: &str) { zh: "{folders} 里没有脚本", en: "there are none in {folders}" }
    there_are(names: &str) { zh: "有：{names}", en: "there are {names}" }
    nothing_granted { zh: "没有授权给任何脚本", en: "nothing is granted to any script" }
    granted_are(names: &str) { zh: "已授权：{names}", en: "granted are {names}" }
    nothing_granted_to(script: &str) {
        zh: "没有给 `{script}` 授权",
        en: "nothing is granted to `{script}`",
    }

    asks_nothing(script: &str) {
        zh: "{script} 只要求回答发给它命令的消息。",
        en: "{script} asks for nothing but to answer messages to its commands.",
    }
    asks(script: &str) { zh: "{script} 要求：", en: "{script} asks for this:" }
    asks_more(script: &str) {
        zh: "{script} 要求，比已授权的多：",
        en: "{script} asks for this, more than it was granted:",
    }
    changes_programs {
        zh: "能改那里的文件，就能改你运行的东西，包括你自己的脚本：这等于能运行任何程序。",
        en: "Whoever changes files there can change what you run, your own scripts too: it is as much as running any program.",
    }
    starts_programs(needs: &str) {
        zh: "{needs}：参数可以让它启动别的程序，或者改动你运行的东西：这等于能运行任何程序。",
        en: "{needs}: arguments can make such a program start others, or change what you run: it is as much as running any program.",
    }
    /// Where it runs programs.
    beside_programs {
        zh: "除此之外，它可以回答能使用它的人，保存自己的数据。它启动的程序能做你能做的事：moonbell 只限定程序的名字，不限制程序本身。",
        en: "Beside that it can answer whoever may use it, and keep its own data. The programs that it runs can do what you can: moonbell holds the script to their names, and them to nothing.",
    }
    beside {
        zh: "除此之外，它可以回答能使用它的人，保存自己的数据；别的都碰不到。",
        en: "Beside that it can answer whoever may use it, and keep its own data; it reaches nothing else.",
    }
    question { zh: "授权吗？[y/N 是/否]", en: "Grant it? [y/N]" }
    no_terminal { zh: "这里没有终端可以询问", en: "there is no terminal to ask on" }
    say_yes { zh: "先读一遍脚本，再加上 --yes", en: "read the script, then say --yes" }

    broken(error: &str) { zh: "不能加载：{error}", en: "does not load: {error}" }
    waits { zh: "等待授权", en: "waits for a grant" }
    waits_for_more {
        zh: "等待：要求的比已授权的多",
        en: "waits: it asks for more than it was granted",
    }
    changed_since {
        zh: "已授权；之后内容有改动",
        en: "granted; its content has changed since",
    }
    is_granted { zh: "已授权", en: "granted" }
    is_gone { zh: "已授权，但文件已不在", en: "granted, but it is gone" }
    none { zh: "没有他人的脚本", en: "no scripts of other people" }
}
