//! Tokens, and tickets for the stream gateway.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::answer::Outcome;
use super::answer::Refusal;
use super::call::Call;
use super::call::text;
use super::millis;
use super::world::World;

impl World {
    pub(super) fn access_token(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        if !self.knows(&body, "appKey", "appSecret") {
            return Err(Refusal::api(
                400,
                "invalidClientIdOrSecret",
                "无效的clientId或者clientSecret",
            ));
        }
        let token = self.token();
        Ok(json!({ "accessToken": token, "expireIn": self.options.clocks.token.as_secs() }))
    }

    /// The newer call, per corporation.
    pub(super) fn corp_token(&mut self, corp: &str, call: &Call) -> Outcome {
        let body = call.object()?;
        // Documented as 400 and 401; a real server was seen to answer this (protocol I-14).
        let refused = || Refusal::api(500, "unknownError", "未知错误");
        let grant = text(&body, "grant_type") == Some("client_credentials");
        if !grant
            || corp != self.organisation.corp_id
            || !self.knows(&body, "client_id", "client_secret")
        {
            return Err(refused());
        }
        let token = self.token();
        Ok(json!({ "access_token": token, "expires_in": self.options.clocks.token.as_secs() }))
    }

    /// Query values only: a form body is not looked at.
    pub(super) fn legacy_token(&mut self, call: &Call) -> Outcome {
        let (Some(key), Some(secret)) = (call.query.get("appkey"), call.query.get("appsecret"))
        else {
            return Err(Refusal::legacy(40035, "不合法的参数"));
        };
        if !self.app.knows(key, secret) {
            return Err(Refusal::legacy(40096, "不合法的appKey或appSecret"));
        }
        let token = self.token();
        let expires_in = self.options.clocks.token.as_secs();
        Ok(json!({ "errcode": 0, "access_token": token, "errmsg": "ok", "expires_in": expires_in }))
    }

    fn token(&mut self) -> String {
        let (token, is_new) = self.app.issue_token(millis(self.options.clocks.token));
        self.counters.tokens_issued += u64::from(is_new);
        token
    }

    fn knows(&self, body: &Map<String, Value>, id: &str, secret: &str) -> bool {
        let (Some(id), Some(secret)) = (text(body, id), text(body, secret)) else { return false };
        self.app.knows(id, secret)
    }

    /// `connections/open`.
    pub(super) fn open_gateway(&mut self, call: &Call) -> Outcome {
        if !call.header("accept").is_some_and(|accept| accept.contains("application/json")) {
            let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><result><endpoint>(ask with Accept: application/json)\
                       </endpoint></result>";
            return Err(Refusal::text(200, "application/xml; charset=utf-8", xml));
        }
        let invalid = |message: &str| Refusal::api(400, "invalidParameter", message);
        if !call.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(invalid("Content-Type must be application/json"));
        }
        let body = call.object()?;
        if !self.knows(&body, "clientId", "clientSecret") {
            return Err(Refusal::api(401, "authFailed", "鉴权失败"));
        }
        let ua = match body.get("ua") {
            None | Some(Value::Null) => "",
            Some(Value::String(ua)) if ua.bytes().all(|byte| byte.is_ascii_graphic()) => ua,
            Some(_) => return Err(invalid("ua invalid")),
        };
        let subscriptions = subscriptions(&body).map_err(|why| invalid(&why))?;
        let ticket = self.app.issue_ticket(subscriptions, ua.to_owned(), &self.options);
        let own = format!("{}/connect", self.base_url.replacen("http", "ws", 1));
        let endpoint = self.faults.endpoint.clone().unwrap_or(own);
        Ok(json!({ "endpoint": endpoint, "ticket": ticket }))
    }
}

fn subscriptions(body: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let list = body.get("subscriptions").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or("subscriptions must be a list of {type, topic}")?;
    let pair = |entry: &Value| {
        let object = entry.as_object().ok_or("a subscription is {type, topic}")?;
        let (Some(kind), Some(topic)) = (text(object, "type"), text(object, "topic")) else {
            return Err("a subscription needs type and topic".to_owned());
        };
        match (kind, topic) {
            ("EVENT", "*") | ("CALLBACK" | "SYSTEM", _) => Ok((kind.to_owned(), topic.to_owned())),
            ("EVENT", _) => Err("EVENT accepts the topic * only".to_owned()),
            _ => Err(format!("unknown subscription type {kind}")),
        }
    };
    list.iter().map(pair).collect()
}
