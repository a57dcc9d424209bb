//! Sending texts: through the webhook that came with a message, or as the robot to a person or a group.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Map, Value, json};
use url::Url;

use super::client::Client;
use super::error::{ApiError, Class};
use super::lenient;
use super::text::{self, ROBOT_LIMIT_BYTES, WEBHOOK_LIMIT_BYTES};
use crate::message::{Body, ConversationId, StaffId, Webhook};

pub(super) const WEBHOOK: &str = "sessionWebhook";
pub(super) const TO_PERSON: &str = "/v1.0/robot/oToMessages/batchSend";
const TO_GROUP: &str = "/v1.0/robot/groupMessages/send";

/// A message that the robot API accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The handle for recall and read state, where DingTalk gave one.
    pub query_key: Option<String>,
}

impl Client {
    /// Posts `body` into the chat that `webhook` belongs to, mentioning `at`.
    ///
    /// # Errors
    /// [`Class::Gone`] once the webhook has expired; [`Class::Permanent`] for an address that is not DingTalk's: it
    /// came in a message, so it is not trusted.
    pub async fn send_webhook(
        &self,
        webhook: &Webhook,
        body: &Body,
        at: &[StaffId],
    ) -> Result<(), ApiError> {
        let url = self.check_webhook(&webhook.url)?;
        let body = webhook_body(body, at);
        check_size(WEBHOOK, body.to_string().len(), WEBHOOK_LIMIT_BYTES)?;
        self.send(WEBHOOK, self.http().post(url).json(&body)).await?;
        Ok(())
    }

    /// Sends `body` to one person as the robot `robot_code`, by default the app's own.
    ///
    /// # Errors
    /// Also when DingTalk accepts the call but not the person: unknown, throttled or filtered.
    pub async fn send_to_person(
        &self,
        robot_code: Option<&str>,
        person: &StaffId,
        body: &Body,
    ) -> Result<Sent, ApiError> {
        let (key, param) = message(body);
        check_size(TO_PERSON, param.len(), ROBOT_LIMIT_BYTES)?;
        let request = json!({
            "robotCode": self.robot_code(robot_code),
            "userIds": [person.as_str()],
            "msgKey": key,
            "msgParam": param,
        });
        let answer = self.api(Method::POST, TO_PERSON, &request).await?;
        for (list, class, code, why) in [
            (
                "flowControlledStaffIdList",
                Class::Throttled,
                "flow-controlled",
                "too many messages to this person",
            ),
            (
                "invalidStaffIdList",
                Class::Gone,
                "invalid-person",
                "DingTalk does not know this staff id",
            ),
            (
                "filteredStaffIdList",
                Class::Rejected,
                "filtered-person",
                "DingTalk filtered the message to this person",
            ),
        ] {
            if answer.get(list).and_then(lenient::list).is_some_and(|list| !list.is_empty()) {
                let retry_after =
                    (class == Class::Throttled).then_some(std::time::Duration::from_mins(1));
                let error = ApiError::local(TO_PERSON, class, code, why);
                return Err(ApiError { retry_after, ..error });
            }
        }
        Ok(sent(&answer))
    }

    /// Sends `body` to a group as the robot `robot_code`, by default the app's own. Mentions do not work here.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn send_to_group(
        &self,
        robot_code: Option<&str>,
        conversation: &ConversationId,
        body: &Body,
    ) -> Result<Sent, ApiError> {
        let (key, param) = message(body);
        check_size(TO_GROUP, param.len(), ROBOT_LIMIT_BYTES)?;
        let request = json!({
            "robotCode": self.robot_code(robot_code),
            "openConversationId": conversation.as_str(),
            "msgKey": key,
            "msgParam": param,
        });
        let answer = self.api(Method::POST, TO_GROUP, &request).await?;
        Ok(sent(&answer))
    }

    /// A webhook is posted to only over https at DingTalk, or at the host that the settings name.
    fn check_webhook(&self, address: &str) -> Result<Url, ApiError> {
        let refuse = |message: String| {
            ApiError::local(WEBHOOK, Class::Permanent, "foreign-webhook", message)
        };
        let url = Url::parse(address)
            .map_err(|error| refuse(format!("the webhook is not an address: {error}")))?;
        let base = self.oapi_base();
        let own = url.scheme() == base.scheme()
            && url.host_str() == base.host_str()
            && url.port_or_known_default() == base.port_or_known_default();
        let dingtalk = url.scheme() == "https"
            && url.port_or_known_default() == Some(443)
            && url.domain().is_some_and(|host| host.ends_with(".dingtalk.com"));
        if (own || dingtalk) && url.username().is_empty() && url.password().is_none() {
            return Ok(url);
        }
        let host = url.host_str().unwrap_or_default();
        Err(refuse(format!(
            "refused the webhook at `{}://{host}`; expected `https://*.dingtalk.com`",
            url.scheme()
        )))
    }
}

fn sent(answer: &Value) -> Sent {
    Sent {
        query_key: answer.as_object().and_then(|answer| lenient::field(answer, "processQueryKey")),
    }
}

fn check_size(
    endpoint: &'static str,
    size_bytes: usize,
    limit_bytes: usize,
) -> Result<(), ApiError> {
    if size_bytes < limit_bytes {
        return Ok(());
    }
    let message = format!(
        "the message is {size_bytes} bytes as JSON; DingTalk accepts less than {limit_bytes}"
    );
    Err(ApiError::local(endpoint, Class::TooLarge, "too-large", message))
}

/// The JSON that a webhook takes. A mention shows only where the text says `@id`, so missing ones are appended.
fn webhook_body(body: &Body, at: &[StaffId]) -> Value {
    let (kind, mut content, text_key) = match body {
        Body::Text { text } => ("text", json!({ "content": text }), "content"),
        Body::Markdown { title, text } => {
            ("markdown", json!({ "title": title_of(title, text), "text": text }), "text")
        }
        // The outbox sends these as the robot; whoever does not gets at least the name across.
        Body::File { name, .. } => ("text", json!({ "content": name }), "content"),
        Body::Image { .. } => ("text", json!({ "content": "(picture)" }), "content"),
    };
    if let Some(Value::String(text)) = content.get_mut(text_key) {
        let mut missing = String::new();
        for id in at.iter().filter(|id| !mentions(text, id.as_str())) {
            write!(missing, " @{id}").expect("a string takes every write");
        }
        if !missing.is_empty() {
            let separator = if kind == "markdown" { "\n\n" } else { "\n" };
            *text = format!("{text}{separator}{}", missing.trim_start());
        }
    }
    let mut request = Map::new();
    request.insert("msgtype".to_owned(), kind.into());
    request.insert(kind.to_owned(), content);
    if !at.is_empty() {
        let ids: Vec<&str> = at.iter().map(StaffId::as_str).collect();
        request.insert("at".to_owned(), json!({ "atUserIds": ids, "isAtAll": false }));
    }
    Value::Object(request)
}

/// Whether `text` mentions `id` itself, not a longer id that starts with it.
fn mentions(text: &str, id: &str) -> bool {
    let wanted = format!("@{id}");
    text.match_indices(&wanted).any(|(start, _)| {
        !text[start + wanted.len()..]
            .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    })
}

/// `msgKey` and `msgParam` of the robot API; the latter is JSON as text.
fn message(body: &Body) -> (&'static str, String) {
    match body {
        Body::Text { text } => ("sampleText", json!({ "content": text }).to_string()),
        Body::Markdown { title, text } => {
            ("sampleMarkdown", json!({ "title": title_of(title, text), "text": text }).to_string())
        }
        Body::File { media_id, name } => {
            let kind = name.rsplit_once('.').map_or("zip", |(_, end)| end);
            let file = json!({ "mediaId": media_id, "fileName": name, "fileType": kind });
            ("sampleFile", file.to_string())
        }
        Body::Image { media_id } => ("sampleImageMsg", json!({ "photoURL": media_id }).to_string()),
    }
}

/// Markdown without a title is refused, so an empty one is derived from the text.
fn title_of(title: &str, markdown: &str) -> String {
    if title.trim().is_empty() { text::title(markdown) } else { title.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Value {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn webhook_bodies_are_as_documented() {
        let alice = [StaffId::new("manager4220")];
        let text = Body::Text { text: "@manager4220 构建完成".to_owned() };
        assert_eq!(webhook_body(&text, &alice), fixture("api_webhook_text_request"));
        let markdown = Body::Markdown {
            title: "构建结果".to_owned(),
            text: "### 构建结果\n\n| 项 | 值 |\n| :--- | :--- |\n| 状态 | 成功 |".to_owned(),
        };
        assert_eq!(
            webhook_body(&markdown, &alice),
            fixture("api_webhook_markdown_request"),
            "the mention is appended"
        );
    }

    #[test]
    fn a_longer_id_is_not_the_mention_of_a_shorter_one() {
        let body = webhook_body(&Body::Text { text: "@u12 hi".to_owned() }, &[StaffId::new("u1")]);
        assert_eq!(body["text"]["content"], "@u12 hi\n@u1");
    }

    #[test]
    fn robot_messages_are_json_as_text() {
        let group = fixture("api_group_send_request");
        let (key, param) = message(&Body::Text { text: "hello".to_owned() });
        assert_eq!((key, param.as_str()), ("sampleText", group["msgParam"].as_str().unwrap()));

        let person = fixture("api_oto_send_request");
        let (key, param) = message(&Body::Markdown {
            title: String::new(),
            text: "### 构建结果\n成功".to_owned(),
        });
        assert_eq!(key, person["msgKey"]);
        let wanted: Value = serde_json::from_str(person["msgParam"].as_str().unwrap()).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&param).unwrap(),
            wanted,
            "an empty title is derived"
        );
    }
}
