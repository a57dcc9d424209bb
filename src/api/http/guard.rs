//! Which addresses scripts may call: public ones, and those that the owner granted.
//!
//! Names are resolved once, each address is checked, and the connection goes to exactly those: a name that changes its
//! mind between the look and the call leads nowhere. Each redirect is checked like a first call.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Addresses beside the public ones: `host` or `host:port`, as a URL says them.
#[derive(Clone, Debug, Default)]
pub struct Network {
    granted: Arc<[String]>,
    /// Whether what was not granted is called by `https` only.
    encrypted: bool,
    /// Where the host itself listens: granted to nobody.
    own: OwnPorts,
    lookup: Lookup,
}

/// Ports of this computer on which the host itself listens, as far as they are known yet. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct OwnPorts(Arc<RwLock<Vec<u16>>>);

impl OwnPorts {
    /// Adds some.
    pub fn extend(&self, ports: impl IntoIterator<Item = u16>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(ports);
    }

    fn contains(&self, port: u16) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&port)
    }
}

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// How names become addresses: by the system, unless a test says otherwise.
#[derive(Clone)]
struct Lookup(Arc<dyn Fn(String) -> Found + Send + Sync>);

impl Default for Lookup {
    fn default() -> Self {
        Self(Arc::new(|name| -> Found {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        }))
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// An address of this computer or of a private network.
    Private(String),
    /// Without encryption, where there has to be some.
    Plain(String),
    /// Where moonbell itself listens.
    Own(String),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(host) => {
                write!(f, "`{host}` is an address of this computer or of a private network")
            }
            Self::Plain(host) => write!(f, "`{host}` would be called without encryption"),
            Self::Own(host) => write!(f, "`{host}` is moonbell itself"),
        }
    }
}

impl std::error::Error for Denied {}

impl Network {
    /// Grants `host` (every port of it) or `host:port`.
    pub fn granting(hosts: impl IntoIterator<Item = String>) -> Self {
        let granted = hosts.into_iter().map(|host| host.to_lowercase()).collect();
        Self { granted, ..Self::default() }
    }

    /// The same, where nobody calls these ports of this computer, whatever was granted.
    #[must_use]
    pub fn except(self, own: OwnPorts) -> Self {
        Self { own, ..self }
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

    /// Checks that a call does not go to the host itself. Asked before each, for it takes the port, which [`Resolve`] is not
    /// told.
    ///
    /// # Errors
    /// When it does.
    pub(super) async fn check_own(&self, url: &Url) -> Result<(), Denied> {
        let port = url.port_or_known_default().unwrap_or(0);
        if !self.own.contains(port) {
            return Ok(());
        }
        let is_here = |address: IpAddr| {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        };
        let here = match url.host() {
            None => false,
            Some(Host::Ipv4(address)) => is_here(address.into()),
            Some(Host::Ipv6(address)) => is_here(address.into()),
            // A name that cannot be looked up leads nowhere.
            Some(Host::Domain(name)) => (self.lookup.0)(name.to_owned())
                .await
                .is_ok_and(|found| found.iter().any(|address| is_here(address.ip()))),
        };
        if here {
            return Err(Denied::Own(format!("{}:{port}", url.host_str().unwrap_or_default())));
        }
        Ok(())
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
            let found = (network.lookup.0)(name.clone()).await?;
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
    fn g1_private_addresses_are_refused_however_they_are_written() {
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

    /// A network in which `name` has these addresses, one list after another, the last for ever.
    fn answering(network: Network, answers: Vec<Vec<&'static str>>) -> Network {
        let answers = Arc::new(std::sync::Mutex::new(std::collections::VecDeque::from(answers)));
        let lookup = Lookup(Arc::new(move |_| -> Found {
            let mut answers = answers.lock().unwrap();
            let answer =
                if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
            let addresses = answer.unwrap_or_default().into_iter();
            let found = addresses.map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
            Box::pin(async move { Ok(found) })
        }));
        Network { lookup, ..network }
    }

    #[tokio::test]
    async fn g2_a_name_is_judged_by_the_addresses_that_are_called_each_time_anew() {
        let resolve = async |network: &Network| {
            let found = network.resolve("rebind.example".parse::<Name>().unwrap()).await;
            found.map(|found| found.map(|address| address.ip().to_string()).collect::<Vec<_>>())
        };
        // Public at first, this computer at the second look.
        let network =
            answering(Network::default(), vec![vec!["1.1.1.1"], vec!["127.0.0.1"], vec!["::1"]]);
        assert_eq!(resolve(&network).await.unwrap(), ["1.1.1.1"]);
        for _ in 0..3 {
            let error = resolve(&network).await.unwrap_err();
            assert!(error.downcast_ref::<Denied>().is_some(), "{error}");
        }
        // One inside among those outside, and aliases of both families.
        for answer in [
            vec!["1.1.1.1", "10.0.0.1"],
            vec!["::ffff:127.0.0.1"],
            vec!["fe80::1"],
            vec!["169.254.169.254"],
            vec!["0.0.0.0"],
        ] {
            let network = answering(Network::default(), vec![answer.clone()]);
            assert!(resolve(&network).await.is_err(), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn g2_a_call_connects_to_the_address_that_was_checked_and_looks_no_name_up_twice() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let granted = Network::granting([format!("here.example:{port}")]);
        // A second look would lead elsewhere.
        let network = answering(granted, vec![vec!["127.0.0.1"], vec!["192.0.2.1"]]);
        let client = super::super::call::client(&network).unwrap();
        let call = client.get(format!("http://here.example:{port}/")).send();
        let serve = async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = server.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        };
        let (answer, ()) = tokio::join!(call, serve);
        assert_eq!(answer.unwrap().status(), 204);
    }

    #[tokio::test]
    async fn g4_the_host_itself_is_called_by_nobody_whatever_was_granted() {
        let own = OwnPorts::default();
        own.extend([7878]);
        let granted = ["127.0.0.1", "localhost", "[::1]", "me.example:7878", "nas.example"];
        let granted = Network::granting(granted.map(str::to_owned)).except(own);
        let here = answering(granted.clone(), vec![vec!["127.0.0.1"]]);
        for text in [
            "http://127.0.0.1:7878/",
            "http://127.1:7878/",
            "http://0:7878/",
            "http://[::1]:7878/",
            "http://[::ffff:127.0.0.1]:7878/",
            "http://localhost:7878/",
            "http://me.example:7878/",
        ] {
            assert!(here.check_own(&url(text)).await.is_err(), "{text}");
        }
        assert!(here.check_own(&url("http://127.0.0.1:7879/")).await.is_ok());
        // The same port of another computer is another matter.
        let elsewhere = answering(granted, vec![vec!["10.0.0.7"]]);
        assert!(elsewhere.check_own(&url("http://nas.example:7878/")).await.is_ok());
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
