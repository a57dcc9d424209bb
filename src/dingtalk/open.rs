//! Registering for the Stream: where to connect, with which ticket, and whether that address may be trusted.

use std::fmt;

use serde_json::{Value, json};
use url::Url;

use super::client::{Client, join};
use super::error::{ApiError, Class};
use crate::sink::hide_passing;

const PATH: &str = "/v1.0/gateway/connections/open";

/// Messages, card clicks and events.
const SUBSCRIPTIONS: &[(&str, &str)] = &[
    ("EVENT", "*"),
    ("CALLBACK", "/v1.0/im/bot/messages/get"),
    ("CALLBACK", "/v1.0/im/bot/messages/delegate"),
    ("CALLBACK", "/v1.0/card/instances/callback"),
];

/// Where the Stream can be opened, once, within 90 s. The URL holds the ticket, so it is never logged.
#[derive(Clone)]
pub struct Connection {
    url: Url,
}

impl Connection {
    /// The code of an answer that names an endpoint outside DingTalk.
    pub const FOREIGN: &str = "foreign-endpoint";

    /// The address to open, ticket included: for the wire, never for text that a person reads.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host, for logs.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("host", &self.host()).field("ticket", &"***").finish()
    }
}

impl Client {
    /// Registers for messages, card clicks and events, and returns where to connect.
    ///
    /// # Errors
    /// [`Class::Credentials`] for a wrong id or secret, [`Class::Permanent`] for an app that is not set up for Stream
    /// or an endpoint outside DingTalk, otherwise as for every call.
    pub async fn open_connection(&self) -> Result<Connection, ApiError> {
        self.open_for(SUBSCRIPTIONS).await
    }

    pub(super) async fn open_for(&self, topics: &[(&str, &str)]) -> Result<Connection, ApiError> {
        let body = request(self.client_id(), self.client_secret().expose(), topics);
        let request = self.http().post(join(self.api_base(), PATH)).json(&body);
        let answer = self.send(PATH, request).await.map_err(|error| match error.class {
            // This call carries no token, so a 401 without a code can only mean id and secret.
            Class::Token => ApiError { class: Class::Credentials, ..error },
            _ => error,
        })?;
        let part = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let (endpoint, ticket) = (part("endpoint"), part("ticket"));
        if ticket.is_empty() {
            return Err(ApiError::local(
                PATH,
                Class::Transient,
                "no-ticket",
                "expected a ticket in the answer",
            ));
        }
        hide_passing(ticket);
        let mut url = check_endpoint(self.api_base(), endpoint).map_err(|reason| {
            ApiError::local(PATH, Class::Permanent, Connection::FOREIGN, reason)
        })?;
        url.query_pairs_mut().append_pair("ticket", ticket);
        Ok(Connection { url })
    }
}

fn request(client_id: &str, client_secret: &str, topics: &[(&str, &str)]) -> Value {
    let topics = topics.iter().map(|(kind, topic)| json!({ "type": kind, "topic": topic }));
    json!({
        "clientId": client_id,
        "clientSecret": client_secret,
        "subscriptions": topics.collect::<Vec<_>>(),
        "ua": concat!("moonbell-sdk-rust/", env!("CARGO_PKG_VERSION")),
    })
}

/// Whether `endpoint` may be connected to: the answer that named it is not reason enough to send it messages' acks.
fn check_endpoint(api_base: &Url, endpoint: &str) -> Result<Url, String> {
    let url =
        Url::parse(endpoint).map_err(|error| format!("the endpoint is not an address: {error}"))?;
    let host = url.host_str().unwrap_or_default();
    let (scheme, host_fits, expected) = if is_dingtalk(api_base) {
        ("wss", is_dingtalk(&url), "`wss://` at `*.dingtalk.com` or `*.dingtalk.io`".to_owned())
    } else {
        let scheme = if api_base.scheme() == "https" { "wss" } else { "ws" };
        let base = api_base.host_str().unwrap_or_default();
        (scheme, host == base, format!("`{scheme}://` at `{base}`"))
    };
    if url.scheme() != scheme
        || !host_fits
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(format!(
            "refused the endpoint `{}://{host}`; expected {expected}",
            url.scheme()
        ));
    }
    Ok(url)
}

/// Whether the host is DingTalk's own.
pub(super) fn is_dingtalk(url: &Url) -> bool {
    url.domain().is_some_and(|host| {
        let host = host.to_ascii_lowercase();
        host.ends_with(".dingtalk.com") || host.ends_with(".dingtalk.io")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dingtalks_own_hosts_are_connected_to() {
        let real = Url::parse("https://api.dingtalk.com").unwrap();
        for good in [
            "wss://wss-open-connection.dingtalk.com:443/connect",
            "wss://wss-open-connection-union.dingtalk.com/connect",
            "wss://x.dingtalk.io/connect",
        ] {
            assert!(check_endpoint(&real, good).is_ok(), "{good}");
        }
        for bad in [
            "ws://wss-open-connection.dingtalk.com/connect",
            "wss://dingtalk.com.evil.example/connect",
            "wss://evildingtalk.com/connect",
            "wss://127.0.0.1/connect",
            "wss://[::1]/connect",
            "wss://user@x.dingtalk.com/connect",
            "https://x.dingtalk.com/connect",
            "wss://x.dingtalk.com.:443@evil.example/",
            "nonsense",
            "",
        ] {
            assert!(check_endpoint(&real, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_base_may_only_name_itself() {
        let own = Url::parse("http://127.0.0.1:4000").unwrap();
        assert!(check_endpoint(&own, "ws://127.0.0.1:4001/connect").is_ok());
        for bad in [
            "wss://127.0.0.1:4000/c",
            "ws://127.0.0.2:4000/c",
            "wss://wss-open-connection.dingtalk.com/connect",
        ] {
            assert!(check_endpoint(&own, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_registration_asks_for_messages_clicks_and_events() {
        let sample: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/stream_open_request.json"))
                .unwrap();
        let ours = request("dingfixturebot000001", "fixture-client-secret", SUBSCRIPTIONS);
        assert_eq!(ours["clientId"], sample["clientId"]);
        assert_eq!(ours["clientSecret"], sample["clientSecret"]);
        for wanted in sample["subscriptions"].as_array().unwrap() {
            assert!(ours["subscriptions"].as_array().unwrap().contains(wanted), "{wanted}");
        }
        assert!(ours["ua"].as_str().unwrap().starts_with("moonbell-sdk-rust/"));
    }
}
