//! The settings of the HTTP mode: where DingTalk's calls are received, what proves them, and from whom they are taken.

use std::time::Duration;

use super::address::{is_a_door, is_a_path};
use super::check::Check;
use super::check::shown;
use super::load::Need;
use super::problem::Problem;
use super::{Config, Mode, Network, Tls};
use crate::words::config::http as w;

/// Letters of DingTalk's AES keys: 32 bytes in base64, without the padding.
const AES_KEY_CHARS: usize = 43;

impl Check<'_> {
    pub(super) fn http(&mut self, config: &mut Config, need: Need) {
        if let Some(listen) = self.listen("http.listen") {
            config.http.listen = listen;
        }
        if let Some(path) = self.text("http.path") {
            let trimmed = path.trim_end_matches('/');
            if !path.starts_with('/') || !is_a_path(trimmed) {
                let value = shown(&path);
                self.wrong("http.path", |lang| w::not_a_path(&value, lang), w::path_hint);
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
            let (place, listen) = (self.place("http.listen"), config.http.listen.to_string());
            let problem = Problem::new(place, |lang| w::without_tls(&listen, lang));
            self.warnings.push(problem.hint(w::without_tls_hint));
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
            let message = |lang| w::one_of_the_doors(url.as_str(), lang);
            self.wrong("http.public_url", message, w::one_of_the_doors_hint);
        } else {
            let place = self.place("http.public_url");
            let problem = Problem::new(place, |lang| w::other_path(url.as_str(), inside, lang));
            self.warnings.push(problem.hint(w::other_path_hint));
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
            self.wrong(there, |lang| w::half(there, gone, lang), w::half_hint);
        }
        let Some(key) = config.http.aes_key.as_ref().filter(|_| !is_off) else { return };
        let chars = key.expose().chars().count();
        if chars != AES_KEY_CHARS {
            let message = |lang| w::aes_key_length(chars, AES_KEY_CHARS, lang);
            self.wrong("http.aes_key", message, w::aes_key_hint);
        } else if !key.expose().chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c)) {
            self.wrong("http.aes_key", w::aes_key_letters, w::aes_key_hint);
        }
    }

    fn http_tls(&mut self, config: &mut Config) {
        let (cert, key) = (self.path("http.tls.cert"), self.path("http.tls.key"));
        match (cert, key) {
            (Some(cert), Some(key)) => config.http.tls = Some(Tls { cert, key }),
            (None, None) => {}
            (Some(_), None) => {
                self.wrong(
                    "http.tls.cert",
                    |lang| w::tls_is_half("http.tls.key", lang),
                    w::tls_hint,
                );
            }
            (None, Some(_)) => {
                self.wrong(
                    "http.tls.key",
                    |lang| w::tls_is_half("http.tls.cert", lang),
                    w::tls_hint,
                );
            }
        }
    }

    fn networks(&mut self, path: &'static str) -> Vec<Network> {
        let mut networks = Vec::new();
        for text in self.list(path).unwrap_or_default() {
            if let Some(network) = Network::parse(&text) {
                networks.push(network);
            } else {
                let value = shown(&text);
                self.wrong(path, |lang| w::no_network(path, &value, lang), w::network_hint);
            }
        }
        networks
    }
}
