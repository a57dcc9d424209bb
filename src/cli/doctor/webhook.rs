//! The address that DingTalk calls in HTTP mode and the certificate there, as far as they can be judged from here.

use url::{Host, Url};

use super::Facts;
use super::check::{Check, Page};
use crate::cli::errors;
use crate::config::{Config, Mode};
use crate::dingtalk::{Answered, Client};
use crate::transport::{OpenError, Unfit, look_at_certificate};
use crate::words::doctor::webhook as w;

/// Whether the certificate that is shown to DingTalk can be used, where TLS ends here.
pub(super) fn certificate(config: &Config) -> Check {
    const ID: &str = "certificate";
    if config.dingtalk.mode == Mode::Stream {
        return Check::skipped(ID, w::stream_has_no_certificate);
    }
    let Some(files) = &config.http.tls else { return Check::skipped(ID, w::tls_elsewhere) };
    let url = config.http.public_url.as_ref();
    let name = url.and_then(Url::host_str).unwrap_or_default();
    let name = name.trim_matches(['[', ']']);
    match look_at_certificate(files, (!name.is_empty()).then_some(name)) {
        Ok(fit) if !fit.bears_name => {
            let file = files.cert.to_string_lossy();
            Check::warning(ID, |lang| w::other_name(&file, name, lang)).todo(w::take_name)
        }
        Ok(fit) if fit.ends_soon => {
            Check::warning(ID, |lang| w::ends_soon(&fit.until, lang)).todo(w::renew)
        }
        Ok(fit) => Check::ok(ID, |lang| w::good_until(&fit.until, lang)),
        Err(OpenError::Certificate { file, reason }) => unfit(ID, &file.to_string_lossy(), &reason),
        Err(error) => Check::failed(ID, |_| error.to_string()).todo(w::take_pair),
    }
}

fn unfit(id: &'static str, file: &str, reason: &Unfit) -> Check {
    let why = reason.to_string();
    match reason {
        Unfit::Expired(_) => {
            Check::failed(id, |lang| w::expired(file, &reason.when(), lang)).todo(w::renew)
        }
        Unfit::Early(_) => {
            Check::failed(id, |lang| w::early(file, &reason.when(), lang)).todo(w::check_clock)
        }
        Unfit::Foreign(cert) => {
            Check::failed(id, |lang| w::other_key(file, &cert.to_string_lossy(), lang))
                .todo(w::take_pair)
        }
        Unfit::Key(error) => {
            Check::failed(id, |lang| w::no_key(file, error, lang)).todo(w::take_pair)
        }
        Unfit::Unreadable(error) | Unfit::Other(error) => {
            Check::failed(id, |lang| w::unreadable(file, error, lang)).todo(w::take_pair)
        }
        Unfit::Garbled | Unfit::Empty => {
            Check::failed(id, |lang| w::unreadable(file, &why, lang)).todo(w::take_pair)
        }
    }
}

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
            .todo(errors::other_address(error.kind()).unwrap_or(w::other_port));
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
        // A call without a body of a kind that DingTalk does not make: moonbell says 405, and few others do.
        Ok(Answered { status: 405, .. }) => Check::ok(ID, |lang| w::works(address, lang)),
        Ok(Answered { status, leads_to }) => {
            let here = format!("http://{listen}{}", config.http.path);
            let check = match leads_to {
                Some(to) => Check::failed(ID, |lang| w::sends_on(address, &to, lang)),
                None => Check::failed(ID, |lang| w::leads_elsewhere(address, status, lang)),
            };
            check.todo(|lang| w::lead_here(&here, lang))
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
