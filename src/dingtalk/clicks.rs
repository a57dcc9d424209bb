//! Where clicks on cards go: a card says it when it is created.

use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::error::ApiError;
use crate::config::{Mode, Secret};

const ROUTE: &str = "/v1.0/card/callbacks/register";

/// The way that clicks come, or none.
#[derive(Debug)]
pub(super) enum Clicks {
    /// Over the connection.
    Stream,
    /// To the address that this key stands for, once DingTalk knows it.
    Http(OnceLock<String>),
}

impl Clicks {
    pub(super) fn of(mode: Mode) -> Self {
        match mode {
            Mode::Stream => Self::Stream,
            Mode::Http => Self::Http(OnceLock::new()),
        }
    }

    /// Says it in the request that creates a card. One that does not say it is never heard of again.
    pub(super) fn say(&self, request: &mut Value) {
        match self {
            Self::Stream => request["callbackType"] = "STREAM".into(),
            Self::Http(key) => {
                if let Some(key) = key.get() {
                    request["callbackType"] = "HTTP".into();
                    request["callbackRouteKey"] = key.as_str().into();
                }
            }
        }
    }
}

impl Client {
    /// From now on clicks on new cards go to `url`, signed with `secret`.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn route_clicks(&self, url: &str, secret: &Secret) -> Result<(), ApiError> {
        // One for each app; what an earlier host said is said anew.
        let key = format!("moonbell_{}", self.client_id());
        let request = json!({
            "callbackRouteKey": key,
            "callbackUrl": url,
            "apiSecret": secret.expose(),
            "forceUpdate": true,
        });
        self.api(Method::POST, ROUTE, &request).await?;
        if let Clicks::Http(known) = self.clicks() {
            let _ = known.set(key);
        }
        Ok(())
    }
}
