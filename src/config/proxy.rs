//! The proxy on the way to DingTalk: what the setting says, and which hosts are reached without it.
//!
//! Explicit, because variables of the environment are often there for other programs, and a proxy that lets web pages
//! through may cut a WebSocket: `"environment"` takes them for whoever means them.

use std::ffi::OsString;
use std::fmt;

use url::{Host, Url};

use super::Secret;
use crate::words::Lang;
use crate::words::config::values as w;

/// In this order, as most programs do; a small letter wins over a capital one.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// A proxy, with all that is needed to go through it. Its `Display` is its address, without user and password.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub kind: ProxyKind,
    /// Without brackets.
    pub host: String,
    pub port: u16,
    pub login: Option<(String, Secret)>,
    /// Of `NO_PROXY`: hosts that are reached directly.
    direct: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP CONNECT.
    Http,
    /// The same, inside TLS.
    Https,
    /// SOCKS 5; the proxy looks names up.
    Socks,
}

impl ProxyKind {
    fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks => "socks5h",
        }
    }
}

/// What is wrong with the address of a proxy. Never quotes it: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError {
    NoAddress,
    Scheme,
    Rest,
    NoHost,
    User,
    Password,
    LoginLength,
}

impl ProxyError {
    pub fn text(self, lang: Lang) -> &'static str {
        let says = match self {
            Self::NoAddress => w::no_address,
            Self::Scheme => w::no_scheme_of_proxies,
            Self::Rest => w::something_follows,
            Self::NoHost => w::names_no_host,
            Self::User => w::user_not_utf8,
            Self::Password => w::password_not_utf8,
            Self::LoginLength => w::login_too_long,
        };
        says(lang)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.kind.scheme(), &self.host, self.port);
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl Proxy {
    /// Reads `http://user:password@proxy.example:3128` and its like.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        // As variables of the environment have it, often without a scheme.
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&whole).map_err(|_| ProxyError::NoAddress)?;
        let (kind, usual_port) = match url.scheme() {
            "http" => (ProxyKind::Http, 80),
            "https" => (ProxyKind::Https, 443),
            "socks5" | "socks5h" => (ProxyKind::Socks, 1080),
            _ => return Err(ProxyError::Scheme),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Rest);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            _ => return Err(ProxyError::NoHost),
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let plain = |text: &str| {
                    percent_encoding::percent_decode_str(text).decode_utf8().map(String::from)
                };
                let user = plain(user).map_err(|_| ProxyError::User)?;
                let password = plain(password.unwrap_or_default());
                let password = password.map_err(|_| ProxyError::Password)?;
                if user.len() > 255 || password.len() > 255 {
                    return Err(ProxyError::LoginLength);
                }
                Some((user, Secret::new(password)))
            }
        };
        let port = url.port().unwrap_or(usual_port);
        Ok(Self { kind, host, port, login, direct: Vec::new() })
    }

    /// What the environment names, and the variable that does; `None`: nothing.
    ///
    /// # Errors
    /// The variable, and what is wrong with it.
    pub fn from_environment(
        environment: &[(OsString, OsString)],
    ) -> Result<Option<Self>, (&'static str, ProxyError)> {
        let get = |name: &str| {
            let found = environment.iter().find(|(key, _)| key == name);
            found.and_then(|(_, value)| value.to_str()).map(str::trim).filter(|v| !v.is_empty())
        };
        let named = VARIABLES.into_iter().find_map(|name| Some((name, get(name)?)));
        let Some((name, text)) = named else { return Ok(None) };
        let mut proxy = Self::parse(text).map_err(|why| (name, why))?;
        let direct = get("no_proxy").or_else(|| get("NO_PROXY")).unwrap_or_default();
        proxy.direct = direct
            .split(',')
            .map(|host| host.trim().trim_start_matches("*.").trim_start_matches('.'))
            .filter(|host| !host.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        Ok(Some(proxy))
    }

    /// Whether the way to `url` leads through it.
    pub fn covers(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let named = |direct: &String| {
            direct == "*"
                || *direct == host
                || host.strip_suffix(direct.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        !self.direct.iter().any(named)
    }

    /// With user and password: for the wire, never for text that a person reads.
    pub fn url(&self) -> Option<Url> {
        let mut url = Url::parse(&self.to_string()).ok()?;
        if let Some((user, password)) = &self.login {
            url.set_username(user).ok()?;
            url.set_password(Some(password.expose())).ok()?;
        }
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_password() {
        for (text, shown) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("https://proxy.example", "https://proxy.example:443"),
            ("socks5://ann:s3cret%40home@[::1]", "socks5h://[::1]:1080"),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert!(!format!("{proxy:?}").contains("s3cret"), "{proxy:?}");
        }
        let (user, password) = Proxy::parse("socks5://ann:s3cret%40home@a").unwrap().login.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("ann", "s3cret@home"));
        for wrong in ["ftp://a", "http://", "http://a/b", "http://a?x", "socks4://a", " "] {
            assert!(Proxy::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_environment_names_a_proxy_and_what_is_reached_without_it() {
        let environment = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
            pairs.collect::<Vec<_>>()
        };
        let none = environment(&[("HTTP_PROXY", "http://other:1"), ("https_proxy", " ")]);
        assert!(Proxy::from_environment(&none).unwrap().is_none());
        let set = environment(&[
            ("ALL_PROXY", "socks5://all:1"),
            ("HTTPS_PROXY", "http://big:2"),
            ("https_proxy", "http://small:3"),
            ("NO_PROXY", "localhost, .dingtalk.io,*.corp.example,10.0.0.1"),
        ]);
        let proxy = Proxy::from_environment(&set).unwrap().unwrap();
        assert_eq!(proxy.to_string(), "http://small:3");
        for (url, covered) in [
            ("https://api.dingtalk.com/v1.0", true),
            ("https://api.dingtalk.io/v1.0", false),
            ("https://notdingtalk.io", true),
            ("wss://a.b.corp.example", false),
            ("http://10.0.0.1:80", false),
            ("http://localhost", false),
        ] {
            assert_eq!(proxy.covers(&Url::parse(url).unwrap()), covered, "{url}");
        }
        let wrong = environment(&[("all_proxy", "gopher://x")]);
        assert_eq!(Proxy::from_environment(&wrong).unwrap_err().0, "all_proxy");
    }
}
