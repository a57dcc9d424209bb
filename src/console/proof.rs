//! How a command and the host show each other that both have the key, which neither of them sends: another program may
//! have the port by now, and would keep what it is given.
//!
//! A question carries a proof of itself, good once and for a minute; the answer a proof of itself and of its question.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::Contact;

/// `Authorization: Moonbell NONCE.TIME.PROOF`
const SCHEME: &str = "Moonbell ";

/// The header with the proof of an answer.
pub const ANSWER: &str = "x-moonbell-proof";

/// Both read the same clock; a question waits for nothing.
const GOOD_FOR_MS: i64 = 60_000;

/// What a command sends along, and expects back.
#[derive(Debug)]
pub struct Question {
    /// Value of `Authorization`.
    pub authorization: String,
    nonce: String,
}

impl Question {
    /// A question for `contact`: `path` as it stands below `/api`.
    pub fn new(contact: &Contact, method: &Method, path: &str, body: &[u8]) -> Self {
        let nonce = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        let at = now_ms();
        let proof = hmac::sign(&key(&contact.token), &question(&nonce, at, method, path, body));
        let proof = URL_SAFE_NO_PAD.encode(proof);
        Self { authorization: format!("{SCHEME}{nonce}.{at}.{proof}"), nonce }
    }

    /// Whether this answer came from somebody who has the key, to this question.
    pub fn is_answered(&self, contact: &Contact, status: u16, body: &[u8], proof: &[u8]) -> bool {
        let Ok(proof) = URL_SAFE_NO_PAD.decode(proof) else { return false };
        hmac::verify(&key(&contact.token), &answer(&self.nonce, status, body), &proof).is_ok()
    }
}

/// The host's side.
#[derive(Debug)]
pub(super) struct Proofs {
    key: hmac::Key,
    /// Questions that were answered, for as long as they would be good.
    seen: Mutex<HashMap<String, i64>>,
}

impl Proofs {
    pub(super) fn new(token: &str) -> Self {
        Self { key: key(token), seen: Mutex::default() }
    }

    /// The nonce of a question that is good, from its `Authorization`.
    pub(super) fn check(
        &self,
        authorization: &[u8],
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Option<String> {
        let text = std::str::from_utf8(authorization).ok()?.strip_prefix(SCHEME)?;
        let (nonce, rest) = text.split_once('.')?;
        let (at, proof) = rest.split_once('.')?;
        let (at, proof) = (at.parse::<i64>().ok()?, URL_SAFE_NO_PAD.decode(proof).ok()?);
        let now = now_ms();
        let is_good = |at: i64| now.abs_diff(at) <= GOOD_FOR_MS.unsigned_abs();
        if !is_good(at) {
            return None;
        }
        hmac::verify(&self.key, &question(nonce, at, method, path, body), &proof).ok()?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, at| is_good(*at));
        seen.insert(nonce.to_owned(), at).is_none().then(|| nonce.to_owned())
    }

    /// The proof of an answer to the question with this nonce.
    pub(super) fn answer(&self, nonce: &str, status: u16, body: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &answer(nonce, status, body)))
    }
}

/// Whether a header is meant for [`Proofs::check`].
pub(super) fn is_proof(authorization: &[u8]) -> bool {
    authorization.starts_with(SCHEME.as_bytes())
}

fn key(token: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes())
}

fn question(nonce: &str, at: i64, method: &Method, path: &str, body: &[u8]) -> Vec<u8> {
    // None of these holds a line break, so that nothing can stand for something else.
    let mut text = format!("question\n{nonce}\n{at}\n{method}\n{path}\n").into_bytes();
    text.extend_from_slice(body);
    text
}

fn answer(nonce: &str, status: u16, body: &[u8]) -> Vec<u8> {
    let mut text = format!("answer\n{nonce}\n{status}\n").into_bytes();
    text.extend_from_slice(body);
    text
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_good_once_as_it_is_and_for_who_has_the_key() {
        let contact = Contact::new("127.0.0.1:1".parse().unwrap());
        let proofs = Proofs::new(&contact.token);
        let ask = || Question::new(&contact, &Method::POST, "/runs/7k3fa/stop", b"{}");
        let check = |header: &str, method: &Method, path: &str, body: &[u8]| {
            proofs.check(header.as_bytes(), method, path, body).is_some()
        };
        let question = ask();
        let header = &question.authorization;
        assert!(!header.contains(&contact.token));
        for (method, path, body) in [
            (&Method::GET, "/runs/7k3fa/stop", &b"{}"[..]),
            (&Method::POST, "/runs/7k3fb/stop", b"{}"),
            (&Method::POST, "/runs/7k3fa/stop", b"{ }"),
        ] {
            assert!(!check(header, method, path, body));
        }
        let later = header.replacen(".1", ".2", 1);
        for odd in [
            &later,
            "",
            "Moonbell ",
            "Moonbell a.b.c",
            "Moonbell a.1.",
            &format!("Bearer {}", contact.token),
        ] {
            assert!(!check(odd, &Method::POST, "/runs/7k3fa/stop", b"{}"), "{odd}");
        }
        assert!(check(header, &Method::POST, "/runs/7k3fa/stop", b"{}"));
        assert!(!check(header, &Method::POST, "/runs/7k3fa/stop", b"{}"), "a second time");
        let other = Proofs::new("another");
        assert!(
            other
                .check(ask().authorization.as_bytes(), &Method::POST, "/runs/7k3fa/stop", b"{}")
                .is_none()
        );

        let nonce = &question.nonce;
        let proof = proofs.answer(nonce, 200, b"done");
        let good = |status, body: &[u8], proof: &str| {
            question.is_answered(&contact, status, body, proof.as_bytes())
        };
        assert!(good(200, b"done", &proof));
        assert!(
            !good(409, b"done", &proof) && !good(200, b"do not", &proof) && !good(200, b"done", "")
        );
        assert!(!good(200, b"done", &other.answer(nonce, 200, b"done")));
        assert!(
            !ask().is_answered(&contact, 200, b"done", proof.as_bytes()),
            "to another question"
        );
    }
}
