//! The address that DingTalk calls in HTTP mode, as far as it can be judged from here.

use url::{Host, Url};

use super::Facts;
use super::check::{Check, Page};
use crate::config::{Config, Mode};
use crate::dingtalk::Client;

/// Whether DingTalk can find the address that it is to call, as far as that can be seen from here.
pub(super) async fn look(facts: &Facts, config: &Config) -> Check {
    const ID: &str = "webhook-url";
    if config.dingtalk.mode == Mode::Stream {
        return Check::skipped(ID, "Stream 模式没有回调地址", "stream mode has none");
    }
    let listen = config.http.listen;
    if !facts.runs
        && let Err(error) = std::net::TcpListener::bind(listen)
    {
        return Check::failed(
            ID,
            format!("{listen} 不能监听：{error}"),
            format!("{listen} cannot be listened on: {error}"),
        )
        .todo(
            "结束占用它的程序，或换一个 http.listen",
            "end the program that has it, or set another `http.listen`",
        );
    }
    let Some(url) = &config.http.public_url else {
        return Check::failed(
            ID,
            "没有设置 http.public_url：不知道钉钉该调用哪个地址",
            "`http.public_url` is not set: nobody knows which address DingTalk is to call",
        )
        .todo(
            "设置它，并把 moonbell status 显示的地址填到开发者后台",
            "set it, and copy the addresses that `moonbell status` shows into the developer console",
        )
        .page(Page::Robot);
    };
    if is_private(url) {
        return Check::failed(
            ID,
            format!("钉钉到不了 {url}：这是内网或本机地址"),
            format!("DingTalk cannot reach {url}: it is an address of this computer or of a private network"),
        )
        .todo(
            "用公网域名加 HTTPS，经反向代理或隧道转到本机；或改用 Stream 模式",
            "use a public name with https that leads here through a proxy or tunnel; or Stream mode, which needs none",
        )
        .page(Page::Robot);
    }
    let mut robot = url.clone();
    robot.set_path(&format!("{}/robot", url.path().trim_end_matches('/')));
    if !facts.runs {
        return Check::ok(
            ID,
            format!("{robot}（没有主机在运行，没有试）"),
            format!("{robot} (not tried: no host runs)"),
        );
    }
    let Ok(client) = Client::through(&config.dingtalk, config.proxy.as_ref()) else {
        return Check::after(ID, "tls");
    };
    match client.knock(&robot).await {
        // A call without a body of a kind that DingTalk does not make: moonbell, and nothing else, says 405.
        Ok(status) if status != 405 => Check::failed(
            ID,
            format!("{robot} 回答 HTTP {status}：没有通到 moonbell"),
            format!("{robot} answers with HTTP status {status}: it does not lead to moonbell"),
        )
        .todo(
            format!("检查代理或隧道：它要通到 http://{listen}{}", config.http.path),
            format!(
                "look at the proxy or tunnel: it must lead to http://{listen}{}",
                config.http.path
            ),
        ),
        Ok(_) => Check::ok(ID, format!("{robot} 可达"), format!("{robot} answers")),
        Err(error) => Check::failed(
            ID,
            format!("{robot} 不可达：{}", error.message),
            format!("{robot} does not answer: {}", error.message),
        )
        .todo("检查域名、证书、防火墙和隧道", "look at name, certificate, firewall and tunnel"),
    }
}

fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let ends = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
            name == "localhost" || !name.contains('.') || ends.iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(ip)) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
        }
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_outside_reaches_are_known() {
        for (url, private) in [
            ("https://bot.example.com/dingtalk", false),
            ("https://203.0.113.7", false),
            ("https://100.128.0.1", false),
            ("https://localhost:8787", true),
            ("https://printer/", true),
            ("https://nas.local", true),
            ("https://10.0.0.5", true),
            ("https://100.100.0.1", true),
            ("https://[fd00::1]", true),
            ("https://[::1]", true),
        ] {
            assert_eq!(is_private(&Url::parse(url).unwrap()), private, "{url}");
        }
    }
}
