//! E1 to E5, E7 to E9: calls that are not DingTalk's, or not what they seem to be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moonbell::app::{App, Fatal};
use moonbell::config::{Mode, Secret};
use moonbell::sim::{Click, Clicked, Crook, Crooked, Door};
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::super::process::{HostProcess, bare, settings};
use super::super::stage::{
    AES_KEY, ALICE, BOB, CARD_SECRET, OWNER, STRANGER, Setup, Stage, TOKEN, Way,
};
use super::{count, records, text};

/// What every call is told that is not believed.
const UNBELIEVED: (u16, &str) = (401, r#"{"error":"unauthorized"}"#);
const EMPTY: (u16, &str) = (200, r#"{"msgtype":"empty"}"#);

async fn host() -> HostProcess {
    Setup::new().over(Way::Http).spawn().await
}

/// Milliseconds from now, as a call shows them.
pub(in super::super) fn time(from_now_ms: i64) -> String {
    (chrono::Utc::now().timestamp_millis() + from_now_ms).to_string()
}

pub(in super::super) fn sign(key: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// The two headers of a message, signed at `time` with the secret of the app.
pub(in super::super) fn signed(host: &Stage, time: &str) -> Vec<(&'static str, String)> {
    let secret = host.sim.client_secret();
    vec![("timestamp", time.to_owned()), ("sign", sign(&secret, &format!("{time}\n{secret}")))]
}

/// A message of Alice's.
pub(in super::super) fn message(host: &Stage, id: &str, text: &str) -> String {
    json!({
        "msgId": id,
        "conversationId": host.sim.direct_chat(ALICE),
        "conversationType": "1",
        "senderId": "$:LWCP_v1:$alice",
        "senderStaffId": ALICE,
        "senderCorpId": host.sim.corp_id(),
        "chatbotCorpId": host.sim.corp_id(),
        "chatbotUserId": "$:LWCP_v1:$bot",
        "robotCode": host.sim.client_id(),
        "createAt": chrono::Utc::now().timestamp_millis(),
        "msgtype": "text",
        "text": { "content": text },
    })
    .to_string()
}

/// Calls a door with these headers beside the type of the content.
pub(in super::super) async fn call(
    host: &Stage,
    door: &str,
    headers: &[(&str, String)],
    body: impl Into<reqwest::Body>,
) -> (u16, String) {
    let url = format!("{}/{door}", host.tunnel.as_ref().unwrap().url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(url).header("content-type", "application/json").body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn same(answer: &(u16, String), wanted: (u16, &str)) -> bool {
    (answer.0, answer.1.as_str()) == wanted
}

/// A good call is answered by its handler, and nothing else ever ran.
async fn only_what_is_honest_ran(host: &HostProcess) {
    let body = message(host, "honest", "trace honest");
    let answer = call(host, "robot", &signed(host, &time(0)), body).await;
    assert!(same(&answer, EMPTY));
    host.until("it is answered", |seen| seen.to(ALICE) == ["did honest"]).await;
    assert_eq!(host.lines("ran"), ["honest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_what_is_not_signed_by_this_app_gets_one_answer_for_every_reason() {
    let host = host().await;
    let secret = host.sim.client_secret();
    let now = time(0);
    let right = sign(&secret, &format!("{now}\n{secret}"));
    let both = |timestamp: &str, sign: &str| {
        vec![("timestamp", timestamp.to_owned()), ("sign", sign.to_owned())]
    };
    // Not `time(-1)`, which a moment later is the same.
    let earlier = (now.parse::<i64>().unwrap() - 1).to_string();
    let other = "simulator-secret-0002";
    let attempts = [
        vec![],
        vec![("timestamp", now.clone())],
        vec![("sign", right.clone())],
        both(&now, ""),
        both("", &right),
        both("", &sign(&secret, &format!("\n{secret}"))),
        both(&now, "not base64 at all"),
        both(&now, "AAAA"),
        both(&now, &right[..right.len() - 4]),
        both(&now, &format!("{right}=")),
        both(&now, &right.to_lowercase()),
        both(&now, &right.replace('=', "%3D")),
        both(&now, &format!("{} {}", &right[..20], &right[20..])),
        both(&now, &"A".repeat(5_000)),
        both(&now, &sign(other, &format!("{now}\n{other}"))),
        both(&now, &sign(&secret, &now)),
        both(&now, &sign("", &format!("{now}\n"))),
        both(&now, &sign(CARD_SECRET, &now)),
        both(&earlier, &right),
        [both(&now, &right), both(&now, &right)].concat(),
        [both(&now, &right), vec![("sign", "x".to_owned())]].concat(),
        [both(&now, &right), vec![("timestamp", time(-5))]].concat(),
        [both(&now, &right), vec![("origin", "http://evil.example".to_owned())]].concat(),
        vec![
            ("x-ddpaas-signature-timestamp", now.clone()),
            ("x-ddpaas-signature", sign(CARD_SECRET, &now)),
        ],
    ];
    let tried = attempts.len();
    for headers in attempts {
        let answer = call(&host, "robot", &headers, message(&host, "x", "trace forged")).await;
        assert!(same(&answer, UNBELIEVED), "{headers:?}: {answer:?}");
    }
    // Names of headers are the same in capital letters.
    let loud = [("TIMESTAMP", now.clone()), ("Sign", right)];
    assert!(same(&call(&host, "robot", &loud, message(&host, "loud", "echo loud")).await, EMPTY));
    host.until("it is answered", |seen| seen.to(ALICE) == ["loud"]).await;
    assert!(host.lines("ran").is_empty());
    let stage = host.stop().await;
    let denied: u64 = records(&stage)
        .iter()
        .filter(|one| one["door"] == "http" && one["verdict"] == "deny")
        // What no record of its kind has told is told when the host ends.
        .map(|one| u64::from(one["event"] != "left_out") + one["left_out"].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(denied, tried as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_a_time_is_milliseconds_inside_the_window() {
    let host = host().await;
    let now = chrono::Utc::now().timestamp_millis();
    for wrong in [
        (now / 1_000).to_string(),
        format!("-{now}"),
        format!("+{now}"),
        format!("{now}.0"),
        format!("{now}0"),
        format!("0{now}"),
        "1e12".to_owned(),
        "9".repeat(100),
        "9999999999999".to_owned(),
        "0000000000000".to_owned(),
        "now".to_owned(),
        format!("0x{now:x}"),
        time(-61 * 60_000),
        time(-6 * 60_000),
        time(2 * 60_000),
    ] {
        let body = message(&host, "x", "trace late");
        let answer = call(&host, "robot", &signed(&host, &wrong), body).await;
        assert!(same(&answer, UNBELIEVED), "{wrong}: {answer:?}");
    }
    for (n, right) in [time(-4 * 60_000), time(30_000)].iter().enumerate() {
        let body = message(&host, &format!("in-time-{n}"), &format!("echo {n}"));
        assert!(same(&call(&host, "robot", &signed(&host, right), body).await, EMPTY), "{right}");
    }
    host.until("both are answered", |seen| seen.to(ALICE).len() == 2).await;
    only_what_is_there_after_the_rest(&host).await;
    host.stop().await;
}

/// As [`only_what_is_honest_ran`], where Alice has heard something before.
async fn only_what_is_there_after_the_rest(host: &HostProcess) {
    let body = message(host, "honest", "trace honest");
    assert!(same(&call(host, "robot", &signed(host, &time(0)), body).await, EMPTY));
    host.until("it is answered", |seen| seen.to(ALICE).last() == Some(&"did honest")).await;
    assert_eq!(host.lines("ran"), ["honest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_the_window_is_a_setting() {
    let host = Setup::new().over(Way::Http).toml("[http]\nwindow = \"10s\"").spawn().await;
    let body = || message(&host, "x", "echo x");
    let late = call(&host, "robot", &signed(&host, &time(-15_000)), body()).await;
    assert!(same(&late, UNBELIEVED));
    assert!(same(&call(&host, "robot", &signed(&host, &time(-5_000)), body()).await, EMPTY));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_a_signature_is_good_for_one_body_and_the_same_call_is_handled_once() {
    let host = host().await;
    let headers = signed(&host, &time(0));
    let honest = message(&host, "honest", "trace honest");
    for _ in 0..3 {
        assert!(same(&call(&host, "robot", &headers, honest.clone()).await, EMPTY));
    }
    // What DingTalk's scheme allows to whoever has seen one call: any words, as anybody.
    let forged = honest.replace("trace honest", "trace forged");
    for body in [
        forged.clone(),
        forged.replace(ALICE, OWNER),
        forged.replace("\"honest\"", "\"another-id\""),
        format!("{honest} "),
        String::new(),
    ] {
        let answer = call(&host, "robot", &headers, body).await;
        assert!(same(&answer, UNBELIEVED), "{answer:?}");
    }
    // The same id under a signature of its own: the first one wins.
    assert!(same(&call(&host, "robot", &signed(&host, &time(5)), forged.clone()).await, EMPTY));
    host.until("it is answered", |seen| seen.to(ALICE) == ["did honest"]).await;
    // The signature is remembered by the next host too.
    let stage = host.stop().await;
    assert_eq!(count(&stage, &[("door", "http"), ("reason", "other-body")]), 5);
    let host = stage.spawn().await;
    let again = forged.replace("\"honest\"", "\"after-the-restart\"");
    assert!(same(&call(&host, "robot", &headers, again).await, UNBELIEVED));
    assert!(same(&call(&host, "robot", &headers, honest).await, EMPTY));
    host.say(BOB, "echo later");
    host.until("a later one", |seen| seen.to(BOB) == ["later"]).await;
    host.look(|seen| assert_eq!(seen.to(ALICE), ["did honest"]));
    assert_eq!(host.lines("ran"), ["honest"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_the_simulator_makes_the_same_crooked_calls() {
    let host = host().await;
    host.say(ALICE, "trace once");
    host.until("it is answered", |seen| seen.to(ALICE) == ["did once"]).await;
    let crooked = async |how: Crook| {
        let order = Crooked { door: Door::Robot, how, data: None };
        host.sim.crooked(&order).await.unwrap().status
    };
    assert_eq!(crooked(Crook::Replayed).await, 200);
    assert_eq!(crooked(Crook::Forged).await, 401);
    assert_eq!(crooked(Crook::Late(10 * 60_000)).await, 401);
    assert_eq!(crooked(Crook::Late(-10 * 60_000)).await, 401);
    assert_eq!(crooked(Crook::Malformed("{".to_owned())).await, 200);
    // Another body says what it is told to, or the same in other words.
    assert_eq!(crooked(Crook::OtherBody).await, 401);
    let data = Some(json!({ "msgId": "x", "text": { "content": "trace forged" } }));
    let order = Crooked { door: Door::Robot, how: Crook::OtherBody, data };
    assert_eq!(host.sim.crooked(&order).await.unwrap().status, 401);
    host.say(ALICE, "echo later");
    host.until("a later one", |seen| seen.to(ALICE) == ["did once", "later"]).await;
    assert_eq!(host.lines("ran"), ["once"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e4_without_a_secret_the_http_mode_does_not_start_and_a_blank_one_opens_no_door() {
    let stage = Setup::new().over(Way::Http).stage().await;
    for blank in ["", "  ", "\n"] {
        let mut config = stage.config();
        config.dingtalk.client_secret = Secret::new(blank);
        let error = App::open(config, "run", None).await.map(drop).unwrap_err();
        assert!(matches!(error, Fatal::Doors(_)), "{error}");
        assert!(error.to_string().contains("client_secret"), "{error}");
    }
    // The binary says so, and where.
    let path = settings(&stage);
    let file = std::fs::read_to_string(&path).unwrap();
    let secret = format!("client_secret = {:?}", stage.sim.client_secret());
    assert!(file.contains(&secret));
    for blank in ["client_secret = \"\"", "client_secret = \"  \"", ""] {
        std::fs::write(&path, file.replace(&secret, blank)).unwrap();
        let mut command = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
        command.args(["run", "--config"]).arg(&path);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains("`dingtalk.client_secret` is missing"), "{}", text(&output));
    }
    // Doors whose own secrets are blank stay shut: a blank one would be everybody's.
    let blank = "[http]\ntoken = \" \"\ncard_secret = \"\"";
    let host = Setup::new().over(Way::Http).toml(blank).spawn().await;
    let now = time(0);
    let headers =
        [("x-ddpaas-signature-timestamp", now.clone()), ("x-ddpaas-signature", sign("", &now))];
    assert_eq!(call(&host, "card", &headers, "{}").await, (404, String::new()));
    let event = format!("event?msg_signature=x&timestamp={now}&nonce=n");
    assert_eq!(call(&host, &event, &[], "{}").await, (404, String::new()));
    only_what_is_honest_ran(&host).await;
    host.stop().await;
}

pub(in super::super) fn clicked(time: &str) -> [(&'static str, String); 2] {
    [
        ("x-ddpaas-signature-timestamp", time.to_owned()),
        ("x-ddpaas-signature", sign(CARD_SECRET, time)),
    ]
}

/// `value` with another `field`.
fn changed(value: &Value, field: &str, new: Value) -> Value {
    let mut value = value.clone();
    value[field] = new;
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_clicks_that_are_nobodys_are_acknowledged_and_do_nothing() {
    let script = r#"
        bot.on("card", function(action) shell.sh("echo $1 >> {home}/clicks", table.concat(action.ids, "+")) end)
    "#;
    let host = Setup::new().over(Way::Http).script("clicks.luau", script).spawn().await;
    let _gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it is there", |seen| seen.state.cards.len() == 1).await;
    let card = host.look(|seen| seen.state.cards[0].id.clone());
    let corp = host.sim.corp_id();
    let click = |card: &str, user: Value, pressed: &str| {
        json!({
            "corpId": corp, "type": "actionCallback", "outTrackId": card, "userId": user, "spaceType": "im",
            "spaceId": "cid", "content": pressed, "value": pressed,
        })
    };
    let pressed =
        |id: &str| json!({ "cardPrivateData": { "actionIds": [id], "params": {} } }).to_string();
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let bodies = [
        // Somebody else's card, nobody's card, another person, no person, no button.
        click("moonbell-no-such-card", json!(ALICE), &pressed("stop")),
        click("", json!(ALICE), &pressed("stop")),
        click(&card, json!(STRANGER), &pressed("stop")),
        click(&card, json!(BOB), &pressed("stop")),
        // The right person of another organisation, of none, by another kind of id.
        changed(&click(&card, json!(ALICE), &pressed("stop")), "corpId", json!("dingother")),
        changed(&click(&card, json!(ALICE), &pressed("stop")), "corpId", Value::Null),
        changed(&click(&card, json!(ALICE), &pressed("stop")), "userIdType", json!(2)),
        changed(&click(&card, json!(ALICE), &pressed("stop")), "userIdType", json!("unionId")),
        click(&card, json!(""), &pressed("stop")),
        click(&card, Value::Null, &pressed("stop")),
        click(&card, json!([ALICE]), &pressed("stop")),
        click(&card, json!(ALICE), &pressed("")),
        click(&card, json!(ALICE), "not json"),
        click(&card, json!(ALICE), &deep),
        json!({ "type": "somethingElse", "outTrackId": card, "userId": ALICE, "content": pressed("stop") }),
        json!({}),
        json!([]),
        json!("text"),
    ];
    for (n, body) in (1..).zip(&bodies) {
        let answer = call(&host, "card", &clicked(&time(-n * 10)), body.to_string()).await;
        assert!(same(&answer, (200, "{}")), "{body}: {answer:?}");
    }
    for (n, body) in (1..).zip(["", "{", "\u{0}", deep.as_str(), &"{\"a\":".repeat(20_000)]) {
        let answer = call(&host, "card", &clicked(&time(-n * 10 - 5_000)), body.to_owned()).await;
        assert!(same(&answer, (200, "{}")), "{body:.40}: {answer:?}");
    }
    // Ten megabytes are not read to their end, and what is not signed is not read at all.
    let huge = vec![b' '; 10 << 20];
    let url = format!("{}/card", host.tunnel.as_ref().unwrap().url());
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    let request = clicked(&time(1)).iter().fold(request, |r, (name, value)| r.header(*name, value));
    match request.body(huge).send().await {
        Ok(answer) => assert_eq!(answer.status().as_u16(), 413),
        // The answer may be lost behind what was still being sent.
        Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
    }
    let forged = [clicked(&time(2))[0].clone(), ("x-ddpaas-signature", sign("other", "x"))];
    let answer =
        call(&host, "card", &forged, click(&card, json!(ALICE), &pressed("stop")).to_string());
    assert!(same(&answer.await, UNBELIEVED));
    host.until_true("all are judged", || {
        host.journal(
            "SELECT count(*) FROM inbox WHERE key LIKE 'card%' AND state IN ('queued', 'running')",
        ) == 0
    })
    .await;
    host.look(|seen| {
        assert!(seen.state.cards[0].text.contains("half way"), "{:?}", seen.state.cards);
    });

    // The one who may, once: repeated byte by byte it is the same click.
    let body = click(&card, json!(ALICE), &pressed("stop")).to_string();
    let at = time(3);
    for _ in 0..2 {
        assert!(same(&call(&host, "card", &clicked(&at), body.clone()).await, (200, "{}")));
    }
    let other = body.replace("stop", "more");
    assert!(same(&call(&host, "card", &clicked(&at), other).await, UNBELIEVED));
    host.until("it is stopped", |seen| seen.state.cards[0].text.ends_with("⏹ stopped")).await;
    // Over: the same press again is no news, and no harm.
    assert!(same(&call(&host, "card", &clicked(&time(4)), body).await, (200, "{}")));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_without_a_card_secret_no_button_is_shown_and_none_works() {
    let host = Setup::new().over(Way::Http).toml("[http]\ncard_secret = \"\"").spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "card one");
    host.entered(&["one"]).await;
    host.until("it is there", |seen| seen.state.cards.len() == 1).await;
    let card = host.look(|seen| {
        assert!(seen.state.cards[0].buttons.is_empty());
        seen.state.cards[0].id.clone()
    });
    let click =
        Click { card, from: ALICE.to_owned(), action_id: "stop".to_owned(), ..Click::default() };
    assert!(matches!(host.sim.click(&click).await.unwrap(), Clicked::NotSent { .. }));
    host.say(ALICE, "stop");
    host.until("the word works all the same", |seen| {
        seen.state.cards[0].text.ends_with("⏹ stopped")
    })
    .await;
    gate.open();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e7_other_methods_and_other_paths_find_nothing() {
    let host = host().await;
    let base = host.tunnel.as_ref().unwrap().url();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = || message(&host, "x", "trace x");
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"] {
        let mut request = client.request(method.parse().unwrap(), format!("{base}/robot"));
        for (name, value) in signed(&host, &time(0)) {
            request = request.header(name, value);
        }
        let answer =
            request.header("content-type", "application/json").body(body()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 405, "{method}");
        assert!(answer.headers().get("allow").is_none());
        assert_eq!(answer.text().await.unwrap(), "", "{method}");
    }
    // Written as they are: a client would tidy them.
    for path in [
        "/",
        "/dingtalk",
        "/dingtalk/",
        "/dingtalk/robot/",
        "/dingtalk//robot",
        "//dingtalk/robot",
        "/dingtalk/%72obot",
        "/dingtalk%2Frobot",
        "/Dingtalk/robot",
        "/dingtalk/ROBOT",
        "/dingtalk/./robot",
        "/dingtalk/x/../robot",
        "/dingtalk/robot;x",
        "/dingtalk/robots",
        "/robot",
        "/health",
        "/api/status",
        "http://evil.example/dingtalk/robot",
    ] {
        let body = body();
        let [time, sign] = signed(&host, &time(0)).try_into().unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\ntimestamp: {}\r\nsign: {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            time.1,
            sign.1,
            body.len()
        );
        let answer = super::callers::said(&host, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
    // What is no JSON by its own word is not read.
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    {
        let mut request = client.post(format!("{base}/robot")).body(body());
        for (name, value) in signed(&host, &time(0)) {
            request = request.header(name, value);
        }
        let answer = request.header("content-type", kind).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 415, "{kind}");
    }
    only_what_is_honest_ran(&host).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e8_who_asks_is_told_by_the_connection_unless_a_trusted_proxy_says_otherwise() {
    let allow = "[http]\nallow = [\"203.0.113.0/24\"]";
    let host = Setup::new().over(Way::Http).toml(allow).spawn().await;
    let spoof = |value: &str| {
        let mut headers = signed(&host, &time(0));
        headers.push(("x-forwarded-for", value.to_owned()));
        headers
    };
    for value in ["203.0.113.7", "203.0.113.7, 127.0.0.1", "127.0.0.1, 203.0.113.7"] {
        let body = message(&host, "x", "trace x");
        assert!(same(&call(&host, "robot", &spoof(value), body).await, UNBELIEVED), "{value}");
    }
    for name in ["forwarded", "x-real-ip", "x-client-ip", "cf-connecting-ip"] {
        let mut headers = signed(&host, &time(0));
        headers.push((name, "203.0.113.7".to_owned()));
        let body = message(&host, "x", "trace x");
        assert!(same(&call(&host, "robot", &headers, body).await, UNBELIEVED), "{name}");
    }
    host.stop().await;

    let trusting = Setup::new().over(Way::Http).toml(allow);
    let host = trusting.toml("[http]\ntrusted_proxies = [\"127.0.0.1\"]").spawn().await;
    for (value, believed) in [
        ("203.0.113.7", true),
        ("198.51.100.1, 203.0.113.7", true),
        // The caller wrote the first, the proxy the second.
        ("203.0.113.7, 198.51.100.1", false),
        ("203.0.113.7, nonsense", false),
        ("", false),
    ] {
        let mut headers = signed(&host, &time(0));
        headers.push(("x-forwarded-for", value.to_owned()));
        let body = message(&host, value, "echo x");
        let answer = call(&host, "robot", &headers, body).await;
        assert!(same(&answer, if believed { EMPTY } else { UNBELIEVED }), "{value}: {answer:?}");
    }
    host.stop().await;
}

/// A call with an event, encrypted around exactly these bytes.
pub(super) fn event(
    plain: &[u8],
    token: &str,
    aes_key: &str,
    time: &str,
    nonce: &str,
) -> (String, String) {
    use aes::cipher::array::Array;
    use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let key: [u8; 32] = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient)
        .decode(format!("{aes_key}="))
        .unwrap()
        .try_into()
        .unwrap();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let mut plain = plain.to_vec();
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut plain);
    assert!(rest.is_empty());
    cbc::Encryptor::<aes::Aes256>::new(&key.into(), &iv.into()).encrypt_blocks(blocks);
    let sealed = STANDARD.encode(plain);
    let mut parts = [token, time, nonce, &sealed];
    parts.sort_unstable();
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    let signature: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let door = format!("event?msg_signature={signature}&timestamp={time}&nonce={nonce}");
    (door, json!({ "encrypt": sealed }).to_string())
}

/// The bytes inside an event for `owner`, padded to 32 with `pad` or as it should be.
pub(super) fn inside(text: &str, owner: &str, pad: Option<u8>) -> Vec<u8> {
    let mut plain = [&[9; 16][..], &u32::try_from(text.len()).unwrap().to_be_bytes()].concat();
    plain.extend_from_slice(text.as_bytes());
    plain.extend_from_slice(owner.as_bytes());
    let missing = 32 - plain.len() % 32;
    let byte = pad.unwrap_or_else(|| u8::try_from(missing).unwrap());
    plain.resize(plain.len() + missing, byte);
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn e9_events_for_others_or_badly_sealed_get_the_one_answer_and_a_nonce_is_good_for_one_event()
{
    let script = r#"
        bot.on("user_add_org", function(event)
            shell.sh("echo $1 >> {home}/events", table.concat(event.users, "+"))
        end)
    "#;
    let host = Setup::new().over(Way::Http).script("events.luau", script).spawn().await;
    let owner = host.sim.client_id();
    let text = |id: &str| {
        json!({ "EventType": "user_add_org", "EventTime": 1_767_852_000_000_i64, "CorpId": "corp",
                "eventId": id, "userId": [id] })
        .to_string()
    };
    let (say, now) = (text("forged"), time(0));
    let other_key = "1234567890123456789012345678901234567890123";
    let mut attempts = vec![
        // Of another app, of the organisation, of nobody.
        event(&inside(&say, "dingsimulator0002", None), TOKEN, AES_KEY, &now, "n1"),
        event(&inside(&say, "corp", None), TOKEN, AES_KEY, &now, "n2"),
        event(&inside(&say, "", None), TOKEN, AES_KEY, &now, "n3"),
        event(&inside(&say, &owner, None), "another-token", AES_KEY, &now, "n4"),
        event(&inside(&say, &owner, None), TOKEN, other_key, &now, "n5"),
        event(&[], TOKEN, AES_KEY, &now, "n6"),
        event(&[0; 16], TOKEN, AES_KEY, &now, "n7"),
        event(&inside(&say, &owner, None), TOKEN, AES_KEY, &time(-6 * 60_000), "n8"),
    ];
    // Whatever the padding, and whether or not it is signed well: nothing tells one from the other.
    for pad in [0, 1, 33, 64, 255] {
        attempts.push(event(&inside(&say, &owner, Some(pad)), TOKEN, AES_KEY, &now, "n9"));
        attempts.push(event(
            &inside(&say, &owner, Some(pad)),
            "another-token",
            AES_KEY,
            &now,
            "n9",
        ));
    }
    let (door, body) = event(&inside(&say, &owner, None), TOKEN, AES_KEY, &now, "n10");
    for query in [
        "",
        "?",
        "?msg_signature=x",
        &format!("{}&nonce=n10", &door[5..]),
        &format!("{}&timestamp=1", &door[5..]),
    ] {
        attempts.push((format!("event{query}"), body.clone()));
    }
    for wrong in ["", "{}", "[]", "{\"encrypt\":1}", "{\"encrypt\":\"!\"}", "not json"] {
        attempts.push((door.clone(), wrong.to_owned()));
    }
    for (door, body) in attempts {
        let answer = call(&host, &door, &[], body.clone()).await;
        assert!(same(&answer, UNBELIEVED), "{door} {body}: {answer:?}");
    }
    assert!(host.lines("events").is_empty());

    // One that is whole, twice: answered both times, handled once. Another event under its nonce: no.
    let (door, body) = event(&inside(&text("one"), &owner, None), TOKEN, AES_KEY, &now, "once");
    for _ in 0..2 {
        assert_eq!(call(&host, &door, &[], body.clone()).await.0, 200);
    }
    let (door, body) = event(&inside(&text("two"), &owner, None), TOKEN, AES_KEY, &now, "once");
    assert!(same(&call(&host, &door, &[], body).await, UNBELIEVED));
    // An older deployment spells two of the names in its own way.
    let (door, body) = event(&inside(&text("three"), &owner, None), TOKEN, AES_KEY, &now, "n11");
    let door = door.replace("msg_signature", "signature").replace("timestamp", "timeStamp");
    assert_eq!(call(&host, &door, &[], body).await.0, 200);
    host.until_true("both are handled", || host.lines("events").len() >= 2).await;
    // And what checks the address is no event.
    host.sim.event("check_url", &json!({}));
    host.until("it is answered with success", |_| {
        host.sim
            .wire(0)
            .iter()
            .any(|line| line.path.as_deref() == Some("/dingtalk/event") && line.status == Some(200))
    })
    .await;
    let mut events = host.lines("events");
    events.sort_unstable();
    assert_eq!(events, ["one", "three"]);
    let stage = host.stop().await;
    assert_eq!(stage.config().dingtalk.mode, Mode::Http);
}
