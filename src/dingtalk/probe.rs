//! Calls that change nothing and reach nobody, for whoever looks for what is wrong with an app.
//!
//! DingTalk looks at permissions before it looks at what a call asks for: a call for nobody, or of a card that does not
//! exist, is refused by name where the permission is missing, and for its parameters where it is there.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::cards::Card;
use super::client::Client;
use super::error::{ApiError, Class};
use super::open::Connection;
use super::send::TO_PERSON;
use crate::words::Lang;
use crate::words::network as w;

/// For the first line of an answer, from anywhere in the world.
const KNOCK: Duration = Duration::from_secs(8);

const CARD: &str = "/v1.0/card/instances";
const STREAM: &str = super::cards::STREAM;

/// What says that the app's robot is not there, which is no matter of permissions.
const NO_ROBOT: [&str; 3] =
    ["chatbotid.notallow.sendoto", "robot.oto.notexist", "invalidparameter.robotcode.notexsit"];

/// What the app must be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `qyapi_robot_sendmsg`
    Send,
    /// `Card.Instance.Write`
    Cards,
    /// `Card.Streaming.Write`
    Streaming,
}

impl Permission {
    pub fn scope(self) -> &'static str {
        match self {
            Self::Send => "qyapi_robot_sendmsg",
            Self::Cards => "Card.Instance.Write",
            Self::Streaming => "Card.Streaming.Write",
        }
    }
}

/// What stands in an answer's first lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// Where whoever asked is sent on to, in the words of who answered.
    pub leads_to: Option<String>,
}

impl Client {
    /// Gets an access token, or has one.
    ///
    /// # Errors
    /// [`Class::Credentials`] when id and secret do not fit.
    pub async fn try_secret(&self) -> Result<(), ApiError> {
        self.token().await.map(drop)
    }

    /// Whether the app may do this. One call of the month's budget.
    ///
    /// # Errors
    /// [`Class::Scope`] when not; otherwise why that could not be found out.
    pub async fn try_permission(&self, permission: Permission) -> Result<(), ApiError> {
        let nothing = format!("moonbell-doctor-{}", Uuid::new_v4());
        let answer = match permission {
            Permission::Send => {
                let request = json!({
                    "robotCode": self.client_id(),
                    "userIds": [],
                    "msgKey": "sampleText",
                    "msgParam": json!({ "content": "" }).to_string(),
                });
                self.api(Method::POST, TO_PERSON, &request).await
            }
            Permission::Cards => {
                let request = json!({ "outTrackId": nothing, "cardData": { "cardParamMap": {} } });
                self.api(Method::PUT, CARD, &request).await
            }
            Permission::Streaming => {
                let request = json!({
                    "outTrackId": nothing,
                    "guid": Uuid::new_v4().to_string(),
                    "key": "content",
                    "content": "",
                    "isFull": true,
                    "isFinalize": false,
                    "isError": false,
                });
                self.api(Method::PUT, STREAM, &request).await
            }
        };
        allowed(answer.map(drop))
    }

    /// Whether there is a published template `card.template`: makes a card of it that is put into no chat. One call.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn try_template(&self, card: &Card) -> Result<(), ApiError> {
        let request = json!({
            "cardTemplateId": card.template,
            "outTrackId": card.id,
            "cardData": { "cardParamMap": { (card.key.as_str()): "" } },
        });
        self.api(Method::POST, CARD, &request).await.map(drop)
    }

    /// Registers beside a host that may run: for a topic that nobody uses, so that no message comes here.
    ///
    /// # Errors
    /// As [`Client::open_connection`].
    pub async fn open_aside(&self) -> Result<Connection, ApiError> {
        self.open_for(&[("CALLBACK", "/v1.0/card/dynamicData/get")]).await
    }

    /// What anything answers over HTTP at `base`, with a certificate that is trusted.
    ///
    /// # Errors
    /// Why nothing does.
    pub async fn knock(&self, base: &Url) -> Result<Answered, ApiError> {
        const ENDPOINT: &str = "/";
        let knock = self.http().get(base.clone()).send();
        let Ok(answer) = tokio::time::timeout(KNOCK, knock).await else {
            let message = w::no_answer_within(&format!("{KNOCK:?}"), Lang::En);
            return Err(ApiError::local(ENDPOINT, Class::Transient, "timeout", message));
        };
        match answer {
            Ok(answer) => {
                if self.bases().any(|ours| ours == base) {
                    self.note_date(&answer);
                }
                let leads_to = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                Ok(Answered {
                    status: answer.status().as_u16(),
                    leads_to: leads_to.map(str::to_owned),
                })
            }
            Err(error) => Err(super::client::network(ENDPOINT, error, self.proxy())),
        }
    }
}

/// Whatever is said of the parameters was said by somebody who would have let a right one through.
fn allowed(answer: Result<(), ApiError>) -> Result<(), ApiError> {
    match answer {
        Err(error)
            if matches!(error.class, Class::Permanent | Class::Gone | Class::Rejected)
                && !NO_ROBOT.contains(&error.code.to_ascii_lowercase().as_str()) =>
        {
            Ok(())
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_parameters_is_a_permission_and_a_missing_robot_is_none() {
        let answer = |class, code: &str| allowed(Err(ApiError::local(CARD, class, code, "")));
        answer(Class::Permanent, "invalidParameter.userIds.empty").unwrap();
        answer(Class::Gone, "param.cardNotExist").unwrap();
        answer(Class::Permanent, "chatbotId.notAllow.sendOTO").unwrap_err();
        answer(Class::Scope(Vec::new()), "Forbidden").unwrap_err();
        answer(Class::Quota, "Forbidden").unwrap_err();
        answer(Class::Transient, "timeout").unwrap_err();
    }
}
