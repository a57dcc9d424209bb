//! Calls to DingTalk over real HTTP: tokens, webhooks, what is refused, and what never gets into an error.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use moonbell::config::{DingTalk, Mode, Secret};
use moonbell::dingtalk::{Card, Class, Client, MediaKind, Phase};
use moonbell::message::{Address, Body, ChatKind, ConversationId, StaffId, Webhook};
use moonbell::words::Lang;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const SECRET: &str = "fixture-client-secret";

#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    /// Path, token and body of each call but those for tokens.
    calls: Vec<(String, String, String)>,
    tokens: usize,
    expires_in: i64,
    /// Answers to come, first come first; then `{}`.
    answers: VecDeque<(u16, String)>,
}

struct Server {
    desk: Desk,
    client: Client,
    base: url::Url,
    _tasks: JoinSet<()>,
}

async fn answer(Shared(desk): Shared<Desk>, request: Request) -> (StatusCode, String) {
    let path = request.uri().to_string();
    let token = request.headers().get("x-acs-dingtalk-access-token").cloned();
    let body = axum::body::to_bytes(request.into_body(), 32 << 20).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    if path.starts_with("/v1.0/oauth2/accessToken") {
        // Long enough that callers meet.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let mut book = desk.0.lock().unwrap();
        book.tokens += 1;
        let token = format!("token-{}", book.tokens);
        return (
            StatusCode::OK,
            json!({ "accessToken": token, "expireIn": book.expires_in }).to_string(),
        );
    }
    let mut book = desk.0.lock().unwrap();
    let token = token.map(|token| token.to_str().unwrap().to_owned()).unwrap_or_default();
    book.calls.push((path, token, body));
    let (status, body) = book.answers.pop_front().unwrap_or((200, "{}".to_owned()));
    (StatusCode::from_u16(status).unwrap(), body)
}

impl Server {
    async fn start(answers: &[(u16, &str)]) -> Self {
        let desk = Desk::default();
        {
            let mut book = desk.0.lock().unwrap();
            book.expires_in = 7200;
            book.answers =
                answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new().fallback(answer).with_state(desk.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let client = Client::new(&DingTalk {
            client_id: "dingfixturebot000001".to_owned(),
            client_secret: Secret::new(SECRET),
            corp_id: None,
            mode: Mode::Stream,
            api_base: base.clone(),
            oapi_base: base.clone(),
            card_template: None,
            card_key: "content".to_owned(),
        })
        .unwrap();
        Self { desk, client, base, _tasks: tasks }
    }

    fn calls(&self) -> Vec<(String, String, String)> {
        self.desk.0.lock().unwrap().calls.clone()
    }

    fn tokens(&self) -> usize {
        self.desk.0.lock().unwrap().tokens
    }

    fn webhook(&self) -> Webhook {
        Webhook {
            url: format!("{}robot/sendBySession?session=s3ss10n", self.base),
            expires_at_ms: i64::MAX,
        }
    }
}

fn hello() -> Body {
    Body::Text { text: "hello".to_owned() }
}

fn group() -> ConversationId {
    ConversationId::new("cidGroup==")
}

const INVALID_TOKEN: &str = r#"{"code":"InvalidAuthentication","message":"不合法的access_token"}"#;

#[tokio::test]
async fn one_token_is_fetched_however_many_ask() {
    let server = Server::start(&[]).await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let client = server.client.clone();
        calls.spawn(async move { client.send_to_group(None, &group(), &hello()).await });
    }
    for sent in calls.join_all().await {
        sent.unwrap();
    }
    assert_eq!((server.tokens(), server.calls().len()), (1, 20));
    let (path, token, body) = server.calls().swap_remove(0);
    assert_eq!((path.as_str(), token.as_str()), ("/v1.0/robot/groupMessages/send", "token-1"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["robotCode"], "dingfixturebot000001");
}

#[tokio::test]
async fn a_disowned_token_is_replaced_once_and_the_call_repeated() {
    let server = Server::start(&[(400, INVALID_TOKEN)]).await;
    server.client.send_to_group(None, &group(), &hello()).await.unwrap();
    let used: Vec<_> = server.calls().into_iter().map(|(_, token, _)| token).collect();
    assert_eq!(used, ["token-1", "token-2"]);

    let server = Server::start(&[(400, INVALID_TOKEN), (401, "{}"), (200, "{}")]).await;
    let error = server.client.send_to_group(None, &group(), &hello()).await.unwrap_err();
    assert_eq!((error.class, server.calls().len()), (Class::Token, 2), "once, not for ever");
}

#[tokio::test]
async fn a_token_without_a_lifetime_is_kept_all_the_same() {
    let server = Server::start(&[]).await;
    server.desk.0.lock().unwrap().expires_in = 0;
    for _ in 0..3 {
        server.client.send_to_group(None, &group(), &hello()).await.unwrap();
    }
    assert_eq!(server.tokens(), 1);
}

#[tokio::test]
async fn a_webhook_needs_no_token_and_only_goes_to_dingtalk() {
    let server = Server::start(&[(200, r#"{"errcode":0,"errmsg":"ok"}"#)]).await;
    server
        .client
        .send_webhook(&server.webhook(), &hello(), &[StaffId::new("alice")])
        .await
        .unwrap();
    let body: Value = serde_json::from_str(&server.calls()[0].2).unwrap();
    assert_eq!(body["text"]["content"], "hello\n@alice");
    assert_eq!(server.tokens(), 0);
    for foreign in [
        "http://oapi.dingtalk.com/robot/sendBySession?session=s3ss10n",
        "https://oapi.dingtalk.com.evil.example/?session=s3ss10n",
        "https://evildingtalk.com/?session=s3ss10n",
        "https://user@oapi.dingtalk.com/?session=s3ss10n",
        "https://oapi.dingtalk.com:8443/?session=s3ss10n",
        "http://127.0.0.1:1/?session=s3ss10n",
        "http://169.254.169.254/latest?session=s3ss10n",
        "file:///etc/passwd?session=s3ss10n",
        "session=s3ss10n",
    ] {
        let webhook = Webhook { url: foreign.to_owned(), expires_at_ms: i64::MAX };
        let error = server.client.send_webhook(&webhook, &hello(), &[]).await.unwrap_err();
        assert_eq!(
            (error.class.clone(), error.code.as_str()),
            (Class::Permanent, "foreign-webhook"),
            "{foreign}"
        );
        assert!(!format!("{error} {error:?} {webhook:?}").contains("s3ss10n"), "{error}");
    }
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn nothing_secret_gets_into_an_error() {
    let echo = format!(
        r#"{{"code":"x","message":"bad call to /robot/sendBySession?session=s3ss10n with {SECRET} and access_token=token-1"}}"#
    );
    let server = Server::start(&[(400, &echo), (400, &echo), (400, &echo)]).await;
    let errors = [
        server.client.send_webhook(&server.webhook(), &hello(), &[]).await.unwrap_err(),
        server.client.send_to_group(None, &group(), &hello()).await.unwrap_err(),
        server.client.upload_media(MediaKind::Image, "a.png", "png".into()).await.unwrap_err(),
    ];
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let unreachable = Webhook { url: server.webhook().url, expires_at_ms: 0 };
    let other = Client::new(&DingTalk {
        client_id: "dingfixturebot000001".to_owned(),
        client_secret: Secret::new(SECRET),
        corp_id: None,
        mode: Mode::Stream,
        api_base: format!("http://{gone}").parse().unwrap(),
        oapi_base: format!("http://{gone}").parse().unwrap(),
        card_template: None,
        card_key: String::new(),
    })
    .unwrap();
    let webhook = Webhook { url: format!("http://{gone}/?session=s3ss10n"), ..unreachable };
    let refused = other.send_webhook(&webhook, &hello(), &[]).await.unwrap_err();
    assert_eq!((refused.class.clone(), refused.code.as_str()), (Class::Transient, "connect"));
    for error in errors.iter().chain([&refused]) {
        let shown = format!("{error} {error:?} {:?} {other:?}", error.hint());
        for secret in ["s3ss10n", SECRET, "token-1"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn an_accepted_call_that_reached_nobody_is_a_failure() {
    for (list, class) in [
        ("invalidStaffIdList", Class::Gone),
        ("flowControlledStaffIdList", Class::Throttled),
        ("filteredStaffIdList", Class::Rejected),
    ] {
        let answer = json!({ "processQueryKey": "k", list: ["alice"] }).to_string();
        let server = Server::start(&[(200, &answer)]).await;
        let error =
            server.client.send_to_person(None, &StaffId::new("alice"), &hello()).await.unwrap_err();
        assert_eq!(error.class, class);
    }
    let server =
        Server::start(&[(200, r#"{"processQueryKey":"k","invalidStaffIdList":[]}"#)]).await;
    let sent = server
        .client
        .send_to_person(Some("robot"), &StaffId::new("alice"), &hello())
        .await
        .unwrap();
    assert_eq!(sent.query_key.as_deref(), Some("k"));
}

#[tokio::test]
async fn what_is_too_large_is_not_even_sent() {
    let server = Server::start(&[]).await;
    let long = Body::Text { text: "长".repeat(7_000) };
    let errors = [
        server.client.send_webhook(&server.webhook(), &long, &[]).await.unwrap_err(),
        server.client.send_to_group(None, &group(), &long).await.unwrap_err(),
        server
            .client
            .upload_media(MediaKind::Voice, "a.amr", vec![0; 3 << 20].into())
            .await
            .unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.class == Class::TooLarge), "{errors:?}");
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn cards_of_family_b_are_told_their_state_and_those_of_family_a_are_not() {
    let to = Address {
        conversation_id: group(),
        kind: ChatKind::Group,
        staff_id: Some(StaffId::new("alice")),
        robot_code: Some("robot".to_owned()),
        webhook: None,
    };
    for (template, expected) in [
        ("own.schema", vec!["POST /createAndDeliver", "PUT /streaming", "PUT /streaming"]),
        (
            "02fcf2f4-5e02-4a85-b672-46d1f715543e.schema",
            vec!["POST /createAndDeliver", "PUT 2", "PUT /streaming", "PUT /streaming", "PUT 3"],
        ),
    ] {
        let server = Server::start(&[]).await;
        let card = Card {
            id: "c1".to_owned(),
            template: template.to_owned(),
            key: "msgContent".to_owned(),
            ..Card::default()
        };
        server.client.create_and_deliver(&card, &to, "…", Lang::En).await.unwrap();
        server.client.begin_card(&card, "…").await.unwrap();
        server.client.stream_card(&card, "g1", "half", Phase::Typing).await.unwrap();
        server.client.stream_card(&card, "g2", "whole", Phase::Done).await.unwrap();
        server.client.end_card(&card, "whole", Phase::Done).await.unwrap();
        let seen: Vec<String> = server
            .calls()
            .iter()
            .map(|(path, _, body)| {
                let body: Value = serde_json::from_str(body).unwrap();
                match body.pointer("/cardData/cardParamMap/flowStatus").and_then(Value::as_str) {
                    Some(status) if path == "/v1.0/card/instances" => format!("PUT {status}"),
                    _ if path.ends_with("createAndDeliver") => "POST /createAndDeliver".to_owned(),
                    _ => "PUT /streaming".to_owned(),
                }
            })
            .collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_card_that_exists_already_was_created_by_an_earlier_try() {
    let exists = r#"{"code":"param.cardAlreadyExist","message":"param.cardAlreadyExist"}"#;
    let server = Server::start(&[(400, exists)]).await;
    let to = Address {
        conversation_id: group(),
        kind: ChatKind::Group,
        staff_id: None,
        robot_code: None,
        webhook: None,
    };
    let card = Card {
        id: "c1".to_owned(),
        template: "t.schema".to_owned(),
        key: "content".to_owned(),
        ..Card::default()
    };
    server.client.create_and_deliver(&card, &to, "", Lang::En).await.unwrap();
}

#[tokio::test]
async fn media_goes_up_as_a_form_and_comes_down_as_an_address() {
    let server = Server::start(&[
        (200, r#"{"errcode":88,"sub_code":"40014"}"#),
        (200, r#"{"errcode":0,"media_id":"@m1","type":"image"}"#),
        (200, r#"{"downloadUrl":"http://cdn.example.com/x?Signature=s"}"#),
    ])
    .await;
    let id = server.client.upload_media(MediaKind::Image, "图.png", "bytes".into()).await.unwrap();
    assert_eq!(id.as_str(), "@m1");
    let (path, _, body) = server.calls().swap_remove(1);
    assert_eq!(
        path, "/media/upload?access_token=token-2&type=image",
        "the token was renewed on the way"
    );
    assert!(body.contains("name=\"media\"") && body.contains("bytes"), "{body}");
    let url = server.client.download_url(Some("robot"), "code").await.unwrap();
    assert_eq!(url.host_str(), Some("cdn.example.com"));
}
