//! The way to DingTalk leads through a proxy, for calls and for the WebSocket alike.

use super::process::{HostProcess, command};
use super::proxy::{Manner, Proxy};
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
