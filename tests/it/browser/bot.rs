//! A bot in thirty lines of protocol, driven by the test line by line, so that every step on the page can be waited for.

use std::time::Duration;

use futures_util::SinkExt;
use futures_util::StreamExt;
use moonbell::sim::CARD_TEMPLATE;
use moonbell::sim::Sim;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A message that the bot got and has acknowledged.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) from: String,
    webhook: String,
}

pub(crate) struct Bot {
    http: reqwest::Client,
    base: String,
    token: String,
    client_id: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Bot {
    pub(crate) async fn connect(sim: &Sim) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::new();
        let (id, secret) = (sim.client_id(), sim.client_secret());
        let post = async |path: &str, body: Value| -> Value {
            let request =
                http.post(format!("{}{path}", sim.api_base())).header("accept", "application/json");
            request.json(&body).send().await.unwrap().json().await.unwrap()
        };
        let topics = json!([
            { "type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get" },
            { "type": "CALLBACK", "topic": "/v1.0/card/instances/callback" },
        ]);
        let order = json!({ "clientId": id, "clientSecret": secret, "subscriptions": topics, "ua": "moonbell-test/1" });
        let opened = post("/v1.0/gateway/connections/open", order).await;
        let (endpoint, ticket) =
            (opened["endpoint"].as_str().unwrap(), opened["ticket"].as_str().unwrap());
        let ticket: String = url::form_urlencoded::byte_serialize(ticket.as_bytes()).collect();
        let (socket, _) =
            tokio_tungstenite::connect_async(format!("{endpoint}?ticket={ticket}")).await.unwrap();
        let token =
            post("/v1.0/oauth2/accessToken", json!({ "appKey": id, "appSecret": secret })).await;
        let token = token["accessToken"].as_str().unwrap().to_owned();
        Self { http, base: sim.api_base().to_owned(), token, client_id: id, socket }
    }

    /// Waits for the next message of a person.
    pub(crate) async fn hear(&mut self) -> Heard {
        let data = self.next("/v1.0/im/bot/messages/get").await;
        Heard {
            text: data["text"]["content"].as_str().unwrap_or_default().trim().to_owned(),
            from: data["senderStaffId"].as_str().unwrap_or_default().to_owned(),
            webhook: data["sessionWebhook"].as_str().unwrap().to_owned(),
        }
    }

    /// Waits for the next click on a button of a card, and returns its action id and who clicked.
    pub(crate) async fn hear_click(&mut self) -> (String, String) {
        let data = self.next("/v1.0/card/instances/callback").await;
        let content: Value = serde_json::from_str(data["content"].as_str().unwrap()).unwrap();
        let action = content["cardPrivateData"]["actionIds"][0].as_str().unwrap().to_owned();
        (action, data["userId"].as_str().unwrap().to_owned())
    }

    /// Reads frames until one has this topic; each is acknowledged.
    async fn next(&mut self, topic: &str) -> Value {
        let reading = async {
            loop {
                let message =
                    self.socket.next().await.expect("the simulator closed the socket").unwrap();
                let Message::Text(text) = message else { continue };
                let frame: Value = serde_json::from_str(&text).unwrap();
                let headers = json!({ "messageId": frame["headers"]["messageId"], "contentType": "application/json" });
                let data = if frame["headers"]["topic"] == "ping" {
                    frame["data"].clone()
                } else {
                    json!("{\"response\":{}}")
                };
                let ack = json!({ "code": 200, "headers": headers, "message": "OK", "data": data });
                self.socket.send(Message::text(ack.to_string())).await.unwrap();
                if frame["headers"]["topic"] == topic {
                    return serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reading)
            .await
            .unwrap_or_else(|_| panic!("no {topic} for the bot"))
    }

    pub(crate) async fn answer(&self, heard: &Heard, text: &str) {
        self.webhook(heard, json!({ "msgtype": "text", "text": { "content": text } })).await;
    }

    pub(crate) async fn answer_markdown(&self, heard: &Heard, text: &str) {
        self.webhook(
            heard,
            json!({ "msgtype": "markdown", "markdown": { "title": "answer", "text": text } }),
        )
        .await;
    }

    async fn webhook(&self, heard: &Heard, body: Value) {
        let answer: Value =
            self.http.post(&heard.webhook).json(&body).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["errcode"], 0, "{answer}");
    }

    /// Puts a card into the direct chat of a person.
    pub(crate) async fn card(&self, person: &str, id: &str, params: Value) {
        let body = json!({
            "userId": person, "userIdType": 1, "outTrackId": id, "cardTemplateId": CARD_TEMPLATE, "callbackType": "STREAM",
            "cardData": { "cardParamMap": params },
            "imRobotOpenSpaceModel": { "supportForward": true },
            "openSpaceId": format!("dtv1.card//IM_ROBOT.{person}"),
            "imRobotOpenDeliverModel": { "spaceType": "IM_ROBOT", "robotCode": self.client_id },
        });
        self.call(reqwest::Method::POST, "/v1.0/card/instances/createAndDeliver", body).await;
    }

    /// Streams the whole text of a card: not yet, at last, or with an error.
    pub(crate) async fn stream(&self, id: &str, text: &str, end: Option<Result<(), ()>>) {
        let guid: String = format!("{id}-{}", text.len());
        let body = json!({
            "outTrackId": id, "guid": format!("{guid}-{}", end.is_some()), "key": "content", "content": text, "isFull": true,
            "isFinalize": end == Some(Ok(())), "isError": end == Some(Err(())),
        });
        self.call(reqwest::Method::PUT, "/v1.0/card/streaming", body).await;
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Value) {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let answer = request
            .header("x-acs-dingtalk-access-token", &self.token)
            .json(&body)
            .send()
            .await
            .unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
    }
}
