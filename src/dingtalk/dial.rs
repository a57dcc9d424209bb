//! A connection to a host, directly or through the proxy of the settings: what the WebSocket is opened on.
//!
//! REST calls have `reqwest` for this, which tells less of why a proxy said no; so whoever looks for what is wrong asks
//! here.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;
use tokio_tungstenite::MaybeTlsStream;
use url::{Host, Url};

use super::certificate::distrust;
use super::client::{Client, install_crypto};
use crate::config::{Proxy, ProxyKind};
use crate::words::Lang;
use crate::words::dingtalk as w;
use crate::words::network;

/// Bytes to and from a host; inside TLS where that is how its proxy is spoken to.
pub type Wire = MaybeTlsStream<TcpStream>;

/// A proxy that has not let through by then will not.
const PATIENCE: Duration = Duration::from_secs(10);

/// The head of a proxy's answer is a few hundred bytes.
const ANSWER_BYTES: usize = 16 << 10;

/// Why there is no connection. Holds no password. `Display` is English, as the log has it.
#[derive(Debug)]
pub enum DialError {
    Direct(io::Error),
    Unreachable { proxy: String, cause: io::Error },
    Untrusted { proxy: String, reason: String },
    Silent { proxy: String },
    NoLogin { proxy: String },
    WrongLogin { proxy: String },
    Refused { proxy: String, host: String, reason: String },
    Foreign { proxy: String, reason: String },
}

impl std::error::Error for DialError {}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl DialError {
    pub fn text(&self, lang: Lang) -> String {
        let told = |reason: &str| network::retold(reason, lang);
        match self {
            Self::Direct(cause) => cause.to_string(),
            Self::Unreachable { proxy, cause } => {
                w::proxy_unreachable(proxy, &told(&cause.to_string()), lang)
            }
            Self::Untrusted { proxy, reason } => w::proxy_untrusted(proxy, &told(reason), lang),
            Self::Silent { proxy } => {
                w::proxy_did_not_answer(proxy, &PATIENCE.as_secs().to_string(), lang)
            }
            Self::NoLogin { proxy } => w::proxy_wants_login(proxy, lang),
            Self::WrongLogin { proxy } => w::proxy_refuses_login(proxy, lang),
            Self::Refused { proxy, host, reason } => w::proxy_refuses(proxy, host, reason, lang),
            Self::Foreign { proxy, reason } => w::no_such_proxy(proxy, &told(reason), lang),
        }
    }

    /// The reader's next step.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint_in(Lang::En)
    }

    pub fn hint_in(&self, lang: Lang) -> Option<&'static str> {
        let says = match self {
            Self::Direct(_) => return None,
            Self::Unreachable { .. } | Self::Silent { .. } => w::check_the_proxy,
            Self::Untrusted { .. } => w::trust_the_proxy,
            Self::NoLogin { .. } | Self::WrongLogin { .. } => w::login_to_the_proxy,
            Self::Refused { .. } => w::ask_the_proxy,
            Self::Foreign { .. } => w::kind_of_proxy,
        };
        Some(says(lang))
    }
}

impl Client {
    /// Opens a connection to the host of `url`; what is spoken on it is the caller's.
    ///
    /// # Errors
    /// As [`DialError`] tells them apart. A host that does not answer at all is left to the caller's deadline.
    pub async fn dial(&self, url: &Url) -> Result<Wire, DialError> {
        let (host, port) = target(url);
        let Some(proxy) = self.proxy().filter(|proxy| proxy.covers(url)) else {
            let tcp = TcpStream::connect((host.as_str(), port)).await;
            return Ok(MaybeTlsStream::Plain(quick(tcp.map_err(DialError::Direct)?)));
        };
        match tokio::time::timeout(PATIENCE, Box::pin(through(proxy, &host, port))).await {
            Ok(wire) => wire,
            Err(_) => Err(DialError::Silent { proxy: proxy.to_string() }),
        }
    }
}

fn target(url: &Url) -> (String, u16) {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        None => String::new(),
    };
    (host, url.port_or_known_default().unwrap_or(443))
}

/// Frames are small, and each is waited for.
fn quick(tcp: TcpStream) -> TcpStream {
    let _ = tcp.set_nodelay(true);
    tcp
}

async fn through(proxy: &Proxy, host: &str, port: u16) -> Result<Wire, DialError> {
    let unreachable = |cause| DialError::Unreachable { proxy: proxy.to_string(), cause };
    let tcp = TcpStream::connect((proxy.host.as_str(), proxy.port)).await.map_err(unreachable)?;
    let tcp = quick(tcp);
    match proxy.kind {
        ProxyKind::Http => Ok(MaybeTlsStream::Plain(tunnel(tcp, proxy, host, port).await?)),
        ProxyKind::Https => {
            let name = ServerName::try_from(proxy.host.clone())
                .map_err(|error| unreachable(io::Error::other(error)))?;
            let tls = TlsConnector::from(trust().map_err(unreachable)?);
            let tls = tls.connect(name, tcp).await.map_err(|cause| match distrust(&cause) {
                Some(reason) => DialError::Untrusted { proxy: proxy.to_string(), reason },
                None => unreachable(cause),
            })?;
            Ok(MaybeTlsStream::Rustls(tunnel(tls, proxy, host, port).await?))
        }
        ProxyKind::Socks => socks(tcp, proxy, host, port).await.map(MaybeTlsStream::Plain),
    }
}

/// What this computer trusts.
fn trust() -> io::Result<Arc<ClientConfig>> {
    install_crypto();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(io::Error::other(network::no_roots(Lang::En)));
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// Asks for a tunnel with `CONNECT`.
async fn tunnel<S>(mut wire: S, proxy: &Proxy, host: &str, port: u16) -> Result<S, DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |cause: io::Error| DialError::Foreign {
        proxy: proxy.to_string(),
        reason: network::proxy_broke(&cause.to_string(), Lang::En),
    };
    let name =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut request = format!("CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n");
    if let Some((user, password)) = &proxy.login {
        let login = STANDARD.encode(format!("{user}:{}", password.expose()));
        let _ = write!(request, "Proxy-Authorization: Basic {login}\r\n");
    }
    request.push_str("\r\n");
    wire.write_all(request.as_bytes()).await.map_err(broken)?;
    wire.flush().await.map_err(broken)?;
    // Byte by byte: what follows the head is the host's. Nothing does before we speak, but that is for it to decide.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match wire.read_u8().await {
            Ok(byte) if head.len() < ANSWER_BYTES => head.push(byte),
            Ok(_) => return Err(broken(io::Error::other(network::endless_answer(Lang::En)))),
            Err(cause) => return Err(broken(cause)),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    let answer = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split_once(' '));
    let Some((_, answer)) = answer else {
        return Err(DialError::Foreign {
            proxy: proxy.to_string(),
            reason: network::no_http(Lang::En).to_owned(),
        });
    };
    let proxy_name = proxy.to_string();
    match answer.split(' ').next().unwrap_or_default() {
        "200" => Ok(wire),
        "407" if proxy.login.is_some() => Err(DialError::WrongLogin { proxy: proxy_name }),
        "407" => Err(DialError::NoLogin { proxy: proxy_name }),
        _ => {
            let reason = answer.chars().filter(|c| !c.is_control()).take(80).collect();
            Err(DialError::Refused { proxy: proxy_name, host: host.to_owned(), reason })
        }
    }
}

async fn socks(
    tcp: TcpStream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<TcpStream, DialError> {
    let connected = match &proxy.login {
        Some((user, password)) => {
            let password = password.expose();
            Socks5Stream::connect_with_password_and_socket(tcp, (host, port), user, password).await
        }
        None => Socks5Stream::connect_with_socket(tcp, (host, port)).await,
    };
    connected.map(Socks5Stream::into_inner).map_err(|error| {
        let proxy_name = proxy.to_string();
        match error {
            Error::NoAcceptableAuthMethods | Error::AuthorizationRequired
                if proxy.login.is_none() =>
            {
                DialError::NoLogin { proxy: proxy_name }
            }
            Error::PasswordAuthFailure(_)
            | Error::NoAcceptableAuthMethods
            | Error::InvalidAuthValues(_) => DialError::WrongLogin { proxy: proxy_name },
            Error::Io(_)
            | Error::InvalidResponseVersion
            | Error::UnknownAuthMethod
            | Error::InvalidReservedByte
            | Error::UnknownAddressType => {
                DialError::Foreign { proxy: proxy_name, reason: error.to_string() }
            }
            _ => DialError::Refused {
                proxy: proxy_name,
                host: host.to_owned(),
                reason: error.to_string(),
            },
        }
    })
}
