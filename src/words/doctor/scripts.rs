//! `scripts`.

use crate::words::Lang;

words! {
    created {
        zh: "已新建，附带示例脚本",
        en: "created, with the starter handlers",
    }
    missing(folder: &str) { zh: "没有目录 {folder}", en: "there is no folder {folder}" }
    make_it {
        zh: "moonbell run 会新建它，附带示例脚本；或设置 scripts.dir",
        en: "`moonbell run` makes it, with starter handlers; or set `scripts.dir`",
    }
    one_mistake(what: &str) { zh: "1 处错误：{what}", en: "1 mistake: {what}" }
    many_mistakes(all: usize, first: &str) {
        zh: "{all} 处错误；第一处：{first}",
        en: "{all} mistakes, the first: {first}",
    }
    see_all {
        zh: "运行 moonbell check 查看全部",
        en: "run `moonbell check` for all of them",
    }
    empty(folder: &str) {
        zh: "{folder} 里没有处理器：机器人不会回答任何命令",
        en: "no handler in {folder}: the bot answers no command",
    }
    write_one {
        zh: "写一个脚本，或删掉空目录后运行 moonbell run",
        en: "write one; or remove the empty folder and start `moonbell run`, which fills it",
    }
    sound(files: &str, handlers: &str) { zh: "{files}，{handlers}", en: "{files}, {handlers}" }
    one_file { zh: "1 个文件", en: "1 file" }
    many_files(n: usize) { zh: "{n} 个文件", en: "{n} files" }
    one_handler { zh: "1 个处理器", en: "1 handler" }
    many_handlers(n: usize) { zh: "{n} 个处理器", en: "{n} handlers" }
}

pub(crate) fn mistakes(all: usize, first: &str, lang: Lang) -> String {
    if all == 1 { one_mistake(first, lang) } else { many_mistakes(all, first, lang) }
}

pub(crate) fn files(n: usize, lang: Lang) -> String {
    if n == 1 { one_file(lang).to_owned() } else { many_files(n, lang) }
}

pub(crate) fn handlers(n: usize, lang: Lang) -> String {
    if n == 1 { one_handler(lang).to_owned() } else { many_handlers(n, lang) }
}
