//! `types`: what was written for editors, and what to do next.

words! {
    no_folder_hint {
        zh: "请先新建它，或让 moonbell dev 新建一个带示例脚本的目录",
        en: "make it, or let `moonbell dev` create one with starter handlers",
    }
    cannot_write(folder: &str, error: &str) {
        zh: "不能写入 `{folder}`：{error}",
        en: "cannot write to `{folder}`: {error}",
    }
    cannot_write_hint {
        zh: "检查这个目录和里面文件的权限",
        en: "check the permissions of the folder and of what is in it",
    }
    current { zh: "都是最新的", en: "everything is current" }
    left(file: &str, lines: &str) {
        zh: "`{file}` 不是纯 JSON，没有改动；请在里面加上：\n{lines}",
        en: "`{file}` is not plain JSON and stays as it is; add to it:\n{lines}",
    }
    next(folder: &str, definitions: &str, documentation: &str) {
        zh: "下一步：用装有扩展 JohnnyMorganz.luau-lsp 的 Visual Studio Code 打开 `{folder}`；\n        其他编辑器请启动 `luau-lsp lsp --definitions:@moonbell={definitions} --docs={documentation}`",
        en: "next: open `{folder}` in Visual Studio Code with the extension JohnnyMorganz.luau-lsp;\n      in another editor, start `luau-lsp lsp --definitions:@moonbell={definitions} --docs={documentation}`",
    }
}
