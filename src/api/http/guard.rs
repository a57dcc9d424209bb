//! Which addresses scripts may call: public ones, and those that the owner granted.
//!
//! Names are resolved once, each address is checked, and the connection goes to exactly those: a name that changes its
//! mind between the look and the call leads nowhere. Each redirect is checked like a first call.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Addresses beside the public ones: `host` or `host:port`, as a URL says them.
#[derive(Clone, Debug, Default)]
pub struct Network {
    granted: Arc<[String]>,
    /// Whether what was not granted is called by `https` only.
    encrypted: bool,
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// An address of this computer or of a private network.
    Private(String),
    /// Without encryption, where there has to be some.
    Plain(String),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(host) => {
                write!(f, "`{host}` is an address of this computer or of a private network")
            }
            Self::Plain(host) => write!(f, "`{host}` would be called without encryption"),
        }
    }
}

impl std::error::Error for Denied {}

impl Network {
    /// Grants `host` (every port of it) or `host:port`.
    pub fn granting(hosts: impl IntoIterator<Item = String>) -> Self {
        let granted = hosts.into_iter().map(|host| host.to_lowercase()).collect();
        Self { granted, encrypted: false }
    }

    /// The same, for files of DingTalk: everything else is called by `https` only.
    #[must_use]
    pub(crate) fn encrypted(self) -> Self {
        Self { encrypted: true, ..self }
    }

    /// Checks what can be told without looking a name up; the resolver does the rest.
    pub(super) fn check(&self, url: &Url) -> Result<(), Denied> {
        let Some(host) = url.host() else { return Err(Denied::Private(url.scheme().to_owned())) };
        let name = bare(&host.to_string());
        let port = url.port_or_known_default().unwrap_or(0);
        if self.granted.contains(&name) || self.granted.contains(&format!("{name}:{port}")) {
            return Ok(());
        }
        if self.encrypted && url.scheme() != "https" {
            return Err(Denied::Plain(name));
        }
        let refused = match host {
            Host::Ipv4(address) => !is_public(address.into()),
            Host::Ipv6(address) => !is_public(address.into()),
            // Another port of it was granted: the resolver, which knows no ports, would let it through.
            Host::Domain(_) => {
                self.knows(&name) || name == "localhost" || name.ends_with(".localhost")
            }
        };
        if refused { Err(Denied::Private(name)) } else { Ok(()) }
    }

    fn knows(&self, name: &str) -> bool {
        self.granted.iter().any(|granted| {
            granted == name
                || granted.rsplit_once(':').is_some_and(|(host, port)| {
                    host == name && port.bytes().all(|byte| byte.is_ascii_digit())
                })
        })
    }
}

/// `localhost.` is `localhost`.
fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

impl Resolve for Network {
    fn resolve(&self, name: Name) -> Resolving {
        let network = self.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let granted = network.knows(&bare(&name));
            // One private address among public ones is already an answer that nobody honest gives.
            if !granted && found.iter().any(|address| !is_public(address.ip())) {
                return Err(Denied::Private(name).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address belongs to the public Internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// 198.18.0.0/15 counts as public: local proxies answer with it for every name there is, and nothing else lives there.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || (a == 100 && (64..128).contains(&b)) // shared by providers; a cloud's metadata
        || (a, b, c) == (192, 0, 0)
        || address.is_documentation()
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Addresses of the old Internet in new clothes.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            inner(high, low)
        }
        [0x2002, high, low, ..] => inner(high, low),
        [0x2001, 0 | 0xdb8, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn private_addresses_are_refused_however_they_are_written() {
        let network = Network::default();
        for text in [
            "http://127.0.0.1/",
            "http://0/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://100.100.100.200/",
            "http://169.254.169.254/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://0177.0.0.1/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://localhost/",
            "http://a.localhost./",
        ] {
            assert!(network.check(&url(text)).is_err(), "{text}");
        }
        for text in [
            "http://1.1.1.1/",
            "http://[2606:4700::1111]/",
            "https://example.com/",
            "http://198.18.0.7/",
        ] {
            assert_eq!(network.check(&url(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_grant_is_for_a_host_or_for_one_port_of_it() {
        let network = Network::granting([
            "127.0.0.1:8080".to_owned(),
            "NAS.local".to_owned(),
            "localhost:1".to_owned(),
        ]);
        for (text, allowed) in [
            ("http://127.0.0.1:8080/x", true),
            ("http://127.0.0.1:8081/x", false),
            ("http://nas.local:99/", true),
            ("http://localhost:1/", true),
            ("http://localhost.:1/", true),
            ("http://localhost:2/", false),
        ] {
            assert_eq!(network.check(&url(text)).is_ok(), allowed, "{text}");
        }
    }
}
