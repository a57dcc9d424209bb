//! The settings of the HTTP mode: where DingTalk's calls are received, what proves them, and from whom they are taken.

use std::time::Duration;

use super::address::is_a_door;
use super::check::Check;
use super::load::Need;
use super::problem::Problem;
use super::{Config, Mode, Network, Tls};

/// Letters of DingTalk's AES keys: 32 bytes in base64, without the padding.
const AES_KEY_CHARS: usize = 43;

impl Check<'_> {
    pub(super) fn http(&mut self, config: &mut Config, need: Need) {
        if let Some(listen) = self.listen("http.listen") {
            config.http.listen = listen;
        }
        if let Some(path) = self.text("http.path") {
            // Compared byte by byte with what is called, so nothing that can be written in two ways.
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
            let trimmed = path.trim_end_matches('/');
            if !path.starts_with('/') || !path.chars().all(plain) || trimmed.contains("//") {
                let message =
                    format!("`http.path` is `{}`, which is not a path", path.escape_debug());
                let hint = "begin with a slash, and use letters, digits, `-`, `.`, `_`, `~`: \"/dingtalk\"";
                self.wrong("http.path", message, hint);
            }
            trimmed.clone_into(&mut config.http.path);
        }
        config.http.public_url = self.url("http.public_url");
        self.public_path(config);
        if let Some(window) =
            self.duration("http.window", Duration::from_secs(10), Duration::from_hours(1))
        {
            config.http.window = window;
        }
        config.http.trusted_proxies = self.networks("http.trusted_proxies");
        config.http.allow = self.networks("http.allow");
        self.http_secrets(config, need);
        self.http_tls(config);
        if config.dingtalk.mode == Mode::Http
            && need == Need::Account
            && config.http.tls.is_none()
            && !config.http.listen.ip().is_loopback()
        {
            let message = format!("callbacks are received on {} without TLS", config.http.listen);
            let hint = "set `http.tls`, or listen on 127.0.0.1 behind a proxy that has TLS";
            self.warnings.push(Problem::new(self.place("http.listen"), message).hint(hint));
        }
    }

    /// What is called outside and what is answered here differ only where a proxy rewrites paths.
    fn public_path(&mut self, config: &Config) {
        let Some(url) = &config.http.public_url else { return };
        let (outside, inside) = (url.path().trim_end_matches('/').to_owned(), &config.http.path);
        if outside == *inside {
            return;
        }
        if is_a_door(url, inside) {
            let message = format!("`http.public_url` is `{url}`, which is one of the doors");
            let hint = "leave out the last part: what stands before `/robot`, `/event` and `/card`";
            self.wrong("http.public_url", message, hint);
        } else {
            let message = format!("`http.public_url` is `{url}`, and `http.path` is `{inside}`");
            let hint = "both end alike, unless your proxy rewrites the one into the other";
            let place = self.place("http.public_url");
            self.warnings.push(Problem::new(place, message).hint(hint));
        }
    }

    /// Doors of a mode that is off are neither opened nor checked; but their secrets are known, so that nobody writes them.
    fn http_secrets(&mut self, config: &mut Config, need: Need) {
        let is_off = config.dingtalk.mode != Mode::Http;
        let (problems, warnings) = (self.problems.len(), self.warnings.len());
        config.http.token = self.secret("http.token", need);
        config.http.aes_key = self.secret("http.aes_key", need);
        config.http.card_secret = self.secret("http.card_secret", need);
        if is_off {
            self.problems.truncate(problems);
            self.warnings.truncate(warnings);
        }
        let (token, aes_key) =
            (self.entries.contains_key("http.token"), self.entries.contains_key("http.aes_key"));
        if token != aes_key {
            let (there, gone) =
                if token { ("http.token", "http.aes_key") } else { ("http.aes_key", "http.token") };
            self.wrong(
                there,
                format!("`{there}` is set but `{gone}` is not"),
                "events need both, or neither",
            );
        }
        let Some(key) = config.http.aes_key.as_ref().filter(|_| !is_off) else { return };
        let (chars, hint) =
            (key.expose().chars().count(), "copy the AES key of the event subscription again");
        if chars != AES_KEY_CHARS {
            let message =
                format!("`http.aes_key` has {chars} characters; DingTalk's have {AES_KEY_CHARS}");
            self.wrong("http.aes_key", message, hint);
        } else if !key.expose().chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c)) {
            let message = "`http.aes_key` holds other characters than letters and digits";
            self.wrong("http.aes_key", message.to_owned(), hint);
        }
    }

    fn http_tls(&mut self, config: &mut Config) {
        let (cert, key) = (self.path("http.tls.cert"), self.path("http.tls.key"));
        match (cert, key) {
            (Some(cert), Some(key)) => config.http.tls = Some(Tls { cert, key }),
            (None, None) => {}
            (Some(_), None) => self.wrong(
                "http.tls.cert",
                "`http.tls.key` is missing".to_owned(),
                "set both, or none",
            ),
            (None, Some(_)) => self.wrong(
                "http.tls.key",
                "`http.tls.cert` is missing".to_owned(),
                "set both, or none",
            ),
        }
    }

    fn networks(&mut self, path: &'static str) -> Vec<Network> {
        let mut networks = Vec::new();
        for text in self.list(path).unwrap_or_default() {
            if let Some(network) = Network::parse(&text) {
                networks.push(network);
            } else {
                let message = format!("`{path}`: `{}` is no address", text.escape_debug());
                self.wrong(path, message, "write \"192.0.2.7\" or \"192.0.2.0/24\"");
            }
        }
        networks
    }
}
