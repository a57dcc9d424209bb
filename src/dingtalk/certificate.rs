//! Why a certificate that somebody showed is not trusted, in words of ours.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// What is wrong with a certificate, if that is what an error is about, however deep.
pub(super) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        // An `io::Error` hides what it carries from `source()` on the first level.
        let carried = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = inner
            .downcast_ref::<rustls::Error>()
            .or_else(|| carried.and_then(|carried| carried.downcast_ref::<rustls::Error>()));
        if let Some(rustls::Error::InvalidCertificate(why)) = tls {
            return Some(said(why));
        }
        cause = inner.source();
    }
    None
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
