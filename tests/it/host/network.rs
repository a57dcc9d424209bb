//! The way to DingTalk leads through a proxy, for calls and for the WebSocket alike.

use super::process::{HostProcess, command};
use super::proxy::{Certificate, Manner, Proxy};
use super::stage::{ALICE, Setup};

const LOGIN: Manner = Manner::Login("ann", "pass-word-of-ann");

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_the_websocket_go_through_the_proxy_of_the_settings() {
    for (scheme, login, manner) in [
        ("http", "", Manner::Open),
        ("http", "ann:pass-word-of-ann@", LOGIN),
        ("socks5", "", Manner::Open),
        ("socks5", "ann:pass-word-of-ann@", LOGIN),
    ] {
        let proxy = Proxy::start(manner).await;
        let stage = Setup::new().stage().await;
        let mut run = command(&stage);
        run.env("MOONBELL_NETWORK_PROXY", proxy.url(scheme, login));
        let host = HostProcess::started(run.spawn().unwrap(), stage).await;
        host.say(ALICE, "echo round the corner");
        host.until("it answers", |seen| seen.to(ALICE) == ["round the corner"]).await;
        let asked = proxy.asked();
        let sim = host.sim.api_base().trim_start_matches("http://").to_owned();
        if scheme == "http" {
            assert!(asked.contains(&format!("CONNECT {sim}")), "the socket: {asked:?}");
            let opened = format!("POST http://{sim}/v1.0/gateway/connections/open");
            assert!(asked.contains(&opened), "the call: {asked:?}");
        } else {
            let through = asked.iter().filter(|asked| **asked == format!("SOCKS {sim}")).count();
            assert!(through >= 2, "the call and the socket: {asked:?}");
        }
        assert!(!host.lines("err").join("\n").contains("pass-word-of-ann"), "it is a secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_inside_tls_carries_calls_and_the_websocket_and_its_password_stays_inside() {
    for (login, manner) in [("", Manner::Open), ("ann:pass-word-of-ann@", LOGIN)] {
        let certificate = Certificate::new("127.0.0.1", 2090);
        let proxy = Proxy::start_tls(manner, &certificate).await;
        let stage = Setup::new().stage().await;
        std::fs::write(stage.path("authority.pem"), &certificate.authority).unwrap();
        let mut run = command(&stage);
        run.env("MOONBELL_NETWORK_PROXY", proxy.url("https", login));
        run.env("SSL_CERT_FILE", stage.path("authority.pem"));
        let host = HostProcess::started(run.spawn().unwrap(), stage).await;
        host.say(ALICE, "echo under a cover");
        host.until("it answers", |seen| seen.to(ALICE) == ["under a cover"]).await;
        let asked = proxy.asked();
        let sim = host.sim.api_base().trim_start_matches("http://").to_owned();
        assert!(asked.contains(&format!("CONNECT {sim}")), "the socket: {asked:?}");
        let opened = format!("POST http://{sim}/v1.0/gateway/connections/open");
        assert!(asked.contains(&opened), "the call: {asked:?}");
        assert!(!host.lines("err").join("\n").contains("pass-word-of-ann"), "it is a secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_inside_tls_whose_certificate_is_wrong_is_told_nothing_and_that_is_said() {
    let stranger = Certificate::new("127.0.0.1", 2090);
    for (certificate, trusted, wanted) in [
        (&stranger, false, "nobody whom this computer trusts has signed it"),
        (&Certificate::new("proxy.example", 2090), true, "it is for another host"),
        (&Certificate::new("127.0.0.1", 2021), true, "it has expired"),
    ] {
        let proxy = Proxy::start_tls(LOGIN, certificate).await;
        let stage = Setup::new().stage().await;
        let other = Certificate::new("127.0.0.1", 2090);
        let trusts = if trusted { &certificate.authority } else { &other.authority };
        std::fs::write(stage.path("authority.pem"), trusts).unwrap();
        let mut run = command(&stage);
        run.env("MOONBELL_NETWORK_PROXY", proxy.url("https", "ann:pass-word-of-ann@"));
        run.env("SSL_CERT_FILE", stage.path("authority.pem"));
        let _host = Ends(run.spawn().unwrap());
        let status = stage
            .until_says(&["status"], |said| said.contains("backing off") && said.contains(wanted))
            .await;
        let named = format!("`{}`: its certificate is not trusted", proxy.url("https", ""));
        assert!(status.contains(&named), "{status}");
        assert_eq!(proxy.asked(), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_proxy_is_taken_only_when_the_settings_say_so() {
    let proxy = Proxy::start(Manner::Open).await;
    for (setting, taken) in [("none", false), ("environment", true)] {
        let before = proxy.asked().len();
        let stage = Setup::new().stage().await;
        let mut run = command(&stage);
        run.env("MOONBELL_NETWORK_PROXY", setting).env("HTTPS_PROXY", proxy.url("http", ""));
        let host = HostProcess::started(run.spawn().unwrap(), stage).await;
        assert_eq!(proxy.asked().len() > before, taken, "{setting}");
        drop(host);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_does_not_let_through_is_named_in_status() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refuses = Proxy::start(Manner::Refuses).await;
    let login = Proxy::start(LOGIN).await;
    let nobody = format!("http://{closed}");
    for (url, shown, wanted) in [
        (nobody.clone(), nobody, "refused"),
        (login.url("http", ""), login.url("http", ""), "password"),
        (login.url("socks5", "ann:wrong-word@"), login.url("socks5h", ""), "no connection through"),
        (refuses.url("http", ""), refuses.url("http", ""), "403"),
    ] {
        let stage = Setup::new().stage().await;
        let mut run = command(&stage);
        run.env("MOONBELL_NETWORK_PROXY", &url);
        let _host = Ends(run.spawn().unwrap());
        let status = stage
            .until_says(&["status"], |said| said.contains("backing off") && said.contains(wanted))
            .await;
        if wanted != "403" {
            assert!(status.contains(&format!("`{shown}`")), "{status}");
        }
        assert!(!status.contains("wrong-word"), "{status}");
    }
}

/// Ends the process with the test.
struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
