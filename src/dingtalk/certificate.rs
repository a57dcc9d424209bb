//! Why a certificate that somebody showed is not trusted, in words of ours.

use std::error::Error;
use std::io;

use rustls::CertificateError;

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
        CertificateError::UnknownIssuer => {
            "nobody whom this computer trusts has signed it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet: is the clock of this computer right?".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host".to_owned()
        }
        other => other.to_string(),
    }
}
