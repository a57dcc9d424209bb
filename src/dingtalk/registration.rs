//! Making an app by scanning a code (the device flow): begin, then ask until somebody has decided on their phone.
//!
//! Needs no account: a [`Client`] without id and secret makes these calls. One call is one try, as everywhere here.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::client::{Client, join};
use super::error::{ApiError, Class};
use super::lenient::integer;
use super::redact::redact;
use crate::config::Secret;
use crate::sink;

const INIT: &str = "/app/registration/init";
const BEGIN: &str = "/app/registration/begin";
const POLL: &str = "/app/registration/poll";

/// DingTalk says two hours, and forgets codes after ten minutes.
pub const CODE_LIFE: Duration = Duration::from_mins(10);

/// What DingTalk asks for, where the answer says nothing usable.
const DEFAULT_INTERVAL_SECS: u64 = 5;

/// More than any address of DingTalk's, and more than a terminal could show as a code.
const MAX_ADDRESS: usize = 500;

/// A code that waits to be scanned. Whoever has the device code is given the secret of the app: it is kept as one.
#[derive(Clone, Serialize, Deserialize)]
pub struct Registration {
    device_code: String,
    /// For people to compare with what their phone shows.
    pub user_code: String,
    /// What the QR code says, and what a browser may open instead.
    pub address: String,
    pub interval_secs: u64,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("user_code", &self.user_code).finish_non_exhaustive()
    }
}

/// What has become of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Waiting,
    /// The app is there.
    Created {
        client_id: String,
        client_secret: Secret,
    },
    /// In DingTalk's words; empty where it gives none.
    Refused {
        reason: String,
    },
    Expired,
}

impl Client {
    /// Asks for a code.
    ///
    /// # Errors
    /// As for every call; [`Class::Permanent`] for an answer without a code that could be scanned.
    pub async fn begin_registration(&self) -> Result<Registration, ApiError> {
        let begun = self.register(INIT, json!({ "source": "moonbell" })).await?;
        let nonce = text(&begun, "nonce");
        let begun = self.register(BEGIN, json!({ "nonce": nonce })).await?;
        let address = match text(&begun, "verification_uri_complete") {
            "" => text(&begun, "verification_uri"),
            address => address,
        };
        let usable = Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        let device_code = text(&begun, "device_code");
        if !usable || address.len() > MAX_ADDRESS || device_code.is_empty() {
            let expected = "expected a device code and an address to scan in the answer";
            return Err(ApiError::local(BEGIN, Class::Permanent, "no-code", expected));
        }
        let interval = begun.get("interval").and_then(integer);
        sink::hide_passing(device_code);
        Ok(Registration {
            device_code: device_code.to_owned(),
            user_code: redact(text(&begun, "user_code")),
            address: address.to_owned(),
            interval_secs: interval
                .and_then(|secs| u64::try_from(secs).ok())
                .map_or(DEFAULT_INTERVAL_SECS, |secs| secs.clamp(1, 60)),
        })
    }

    /// Asks once what has become of a code.
    ///
    /// # Errors
    /// As for every call.
    pub async fn poll_registration(&self, code: &Registration) -> Result<Decision, ApiError> {
        let answer = self.register(POLL, json!({ "device_code": code.device_code })).await?;
        Ok(match text(&answer, "status").to_ascii_uppercase().as_str() {
            "SUCCESS" => {
                let (id, secret) = (text(&answer, "client_id"), text(&answer, "client_secret"));
                if id.is_empty() || secret.is_empty() {
                    let expected = "expected id and secret of the new app in the answer";
                    return Err(ApiError::local(POLL, Class::Permanent, "no-secret", expected));
                }
                sink::hide(secret);
                Decision::Created { client_id: id.to_owned(), client_secret: Secret::new(secret) }
            }
            "FAIL" => Decision::Refused { reason: redact(text(&answer, "fail_reason")) },
            "EXPIRED" => Decision::Expired,
            // A word that is not known yet changes nothing for whoever waits.
            _ => Decision::Waiting,
        })
    }

    /// Whether id and secret are those of an app that works: asks for a token, which DingTalk does not count.
    ///
    /// # Errors
    /// As for every call; [`Class::Credentials`] when they are not.
    pub async fn check_credentials(&self) -> Result<(), ApiError> {
        self.token().await.map(drop)
    }

    async fn register(&self, path: &'static str, body: Value) -> Result<Value, ApiError> {
        self.send(path, self.http().post(join(self.oapi_base(), path)).json(&body)).await
    }
}

fn text<'a>(answer: &'a Value, key: &str) -> &'a str {
    answer.get(key).and_then(Value::as_str).unwrap_or_default().trim()
}
