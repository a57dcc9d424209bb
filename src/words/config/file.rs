//! The shape of the file: keys, tables, types.

words! {
    not_toml(error: &str) { zh: "不是有效的 TOML：{error}", en: "not valid TOML: {error}" }
    not_utf8 { zh: "不是有效的 UTF-8", en: "not valid UTF-8" }
    must_be_table(path: &str, found: &str) {
        zh: "`{path}` 必须是一个表，不能是{found}",
        en: "`{path}` must be a table, not {found}",
    }
    table_hint(path: &str) {
        zh: "[{path}] 单独写一行，它的键写在下面",
        en: "write [{path}] on a line of its own, and its keys below",
    }
    unknown_key(path: &str) { zh: "没有 `{path}` 这个键", en: "unknown key `{path}`" }
    unknown_table(path: &str) { zh: "没有 `{path}` 这个表", en: "unknown table `{path}`" }
    unknown_key_in(key: &str, path: &str) {
        zh: "`{path}` 里没有 `{key}` 这个键",
        en: "unknown key `{key}` in `{path}`",
    }
    unknown_variable { zh: "没有这个设置", en: "unknown setting" }
    must_be(path: &str, expected: &str, found: &str) {
        zh: "`{path}` 必须是{expected}，不能是{found}",
        en: "`{path}` must be {expected}, not {found}",
    }
    must_hold_strings(path: &str, found: &str) {
        zh: "`{path}` 里只能是字符串，不能是{found}",
        en: "`{path}` must hold strings, not {found}",
    }
    is_empty(path: &str) { zh: "`{path}` 是空的", en: "`{path}` is empty" }
    one_source(path: &str) {
        zh: "`{path}` 只能写一个来源",
        en: "`{path}` must name exactly one source",
    }
    one_source_hint {
        zh: "写 { env = \"NAME\" } 或 { file = \"PATH\" }",
        en: "write { env = \"NAME\" } or { file = \"PATH\" }",
    }
    secret_hint {
        zh: "密钥是字符串、{ env = \"NAME\" } 或 { file = \"PATH\" }",
        en: "a secret is a string, { env = \"NAME\" } or { file = \"PATH\" }",
    }
    list_hint { zh: "写成 [\"one\", \"two\"]", en: "write [\"one\", \"two\"]" }
    quote_it { zh: "请加上引号", en: "put it in quotation marks" }

    // What a value is.
    a_string { zh: "字符串", en: "a string" }
    a_number { zh: "数字", en: "a number" }
    true_or_false { zh: "布尔值", en: "true or false" }
    a_date { zh: "日期", en: "a date" }
    a_list { zh: "列表", en: "a list" }
    a_table { zh: "表", en: "a table" }

    // What a key takes.
    a_secret {
        zh: "字符串、{ env = \"NAME\" } 或 { file = \"PATH\" }",
        en: "a string, or { env = \"NAME\" }, or { file = \"PATH\" }",
    }
    a_listed_word { zh: "列出的词之一", en: "one of the listed words" }
    an_address {
        zh: "网址，例如 \"https://api.dingtalk.com\"",
        en: "an address such as \"https://api.dingtalk.com\"",
    }
    an_address_and_port {
        zh: "地址和端口，例如 \"127.0.0.1:7878\"",
        en: "an address and port such as \"127.0.0.1:7878\"",
    }
    a_path { zh: "路径", en: "a path" }
    a_whole_number { zh: "整数，或 \"unlimited\"", en: "a whole number, or \"unlimited\"" }
    a_time {
        zh: "时间，例如 \"10s\"、\"5m\" 或 \"30d\"",
        en: "a time such as \"10s\", \"5m\" or \"30d\"",
    }
    a_list_of_strings { zh: "字符串的列表", en: "a list of strings" }
    a_list_of_ids { zh: "staff id 的列表", en: "a list of staff ids" }

    // What was probably meant.
    did_you_mean(name: &str) { zh: "是不是 `{name}`？", en: "did you mean `{name}`?" }
    did_you_mean_word(word: &str) { zh: "是不是 \"{word}\"？", en: "did you mean \"{word}\"?" }
    did_you_mean_in(name: &str, table: &str) {
        zh: "是不是 [{table}] 里的 `{name}`？",
        en: "did you mean `{name}`, in the table [{table}]?",
    }
    takes(names: &str) { zh: "可以写 {names}", en: "it takes {names}" }
    table_takes(table: &str, names: &str) {
        zh: "[{table}] 里可以写 {names}",
        en: "[{table}] takes {names}",
    }
    unset_variable {
        zh: "以 MOONBELL_ 开头的变量都是设置，见 docs/config.md：请去掉这一个",
        en: "variables that start with MOONBELL_ are settings, listed in docs/config.md: unset this one",
    }
}
