//! F3: who is not DingTalk by certificate is told nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use super::super::process::{bare, settings};
use super::super::stage::Setup;

/// A certificate that nobody signed, for `name`, good until `year`; none: no TLS at all.
fn server(certificate: Option<(&str, i32)>) -> (u16, Receiver<Vec<u8>>) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = certificate.map(|(name, year)| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.self_signed(&key).unwrap().der().clone()];
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
    for certificate in
        [Some(("localhost", 2090)), Some(("localhost", 2021)), Some(("evil.example", 2090)), None]
    {
        let stage = Setup::new().stage().await;
        let (port, told) = server(certificate);
        let file = settings(&stage);
        let text = fs::read_to_string(&file).unwrap();
        let base = format!("api_base = {:?}", stage.sim.api_base());
        assert!(text.contains(&base), "{text}");
        fs::write(&file, text.replace(&base, &format!("api_base = \"https://localhost:{port}\"")))
            .unwrap();
        let mut run = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
        let mut child = run.args(["run", "--config"]).arg(&file).spawn().unwrap();
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
        assert!(
            !words.contains("POST") && !words.contains(&*stage.sim.client_secret()),
            "{certificate:?}: {words}"
        );
        assert!(certificate.is_none() || heard.is_empty(), "{certificate:?}: {words}");
        assert!(!stage.look(|seen| seen.state.bot.connected));
    }
}
