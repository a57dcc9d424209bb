//! From when to when a certificate is good: the one thing in it that has to be read here.

use chrono::{DateTime, NaiveDate, Utc};

/// The times between which a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Reads it out of a certificate in DER; `None`: this is none.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut signed, _) = element(certificate, SEQUENCE)?;
        if let Some((_, rest)) = element(signed, VERSION) {
            signed = rest;
        }
        // The serial number, the kind of signature, who issued it.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            signed = element(signed, tag)?.1;
        }
        let (validity, _) = element(signed, SEQUENCE)?;
        let (from, rest) = time(validity)?;
        let (until, _) = time(rest)?;
        Some(Self { from, until })
    }
}

/// The content of an element that begins `der`, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        // So many bytes of length follow; certificates need two.
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

/// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` after.
fn time(der: &[u8]) -> Option<(DateTime<Utc>, &[u8])> {
    let (text, rest, digits) = match der.first()? {
        &UTC_TIME => {
            let (text, rest) = element(der, UTC_TIME)?;
            (text, rest, 2)
        }
        _ => {
            let (text, rest) = element(der, GENERALIZED_TIME)?;
            (text, rest, 4)
        }
    };
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if text.len() != digits + 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| text[digits + at..digits + at + 2].parse::<u32>().ok();
    let year: i32 = text[..digits].parse().ok()?;
    let year = match (digits, year) {
        (2, 50..) => 1900 + year,
        (2, _) => 2000 + year,
        _ => year,
    };
    let day = NaiveDate::from_ymd_opt(year, part(0)?, part(2)?)?;
    Some((day.and_hms_opt(part(4)?, part(6)?, part(8)?)?.and_utc(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["bot.example.com".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        for (from, until) in [
            ((1999, 12, 31), (2026, 2, 28)),
            ((2024, 2, 29), (2049, 12, 31)),
            ((2026, 1, 1), (2099, 1, 1)),
        ] {
            let validity = Validity::of(&certificate(from, until)).unwrap();
            let at = |(year, month, day): (i32, u8, u8)| {
                let day = NaiveDate::from_ymd_opt(year, month.into(), day.into()).unwrap();
                day.and_hms_opt(0, 0, 0).unwrap().and_utc()
            };
            assert_eq!(validity, Validity { from: at(from), until: at(until) });
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_no_certificate(at in 0usize..300, byte in any::<u8>(), cut in 0usize..300) {
            let mut der = certificate((2026, 1, 1), (2027, 1, 1));
            let index = at % der.len();
            der[index] = byte;
            let _ = Validity::of(&der);
            prop_assert_eq!(Validity::of(&der[..cut.min(100)]), None);
        }
    }
}
