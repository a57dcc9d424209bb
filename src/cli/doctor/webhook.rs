//! The address that DingTalk calls in HTTP mode, as far as it can be judged from here.

use url::{Host, Url};

use super::Facts;
use super::check::{Check, Page};
use crate::config::{Config, Mode};
use crate::dingtalk::Client;
use crate::words::doctor::webhook as w;

/// Whether DingTalk can find the address that it is to call, as far as that can be seen from here.
pub(super) async fn look(facts: &Facts, config: &Config) -> Check {
    const ID: &str = "webhook-url";
    if config.dingtalk.mode == Mode::Stream {
        return Check::skipped(ID, w::stream_has_none);
    }
    let listen = config.http.listen.to_string();
    if !facts.runs
        && let Err(error) = std::net::TcpListener::bind(config.http.listen)
    {
        return Check::failed(ID, |lang| w::taken(&listen, &error.to_string(), lang))
            .todo(w::other_port);
    }
    let Some(url) = &config.http.public_url else {
        return Check::failed(ID, w::not_set).todo(w::set_it).page(Page::Robot);
    };
    if is_private(url) {
        return Check::failed(ID, |lang| w::private(url.as_str(), lang))
            .todo(w::make_public)
            .page(Page::Robot);
    }
    let mut robot = url.clone();
    robot.set_path(&format!("{}/robot", url.path().trim_end_matches('/')));
    let address = robot.as_str();
    if !facts.runs {
        return Check::ok(ID, |lang| w::not_tried(address, lang));
    }
    let Ok(client) = Client::through(&config.dingtalk, config.proxy.as_ref()) else {
        return Check::after(ID, "tls");
    };
    match client.knock(&robot).await {
        // A call without a body of a kind that DingTalk does not make: moonbell, and nothing else, says 405.
        Ok(405) => Check::ok(ID, |lang| w::works(address, lang)),
        Ok(status) => {
            let here = format!("http://{listen}{}", config.http.path);
            Check::failed(ID, |lang| w::leads_elsewhere(address, status, lang))
                .todo(|lang| w::lead_here(&here, lang))
        }
        Err(error) => Check::failed(ID, |lang| w::silent(address, &error.message, lang))
            .todo(w::check_the_way),
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
