//! A small real proxy on loopback: HTTP (CONNECT, and addresses in full) and SOCKS 5 on one port, with manners to choose; and the
//! same HTTP inside TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How it treats who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    Open,
    Login(&'static str, &'static str),
    /// Lets nobody through.
    Refuses,
    /// Takes connections and says nothing.
    Silent,
    /// Knows where that host is.
    LeadsTo(&'static str, SocketAddr),
}

/// What a proxy of `https://` shows.
pub(super) struct Certificate {
    /// Whoever trusts this one (PEM) trusts the proxy.
    pub(super) authority: String,
    pub(super) acceptor: TlsAcceptor,
}

impl Certificate {
    /// For the host `name`, good until `year`, signed by an authority of its own.
    pub(super) fn new(name: &str, year: i32) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another one has another name, or its signature would seem to be a forged one of this.
        let name_of_root = uuid::Uuid::new_v4().to_string();
        root.distinguished_name.push(rcgen::DnType::CommonName, name_of_root);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.signed_by(&key, &root).unwrap().der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        Self { authority: root.pem(), acceptor: TlsAcceptor::from(Arc::new(config.unwrap())) }
    }
}

/// Dropping it ends it, and every connection through it.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::serving(manner, None).await
    }

    /// Speaks HTTP inside TLS, and nothing else.
    pub(super) async fn start_tls(manner: Manner, certificate: &Certificate) -> Self {
        Self::serving(manner, Some(certificate.acceptor.clone())).await
    }

    async fn serving(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let mut serving = JoinSet::new();
        let noted = Arc::clone(&asked);
        serving.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (noted, tls) = (Arc::clone(&noted), tls.clone());
                clients.spawn(async move {
                    let _ = match tls {
                        None => serve(client, manner, &noted).await,
                        Some(tls) => match tls.accept(client).await {
                            Ok(client) => http(client, manner, &noted).await,
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Self { address, asked, _serving: serving }
    }

    /// `scheme://login127.0.0.1:port`
    pub(super) fn url(&self, scheme: &str, login: &str) -> String {
        format!("{scheme}://{login}{}", self.address)
    }

    /// What it was asked for and let through: `CONNECT host:port`, `POST http://…`, `SOCKS host:port`.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut client: TcpStream,
    manner: Manner,
    noted: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    if matches!(manner, Manner::Silent) {
        // Until whoever asked goes away.
        let mut sink = [0; 1024];
        while client.read(&mut sink).await? > 0 {}
        return Ok(());
    }
    let mut first = [0];
    client.peek(&mut first).await?;
    if first[0] == 5 {
        socks(client, manner, noted).await
    } else {
        http(client, manner, noted).await
    }
}

async fn http(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    noted: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let refusal = match manner {
        Manner::Refuses => Some("403 Forbidden"),
        Manner::Login(user, password) => {
            let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            let given = text.lines().any(|line| {
                line.to_ascii_lowercase().starts_with("proxy-authorization:")
                    && line.ends_with(&wanted)
            });
            (!given).then_some("407 Proxy Authentication Required")
        }
        Manner::Open | Manner::Silent | Manner::LeadsTo(..) => None,
    };
    if let Some(refusal) = refusal {
        let answer =
            format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        client.write_all(answer.as_bytes()).await?;
        return client.shutdown().await;
    }
    let mut words = text.split(' ');
    let (verb, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    noted.lock().unwrap().push(format!("{verb} {target}"));
    if verb == "CONNECT" {
        let name = target.split(':').next();
        let mut host = match manner {
            Manner::LeadsTo(host, there) if name == Some(host) => TcpStream::connect(there).await?,
            _ => TcpStream::connect(target).await?,
        };
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut host).await?;
    } else {
        // The address in full is understood by the host too.
        let authority = target.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let mut host = TcpStream::connect(authority).await?;
        host.write_all(&head).await?;
        copy_bidirectional(&mut client, &mut host).await?;
    }
    Ok(())
}

async fn socks(
    mut client: TcpStream,
    manner: Manner,
    noted: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (_, count) = (client.read_u8().await?, client.read_u8().await?);
    let mut methods = vec![0; usize::from(count)];
    client.read_exact(&mut methods).await?;
    if let Manner::Login(user, password) = manner {
        if !methods.contains(&2) {
            return client.write_all(&[5, 0xff]).await;
        }
        client.write_all(&[5, 2]).await?;
        let _version = client.read_u8().await?;
        let mut given = Vec::new();
        for _ in 0..2 {
            let mut part = vec![0; usize::from(client.read_u8().await?)];
            client.read_exact(&mut part).await?;
            given.push(part);
        }
        let right = given == [user.as_bytes(), password.as_bytes()];
        client.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return Ok(());
        }
    } else {
        client.write_all(&[5, 0]).await?;
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => {
            let mut ip = [0; 4];
            client.read_exact(&mut ip).await?;
            std::net::Ipv4Addr::from(ip).to_string()
        }
        _ => {
            let mut name = vec![0; usize::from(client.read_u8().await?)];
            client.read_exact(&mut name).await?;
            String::from_utf8(name).unwrap_or_default()
        }
    };
    let port = client.read_u16().await?;
    if matches!(manner, Manner::Refuses) {
        return client.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
    noted.lock().unwrap().push(format!("SOCKS {host}:{port}"));
    let mut host = TcpStream::connect((host.as_str(), port)).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut host).await?;
    Ok(())
}
