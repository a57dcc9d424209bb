//! Webhooks, robot sends, media, tokens: the answers and the refusals.

use std::time::Duration;

use moonbell::sim::FaultOrder;
use moonbell::sim::HttpFault;
use moonbell::sim::HttpFaultKind;
use moonbell::sim::Options;
use moonbell::sim::OrderError;
use moonbell::sim::Registration;
use moonbell::sim::Say;
use moonbell::sim::Scanned;
use moonbell::sim::Sim;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::bot::Bot;
use super::bot::OWNER;
use super::bot::data;
use super::bot::start;
use super::bot::start_with;

async fn webhook(sim: &Sim, bot: &Bot) -> String {
    let mut socket = bot.connect().await;
    sim.say(&Say::direct(OWNER, "hello")).unwrap();
    data(&socket.frame().await)["sessionWebhook"].as_str().unwrap().to_owned()
}

fn text(content: &str) -> Value {
    json!({ "msgtype": "text", "text": { "content": content } })
}

#[tokio::test]
async fn a_webhook_refuses_with_errcodes_inside_200() {
    let (sim, bot) = start().await;
    let url = webhook(&sim, &bot).await;
    let untitled = json!({ "msgtype": "markdown", "markdown": { "text": "# hi" } });
    bot.post(&url, &untitled).await.errcode(400_402);
    bot.post(&url, &text(&"x".repeat(20_000))).await.errcode(460_101);
    bot.post(&url, &json!({ "msgtype": "image" })).await.errcode(400_105);
    bot.post("/robot/sendBySession?session=unknown", &text("hi")).await.errcode(300_001);
    bot.call_as(None, Method::GET, &url, &json!({})).await.errcode(43002);
    sim.faults(&FaultOrder { expire_webhooks: true, ..FaultOrder::default() });
    bot.post(&url, &text("too late")).await.errcode(300_001);
    assert!(sim.state().replies(&sim.direct_chat(OWNER)).is_empty());
}

#[tokio::test]
async fn a_webhook_dies_of_old_age() {
    let mut options = Options::default();
    options.clocks.webhook = Duration::ZERO;
    let (sim, bot) = start_with(options).await;
    let url = webhook(&sim, &bot).await;
    bot.post(&url, &text("hi")).await.errcode(300_001);
}

#[tokio::test]
async fn a_webhook_takes_so_many_messages_a_minute() {
    let mut options = Options::default();
    options.limits.webhook_per_minute = Some(2);
    let (sim, bot) = start_with(options).await;
    let url = webhook(&sim, &bot).await;
    bot.post(&url, &text("1")).await.errcode(0);
    bot.post(&url, &text("2")).await.errcode(0);
    bot.post(&url, &text("3")).await.errcode(130_101);
}

#[tokio::test]
async fn a_mention_needs_the_id_and_the_mark_in_the_text() {
    let (sim, bot) = start().await;
    let url = webhook(&sim, &bot).await;
    let mut body = text("no mark");
    body["at"] = json!({ "atUserIds": [OWNER] });
    bot.post(&url, &body).await.errcode(0);
    body["text"]["content"] = json!(format!("@{OWNER} look"));
    bot.post(&url, &body).await.errcode(0);
    let state = sim.state();
    let at: Vec<&[String]> = state
        .messages
        .iter()
        .filter(|message| message.from == "bot")
        .map(|message| &*message.at)
        .collect();
    assert_eq!(at, [&[] as &[String], &[OWNER.to_owned()]]);
}

#[tokio::test]
async fn people_are_sent_to_by_staff_id_and_unknown_ones_are_listed() {
    let (sim, bot) = start().await;
    let mut body = json!({
        "robotCode": bot.robot_code(), "userIds": [OWNER, "ghost"],
        "msgKey": "sampleMarkdown", "msgParam": json!({ "title": "t", "text": "**hi**" }).to_string(),
    });
    let path = "/v1.0/robot/oToMessages/batchSend";
    let sent = bot.post(path, &body).await;
    assert_eq!(sent.body["invalidStaffIdList"], json!(["ghost"]), "{sent:?}");
    let key = sent.body["processQueryKey"].clone();
    let state = sim.state();
    assert_eq!(state.replies(&sim.direct_chat(OWNER)), ["**hi**"]);
    assert!(state.messages[0].html.contains("<strong>hi</strong>"));

    let recall = json!({ "robotCode": bot.robot_code(), "processQueryKeys": [key, "no"] });
    let recalled = bot.post("/v1.0/robot/otoMessages/batchRecall", &recall).await;
    assert_eq!(recalled.body["successResult"], json!([key]));
    assert_eq!(recalled.body["failedResult"]["no"], "SYSTEM_ERROR");
    assert!(sim.state().messages[0].recalled);

    body["msgParam"] = json!({ "title": "an object is not the text of one" });
    bot.post(path, &body).await.is(400, "invalidParameter.msgParam.invalid");
    body["robotCode"] = json!("another");
    bot.post(path, &body).await.is(400, "resource.not.found");
    body["robotCode"] = json!(bot.robot_code());
    body["userIds"] = json!(vec!["a"; 21]);
    bot.post(path, &body).await.is(400, "invalidParameter.userIds.overMax");
}

#[tokio::test]
async fn a_conversation_id_in_lower_case_is_not_that_conversation() {
    let (sim, bot) = start().await;
    let send = |id: String| {
        json!({
            "robotCode": bot.robot_code(), "openConversationId": id,
            "msgKey": "sampleText", "msgParam": r#"{"content":"hi"}"#,
        })
    };
    let path = "/v1.0/robot/groupMessages/send";
    bot.post(path, &send(sim.group(0).to_lowercase())).await.is(400, "invalid.openConversationId");
    bot.post(path, &send(sim.group(0))).await.succeeds();
    assert_eq!(sim.state().replies(&sim.group(0)), ["hi"]);
}

#[tokio::test]
async fn tokens_are_missing_wrong_or_expired_each_in_its_own_words() {
    let (sim, bot) = start().await;
    let path = "/v1.0/robot/groupMessages/send";
    bot.call_as(None, Method::POST, path, &json!({}))
        .await
        .is(400, "AuthenticationFailed.MissingParameter");
    bot.call_as(Some("wrong"), Method::POST, path, &json!({}))
        .await
        .is(400, "InvalidAuthentication");
    bot.post("/media/upload", &json!({})).await.errcode(88);
    let token = bot.fresh_token().await;
    assert_eq!(token, bot.fresh_token().await, "inside its validity it is the same one");
    sim.faults(&FaultOrder { expire_tokens: true, ..FaultOrder::default() });
    bot.call_as(Some(&token), Method::POST, path, &json!({}))
        .await
        .is(400, "InvalidAuthentication");
    let again = bot.fresh_token().await;
    assert_ne!(token, again);
    bot.call_as(Some(&again), Method::POST, path, &json!({}))
        .await
        .is(400, "invalidParameter.robotCode.empty");
    let wrong = json!({ "appKey": bot.robot_code(), "appSecret": "no" });
    bot.call_as(None, Method::POST, "/v1.0/oauth2/accessToken", &wrong)
        .await
        .is(400, "invalidClientIdOrSecret");
    bot.call_as(None, Method::GET, "/gettoken?appkey=a&appsecret=b", &Value::Null)
        .await
        .errcode(40096);
    let legacy = format!("/gettoken?appkey={}&appsecret={}", bot.robot_code(), bot.secret());
    let legacy = bot.call_as(None, Method::GET, &legacy, &Value::Null).await;
    assert_eq!(legacy.body["access_token"], again, "one token for both hosts");
}

#[tokio::test]
async fn a_missing_scope_is_named_and_the_speed_and_the_budget_are_kept() {
    let mut options =
        Options { scopes: vec!["Card.Instance.Write".to_owned()], ..Options::default() };
    options.limits.calls_per_second = Some(5);
    let (sim, bot) = start_with(options).await;
    let refused = bot.put("/v1.0/card/streaming", &json!({})).await;
    refused.is(403, "Forbidden.AccessDenied.AccessTokenPermissionDenied");
    assert_eq!(
        refused.body["accessdenieddetail"]["requiredScopes"],
        json!(["Card.Streaming.Write"])
    );
    let mut throttled = false;
    for _ in 0..50 {
        let answer = bot.put("/v1.0/card/instances", &json!({})).await;
        throttled |= answer.body["code"] == "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi";
    }
    assert!(throttled && sim.state().counters.throttled > 0);

    let mut options = Options::default();
    options.limits.monthly_api_calls = Some(1);
    let (_sim, bot) = start_with(options).await;
    bot.put("/v1.0/card/instances", &json!({})).await.is(400, "param.outTrackIdEmpty");
    bot.put("/v1.0/card/instances", &json!({}))
        .await
        .is(403, "Forbidden.AccessDenied.ApiCountLimitForOrg");
}

#[tokio::test]
async fn calls_fail_on_demand_for_as_long_as_ordered() {
    let (sim, bot) = start().await;
    let path = "/v1.0/card/instances";
    let arm = |kind: HttpFaultKind| {
        let http = vec![HttpFault::new(kind).on(path).calls(1)];
        sim.faults(&FaultOrder { http, ..FaultOrder::default() });
    };
    for (kind, status, code) in [
        (HttpFaultKind::Throttle, 403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"),
        (HttpFaultKind::Quota, 403, "Forbidden.AccessDenied.ApiCountLimitForOrg"),
        (HttpFaultKind::Busy, 500, "system.busy"),
        (HttpFaultKind::InvalidToken, 400, "InvalidAuthentication"),
        (HttpFaultKind::IpNotAllowed, 403, "Forbidden.AccessDenied.IpNotInWhiteList"),
        (HttpFaultKind::ContentUnsafe, 400, "param.contentUnsafe"),
        (
            HttpFaultKind::MissingScope { scope: "s".to_owned() },
            403,
            "Forbidden.AccessDenied.AccessTokenPermissionDenied",
        ),
    ] {
        arm(kind);
        bot.put(path, &json!({})).await.is(status, code);
    }
    arm(HttpFaultKind::Status { status: 502 });
    assert_eq!(bot.put(path, &json!({})).await.status, 502);
    arm(HttpFaultKind::Html);
    let html = bot.put(path, &json!({})).await;
    assert!(html.status == 200 && html.body.is_string(), "{html:?}");
    arm(HttpFaultKind::Banned);
    assert_eq!(bot.put(path, &json!({})).await.body["status"], 1111);
    arm(HttpFaultKind::Slow { delay_ms: 60 });
    let before = std::time::Instant::now();
    bot.put(path, &json!({})).await.is(400, "param.outTrackIdEmpty");
    assert!(before.elapsed() >= Duration::from_millis(60));
    arm(HttpFaultKind::Reset);
    let cut = bot.http.put(format!("{}{path}", bot.base)).json(&json!({})).send().await;
    let cut = match cut {
        Ok(response) => response.bytes().await.is_err(),
        Err(_) => true,
    };
    assert!(cut);
    bot.put(path, &json!({})).await.is(400, "param.outTrackIdEmpty");
}

#[tokio::test]
async fn an_answer_can_be_lost_hang_or_trickle_after_the_call_was_carried_out() {
    let (sim, bot) = start().await;
    let token = bot.fresh_token().await;
    let send = json!({
        "robotCode": bot.robot_code(), "userIds": [OWNER],
        "msgKey": "sampleText", "msgParam": json!({ "content": "hello" }).to_string(),
    });
    let path = "/v1.0/robot/oToMessages/batchSend";
    let chat = sim.direct_chat(OWNER);
    for (n, kind) in
        [HttpFaultKind::Lost, HttpFaultKind::Hang, HttpFaultKind::Drip].into_iter().enumerate()
    {
        let http = vec![HttpFault::new(kind.clone()).on(path).calls(1)];
        sim.faults(&FaultOrder { http, ..FaultOrder::default() });
        let call = bot.http.post(format!("{}{path}", bot.base)).json(&send);
        let call = call.header("x-acs-dingtalk-access-token", &token);
        let whole = async { call.send().await?.bytes().await };
        let answered = tokio::time::timeout(Duration::from_millis(500), whole).await;
        // Lost: cut at once. The others are still on their way.
        let as_ordered = match kind {
            HttpFaultKind::Lost => matches!(answered, Ok(Err(_))),
            _ => answered.is_err(),
        };
        assert!(as_ordered, "{kind:?}: {answered:?}");
        assert_eq!(sim.state().replies(&chat).len(), n + 1, "{kind:?}");
    }
    // Said inside a 200: it reached nobody.
    sim.faults(&FaultOrder { fail_delivery: Some(1), ..FaultOrder::default() });
    let answer = bot.post(path, &send).await;
    assert_eq!(answer.body["flowControlledStaffIdList"], json!([OWNER]), "{answer:?}");
    assert_eq!(sim.state().replies(&chat).len(), 3);
    sim.stop().await;
}

#[tokio::test]
async fn uploads_are_checked_for_kind_type_and_size() {
    let mut options = Options::default();
    options.limits.upload_bytes = 64;
    let (sim, bot) = start_with(options).await;
    let token = bot.fresh_token().await;
    let upload = async |kind: &str, name: &str, size: usize| {
        let part = reqwest::multipart::Part::bytes(vec![1; size]).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().part("media", part);
        let url = format!("{}/media/upload?access_token={token}&type={kind}", bot.base);
        bot.http.post(url).multipart(form).send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(upload("sound", "a.png", 8).await["errcode"], 40004);
    assert_eq!(upload("image", "a.exe", 8).await["errcode"], 40005);
    assert_eq!(upload("image", "a.png", 65).await["errcode"], 40006);
    let media = upload("image", "a.png", 64).await["media_id"].as_str().unwrap().to_owned();
    let send = json!({
        "robotCode": bot.robot_code(), "userIds": [OWNER],
        "msgKey": "sampleImageMsg", "msgParam": json!({ "photoURL": media }).to_string(),
    });
    bot.post("/v1.0/robot/oToMessages/batchSend", &send).await.succeeds();
    let file = sim.state().messages[0].files[0].clone();
    assert!(file.picture);
    let shown = bot.http.get(format!("{}{}", bot.base, file.url)).send().await.unwrap();
    assert_eq!(
        (shown.status().as_u16(), &shown.headers()["content-type"]),
        (200, &"image/png".parse().unwrap())
    );
}

#[tokio::test]
async fn a_reaction_comes_and_goes() {
    let (sim, bot) = start().await;
    let id = sim.say(&Say::direct(OWNER, "hello")).unwrap();
    let body = json!({
        "robotCode": bot.robot_code(), "openMsgId": id, "openConversationId": sim.direct_chat(OWNER),
        "emotionType": 2, "emotionName": "🤔",
        "textEmotion": { "emotionId": "2659900", "emotionName": "🤔", "text": "🤔", "backgroundId": "im_bg_1" },
    });
    bot.post("/v1.0/robot/emotion/reply", &body).await.succeeds();
    assert_eq!(sim.state().messages[0].reactions, ["🤔"]);
    bot.post("/v1.0/robot/emotion/recall", &body).await.succeeds();
    assert!(sim.state().messages[0].reactions.is_empty());
}

#[tokio::test]
async fn an_app_is_made_by_scanning_a_code() {
    let (sim, bot) = start().await;
    let step = async |name: &str, body: Value| {
        bot.post(&format!("/app/registration/{name}"), &body).await.body
    };
    let nonce = step("init", json!({})).await["nonce"].clone();
    let begun = step("begin", json!({ "nonce": nonce })).await;
    assert_eq!(
        step("begin", json!({ "nonce": nonce })).await["errcode"],
        40035,
        "a nonce is good once"
    );
    let poll = json!({ "device_code": begun["device_code"] });
    assert_eq!(step("poll", poll.clone()).await["status"], "WAITING");
    assert_eq!(step("poll", poll.clone()).await["status"], "WAITING");
    assert_eq!(step("poll", poll).await["client_id"], sim.client_id());
}

#[tokio::test]
async fn whoever_scans_may_refuse_let_it_expire_or_press_a_button_on_the_page() {
    let registration = Registration { scanned_after_polls: None, ..Registration::default() };
    let (sim, bot) = start_with(Options { registration, ..Options::default() }).await;
    let step = async |name: &str, body: Value| {
        bot.post(&format!("/app/registration/{name}"), &body).await.body
    };
    let begin = async || {
        let nonce = step("init", json!({})).await["nonce"].clone();
        step("begin", json!({ "nonce": nonce })).await
    };
    let poll =
        async |begun: &Value| step("poll", json!({ "device_code": begun["device_code"] })).await;
    let (one, two, three) = (begin().await, begin().await, begin().await);
    assert_eq!(poll(&one).await["status"], "WAITING");
    sim.scan(one["user_code"].as_str(), Scanned::Refuse { reason: "no".to_owned() }).unwrap();
    assert_eq!(
        (&poll(&one).await["status"], &poll(&one).await["fail_reason"]),
        (&json!("FAIL"), &json!("no"))
    );
    assert_eq!(sim.scan(one["user_code"].as_str(), Scanned::Create), Err(OrderError::NoSuchCode));
    sim.scan(two["user_code"].as_str(), Scanned::Expire).unwrap();
    assert_eq!(poll(&two).await["status"], "EXPIRED");

    // The page that the QR code leads to.
    let page = three["verification_uri_complete"].as_str().unwrap();
    let http = reqwest::Client::new();
    let text = http.get(page).send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains(three["user_code"].as_str().unwrap()) && text.contains("创建机器人"),
        "{text}"
    );
    let form = format!("user_code={}&do=create", three["user_code"].as_str().unwrap());
    let address = format!("{}/sim/scan", sim.url());
    let foreign = http.post(&address).header("origin", "http://evil.example").body(form.clone());
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    assert_eq!(poll(&three).await["status"], "WAITING");
    let pressed = http
        .post(&address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(pressed.status(), 200);
    assert_eq!(poll(&three).await["client_secret"], sim.client_secret());
    assert_eq!(http.get(page).send().await.unwrap().status(), 404, "it is decided");
}
