//! Secrets, and where they are read from.

words! {
    no_name(name: &str) {
        zh: "`{name}` 不能作密钥的名字",
        en: "`{name}` is no name of a secret",
    }
    name_hint {
        zh: "用字母、数字、`_` 和 `-`，最多 64 个",
        en: "use letters, digits, `_` and `-`, 64 at most",
    }
    is_empty_hint { zh: "给它一个值，或去掉它", en: "give it a value, or leave it out" }
    written_in_open_file(path: &str) {
        zh: "`{path}` 所在的文件能被这台电脑的其他用户读取",
        en: "`{path}` is written in a file that other users of this computer can read",
    }
    in_keychain(path: &str) {
        zh: "`{path}` 指向钥匙串，moonbell 还不能读取",
        en: "`{path}` points to the keychain, which moonbell cannot read yet",
    }
    in_keychain_hint {
        zh: "改用 { env = \"NAME\" }，或权限为 0600 的 { file = \"PATH\" }",
        en: "use { env = \"NAME\" }, or { file = \"PATH\" } with mode 0600",
    }
    variable_empty(path: &str, name: &str) {
        zh: "`{path}` 指向环境变量 `{name}`，但它是空的",
        en: "`{path}` names the environment variable `{name}`, which is empty",
    }
    variable_not_utf8(path: &str, name: &str) {
        zh: "`{path}` 指向环境变量 `{name}`，但它不是有效的 UTF-8",
        en: "`{path}` names the environment variable `{name}`, which is not valid UTF-8",
    }
    variable_not_set(path: &str, name: &str) {
        zh: "`{path}` 指向环境变量 `{name}`，但它没有设置",
        en: "`{path}` names the environment variable `{name}`, which is not set",
    }
    variable_hint {
        zh: "在启动 moonbell 的地方设置它",
        en: "set it where moonbell is started",
    }
    open_file(path: &str, file: &str) {
        zh: "`{path}`：这台电脑的其他用户能读取 {file}",
        en: "`{path}`: other users of this computer can read {file}",
    }
    large_file(path: &str, file: &str) {
        zh: "`{path}`：{file} 太大，不像是密钥",
        en: "`{path}`: {file} is too large for a secret",
    }
    other_file { zh: "换一个文件", en: "name another file" }
    empty_file(path: &str, file: &str) {
        zh: "`{path}`：{file} 是空的",
        en: "`{path}`: {file} is empty",
    }
    write_it { zh: "把密钥写进去", en: "write the secret into it" }
    unreadable_file(path: &str, file: &str, error: &str) {
        zh: "`{path}`：无法读取 {file}：{error}",
        en: "`{path}`: {file} cannot be read: {error}",
    }
    must_be_text {
        zh: "里面应是文本形式的密钥，并能被你读取",
        en: "it must hold the secret as text, readable by you",
    }
    where_relative {
        zh: "相对路径从设置文件所在的目录算起",
        en: "a relative path starts at the folder of the settings file",
    }
}
