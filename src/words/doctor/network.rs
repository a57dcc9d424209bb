//! `proxy`, `dns`, `tls` and `clock`: the way to DingTalk.

words! {
    proxy_works(proxy: &str) { zh: "{proxy} 可用", en: "{proxy} lets through" }
    no_proxy { zh: "不用代理", en: "none" }
    proxy_not_taken(variable: &str) {
        zh: "不用代理（环境变量 {variable} 不会自动采用；要用就设 network.proxy = \"environment\"）",
        en: "none ({variable} is set but not taken unasked: `network.proxy = \"environment\"` takes it)",
    }

    names_by_proxy { zh: "由代理解析", en: "the proxy looks names up" }
    name_unknown(name: &str, reason: &str) {
        zh: "找不到 {name} 的地址：{reason}",
        en: "the address of {name} cannot be found: {reason}",
    }
    no_address { zh: "没有地址", en: "no address" }
    no_answer(seconds: u64) { zh: "{seconds} 秒内没有回答", en: "no answer within {seconds} s" }
    check_names {
        zh: "检查网络和 DNS；公司网络可能需要代理（network.proxy）",
        en: "check the network and its name server; in a company a proxy may be needed (`network.proxy`)",
    }
    no_names { zh: "是 IP 地址，不用解析", en: "addresses, nothing to look up" }
    names_found(names: &str) { zh: "{names} 可解析", en: "{names} found" }

    not_safe(host: &str, error: &str) {
        zh: "{host} 无法安全连接：{error}",
        en: "no safe connection to {host}: {error}",
    }
    check_safety {
        zh: "检查防火墙和本机时间；网络登录页或会解密的代理会换掉证书，那时要把它的根证书加进系统",
        en: "check firewall and clock; a login page of the network, or a proxy that decrypts, shows a certificate of its own: the system must trust its root",
    }
    simulated {
        zh: "本机的模拟钉钉，不加密",
        en: "a simulated DingTalk on this computer, without TLS",
    }
    both_hosts { zh: "两个主机都可达", en: "both hosts answer" }

    time_unknown { zh: "钉钉没有说它的时间", en: "DingTalk did not say its time" }
    same_time { zh: "和钉钉一致", en: "as DingTalk's" }
    slow(minutes: u64) {
        zh: "本机时间比钉钉慢 {minutes} 分钟",
        en: "this computer's clock is {minutes} min behind DingTalk's",
    }
    fast(minutes: u64) {
        zh: "本机时间比钉钉快 {minutes} 分钟",
        en: "this computer's clock is {minutes} min ahead of DingTalk's",
    }
    set_clock {
        zh: "打开系统的自动校时（Linux：timedatectl set-ntp true）",
        en: "let the system set its clock (Linux: `timedatectl set-ntp true`)",
    }
}
