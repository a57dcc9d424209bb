//! How cards are shown, out of all that the settings say.

use crate::config::Config;
use crate::config::Mode;
use crate::dingtalk::Client;
use crate::outbox::CardSettings;

/// In the state folder: outputs of cards, until they are sent.
const SPOOL: &str = "spool";

pub(super) fn settings(config: &Config, client: &Client) -> CardSettings {
    // A button that nobody could hear is not shown.
    let deaf = config.dingtalk.mode == Mode::Http
        && (config.http.card_secret.is_none()
            || (config.http.public_url.is_none() && !client.is_simulated()));
    CardSettings {
        calls_per_second: config.cards.calls_per_second,
        attach: config.cards.attach,
        spool: Some(config.state.dir.join(SPOOL)),
        attach_bytes: config.cards.attach_bytes,
        stop_actions: if deaf { Vec::new() } else { config.cards.stop_actions.clone() },
        buttons: if deaf { 0 } else { config.cards.buttons },
    }
}
