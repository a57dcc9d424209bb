//! The signatures under DingTalk's calls in HTTP mode, compared without telling how much was right.
//!
//! Those of messages and of clicks cover the time alone, not what is said: one that was seen signs anything until it is
//! too old. Only those of events cover the whole call.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

/// Under a message to the robot; in a URL also under what is sent through a group's own robot.
pub(super) fn of_robot(timestamp: &str, secret: &str) -> String {
    hmac_base64(secret, &format!("{timestamp}\n{secret}"))
}

/// Under a click on a card.
pub(super) fn of_card(timestamp: &str, secret: &str) -> String {
    hmac_base64(secret, timestamp)
}

/// Under an event, and under the answer to it.
pub(super) fn of_event(token: &str, timestamp: &str, nonce: &str, sealed: &str) -> String {
    let mut parts = [token, timestamp, nonce, sealed];
    parts.sort_unstable();
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    hex(digest.as_ref())
}

/// `0fa0…`
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Whether both are the same; how long it takes tells only about their lengths.
pub(super) fn is_same(shown: &str, right: &str) -> bool {
    shown.as_bytes().ct_eq(right.as_bytes()).into()
}

fn hmac_base64(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::*;

    pub(in super::super) fn vectors() -> Value {
        let path = format!("{}/tests/fixtures/crypto_vectors.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    pub(in super::super) fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
        vector[name].as_str().unwrap_or_else(|| panic!("{name} in {vector}"))
    }

    #[test]
    fn signatures_over_a_time_are_those_of_the_vectors() {
        let vectors = vectors();
        let robot = &vectors["robot_http_sign"];
        let signed = of_robot(text(robot, "timestamp"), text(robot, "appSecret"));
        assert_eq!(signed, text(robot, "sign"));

        let custom = &vectors["custom_robot_webhook_sign"];
        let signed = of_robot(text(custom, "timestamp"), text(custom, "secret"));
        assert_eq!(signed, text(custom, "signBase64"));
        let in_url: String = url::form_urlencoded::byte_serialize(signed.as_bytes()).collect();
        assert_eq!(in_url, text(custom, "signUrlEncoded"));

        let card = &vectors["card_http_callback_sign"];
        let signed = of_card(text(card, "timestamp"), text(card, "apiSecret"));
        assert_eq!(signed, text(card, "signature"));
    }

    #[test]
    fn signatures_of_events_are_those_of_the_vectors() {
        let vectors = vectors();
        let ours = &vectors["event_crypto"];
        let cases = ours["cases"].as_array().unwrap().iter().map(|case| (ours, case));
        let public = vectors["public_vectors"]["cases"].as_array().unwrap();
        let all: Vec<_> = cases.chain(public.iter().map(|case| (case, case))).collect();
        assert_eq!(all.len(), 7);
        for (keys, case) in all {
            let (token, sealed) = (text(keys, "token"), text(case, "encrypt"));
            let signed = of_event(token, text(case, "timestamp"), text(case, "nonce"), sealed);
            assert!(is_same(&signed, text(case, "msg_signature")), "{case}");
            if let Some(sorted) = case["sortedConcat_sha1_input"].as_str() {
                let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, sorted.as_bytes());
                assert_eq!(signed, hex(digest.as_ref()));
            }
        }
    }

    #[test]
    fn nothing_but_the_same_text_is_the_same() {
        let right = "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA=";
        assert!(is_same(right, right));
        for wrong in ["", " ", "DJrE", &right.to_lowercase(), &right[..43], &format!("{right}=")] {
            assert!(!is_same(wrong, right), "{wrong}");
        }
    }
}
