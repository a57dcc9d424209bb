//! What an interrupted `init` has to remember and the settings have no place for.
//!
//! Holds the device code of a code that was not scanned yet, which is worth a secret: readable by the owner alone, like
//! everything in the state folder. Losing the file costs an answer given twice.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::lang;
use crate::config::Language;
use crate::dingtalk::{CODE_LIFE, Registration};
use crate::store::now_ms;
use crate::words::Lang;

const FILE: &str = "init.json";

#[derive(Debug)]
pub(super) struct Progress {
    path: PathBuf,
    kept: Kept,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    lang: Option<String>,
    code: Option<Code>,
    app: Option<App>,
    service: Option<bool>,
    /// The settings hold the account alone: how messages come is still to be said.
    mode_is_open: bool,
}

/// An app that was made, and that the settings do not know yet.
#[derive(Debug, Serialize, Deserialize)]
struct App {
    /// Of the DingTalk where it is.
    oapi_base: String,
    client_id: String,
    /// The file that holds its secret.
    secret: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Code {
    /// Of the DingTalk that gave it.
    oapi_base: String,
    until_ms: i64,
    #[serde(flatten)]
    registration: Registration,
}

impl Progress {
    pub(super) fn read(state: &Path) -> Self {
        let path = state.join(FILE);
        let kept = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path, kept: kept.unwrap_or_default() }
    }

    pub(super) fn lang(&self) -> Option<Lang> {
        self.kept.lang.as_deref().map(lang::read)
    }

    pub(super) fn language(&self) -> Option<Language> {
        self.lang().and_then(|lang| Language::from_word(lang.code()))
    }

    pub(super) fn keep_lang(&mut self, lang: Lang) {
        self.kept.lang = Some(lang.code().to_owned());
        self.write();
    }

    pub(super) fn service(&self) -> Option<bool> {
        self.kept.service
    }

    pub(super) fn keep_service(&mut self, wanted: bool) {
        self.kept.service = Some(wanted);
        self.write();
    }

    pub(super) fn mode_is_open(&self) -> bool {
        self.kept.mode_is_open
    }

    pub(super) fn open_mode(&mut self) {
        self.kept.mode_is_open = true;
        self.write();
    }

    pub(super) fn close_mode(&mut self) {
        if std::mem::take(&mut self.kept.mode_is_open) {
            self.write();
        }
    }

    /// A code that can still be scanned, and until when.
    pub(super) fn code(&self, oapi_base: &str) -> Option<(Registration, i64)> {
        let code = self.kept.code.as_ref()?;
        (code.oapi_base == oapi_base && code.until_ms > now_ms())
            .then(|| (code.registration.clone(), code.until_ms))
    }

    /// Returns until when it can be scanned.
    pub(super) fn keep_code(&mut self, oapi_base: &str, registration: &Registration) -> i64 {
        let life = i64::try_from(CODE_LIFE.as_millis()).unwrap_or(i64::MAX);
        let until_ms = now_ms().saturating_add(life);
        self.kept.code = Some(Code {
            oapi_base: oapi_base.to_owned(),
            until_ms,
            registration: registration.clone(),
        });
        self.write();
        until_ms
    }

    pub(super) fn forget_code(&mut self) {
        if self.kept.code.take().is_some() {
            self.write();
        }
    }

    /// An app that was made and is in no settings, and the file of its secret.
    pub(super) fn app(&self, oapi_base: &str) -> Option<(String, PathBuf)> {
        let app = self.kept.app.as_ref().filter(|app| app.oapi_base == oapi_base)?;
        Some((app.client_id.clone(), app.secret.clone()))
    }

    pub(super) fn keep_app(&mut self, oapi_base: &str, client_id: &str, secret: &Path) {
        self.kept.app = Some(App {
            oapi_base: oapi_base.to_owned(),
            client_id: client_id.to_owned(),
            secret: secret.to_owned(),
        });
        self.write();
    }

    /// The settings know the app.
    pub(super) fn forget_app(&mut self) {
        if self.kept.app.take().is_some() {
            self.write();
        }
    }

    /// Nothing has to be gone on with any more.
    pub(super) fn finish(self) {
        let _ = fs::remove_file(self.path);
    }

    /// The same, but the first message is still to come: whoever sends it is answered in the language chosen here.
    pub(super) fn finish_but_language(mut self) {
        match self.kept.lang.take() {
            Some(lang) => {
                self.kept = Kept { lang: Some(lang), ..Kept::default() };
                self.write();
            }
            None => self.finish(),
        }
    }

    fn write(&self) {
        if let Err(error) = self.try_write() {
            tracing::warn!("if it is interrupted, `init` begins anew: {error}");
        }
    }

    fn try_write(&self) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        super::settings::make_folder(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&self.kept)?)?;
        file.persist(&self.path)?;
        Ok(())
    }
}
