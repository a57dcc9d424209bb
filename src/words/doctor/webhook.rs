//! `certificate` and `webhook-url`.

words! {
    stream_has_no_certificate { zh: "Stream 模式不需要", en: "stream mode needs none" }
    tls_elsewhere {
        zh: "没有设置 http.tls：由代理或隧道提供 TLS",
        en: "`http.tls` is not set: TLS is for the proxy or tunnel",
    }
    good_until(until: &str) { zh: "有效期到 {until}", en: "good until {until}" }
    ends_soon(until: &str) {
        zh: "即将过期，有效期到 {until}",
        en: "it expires soon, on {until}",
    }
    renew {
        zh: "更新证书，写入同样的文件；moonbell 会自动采用，不用重启",
        en: "renew it, into the same files: moonbell takes it over without a restart",
    }
    other_name(file: &str, host: &str) {
        zh: "{file} 不是给 {host} 的证书",
        en: "{file} is no certificate for {host}",
    }
    take_name {
        zh: "换成给 http.public_url 里那个域名的证书；如果前面有代理用它自己的证书，可以不管",
        en: "take one for the name in `http.public_url`; where a proxy before moonbell shows a certificate of its own, leave it",
    }
    expired(file: &str, until: &str) {
        zh: "{file} 里的证书已过期：有效期到 {until}",
        en: "the certificate in {file} expired on {until}",
    }
    early(file: &str, from: &str) {
        zh: "{file} 里的证书还没有生效：从 {from} 起有效",
        en: "the certificate in {file} is not good before {from}",
    }
    check_clock {
        zh: "检查本机时间；如果时间没错，换一个已经生效的证书",
        en: "check this computer's clock; if it is right, take a certificate that is good already",
    }
    unreadable(file: &str, error: &str) {
        zh: "{file} 不能当作证书读取：{error}",
        en: "{file} cannot be read as a certificate: {error}",
    }
    no_key(file: &str, error: &str) {
        zh: "{file} 不能当作私钥读取：{error}",
        en: "{file} cannot be read as a private key: {error}",
    }
    other_key(key: &str, cert: &str) {
        zh: "{key} 不是 {cert} 的私钥",
        en: "{key} is not the key of {cert}",
    }
    take_pair {
        zh: "http.tls.cert 和 http.tls.key 是 PEM 文件：证书及其证书链，和属于它的私钥；都要能被你读取",
        en: "`http.tls.cert` and `http.tls.key` are PEM files that you can read: the certificate with its chain, and the key that belongs to it",
    }

    stream_has_none { zh: "Stream 模式没有回调地址", en: "stream mode has none" }
    taken(address: &str, error: &str) {
        zh: "{address} 不能监听：{error}",
        en: "{address} cannot be listened on: {error}",
    }
    other_port {
        zh: "结束占用它的程序，或换一个 http.listen",
        en: "end the program that has it, or set another `http.listen`",
    }
    not_set {
        zh: "没有设置 http.public_url：不知道钉钉该调用哪个地址",
        en: "`http.public_url` is not set: nobody knows which address DingTalk is to call",
    }
    set_it {
        zh: "设置它，并把 moonbell status 显示的地址填到开发者后台",
        en: "set it, and copy the addresses that `moonbell status` shows into the developer console",
    }
    private(url: &str) {
        zh: "钉钉到不了 {url}：这是内网或本机地址",
        en: "DingTalk cannot reach {url}: it is an address of this computer or of a private network",
    }
    make_public {
        zh: "用公网域名加 HTTPS，经反向代理或隧道转到本机；或改用 Stream 模式",
        en: "use a public name with https that leads here through a proxy or tunnel; or Stream mode, which needs none",
    }
    not_tried(url: &str) {
        zh: "{url}（moonbell 没有在运行，没有试）",
        en: "{url} (not tried: no host runs)",
    }
    leads_elsewhere(url: &str, status: u16) {
        zh: "{url} 回答 HTTP {status}：没有通到 moonbell",
        en: "{url} answers with HTTP status {status}: it does not lead to moonbell",
    }
    /// DingTalk does not follow.
    sends_on(url: &str, to: &str) {
        zh: "{url} 转到 {to}：钉钉不会跟过去",
        en: "{url} sends on to {to}, where DingTalk does not follow",
    }
    lead_here(here: &str) {
        zh: "检查代理或隧道：它要通到 {here}",
        en: "look at the proxy or tunnel: it must lead to {here}",
    }
    works(url: &str) { zh: "{url} 可达", en: "{url} answers" }
    silent(url: &str, error: &str) {
        zh: "{url} 不可达：{error}",
        en: "{url} does not answer: {error}",
    }
    check_the_way {
        zh: "检查域名、证书、防火墙和隧道",
        en: "look at name, certificate, firewall and tunnel",
    }
}
