//! `check`: what it counted, and why it could not.

use crate::words::Lang;

words! {
    missing(path: &str) { zh: "没有 `{path}`", en: "there is no `{path}`" }
    missing_hint {
        zh: "请指定脚本目录，或一个脚本",
        en: "name a folder of scripts, or a script",
    }
    no_script(name: &str) {
        zh: "`{name}` 不是 moonbell 会加载的脚本",
        en: "`{name}` is not a script that moonbell serves",
    }
    no_script_hint {
        zh: "脚本是目录下的 *.luau 和 *.lua 文件，以及它们的 *.test.luau；定义文件和隐藏文件不算，模块随 require 它的脚本一起检查",
        en: "scripts are the *.luau and *.lua files of the folder itself, with their *.test.luau; definitions and hidden files are none, and modules are checked with the scripts that require them",
    }

    one_error { zh: "1 个错误", en: "1 error" }
    many_errors(n: usize) { zh: "{n} 个错误", en: "{n} errors" }
    one_warning { zh: "1 个警告", en: "1 warning" }
    many_warnings(n: usize) { zh: "{n} 个警告", en: "{n} warnings" }
    sound(files: &str, handlers: &str) {
        zh: "{files}，{handlers}：没有发现问题",
        en: "{files}, {handlers}: nothing to complain about",
    }
    found(files: &str, handlers: &str, errors: &str, warnings: &str) {
        zh: "{files}，{handlers}：{errors}，{warnings}",
        en: "{files}, {handlers}: {errors}, {warnings}",
    }
}

pub(crate) fn errors(n: usize, lang: Lang) -> String {
    if n == 1 { one_error(lang).to_owned() } else { many_errors(n, lang) }
}

pub(crate) fn warnings(n: usize, lang: Lang) -> String {
    if n == 1 { one_warning(lang).to_owned() } else { many_warnings(n, lang) }
}
