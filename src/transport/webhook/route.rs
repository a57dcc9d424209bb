//! Tells DingTalk where clicks on cards go: once after the start, again until it has taken it.

use std::time::Duration;

use super::Addresses;
use crate::config::Http;
use crate::config::Secret;
use crate::dingtalk::Class;
use crate::dingtalk::Client;
use crate::transport::backoff::Backoff;

/// The first wait after a failure, doubled up to the second.
const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(5));

/// What DingTalk is told.
#[derive(Debug)]
pub(super) struct Route {
    client: Client,
    url: String,
    secret: Secret,
}

impl Route {
    /// `None`: there is no address that DingTalk could call, or no secret to know it by.
    pub(super) fn of(addresses: &Addresses, settings: &Http, client: Client) -> Option<Self> {
        let url = addresses.card.clone().filter(|_| addresses.public)?;
        Some(Self { client, url, secret: settings.card_secret.clone()? })
    }

    /// Returns once it is done, or cannot be.
    pub(super) async fn keep(self) {
        let mut waits = Backoff::new(WAITS.0, WAITS.1);
        loop {
            let error = match self.client.route_clicks(&self.url, &self.secret).await {
                Ok(()) => {
                    tracing::info!("clicks on cards go to {}", self.url);
                    return;
                }
                Err(error) => error,
            };
            if error.class == Class::Permanent {
                tracing::error!(
                    hint =
                        "is `http.public_url` right? until the next start, card buttons do nothing",
                    "DingTalk does not take the address for clicks on cards: {error}"
                );
                return;
            }
            let wait = waits.next();
            tracing::warn!(
                hint = error.hint(),
                wait_secs = wait.as_secs(),
                "DingTalk has not taken the address for clicks on cards yet: {error}"
            );
            tokio::time::sleep(wait).await;
        }
    }
}
