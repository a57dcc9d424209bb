//! The values that nobody may read, and text without them: one list for chats, cards, logs, errors and the status file.
//!
//! Global, because whoever writes (a library, an error of the system, a program's output) does not know that what it
//! holds is a secret. A secret is known as it is and in the forms it takes on the way: base64, hex, in a URL, in JSON.
//! Not covered: parts of it, other encodings, and base64 or a hash of a text that merely contains it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter ones are no secrets, and replacing them would shred what people read.
const SHORTEST: usize = 6;

/// Scripts make secrets out of secrets; a loop that does stops adding here.
const MOST: usize = 2_048;

/// What is written in their place.
const SHOWN: &str = "***";

static HIDDEN: RwLock<Hidden> = RwLock::new(Hidden { values: None, forms: None });

struct Hidden {
    values: Option<HashSet<String>>,
    /// Finds all of them in one pass.
    forms: Option<Arc<AhoCorasick>>,
}

/// From now on `secret` is written as `***`, whoever writes it.
pub fn hide(secret: &str) {
    if secret.chars().count() < SHORTEST {
        return;
    }
    let mut hidden = HIDDEN.write().unwrap_or_else(PoisonError::into_inner);
    let values = hidden.values.get_or_insert_default();
    if values.len() >= MOST || values.contains(secret) {
        return;
    }
    values.extend(forms(secret));
    let forms = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&*values);
    hidden.forms = forms.ok().map(Arc::new);
}

/// The secret as it appears in what people read.
fn forms(secret: &str) -> impl Iterator<Item = String> {
    let mut hex = String::with_capacity(secret.len() * 2);
    for byte in secret.bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    let url = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    let json = serde_json::to_string(secret).unwrap_or_default();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    [
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex.to_uppercase(),
        hex,
        url.to_string(),
        form,
        json.trim_matches('"').to_owned(),
        secret.escape_debug().to_string(),
    ]
    .into_iter()
    .filter(|form| form.len() >= SHORTEST)
}

/// `text` with every hidden secret as `***`.
pub fn redact(text: &str) -> Cow<'_, str> {
    let forms = HIDDEN.read().unwrap_or_else(PoisonError::into_inner).forms.clone();
    match forms {
        Some(forms) if forms.is_match(text) => {
            let mut clean = String::with_capacity(text.len());
            forms.replace_all_with(text, &mut clean, |_, _, clean| {
                clean.push_str(SHOWN);
                true
            });
            Cow::Owned(clean)
        }
        _ => Cow::Borrowed(text),
    }
}

/// Moves what of `ahead` is safe to hand on into `clean`, with every hidden secret as `***`. What may be the beginning of
/// one stays, unless nothing comes any more (`last`).
pub fn redact_ahead(ahead: &mut Vec<u8>, clean: &mut Vec<u8>, last: bool) {
    let forms = HIDDEN.read().unwrap_or_else(PoisonError::into_inner).forms.clone();
    let Some(forms) = forms else {
        clean.append(ahead);
        return;
    };
    let safe =
        if last { ahead.len() } else { (ahead.len() + 1).saturating_sub(forms.max_pattern_len()) };
    let mut done = 0;
    for found in forms.find_iter(&*ahead).take_while(|found| found.start() < safe) {
        clean.extend_from_slice(&ahead[done..found.start()]);
        clean.extend_from_slice(SHOWN.as_bytes());
        done = found.end();
    }
    if done < safe {
        clean.extend_from_slice(&ahead[done..safe]);
        done = safe;
    }
    ahead.drain(..done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_in_every_form_it_travels_in() {
        hide("p@ss \"wörd\"+1");
        hide("p@ss");
        for text in [
            "p@ss \"wörd\"+1".to_owned(),
            STANDARD.encode("p@ss \"wörd\"+1"),
            "70407373202277c3b67264222b31".to_owned(),
            "70407373202277C3B67264222B31".to_owned(),
            "p%40ss%20%22w%C3%B6rd%22%2B1".to_owned(),
            "p%40ss+%22w%C3%B6rd%22%2B1".to_owned(),
            r#"p@ss \"wörd\"+1"#.to_owned(),
        ] {
            assert_eq!(redact(&format!("a {text}, b {text}")), "a ***, b ***", "{text}");
        }
        assert_eq!(
            redact("p@ss alone is too short to be one"),
            "p@ss alone is too short to be one"
        );
        assert!(matches!(redact("nothing"), Cow::Borrowed(_)));
    }
}
