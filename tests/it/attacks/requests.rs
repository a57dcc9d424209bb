//! Group G: what a script of the real program calls when a chat tells it an address.

use std::fs;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::super::process::{HostProcess, mounted};
use super::super::stage::{ALICE, BOB, Setup, Stage};
use super::answer;
use crate::api_http::Servers;

const FETCH: &str = r#"
bot.match("^fetch (.*)$", { queue = "none" }, function(ctx)
    local headers = { Authorization = "Bearer t", ["X-Api-Key"] = "k" }
    local r, err = http.get(ctx.args[1], { timeout = "2s", max = 100000, headers = headers })
    if not r then return ctx:reply(err.kind) end
    local seen = r:json() or {}
    local function shown(it) return if it == json.null then "none" else it end
    ctx:reply(`{r.status} auth={shown(seen.auth)} key={shown(seen.key)}`)
end)
"#;

fn setup(granted: &[String]) -> Setup {
    let granted = format!("[scripts]\nprivate_hosts = {granted:?}");
    Setup::new().script("fetch.luau", FETCH).toml(&granted)
}

async fn fetch(host: &Stage, url: &str) -> String {
    answer(host, ALICE, &format!("fetch {url}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_no_address_from_a_chat_reaches_this_computer_or_its_network() {
    let servers = Servers::start().await;
    let host = setup(&[servers.first.to_string()]).spawn().await;
    let (first, second) = (servers.first, servers.second);
    let port = second.port();
    for url in [
        format!("http://{second}/echo"),
        format!("http://localhost:{port}/echo"),
        format!("http://localhost.:{port}/echo"),
        format!("http://LOCALHOST:{port}/echo"),
        format!("http://127.1:{port}/echo"),
        format!("http://0:{port}/echo"),
        format!("http://0.0.0.0:{port}/echo"),
        format!("http://0x7f000001:{port}/echo"),
        format!("http://2130706433:{port}/echo"),
        format!("http://0177.0.0.1:{port}/echo"),
        format!("http://[::1]:{port}/echo"),
        format!("http://[::]:{port}/echo"),
        format!("http://[::ffff:127.0.0.1]:{port}/echo"),
        "http://10.0.0.1/".to_owned(),
        "http://172.16.0.1/".to_owned(),
        "http://192.168.1.1/".to_owned(),
        "http://100.64.0.1/".to_owned(),
        "http://[fe80::1]/".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://100.100.100.200/latest/meta-data".to_owned(),
        // By way of a server that was granted.
        format!("http://{first}/to-metadata"),
        format!("http://{first}/to-other"),
        format!("http://{first}/to-name"),
    ] {
        assert_eq!(fetch(&host, &url).await, "denied", "{url}");
    }
    let log = host.lines("err").join("\n");
    assert!(!log.contains("Bearer t"), "{log}");
    assert!(fetch(&host, &format!("http://{first}/echo")).await.starts_with("200 "));
    host.stop().await;
}

/// A host that finds names in the file `hosts` of its stage alone; `None` where the system gives no namespaces.
async fn with_names(stage: Stage, names: &str) -> Option<HostProcess> {
    let hosts = stage.path("hosts");
    fs::write(&hosts, names).unwrap();
    mounted(stage, "mount --bind \"$1\" /etc/hosts", &hosts).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_a_name_is_looked_up_anew_each_time_and_leads_to_no_private_address() {
    let servers = Servers::start().await;
    let granted = format!("granted.example:{}", servers.first.port());
    let stage = setup(std::slice::from_ref(&granted)).stage().await;
    let names = "127.0.0.1 granted.example rebind.example\n";
    let Some(host) = with_names(stage, names).await else { return };
    // Its names come from that file.
    let said = fetch(&host, &format!("http://{granted}/echo")).await;
    assert!(said.starts_with("200 "), "{said}");
    let port = servers.second.port();
    for (n, private) in ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"].into_iter().enumerate()
    {
        fs::write(host.path("hosts"), format!("{private} rebind.example\n")).unwrap();
        let said = fetch(&host, &format!("http://rebind.example:{port}/echo?{n}")).await;
        assert_eq!(said, "denied", "{private}");
    }
    // Nor does a redirect of a server that was granted, once the name leads here.
    fs::write(host.path("hosts"), "127.0.0.1 granted.example\n").unwrap();
    assert_eq!(fetch(&host, &format!("http://{granted}/to-name")).await, "denied");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_redirect_changes_neither_the_scheme_nor_who_is_told_the_key() {
    let servers = Servers::start().await;
    let both = [servers.first.to_string(), servers.second.to_string()];
    let host = setup(&both).spawn().await;
    let base = format!("http://{}", servers.first);
    for (path, said) in [
        ("/echo", "200 auth=Bearer t key=k"),
        ("/to-echo", "200 auth=Bearer t key=k"),
        ("/to-other", "200 auth=none key=none"),
        ("/to-file", "redirect"),
        ("/loop", "redirect"),
    ] {
        assert_eq!(fetch(&host, &format!("{base}{path}")).await, said, "{path}");
    }
    for url in ["file:///etc/passwd", "ftp://example.com/", "http://user:s3cr3t@example.com/", "x"]
    {
        assert_eq!(fetch(&host, url).await, "bad_url", "{url}");
    }
    host.stop().await;
}

/// Heads that drip, pour and never come, one for each connection.
async fn heads() -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut servers = JoinSet::new();
    servers.spawn(async move {
        let mut open = JoinSet::new();
        for (line, pause) in [("x: y\r\n", 5), (&*"x: y\r\n".repeat(2_000), 0), ("", 5)] {
            let line = line.to_owned();
            let (mut stream, _) = listener.accept().await.unwrap();
            open.spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
                while stream.write_all(line.as_bytes()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            });
        }
        while open.join_next().await.is_some() {}
    });
    (address, servers)
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_no_answer_is_too_long_too_slow_or_too_swollen_for_the_host() {
    let servers = Servers::start().await;
    let (dripping, _heads) = heads().await;
    let host = setup(&[servers.first.to_string(), dripping.clone()]).spawn().await;
    let base = format!("http://{}", servers.first);
    // All of them at once, and others are served meanwhile.
    let paths = ["/bomb", "/endless", "/silent"].map(|path| format!("{base}{path}"));
    let heads = ["1", "2", "3"].map(|n| format!("http://{dripping}/{n}"));
    for url in paths.iter().chain(&heads) {
        host.say(ALICE, &format!("fetch {url}"));
    }
    host.say(BOB, "echo meanwhile");
    host.until("others are served", |seen| seen.to(BOB) == ["meanwhile"]).await;
    host.until("each is given up", |seen| seen.to(ALICE).len() == 6).await;
    host.look(|seen| {
        let said = seen.to(ALICE);
        let count = |kind: &str| said.iter().filter(|&&one| one == kind).count();
        assert_eq!(count("too_large"), 1, "{said:?}");
        assert_eq!(count("timeout") + count("network"), 5, "{said:?}");
    });
    host.stop().await;
}
