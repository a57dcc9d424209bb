//! F3: who is not DingTalk by certificate is told nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use super::super::process::{bare, settings};
use super::super::stage::Setup;

/// Whom this computer trusts.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }
}

/// What a server shows.
#[derive(Clone, Copy, Debug)]
enum Shows {
    /// Signed by the authority, for this name, good until this year.
    Signed(&'static str, i32),
    /// The same, signed by nobody.
    Alone(&'static str, i32),
    /// No TLS at all.
    Nothing,
}

fn server(authority: &Authority, shows: Shows) -> (u16, Receiver<Vec<u8>>) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let certificate = match shows {
        Shows::Signed(name, year) => Some((name, year, true)),
        Shows::Alone(name, year) => Some((name, year, false)),
        Shows::Nothing => None,
    };
    let config = certificate.map(|(name, year, signed)| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        // Not for longer than verifiers of some systems allow.
        params.not_before = date_time_ymd(year - 1, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = if signed {
            params.signed_by(&key, &authority.issuer).unwrap()
        } else {
            params.self_signed(&key).unwrap()
        };
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Arc::new(
            ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap(),
        )
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, told) = channel();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            if !serve(socket, config.as_ref(), &heard) {
                break;
            }
        }
    });
    (port, told)
}

/// Tells what the caller said once it believed; `false`: nobody listens any more.
fn serve(
    mut socket: TcpStream,
    config: Option<&Arc<ServerConfig>>,
    heard: &Sender<Vec<u8>>,
) -> bool {
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut said = vec![0; 4096];
    let read = match config {
        Some(config) => {
            let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
            Stream::new(&mut connection, &mut socket).read(&mut said)
        }
        None => {
            let read = socket.read(&mut said);
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
            read
        }
    };
    said.truncate(read.unwrap_or(0));
    heard.send(said).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_who_has_no_certificate_that_is_trusted_is_told_nothing() {
    let authority = Authority::new();
    let year = chrono::Datelike::year(&chrono::Utc::now()) + 1;
    let shown = [
        // The one that is good shows that each of the others can be told apart from it.
        (Shows::Signed("localhost", year), true),
        (Shows::Signed("localhost", year - 2), false),
        (Shows::Signed("evil.example", year), false),
        (Shows::Alone("localhost", year), false),
        (Shows::Nothing, false),
    ];
    for (shows, trusted) in shown {
        let stage = Setup::new().stage().await;
        let (port, told) = server(&authority, shows);
        let file = settings(&stage);
        let text = fs::read_to_string(&file).unwrap();
        let base = format!("api_base = {:?}", stage.sim.api_base());
        assert!(text.contains(&base), "{text}");
        fs::write(&file, text.replace(&base, &format!("api_base = \"https://localhost:{port}\"")))
            .unwrap();
        let trust = stage.path("trust.pem");
        fs::write(&trust, &authority.pem).unwrap();
        let mut run = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
        run.env("SSL_CERT_FILE", &trust).args(["run", "--config"]).arg(&file);
        let mut child = run.spawn().unwrap();
        let heard =
            tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_mins(1)).unwrap());
        let heard = heard.await.unwrap();
        stage
            .until_true("it says that there is no connection", || {
                stage.lines("err").iter().any(|line| line.contains("no connection"))
            })
            .await;
        child.kill().unwrap();
        child.wait().unwrap();
        let words = String::from_utf8_lossy(&heard);
        assert_eq!(words.contains("POST"), trusted, "{shows:?}: {words}");
        if !trusted {
            assert!(!words.contains(&*stage.sim.client_secret()), "{shows:?}: {words}");
            assert!(heard.is_empty() || matches!(shows, Shows::Nothing), "{shows:?}: {words}");
        }
        assert!(!stage.look(|seen| seen.state.bot.connected));
    }
}
