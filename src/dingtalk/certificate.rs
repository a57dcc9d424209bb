//! Why a certificate that somebody showed is not trusted, in words of ours.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::words::Lang;
use crate::words::network as w;

/// What is wrong with a certificate, if that is what an error is about, however deep.
pub(super) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(said(why));
    }
    // `source()` of an `io::Error` is that of what it carries, which itself would be passed over.
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    carried.and_then(|carried| distrust(carried)).or_else(|| error.source().and_then(distrust))
}

fn said(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => w::unknown_issuer(Lang::En).to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            w::expired(Lang::En).to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            w::not_valid_yet(Lang::En).to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            w::for_another_host(Lang::En).to_owned()
        }
        other => other.to_string(),
    }
}
