//! `webhook-url`.

words! {
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
