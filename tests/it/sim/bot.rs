//! A bot of bare calls and frames: it knows nothing but the wire.

use std::time::Duration;

use futures_util::SinkExt;
use futures_util::StreamExt;
use moonbell::sim::Options;
use moonbell::sim::Sim;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub(super) const OWNER: &str = "manager4220";
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Bot {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    id: String,
    secret: String,
    token: String,
}

/// An answer: its status and its JSON.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    #[track_caller]
    pub(super) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
    }

    #[track_caller]
    pub(super) fn errcode(&self, errcode: i64) {
        assert_eq!((self.status, self.body["errcode"].as_i64()), (200, Some(errcode)), "{self:?}");
    }

    #[track_caller]
    pub(super) fn succeeds(&self) {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.body.get("code").is_none(), "{self:?}");
    }
}

pub(super) async fn start() -> (Sim, Bot) {
    start_with(Options::default()).await
}

pub(super) async fn start_with(options: Options) -> (Sim, Bot) {
    let sim = Sim::start(options).await.unwrap();
    let bot = Bot::new(&sim).await;
    (sim, bot)
}

pub(super) fn http() -> reqwest::Client {
    // Whichever test comes first installs it; the client needs one even for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

impl Bot {
    async fn new(sim: &Sim) -> Self {
        let mut bot = Self {
            http: http(),
            base: sim.url().to_owned(),
            id: sim.client_id(),
            secret: sim.client_secret(),
            token: String::new(),
        };
        bot.token = bot.fresh_token().await;
        bot
    }

    pub(super) async fn fresh_token(&self) -> String {
        let body = json!({ "appKey": self.id, "appSecret": self.secret });
        let answer = self.call_as(None, Method::POST, "/v1.0/oauth2/accessToken", &body).await;
        answer.body["accessToken"].as_str().unwrap().to_owned()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call_as(Some(&self.token), Method::POST, path, body).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call_as(Some(&self.token), Method::PUT, path, body).await
    }

    pub(super) async fn call_as(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Answer {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.http.request(method, url).json(body);
        if let Some(token) = token {
            request = request.header("x-acs-dingtalk-access-token", token);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub(super) async fn open(&self, body: Value) -> Answer {
        let request = self.http.post(format!("{}/v1.0/gateway/connections/open", self.base));
        let response =
            request.header("Accept", "application/json").json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub(super) fn registration(&self) -> Value {
        json!({
            "clientId": self.id,
            "clientSecret": self.secret,
            "ua": "raw/1.0",
            "subscriptions": [
                { "type": "EVENT", "topic": "*" },
                { "type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get" },
                { "type": "CALLBACK", "topic": "/v1.0/card/instances/callback" },
            ],
        })
    }

    pub(super) async fn connect(&self) -> Socket {
        let opened = self.open(self.registration()).await;
        let url = format!(
            "{}?ticket={}",
            opened.body["endpoint"].as_str().unwrap(),
            opened.body["ticket"].as_str().unwrap()
        );
        Socket::open(&url).await.unwrap()
    }

    pub(super) fn robot_code(&self) -> &str {
        &self.id
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Puts a card of this template into the direct chat of the owner.
    pub(super) async fn card(&self, id: &str, template: &str, params: &Value) -> Answer {
        self.post("/v1.0/card/instances/createAndDeliver", &self.card_body(id, template, params))
            .await
    }

    pub(super) fn card_body(&self, id: &str, template: &str, params: &Value) -> Value {
        json!({
            "cardTemplateId": template,
            "outTrackId": id,
            "callbackType": "STREAM",
            "cardData": { "cardParamMap": params },
            "openSpaceId": format!("dtv1.card//IM_ROBOT.{OWNER}"),
            "imRobotOpenSpaceModel": { "supportForward": true },
            "imRobotOpenDeliverModel": { "spaceType": "IM_ROBOT", "robotCode": self.id },
        })
    }

    pub(super) async fn stream(
        &self,
        id: &str,
        guid: &str,
        content: &str,
        finalize: bool,
    ) -> Answer {
        let body = json!({
            "outTrackId": id, "guid": guid, "key": "content", "content": content,
            "isFull": true, "isFinalize": finalize, "isError": false,
        });
        self.put("/v1.0/card/streaming", &body).await
    }
}

#[derive(Debug)]
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket; an error is the status of the refusal.
    pub(super) async fn open(url: &str) -> Result<Self, u16> {
        use tokio_tungstenite::tungstenite::Error;
        match tokio_tungstenite::connect_async(url).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The next frame of any type; `None` at the end of the socket.
    pub(super) async fn any(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a frame in time")? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame that is not of the SYSTEM.
    pub(super) async fn frame(&mut self) -> Value {
        loop {
            let frame = self.any().await.expect("the socket is open");
            if frame["type"] != "SYSTEM" {
                return frame;
            }
        }
    }

    /// The next raw message, whatever it is.
    pub(super) async fn message(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message in time")?.ok()
    }

    pub(super) async fn ack(&mut self, frame: &Value, data: &Value) {
        let ack = json!({
            "code": 200,
            "headers": { "contentType": "application/json", "messageId": frame["headers"]["messageId"] },
            "message": "OK",
            "data": data.to_string(),
        });
        self.send(ack.to_string()).await;
    }

    pub(super) async fn send(&mut self, text: String) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }
}

/// What travels as JSON text inside a frame.
pub(super) fn data(frame: &Value) -> Value {
    serde_json::from_str(frame["data"].as_str().expect("data is text")).unwrap()
}
