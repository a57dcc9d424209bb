//! The certificate of the doors: read at the start, and again when its files change.
//!
//! A renewed one is taken over without a restart. One that cannot be used changes nothing: the old one stays, and the owner
//! is told.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::Utc;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::OpenError;
use super::certificate::Validity;
use crate::config::Tls;

/// How often the files are looked at: two of the cheapest questions to the file system.
const LOOK: Duration = Duration::from_secs(2);
/// From when on the owner is reminded that it ends.
const SOON: chrono::TimeDelta = chrono::TimeDelta::days(7);

/// A certificate that follows its files.
#[derive(Debug)]
pub(super) struct Certificate {
    files: Tls,
    current: Mutex<Arc<ServerConfig>>,
    loaded: Stamp,
}

/// What of the files shows that they changed.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub(super) fn load(files: &Tls) -> Result<Self, OpenError> {
        let loaded = stamp(files);
        let config = read(files)?;
        Ok(Self { files: files.clone(), current: Mutex::new(config), loaded })
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what is written into the files, for as long as it runs.
    pub(super) async fn keep(&self) {
        let (mut known, mut told) = (self.loaded, self.loaded);
        loop {
            tokio::time::sleep(LOOK).await;
            let files = self.files.clone();
            let look = tokio::task::spawn_blocking(move || {
                let now = stamp(&files);
                (now, (now != known).then(|| read(&files)))
            });
            let Ok((now, Some(read))) = look.await else { continue };
            match read {
                Ok(config) => {
                    *self.current.lock().unwrap_or_else(PoisonError::into_inner) = config;
                    known = now;
                    tracing::info!("the renewed certificate is used from now on");
                }
                // Certificate and key are two files, written one after the other: a moment later they may fit.
                Err(_) if now != told => told = now,
                Err(error) => {
                    known = now;
                    tracing::error!(
                        hint = error.hint(),
                        "the renewed certificate cannot be used, so the old one stays: {error}"
                    );
                }
            }
        }
    }
}

fn stamp(files: &Tls) -> Stamp {
    [&files.cert, &files.key].map(|file| {
        let meta = fs::metadata(file).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

fn read(files: &Tls) -> Result<Arc<ServerConfig>, OpenError> {
    let wrong =
        |file: &Path, reason: String| OpenError::Certificate { file: file.to_owned(), reason };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&files.cert, format!("the certificate cannot be read: {error}")))?;
    let Some(first) = chain.first() else {
        return Err(wrong(&files.cert, "there is no certificate in it".to_owned()));
    };
    let validity = Validity::of(first)
        .ok_or_else(|| wrong(&files.cert, "the certificate cannot be read".to_owned()))?;
    let (now, until) = (Utc::now(), validity.until.format("%Y-%m-%d %H:%M UTC"));
    if validity.until < now {
        return Err(wrong(&files.cert, format!("the certificate expired on {until}")));
    }
    if validity.from > now {
        let from = validity.from.format("%Y-%m-%d %H:%M UTC");
        return Err(wrong(&files.cert, format!("the certificate is not good before {from}")));
    }
    if validity.until - now < SOON {
        tracing::warn!(file = %files.cert.display(), "the certificate expires on {until}: renew it");
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, format!("the private key cannot be read: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&files.cert, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let reason = format!("it is not the key of {}", files.cert.display());
                wrong(&files.key, reason)
            }
            error => wrong(&files.cert, error.to_string()),
        })?;
    let mut config = config;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
