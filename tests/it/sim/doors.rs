//! Who may come in: the token, the name of the host, the origin; and which credentials are served.

use moonbell::sim::Options;
use moonbell::sim::Say;
use moonbell::sim::Sim;
use serde_json::Value;
use serde_json::json;

use super::bot::OWNER;
use super::bot::http;
use super::bot::start;

#[tokio::test]
async fn real_looking_credentials_are_refused() {
    let refused =
        Sim::start(Options { client_id: "dingabc123".to_owned(), ..Options::default() }).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"the simulator refuses to serve `dingabc123`: only made-up client ids that start with `dingsimulator` are allowed here, so that it can never be mistaken for DingTalk");
    let refused =
        Sim::start(Options { client_secret: "s3cr3t".to_owned(), ..Options::default() }).await;
    let error = refused.unwrap_err().to_string();
    assert!(!error.contains("s3cr3t"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let (sim, _bot) = start().await;
    let port = sim.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let refused = Sim::start(Options { port, ..Options::default() }).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("cannot listen on 127.0.0.1:{port}"));
}

#[tokio::test]
async fn the_control_api_wants_its_token() {
    let (sim, _bot) = start().await;
    let http = http();
    let url = |path: &str| format!("{}/sim/api/{path}", sim.url());
    assert_eq!(http.get(url("state")).send().await.unwrap().status(), 401);
    assert_eq!(http.get(url("state")).bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(http.get(url("state")).bearer_auth(sim.token()).send().await.unwrap().status(), 200);
    let in_query = format!("{}?token={}", url("state"), sim.token());
    assert_eq!(http.get(in_query).send().await.unwrap().status(), 200);
    let say = format!("{}?token={}", url("say"), sim.token());
    let say = http.post(say).json(&json!({})).send().await.unwrap();
    assert_eq!(say.status(), 401, "a change needs the header, which no foreign page can send");
    let upload = sim.upload("a.png", &b"x"[..]);
    assert_eq!(
        http.get(format!("{}/sim/files/{upload}", sim.url())).send().await.unwrap().status(),
        401
    );
}

#[tokio::test]
async fn foreign_hosts_and_origins_stay_outside() {
    let (sim, bot) = start().await;
    let http = http();
    let port = sim.url().rsplit_once(':').unwrap().1;
    for path in [
        "/sim/",
        "/sim/api/state",
        "/gettoken",
        "/robot/sendBySession?session=x",
        "/connect?ticket=x",
    ] {
        let url = format!("{}{path}", sim.url());
        for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1"] {
            let status = http
                .get(&url)
                .header("Host", host)
                .bearer_auth(sim.token())
                .send()
                .await
                .unwrap()
                .status();
            assert_eq!(status, 403, "{path} as {host}");
        }
        for origin in ["http://evil.example", "null", &format!("https://127.0.0.1:{port}")] {
            let status = http
                .get(&url)
                .header("Origin", origin)
                .bearer_auth(sim.token())
                .send()
                .await
                .unwrap()
                .status();
            assert_eq!(status, 403, "{path} from {origin}");
        }
    }
    let own = http
        .get(format!("{}/sim/api/state", sim.url()))
        .header("Origin", sim.url())
        .bearer_auth(sim.token());
    let own = own.send().await.unwrap();
    assert_eq!(own.status(), 200);
    assert!(own.headers().get("access-control-allow-origin").is_none());
    assert!(
        own.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("frame-ancestors 'none'")
    );
    drop(bot);
}

#[tokio::test]
async fn people_talk_through_the_control_api_and_every_change_is_an_event() {
    let (sim, bot) = start().await;
    let http = http();
    let url = format!("{}/sim/api/events?token={}", sim.url(), sim.token());
    let mut events = http.get(url).send().await.unwrap();
    let mut seen = String::new();
    let say = json!({ "chat": sim.direct_chat(OWNER), "from": OWNER, "text": "hello <b>" });
    let say = http.post(format!("{}/sim/api/say", sim.url())).bearer_auth(sim.token()).json(&say);
    let said: Value = say.send().await.unwrap().json().await.unwrap();
    assert!(said["msg_id"].is_string(), "{said}");
    bot.fresh_token().await;
    while !(seen.contains("event: state")
        && seen.contains("event: message")
        && seen.contains("event: wire"))
    {
        seen.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains("&lt;b&gt;"), "{seen}");
    let wire = sim.wire(0);
    let token = wire
        .iter()
        .find(|line| line.status == Some(200) && line.body["accessToken"].is_string())
        .unwrap();
    assert_eq!(token.body["accessToken"], "***", "capabilities are blanked in the log");
}

#[tokio::test]
async fn faults_are_ordered_over_http_and_show_in_the_state() {
    let (sim, bot) = start().await;
    let http = http();
    let order = json!({ "http": [{ "path": "/v1.0/card", "calls": 1, "kind": "throttle" }], "duplicate": 2 });
    let post = http.post(format!("{}/sim/api/faults", sim.url())).bearer_auth(sim.token());
    let armed = post.json(&order).send().await.unwrap();
    assert_eq!(armed.status(), 200, "{}", armed.text().await.unwrap());
    assert_eq!((sim.state().faults.http.len(), sim.state().faults.duplicate), (1, 2));
    let code = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi";
    bot.put("/v1.0/card/instances", &json!({})).await.is(403, code);
    let unknown = http.post(format!("{}/sim/api/faults", sim.url())).bearer_auth(sim.token());
    let unknown = unknown.json(&json!({ "dublicate": 1 })).send().await.unwrap();
    assert!(unknown.text().await.unwrap().contains("unknown field `dublicate`"));
}

#[tokio::test]
async fn an_order_that_cannot_be_carried_out_says_what_there_is() {
    let (sim, _bot) = start().await;
    let error = sim.say(&Say::in_chat("nowhere", OWNER, "hi")).unwrap_err().to_string();
    assert!(error.contains("`nowhere`") && error.contains(&sim.group(0)), "{error}");
    let error = sim.say(&Say::in_chat(sim.group(1), "015412345601", "hi")).unwrap_err().to_string();
    assert!(error.contains("not a member"), "{error}");
    let file = sim.upload("report.pdf", &b"x"[..]);
    let error =
        sim.say(&Say::in_chat(sim.group(0), OWNER, "").with_file(file)).unwrap_err().to_string();
    assert!(error.contains("direct chat"), "{error}");
}

#[tokio::test]
async fn what_was_not_seen_is_told_with_the_transcript() {
    let (sim, _bot) = start().await;
    sim.say(&Say::direct(OWNER, "anybody there?")).unwrap();
    let error =
        sim.until_within(std::time::Duration::from_millis(20), |_| false).await.unwrap_err();
    assert!(format!("{error:?}").contains("manager4220: anybody there?"));
}
