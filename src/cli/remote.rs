//! Asks the host that runs on a state folder, through its console.
//!
//! For commands that *do* something. What only reads opens the journal itself, and so works without a host.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, redirect};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::lang;
use super::talk::Failed;
use crate::console::proof;
use crate::console::{Contact, Question};
use crate::store::Instance;
use crate::words::commands::errors as w;

/// The host is on this computer; what it is asked to do is a write into its journal.
const PATIENCE: Duration = Duration::from_secs(15);

/// A host that runs.
#[derive(Debug)]
pub(super) struct Remote {
    contact: Contact,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    patience: Duration,
}

impl Remote {
    /// The host that has the folder `state` now.
    ///
    /// # Errors
    /// When none runs there, or it has no console.
    pub(super) fn find(state: &Path) -> Result<Self> {
        let lang = lang::here();
        let Some(pid) = Instance::holder(state) else {
            return Err(Failed::new(w::no_host(&state.to_string_lossy(), lang))
                .hint(w::start_one(lang))
                .into());
        };
        let contact = Contact::read(state)
            .with_context(|| w::cannot_read_contact(&state.to_string_lossy(), lang))?
            // What an earlier host left behind leads nowhere, or to somebody else who has the port now.
            .filter(|contact| contact.pid.to_string() == pid);
        let Some(contact) = contact else {
            return Err(Failed::new(w::cannot_ask(&pid, lang))
                .hint(w::cannot_ask_hint(lang))
                .into());
        };
        crate::sink::hide(&contact.token);
        // Nothing is encrypted here, but the client asks for a provider all the same; a second call changes nothing.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .context(w::no_call(lang))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(w::no_threads(lang))?;
        Ok(Self { contact, http, runtime, patience: PATIENCE })
    }

    /// Waits for an answer this long at most.
    pub(super) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// `GET /api/{path}`
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.call(&Method::GET, path, None)
    }

    /// `POST /api/{path}` with `body` as JSON.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.call(&Method::POST, path, Some(body))
    }

    /// What the host refuses is a [`Failed`] in its words.
    fn call<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T> {
        let lang = lang::here();
        let url = format!("{}/api/{path}", self.contact.url());
        let body = body.map(serde_json::to_vec).transpose()?;
        let asked = body.as_deref().unwrap_or_default();
        let question = Question::new(&self.contact, method, &format!("/{path}"), asked);
        let mut request = self
            .http
            .request(method.clone(), url)
            .header(AUTHORIZATION, &question.authorization)
            .timeout(self.patience);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let (status, proof, answer) = self
            .runtime
            .block_on(async {
                let response = request.send().await?;
                let status = response.status();
                let proof = response.headers().get(proof::ANSWER).cloned();
                Ok::<_, reqwest::Error>((status, proof, response.bytes().await?))
            })
            .map_err(reqwest::Error::without_url)
            .with_context(|| w::no_answer(self.contact.pid, lang))?;
        // The port may be somebody else's by now, who says what they like.
        if !proof.is_some_and(|proof| {
            question.is_answered(&self.contact, status.as_u16(), &answer, proof.as_bytes())
        }) {
            let address = self.contact.address.to_string();
            return Err(Failed::new(w::impostor(&address, self.contact.pid, lang))
                .hint(w::impostor_hint(lang))
                .into());
        }
        if status.is_success() {
            return serde_json::from_slice(&answer)
                .with_context(|| w::cannot_read_answer(path, lang));
        }
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_else(|_| json!({}));
        let text = |key: &str| answer[key].as_str().map(str::to_owned);
        let failed =
            Failed::new(text("error").unwrap_or_else(|| w::http_status(&status.to_string(), lang)));
        Err(match text("hint") {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
        .into())
    }
}
