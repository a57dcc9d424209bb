//! Around what is wrong: where it stands, how much of it there is, and a whole file to begin with.

words! {
    of_variable(name: &str, what: &str) {
        zh: "环境变量 {name}：{what}",
        en: "environment variable {name}: {what}",
    }
    of_default(what: &str) { zh: "默认值：{what}", en: "default: {what}" }
    variable(name: &str) { zh: "环境变量 {name}", en: "environment variable {name}" }
    default { zh: "默认值", en: "default" }
    hint(what: &str) { zh: "提示：{what}", en: "hint: {what}" }

    /// Above the list of them.
    many(n: usize) { zh: "设置有 {n} 处问题", en: "{n} problems in the settings" }
    write_this(file: &str, example: &str) {
        zh: "moonbell init 会设置好；或者把下面的内容写进 {file}，并换成你自己的值：\n\n{example}",
        en: "`moonbell init` sets it up; or write this to {file}, with your own values:\n\n{example}",
    }
    complete_file(example: &str) {
        zh: "moonbell init 会补上缺少的；完整的设置文件是这样的：\n\n{example}",
        en: "`moonbell init` writes what is missing; a complete file looks like this:\n\n{example}",
    }
    /// The least that `run` can work with, ready to paste.
    minimal {
        zh: r#"[dingtalk]
# 在 open-dev.dingtalk.com：你的应用，“凭证与基础信息”
client_id = "dingxxxxxxxxxxxxxxxx"
# 或 { file = "secret" }，并 chmod 600 secret
client_secret = { env = "DINGTALK_CLIENT_SECRET" }

[access]
# 你的 staff id（userId）；没有它，run 会显示认领码
# owner = "manager4220"
"#,
        en: r#"[dingtalk]
# open-dev.dingtalk.com: your app, "Credentials"
client_id = "dingxxxxxxxxxxxxxxxx"
# or { file = "secret" }, and chmod 600 secret
client_secret = { env = "DINGTALK_CLIENT_SECRET" }

[access]
# your staff id (userId); without it `run` prints a claim code
# owner = "manager4220"
"#,
    }

    cannot_be_read(error: &str) { zh: "无法读取：{error}", en: "cannot be read: {error}" }
    is_folder { zh: "无法读取：这是一个目录", en: "cannot be read: it is a folder" }
    is_large(bytes: u64, most: u64) {
        zh: "无法读取：它有 {bytes} 字节，设置文件最多 {most} 字节",
        en: "cannot be read: it has {bytes} bytes; settings have at most {most}",
    }
    is_binary(line: usize) {
        zh: "无法读取：第 {line} 行不是有效的 UTF-8",
        en: "cannot be read: line {line} is not valid UTF-8",
    }
    check_name {
        zh: "检查文件名；或者不写 `--config`，使用默认的文件",
        en: "check the name, or leave `--config` out for the default file",
    }
    make_readable {
        zh: "让你自己能读取它：chmod 600",
        en: "make the file readable by you: chmod 600",
    }
    save_as_utf8 { zh: "把文件保存为 UTF-8", en: "save the file as UTF-8" }
    name_a_toml_file { zh: "请指定一个 TOML 文件", en: "name a TOML file" }
}
