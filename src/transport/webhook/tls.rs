//! The certificate of the doors: read at the start, and again when its files change.
//!
//! A renewed one is taken over without a restart. One that cannot be used changes nothing: the old one stays, and the owner
//! is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;

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
        let config = Pair::read(files)?.taken(files);
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
                (now, (now != known).then(|| Pair::read(&files).map(|pair| pair.taken(&files))))
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

/// Certificate and key, as they are in their files and fit to be used.
struct Pair {
    config: Arc<ServerConfig>,
    first: CertificateDer<'static>,
    until: DateTime<Utc>,
}

impl Pair {
    fn read(files: &Tls) -> Result<Self, OpenError> {
        let unfit = |file: &Path, reason| OpenError::Certificate { file: file.to_owned(), reason };
        let wrong = |reason| unfit(&files.cert, reason);
        let chain = CertificateDer::pem_file_iter(&files.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(Unfit::Unreadable(error.to_string())))?;
        let first = chain.first().ok_or_else(|| wrong(Unfit::Empty))?.clone();
        let Validity { from, until } = Validity::of(&first).ok_or_else(|| wrong(Unfit::Garbled))?;
        let now = Utc::now();
        if until < now {
            return Err(wrong(Unfit::Expired(until)));
        }
        if from > now {
            return Err(wrong(Unfit::Early(from)));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| unfit(&files.key, Unfit::Key(error.to_string())))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(Unfit::Other(error.to_string())))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    unfit(&files.key, Unfit::Foreign(files.cert.clone()))
                }
                error => wrong(Unfit::Other(error.to_string())),
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), first, until })
    }

    fn ends_soon(&self) -> bool {
        self.until - Utc::now() < SOON
    }

    /// To be served with from now on.
    fn taken(self, files: &Tls) -> Arc<ServerConfig> {
        if self.ends_soon() {
            let (file, until) = (files.cert.display(), day(&self.until));
            tracing::warn!(%file, "the certificate expires on {until}: renew it");
        }
        self.config
    }
}

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    #[error("the certificate cannot be read")]
    Garbled,
    #[error("there is no certificate in it")]
    Empty,
    #[error("the certificate expired on {}", day(.0))]
    Expired(DateTime<Utc>),
    #[error("the certificate is not good before {}", day(.0))]
    Early(DateTime<Utc>),
    #[error("the private key cannot be read: {0}")]
    Key(String),
    /// The key belongs to another certificate than this file's.
    #[error("it is not the key of {}", .0.display())]
    Foreign(PathBuf),
    #[error("{0}")]
    Other(String),
}

impl Unfit {
    /// Until when it was good, or from when on it is; empty: that is not what is wrong.
    pub fn when(&self) -> String {
        match self {
            Self::Expired(at) | Self::Early(at) => day(at),
            _ => String::new(),
        }
    }
}

fn day(at: &DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A certificate that can be used.
#[derive(Clone, Debug)]
pub struct Fit {
    /// When it expires, for people.
    pub until: String,
    pub ends_soon: bool,
    /// Whether it is one for the name that was asked about.
    pub bears_name: bool,
}

/// Looks at the certificate in these files, for who asks whether it can be used under `name`. Blocks.
///
/// # Errors
/// As a start would fail.
pub fn look(files: &Tls, name: Option<&str>) -> Result<Fit, OpenError> {
    let pair = Pair::read(files)?;
    let bears = |name: &str| {
        let name = ServerName::try_from(name).ok()?;
        let certificate = ParsedCertificate::try_from(&pair.first).ok()?;
        verify_server_name(&certificate, &name).ok()
    };
    Ok(Fit {
        until: day(&pair.until),
        ends_soon: pair.ends_soon(),
        bears_name: name.is_none_or(|name| bears(name).is_some()),
    })
}
