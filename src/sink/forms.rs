//! A secret in the forms it takes on its way: encoded, quoted, turned around.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Shorter ones are no secrets, and replacing them would shred what people read.
pub(super) const SHORTEST: usize = 6;

/// A line of a secret of several lines (a private key) is looked for alone when it is as long as this.
const LINE: usize = 24;

/// Everything that is looked for when `secret` is hidden.
pub(super) fn of(secret: &str) -> BTreeSet<String> {
    let hex: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(secret).unwrap_or_default();
    let mut forms = vec![
        secret.to_owned(),
        secret.chars().rev().collect(),
        // Of ASCII letters both cases are found anyway.
        secret.to_uppercase(),
        secret.to_lowercase(),
        hex.concat(),
        hex.join(" "),
        hex.join(":"),
        percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC)
            .to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        in_url(secret),
        json.trim_matches('"').to_owned(),
        json_ascii(secret),
        // PHP escapes what need not be.
        json.trim_matches('"').replace('/', "\\/"),
        json_ascii(secret).replace('/', "\\/"),
        in_shell(secret),
        secret.escape_debug().to_string(),
    ];
    // As `xxd` shows it, wherever a line begins.
    forms.extend([0, 1].map(|first| in_pairs(&hex, first)));
    // By writers that encode everything.
    forms.push(secret.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02x}")));
    forms.push(secret.chars().fold(String::new(), |all, c| all + &format!("&#{};", u32::from(c))));
    forms.push(
        secret.chars().fold(String::new(), |all, c| all + &format!("&#x{:x};", u32::from(c))),
    );
    for before in 0..3 {
        let standard = base64(secret.as_bytes(), before);
        forms.push(standard.replace('+', "-").replace('/', "_"));
        forms.push(standard);
    }
    forms.extend(QUOTES.map(|quotes| in_page(secret, quotes)));
    // Writers that are afraid of more.
    let page = in_page(secret, QUOTES[0]).replace('/', "&#x2F;").replace('`', "&#x60;");
    forms.push(page.replace('=', "&#x3D;"));
    forms.push(page);
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= LINE);
    forms.extend(lines.filter(|line| !line.starts_with("-----")).map(str::to_owned));
    forms.retain(|form| form.len() >= SHORTEST);
    forms.into_iter().collect()
}

/// What of the base64 of a longer text is the same whatever stands around the secret, with `before` bytes (modulo 3)
/// in front of it.
fn base64(secret: &[u8], before: usize) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    // Six bits each: a sign that holds bits of what is before or behind says nothing for sure.
    let first = (before * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    encoded[first..last].to_owned()
}

/// Bytes by twos, after so many that stand alone.
fn in_pairs(hex: &[String], first: usize) -> String {
    let (alone, rest) = hex.split_at(first.min(hex.len()));
    let pairs = rest.chunks(2).map(<[String]>::concat);
    alone.iter().cloned().chain(pairs).collect::<Vec<_>>().join(" ")
}

/// Only what a URL cannot hold is written as `%…`.
fn in_url(secret: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(secret, KEPT).to_string()
}

/// What stands for `"` and `'` in pages and feeds, in the ways of several writers.
const QUOTES: [[&str; 2]; 5] = [
    ["&quot;", "&#39;"],
    ["&#34;", "&#39;"],
    ["&quot;", "&#x27;"],
    ["&quot;", "&apos;"],
    ["&quot;", "&#039;"],
];

/// As HTML and XML write it.
fn in_page(secret: &str, [double, single]: [&str; 2]) -> String {
    let text = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', double).replace('\'', single)
}

/// Within single quotes, as `set -x` shows it.
fn in_shell(secret: &str) -> String {
    secret.replace('\'', r"'\''")
}

/// JSON as many programs write it: nothing above ASCII.
fn json_ascii(secret: &str) -> String {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let mut out = String::with_capacity(json.len());
    for unit in json.trim_matches('"').encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_known_wherever_the_secret_stands_in_a_text() {
        let secret = "p@ss w\u{f6}rd/+1";
        let forms = of(secret);
        for before in ["", "x", "xy", "xyz", "user:", "{\"k\":\""] {
            for after in ["", "!", "!!", "\"}"] {
                for text in [
                    STANDARD_NO_PAD.encode(format!("{before}{secret}{after}")),
                    base64::engine::general_purpose::URL_SAFE
                        .encode(format!("{before}{secret}{after}")),
                ] {
                    assert!(
                        forms.iter().any(|form| text.contains(form.as_str())),
                        "{before}…{after}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_writers_put_before_or_for_a_sign_hides_no_secret() {
        let forms = of("it's/a=key");
        for form in
            [r"it's\/a=key", r"it'\''s/a=key", "it&#x27;s/a=key", "it&#39;s&#x2F;a&#x3D;key"]
        {
            assert!(forms.contains(form), "{form}");
        }
    }

    #[test]
    fn lines_of_a_key_are_secrets_of_their_own_and_its_frame_is_none() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
        let forms =
            of(&format!("-----BEGIN PRIVATE KEY-----\n{line}\nshort\n-----END PRIVATE KEY-----"));
        assert!(forms.contains(line));
        assert!(!forms.contains("short") && !forms.contains("-----BEGIN PRIVATE KEY-----"));
    }
}
