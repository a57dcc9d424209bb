//! The HTTP mode around its calls: what stops a start, certificates, a wrong clock, a full disk, what people are shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use moonbell::app::{App, Fatal};
use moonbell::config::{Secret, Tls};
use moonbell::sim::{Crooked, Door};
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use super::attacks::callbacks::{call, message, signed, time};
use super::console::{client, contact};
use super::process::{HostProcess, command};
use super::stage::{ALICE, BOB, OWNER, Setup, Stage, Way};

fn http() -> Setup {
    Setup::new().over(Way::Http)
}

/// A certificate for this computer and its key, in files of these names.
fn certificate(folder: &Path, name: &str, until: (i32, u8, u8)) -> (Tls, Vec<u8>) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let file = |end: &str| -> PathBuf { folder.join(format!("{name}.{end}")) };
    fs::write(file("cert"), made.pem()).unwrap();
    fs::write(file("key"), key.serialize_pem()).unwrap();
    (Tls { cert: file("cert"), key: file("key") }, made.der().to_vec())
}

const GOOD: (i32, u8, u8) = (2090, 1, 1);

/// Why a host with these settings does not start, with what to do.
async fn refused(stage: &Stage, change: impl FnOnce(&mut moonbell::config::Config)) -> String {
    let mut config = stage.config();
    change(&mut config);
    let error = App::open(config, "run", None).await.map(drop).unwrap_err();
    assert!(matches!(error, Fatal::Doors(_)), "{error}");
    format!("{error}; {}", error.hint().unwrap_or("-"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_the_http_mode_from_starting_is_said_in_words() {
    let stage = http().stage().await;
    let folder = stage.home.path();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let told = refused(&stage, |config| config.http.listen = address).await;
    assert!(told.starts_with(&format!("cannot listen on `{address}` (`http.listen`): ")), "{told}");
    assert!(told.contains("another program has this port"), "{told}");
    let told = refused(&stage, |config| config.http.listen = "192.0.2.1:0".parse().unwrap()).await;
    assert!(told.contains("this computer does not have that address"), "{told}");
    let told = refused(&stage, |config| config.http.aes_key = Some(Secret::new("short"))).await;
    assert!(told.contains("`http.aes_key` is no AES key"), "{told}");

    let (good, _) = certificate(folder, "good", GOOD);
    let (other, _) = certificate(folder, "other", GOOD);
    let (expired, _) = certificate(folder, "expired", (2024, 2, 29));
    let nowhere = folder.join("nowhere.pem");
    let rubbish = folder.join("rubbish.pem");
    fs::write(&rubbish, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let empty = folder.join("empty.pem");
    fs::write(&empty, "").unwrap();
    let pair = |cert: &Path, key: &Path| Tls { cert: cert.to_owned(), key: key.to_owned() };
    for (tls, words) in [
        (expired, "expired.cert: the certificate expired on 2024-02-29 00:00 UTC"),
        (pair(&nowhere, &good.key), "nowhere.pem: the certificate cannot be read"),
        (pair(&good.cert, &nowhere), "nowhere.pem: the private key cannot be read"),
        (pair(&rubbish, &good.key), "rubbish.pem: the certificate cannot be read"),
        (pair(&empty, &good.key), "empty.pem: there is no certificate in it"),
        (pair(&good.cert, &good.cert), "good.cert: the private key cannot be read"),
        (pair(&good.cert, &other.key), "other.key: it is not the key of "),
    ] {
        let told = refused(&stage, |config| config.http.tls = Some(tls)).await;
        assert!(told.contains(words), "{words}: {told}");
        let todo = if words.contains("expired on") {
            "renew it"
        } else {
            "`http.tls.cert` and `http.tls.key` are PEM files"
        };
        assert!(told.contains(todo), "{told}");
    }
    // The binary: one line, what to do, and a code that says it failed.
    let mut binary = command(&stage);
    let file = fs::read_to_string(stage.path("bot.toml")).unwrap();
    let listen = format!("[http]\nlisten = \"{address}\"");
    fs::write(stage.path("bot.toml"), file.replace("[http]\nlisten = \"127.0.0.1:0\"", &listen))
        .unwrap();
    assert_eq!(binary.status().unwrap().code(), Some(1));
    let said = stage.lines("err").join("\n");
    assert!(said.contains("cannot listen on") && said.contains("hint: another program"), "{said}");
}

/// Over TLS, with nothing trusted but `root`.
async fn over_tls(
    port: u16,
    root: &[u8],
    headers: &[(&str, String)],
    body: String,
) -> Result<u16, String> {
    let root = reqwest::Certificate::from_der(root).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let url = format!("https://localhost:{port}/dingtalk/robot");
    let mut request = client.post(url).header("content-type", "application/json").body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request
        .send()
        .await
        .map(|answer| answer.status().as_u16())
        .map_err(|error| format!("{error:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_over_and_a_bad_one_keeps_the_old() {
    let stage = http().stage().await;
    let (files, first) = certificate(stage.home.path(), "bot", GOOD);
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let path = {
        drop(command(&stage));
        stage.path("bot.toml")
    };
    let text = fs::read_to_string(&path).unwrap();
    let (cert, key) = (files.cert.to_str().unwrap(), files.key.to_str().unwrap());
    let tls = format!(
        "[http]\ntls = {{ cert = {cert:?}, key = {key:?} }}\nlisten = \"127.0.0.1:{port}\""
    );
    fs::write(&path, text.replace("[http]\nlisten = \"127.0.0.1:0\"", &tls)).unwrap();
    let mut run = super::process::bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
    run.args(["run", "--config"]).arg(&path);
    let host = HostProcess::started(run.spawn().unwrap(), stage).await;
    let calls = async |root: &[u8], id: &str| {
        let body = message(&host, id, &format!("echo {id}"));
        over_tls(port, root, &signed(&host, &time(0)), body).await
    };
    assert_eq!(calls(&first, "one").await, Ok(200));
    // Without TLS nothing is understood.
    let plain = client().post(format!("http://127.0.0.1:{port}/dingtalk/robot")).send().await;
    assert!(plain.is_err());

    // Bad ones, in the ways that renewals fail.
    let (other, _) = certificate(host.home.path(), "other", GOOD);
    let (expired, _) = certificate(host.home.path(), "expired", (2024, 2, 29));
    let says = |words: &str| {
        let words = words.to_owned();
        let host = &host;
        async move {
            host.until_true(&words, || {
                host.lines("err")
                    .iter()
                    .any(|line| line.contains("the old one stays") && line.contains(&words))
            })
            .await;
        }
    };
    fs::copy(&expired.cert, &files.cert).unwrap();
    fs::copy(&expired.key, &files.key).unwrap();
    says("expired on 2024-02-29").await;
    fs::copy(&other.cert, &files.cert).unwrap();
    says("it is not the key of").await;
    fs::write(&files.cert, "half wri").unwrap();
    says("there is no certificate in it").await;
    assert_eq!(calls(&first, "two").await, Ok(200));

    let (renewed, second) = certificate(host.home.path(), "bot", GOOD);
    assert_eq!(renewed.cert, files.cert);
    host.until_true("it is used", || {
        host.lines("err").iter().any(|line| line.contains("the renewed certificate is used"))
    })
    .await;
    assert_eq!(calls(&second, "three").await, Ok(200));
    assert!(calls(&first, "four").await.is_err());
    host.until("all that was called in is answered", |seen| {
        seen.to(ALICE) == ["one", "two", "three"]
    })
    .await;
    let (status, _) = host.terminate().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_named_to_the_owner_until_a_call_comes_in() {
    let host = http().spawn().await;
    // The host's clock is that of DingTalk here; ten minutes between them look the same from either side.
    for from_now_ms in [-600_000, 600_000] {
        let body = message(&host, "x", "trace x");
        let answer = call(&host, "robot", &signed(&host, &time(from_now_ms)), body).await;
        assert_eq!(answer.0, 401);
    }
    host.until_true("the log names it", || {
        host.lines("err").iter().any(|line| {
            line.contains("refused a call: it was signed 600 s ago") && line.contains("clock")
        })
    })
    .await;
    host.until_says(&["status", "--json"], |said| said.contains("is the clock right?")).await;
    host.say(ALICE, "echo in time");
    host.until("it is served", |seen| seen.to(ALICE) == ["in time"]).await;
    let said =
        host.until_says(&["status", "--json"], |said| !said.contains("is the clock right?")).await;
    let status: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status["webhook"]["refused"], 2);
    assert!(host.lines("ran").is_empty());
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_aes_key_takes_no_event_and_is_named() {
    let setup = http().settings(|config, _| {
        config.http.aes_key = Some(Secret::new("1234567890123456789012345678901234567890123"));
    });
    let host = setup.start().await;
    host.sim.event("user_add_org", &json!({ "userId": ["1"] }));
    host.until_true("it is refused", || {
        host.sim
            .wire(0)
            .iter()
            .any(|line| line.path.as_deref() == Some("/dingtalk/event") && line.status == Some(401))
    })
    .await;
    host.say(ALICE, "echo well");
    host.until("messages come all the same", |seen| seen.to(ALICE) == ["well"]).await;
    assert_eq!(host.journal("SELECT count(*) FROM inbox WHERE key LIKE 'event%'"), 0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_health_say_registered_and_where_dingtalk_is_to_call() {
    let host = http().spawn().await;
    let tunnel = host.tunnel.as_ref().unwrap().url();
    let said = host.until_says(&["status", "--json"], |said| said.contains("registered")).await;
    let status: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&status["mode"], &status["connection"]), (&json!("http"), &json!("registered")));
    let webhook = &status["webhook"];
    assert_eq!(webhook["robot"], format!("{tunnel}/robot"));
    assert_eq!(webhook["event"], format!("{tunnel}/event"));
    assert_eq!(webhook["card"], format!("{tunnel}/card"));
    assert_eq!((&webhook["tls"], &webhook["public"]), (&json!(false), &json!(true)));
    assert!(status["last_frame_at_ms"].is_null());
    assert!(!said.contains("secret-of-tests") && !said.contains("token-of-tests"), "{said}");
    let (url, _) = contact(&host).await;
    let health = client().get(format!("{url}/health")).send().await.unwrap();
    assert_eq!(health.status().as_u16(), 200);
    host.say(ALICE, "echo one");
    host.until("answered", |seen| seen.to(ALICE) == ["one"]).await;
    host.until_says(&["status", "--json"], |said| !said.contains("\"last_frame_at_ms\": null"))
        .await;
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_http_mode_the_owner_is_told_when_nothing_could_come() {
    let setup = http().settings(|config, _| config.connection.collect = std::time::Duration::ZERO);
    let host = setup.start().await;
    host.say(OWNER, "echo hi");
    host.until_true("that it could be called is noted", || {
        host.journal("SELECT count(*) FROM contact") == 1
    })
    .await;
    let stage = host.stop().await;
    {
        let journal = rusqlite::Connection::open(stage.state_dir().join("moonbell.db")).unwrap();
        journal.execute("UPDATE contact SET heard_at_ms = heard_at_ms - 7200000", []).unwrap();
    }
    let host = stage.start().await;
    host.until("the owner is told", |seen| {
        seen.to(OWNER).iter().any(|text| {
            text.starts_with("📴 I was offline ") && text.contains(": moonbell was stopped.")
        })
    })
    .await;
    // Silence is no outage here: there is one, and it stays at one.
    assert_eq!(host.journal("SELECT count(*) FROM outages"), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_count_as_pushes_and_no_secret_of_the_doors_is_in_the_log() {
    let host = http().spawn().await;
    host.say(ALICE, "echo one");
    host.sim.event("chat_quit", &json!({ "openConversationId": "cid" }));
    host.until("both are taken", |seen| seen.to(ALICE) == ["one"] && seen.state.counters.acks >= 2)
        .await;
    // Who has captured a call and repeats it uses nothing up.
    for _ in 0..20 {
        let order = Crooked { door: Door::Robot, ..Crooked::default() };
        assert_eq!(host.sim.crooked(&order).await.unwrap().status, 200);
    }
    let said = host.until_says(&["status", "--json"], |said| said.contains("\"pushes\"")).await;
    let status: Value = serde_json::from_str(&said).unwrap();
    // Two calls, and a reply through the webhook of a chat.
    assert_eq!(status["budget"]["pushes"]["used"], 3, "{said}");
    let (_, stage) = host.terminate().await;
    let log = stage.lines("err").join("\n");
    for secret in [
        super::stage::TOKEN,
        super::stage::AES_KEY,
        super::stage::CARD_SECRET,
        &stage.sim.client_secret(),
    ] {
        assert!(!log.contains(secret), "{log}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Whatever a signed body holds, the call is answered, nothing runs, and the next one is served.
    #[test]
    fn no_body_that_dingtalk_signs_breaks_anything(
        bodies in proptest::collection::vec(body(), 12),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            let host = Arc::new(http().start().await);
            for (n, body) in (0..).zip(bodies) {
                let answer = call(&host, "robot", &signed(&host, &time(-n * 7)), body.clone()).await;
                assert_eq!(answer.0, 200, "{body:?}");
            }
            host.say(BOB, "echo well");
            host.until("it serves on", |seen| seen.to(BOB) == ["well"]).await;
            assert!(host.lines("ran").is_empty());
        });
    }
}

/// Bytes, texts, JSON of any shape, and messages in which one thing is wrong.
fn body() -> impl Strategy<Value = Vec<u8>> {
    const FIELDS: &[&str] = &[
        "msgId",
        "conversationId",
        "conversationType",
        "senderId",
        "senderStaffId",
        "senderCorpId",
        "createAt",
        "msgtype",
        "text",
        "content",
        "robotCode",
        "sessionWebhook",
        "atUsers",
        "chatbotUserId",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
    ];
    let json = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-zA-Z]{1,12}", inner, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    let one_wrong = (proptest::sample::select(FIELDS), json.clone()).prop_map(|(field, wrong)| {
        let mut message = json!({
            "msgId": "m", "conversationId": "c", "conversationType": "1", "senderId": "s",
            "senderStaffId": "nobody", "senderCorpId": "corp", "chatbotCorpId": "corp", "createAt": 1,
            "msgtype": "text", "text": { "content": "trace x" },
        });
        message[field] = wrong;
        message.to_string().into_bytes()
    });
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        ".{0,300}".prop_map(String::into_bytes),
        json.prop_map(|json| json.to_string().into_bytes()),
        one_wrong,
    ]
}
