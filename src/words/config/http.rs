//! The settings of the HTTP mode.

words! {
    not_a_path(path: &str) {
        zh: "`http.path` 是 `{path}`，不是路径",
        en: "`http.path` is `{path}`, which is not a path",
    }
    path_hint {
        zh: "以斜杠开头，只用字母、数字和 `-`、`.`、`_`、`~`：\"/dingtalk\"",
        en: "begin with a slash, and use letters, digits, `-`, `.`, `_`, `~`: \"/dingtalk\"",
    }
    without_tls(listen: &str) {
        zh: "在 {listen} 上接收回调，但没有 TLS",
        en: "callbacks are received on {listen} without TLS",
    }
    without_tls_hint {
        zh: "设置 `http.tls`，或监听 127.0.0.1，由前面的代理提供 TLS",
        en: "set `http.tls`, or listen on 127.0.0.1 behind a proxy that has TLS",
    }
    one_of_the_doors(url: &str) {
        zh: "`http.public_url` 是 `{url}`，这是其中一个回调地址",
        en: "`http.public_url` is `{url}`, which is one of the doors",
    }
    one_of_the_doors_hint {
        zh: "去掉最后一段，只写 `/robot`、`/event`、`/card` 前面的部分",
        en: "leave out the last part: what stands before `/robot`, `/event` and `/card`",
    }
    other_path(url: &str, path: &str) {
        zh: "`http.public_url` 是 `{url}`，而 `http.path` 是 `{path}`",
        en: "`http.public_url` is `{url}`, and `http.path` is `{path}`",
    }
    other_path_hint {
        zh: "两者的结尾应该相同，除非代理会改写路径",
        en: "both end alike, unless your proxy rewrites the one into the other",
    }
    half(there: &str, gone: &str) {
        zh: "设置了 `{there}`，但没有设置 `{gone}`",
        en: "`{there}` is set but `{gone}` is not",
    }
    half_hint {
        zh: "事件需要两个都设置，或都不设置",
        en: "events need both, or neither",
    }
    aes_key_length(chars: usize, right: usize) {
        zh: "`http.aes_key` 有 {chars} 个字符；钉钉的有 {right} 个",
        en: "`http.aes_key` has {chars} characters; DingTalk's have {right}",
    }
    aes_key_letters {
        zh: "`http.aes_key` 里有字母和数字以外的字符",
        en: "`http.aes_key` holds other characters than letters and digits",
    }
    aes_key_hint {
        zh: "重新复制事件订阅的 AES key",
        en: "copy the AES key of the event subscription again",
    }
    tls_is_half(path: &str) { zh: "缺少 `{path}`", en: "`{path}` is missing" }
    tls_hint { zh: "两个都设置，或都不设置", en: "set both, or none" }
    no_network(path: &str, value: &str) {
        zh: "`{path}`：`{value}` 不是地址",
        en: "`{path}`: `{value}` is no address",
    }
    network_hint {
        zh: "写 \"192.0.2.7\" 或 \"192.0.2.0/24\"",
        en: "write \"192.0.2.7\" or \"192.0.2.0/24\"",
    }

    // The certificate, when the doors are opened.
    unfit(file: &str, why: &str) { zh: "{file}：{why}", en: "{file}: {why}" }
    unreadable(error: &str) {
        zh: "无法读取证书：{error}",
        en: "the certificate cannot be read: {error}",
    }
    garbled { zh: "无法读取证书", en: "the certificate cannot be read" }
    empty { zh: "里面没有证书", en: "there is no certificate in it" }
    expired(at: &str) { zh: "证书已在 {at} 过期", en: "the certificate expired on {at}" }
    early(at: &str) {
        zh: "证书从 {at} 起才有效",
        en: "the certificate is not good before {at}",
    }
    key(error: &str) {
        zh: "无法读取私钥：{error}",
        en: "the private key cannot be read: {error}",
    }
    foreign(cert: &str) { zh: "它不是 {cert} 的私钥", en: "it is not the key of {cert}" }
    renew { zh: "更新证书，写入同样的文件", en: "renew it, into the same files" }
    check_clock {
        zh: "检查这台电脑的时间；如果时间没错，换一个已经生效的证书",
        en: "check this computer's clock; if it is right, take a certificate that is good already",
    }
    pem_files {
        zh: "`http.tls.cert` 和 `http.tls.key` 是 PEM 文件：证书及其证书链，和它的私钥",
        en: "`http.tls.cert` and `http.tls.key` are PEM files: the certificate with its chain, and its key",
    }
}
