//! Reactions on somebody's message: best effort, and never waited for long.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::client::Client;
use super::error::{ApiError, Class};
use crate::message::ConversationId;
use crate::message::MessageId;
use crate::words::Lang;
use crate::words::network as w;

const REPLY: &str = "/v1.0/robot/emotion/reply";
const RECALL: &str = "/v1.0/robot/emotion/recall";

/// Nobody waits longer for an ornament.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Client {
    /// Puts a reaction onto a message, or takes it off again: DingTalk knows it by its text alone.
    ///
    /// # Errors
    /// As classified from the answer; [`Class::Transient`] after five seconds without one.
    pub async fn react(
        &self,
        robot_code: Option<&str>,
        message: &MessageId,
        conversation: &ConversationId,
        text: &str,
        put: bool,
    ) -> Result<(), ApiError> {
        let path = if put { REPLY } else { RECALL };
        let request = json!({
            "robotCode": self.robot_code(robot_code),
            "openMsgId": message.as_str(),
            "openConversationId": conversation.as_str(),
            // The one kind that renders in every organisation.
            "emotionType": 2,
            "emotionName": text,
            "textEmotion": {
                "emotionId": "2659900",
                "emotionName": text,
                "text": text,
                "backgroundId": "im_bg_1",
            },
        });
        match tokio::time::timeout(TIMEOUT, self.api(Method::POST, path, &request)).await {
            Ok(answer) => answer.map(drop),
            Err(_) => {
                let message = w::no_answer_within(&format!("{TIMEOUT:?}"), Lang::En);
                Err(ApiError::local(path, Class::Transient, "timeout", message))
            }
        }
    }
}
